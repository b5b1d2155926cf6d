/** The checker of histories, tried on forged ones: what finds nothing proves nothing. */
import { describe, expect, it } from 'vitest';
import { faultsOf, type Operation } from './history.ts';

const launch = (
  key: string,
  calledAt: number,
  returnedAt: number,
  position: number,
  run = `run-${key}`,
): Operation => ({
  client: 'c1',
  key,
  kind: 'launch',
  calledAt,
  returnedAt,
  outcome: 'ok',
  position,
  run,
});
const lost = (key: string, calledAt: number): Operation => ({
  client: 'c1',
  key,
  kind: 'launch',
  calledAt,
  returnedAt: null,
  outcome: 'unknown',
});
const refused = (key: string, calledAt: number): Operation => ({
  ...lost(key, calledAt),
  returnedAt: calledAt + 1,
  outcome: 'refused',
});
const read = (key: string, calledAt: number, returnedAt: number, position: number, run?: string): Operation => ({
  client: 'c2',
  key,
  kind: 'read',
  calledAt,
  returnedAt,
  outcome: 'ok',
  position,
  ...(run !== undefined && { run }),
});

describe('a history without a fault', () => {
  it.each<[string, Operation[]]>([
    ['one after the other', [launch('a', 0, 10, 1), launch('b', 20, 30, 2), read('a', 40, 50, 2, 'run-a')]],
    ['at the same time, in either order', [launch('a', 0, 30, 2), launch('b', 10, 20, 1)]],
    ['asked again under the same key', [lost('a', 0), launch('b', 5, 10, 2), launch('a', 20, 30, 1)]],
    [
      'a read at the same time sees it or not',
      [launch('a', 0, 30, 1), read('a', 5, 40, 0), read('a', 6, 20, 1, 'run-a')],
    ],
    ['what is not known appears', [lost('a', 0), read('a', 50, 60, 1, 'run-a')]],
    ['what is not known never appears', [lost('a', 0), read('a', 50, 60, 1)]],
    ['refused, then done', [refused('a', 0), launch('a', 10, 20, 1)]],
    ['an old local read', [launch('a', 0, 10, 3), { ...read('a', 20, 30, 2), local: 'n1' }]],
    ['a list', [launch('a', 0, 10, 1), { ...read('', 20, 30, 1), seen: { a: 'run-a' } }]],
  ])('%s', (_name, history) => expect(faultsOf(history)).toEqual([]));
});

describe('a forged history is found out', () => {
  it.each<[string, Operation[], RegExp]>([
    ['one key, two runs', [launch('a', 0, 10, 1), launch('a', 20, 30, 1, 'other')], /a is run run-a and run other/],
    ['one key, two places', [launch('a', 0, 10, 1), launch('a', 20, 30, 2)], /a is at 1 and at 2/],
    ['two keys in one place', [launch('a', 0, 10, 1), launch('b', 5, 12, 1)], /both at 1/],
    ['a read begun after the answer misses it', [launch('a', 0, 10, 1), read('a', 20, 30, 1)], /misses it/],
    ['a list misses it', [launch('a', 0, 10, 1), { ...read('', 20, 30, 1), seen: {} }], /misses it/],
    [
      'a read after one that saw it misses it',
      [lost('a', 0), read('a', 5, 9, 1, 'run-a'), read('a', 10, 12, 1)],
      /misses it/,
    ],
    ['what was refused appears', [refused('a', 0), read('a', 10, 20, 1, 'run-a')], /was only refused/],
    ['seen before it was asked for', [read('a', 0, 5, 1, 'run-a'), launch('a', 10, 20, 1)], /before it was asked for/],
    [
      'a later launch is placed before',
      [launch('a', 0, 10, 7), launch('b', 20, 30, 6)],
      /b at 6 was asked for after a at 7/,
    ],
    [
      'far apart, with many between',
      [
        launch('z', 0, 1, 90),
        ...[...Array(50).keys()].map((n) => launch(`k${n}`, 10 + n, 11 + n, 91 + n)),
        launch('y', 100, 110, 89),
      ],
      /y at 89/,
    ],
    ['a read knows less than was answered', [launch('a', 0, 10, 7), read('b', 20, 30, 6)], /a read by c2 at 6/],
    [
      'a read saw what it can not know yet',
      [launch('a', 0, 10, 7), read('a', 5, 30, 6, 'run-a')],
      /saw a, which is at 7/,
    ],
    [
      'a launch after a read that knew more',
      [read('b', 0, 10, 9), launch('a', 20, 30, 9)],
      /a at 9 was asked for after/,
    ],
    [
      'a node goes back',
      [
        { ...read('a', 0, 10, 9), local: 'n1' },
        { ...read('a', 20, 30, 8), local: 'n1' },
      ],
      /n1 showed position 9, then 8/,
    ],
    [
      'runs of one key differ in a list',
      [launch('a', 0, 10, 1), { ...read('', 5, 30, 1), seen: { a: 'other' } }],
      /a is run run-a and run other/,
    ],
  ])('%s', (_name, history, words) => expect(faultsOf(history).join('\n')).toMatch(words));

  it('is judged in the time of a sort, not of all pairs', () => {
    const history = [...Array(50_000).keys()].map((n) => launch(`k${n}`, n, n + 5, n + 1));
    const begun = performance.now();
    expect(faultsOf(history)).toEqual([]);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});
