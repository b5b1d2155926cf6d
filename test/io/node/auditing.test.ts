/** Rows of the audit on their way to the disk: after a crash, on a full disk, and over a gap that another controller fills. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AuditPageShape, makeAuditing, pageOf, wordsOfRow } from '../../../node-runtime/auditing.ts';
import type { AuditRow } from '../../../node-runtime/contract/model.ts';
import { DiskFull } from '../../../node-runtime/io/journal/errors.ts';
import { type Journal, openJournal } from '../../../node-runtime/io/journal/journal.ts';
import type { Gap } from '../../../node-runtime/io/journal/records.ts';
import { eventually } from '../../support/real-node.ts';
import { freshFolder } from '../journal/folders.ts';

const rowAt = (index: number): AuditRow => ({
  ...{ index, term: '0.1.n-a', at: new Date(1_000 * index).toISOString(), by: 'user:ops', who: 'ops' },
  ...{ from: '10.0.0.7', via: 'ctl-a', area: 'runs', act: 'runLaunched', subject: `r-${index}` },
  ...{ sentence: `ops launched a.sh as r-${index}`, changes: [] },
});
const rowsFrom = (from: number, to: number): AuditRow[] =>
  Array.from({ length: to - from + 1 }, (_, i) => rowAt(from + i));

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function journalIn(directory = freshFolder()): Promise<Journal> {
  const journal = await openJournal({ directory, onFault: vi.fn() });
  undo.push(() => journal.close());
  return journal;
}

function auditingOf(journal: Journal, others: Record<string, (gap: Gap) => ReturnType<typeof pageOf>> = {}) {
  const onFault = vi.fn();
  const auditing = makeAuditing({
    journal,
    sources: () => Object.keys(others),
    // As it comes over the wire: checked for its shape.
    ask: async (node, gap) =>
      AuditPageShape.safeParse(JSON.parse(JSON.stringify(await others[node]!(gap)))).data ?? null,
    warn: vi.fn(),
    onFault,
  });
  undo.push(() => auditing.close());
  return { auditing, onFault };
}

const indexesIn = async (journal: Journal): Promise<number[]> =>
  (await journal.audited({ limit: 500 })).map((text) => (JSON.parse(text) as AuditRow).index).reverse();

describe('rows of entries as they are committed', () => {
  test('are on the disk a moment later, and at once when somebody looks', async () => {
    const journal = await journalIn();
    const { auditing } = auditingOf(journal);
    auditing.row(rowAt(1));
    await auditing.flush();
    expect(await indexesIn(journal)).toEqual([1]);
    auditing.row(rowAt(3));
    await eventually('it is filed by itself', async () => (await indexesIn(journal)).length === 2);
  });

  test('that a crash cut off are filed when the journal is read again, and those that were filed are not doubled', async () => {
    const directory = freshFolder();
    const first = await openJournal({ directory, onFault: vi.fn() });
    await first.fileAudit({ rows: [], read: { from: 0, upTo: 2 } });
    const before = makeAuditing({ journal: first, sources: () => [], ask: vi.fn(), warn: vi.fn(), onFault: vi.fn() });
    before.row(rowAt(3));
    await before.flush();
    before.row(rowAt(4)); // committed, and never filed: the process is gone
    before.cut(3);
    await before.close();
    await first.close();
    const journal = await journalIn(directory);
    const { auditing } = auditingOf(journal);
    expect((await journal.load()).auditedUpTo).toBe(2);
    auditing.read({ from: 0, upTo: 4, rows: [rowAt(3), rowAt(4)] });
    await auditing.flush();
    expect(await indexesIn(journal)).toEqual([3, 4]);
    expect(await journal.auditCover()).toEqual({ upTo: 4, gaps: [] });
  });

  test('wait while the disk is full, and no snapshot is kept before they are on it', async () => {
    const journal = await journalIn();
    const { auditing, onFault } = auditingOf(journal);
    const fileAudit = vi.spyOn(journal, 'fileAudit').mockRejectedValue(new DiskFull('no space'));
    auditing.row(rowAt(1));
    await expect(auditing.keptUpTo(5)).rejects.toThrow('no space');
    fileAudit.mockRestore();
    auditing.row(rowAt(6));
    await eventually('all are filed', async () => (await indexesIn(journal)).length === 2, 5_000);
    expect(await journal.auditCover()).toEqual({ upTo: 5, gaps: [] });
    expect(onFault).not.toHaveBeenCalled();
  });

  test('of entries that are cut are never filed', async () => {
    const journal = await journalIn();
    const { auditing } = auditingOf(journal);
    for (const row of rowsFrom(1, 9)) auditing.row(row);
    auditing.cut(4);
    await auditing.flush();
    expect(await indexesIn(journal)).toEqual([1, 2, 3, 4]);
  });
});

describe('a gap, because a snapshot took the place of entries', () => {
  test('is filled page by page from another controller that has the rows', async () => {
    const source = await journalIn();
    await source.fileAudit({ rows: [], read: { from: 0, upTo: 900 } });
    for (let at = 1; at < 900; at += 300) {
      const { auditing } = auditingOf(source);
      for (const row of rowsFrom(at, Math.min(at + 299, 900))) auditing.row(row);
      await auditing.flush();
    }
    const journal = await journalIn();
    const asked: Gap[] = [];
    const { auditing } = auditingOf(journal, {
      'ctl-b': (gap) => {
        asked.push(gap);
        return pageOf(source, gap, 900);
      },
    });
    auditing.read({ from: 850, upTo: 860, rows: rowsFrom(851, 860) });
    await eventually('the gap is filled', async () => (await journal.auditCover()).gaps.length === 0, 10_000);
    expect(await journal.auditedBetween(1, 10_000, 501)).toHaveLength(501);
    expect((await journal.auditedBetween(502, 10_000, 501)).at(-1)!.index).toBe(860);
    expect(asked.map(({ from }) => from)).toEqual([1, 201, 401, 601, 801]);
  });

  test('stays, and is said, where nobody has the rows; what one has is taken', async () => {
    const source = await journalIn();
    const filing = { rows: [], read: { from: 0, upTo: 10 } };
    await source.fileAudit(filing);
    await source.fileAudit({ rows: [], read: { from: 20, upTo: 40 } }); // 11 to 20 it never had either
    const journal = await journalIn();
    const { auditing } = auditingOf(journal, { 'ctl-b': (gap) => pageOf(source, gap, 40) });
    auditing.read({ from: 30, upTo: 35, rows: [] });
    await eventually('what it has is taken', async () => (await journal.auditCover()).gaps[0]?.from === 11);
    expect((await journal.auditCover()).gaps).toEqual([{ from: 11, to: 30 }]);
    expect(await pageOf(source, { from: 11, to: 30 }, 40)).toBeNull();
    expect(await pageOf(source, { from: 21, to: 30 }, 25)).toEqual({ upTo: 25, rows: [] });
  });
});

test('what is searched of a row is all that it shows', () => {
  const words = wordsOfRow({ ...rowAt(1), changes: [{ what: 'role', before: 'viewer', after: 'operator' }] });
  for (const text of ['ops launched', 'r-1', 'user:ops', '10.0.0.7', 'ctl-a', 'role', 'viewer', 'operator'])
    expect(words).toContain(text);
});
