/** The journal as the node process sees it: what is answered is kept, in order, in groups, over restarts. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { chainStart } from '../../../node-runtime/io/journal/chain.ts';
import { type Journal, openJournal } from '../../../node-runtime/io/journal/journal.ts';
import type { Snapshot } from '../../../node-runtime/io/journal/records.ts';
import { term } from './entries-maker.ts';
import { entriesAfter, entriesUpTo, freshFolder } from './folders.ts';

const open: Journal[] = [];
async function journalIn(directory: string, onFault = vi.fn()): Promise<Journal> {
  const journal = await openJournal({ directory, onFault });
  open.push(journal);
  return journal;
}
afterEach(async () => {
  for (const journal of open.splice(0)) await journal.close().catch(() => {});
});

const snapshotAt = (index: number, text = '{"state":1}'): Snapshot => ({
  index,
  term,
  chain: entriesUpTo(index).at(-1)!.chain,
  text,
});

describe('an empty folder', () => {
  test('becomes a new store that begins at index 0', async () => {
    const journal = await journalIn(join(freshFolder(), 'made', 'deep'));
    expect(journal.opened).toMatchObject({ register: null, attempts: [], notes: [] });
    expect(journal.opened.end).toEqual({ index: 0, term: null, chain: chainStart });
    expect(journal.opened.store).toMatch(/^[0-9a-f]{32}$/);
    expect(await journal.load()).toEqual({
      records: { register: null, mark: null, fence: null, directory: null, committed: null },
      store: journal.opened.store,
      floor: journal.opened.end,
      snapshot: null,
      entries: [],
      end: journal.opened.end,
      auditedUpTo: 0,
    });
  });

  test('is made private to its owner', async () => {
    const folder = join(freshFolder(), 'private');
    const journal = await journalIn(folder);
    await journal.append(entriesUpTo(1));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder))
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
  });
});

describe('what was answered', () => {
  test('is there after a restart, under the same store id', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    await Promise.all([journal.append(entriesUpTo(40)), journal.saveRecord('register', '{"promised":1}')]);
    await journal.saveRecord('register', '{"promised":2}');
    await journal.close();
    const again = await journalIn(folder);
    expect(again.opened.store).toBe(journal.opened.store);
    expect(again.opened.register).toBe('{"promised":2}');
    expect(again.opened.end).toEqual({ index: 40, term, chain: entriesUpTo(40).at(-1)!.chain });
    expect((await again.load()).entries).toEqual(entriesUpTo(40));
  });

  test('is read back by range, with a bound', async () => {
    const journal = await journalIn(freshFolder());
    await journal.append(entriesUpTo(50));
    expect(await journal.read(10, 20, 100)).toEqual(entriesUpTo(20).slice(9));
    expect(await journal.read(10, 20, 3)).toEqual(entriesUpTo(12).slice(9));
    expect(await journal.read(51, 60, 3)).toEqual([]);
  });

  test('is seen by a read that was asked for right after it', async () => {
    const journal = await journalIn(freshFolder());
    const [first] = await Promise.all([
      journal.append(entriesUpTo(1)).then(() => 'kept'),
      journal.read(1, 1, 1).then((entries) => expect(entries).toHaveLength(1)),
    ]);
    expect(first).toBe('kept');
  });
});

describe('many writers at once', () => {
  test('share commits, and each of them is kept in order', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    const entries = entriesUpTo(2_000);
    let next = 0;
    const writer = async (): Promise<void> => {
      while (next < entries.length) await journal.append([entries[next++]!]);
    };
    await Promise.all(Array.from({ length: 100 }, writer));
    const { commits } = await journal.stats();
    expect(commits).toBeGreaterThanOrEqual(20);
    expect(commits).toBeLessThan(200);
    await journal.close();
    expect((await (await journalIn(folder)).load()).entries).toEqual(entries);
  });

  test('of every kind share one commit when they ask in the same turn', async () => {
    const journal = await journalIn(freshFolder());
    await Promise.all([
      journal.append(entriesUpTo(2)),
      journal.saveRecord('register', '{}'),
      journal.saveAttempts([{ attempt: 'r.t.1', term: '0.1.n', state: 'saved', text: '{}' }]),
      journal.append(entriesUpTo(4).slice(2)),
    ]);
    expect((await journal.stats()).commits).toBe(1);
  });

  test('one writer alone is answered by a commit of its own each time', async () => {
    const journal = await journalIn(freshFolder());
    for (const entry of entriesUpTo(10)) await journal.append([entry]);
    expect((await journal.stats()).commits).toBe(10);
  });
});

describe('a broken promise of the caller', () => {
  test('is refused alone: a gap, a wrong chain, too large an entry', async () => {
    const journal = await journalIn(freshFolder());
    await journal.append(entriesUpTo(3));
    const next = entriesUpTo(5).slice(3);
    const kept = journal.append([next[0]!]);
    await expect(journal.append(entriesUpTo(9).slice(8))).rejects.toMatchObject({ code: 'broken_promise' });
    await expect(journal.append([{ ...next[1]!, chain: chainStart }])).rejects.toMatchObject({
      code: 'broken_promise',
    });
    await expect(journal.append([{ ...next[1]!, text: 'é'.repeat(limits.entryBytesMax / 2 + 1) }])).rejects.toThrow(
      /larger/,
    );
    await kept;
    await journal.append([next[1]!]);
    expect((await journal.load()).entries).toEqual(entriesUpTo(5));
  });

  test('a batch whose second entry is wrong leaves nothing of itself', async () => {
    const journal = await journalIn(freshFolder());
    const [one, , three] = entriesUpTo(3);
    await expect(journal.append([one!, three!])).rejects.toMatchObject({ code: 'broken_promise' });
    expect((await journal.load()).entries).toEqual([]);
    await journal.append(entriesUpTo(1));
  });
});

describe('a snapshot', () => {
  test('replaces the one before and lets old entries go, and the rest opens again', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    const kept = limits.entriesKeptBeforeSnapshot;
    const all = entriesUpTo(kept + 5_000);
    for (let at = 0; at < all.length; at += 4_000) await journal.append(all.slice(at, at + 4_000));
    const at = (index: number) => ({ index, term, chain: all[index - 1]!.chain, text: `{"upTo":${index}}` });
    await journal.saveSnapshot(at(100));
    expect(await journal.read(1, 1, 1)).toHaveLength(1);
    await journal.saveSnapshot(at(kept + 4_000));
    expect((await journal.read(1, all.length, 1))[0]!.index).toBe(4_001);
    await journal.append(entriesAfter(all.at(-1)!, 1));
    await journal.close();

    const again = await journalIn(folder);
    const loaded = await again.load();
    expect(loaded.snapshot).toEqual(at(kept + 4_000));
    expect(loaded.entries.map(({ index }) => index)).toEqual(Array.from({ length: 1_001 }, (_, i) => kept + 4_001 + i));
    expect(await again.verify()).toEqual([]);
    await again.append(entriesAfter(loaded.end, 1));
  });

  test('may stand at the very end', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    await journal.append(entriesUpTo(5));
    await journal.saveSnapshot(snapshotAt(5));
    await journal.close();
    const again = await journalIn(folder);
    expect(await again.load()).toMatchObject({ snapshot: snapshotAt(5), entries: [], end: { index: 5 } });
  });

  test('of another chain, ahead of the end, or older than the last is refused', async () => {
    const journal = await journalIn(freshFolder());
    await journal.append(entriesUpTo(5));
    await journal.saveSnapshot(snapshotAt(4));
    for (const wrong of [snapshotAt(6), snapshotAt(3), { ...snapshotAt(5), chain: chainStart }]) {
      await expect(journal.saveSnapshot(wrong)).rejects.toMatchObject({ code: 'broken_promise' });
    }
    expect((await journal.load()).snapshot).toEqual(snapshotAt(4));
  });
});

describe('the memory of attempts', () => {
  test('keeps the last state of each, forgets on request, survives a restart', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    const record = (attempt: string, state: 'saved' | 'ended') => ({
      attempt,
      term: '0.3.n-1',
      state,
      text: `{"s":"${state}"}`,
    });
    await journal.saveAttempts([record('r1.t.1', 'saved'), record('r2.t.1', 'saved'), record('r3.t.1', 'saved')]);
    await journal.saveAttempts([record('r1.t.1', 'ended')]);
    await journal.saveAttempts([], null, ['r2.t.1', 'never-there']);
    await journal.close();
    expect((await journalIn(folder)).opened.attempts).toEqual([record('r1.t.1', 'ended'), record('r3.t.1', 'saved')]);
  });
});

describe('a cut tail', () => {
  test('goes to quarantine whole, is listed page by page, and other entries may follow', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    await journal.append(entriesUpTo(10));
    expect(await journal.cutAfter(10, 'nothing to cut')).toBe(0);
    expect(await journal.cutAfter(6, 'the active of term 0.4 went another way')).toBe(4);
    await journal.append(entriesUpTo(7).slice(6));
    await journal.close();
    const again = await journalIn(folder);
    expect((await again.load()).end.index).toBe(7);
    const page = await again.quarantined(0, 3);
    const rest = await again.quarantined(page.at(-1)!.id);
    expect([...page, ...rest].map(({ entry }) => entry)).toEqual(entriesUpTo(10).slice(6));
    expect(page[0]).toMatchObject({ reason: 'the active of term 0.4 went another way' });
    expect(await again.verify()).toEqual([]);
  });

  test('never reaches behind the snapshot', async () => {
    const journal = await journalIn(freshFolder());
    await journal.append(entriesUpTo(5));
    await journal.saveSnapshot(snapshotAt(4));
    await expect(journal.cutAfter(3, 'no')).rejects.toMatchObject({ code: 'broken_promise' });
  });
});

describe('closing', () => {
  test('finishes what was asked before and refuses what comes after', async () => {
    const folder = freshFolder();
    const onFault = vi.fn();
    const journal = await journalIn(folder, onFault);
    const asked = journal.append(entriesUpTo(30));
    const closed = journal.close();
    await expect(journal.append(entriesAfter(entriesUpTo(30).at(-1)!, 1))).rejects.toMatchObject({
      code: 'journal_closed',
    });
    await Promise.all([asked, closed, journal.close()]);
    await expect(journal.stats()).rejects.toMatchObject({ code: 'journal_closed' });
    expect(onFault).not.toHaveBeenCalled();
    expect(readdirSync(folder).sort()).toEqual(['audit.db', 'history.db', 'journal.db', 'lock.db']);
    expect((await journalIn(folder)).opened.end.index).toBe(30);
  });
});

describe('the worker thread', () => {
  test('when it dies, every waiting promise rejects and the fault is told once', async () => {
    const onFault = vi.fn();
    const journal = await journalIn(freshFolder(), onFault);
    await journal.append(entriesUpTo(1));
    const dying = (journal as unknown as { worker: Worker }).worker.terminate();
    await expect(journal.append(entriesUpTo(2).slice(1))).rejects.toMatchObject({ code: 'journal_fault' });
    await dying;
    await expect(journal.saveRecord('register', '{}')).rejects.toMatchObject({ code: 'journal_fault' });
    expect(onFault).toHaveBeenCalledTimes(1);
  });

  test('moves a long log into the file by itself when nothing waits', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    await journal.append(entriesUpTo(4_000));
    await journal.append(entriesAfter(entriesUpTo(4_000).at(-1)!, 4_000));
    await vi.waitFor(() => expect(statSync(join(folder, 'journal.db')).size).toBeGreaterThan(1_000_000), {
      timeout: 10_000,
      interval: 20,
    });
  });
});

describe('what a cluster needs of the journal', () => {
  test('P17: a snapshot from elsewhere takes the place of all entries, and what was not kept goes to quarantine', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    const entries = entriesUpTo(30);
    await journal.append(entries);
    const there = { index: 50, term: { era: 0, number: 3, node: 'n-2' }, chain: 'ab'.repeat(32), text: '{"state":1}' };
    await journal.installSnapshot(there, 20, 'a snapshot took its place');
    const kept = await journal.load();
    expect(kept).toMatchObject({ snapshot: there, entries: [], end: { index: 50, chain: there.chain } });
    expect(kept.floor).toMatchObject({ index: 50 });
    expect((await journal.quarantined()).map((one) => one.entry.index)).toEqual([
      21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
    ]);
    expect((await journal.stats()).quarantined).toBe(10);
    await journal.close();
    const again = await journalIn(folder);
    expect(again.opened.end).toMatchObject({ index: 50 });
    await again.close();
  });

  test('P34: a folder found to be an old image becomes another memory, with a register that has promised nothing', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    const before = journal.opened.store;
    await journal.renewStore('f'.repeat(32), '{"new":1}');
    await journal.close();
    const again = await journalIn(folder);
    expect(again.opened.store).toBe('f'.repeat(32));
    expect(again.opened.store).not.toBe(before);
    expect(again.opened.register).toBe('{"new":1}');
    await again.close();
  });

  test('P35: attempts and fence are kept with one sync, and come back', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    const record = { attempt: 'r1.t.1', term: '0.1.n-1', state: 'saved' as const, text: '{}' };
    const { commits } = await journal.stats();
    await journal.saveAttempts([record], '{"term":1}', ['r0.t.1']);
    expect((await journal.stats()).commits - commits).toBe(1);
    await journal.close();
    const again = await journalIn(folder);
    expect(again.opened).toMatchObject({ fence: '{"term":1}', attempts: [record] });
    await again.close();
  });
});
