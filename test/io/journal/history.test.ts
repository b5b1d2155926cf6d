/** The history of runs: filed, found by every filter in the order of launch, page by page, among a hundred thousand. */
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import type { RunState } from '../../../node-runtime/contract/model.ts';
import { type Journal, openJournal } from '../../../node-runtime/io/journal/journal.ts';
import type { FiledRun, RunFilter } from '../../../node-runtime/io/journal/records.ts';
import { freshFolder } from './folders.ts';

const rows = 100_000;
const start = Date.UTC(2026, 0, 1);
const stateAt = (i: number): RunState =>
  i % 997 === 0 ? 'unknown' : i % 50 === 0 ? 'failed' : i % 31 === 0 ? 'cancelled' : 'succeeded';

/** Three runs share each millisecond's launch; ids do not sort like launches. */
function runAt(i: number): FiledRun {
  const id = `run-${((i * 7_919) % 1_000_003).toString(36)}-${i}`;
  const launchedAt = start + Math.floor(i / 3) * 1_000;
  const sandbox = `lab-${i % 7}`;
  const path = `jobs/${i % 11 === 0 ? 'nightly-Backup' : `step-${i % 90}`}.job.yaml`;
  const state = stateAt(i);
  const by = i % 3 === 0 ? 'user:ops' : 'desktop';
  const name = i === 91_234 ? 'Calibrate "Prüfstand" 100%' : `Job ${i % 400}`;
  const summary = JSON.stringify({ id, i });
  return {
    id,
    launchedAt,
    endedAt: launchedAt + 500,
    state,
    sandbox,
    path,
    name,
    by,
    summary,
    text: JSON.stringify({ id, i, tasks: [] }),
  };
}
/** In the order of the list, turned round: by launch, then by id. */
const all = Array.from({ length: rows }, (_, i) => runAt(i)).sort(
  (one, other) => one.launchedAt - other.launchedAt || (one.id < other.id ? -1 : 1),
);
const isIn = (run: FiledRun, text: string): boolean =>
  `${run.id} ${run.name} ${run.sandbox}/${run.path} ${run.by}`.toLowerCase().includes(text.toLowerCase());

const isSeen = (visible: NonNullable<RunFilter['visible']>, sandbox: string): boolean =>
  'only' in visible ? visible.only.includes(sandbox) : !visible.except.includes(sandbox);

/** What a filter must give, by looking at every run. */
function expected(filter: RunFilter, after = -1): FiledRun[] {
  const found: FiledRun[] = [];
  for (let i = (after < 0 ? rows : after) - 1; i >= 0 && found.length < filter.limit; i--) {
    const run = all[i]!;
    if (filter.states && !filter.states.includes(run.state)) continue;
    if (filter.sandbox !== undefined && run.sandbox !== filter.sandbox) continue;
    if (filter.path !== undefined && run.path !== filter.path) continue;
    if (filter.visible && !isSeen(filter.visible, run.sandbox)) continue;
    if (filter.since !== undefined && run.launchedAt < filter.since) continue;
    if (filter.text !== undefined && !isIn(run, filter.text)) continue;
    found.push(run);
  }
  return found;
}
const summaries = (runs: FiledRun[]): string[] => runs.map(({ summary }) => summary);

const folder = freshFolder();
let journal: Journal;
beforeAll(async () => {
  journal = await openJournal({ directory: folder, onFault: vi.fn() });
  const waits: Promise<void>[] = [];
  for (let at = 0; at < rows; at += 2_000) waits.push(journal.fileRuns(all.slice(at, at + 2_000)));
  await Promise.all(waits);
});
afterAll(() => journal.close());

