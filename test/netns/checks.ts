/**
 * What must hold after a round, from what was seen: histories of the clients,
 * journals on disk, marks that jobs left. Each check gives sentences, one a
 * violation; none is good. Tried on forged things in `checks.test.ts`.
 *
 * 0 acknowledged work lost, 0 started twice, 0 two that acknowledge (R2); what
 * was read agrees with what was acknowledged before (R3).
 */
import type { Run } from '../../node-runtime/contract/model.ts';
import { faultsOf, type Operation as Judged } from '../simulation/history.ts';
import { chainAfter, type SeenEntry, type SeenJournal } from './journal-look.ts';
import { compareTerms, isChange, type Operation } from './operation.ts';

/** run → the lines its job left, `run task attempt`, one a start. */
export type Marks = ReadonlyMap<string, readonly string[]>;

const GENESIS = '0'.repeat(64);
const named = (one: Operation): string => `${one.kind} ${one.key} of client ${one.client}`;

/** P36, I12, I13: an acknowledged change is in the journal once, a refused one never, an unknown one at most once. */
export function checkKeys(history: readonly Operation[], journal: SeenJournal, allowed: Allowed = {}): string[] {
  const byKey = new Map<string, SeenEntry[]>();
  for (const entry of journal.entries) {
    if (entry.key) byKey.set(entry.key.key, [...(byKey.get(entry.key.key) ?? []), entry]);
  }
  return history
    .filter((one) => isChange(one.kind))
    .flatMap((one) => {
      const entries = byKey.get(one.key) ?? [];
      if (entries.length > 1)
        return [`acted twice: ${named(one)} is in entries ${entries.map((entry) => entry.index)}`];
      if (one.outcome === 'refused' && entries.length > 0)
        return [`refused, yet done: ${named(one)} is in the journal`];
      if (one.outcome !== 'ok') return [];
      if (entries.length === 0)
        return allowed.lostInClaim?.(one) ? [] : [`lost: ${named(one)} was acknowledged and is not in the journal`];
      const run = entries[0]!.fact.kind === 'runLaunched' ? entries[0]!.fact.run : null;
      if (one.kind === 'launch' && run !== one.run)
        return [`changed: ${named(one)} was told run ${one.run}, the journal has ${run}`];
      return [];
    });
}
export type Allowed = { lostInClaim?: (one: Operation) => boolean };

/**
 * R3: changes and looks at runs, in the form in which `history.ts` judges them.
 * Every change is a key that takes its place in the journal once; a read asks
 * about the key that launched its run. Each try of a read is a read of its own,
 * so it counts from the try that was answered.
 */
export function checkHistory(history: readonly Operation[], journal: SeenJournal): string[] {
  const indexOf = new Map(
    journal.entries.flatMap((entry) => (entry.key ? [[entry.key.key, entry.index] as const] : [])),
  );
  const keyOf = new Map(
    history.flatMap((one) => (one.kind === 'launch' && one.run ? [[one.run, one.key] as const] : [])),
  );
  return faultsOf(
    history.flatMap((one): Judged[] => {
      const client = `client ${one.client}`;
      if (isChange(one.kind)) {
        const position = one.outcome === 'ok' ? indexOf.get(one.key) : undefined;
        const { key, calledAt, returnedAt, outcome } = one;
        const run = outcome === 'ok' ? (one.kind === 'launch' ? one.run! : key) : undefined;
        return [{ client, key, kind: 'launch', calledAt, returnedAt, outcome, ...given({ position, run }) }];
      }
      const key = keyOf.get(one.run ?? '');
      if (one.kind !== 'readRun' || one.found === null || one.returnedAt === null || !key) return [];
      const local = isFresh(one) ? undefined : one.node;
      const position = one.position ?? undefined;
      const run = one.found ? one.run! : undefined;
      const read = {
        client,
        key,
        kind: 'read',
        calledAt: one.triedAt,
        returnedAt: one.returnedAt,
        outcome: 'ok',
      } as const;
      return [{ ...read, ...given({ position, run, local }) }];
    }),
  ).map((fault) => `history: ${fault}`);
}

