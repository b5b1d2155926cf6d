import { describe, expect, it } from 'vitest';
import type { Charter } from '../../../node-runtime/contract/facts.ts';
import { committedUpTo, type Held, hold, release } from '../../../node-runtime/core/journal/commit.ts';

const voter = (node: string) => ({ node, store: '1' });
const charter = (writeSet: string[], ...sets: string[][]): Charter => ({
  term: { era: 0, number: 1, node: 'a' },
  follows: null,
  active: 'a',
  writeSet,
  voters: sets.map((set) => set.map(voter)),
  reason: '',
  at: 0,
});
const positions = (synced: Record<string, number>, confirmed: Record<string, number>) => ({
  synced: new Map(Object.entries(synced)),
  confirmed: new Map(Object.entries(confirmed).map(([node, index]) => [`${node}#1`, index])),
});

describe('an entry is committed (P13)', () => {
  it('alone: when it is on the own disk', () => {
    expect(committedUpTo(charter(['a'], ['a']), positions({ a: 7 }, { a: 7 }))).toBe(7);
  });
  it('paired: when both disks hold it and a quorum confirmed it', () => {
    const paired = charter(['a', 'b'], ['a', 'b', 'w']);
    expect(committedUpTo(paired, positions({ a: 7, b: 5 }, { a: 7, b: 5, w: 7 }))).toBe(5);
    expect(committedUpTo(paired, positions({ a: 7, b: 6 }, { a: 7 }))).toBe(0);
  });
  it('solo with three voters: own disk and the word of one more', () => {
    const solo = charter(['a'], ['a', 'b', 'w']);
    expect(committedUpTo(solo, positions({ a: 9 }, { a: 9 }))).toBe(0);
    expect(committedUpTo(solo, positions({ a: 9 }, { a: 9, w: 4 }))).toBe(4);
  });
  it('while seats change: by a quorum of both voter sets', () => {
    const joint = charter(['a'], ['a', 'b', 'w'], ['a', 'b', 'v']);
    expect(committedUpTo(joint, positions({ a: 9 }, { a: 9, w: 9 }))).toBe(0);
    expect(committedUpTo(joint, positions({ a: 9 }, { a: 9, w: 9, v: 3 }))).toBe(3);
  });
});

describe('what waits for an entry (P14)', () => {
  it('is released in order and not a step too early', () => {
    const held: Held<string> = [];
    hold(held, 1, ['one']);
    hold(held, 3, ['three']);
    hold(held, 3, ['three again']);
    expect(release(held, 0)).toEqual([]);
    expect(release(held, 2)).toEqual(['one']);
    expect(release(held, 9)).toEqual(['three', 'three again']);
    expect(held).toEqual([]);
  });
  it('is never held out of order: that is a broken promise', () => {
    const held: Held<string> = [];
    hold(held, 5, ['five']);
    expect(() => hold(held, 4, ['four'])).toThrow('broken promise');
  });
});
