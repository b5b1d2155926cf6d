/** Uploads go on after breaks, kills and restarts, from where they truly stand. */
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { Upload } from '../../../node-runtime/contract/model.ts';
import { type Blobs, openBlobs } from '../../../node-runtime/io/files/blobs.ts';
import { openUploads, type Uploads } from '../../../node-runtime/io/files/uploads.ts';
import { broken, child, ended, freshFolder, given, sha256, source, textOf, until } from './support.ts';

const who = { sandbox: 'lab', by: 'user:ada' };
const ask = (bytes: number, more = {}) => ({ sandbox: 'lab', path: 'a/b.bin', bytes, ...more });

class Bench {
  folder = freshFolder();
  now = Date.UTC(2026, 0, 1);
  blobs!: Blobs;
  uploads!: Uploads;

  static async open(): Promise<Bench> {
    const bench = new Bench();
    await bench.reopen();
    return bench;
  }

  async reopen(): Promise<void> {
    this.blobs = await openBlobs(join(this.folder, 'blobs'));
    this.uploads = await openUploads(this.parts, this.blobs, () => this.now);
  }

  get parts(): string {
    return join(this.folder, 'uploads');
  }

  async begin(bytes: number, more = {}): Promise<string> {
    return given(await this.uploads.create(ask(bytes, more), 'user:ada')).id;
  }

  offset(id: string): number {
    return given(this.uploads.status(id, who)).offset;
  }
}

