/**
 * The write-ahead log after a crash: what a cut write leaves is cut, what a
 * flipped bit does is refused, and nothing acknowledged vanishes silently.
 *
 * The logs are real ones, left by a process that killed itself. With pages of
 * 512 bytes a frame is 536 bytes long, so that every byte can be a place to cut.
 */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../../node-runtime/io/journal/opening.ts';
import { checkWal } from '../../../node-runtime/io/journal/wal.ts';
import { textAt } from './entries-maker.ts';
import { bytesOf, chance, freshFolder } from './folders.ts';
import { acknowledged, startAppender } from './processes.ts';

const each = 2;
type Left = { files: Map<string, Buffer>; log: Buffer; frameBytes: number; commits: number[] };

/** Runs `steps` transactions of two entries in a process that then kills itself; gives what it left. */
async function leftBy(pageBytes: number, steps: number): Promise<Left> {
  const folder = freshFolder('fast');
  closeAll(openStore(folder));
  const database = new SQLite(join(folder, 'journal.db'));
  database.exec(`PRAGMA journal_mode = DELETE; PRAGMA page_size = ${pageBytes}; VACUUM; PRAGMA journal_mode = WAL`);
  database.close();
  const appender = startAppender([folder, 'steps', steps, each]);
  await appender.ended;
  expect(acknowledged(appender.lines())).toBe(steps * each);
  const files = bytesOf(folder);
  const log = files.get('journal.db-wal')!;
  const frameBytes = pageBytes + 24;
  const commits: number[] = [];
  for (let at = 32, frame = 1; at < log.length; at += frameBytes, frame++)
    if (log.readUInt32BE(at + 4) !== 0) commits.push(frame);
  expect(commits).toHaveLength(steps);
  return { files, log, frameBytes, commits };
}
const endOf = (left: Left, transaction: number): number => 32 + left.commits[transaction - 1]! * left.frameBytes;

function closeAll(store: ReturnType<typeof openStore>): void {
  for (const database of [store.journal, store.history, store.audit, store.lock]) database.close();
}
function write(folder: string, left: Left, log: Buffer): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, bytes] of left.files) writeFileSync(join(folder, name), bytes);
  writeFileSync(join(folder, 'journal.db-wal'), log);
}
/** Entries found on opening, or 'refused' with every byte as it was. */
function openWith(folder: string, left: Left, log: Buffer): { texts: string[]; notes: string[] } | 'refused' {
  write(folder, left, log);
  const before = bytesOf(folder);
  try {
    const store = openStore(folder);
    const texts = store.journal.prepare<[], string>('SELECT text FROM entries ORDER BY idx').pluck().all();
    closeAll(store);
    return { texts, notes: store.opened.notes };
  } catch (error) {
    expect(error).toMatchObject({ code: 'journal_damaged' });
    expect((error as Error).message).toMatch(/journal\.db-wal.* at byte|header \(byte 0\)/);
    expect(bytesOf(folder)).toEqual(before);
    return 'refused';
  }
}
const textsUpTo = (count: number): string[] => Array.from({ length: count }, (_, i) => textAt(i + 1));

let small: Left;
let usual: Left;
beforeAll(async () => {
  [small, usual] = await Promise.all([leftBy(512, 12), leftBy(4096, 14)]);
});

