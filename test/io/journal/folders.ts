/** Entries that a test expects, folders that go away, and chance that can be repeated. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { StoredEntry } from '../../../node-runtime/contract/facts.ts';
import { chainStart } from '../../../node-runtime/io/journal/chain.ts';
import { entriesMaker } from './entries-maker.ts';

export const entriesAfter = (end: { index: number; chain: string }, count: number): StoredEntry[] =>
  entriesMaker(end)(count);

/** All entries 1 to `count`, made anew. */
export const entriesUpTo = (count: number): StoredEntry[] => entriesAfter({ index: 0, chain: chainStart }, count);

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder for one test. `fast`: in memory where the system has that, for tests that open thousands of stores. */
export function freshFolder(where: 'disk' | 'fast' = 'disk'): string {
  const memory = '/dev/shm';
  const folder = mkdtempSync(join(where === 'fast' && existsSync(memory) ? memory : tmpdir(), 'binnacle-journal-'));
  folders.push(folder);
  return folder;
}

/** Every byte of a folder by file name, the lock apart. */
export function bytesOf(folder: string): Map<string, Buffer> {
  const names = readdirSync(folder).filter((name) => name !== 'lock.db');
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name))]));
}

export function copyOf(folder: string, where: 'disk' | 'fast' = 'disk'): string {
  const copy = freshFolder(where);
  cpSync(folder, copy, { recursive: true });
  return copy;
}

/** A small seeded generator (mulberry32): failures can be repeated. */
export function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