const filters: [string, Omit<RunFilter, 'limit'>][] = [
  ['nothing', {}],
  ['a common state', { states: ['succeeded'] }],
  ['rare states', { states: ['failed', 'unknown'] }],
  ['a state that nobody is in', { states: ['queued'] }],
  ['a sandbox', { sandbox: 'lab-3' }],
  ['a sandbox and a state', { sandbox: 'lab-3', states: ['failed'] }],
  ['a path', { path: 'jobs/nightly-Backup.job.yaml' }],
  ['a path and a state', { path: 'jobs/step-12.job.yaml', states: ['cancelled'] }],
  ['a job of a sandbox', { sandbox: 'lab-2', path: 'jobs/nightly-Backup.job.yaml' }],
  ['failures of a job of a sandbox', { sandbox: 'lab-2', path: 'jobs/nightly-Backup.job.yaml', states: ['failed'] }],
  ['words in another case', { text: 'NIGHTLY-backup' }],
  ['words that only one run has', { text: 'prüfstand' }],
  ['words with signs that mean something to an index', { text: '"Prüfstand" 100%' }],
  ['words that nobody has', { text: 'nobody-has-this' }],
  ['words, a rare state', { text: 'backup', states: ['unknown'] }],
  ['words, a sandbox, a path', { text: 'ops', sandbox: 'lab-1', path: 'jobs/step-8.job.yaml' }],
  ['two letters', { text: 'Up' }],
  ['one letter, of no ASCII', { text: 'Ü', since: start + 28_000_000 }],
  ['a sandbox and a path together', { text: 'LAB-3/jobs/step-1' }],
  ['two letters that nobody has, in a sandbox', { text: '%%', sandbox: 'lab-1' }],
  ['hidden sandboxes', { visible: { except: ['lab-1', 'lab-2', 'lab-3', 'lab-4', 'never-there'] } }],
  ['hidden sandboxes, a state', { visible: { except: ['lab-1', 'lab-5'] }, states: ['failed'] }],
  ['hidden sandboxes, words', { visible: { except: ['lab-0', 'lab-6'] }, text: 'backup' }],
  ['hidden sandboxes, two letters', { visible: { except: ['lab-0'] }, text: 'Up' }],
  ['a sandbox that is hidden', { visible: { except: ['lab-1'] }, sandbox: 'lab-1' }],
  ['all sandboxes hidden', { visible: { except: Array.from({ length: 7 }, (_, i) => `lab-${i}`) } }],
  ['two sandboxes only', { visible: { only: ['lab-2', 'lab-5'] } }],
  ['two sandboxes only, states, a path', { visible: { only: ['lab-2', 'lab-5'] }, path: 'jobs/step-8.job.yaml' }],
  ['two sandboxes only, words', { visible: { only: ['lab-2', 'lab-5'] }, text: 'backup', states: ['failed'] }],
  ['two sandboxes only, one asked for', { visible: { only: ['lab-2', 'lab-5'] }, sandbox: 'lab-5' }],
  ['two sandboxes only, another asked for', { visible: { only: ['lab-2', 'lab-5'] }, sandbox: 'lab-1' }],
  ['no sandbox at all', { visible: { only: [] } }],
  ['a time', { since: start + 20_000_000 }],
  ['a time and a state', { since: start + 33_000_000, states: ['failed'] }],
  ['a time in the future', { since: start + 1e12 }],
];

