/**
 * A zip of many files as one stream, made while it is read.
 *
 * Files are compressed as they pass; at no time is more than a few chunks of
 * one file in memory, and a slow reader slows the reading of the files. Names
 * are UTF-8, times UTC, the executable bit is kept, and archives beyond 4 GiB
 * or 65,535 files use zip64. Sizes and checksums follow each file's bytes.
 * Paths are taken as they are: only checked sandbox paths may come in here.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createDeflateRaw } from 'node:zlib';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';
import type { Blobs, Source } from './blobs.ts';

export type KeptLine = {
  path: string;
  at: number;
  file: { hash: string; bytes: number; executable: boolean } | null;
};
export type ZipItem = {
  /** A folder's path ends with `/` and it has no `open`. */
  path: string;
  bytes: number;
  /** Wall time in ms. */
  at: number;
  executable: boolean;
  open?: () => Promise<Source>;
};

/** Files of a kept sandbox (and folders, which have no `file`), read from their blobs. */
export function keptZipItem(blobs: Blobs, line: KeptLine): ZipItem {
  const { path, at, file } = line;
  if (!file) return { path: `${path}/`, bytes: 0, at, executable: false };
  const open = async (): Promise<Source> => {
    const lack = await blobs.lackOf(file);
    if (lack) throw new Error(lack.detail);
    return blobs.read(file.hash);
  };
  return { path, bytes: file.bytes, at, executable: file.executable, open };
}

/** All items of a list, or `limit_reached` when they are too many or too large for one zip. */
export async function zipItems(source: AsyncIterable<ZipItem> | Iterable<ZipItem>): Promise<ZipItem[] | Refusal> {
  const items: ZipItem[] = [];
  let bytes = 0;
  for await (const item of source) {
    bytes += item.bytes;
    if (bytes > limits.zipBytesMax) return refuse('limit_reached', `A zip holds at most ${limits.zipBytesMax} bytes.`);
    if (items.length === limits.filesPerSandboxMax) {
      return refuse('limit_reached', `A zip holds at most ${limits.filesPerSandboxMax} files.`);
    }
    items.push(item);
  }
  return items;
}

/** Destroying the stream closes what is open. A file that cannot be read destroys it with that error. */
export function zipStream(items: Iterable<ZipItem> | AsyncIterable<ZipItem>): Readable {
  const held: Held = { source: null };
  const bytes = zipped(items, held);
  return new Readable({
    highWaterMark: 256 * 1024,
    read() {
      bytes.next().then(
        ({ done, value }) => this.push(done ? null : value),
        (error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      // the source goes first: a step that waits for its next bytes would wait for ever
      if (held.source instanceof Readable) held.source.destroy();
      bytes.return(undefined).catch(() => undefined); // it ends by the source's being destroyed
      done(error);
    },
  });
}

/** The file that is being read. */
type Held = { source: Source | null };
type Written = { item: ZipItem; name: Buffer; method: number; crc: number; packed: number; size: number; at: number };

const STORED = 0;
const DEFLATED = 8;
/** Names in UTF-8; of files, sizes and checksum in a trailer behind the bytes. */
const flagsOf = (entry: Written): number => (entry.item.open ? 0x0808 : 0x0800);
const ALREADY_PACKED = /\.(7z|avif|bz2|docx|gif|gz|jpe?g|mov|mp[34]|png|pptx|rar|webm|webp|xlsx|xz|zip|zst)$/i;
const LARGE = 0xffffffff;
/** Above this a file may pass 4 GiB in the worst case of compression. */
const MAY_BE_LARGE = 0xf0000000;

async function* zipped(
  items: Iterable<ZipItem> | AsyncIterable<ZipItem>,
  held: Held,
): AsyncGenerator<Buffer, undefined> {
  const written: Written[] = [];
  let position = 0;
  const told = (bytes: Buffer): Buffer => {
    position += bytes.length;
    return bytes;
  };
  for await (const item of items) {
    const method = item.open && !ALREADY_PACKED.test(item.path) ? DEFLATED : STORED;
    const name = Buffer.from(item.path);
    const entry: Written = { item, name, method, crc: 0, packed: 0, size: 0, at: position };
    yield told(localHeader(entry));
    held.source = item.open ? await item.open() : null;
    if (held.source) for await (const chunk of packed(entry, held.source)) yield told(chunk);
    if (item.open) yield told(trailer(entry));
    written.push(entry);
  }
  const start = position;
  for (const entry of written) yield told(centralHeader(entry));
  yield ending(written.length, start, position - start);
}

/** The bytes as they lie in the zip; fills in checksum and sizes. */
async function* packed(entry: Written, source: Source): AsyncGenerator<Buffer> {
  const read = counted(entry, source);
  for await (const chunk of entry.method === DEFLATED ? deflated(read) : read) {
    entry.packed += chunk.length;
    yield chunk;
  }
  const isLarge = entry.size > LARGE || entry.packed > LARGE;
  if (isLarge && !mayBeLarge(entry)) throw new Error(`"${entry.item.path}" grew while it was read`);
}

async function* counted(entry: Written, source: Source): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    entry.crc = crc32(bytes, entry.crc);
    entry.size += bytes.length;
    yield bytes;
  }
}

