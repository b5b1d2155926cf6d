/**
 * Commands for when no program may decide alone: recover, quarantine.
 *
 * `recover` shows what is known, then asks a person to state in words what no
 * program can know. The statement is bound to exactly what was shown: when
 * that has changed, the new evidence is shown and the question is asked anew.
 * Nothing is confirmed on anybody's behalf.
 *
 * Rules: P28, P29.
 */
import type { Evidence, QuarantinedEntry } from '../../contract/model.ts';
import type { NodeClient } from './client.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { Failure, misused } from './failure.ts';
import type { Column } from './table.ts';
import { wordsTyped } from './typed-words.ts';
import { momentInWords, plain } from './words.ts';

type RecoverOptions = {
  lost?: string[];
  statement?: string;
  evidence?: string;
  chosen?: boolean;
  proof?: string;
  show?: boolean;
  yes?: boolean;
};

const triesMax = 10;

export async function recover(context: Context, options: RecoverOptions): Promise<number> {
  return withNode(context, 'running', async (client) => {
    for (let tried = 1; ; tried += 1) {
      const evidence = await client.ask('recovery');
      const asks = options.show !== true && !(context.json && !options.yes);
      if (context.json && !asks) context.document(evidence);
      else if (!context.json) showEvidence(context, evidence);
      if (!asks) return exitCodes.ok.code;
      if (!evidence.possible) throw new Failure('refused', evidence.why, { next: 'Nothing was confirmed.' });
      const done = await confirmed(context, client, evidence, options, tried < triesMax && options.yes !== true);
      if (done) return exitCodes.ok.code;
      context.note('\nWhat is known has changed, so that statement is void. This is how it is now:\n');
    }
  });
}

/** False when the evidence has changed meanwhile and may be shown again. */
async function confirmed(
  context: Context,
  client: NodeClient,
  evidence: Evidence,
  options: RecoverOptions,
  mayAskAgain: boolean,
): Promise<boolean> {
  if (options.evidence !== undefined && options.evidence !== evidence.evidence) {
    throw new Failure('refused', 'What is known is not what --evidence says any more; nothing was confirmed.', {
      next: 'Look at it again: binnacle recover --json',
    });
  }
  const lost = lostOf(evidence, options.lost);
  const statement = options.statement ?? statementOf(evidence, lost);
  if (!options.yes) {
    context.note(`\nYou state, with your name and the time in the journal, that ${lostInWords(evidence, lost)}.`);
    await wordsTyped(context.terminal, plain(statement), client.signal);
  }
  // Of two eras that stand against each other the other one is alive, and a person knows it (P32).
  const chosen = options.chosen === true || evidence.nodes.some((node) => node.alive && lost.includes(node.voter));
  const proof = options.proof === undefined ? {} : { proof: options.proof };
  const body = { evidence: evidence.evidence, lost, statement, ...(chosen ? { chosen } : {}), ...proof };
  try {
    const answer = await client.ask('recover', { body });
    if (context.json) context.document({ ...answer, lost, statement });
    else context.say(plain(answer.sentence));
    return true;
  } catch (fault) {
    if (mayAskAgain && fault instanceof Failure && fault.code === 'recovery_refused') {
      context.note(`Refused: ${plain(fault.message)}`);
      return false;
    }
    throw fault;
  }
}

/** At the lost controller, if a person can reach it: it stops for good and says so in a code that can be carried. */
export async function parkingCode(context: Context, term: string): Promise<number> {
  return withNode(context, 'running', async (client) => {
    const answer = await client.ask('parkingCode', { body: { term } });
    if (context.json) context.document(answer);
    else {
      context.note(plain(answer.sentence));
      context.say(answer.code);
    }
    return exitCodes.ok.code;
  });
}

const nameOf = (evidence: Evidence, voter: string): string =>
  evidence.nodes.find((node) => node.voter === voter)?.name ?? voter;
const named = (evidence: Evidence, lost: readonly string[]): string =>
  lost.map((voter) => nameOf(evidence, voter)).join(' and ');
