/**
 * Reads a write-ahead log before SQLite does, and tells a torn tail from damage.
 *
 * SQLite ends its reading at the first frame that does not verify and calls
 * everything after it unwritten: right after a power cut, silent loss after a
 * flipped bit. A transaction's frames are written only when the one before is
 * synced; so a bad frame with a *later transaction* behind it is damage, and a
 * bad frame in the last transaction may be a write that was cut. Changes
 * nothing. Format: https://sqlite.org/fileformat2.html#the_write_ahead_log
 *
 * Leaves out checksums in big-endian words: no platform of ours writes them.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

export type WalFinding =
  /** No frames of any use: no file, or a header that was never finished. */
  | { kind: 'empty'; cut: boolean }
  /** Good up to `goodBytes`; `torn` when a cut transaction follows there. */
  | { kind: 'whole' | 'torn'; goodBytes: number; goodFrames: number }
  | { kind: 'damaged'; sentence: string };

const headerBytes = 32;
const frameHeaderBytes = 24;
const framesAtOnce = 256;
const magic = 0x377f0682;
const formatVersion = 3007000;

type Sum = { a: number; b: number };

/** SQLite's checksum, continued over `bytes` (a multiple of 8, 4-byte aligned). */
function sumOver(from: Sum, bytes: Buffer): Sum {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  let a = from.a | 0;
  let b = from.b | 0;
  for (let at = 0; at < words.length; at += 2) {
    a = (a + words[at]! + b) | 0;
    b = (b + words[at + 1]! + a) | 0;
  }
  return { a, b };
}

const storedSum = (bytes: Buffer, at: number): Sum => ({ a: bytes.readInt32BE(at), b: bytes.readInt32BE(at + 4) });
const equal = (one: Sum, other: Sum): boolean => one.a === other.a && one.b === other.b;

/** True when one bit of `bytes`, turned, makes `holds` true; the bit stays turned then. */
function oneBitMends(bytes: Buffer, holds: () => boolean): boolean {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    if (holds()) return true;
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
  return false;
}

const zeroSum: Sum = { a: 0, b: 0 };
const headerHolds = (header: Buffer): boolean =>
  header.readUInt32BE(0) === magic &&
  header.readUInt32BE(4) === formatVersion &&
  equal(sumOver(zeroSum, header.subarray(0, 24)), storedSum(header, 24));

export function checkWal(path: string): WalFinding {
  if (!existsSync(path)) return { kind: 'empty', cut: false };
  const file = openSync(path, 'r');
  try {
    const size = fstatSync(file).size;
    if (size < headerBytes) return { kind: 'empty', cut: size > 0 };
    const header = Buffer.alloc(headerBytes);
    readSync(file, header, 0, headerBytes, 0);
    if (!headerHolds(header)) return checkHeader(file, size, header);
    return new FrameWalk(header).over(file, size);
  } finally {
    closeSync(file);
  }
}

/** A bad header hides every frame from SQLite: only a restart of the log that was cut may be passed over. */
function checkHeader(file: number, size: number, header: Buffer): WalFinding {
  if (size === headerBytes || isAllZero(file, size)) return { kind: 'empty', cut: true };
  const mended = Buffer.from(header);
  if (!oneBitMends(mended, () => headerHolds(mended)) && isRestartCut(file, size, header)) {
    return { kind: 'empty', cut: true };
  }
  return { kind: 'damaged', sentence: 'its header (byte 0) does not match its checksum, and frames follow it' };
}

function isAllZero(file: number, size: number): boolean {
  const chunk = Buffer.alloc(1 << 16);
  for (let at = 0; at < size; at += chunk.length) {
    const read = readSync(file, chunk, 0, chunk.length, at);
    for (let i = 0; i < read; i++) if (chunk[i] !== 0) return false;
  }
  return true;
}

/**
 * When SQLite begins the log anew it writes a new header over the old one;
 * everything in the log is in the main file by then. If that write was cut, the
 * front is of the new header and the rest of the old, which can be rebuilt from
 * the salts of the first frame and proved by that frame's checksum.
 */
function isRestartCut(file: number, size: number, seen: Buffer): boolean {
  const pageBytes = seen.readUInt32BE(8);
  const frameBytes = frameHeaderBytes + pageBytes;
  if (pageBytes < 512 || pageBytes > 65_536 || size < headerBytes + frameBytes) return false;
  const frame = Buffer.alloc(frameBytes);
  readSync(file, frame, 0, frameBytes, headerBytes);
  for (const back of [0, 1]) {
    const old = headerOf(pageBytes, (seen.readUInt32BE(12) - back) >>> 0, frame.subarray(8, 16));
    const sum = sumOver(sumOver(storedSum(old, 24), frame.subarray(0, 8)), frame.subarray(frameHeaderBytes));
    if (equal(sum, storedSum(frame, 16))) return isMixOf(seen, old);
  }
  return false;
}

function headerOf(pageBytes: number, restarts: number, salts: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  for (const [at, value] of [magic, formatVersion, pageBytes, restarts].entries()) header.writeUInt32BE(value, at * 4);
  salts.copy(header, 16);
  const sum = sumOver(zeroSum, header.subarray(0, 24));
  header.writeInt32BE(sum.a, 24);
  header.writeInt32BE(sum.b, 28);
  return header;
}

/** Front of the header that follows `old` (its second salt is random), rest of `old`. */
function isMixOf(seen: Buffer, old: Buffer): boolean {
  const next = Buffer.from(old);
  next.writeUInt32BE((old.readUInt32BE(12) + 1) >>> 0, 12);
  next.writeUInt32BE((old.readUInt32BE(16) + 1) >>> 0, 16);
  for (let cut = 1; cut < headerBytes; cut++) {
    const known = Math.min(cut, 20);
    if (seen.compare(old, cut, headerBytes, cut, headerBytes) !== 0) continue;
    if (seen.compare(next, 0, known, 0, known) === 0) return true;
  }
  return false;
}

