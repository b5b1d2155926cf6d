/** The words that two people compare, and the commitment that keeps them honest. */
import { expect, it } from 'vitest';
import { commitmentTo, isCommittedTo, makeNumber, sixWords } from '../../../node-runtime/io/trust/six-words.ts';

const authority = 'a'.repeat(64);

it('gives both sides the same six words, and others for another authority or number', () => {
  const [node, member] = [makeNumber(), makeNumber()];
  const words = sixWords(authority, node, member);
  expect(words).toHaveLength(6);
  expect(sixWords(authority, node, member)).toEqual(words);
  expect(sixWords('b'.repeat(64), node, member)).not.toEqual(words);
  expect(sixWords(authority, makeNumber(), member)).not.toEqual(words);
  expect(sixWords(authority, node, makeNumber())).not.toEqual(words);
});

it('stays as it was written down once: both sides may be of different releases', () => {
  expect(sixWords(authority, '1'.repeat(64), '2'.repeat(64)).join(' ')).toMatchInlineSnapshot(
    `"magic trap middle addict shift print"`,
  );
  expect(commitmentTo('1'.repeat(64))).toMatchInlineSnapshot(
    `"4132f03bd2307b28ad2303f9cdc69601c57bba5a94dc98ec5e7eb5002650958b"`,
  );
});

it('holds a node to the number that it committed to', () => {
  const number = makeNumber();
  expect(isCommittedTo(commitmentTo(number), number)).toBe(true);
  expect(isCommittedTo(commitmentTo(number), makeNumber())).toBe(false);
  expect(isCommittedTo('', number)).toBe(false);
});

it('uses all words about equally often', () => {
  const seen = new Set<string>();
  for (let times = 0; times < 4_000; times++)
    for (const word of sixWords(authority, String(times), 'x')) seen.add(word);
  expect(seen.size).toBeGreaterThan(2_000);
});
