/**
 * Terms: numbers of leaderships. Compared by era, then number, then node; each
 * belongs to the node in it and is never used twice.
 *
 * Rules: PROTOCOL section 2, P2 (a term of one's own above every term known),
 * P10 (every activation is a new one).
 */
import type { Term } from '../../contract/facts.ts';

export const compareTerms = (a: Term, b: Term): number =>
  a.era - b.era || a.number - b.number || (a.node < b.node ? -1 : a.node > b.node ? 1 : 0);

export const sameTerm = (a: Term, b: Term): boolean => compareTerms(a, b) === 0;

/** The founding term of `init`. */
export const foundingTerm = (node: string): Term => ({ era: 0, number: 0, node });

/** P2: a term of `node`'s own above every term it knows. */
export function nextTerm(node: string, known: Term[]): Term {
  let era = 0;
  let number = 0;
  for (const term of known) {
    if (term.era > era) [era, number] = [term.era, term.number];
    else if (term.era === era) number = Math.max(number, term.number);
  }
  return { era, number: number + 1, node };
}

/** `era.number.node`, as people and messages write it. */
export const termText = (term: Term): string => `${term.era}.${term.number}.${term.node}`;

/** Reads {@link termText} back; null when it is not one. */
export function parseTerm(text: string): Term | null {
  const match = /^(\d{1,9})\.(\d{1,15})\.([a-z0-9-]{1,64})$/.exec(text);
  return match ? { era: Number(match[1]), number: Number(match[2]), node: match[3]! } : null;
}
