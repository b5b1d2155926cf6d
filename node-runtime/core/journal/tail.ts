/**
 * The end of the journal as the core keeps it in memory.
 *
 * A position is (index, term, chain); equal positions mean equal journals up
 * to there (P16). The tail is bounded: what is older stays on disk and is
 * asked for by an effect. Entries are opaque texts here.
 *
 * Promise: a tail is one unbroken chain; adding anything else throws.
 * Rules: P15, P16, P33 (what a damaged journal means).
 */
import type { StoredEntry, Term } from '../../contract/facts.ts';
import { sameTerm } from '../cluster/terms.ts';

export type Position = { index: number; term: Term; chain: string };
export type ChainOf = (previousChain: string, term: Term, index: number, text: string) => string;

/** Entries with indexes `base.index + 1` and up; `base` is the position before the first of them. */
export type Tail = { base: Position; entries: StoredEntry[] };

export const endOf = (tail: Tail): Position => tail.entries.at(-1) ?? tail.base;

export const positionOf = ({ index, term, chain }: Position): Position => ({ index, term, chain });

/** The position at an index, or null when the tail does not reach it. */
export function at(tail: Tail, index: number): Position | null {
  if (index === tail.base.index) return tail.base;
  return tail.entries[index - tail.base.index - 1] ?? null;
}

export const slice = (tail: Tail, from: number, count: number): StoredEntry[] =>
  tail.entries.slice(from - tail.base.index - 1, from - tail.base.index - 1 + count);

/** P16: the same index and term with another chain can't be, unless a promise was broken somewhere. */
export function samePosition(a: Position, b: Position): boolean {
  if (a.index !== b.index || !sameTerm(a.term, b.term)) return false;
  if (a.chain !== b.chain) throw new Error(`broken promise: two entries ${a.index} in one term (P16)`);
  return true;
}

export function add(tail: Tail, entries: StoredEntry[]): void {
  for (const entry of entries) {
    if (entry.index !== endOf(tail).index + 1) throw new Error(`broken promise: ${entry.index} after a gap`);
    tail.entries.push(entry);
  }
}

/** Takes off everything after an index; the caller puts it in quarantine. */
export function cut(tail: Tail, after: number): void {
  if (after < tail.base.index) throw new Error('broken promise: cut below what is kept in memory');
  tail.entries.length = after - tail.base.index;
}

/**
 * How far entries read from a disk continue the chain after `base`, and what a
 * break means (S34). `finished`: the storage has reported everything up to
 * there as saved. What breaks after it was never answered for, a write that
 * the power cut short: it is cut. What breaks up to there is damage: others
 * were told that it is here, so this journal must not be taken for whole.
 */
export function examine(
  base: Position,
  entries: StoredEntry[],
  finished: number,
  chainOf: ChainOf,
): { verdict: 'whole' | 'torn' | 'damaged'; good: number } {
  let { index, chain } = base;
  for (const entry of entries) {
    const next = chainOf(chain, entry.term, entry.index, entry.text);
    if (entry.index !== index + 1 || entry.chain !== next)
      return { verdict: index < finished ? 'damaged' : 'torn', good: index };
    [index, chain] = [entry.index, next];
  }
  return { verdict: index < finished ? 'damaged' : 'whole', good: index };
}

/** Forgets the oldest entries above a bound; they stay on disk. */
export function trim(tail: Tail, entriesMax: number): void {
  const surplus = tail.entries.length - entriesMax;
  if (surplus < entriesMax / 4 + 1) return; // seldom, because it moves the array
  tail.base = positionOf(tail.entries[surplus - 1]!);
  tail.entries.splice(0, surplus);
}

/**
 * Positions for the active to find where two journals part: the end, and ever
 * farther back to the oldest one in memory.
 */
export function marksOf(tail: Tail): Position[] {
  const marks: Position[] = [];
  const end = endOf(tail).index;
  for (let back = 0; end - back > tail.base.index; back = back * 2 + 1) marks.push(positionOf(at(tail, end - back)!));
  marks.push(positionOf(tail.base));
  return marks;
}