const lostInWords = (evidence: Evidence, lost: readonly string[]): string =>
  lost.length === 0 ? 'nothing is lost' : `${plain(named(evidence, lost))} ${lost.length === 1 ? 'is' : 'are'} lost`;

/** What only a person can know, as the sentence that is asked for. */
export function statementOf(evidence: Evidence, lost: readonly string[]): string {
  if (lost.length === 0) return `${evidence.candidate.name} shall continue`;
  return `I have seen that ${named(evidence, lost)} ${lost.length === 1 ? 'is' : 'are'} off`;
}

/** Names, ids or voters (node#store) as given → voters, as the node wants them. */
function lostOf(evidence: Evidence, given: readonly string[] | undefined): string[] {
  if (given === undefined) return evidence.suggested;
  return given.map((text) => {
    const found = evidence.nodes.find((node) => node.voter === text || node.id === text || node.name === text);
    if (found) return found.voter;
    throw misused(
      `"${text}" is none of the nodes that count here.`,
      `They are: ${evidence.nodes.map((node) => node.name).join(', ') || 'none'}.`,
    );
  });
}

function showEvidence(context: Context, evidence: Evidence): void {
  const { paint, say } = context;
  const { candidate } = evidence;
  say(plain(evidence.why));
  say(
    `${paint('Would lead', 'grey')}   ${paint(plain(candidate.name), 'bold')}, journal up to entry ${candidate.journalEnd}, term ${plain(candidate.term)}`,
  );
  for (const node of evidence.nodes) {
    const declared = evidence.suggested.includes(node.voter);
    const heard = node.alive
      ? paint('answers', 'green')
      : `silent, last heard ${node.heardAt === null ? 'never since this node started' : momentInWords(node.heardAt)}`;
    const counts = [node.votes ? 'votes' : '', node.inWriteSet ? 'holds every entry' : ''].filter(Boolean).join(', ');
    say(`\n${paint(plain(node.name), 'bold')}${declared ? paint('  would be declared lost', 'red') : ''}`);
    say(`  ${heard}${counts ? `; ${counts}` : ''}`);
    if (node.sentence !== '') say(`  ${plain(node.sentence)}`);
  }
  say('');
  say(`${paint('If it is right', 'grey')}  ${plain(evidence.loss)}`);
  say(`${paint('If it is wrong', 'grey')}  ${plain(evidence.danger)}`);
  if (evidence.opensEra) {
    say(
      `${paint('!', 'yellow')} No majority of the voters is left: ${plain(candidate.name)} would begin a new era alone.`,
    );
  }
  say(`${paint('Evidence', 'grey')}        ${plain(evidence.evidence)}`);
  say(
    `${paint('Safer', 'grey')}           where a lost controller can still be reached: binnacle parking-code ${plain(evidence.proofTerm)} there, then --proof here`,
  );
}

const pageEntries = 1_000;

export async function quarantine(context: Context): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const entries: QuarantinedEntry[] = [];
    for (let more = true; more; ) {
      const after = entries.at(-1)?.id;
      const page = await client.ask('quarantine', {
        query: { limit: pageEntries, ...(after === undefined ? {} : { after }) },
      });
      entries.push(...page.entries);
      more = page.more && page.entries.length > 0;
    }
    if (context.json) context.document({ entries });
    else {
      context.rows(quarantineColumns, entries, 'Nothing was cut from this journal.');
      if (entries.length > 0) context.note('The entries whole, to keep: binnacle quarantine --json > quarantine.json');
    }
    return exitCodes.ok.code;
  });
}

const quarantineColumns: Column<QuarantinedEntry>[] = [
  { title: 'ENTRY', cell: (entry) => String(entry.index), right: true },
  { title: 'TERM', cell: (entry) => entry.term },
  { title: 'WHAT', cell: (entry) => entry.kind },
  { title: 'MADE', cell: (entry) => momentInWords(entry.at ?? undefined) },
  { title: 'BY', cell: (entry) => entry.by },
  { title: 'CUT', cell: (entry) => momentInWords(entry.cutAt) },
  { title: 'WHY', cell: (entry) => entry.reason, shrinks: true },
];