describe('among a hundred thousand runs', () => {
  test.each(filters)('filtered by %s: the right ones, newest first, on every page', async (_, filter) => {
    let before: RunFilter['before'];
    let after = -1;
    for (let page = 0; page < 3; page++) {
      const asked: RunFilter = { ...filter, limit: 40, ...(before ? { before } : {}) };
      const want = expected(asked, after);
      expect(await journal.filedRuns(asked)).toEqual(summaries(want));
      const last = want.at(-1);
      if (!last) break;
      before = { launchedAt: last.launchedAt, id: last.id };
      after = all.indexOf(last);
    }
  });

  test('pages go on behind a run that is gone, also within its millisecond', async () => {
    const gone = { launchedAt: all[600]!.launchedAt, id: `${all[600]!.id}-gone` };
    expect(await journal.filedRuns({ limit: 10, before: gone })).toEqual(summaries(expected({ limit: 10 }, 601)));
    const before = { launchedAt: all[600]!.launchedAt, id: all[600]!.id };
    expect(await journal.filedRuns({ limit: 10, before })).toEqual(summaries(expected({ limit: 10 }, 600)));
  });

  test('one page is never longer than the limit allows', async () => {
    expect(await journal.filedRuns({ limit: 1_000_000 })).toHaveLength(
      limits.runsPageMax + 1 + limits.runsEndedInMemory,
    );
  });

  test('one run is found whole by its id', async () => {
    expect(await journal.filedRun(all[777]!.id)).toBe(all[777]!.text);
    expect(await journal.filedRun('run-none')).toBeNull();
  });

  test('runs are counted since a time', async () => {
    const since = start + 30_000_000;
    const newer = all.filter((run) => run.launchedAt >= since);
    expect(await journal.countRuns(since)).toEqual({
      total: newer.length,
      failed: newer.filter((run) => run.state === 'failed').length,
    });
  });

  test('every filter answers by its index: no page reads more than it has to', async () => {
    // Not a timed test: the plan must not contain a scan or a sort.
    const database = new SQLite(join(freshFolder(), 'plan.db'));
    const { historyFile } = await import('../../../node-runtime/io/journal/schema.ts');
    const { History } = await import('../../../node-runtime/io/journal/history.ts');
    database.exec(historyFile.tables);
    const asked: string[] = [];
    const prepare = database.prepare.bind(database);
    database.prepare = ((sql: string) => {
      asked.push(sql);
      return prepare(sql);
    }) as typeof database.prepare;
    const history = new History(database);
    asked.length = 0;
    for (const [, filter] of filters) history.list({ ...filter, limit: 10 });
    expect(asked.length).toBeGreaterThan(5);
    for (const sql of asked) {
      const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array.from(sql.matchAll(/\?/g), () => 1)) as {
        detail: string;
      }[];
      const details = plan.map(({ detail }) => detail).join('; ');
      expect(details, sql).not.toMatch(/TEMP B-TREE/);
      expect(details, sql).toMatch(
        /^(CO-ROUTINE \(subquery-\d+\); )?(SEARCH runs USING (INTEGER PRIMARY KEY|INDEX)|SCAN runWords VIRTUAL TABLE)/,
      );
    }
    database.close();
  });
});

describe('a run filed again', () => {
  test('is replaced, with its state in every list', async () => {
    const mine = await openJournal({ directory: freshFolder(), onFault: vi.fn() });
    const run: FiledRun = { ...runAt(1), state: 'running', endedAt: null };
    await mine.fileRuns([run]);
    await mine.fileRuns([
      { ...run, state: 'failed', endedAt: run.launchedAt + 9, summary: '{"now":1}', text: '{"now":2}' },
    ]);
    expect(await mine.filedRuns({ states: ['running'], limit: 5 })).toEqual([]);
    expect(await mine.filedRuns({ states: ['running'], text: 'step', limit: 5 })).toEqual([]);
    expect(await mine.filedRuns({ states: ['failed'], text: 'STEP', limit: 5 })).toEqual(['{"now":1}']);
    expect(await mine.filedRun(run.id)).toBe('{"now":2}');
    expect(await mine.countRuns(0)).toEqual({ total: 1, failed: 1 });
    expect(await mine.verify()).toEqual([]);
    await mine.close();
  });

  test('more runs of one millisecond than its places still have an order', async () => {
    const mine = await openJournal({ directory: freshFolder(), onFault: vi.fn() });
    const runs = Array.from(
      { length: 1_500 },
      (_, i): FiledRun => ({ ...runAt(0), id: `same-${i}`, summary: `{"i":${i}}` }),
    );
    await mine.fileRuns(runs);
    await mine.fileRuns([{ ...runAt(0), id: 'next', launchedAt: runAt(0).launchedAt + 1, summary: '{"next":1}' }]);
    expect(await mine.filedRuns({ limit: 3 })).toEqual(['{"next":1}', '{"i":999}', '{"i":998}']);
    await mine.close();
  });
});

describe('a damaged row', () => {
  test('is refused when it is read, and does not stop the journal', async () => {
    const directory = freshFolder();
    const first = await openJournal({ directory, onFault: vi.fn() });
    await first.fileRuns([runAt(1), runAt(2)]);
    await first.close();
    const database = new SQLite(join(directory, 'history.db'));
    database.exec(
      `UPDATE runTexts SET text = '{"altered":1}' WHERE seq = (SELECT seq FROM runs WHERE id = '${runAt(1).id}')`,
    );
    database.close();
    const mine = await openJournal({ directory, onFault: vi.fn() });
    await expect(mine.filedRun(runAt(1).id)).rejects.toMatchObject({ code: 'journal_damaged' });
    expect(await mine.filedRun(runAt(2).id)).toBe(runAt(2).text);
    await mine.saveRecord('register', '{}');
    await mine.close();
  });
});