describe('a log that ends in the middle of a write', () => {
  test('cut at every byte of the last frames: whole transactions are there, the rest is cut with a note', {
    timeout: 120_000, // thousands of openings, on a machine that may do other things
  }, () => {
    const folder = freshFolder('fast');
    for (let bytes = endOf(small, 11) - small.frameBytes; bytes <= small.log.length; bytes++) {
      const whole = small.commits.filter((_, at) => endOf(small, at + 1) <= bytes).length;
      const found = openWith(folder, small, small.log.subarray(0, bytes));
      expect([bytes, found]).toEqual([bytes, { texts: textsUpTo(whole * each), notes: expect.any(Array) }]);
      const isCut = bytes !== endOf(small, whole);
      expect([bytes, (found as { notes: string[] }).notes.length]).toEqual([bytes, isCut ? 1 : 0]);
    }
  });

  test('cut anywhere in the whole log: the check finds the last whole transaction', () => {
    const path = join(freshFolder('fast'), 'log');
    for (let bytes = 0; bytes <= small.log.length; bytes += bytes < endOf(small, 8) ? 11 : 1) {
      writeFileSync(path, small.log.subarray(0, bytes));
      const whole = small.commits.filter((_, at) => endOf(small, at + 1) <= bytes).length;
      const found = checkWal(path);
      expect(found.kind, `byte ${bytes}`).not.toBe('damaged');
      if (found.kind === 'whole' || found.kind === 'torn') {
        expect([bytes, found.goodFrames]).toEqual([bytes, whole === 0 ? 0 : small.commits[whole - 1]]);
      }
    }
  });

  test('any sectors of the last transaction missing: the transactions before it are there', () => {
    const folder = freshFolder('fast');
    const random = chance(7);
    const from = endOf(small, 11);
    for (let round = 0; round < 100; round++) {
      const log = Buffer.from(small.log);
      for (let at = from; at < log.length; at += 64)
        if (random(3) === 0) log.fill(0, at, Math.min(at + 64, log.length));
      const found = openWith(folder, small, log);
      expect([round, found === 'refused' ? found : found.texts.length >= 22]).toEqual([round, true]);
    }
  });

  test('what was cut cannot come back, and what is appended after it stays', async () => {
    const folder = freshFolder('fast');
    write(folder, small, small.log.subarray(0, small.log.length - 1));
    const first = openStore(folder);
    expect(statSync(join(folder, 'journal.db-wal')).size).toBe(endOf(small, 11));
    closeAll(first);
    for (let life = 0; life < 3; life++) {
      const appender = startAppender([folder, 'steps', 2, each]);
      await appender.ended;
      expect(acknowledged(appender.lines())).toBe((11 + 2 * (life + 1)) * each);
    }
    const store = openStore(folder);
    expect(store.opened.notes).toEqual([]);
    expect(store.journal.prepare('SELECT text FROM entries ORDER BY idx').pluck().all()).toEqual(textsUpTo(17 * each));
    closeAll(store);
  });
});

describe('a bit turned in the log', () => {
  test('360 turned bits: each is refused with every byte left, or all but the last transaction is there', () => {
    const folder = freshFolder('fast');
    const random = chance(20_27);
    const seen = { refused: 0, right: 0, lastCut: 0 };
    for (let round = 0; round < 360; round++) {
      const left = round % 2 === 0 ? small : usual;
      const log = Buffer.from(left.log);
      // Every third turns a bit of a frame's header, where a bit means most.
      const frame = random(left.commits.at(-1)!);
      const at = round % 3 === 0 ? 32 + frame * left.frameBytes + random(24) : random(log.length);
      log[at]! ^= 1 << random(8);
      const found = openWith(folder, left, log);
      if (found === 'refused') {
        seen.refused += 1;
        continue;
      }
      const steps = left.commits.length;
      const where = `byte ${at} in round ${round}`;
      expect([where, found.texts]).toEqual([where, textsUpTo(found.texts.length)]);
      expect(found.texts.length, where).toBeGreaterThanOrEqual((steps - 1) * each);
      if (found.texts.length === steps * each) seen.right += 1;
      else seen.lastCut += 1;
    }
    expect(seen.refused).toBeGreaterThan(150);
    expect(seen.lastCut).toBeGreaterThan(0);
  });

  test('every bit of every header of the log: the check never passes over an earlier transaction', () => {
    const path = join(freshFolder('fast'), 'log');
    const need = usual.commits.at(-2)!;
    for (let frame = -1; frame < usual.commits.at(-1)!; frame++) {
      const from = frame < 0 ? 0 : 32 + frame * usual.frameBytes;
      for (let bit = 0; bit < (frame < 0 ? 32 : 24) * 8; bit++) {
        const log = Buffer.from(usual.log);
        log[from + (bit >> 3)]! ^= 1 << (bit & 7);
        writeFileSync(path, log);
        const found = checkWal(path);
        const isSafe = found.kind === 'damaged' || (found.kind !== 'empty' && found.goodFrames >= need);
        expect([frame, bit, isSafe, found.kind]).toEqual([frame, bit, true, found.kind]);
      }
    }
  });

  test('a whole frame before the last transactions overwritten is refused', () => {
    const folder = freshFolder('fast');
    for (let transaction = 1; transaction <= 12; transaction++) {
      const log = Buffer.from(usual.log);
      log.fill(0, 32 + (usual.commits[transaction - 1]! - 1) * usual.frameBytes, endOf(usual, transaction));
      expect([transaction, openWith(folder, usual, log)]).toEqual([transaction, 'refused']);
    }
  });
});

