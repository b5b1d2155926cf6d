import { describe, expect, it } from 'vitest';
import { foundingCharter, isQuorum, voterText } from '../../../node-runtime/core/cluster/charter.ts';
import { compareTerms, foundingTerm, nextTerm, parseTerm, termText } from '../../../node-runtime/core/cluster/terms.ts';

describe('terms', () => {
  it('are compared by era, then number, then node', () => {
    const term = (era: number, number: number, node: string) => ({ era, number, node });
    expect(compareTerms(term(1, 0, 'a'), term(0, 9, 'z'))).toBeGreaterThan(0);
    expect(compareTerms(term(0, 2, 'a'), term(0, 1, 'z'))).toBeGreaterThan(0);
    expect(compareTerms(term(0, 1, 'b'), term(0, 1, 'a'))).toBeGreaterThan(0);
    expect(compareTerms(term(0, 1, 'a'), term(0, 1, 'a'))).toBe(0);
  });

  it('P2: the next one is the own one, above every term known', () => {
    const known = [foundingTerm('atlas'), { era: 0, number: 7, node: 'borea' }, { era: 0, number: 3, node: 'x' }];
    expect(nextTerm('atlas', known)).toEqual({ era: 0, number: 8, node: 'atlas' });
    const eras = [
      { era: 0, number: 9, node: 'b' },
      { era: 2, number: 1, node: 'b' },
    ];
    expect(nextTerm('atlas', eras)).toEqual({ era: 2, number: 2, node: 'atlas' });
  });

  it('are written and read back', () => {
    expect(parseTerm(termText({ era: 1, number: 42, node: 'n-7' }))).toEqual({ era: 1, number: 42, node: 'n-7' });
    for (const wrong of ['', '1.2', '1.2.', 'a.b.c', '1.2.N', '1.2.x/..']) expect(parseTerm(wrong), wrong).toBeNull();
  });
});

it('P7: a charter is decided by a majority of each of its voter sets', () => {
  const [a, b, w] = ['a', 'b', 'w'].map((node) => ({ node, store: '1' }));
  const charter = { ...foundingCharter(a!, 0), voters: [[a!, b!, w!]] };
  const got = (...nodes: string[]) => new Set(nodes.map((node) => voterText({ node, store: '1' })));
  expect(isQuorum(charter, got('a'))).toBe(false);
  expect(isQuorum(charter, got('a', 'w'))).toBe(true);
  expect(isQuorum({ ...charter, voters: [[a!, b!, w!], [a!]] }, got('b', 'w'))).toBe(false);
  // P33: a voter with another store does not count
  expect(isQuorum(charter, new Set([voterText({ node: 'a', store: '2' }), ...got('w')]))).toBe(false);
});
