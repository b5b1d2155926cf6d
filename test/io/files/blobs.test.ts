/** The blob store: what has a name is whole, whatever happens while it is written. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Blobs, openBlobs } from '../../../node-runtime/io/files/blobs.ts';
import { DiskFull } from '../../../node-runtime/io/files/durable.ts';
import { afterThis, broken, child, ended, freshFolder, given, sha256, source, textOf, until } from './support.ts';

const incoming = (folder: string) => readdirSync(join(folder, 'incoming'));
const named = (folder: string) =>
  readdirSync(folder)
    .filter((prefix) => prefix.length === 2)
    .flatMap((prefix) => readdirSync(join(folder, prefix)).map((rest) => prefix + rest));
const open = async (): Promise<[Blobs, string]> => {
  const folder = join(freshFolder(), 'blobs');
  return [await openBlobs(folder), folder];
};

describe('the blob store', () => {
  it('keeps contents by their hash, read-only, and reads them whole or in part', async () => {
    const [blobs, folder] = await open();
    const content = given(
      await blobs.store(source('hello ', 'world'), { bytesMax: 100, expected: sha256('hello world') }),
    );
    expect(content).toEqual({ hash: sha256('hello world'), bytes: 11 });
    expect(await textOf(blobs.read(content.hash))).toBe('hello world');
    expect(await textOf(blobs.read(content.hash, { start: 6, end: 8 }))).toBe('wor');
    expect(statSync(blobs.path(content.hash)).mode & 0o777).toBe(0o400);
    expect([await blobs.has(content.hash), await blobs.has(sha256(''))]).toEqual([true, false]);
    expect(incoming(folder)).toEqual([]);
  });

  it('keeps an empty content', async () => {
    const [blobs] = await open();
    const { hash } = given(await blobs.store(source(), { bytesMax: 0 }));
    expect(await textOf(blobs.read(hash))).toBe('');
  });

  it('keeps one blob when the same content comes often and at once', async () => {
    const [blobs, folder] = await open();
    const all = await Promise.all(Array.from({ length: 8 }, () => blobs.store(source('same'), { bytesMax: 10 })));
    expect(new Set(all.map((each) => given(each).hash)).size).toBe(1);
    expect(named(folder)).toEqual([sha256('same')]);
  });

  it('refuses wrong checksums and too many bytes and keeps nothing of them', async () => {
    const [blobs, folder] = await open();
    expect(await blobs.store(source('a'), { bytesMax: 9, expected: sha256('b') })).toMatchObject({
      code: 'checksum_mismatch',
    });
    expect(await blobs.store(source('12345', '67890'), { bytesMax: 9 })).toMatchObject({ code: 'body_too_large' });
    await expect(blobs.store(broken('12345'), { bytesMax: 9 })).rejects.toThrow('connection lost');
    expect([named(folder), incoming(folder)]).toEqual([[], []]);
  });

  it('notices missing and damaged blobs, and mends one of the wrong length when its content comes again', async () => {
    const [blobs] = await open();
    const content = given(await blobs.store(source('precious'), { bytesMax: 10 }));
    expect(await blobs.verify(content.hash)).toBe('sound');
    expect(await blobs.lackOf(content)).toBeNull();
    truncateSync(blobs.path(content.hash), 3);
    expect(await blobs.verify(content.hash)).toBe('damaged');
    expect(await blobs.lackOf(content)).toMatchObject({ code: 'file_damaged' });
    await blobs.store(source('precious'), { bytesMax: 10 });
    expect(await blobs.verify(content.hash)).toBe('sound');
    expect(await blobs.verify(sha256('other'))).toBe('missing');
    expect(await blobs.lackOf({ hash: sha256('other'), bytes: 5 })).toMatchObject({ code: 'file_damaged' });
  });

  it('takes no path for a hash', async () => {
    const [blobs] = await open();
    expect(() => blobs.path('../../etc/passwd')).toThrow(/no hash/);
  });

  it('takes over a complete file', async () => {
    const [blobs, folder] = await open();
    const file = join(folder, '..', 'part');
    writeFileSync(file, 'whole');
    await blobs.adopt(file, { hash: sha256('whole'), bytes: 5 });
    expect(await blobs.verify(sha256('whole'))).toBe('sound');
    writeFileSync(file, 'whole');
    await blobs.adopt(file, { hash: sha256('whole'), bytes: 5 });
    expect(readdirSync(join(folder, '..'))).toEqual(['blobs']);
  });

  it('shows no half blob after kills in the middle, and removes what they left', async () => {
    const [, folder] = await open();
    const module = new URL('../../../node-runtime/io/files/blobs.ts', import.meta.url).href;
    const script = `
      const { openBlobs } = await import(${JSON.stringify(module)});
      const blobs = await openBlobs(process.argv[1]);
      for (let n = 0; ; n++) {
        async function* bytes() { for (let i = 0; i < 40; i++) yield Buffer.alloc(20_000, n + '.' + i + process.pid); }
        const { hash } = await blobs.store(bytes(), { bytesMax: 1e9 });
        process.stdout.write(hash + '\\n');
      }`;
    const acknowledged: string[] = [];
    let leftovers = 0;
    for (let round = 0; round < 12; round++) {
      const writer = child(script, folder);
      let told = '';
      writer.stdout!.on('data', (text) => (told += text));
      await until('a blob is told', () => told.includes('\n'));
      const target = told.length + 65 * (round % 4);
      await until('some more, ending inside one', () => told.length >= target && incoming(folder).length > 0);
      writer.kill('SIGKILL');
      await ended(writer);
      acknowledged.push(...told.split('\n').slice(0, -1));
      leftovers += incoming(folder).length;
    }
    expect(leftovers).toBeGreaterThan(0);
    const blobs = await openBlobs(folder);
    expect(incoming(folder)).toEqual([]);
    const there = named(folder);
    expect(there).toEqual(expect.arrayContaining(acknowledged));
    for (const hash of there) expect(await blobs.verify(hash)).toBe('sound');
  });

  it('leaves alone what a program that still runs is writing', async () => {
    const [, folder] = await open();
    const script = `setInterval(() => 0, 1000); process.stdout.write('up')`;
    const other = child(script);
    await new Promise((resolve) => other.stdout!.once('data', resolve));
    writeFileSync(join(folder, 'incoming', `${other.pid}-x`), 'half');
    writeFileSync(join(folder, 'incoming', '4194999-x'), 'half of a dead one');
    await openBlobs(folder);
    expect(incoming(folder)).toEqual([`${other.pid}-x`]);
  });

  it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
    'tells a full disk by its own type and leaves nothing half written',
    async () => {
      const disk = join(freshFolder(), 'disk');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
      afterThis(() => execFileSync('umount', [disk]));
      const blobs = await openBlobs(join(disk, 'blobs'));
      const kept = given(await blobs.store(source(Buffer.alloc(1024 ** 2, 'a')), { bytesMax: 1e9 }));
      async function* large() {
        for (let i = 0; i < 100; i++) yield Buffer.alloc(64 * 1024, `${i}`);
      }
      await expect(blobs.store(large(), { bytesMax: 1e9 })).rejects.toBeInstanceOf(DiskFull);
      expect([named(join(disk, 'blobs')), incoming(join(disk, 'blobs'))]).toEqual([[kept.hash], []]);
      given(await blobs.store(source(Buffer.alloc(2 * 1024 ** 2, 'b')), { bytesMax: 1e9 }));
    },
  );
});