describe('an upload', () => {
  it('becomes a blob when all its chunks are here, and is forgotten when that is journaled', async () => {
    const bench = await Bench.open();
    const id = await bench.begin(10, { hash: sha256('0123456789'), executable: true, ifAbsent: true });
    expect(Upload.parse(bench.uploads.status(id, who))).toMatchObject({ offset: 0, bytes: 10, path: 'a/b.bin' });
    expect(await bench.uploads.append(id, who, 0, source('0123'))).toMatchObject({ offset: 4 });
    expect(await bench.uploads.complete(id, who)).toMatchObject({
      code: 'upload_incomplete',
      detail: '4 of 10 bytes are here.',
    });
    expect(await bench.uploads.append(id, who, 4, source('45', '6789'))).toMatchObject({ offset: 10 });
    const done = given(await bench.uploads.complete(id, who));
    expect(done).toEqual({
      content: { hash: sha256('0123456789'), bytes: 10 },
      ask: ask(10, { hash: sha256('0123456789'), executable: true, ifAbsent: true }),
    });
    expect(await bench.blobs.verify(done.content.hash)).toBe('sound');
    expect(await bench.uploads.complete(id, who)).toEqual(done);
    await bench.reopen();
    expect(await bench.uploads.complete(id, who)).toEqual(done);
    await bench.uploads.forget(id);
    expect(await bench.uploads.complete(id, who)).toMatchObject({ code: 'upload_unknown' });
    expect(readdirSync(bench.parts)).toEqual([]);
  });

  it('of nothing is complete at once', async () => {
    const bench = await Bench.open();
    expect(given(await bench.uploads.complete(await bench.begin(0), who)).content).toEqual({
      hash: sha256(''),
      bytes: 0,
    });
  });

  it('says the right offset to a chunk that comes at a wrong one', async () => {
    const bench = await Bench.open();
    const id = await bench.begin(10);
    await bench.uploads.append(id, who, 0, source('0123'));
    for (const wrong of [0, 3, 5, 10]) {
      expect(await bench.uploads.append(id, who, wrong, source('x'))).toEqual({
        code: 'upload_offset',
        detail: `The upload goes on at 4, not ${wrong}.`,
      });
    }
    expect(bench.offset(id)).toBe(4);
  });

  it('refuses a chunk that is too large or goes past the end, and keeps none of it', async () => {
    const bench = await Bench.open();
    const id = await bench.begin(limits.chunkBytesMax * 2);
    await bench.uploads.append(id, who, 0, source('01'));
    const mebibyte = Buffer.alloc(1024 ** 2);
    const large = source(...Array.from({ length: 8 }, () => mebibyte), 'x');
    expect(await bench.uploads.append(id, who, 2, large)).toMatchObject({ code: 'body_too_large' });
    expect(bench.offset(id)).toBe(2);
    const small = await bench.begin(3, { hash: sha256('abc') });
    expect(await bench.uploads.append(small, who, 0, source('ab', 'cd'))).toMatchObject({ code: 'bad_request' });
    expect(await bench.uploads.append(small, who, 0, source('abc'))).toMatchObject({ offset: 3 });
    expect(given(await bench.uploads.complete(small, who)).content.hash).toBe(sha256('abc'));
  });

  it('keeps what came of a chunk that broke off, and goes on behind it', async () => {
    const bench = await Bench.open();
    const id = await bench.begin(10, { hash: sha256('0123456789') });
    await expect(bench.uploads.append(id, who, 0, broken('012', '34'))).rejects.toThrow(/broke off/);
    expect(bench.offset(id)).toBe(5);
    await bench.uploads.append(id, who, 5, source('56789'));
    expect(given(await bench.uploads.complete(id, who)).content.hash).toBe(sha256('0123456789'));
  });

  it('is taken over by a newer request when an older one hangs on a dead connection', async () => {
    const bench = await Bench.open();
    const id = await bench.begin(10, { hash: sha256('0123456789') });
    async function* hanging(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('0123');
      await new Promise(() => undefined);
    }
    const older = bench.uploads.append(id, who, 0, hanging());
    const part = join(bench.parts, `${id}.part`);
    await until('the first bytes are written', () => readFileSync(part).length === 4);
    expect(await bench.uploads.append(id, who, 0, source('x'))).toMatchObject({
      code: 'upload_offset',
      detail: /at 4/,
    });
    expect(await older).toMatchObject({ code: 'upload_offset' });
    expect(await bench.uploads.append(id, who, 4, source('456789'))).toMatchObject({ offset: 10 });
    given(await bench.uploads.complete(id, who));
  });

  it('begins again at zero when its checksum is wrong', async () => {
    const bench = await Bench.open();
    const id = await bench.begin(3, { hash: sha256('abc') });
    await bench.uploads.append(id, who, 0, source('abX'));
    expect(await bench.uploads.complete(id, who)).toMatchObject({ code: 'checksum_mismatch' });
    expect(bench.offset(id)).toBe(0);
    await bench.uploads.append(id, who, 0, source('abc'));
    given(await bench.uploads.complete(id, who));
  });

  it('belongs to one sandbox and to who began it', async () => {
    const bench = await Bench.open();
    const id = await bench.begin(3);
    for (const other of [
      { ...who, sandbox: 'other' },
      { ...who, by: 'user:eve' },
    ]) {
      expect(bench.uploads.status(id, other)).toMatchObject({ code: 'upload_unknown' });
      expect(await bench.uploads.append(id, other, 0, source('abc'))).toMatchObject({ code: 'upload_unknown' });
      expect(await bench.uploads.complete(id, other)).toMatchObject({ code: 'upload_unknown' });
      expect(await bench.uploads.cancel(id, other)).toMatchObject({ code: 'upload_unknown' });
    }
    expect(bench.uploads.status('../../etc/passwd', who)).toMatchObject({ code: 'upload_unknown' });
    expect(await bench.uploads.cancel(id, who)).toBeNull();
    expect(readdirSync(bench.parts)).toEqual([]);
  });

  it('is dropped when nobody touches it for long, and never while it is used', async () => {
    const bench = await Bench.open();
    const idle = await bench.begin(3);
    bench.now += limits.uploadIdleMs / 2;
    const used = await bench.begin(3);
    bench.now += limits.uploadIdleMs / 2;
    expect(bench.uploads.status(idle, who)).toMatchObject({ code: 'upload_unknown' });
    await bench.uploads.expire();
    expect(existsSync(join(bench.parts, `${idle}.part`))).toBe(false);
    await bench.uploads.append(used, who, 0, source('a'));
    bench.now += limits.uploadIdleMs - 1;
    await bench.uploads.expire();
    expect(bench.offset(used)).toBe(1);
  });

  it('is not begun beyond the limits of number, size and room', async () => {
    const bench = await Bench.open();
    const many = await Promise.all(
      Array.from({ length: limits.uploadsOpenMax + 5 }, () => bench.uploads.create(ask(1), 'user:ada')),
    );
    expect(many.filter((each) => 'code' in each).map((each) => 'code' in each && each.code)).toEqual(
      Array(5).fill('too_many'),
    );
    await bench.uploads.cancel((many[0] as Upload).id, who);
    expect(await bench.uploads.create(ask(limits.fileBytesMax + 1), 'u')).toMatchObject({ code: 'limit_reached' });
  });

  it('goes into a directory without becoming a blob', async () => {
    const bench = await Bench.open();
    const id = await bench.begin(5);
    await bench.uploads.append(id, who, 0, source('local'));
    const refused = await bench.uploads.completeInto(id, who, async () => ({ code: 'file_exists', detail: 'x' }));
    expect(refused).toMatchObject({ code: 'file_exists' });
    const kept = await bench.uploads.completeInto(id, who, async (bytes, its) => ({ text: await textOf(bytes), its }));
    expect(kept).toMatchObject({ text: 'local', its: { path: 'a/b.bin' } });
    expect(readdirSync(bench.parts)).toEqual([]);
  });

  it('never claims more after a stop than is there', async () => {
    const bench = await Bench.open();
    const [longer, shorter, gone] = [await bench.begin(10), await bench.begin(10), await bench.begin(10)];
    for (const id of [longer, shorter, gone]) await bench.uploads.append(id, who, 0, source('01234'));
    writeFileSync(join(bench.parts, `${longer}.part`), '01234unsynced');
    truncateSync(join(bench.parts, `${shorter}.part`), 2);
    truncateSync(join(bench.parts, `${gone}.json`), 7);
    writeFileSync(join(bench.parts, 'stranger.part'), 'x');
    await bench.reopen();
    expect([bench.offset(longer), bench.offset(shorter)]).toEqual([5, 2]);
    expect(bench.uploads.status(gone, who)).toMatchObject({ code: 'upload_unknown' });
    expect(readdirSync(bench.parts).length).toBe(4);
    await bench.uploads.append(longer, who, 5, source('56789'));
    expect(given(await bench.uploads.complete(longer, who)).content.hash).toBe(sha256('0123456789'));
  });

  it('is finished through kills at any moment, and every acknowledged byte is kept', async () => {
    const bench = await Bench.open();
    const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, i) => (i * 31 + (i >> 8)) % 251));
    const id = await bench.begin(bytes.length, { hash: sha256(bytes) });
    const module = (name: string) =>
      JSON.stringify(new URL(`../../../node-runtime/io/files/${name}`, import.meta.url).href);
    const script = `
      const { openBlobs } = await import(${module('blobs.ts')});
      const { openUploads } = await import(${module('uploads.ts')});
      const [, folder, id] = process.argv;
      const uploads = await openUploads(folder + '/uploads', await openBlobs(folder + '/blobs'), () => ${bench.now});
      const who = { sandbox: 'lab', by: 'user:ada' };
      const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, i) => (i * 31 + (i >> 8)) % 251));
      async function* chunk(at) { for (let i = at; i < Math.min(at + 4_000, bytes.length); i += 333) yield bytes.subarray(i, Math.min(i + 333, at + 4_000, bytes.length)); }
      for (let { offset } = uploads.status(id, who); offset < bytes.length; ) {
        ({ offset } = await uploads.append(id, who, offset, chunk(offset)));
        process.stdout.write(offset + '\\n');
      }`;
    let acknowledged = 0;
    for (let round = 0; round < 6; round++) {
      const writer = child(script, bench.folder, id);
      let told = '';
      writer.stdout!.on('data', (text) => (told += text));
      await until(
        'chunks are acknowledged',
        () => told.split('\n').length > 1 + (round % 4) || writer.exitCode !== null,
      );
      writer.kill('SIGKILL');
      await ended(writer);
      acknowledged = Number(told.trim().split('\n').at(-1)) || acknowledged;
      await bench.reopen();
      expect(bench.offset(id)).toBeGreaterThanOrEqual(acknowledged);
    }
    expect(acknowledged).toBeGreaterThan(0);
    for (let at = bench.offset(id); at < bytes.length; at = bench.offset(id)) {
      given(await bench.uploads.append(id, who, at, source(bytes.subarray(at, at + 100_000))));
    }
    expect(given(await bench.uploads.complete(id, who)).content).toEqual({ hash: sha256(bytes), bytes: bytes.length });
  });
});