/** Without what is not there. */
const given = <T extends object>(parts: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as never;

/**
 * I2, I7: nobody acknowledges in an older term what was called after somebody
 * acknowledged in a newer one. By the term that the answer itself carried, so
 * it also sees what the journal has forgotten.
 */
export function checkOneActive(history: readonly Operation[]): string[] {
  const told = history
    .filter((one) => isChange(one.kind) && one.outcome === 'ok')
    .flatMap((one) => {
      return one.term ? [{ one, term: one.term }] : [];
    });
  const byReturn = told.toSorted((a, b) => a.one.returnedAt! - b.one.returnedAt!);
  const wrong: string[] = [];
  let newest: (typeof told)[number] | null = null;
  let at = 0;
  for (const each of told.toSorted((a, b) => a.one.triedAt - b.one.triedAt)) {
    for (; at < byReturn.length && byReturn[at]!.one.returnedAt! < each.one.triedAt; at++) {
      if (!newest || compareTerms(byReturn[at]!.term, newest.term) > 0) newest = byReturn[at]!;
    }
    if (!newest || compareTerms(each.term, newest.term) >= 0) continue;
    wrong.push(
      `two that acknowledge: ${named(each.one)} in ${each.term}, after ${named(newest.one)} in ${newest.term}`,
    );
  }
  return wrong;
}

/** I8: one journal is whole in itself: no gap, terms that never go back, a chain that fits its texts. */
export function checkJournal(journal: SeenJournal): string[] {
  const wrong: string[] = [];
  const { entries, node } = journal;
  let before: SeenEntry | null = null;
  for (const entry of entries) {
    if (before && entry.index !== before.index + 1) wrong.push(`${node}: entry ${entry.index} follows ${before.index}`);
    if (before && compareTerms(entry.term, before.term) < 0)
      wrong.push(`${node}: entry ${entry.index} of ${entry.term} follows one of ${before.term}`);
    const previous = before?.chain ?? (entry.index === 1 ? GENESIS : null);
    if (previous !== null && chainAfter(previous, entry) !== entry.chain)
      wrong.push(`${node}: the chain breaks at entry ${entry.index}`);
    before = entry;
  }
  return wrong;
}

/** I8: both controllers hold the same; at rest they end at the same entry. */
export function checkSameChain(one: SeenJournal, other: SeenJournal, { atRest = true } = {}): string[] {
  const theirs = new Map(other.entries.map((entry) => [entry.index, entry]));
  const wrong: string[] = [];
  let compared = 0;
  for (const entry of one.entries) {
    const their = theirs.get(entry.index);
    if (!their) continue;
    compared++;
    if (their.chain !== entry.chain)
      wrong.push(`entry ${entry.index} differs: ${one.node} has ${entry.term}, ${other.node} has ${their.term}`);
  }
  if (compared === 0) wrong.push(`${one.node} and ${other.node} have no entry in common`);
  const [end, otherEnd] = [one, other].map((each) => each.entries.at(-1)?.index ?? 0);
  if (atRest && end !== otherEnd) wrong.push(`${one.node} ends at ${end}, ${other.node} at ${otherEnd}`);
  return wrong.slice(0, 5);
}

/** I11: no attempt ran twice, no task had two, no job ran that the journal does not know; what succeeded ran. */
export function checkStarts(marks: Marks, journal: SeenJournal, runs: readonly Pick<Run, 'id' | 'state'>[]): string[] {
  const known = new Set(
    journal.entries.flatMap((entry) => (entry.fact.kind === 'runLaunched' ? [entry.fact.run] : [])),
  );
  const wrong: string[] = [];
  for (const [run, lines] of marks) {
    if (lines.length > 1) wrong.push(`started twice: ${run} left ${lines.join(' and ')}`);
    if (!known.has(run)) wrong.push(`run ${run} ran and is in no journal`);
    for (const line of lines) if (line.split(' ')[0] !== run) wrong.push(`run ${run} left the mark "${line}"`);
  }
  for (const run of runs) {
    if (run.state === 'succeeded' && !marks.has(run.id)) wrong.push(`run ${run.id} succeeded and never ran`);
  }
  return wrong;
}

/** Every acknowledged launch is a run that people can see, and it has an end. */
export function checkRuns(history: readonly Operation[], runs: readonly Pick<Run, 'id' | 'state'>[]): string[] {
  const states = new Map(runs.map((run) => [run.id, run.state]));
  const wrong: string[] = [];
  for (const one of history) {
    if (one.kind !== 'launch' || one.outcome !== 'ok') continue;
    const state = states.get(one.run!);
    if (!state) wrong.push(`lost: run ${one.run} was acknowledged and is not listed`);
    else if (['queued', 'waiting', 'running'].includes(state)) wrong.push(`run ${one.run} never ended: ${state}`);
  }
  return wrong;
}

const isFresh = (one: Operation): boolean => one.freshness === null || one.freshness === 'fresh';

/**
 * R3, for files: each has one writer, who numbers what it writes. A fresh read
 * sees what was acknowledged before it was called; a local one may be late, but
 * never goes back on one node. A write that was given up may take effect at any
 * later moment, so to see it late is no mistake.
 */
export function checkReads(history: readonly Operation[]): string[] {
  const writes = Map.groupBy(
    history.filter((one) => one.kind === 'write'),
    (one) => one.path!,
  );
  const shown = new Map<string, { number: number; returnedAt: number }>();
  const wrong: string[] = [];
  for (const one of inOrderOfCall(history, 'readFile')) {
    const ofFile = writes.get(one.path!) ?? [];
    const number = one.found ? one.number! : 0;
    const write = ofFile.find((each) => each.number === number);
    const place = `${one.node} ${one.path}`;
    const before = shown.get(place);
    if (!before || number > before.number) shown.set(place, { number, returnedAt: one.returnedAt! });
    if (number > 0 && (!write || write.outcome === 'refused' || write.calledAt > one.returnedAt!)) {
      wrong.push(`made up: ${one.node} shows ${number} of ${one.path}, which nobody wrote or which was refused`);
    }
    if (write?.outcome === 'unknown') continue;
    const acknowledged = newestBefore(ofFile, one.triedAt);
    if (isFresh(one) && number < acknowledged) {
      wrong.push(`stale: ${one.node} says fresh and shows ${number} of ${one.path}, ${acknowledged} was acknowledged`);
    }
    if (before && before.returnedAt < one.triedAt && number < before.number) {
      wrong.push(`went back: ${one.node} had shown ${before.number} of ${one.path}, now ${number}`);
    }
  }
  return wrong;
}

const newestBefore = (writes: readonly Operation[], moment: number): number =>
  Math.max(0, ...writes.filter((one) => one.outcome === 'ok' && one.returnedAt! < moment).map((one) => one.number!));

/** Reads that were answered, as found or as not there. */
const inOrderOfCall = (history: readonly Operation[], kind: Operation['kind']): Operation[] =>
  history
    .filter((one) => one.kind === kind && one.found !== null && one.returnedAt !== null)
    .sort((a, b) => a.triedAt - b.triedAt);