describe('the end of a transaction overwritten', () => {
  test('is refused when the one transaction behind it wrote a page again, and never costs more than these two', () => {
    const folder = freshFolder('fast');
    const seen = { refused: 0, cut: 0 };
    for (let transaction = 2; transaction < small.commits.length; transaction++) {
      const log = Buffer.from(small.log.subarray(0, endOf(small, transaction + 1)));
      log.fill(0, endOf(small, transaction) - small.frameBytes, endOf(small, transaction));
      const found = openWith(folder, small, log);
      if (found === 'refused') seen.refused += 1;
      else {
        seen.cut += 1;
        expect(found.texts).toEqual(textsUpTo((transaction - 1) * each));
      }
    }
    expect(seen.refused).toBeGreaterThan(3);
  });
});

describe('a log that is begun anew', () => {
  const sum = (bytes: Buffer): [number, number] => {
    let [a, b] = [0, 0];
    for (let at = 0; at < bytes.length; at += 8) {
      a = (a + bytes.readUInt32LE(at) + b) >>> 0;
      b = (b + bytes.readUInt32LE(at + 4) + a) >>> 0;
    }
    return [a, b];
  };
  const nextHeader = (old: Buffer): Buffer => {
    const next = Buffer.from(old.subarray(0, 32));
    next.writeUInt32BE(old.readUInt32BE(12) + 1, 12);
    next.writeUInt32BE((old.readUInt32BE(16) + 1) >>> 0, 16);
    next.writeUInt32BE(0x5ca1ab1e, 20);
    const [a, b] = sum(next.subarray(0, 24));
    next.writeUInt32BE(a, 24);
    next.writeUInt32BE(b, 28);
    return next;
  };

  /** In their headers. */
  const bitsApart = (one: Buffer, other: Buffer): number => {
    let bits = 0;
    for (let at = 0; at < 32; at++) for (let apart = one[at]! ^ other[at]!; apart > 0; apart &= apart - 1) bits++;
    return bits;
  };

  test('its new header, cut at any byte, is no damage: all it held is in the main file by then', () => {
    const path = join(freshFolder('fast'), 'log');
    const next = nextHeader(usual.log);
    for (let cut = 1; cut <= 32; cut++) {
      const log = Buffer.concat([next.subarray(0, cut), usual.log.subarray(cut)]);
      writeFileSync(path, log);
      const found = checkWal(path);
      if (log.equals(usual.log)) expect([cut, found.kind]).toEqual([cut, 'whole']);
      else if (cut === 32) expect(found).toMatchObject({ kind: 'whole', goodFrames: 0 });
      // One turned bit more or less cannot be told from a turned bit: then refused, never guessed.
      else if (found.kind !== 'damaged') expect([cut, found]).toEqual([cut, { kind: 'empty', cut: true }]);
      const isFar = bitsApart(log, next) > 1 && bitsApart(log, usual.log) > 1;
      if (cut > 20 && cut < 32 && isFar) expect([cut, found.kind]).toEqual([cut, 'empty']);
    }
  });

  test('a header that was wiped out is damage', () => {
    const path = join(freshFolder('fast'), 'log');
    for (const [from, to] of [
      [0, 32],
      [0, 16],
      [16, 32],
      [24, 32],
      [8, 12],
    ] as const) {
      const log = Buffer.from(usual.log).fill(0, from, to);
      writeFileSync(path, log);
      expect([from, checkWal(path).kind]).toEqual([from, 'damaged']);
    }
  });

  test('frames of an earlier round behind the end are no damage', async () => {
    const folder = freshFolder('fast');
    const lives = [40, 2];
    let count = 0;
    for (const steps of lives) {
      const appender = startAppender([folder, 'steps', steps, each]);
      await appender.ended;
      count += steps * each;
      expect(acknowledged(appender.lines())).toBe(count);
    }
    const log = readFileSync(join(folder, 'journal.db-wal'));
    const found = checkWal(join(folder, 'journal.db-wal'));
    expect(found).toMatchObject({ kind: 'whole' });
    expect(log.length).toBeGreaterThan((found as { goodBytes: number }).goodBytes);
    const store = openStore(folder);
    expect(store.opened).toMatchObject({ end: { index: count }, notes: [] });
    closeAll(store);
  });
});