type Frame = { page: number; isCommit: boolean };
type Bad = { frame: number; offset: number; computed: Sum; commits: number; twice: boolean };

/** One pass over all frames; after the first bad one it looks for what follows. */
class FrameWalk {
  private readonly salts: Buffer;
  private readonly pageBytes: number;
  /** Checksum of the frame before. */
  private sum: Sum;
  private goodFrames = 0;
  /** Frames of this generation of the log, also uncommitted ones. */
  private lastOurs = 0;
  /** Pages of the transaction that is open here: none can be in it twice. */
  private pages = new Set<number>();
  private bad: Bad | null = null;
  /** The frame before, when only the next one can tell whether it was written whole. */
  private unsure: Frame | null = null;

  constructor(header: Buffer) {
    this.pageBytes = header.readUInt32BE(8);
    this.salts = Buffer.from(header.subarray(16, 24));
    this.sum = storedSum(header, 24);
  }

  over(file: number, size: number): WalFinding {
    const frameBytes = frameHeaderBytes + this.pageBytes;
    const block = Buffer.alloc(frameBytes * framesAtOnce);
    let frame = 0;
    for (let at = headerBytes; at + frameBytes <= size; ) {
      const read = readSync(file, block, 0, block.length, at);
      const whole = Math.floor(read / frameBytes);
      if (whole === 0) break;
      for (let i = 0; i < whole; i++) {
        frame += 1;
        const offset = at + i * frameBytes;
        if (this.take(frame, offset, block.subarray(i * frameBytes, (i + 1) * frameBytes))) return this.damage();
      }
      at += whole * frameBytes;
    }
    const goodBytes = this.goodFrames === 0 ? headerBytes : headerBytes + this.goodFrames * frameBytes;
    const torn = this.lastOurs > this.goodFrames || (size > goodBytes && size < goodBytes + frameBytes);
    return { kind: torn ? 'torn' : 'whole', goodBytes, goodFrames: this.goodFrames };
  }

  /** True when this frame proves damage before it. */
  private take(number: number, offset: number, bytes: Buffer): boolean {
    const ours = bytes.compare(this.salts, 0, 8, 8, 16) === 0;
    if (ours) this.lastOurs = number;
    if (this.bad && !ours) this.unsure = null;
    if (this.bad) return ours && this.takeAfterBad(number, bytes);
    const page = bytes.readUInt32BE(0);
    const computed = this.sumOf(this.sum, bytes);
    if (!ours || page === 0 || !equal(computed, storedSum(bytes, 16))) {
      this.bad = { frame: number, offset, computed, commits: 0, twice: false };
      if (equal(computed, storedSum(bytes, 16))) this.note(page);
      if (this.isCommitThoughBad(bytes, ours, computed)) this.bad.commits = 1;
      this.sum = storedSum(bytes, 16);
      return false;
    }
    this.sum = computed;
    this.pages.add(page);
    if (bytes.readUInt32BE(4) !== 0) {
      this.goodFrames = number;
      this.pages.clear();
    }
    return false;
  }

  private takeAfterBad(number: number, bytes: Buffer): boolean {
    const bad = this.bad!;
    const stored = storedSum(bytes, 16);
    const frame = { page: bytes.readUInt32BE(0), isCommit: bytes.readUInt32BE(4) !== 0 };
    const holdsBySums = equal(this.sumOf(this.sum, bytes), stored);
    const holds = holdsBySums || (number === bad.frame + 1 && equal(this.sumOf(bad.computed, bytes), stored));
    // A frame that continues the checksum of the one before proves that one's header as well.
    const before = holdsBySums ? this.unsure : null;
    this.unsure = holds ? null : frame;
    this.sum = stored;
    if (before && this.isLater(before)) return true;
    return holds && this.isLater(frame);
  }

  /** Counts a frame found behind the bad one; true when it shows that a later transaction was written. */
  private isLater({ page, isCommit }: Frame): boolean {
    const bad = this.bad!;
    if (bad.commits > 0) return isCommit;
    this.note(page);
    if (isCommit) bad.commits = 1;
    return isCommit && bad.twice;
  }

  private note(page: number): void {
    if (this.pages.has(page)) this.bad!.twice = true;
    this.pages.add(page);
  }

  /** Whether the bad frame ended a transaction, also when the bit that says so is the one that was turned. */
  private isCommitThoughBad(bytes: Buffer, ours: boolean, computed: Sum): boolean {
    const stored = storedSum(bytes, 16);
    const isHeaderThere = ours || equal(computed, stored);
    if (isHeaderThere && bytes.readUInt32BE(4) !== 0) return true;
    const mended = Buffer.from(bytes.subarray(0, 8));
    const page = bytes.subarray(frameHeaderBytes);
    const holds = () => equal(sumOver(sumOver(this.sum, mended), page), stored);
    return ours && oneBitMends(mended, holds) && mended.readUInt32BE(4) !== 0;
  }

  private sumOf(from: Sum, bytes: Buffer): Sum {
    return sumOver(sumOver(from, bytes.subarray(0, 8)), bytes.subarray(frameHeaderBytes));
  }

  private damage(): WalFinding {
    const { frame, offset } = this.bad!;
    return {
      kind: 'damaged',
      sentence:
        `frame ${frame} at byte ${offset} does not match its checksum although later transactions follow it; ` +
        `the ${this.goodFrames} frames up to the last whole transaction before it can be read`,
    };
  }
}