async function* deflated(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const deflate = createDeflateRaw({ level: 4, chunkSize: 64 * 1024 });
  const fed = pipeline(source, deflate);
  // an error of the source also comes out of `deflate`; here it only must not go unheard
  fed.catch(() => undefined);
  try {
    for await (const chunk of deflate) yield chunk as Buffer;
    await fed;
  } finally {
    deflate.destroy();
  }
}

const mayBeLarge = (entry: Written): boolean => entry.item.bytes >= MAY_BE_LARGE;

function localHeader(entry: Written): Buffer {
  const large = mayBeLarge(entry) ? extraField(0x0001, Buffer.alloc(16)) : Buffer.alloc(0);
  const extra = Buffer.concat([timeField(entry), large]);
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(45, 4);
  head.writeUInt16LE(flagsOf(entry), 6);
  head.writeUInt16LE(entry.method, 8);
  head.writeUInt32LE(dosTime(entry.item.at), 10);
  // checksum and sizes stay 0 (all ones for zip64): they are in the trailer
  if (large.length > 0) head.fill(0xff, 18, 26);
  head.writeUInt16LE(entry.name.length, 26);
  head.writeUInt16LE(extra.length, 28);
  return Buffer.concat([head, entry.name, extra]);
}

function trailer(entry: Written): Buffer {
  const isLarge = mayBeLarge(entry);
  const tail = Buffer.alloc(isLarge ? 24 : 16);
  tail.writeUInt32LE(0x08074b50, 0);
  tail.writeUInt32LE(entry.crc, 4);
  if (isLarge) {
    tail.writeBigUInt64LE(BigInt(entry.packed), 8);
    tail.writeBigUInt64LE(BigInt(entry.size), 16);
  } else {
    tail.writeUInt32LE(entry.packed, 8);
    tail.writeUInt32LE(entry.size, 12);
  }
  return tail;
}

function centralHeader(entry: Written): Buffer {
  const { item, name } = entry;
  const isLarge = mayBeLarge(entry) || entry.at >= LARGE;
  const sizes = isLarge ? [entry.size, entry.packed, entry.at].map(uint64) : [];
  const extra = Buffer.concat([timeField(entry), ...(isLarge ? [extraField(0x0001, Buffer.concat(sizes))] : [])]);
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  head.writeUInt16LE((3 << 8) | 45, 4); // made on a system with Unix modes
  head.writeUInt16LE(45, 6);
  head.writeUInt16LE(flagsOf(entry), 8);
  head.writeUInt16LE(entry.method, 10);
  head.writeUInt32LE(dosTime(item.at), 12);
  head.writeUInt32LE(entry.crc, 16);
  head.writeUInt32LE(isLarge ? LARGE : entry.packed, 20);
  head.writeUInt32LE(isLarge ? LARGE : entry.size, 24);
  head.writeUInt16LE(name.length, 28);
  head.writeUInt16LE(extra.length, 30);
  const mode = item.open ? 0o100000 | (item.executable ? 0o755 : 0o644) : 0o040755;
  head.writeUInt32LE(((mode << 16) | (item.open ? 0 : 0x10)) >>> 0, 38);
  head.writeUInt32LE(isLarge ? LARGE : entry.at, 42);
  return Buffer.concat([head, name, extra]);
}

/** End of the directory, with its zip64 form before it when a number does not fit. */
function ending(count: number, start: number, bytes: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, 0xffff), 8);
  end.writeUInt16LE(Math.min(count, 0xffff), 10);
  end.writeUInt32LE(Math.min(bytes, LARGE), 12);
  end.writeUInt32LE(Math.min(start, LARGE), 16);
  if (count < 0xffff && bytes < LARGE && start < LARGE) return end;
  const large = Buffer.alloc(56);
  large.writeUInt32LE(0x06064b50, 0);
  large.writeBigUInt64LE(44n, 4);
  large.writeUInt16LE((3 << 8) | 45, 12);
  large.writeUInt16LE(45, 14);
  for (const [at, value] of [count, count, bytes, start].entries()) uint64(value).copy(large, 24 + at * 8);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  uint64(start + bytes).copy(locator, 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([large, locator, end]);
}

/** "UT": the time in seconds since 1970, without a zone. */
function timeField(entry: Written): Buffer {
  const body = Buffer.alloc(5);
  body.writeUInt8(1, 0);
  body.writeInt32LE(Math.max(0, Math.min(0x7fffffff, Math.floor(entry.item.at / 1000))), 1);
  return extraField(0x5455, body);
}

function extraField(id: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(id, 0);
  head.writeUInt16LE(body.length, 2);
  return Buffer.concat([head, body]);
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** Time below, date above, in steps of two seconds from 1980. */
function dosTime(at: number): number {
  const time = new Date(at);
  const year = Math.max(1980, Math.min(2107, time.getUTCFullYear()));
  const day = ((year - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate();
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1);
  return ((day << 16) | clock) >>> 0;
}
