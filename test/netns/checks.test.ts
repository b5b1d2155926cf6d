/**
 * The checkers on forged histories, journals and marks: each lie is told by
 * name, and what is true passes. A checker that passes everything proves nothing.
 */
import { describe, expect, it } from 'vitest';
import type { Fact } from '../../node-runtime/contract/facts.ts';
import {
  checkHistory,
  checkJournal,
  checkKeys,
  checkOneActive,
  checkReads,
  checkRuns,
  checkSameChain,
  checkStarts,
} from './checks.ts';
import { chainAfter, type SeenEntry, type SeenJournal } from './journal-look.ts';
import type { Operation } from './operation.ts';

const T1 = '0.1.n-a';
const T2 = '0.2.n-b';

const operation = (given: Partial<Operation> & Pick<Operation, 'kind' | 'key'>): Operation => ({
  ...{ client: 0, calledAt: 0, returnedAt: 1, outcome: 'ok', tries: 1, node: 'a', status: 201, why: null },
  ...{ position: null, term: null, freshness: null, run: null, path: null, number: null, found: null },
  triedAt: given.calledAt ?? 0,
  ...given,
});
const launch = (key: string, calledAt: number, given: Partial<Operation> = {}): Operation =>
  operation({ kind: 'launch', key, calledAt, returnedAt: calledAt + 5, run: `run-${key}`, ...given });

/** A sound journal of launches, each a key and a term. */
function journal(node: string, launches: [key: string, term: string][]): SeenJournal {
  let chain = '0'.repeat(64);
  const entries = launches.map(([key, term], at) => {
    const fact = { kind: 'runLaunched', run: `run-${key}` } as Fact;
    const kept = { key, by: 'token:t', request: '', status: 201, answer: null, run: `run-${key}` };
    const entry: SeenEntry = {
      index: at + 1,
      term,
      chain: '',
      text: JSON.stringify({ key: kept, fact }),
      key: kept,
      fact,
    };
    chain = chainAfter(chain, entry);
    return { ...entry, chain };
  });
  return { node, entries, quarantine: [] };
}
const good = journal('a', [
  ['k1', T1],
  ['k2', T1],
  ['k3', T2],
]);
const history = [launch('k1', 0), launch('k2', 10), launch('k3', 20)];

