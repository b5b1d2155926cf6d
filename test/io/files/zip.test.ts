/** Zips are read by other programs; so they judge them here. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { openBlobs } from '../../../node-runtime/io/files/blobs.ts';
import { keptZipItem, type ZipItem, zipItems, zipStream } from '../../../node-runtime/io/files/zip.ts';
import { freshFolder, given, sha256, source, until } from './support.ts';

const at = Date.UTC(2026, 4, 17, 10, 20, 30);
const item = (path: string, content: Uint8Array | string, executable = false): ZipItem => ({
  path,
  bytes: Buffer.byteLength(content),
  at,
  executable,
  open: async () => source(content),
});

async function written(items: Iterable<ZipItem>): Promise<string> {
  const file = join(freshFolder(), 'made.zip');
  await pipeline(zipStream(items), createWriteStream(file));
  return file;
}

/** What Python's zipfile reads: it checks every checksum. */
function read(file: string): Record<string, { sha: string; mode: number; time: number[]; method: number }> {
  const script = `
import zipfile, hashlib, json, sys
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    print(json.dumps({i.filename: dict(sha=hashlib.sha256(z.read(i)).hexdigest(), mode=i.external_attr >> 16,
                                       time=list(i.date_time), method=i.compress_type) for i in z.infolist()}))`;
  return JSON.parse(execFileSync('python3', ['-c', script, file], { encoding: 'utf8', maxBuffer: 1e8 }));
}

describe('a zip', () => {
  it('gives every file back as it was, with unicode names, folders, modes and times', async () => {
    const large = randomBytes(300_000);
    const text = 'the same line again\n'.repeat(20_000);
    const contents: [string, Uint8Array | string][] = [
      ['größe/日本語/🚀 emoji.bin', large],
      ['text.log', text],
      ['photo.png', large],
      ['empty', ''],
    ];
    const items = contents.map(([path, content]) => item(path, content));
    const folder = { path: 'größe/leer/', bytes: 0, at, executable: false };
    const file = await written([...items, folder, item('run.sh', '#!/bin/sh\n', true)]);
    const found = read(file);
    for (const [path, content] of contents) expect(found[path]).toMatchObject({ sha: sha256(content), mode: 0o100644 });
    expect(found['run.sh']!.mode).toBe(0o100755);
    expect(found['größe/leer/']).toMatchObject({ mode: 0o040755 });
    expect(found['text.log']!.time).toEqual([2026, 5, 17, 10, 20, 30]);
    expect([found['photo.png']!.method, found['text.log']!.method]).toEqual([0, 8]);
    expect(readFileSync(file).length).toBeLessThan(2 * large.length + text.length / 10);
    expect(execFileSync('unzip', ['-tq', file], { encoding: 'utf8' })).toContain('No errors');
  });

  it('may be empty', async () => {
    expect(read(await written([]))).toEqual({});
  });

  it('holds more files than the old format could count', async () => {
    const many = Array.from({ length: 66_000 }, (_, i) => ({
      path: `d${i % 100}/f${i}/`,
      bytes: 0,
      at,
      executable: false,
    }));
    expect(Object.keys(read(await written(many))).length).toBe(66_000);
  });

  it('is readable with the large form of sizes', async () => {
    // announced as over 4 GiB, so written in that form; the content itself is small
    const file = await written([{ ...item('big.bin', 'x'.repeat(70_000)), bytes: 5 * 1024 ** 3 }, item('after', 'y')]);
    expect(read(file)).toMatchObject({ 'big.bin': { sha: sha256('x'.repeat(70_000)) }, after: { sha: sha256('y') } });
    expect(execFileSync('unzip', ['-tq', file], { encoding: 'utf8' })).toContain('No errors');
  });

  it('reads files no faster than it is read itself', async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 2_000; i++) {
        read += 64 * 1024;
        yield randomBytes(64 * 1024);
      }
    }
    const stream = zipStream([{ path: 'a.gz', bytes: 1, at, executable: false, open: async () => endless() }]);
    stream.read(1);
    await new Promise((resolve) => stream.once('readable', resolve));
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    expect(read).toBeLessThan(2 * 1024 ** 2);
    stream.destroy();
  });

  it('closes the file that is open when nobody reads on, and breaks when a file cannot be read', async () => {
    for (const path of ['a.txt', 'a.gz']) {
      const silent = new Readable({ read: () => undefined });
      const stream = zipStream([{ path, bytes: 5, at, executable: false, open: async () => silent }]);
      stream.resume();
      await until('the file is being read', () => silent.listenerCount('readable') > 0);
      stream.destroy();
      await until('both are closed', () => silent.closed && stream.closed);
    }
    const unreadable = { ...item('a', 'b'), open: () => Promise.reject(new Error('gone')) };
    await expect(written([unreadable])).rejects.toThrow('gone');
  });

  it('is refused when it would be too large', async () => {
    const half = { ...item('a', ''), bytes: limits.zipBytesMax / 2 };
    expect(given(await zipItems([half, half])).length).toBe(2);
    expect(await zipItems([half, half, { ...half, bytes: 1 }])).toMatchObject({ code: 'limit_reached' });
  });

  it('is made of kept files, and breaks rather than lack one', async () => {
    const blobs = await openBlobs(join(freshFolder(), 'blobs'));
    const content = given(await blobs.store(source('kept'), { bytesMax: 10 }));
    const line = { path: 'k.txt', at, file: { ...content, executable: false } };
    const file = await written([keptZipItem(blobs, line), keptZipItem(blobs, { path: 'f', at, file: null })]);
    expect(read(file)).toMatchObject({ 'k.txt': { sha: sha256('kept') }, 'f/': {} });
    const lost = { ...line, file: { ...line.file, hash: sha256('lost') } };
    await expect(written([keptZipItem(blobs, lost)])).rejects.toThrow(/missing/);
  });
});
