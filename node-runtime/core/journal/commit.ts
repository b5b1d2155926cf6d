/**
 * How far the journal is committed, and what waits for that.
 *
 * An entry is committed when it is synced on every member of the write set and
 * a quorum of the charter has confirmed a position at or after it in the
 * active's term. Whatever depends on an entry (an answer, a start, an event)
 * is held here and released by the core, never by the shell.
 *
 * Rules: P13, P14.
 */
import type { Charter } from '../../contract/facts.ts';
import { isQuorum, voterText } from '../cluster/charter.ts';

/** Positions known in the active's own term. */
export type Positions = {
  /** node → index synced there */
  synced: ReadonlyMap<string, number>;
  /** voter → index it confirmed */
  confirmed: ReadonlyMap<string, number>;
};

/** P13: the highest index that carries both signatures. */
export function committedUpTo(charter: Charter, positions: Positions): number {
  const durable = Math.min(...charter.writeSet.map((node) => positions.synced.get(node) ?? 0));
  const asked = charter.voters.flat().map((voter) => positions.confirmed.get(voterText(voter)) ?? 0);
  for (const position of [...new Set(asked)].sort((a, b) => b - a)) {
    const got = new Set(
      charter.voters
        .flat()
        .map(voterText)
        .filter((voter) => (positions.confirmed.get(voter) ?? 0) >= position),
    );
    if (isQuorum(charter, got)) return Math.min(durable, position);
  }
  return 0;
}

/** Things that wait for an index, in order of index. */
export type Held<T> = { index: number; items: T[] }[];

/** Adds to what waits for `index`; indexes come in growing order. */
export function hold<T>(held: Held<T>, index: number, items: T[]): void {
  if (items.length === 0) return;
  const last = held.at(-1);
  if (last && last.index > index) throw new Error(`broken promise: ${index} is held after ${last.index}`);
  if (last?.index === index) last.items.push(...items);
  else held.push({ index, items });
}

/** Takes out what `committed` sets free, in order. */
export function release<T>(held: Held<T>, committed: number): T[] {
  let count = 0;
  while (count < held.length && held[count]!.index <= committed) count++;
  return held.splice(0, count).flatMap((one) => one.items);
}
