import { describe, expect, it } from 'vitest';
import type { Charter } from '../../../node-runtime/contract/facts.ts';
import { foundingCharter, isQuorum, voterText } from '../../../node-runtime/core/cluster/charter.ts';
import { ask, giveUp, registerSaved } from '../../../node-runtime/core/cluster/controller.ts';
import { accept, foundingRegister, promise, type Register } from '../../../node-runtime/core/cluster/register.ts';
import { compareTerms, foundingTerm, nextTerm, parseTerm, termText } from '../../../node-runtime/core/cluster/terms.ts';

const self = { node: 'atlas', store: 's1' };
const founded = (): Register => foundingRegister('lab', self, foundingCharter(self, 0));

describe('terms', () => {
  it('are compared by era, then number, then node', () => {
    const term = (era: number, number: number, node: string) => ({ era, number, node });
    expect(compareTerms(term(1, 0, 'a'), term(0, 9, 'z'))).toBeGreaterThan(0);
    expect(compareTerms(term(0, 2, 'a'), term(0, 1, 'z'))).toBeGreaterThan(0);
    expect(compareTerms(term(0, 1, 'b'), term(0, 1, 'a'))).toBeGreaterThan(0);
    expect(compareTerms(term(0, 1, 'a'), term(0, 1, 'a'))).toBe(0);
  });

  it('P2: the next one is the own one, above every term known', () => {
    const next = nextTerm('atlas', [
      foundingTerm('atlas'),
      { era: 0, number: 7, node: 'borea' },
      { era: 0, number: 3, node: 'x' },
    ]);
    expect(next).toEqual({ era: 0, number: 8, node: 'atlas' });
    expect(
      nextTerm('atlas', [
        { era: 0, number: 9, node: 'b' },
        { era: 2, number: 1, node: 'b' },
      ]),
    ).toEqual({ era: 2, number: 2, node: 'atlas' });
  });

  it('are written and read back', () => {
    expect(parseTerm(termText({ era: 1, number: 42, node: 'n-7' }))).toEqual({ era: 1, number: 42, node: 'n-7' });
    for (const wrong of ['', '1.2', '1.2.', 'a.b.c', '1.2.N', '1.2.x/..']) expect(parseTerm(wrong), wrong).toBeNull();
  });
});

describe('the register of a voter', () => {
  it('P3: promises only upwards, and counts its saves', () => {
    const register = founded();
    const higher = promise(register, { era: 0, number: 1, node: 'borea' });
    expect(higher).toMatchObject({ promised: { number: 1, node: 'borea' }, saves: 2 });
    expect(promise(higher!, { era: 0, number: 1, node: 'atlas' })).toBeNull();
    expect(promise(higher!, higher!.promised)).toBeNull();
  });

  it('P7: accepts nothing below its promise', () => {
    const promised = promise(founded(), { era: 0, number: 5, node: 'borea' })!;
    const charter: Charter = { ...promised.accepted, term: { era: 0, number: 4, node: 'atlas' } };
    expect(accept(promised, charter)).toBeNull();
    const newer = { ...charter, term: { era: 0, number: 6, node: 'atlas' } };
    expect(accept(promised, newer)).toMatchObject({ promised: { number: 6 }, accepted: { term: { number: 6 } } });
  });

  it('P7: a charter is decided by a majority of each of its voter sets', () => {
    const [a, b, w] = ['a', 'b', 'w'].map((node) => ({ node, store: '1' }));
    const charter = { ...founded().accepted, voters: [[a!, b!, w!]] };
    const got = (...nodes: string[]) => new Set(nodes.map((node) => voterText({ node, store: '1' })));
    expect(isQuorum(charter, got('a'))).toBe(false);
    expect(isQuorum(charter, got('a', 'w'))).toBe(true);
    expect(isQuorum({ ...charter, voters: [[a!, b!, w!], [a!]] }, got('b', 'w'))).toBe(false);
    // P33: a voter with another store does not count
    expect(isQuorum(charter, new Set([voterText({ node: 'a', store: '2' }), ...got('w')]))).toBe(false);
  });
});

describe('a controller alone in its cluster', () => {
  it('P1, P4, P6, P9: saves its promise, then its acceptance, then activates', () => {
    const asked = ask(founded(), 'started', 5);
    expect(asked.controller.phase).toBe('asking');
    expect(asked.save).toMatchObject({ promised: { number: 1 }, accepted: { term: { number: 0 } } });
    const proposed = registerSaved(asked.controller, asked.save!, 6);
    expect(proposed.save).toMatchObject({ accepted: { term: { number: 1, node: 'atlas' }, follows: { number: 0 } } });
    expect(proposed.activate).toBeUndefined();
    const decided = registerSaved(proposed.controller, proposed.save!, 7);
    expect(decided.activate).toMatchObject({ term: { number: 1 }, active: 'atlas', writeSet: ['atlas'] });
  });

  it('P10: never asks for the same term twice', () => {
    const first = ask(founded(), 'started', 0).save!;
    const second = ask(first, 'started', 1).save!;
    expect(compareTerms(second.promised, first.promised)).toBeGreaterThan(0);
  });

  it('P5: waits when it is not in the newest write set', () => {
    const register = founded();
    const stale = { ...register, accepted: { ...register.accepted, writeSet: ['borea'] } };
    expect(ask(stale, 'started', 0)).toMatchObject({ controller: { phase: 'waiting' } });
    expect(ask(stale, 'started', 0).save).toBeUndefined();
  });

  it('P33: has no seat with a data folder that is new', () => {
    const other = { ...founded(), store: 's2' };
    expect(ask(other, 'started', 0)).toMatchObject({
      controller: { phase: 'waiting', why: expect.stringContaining('store') },
    });
  });

  it('P4: does not go on without a quorum of the newest charter', () => {
    const register = founded();
    const three = [self, { node: 'borea', store: 'x' }, { node: 'deck', store: 'y' }];
    const asked = ask({ ...register, accepted: { ...register.accepted, voters: [three] } }, 'started', 0);
    expect(registerSaved(asked.controller, asked.save!, 1)).toMatchObject({ controller: { phase: 'waiting' } });
  });

  it('acts in nothing after it gave up', () => {
    expect(registerSaved(giveUp('disk_full', 10), founded(), 1)).toEqual({ controller: giveUp('disk_full', 10) });
  });
});