describe('the checkers of a round', () => {
  it('find nothing in what is true', () => {
    const runs = ['k1', 'k2', 'k3'].map((key) => ({ id: `run-${key}`, state: 'succeeded' as const }));
    const marks = new Map(runs.map(({ id }) => [id, [`${id} script att-1`]]));
    expect([
      ...checkKeys(history, good),
      ...checkHistory(history, good),
      ...checkOneActive(history),
      ...checkJournal(good),
      ...checkSameChain(good, { ...good, node: 'b' }),
      ...checkStarts(marks, good, runs),
      ...checkRuns(history, runs),
      ...checkReads(history),
    ]).toEqual([]);
  });

  it('see an acknowledged launch that the journal lacks', () => {
    expect(checkKeys([launch('k9', 0)], good)).toEqual([expect.stringMatching(/^lost: launch k9/)]);
    expect(checkRuns([launch('k9', 0)], [])).toEqual([expect.stringMatching(/^lost: run run-k9/)]);
    expect(checkKeys([launch('k9', 0, { outcome: 'unknown', returnedAt: null })], good)).toEqual([]);
  });

  it('see a key that acted twice, one that was refused and yet done, one that got two answers', () => {
    const doubled = journal('a', [
      ['k1', T1],
      ['k1', T1],
    ]);
    expect(checkKeys([launch('k1', 0)], doubled)).toEqual([expect.stringMatching(/^acted twice/)]);
    expect(checkKeys([launch('k1', 0, { outcome: 'unknown', returnedAt: null })], doubled)).toHaveLength(1);
    expect(checkKeys([launch('k1', 0, { outcome: 'refused' })], good)).toEqual([
      expect.stringMatching(/^refused, yet done/),
    ]);
    expect(checkKeys([launch('k1', 0, { run: 'run-other' })], good)).toEqual([expect.stringMatching(/^changed/)]);
  });

  it('see an answer that came before and lies behind', () => {
    const swapped = [launch('k2', 0), launch('k1', 10)];
    expect(checkHistory(swapped, good)).toEqual([
      expect.stringMatching(/^history: k1 at 1 was asked for after k2 at 2/),
    ]);
    expect(checkHistory([launch('k2', 0, { returnedAt: 20 }), launch('k1', 10)], good)).toEqual([]); // at the same time
  });

  it('see an old active that acknowledges after a new one has', () => {
    const late = [launch('k1', 0, { position: 5, term: T2 }), launch('k2', 10, { position: 6, term: T1 })];
    expect(checkOneActive(late)).toEqual([expect.stringMatching(/^two that acknowledge: launch k2/)]);
    expect(checkOneActive([late[0]!, { ...late[1]!, triedAt: 3 }])).toEqual([]); // asked before the new one answered
    expect(
      checkOneActive([launch('k1', 0, { position: 5, term: T1 }), launch('k2', 10, { position: 6, term: T2 })]),
    ).toEqual([]);
  });

  it('see a hole, a term that goes back, a chain that does not fit its text', () => {
    const entries = good.entries;
    expect(checkJournal({ ...good, entries: [entries[0]!, entries[2]!] })).toContainEqual(
      expect.stringContaining('follows 1'),
    );
    expect(
      checkJournal(
        journal('a', [
          ['k1', T2],
          ['k2', T1],
        ]),
      ),
    ).toEqual([expect.stringMatching(/follows one of 0.2/)]);
    const forged = entries.map((entry, at) => (at === 1 ? { ...entry, text: `${entry.text} ` } : entry));
    expect(checkJournal({ ...good, entries: forged })).toEqual([expect.stringMatching(/chain breaks at entry 2/)]);
  });

  it('see journals that differ, or end apart at rest', () => {
    const other = journal('b', [
      ['k1', T1],
      ['kx', T1],
      ['k3', T2],
    ]);
    expect(checkSameChain(good, other)).toEqual([
      expect.stringMatching(/^entry 2 differs/),
      expect.stringMatching(/^entry 3 differs/),
    ]);
    const shorter = { ...good, node: 'b', entries: good.entries.slice(0, 2) };
    expect(checkSameChain(good, shorter)).toEqual(['a ends at 3, b at 2']);
    expect(checkSameChain(good, shorter, { atRest: false })).toEqual([]);
    expect(checkSameChain(good, { node: 'b', entries: [], quarantine: [] })).not.toEqual([]);
  });

  it('see a job that started twice, one that nobody launched, one that never ran', () => {
    const runs = [{ id: 'run-k1', state: 'succeeded' as const }];
    const mark = (run: string, attempt: string) => `${run} script ${attempt}`;
    expect(checkStarts(new Map([['run-k1', [mark('run-k1', 'a1'), mark('run-k1', 'a1')]]]), good, runs)).toEqual([
      expect.stringMatching(/^started twice/),
    ]);
    expect(checkStarts(new Map([['run-k1', [mark('run-k1', 'a1'), mark('run-k1', 'a2')]]]), good, runs)).toHaveLength(
      1,
    );
    expect(
      checkStarts(
        new Map([
          ['run-k1', [mark('run-k1', 'a1')]],
          ['run-zz', [mark('run-zz', 'a1')]],
        ]),
        good,
        runs,
      ),
    ).toEqual([expect.stringMatching(/no journal/)]);
    expect(checkStarts(new Map(), good, runs)).toEqual([expect.stringMatching(/never ran/)]);
    expect(checkRuns([launch('k1', 0)], [{ id: 'run-k1', state: 'running' }])).toEqual([
      expect.stringMatching(/never ended/),
    ]);
  });

  it('see reads that are stale, go back, or are made up', () => {
    const read = (calledAt: number, given: Partial<Operation>) =>
      operation({
        kind: 'readRun',
        key: 'r',
        calledAt,
        returnedAt: calledAt + 1,
        run: 'run-k1',
        found: true,
        ...given,
      });
    const judge = (...ones: Operation[]) => checkHistory(ones, good);
    const first = launch('k1', 0);
    expect(judge(first, read(10, { found: false, freshness: 'fresh' }))).toEqual([
      expect.stringContaining('misses it'),
    ]);
    expect(judge(first, read(10, { found: false, freshness: 'local' }))).toEqual([]);
    expect(judge(first, read(3, { found: false, freshness: 'fresh' }))).toEqual([]); // not answered yet
    const local = { freshness: 'local', position: 5, term: T1 };
    const older = { ...local, position: 4, term: T1 };
    expect(judge(first, read(10, local), read(20, older))).toEqual([expect.stringContaining('then 4')]);
    expect(judge(first, read(10, local), read(20, { ...older, node: 'b' }))).toEqual([]);

    const write = (number: number, calledAt: number, given: Partial<Operation> = {}) =>
      operation({ kind: 'write', key: `w${number}`, path: 'f', number, calledAt, returnedAt: calledAt + 1, ...given });
    const file = (calledAt: number, number: number, given: Partial<Operation> = {}) =>
      operation({
        kind: 'readFile',
        key: 'r',
        path: 'f',
        number,
        found: number > 0,
        calledAt,
        returnedAt: calledAt + 1,
        ...given,
      });
    const writes = [write(1, 0), write(2, 10)];
    expect(checkReads([...writes, file(5, 1), file(20, 2)])).toEqual([]);
    expect(checkReads([...writes, file(20, 1)])).toEqual([expect.stringMatching(/^stale/)]);
    expect(checkReads([...writes, file(20, 1, { freshness: 'local' })])).toEqual([]);
    expect(checkReads([...writes, file(20, 2, { freshness: 'local' }), file(30, 1, { freshness: 'local' })])).toEqual([
      expect.stringMatching(/^went back/),
    ]);
    expect(checkReads([...writes, file(20, 3)])).toEqual([expect.stringMatching(/^made up/)]);
    expect(checkReads([write(1, 0), write(2, 10, { outcome: 'refused' }), file(20, 2)])).toEqual([
      expect.stringMatching(/^made up/),
    ]);
    const givenUp = [write(1, 0, { outcome: 'unknown', returnedAt: null }), write(2, 10)];
    expect(checkReads([...givenUp, file(20, 2), file(30, 1)])).toEqual([]); // it took effect late, as it may
  });
});
