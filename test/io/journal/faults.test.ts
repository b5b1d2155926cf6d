/** The world failing underneath: killed processes, full disks, syncs that fail. Acknowledged is kept, always. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { DiskFull } from '../../../node-runtime/io/journal/errors.ts';
import { type Journal, openJournal } from '../../../node-runtime/io/journal/journal.ts';
import { openStore } from '../../../node-runtime/io/journal/opening.ts';
import { textAt } from './entries-maker.ts';
import { chance, entriesAfter, freshFolder } from './folders.ts';
import { acknowledged, startAppender } from './processes.ts';

/** Opens, expects every acknowledged entry and a sound store; gives the end. */
function expectKept(folder: string, upTo: number): number {
  const store = openStore(folder);
  const texts = store.journal.prepare<[], string>('SELECT text FROM entries ORDER BY idx').pluck().all();
  for (const database of [store.journal, store.history, store.audit, store.lock]) database.close();
  expect(texts.length).toBeGreaterThanOrEqual(upTo);
  expect(texts).toEqual(texts.map((_, at) => textAt(at + 1)));
  return texts.length;
}

describe('a process killed while it appends', () => {
  test('20 times over: all it had acknowledged is there', async () => {
    const folder = freshFolder();
    const random = chance(5);
    let before = 0;
    for (let round = 0; round < 20; round++) {
      const appender = startAppender([folder, 'stream', 1 + random(12)]);
      const enough = before + 1 + random(150);
      await appender.until((lines) => acknowledged(lines) >= enough);
      await appender.kill();
      const upTo = acknowledged(appender.lines());
      expect(upTo).toBeGreaterThan(before);
      before = expectKept(folder, upTo);
    }
  });
});

describe('a full disk', () => {
  const mounted = (() => {
    const folder = freshFolder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'binnacle-test', folder], { stdio: 'pipe' });
      execFileSync('umount', [folder]);
      return { folder, why: '' };
    } catch (error) {
      return {
        folder: null,
        why: ` (SKIPPED: a small file system cannot be mounted here: ${(error as Error).message.split('\n')[0]})`,
      };
    }
  })();

  test.skipIf(mounted.folder === null)(
    `refuses with DiskFull, loses nothing, and goes on when there is space again${mounted.why}`,
    { timeout: 30_000 },
    async () => {
      const folder = mounted.folder!;
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'binnacle-test', folder]);
      const onFault = vi.fn();
      const journal = await openJournal({ directory: join(folder, 'data'), onFault });
      try {
        writeFileSync(join(folder, 'ballast'), Buffer.alloc(2 * 1024 ** 2, 1));
        const kept = await appendUntilFull(journal);
        expect(kept).toBeGreaterThan(100);
        await expectRefusedTogether(journal);
        await expect(journal.saveRecord('register', 'x'.repeat(4 * 1024 ** 2))).rejects.toBeInstanceOf(DiskFull);
        expect((await journal.load()).end.index).toBe(kept);
        rmSync(join(folder, 'ballast'));
        const { end } = await journal.load();
        await journal.append(entriesAfter(end, 50));
        await journal.saveRecord('register', '{"after":true}');
        expect(await journal.verify()).toEqual([]);
        await journal.close();
        expect(expectKept(join(folder, 'data'), kept + 50)).toBe(kept + 50);
        writeFileSync(join(folder, 'ballast'), Buffer.alloc(1024));
        fillUp(join(folder, 'ballast'));
        await expect(openJournal({ directory: join(folder, 'data'), onFault })).rejects.toBeInstanceOf(DiskFull);
        rmSync(join(folder, 'ballast'));
        expect(expectKept(join(folder, 'data'), kept + 50)).toBe(kept + 50);
        expect(onFault).not.toHaveBeenCalled();
      } finally {
        await journal.close();
        execFileSync('umount', ['-l', folder]);
      }
    },
  );
});

/** Leaves no byte free. */
function fillUp(path: string): void {
  for (const bytes of [65_536, 4_096, 512, 1]) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(bytes, 1));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
}

/** Several writers in flight until the first refusal; gives the last acknowledged index, after which nothing is kept. */
async function appendUntilFull(journal: Journal): Promise<number> {
  let { end } = journal.opened as { end: { index: number; chain: string } };
  let last = 0;
  let refusals = 0;
  const writer = async (): Promise<void> => {
    while (refusals === 0) {
      const entries = entriesAfter(end, 20);
      end = entries.at(-1)!;
      try {
        await journal.append(entries);
        expect(entries[0]!.index).toBe(last + 1);
        last = entries.at(-1)!.index;
      } catch (error) {
        expect(error).toBeInstanceOf(DiskFull);
        refusals += 1;
      }
    }
  };
  // Writers that begin in different turns, so that some appends are under way when the first is refused.
  await Promise.all(Array.from({ length: 8 }, (_, at) => new Promise((go) => setTimeout(go, at)).then(writer)));
  expect(refusals).toBe(8);
  return last;
}

/** What is asked after a write that will be refused, before that is known, must be refused with it, however small. */
async function expectRefusedTogether(journal: Journal): Promise<void> {
  let { end } = await journal.load();
  const asked: Promise<unknown>[] = [];
  const next = (count: number): void => {
    const entries = entriesAfter(end, count);
    end = entries.at(-1)!;
    asked.push(journal.append(entries).catch((error) => error));
  };
  next(4_096);
  await new Promise(setImmediate);
  for (let turn = 0; turn < 5; turn++) {
    next(1);
    asked.push(journal.saveRecord('register', `{"turn":${turn}}`).catch((error) => error));
    await new Promise(setImmediate);
  }
  for (const outcome of await Promise.all(asked)) expect(outcome).toBeInstanceOf(DiskFull);
}

/** Fails the n-th sync of a log with EIO, once: the next one "succeeds", as the system does. */
const failingSync = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static int count;
static int fails(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  const char *at = getenv("FAIL_SYNC_AT"), *of = getenv("FAIL_SYNC_OF");
  if (!at || !of || !strstr(path, of)) return 0;
  return ++count == atoi(at);
}
int fdatasync(int fd) {
  if (fails(fd)) { errno = EIO; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
int fsync(int fd) {
  if (fails(fd)) { errno = EIO; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
`;
const library = (() => {
  const folder = freshFolder();
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'sync.c'), failingSync);
    execFileSync('cc', ['-shared', '-fPIC', '-o', join(folder, 'sync.so'), join(folder, 'sync.c'), '-ldl'], {
      stdio: 'pipe',
    });
    return { path: join(folder, 'sync.so'), why: '' };
  } catch {
    return { path: null, why: ' (SKIPPED: no C compiler here to make syncs fail)' };
  }
})();

describe('a sync that fails', () => {
  test.skipIf(library.path === null).each([1, 2, 3, 7, 20])(
    `at sync %i of the log: the journal stops for good, and all it had acknowledged is there${library.why}`,
    async (at) => {
      const folder = freshFolder();
      const failing = { LD_PRELOAD: library.path!, FAIL_SYNC_AT: String(at), FAIL_SYNC_OF: 'journal.db-wal' };
      const appender = startAppender([folder, 'stream', 4], failing);
      await appender.ended;
      const lines = appender.lines();
      expect(lines.filter((line) => line === 'fault journal_fault')).toHaveLength(1);
      expect(lines.filter((line) => line === 'rejected journal_fault')).toHaveLength(4);
      expect(lines.at(-1)).toBe('afterwards journal_fault');
      expectKept(folder, acknowledged(lines));
    },
  );
});
