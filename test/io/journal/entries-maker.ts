/** The same entries as the tests expect, one after the other; for processes that do not run under the test runner. */
import type { StoredEntry, Term } from '../../../node-runtime/contract/facts.ts';
import { chainOf } from '../../../node-runtime/io/journal/chain.ts';

export const term: Term = { era: 0, number: 3, node: 'n-0123456789' };
export const textAt = (index: number): string =>
  JSON.stringify({ at: 1_750_000_000_000 + index, by: 'user:ops', via: 'ctl-a', pad: 'é'.repeat(index % 90) });

export function entriesMaker(end: { index: number; chain: string }): (count: number) => StoredEntry[] {
  let { index, chain } = end;
  return (count) =>
    Array.from({ length: count }, () => {
      index += 1;
      const text = textAt(index);
      chain = chainOf(chain, term, index, text);
      return { term, index, text, chain };
    });
}
