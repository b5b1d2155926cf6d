/**
 * Commands about nodes that ask to join: `requests list`, `approve`, `refuse`.
 *
 * Approving asks whether the six words are the same on the new node, and takes
 * no answer for no; a script says so with --yes.
 */
import type { Duty } from '../../contract/facts.ts';
import type { JoinRequest } from '../../contract/model.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { misused } from './failure.ts';
import type { Column } from './table.ts';
import { wordsTyped } from './typed-words.ts';
import { momentInWords, plain } from './words.ts';

const ok = exitCodes.ok.code;

export async function list(context: Context): Promise<number> {
  return withNode(context, 'running', async (client) => {
    const { requests } = await client.ask('joinRequests');
    if (context.json) context.document({ requests });
    else context.rows(columns, requests, 'No node asks to join.');
    return ok;
  });
}

const columns: Column<JoinRequest>[] = [
  { title: 'REQUEST', cell: (each) => each.id },
  { title: 'NAME', cell: (each) => plain(each.name), shrinks: true },
  { title: 'FROM', cell: (each) => plain(each.address) },
  { title: 'WORDS', cell: (each) => each.words.join(' ') },
  { title: 'ASKED', cell: (each) => momentInWords(each.askedAt) },
  { title: 'STATE', cell: (each) => each.state },
];

export async function approve(
  context: Context,
  request: string,
  options: { role: Duty[]; yes?: boolean },
): Promise<number> {
  return withNode(context, 'running', async (client) => {
    const { requests } = await client.ask('joinRequests');
    const one = requests.find((each) => each.id === request);
    if (!one) throw misused(`No node asks to join under ${plain(request)}.`, 'See: binnacle requests list');
    if (options.yes !== true) {
      context.note(`${plain(one.name)}, asking from ${plain(one.address)}, has to show these words:`);
      context.note(`\n    ${context.paint(one.words.join('  '), 'bold')}\n`);
      context.note('Only if they are the same on its screen:');
      await wordsTyped(context.terminal, 'yes', client.signal);
    }
    const approved = await client.ask('joinApprove', { params: { request }, body: { duties: options.role } });
    if (context.json) context.document(approved);
    else context.say(`${plain(approved.name)} may join as ${options.role.join(' and ')}.`);
    return ok;
  });
}

export async function refuse(context: Context, request: string): Promise<number> {
  return withNode(context, 'running', async (client) => {
    await client.ask('joinRefuse', { params: { request } });
    if (context.json) context.document({ refused: request });
    else context.say(`Request ${plain(request)} was refused.`);
    return ok;
  });
}
