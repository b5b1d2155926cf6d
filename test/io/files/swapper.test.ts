/**
 * Somebody swaps a folder and a file for links that lead out, as fast as they
 * can, while the sandbox is read and written. Whatever the timing, nothing of
 * outside is read and nothing outside is made or changed.
 */
import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type LocalFolder, openLocalFolder } from '../../../node-runtime/io/files/local-folder.ts';
import type { Hold } from '../../../node-runtime/io/files/local-places.ts';
import { child, ended, freshFolder, given, rules, source, textOf } from './support.ts';

const TRIES = 2_500;
const holds: Hold[] = process.platform === 'linux' ? ['descriptors', 'names'] : ['names'];

/** Swaps `inside/d` between a true folder and a link out, and `inside/f` between a file and a link out. */
const swapper = `
  const { renameSync, rmSync } = await import('node:fs');
  const base = process.argv[1];
  const at = (name) => base + '/' + name;
  // in the moment when the name is free, the sandbox may make a folder there: it is cleared away
  const put = (from, to) => {
    for (;;) {
      try { return renameSync(at(from), at(to)); }
      catch { try { rmSync(at(to), { recursive: true, force: true }); } catch {} }
    }
  };
  // true for a moment of any length, so that the sandbox also gets its work done
  const rest = () => { for (const end = performance.now() + Math.random() * 3; performance.now() < end; ); };
  process.stdout.write('up');
  for (;;) {
    renameSync(at('inside/d'), at('aside/folder')); put('aside/link', 'inside/d');
    renameSync(at('inside/f'), at('aside/file')); put('aside/flink', 'inside/f');
    renameSync(at('inside/d'), at('aside/link')); put('aside/folder', 'inside/d');
    renameSync(at('inside/f'), at('aside/flink')); put('aside/file', 'inside/f');
    rest();
  }`;

describe.each(holds)('a local folder held by %s, under a swapper', (hold) => {
  it(`keeps outside apart in ${TRIES} tries`, { timeout: 120_000 }, async () => {
    const base = realpathSync(freshFolder());
    for (const name of ['inside', 'inside/d', 'outside', 'aside']) mkdirSync(join(base, name));
    writeFileSync(join(base, 'inside/d/file'), 'inside');
    writeFileSync(join(base, 'inside/f'), 'inside');
    writeFileSync(join(base, 'outside/file'), 'SECRET');
    symlinkSync(join(base, 'outside'), join(base, 'aside/link'));
    symlinkSync(join(base, 'outside/file'), join(base, 'aside/flink'));
    const folder = given(await openLocalFolder({ directory: join(base, 'inside'), rules, hold }));

    const swaps = child(swapper, base);
    await new Promise((resolve) => swaps.stdout!.once('data', resolve));
    const outcomes = new Map<string, number>();
    for (let i = 0; i < TRIES; i++) {
      const outcome = await attempt(folder, i);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect(swaps.exitCode).toBeNull();
    swaps.kill('SIGKILL');
    await ended(swaps);

    expect(readFileSync(join(base, 'outside/file'), 'utf8')).toBe('SECRET');
    // held by names, a lost race may leave an empty temporary file there, but never a byte
    const strangers = readdirSync(join(base, 'outside')).filter((name) => name !== 'file');
    for (const name of strangers) {
      expect(hold === 'names' && name.startsWith('.binnacle-temp-')).toBe(true);
      expect(readFileSync(join(base, 'outside', name), 'utf8')).toBe('');
    }
    // the race was really run: both sides won it now and then
    expect(outcomes.get('read inside')).toBeGreaterThan(20);
    expect(outcomes.get('wrote')).toBeGreaterThan(20);
    expect(outcomes.get('path_refused')).toBeGreaterThan(20);
    expect(outcomes.has('read SECRET')).toBe(false);
  });
});

async function attempt(folder: LocalFolder, i: number): Promise<string> {
  if (i % 5 === 0) return written(folder, 'd/file');
  if (i % 5 === 1) return written(folder, `d/new${i % 50}`);
  if (i % 5 === 2) {
    const page = await folder.list('d');
    return 'code' in page ? page.code : 'listed';
  }
  const file = await folder.openFile(i % 5 === 3 ? 'd/file' : 'f');
  return 'code' in file ? file.code : `read ${await textOf(file.stream())}`;
}

async function written(folder: LocalFolder, path: string): Promise<string> {
  const entry = await folder.write(path, source('inside'), { bytesMax: 100 });
  return 'code' in entry ? entry.code : 'wrote';
}
