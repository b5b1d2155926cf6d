/**
 * Entries, snapshot and quarantine in `journal.db`.
 *
 * Entries follow each other without a gap from the *floor* (the last one that
 * was dropped behind a snapshot; index 0 at the beginning) to the end, each
 * with crc and chain. An entry leaves only behind a snapshot that is in the
 * same transaction, or into quarantine (I13). Writes happen inside the caller's
 * transaction; when that fails, `restore` takes the memory back as well.
 *
 * Rules: P15 (cut tails are kept), P16 (the chain), P17 (snapshots).
 */
import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import type { StoredEntry } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import { chainOf, chainStart, follows, termText } from './chain.ts';
import { JournalDamaged, promised } from './errors.ts';
import { type JournalEnd, type Quarantined, readRecord, type Snapshot, saveRecord } from './records.ts';

type Row = { idx: number; era: number; number: number; node: string; text: string; crc: number; chain: string };
/** What is known of the journal without reading it. */
export type Bounds = { floor: JournalEnd; snapshotIndex: number; end: JournalEnd };
export type Kept = Bounds & { snapshot: Snapshot | null; entries: StoredEntry[] };

const entryOf = (row: Row): StoredEntry => ({
  term: { era: row.era, number: row.number, node: row.node },
  index: row.idx,
  text: row.text,
  chain: row.chain,
});
const beginning: JournalEnd = { index: 0, term: null, chain: chainStart };
const snapshotCrc = (s: Snapshot): number => crc32(`${s.index}\n${termText(s.term)}\n${s.chain}\n${s.text}`);

/** Reads and verifies all that is kept; throws {@link JournalDamaged} naming the first index that is wrong. */
export function readKept(database: Database): Kept {
  const floorText = readRecord(database, 'floor');
  const floor: JournalEnd = floorText === null ? beginning : JSON.parse(floorText);
  const snapshot = readSnapshot(database);
  const entries: StoredEntry[] = [];
  let end = floor;
  if (floor.index > 0 && !snapshot) damaged(floor.index, 'was dropped behind a snapshot that is missing');
  for (const row of database.prepare<[], Row>('SELECT * FROM entries ORDER BY idx').iterate()) {
    const entry = entryOf(row);
    checkRow(row, end);
    if (snapshot?.index === entry.index && snapshot.chain !== entry.chain) {
      damaged(entry.index, 'does not agree with the snapshot made there');
    }
    if (entry.index > (snapshot?.index ?? 0)) entries.push(entry);
    end = { index: entry.index, term: entry.term, chain: entry.chain };
  }
  if (snapshot && snapshot.index > end.index) damaged(end.index + 1, 'is missing, although a snapshot covers it');
  return { floor, snapshotIndex: snapshot?.index ?? 0, end, snapshot, entries };
}

function readSnapshot(database: Database): Snapshot | null {
  const rows = database.prepare<[], Row>('SELECT * FROM snapshots ORDER BY idx DESC').all();
  const [row] = rows;
  if (!row) return null;
  const snapshot = entryOf(row);
  if (rows.length > 1 || row.crc !== snapshotCrc(snapshot)) {
    throw new JournalDamaged(`In journal.db the snapshot at entry ${row.idx} does not match its checksum.`);
  }
  return snapshot;
}

function checkRow(row: Row, before: JournalEnd): void {
  if (row.idx !== before.index + 1) damaged(before.index + 1, `is missing (the next one kept is ${row.idx})`);
  if (row.crc !== crc32(row.text)) damaged(row.idx, 'does not match its checksum');
  if (!follows(before, entryOf(row))) damaged(row.idx, 'does not follow from the one before it (chain)');
}

function damaged(index: number, what: string): never {
  throw new JournalDamaged(
    `In journal.db entry ${index} ${what}.${index > 1 ? ' The entries before it can be read.' : ''}`,
  );
}

export class Entries {
  private readonly database: Database;
  private readonly insert;
  private readonly range;
  private bounds: Bounds;

  constructor(database: Database, { floor, snapshotIndex, end }: Bounds) {
    this.database = database;
    this.bounds = { floor, snapshotIndex, end };
    this.insert = database.prepare(
      'INSERT INTO entries (idx, era, number, node, text, crc, chain) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.range = database.prepare<[number, number, number], Row>(
      'SELECT * FROM entries WHERE idx BETWEEN ? AND ? ORDER BY idx LIMIT ?',
    );
  }

  mark(): Bounds {
    return this.bounds;
  }

  restore(bounds: Bounds): void {
    this.bounds = bounds;
  }

  /** Throws BrokenPromise, having written nothing, unless every entry follows from the one before. */
  append(entries: StoredEntry[]): void {
    let end = this.bounds.end;
    for (const entry of entries) {
      promised(entry.index === end.index + 1, () => `Entry ${entry.index} was appended after entry ${end.index}.`);
      promised(
        entry.chain === chainOf(end.chain, entry.term, entry.index, entry.text),
        () => `The chain of entry ${entry.index} does not follow from entry ${end.index}.`,
      );
      end = { index: entry.index, term: entry.term, chain: entry.chain };
    }
    for (const { index, term, text, chain } of entries) {
      this.insert.run(index, term.era, term.number, term.node, text, crc32(text), chain);
    }
    this.bounds = { ...this.bounds, end };
  }

  /** Entries from..to, both included, at most `max`; those up to the floor are gone. */
  read(fromIndex: number, toIndex: number, max: number): StoredEntry[] {
    return this.range.all(fromIndex, toIndex, Math.min(max, limits.entriesPerBatchMax)).map((row) => {
      if (row.crc !== crc32(row.text)) damaged(row.idx, 'does not match its checksum');
      return entryOf(row);
    });
  }

  /** Replaces the snapshot and drops entries too old to be asked for, in one transaction. Gives the last one dropped. */
  saveSnapshot(snapshot: Snapshot): JournalEnd {
    const { end, snapshotIndex, floor } = this.bounds;
    const { index, chain } = snapshot;
    promised(
      index > 0 && index >= snapshotIndex && index <= end.index,
      () => `A snapshot at entry ${index} was saved, outside ${snapshotIndex} to ${end.index}.`,
    );
    promised(this.at(index).chain === chain, () => `The snapshot at entry ${index} has another chain than the entry.`);
    this.putSnapshot(snapshot);
    const dropTo = index - limits.entriesKeptBeforeSnapshot;
    if (dropTo > floor.index) this.dropTo(this.at(dropTo));
    return this.bounds.floor;
  }

  private putSnapshot(snapshot: Snapshot): void {
    const { index, term, chain, text } = snapshot;
    this.database.prepare('DELETE FROM snapshots').run();
    this.database
      .prepare('INSERT INTO snapshots (idx, era, number, node, text, crc, chain) VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(index, term.era, term.number, term.node, text, snapshotCrc(snapshot), chain);
    this.bounds = { ...this.bounds, snapshotIndex: index };
  }

  /** P17: a snapshot from elsewhere takes the place of all entries; those after `keep` go to quarantine. */
  installSnapshot(snapshot: Snapshot, keep: number, reason: string, cutAt: number): void {
    this.quarantineAfter(keep, reason, cutAt);
    this.database.prepare('DELETE FROM entries').run();
    const { index, term, chain } = snapshot;
    const end = { index, term, chain };
    saveRecord(this.database, 'floor', JSON.stringify(end));
    this.putSnapshot(snapshot);
    this.bounds = { floor: end, snapshotIndex: index, end };
  }

  private dropTo(floor: JournalEnd): void {
    saveRecord(this.database, 'floor', JSON.stringify(floor));
    this.database.prepare('DELETE FROM entries WHERE idx <= ?').run(floor.index);
    this.bounds = { ...this.bounds, floor };
  }

  private at(index: number): JournalEnd {
    if (index === this.bounds.floor.index) return this.bounds.floor;
    const [entry] = this.read(index, index, 1);
    promised(entry !== undefined, () => `Entry ${index} is not kept here.`);
    return { index, term: entry.term, chain: entry.chain };
  }

  /** Moves all entries after `index` to quarantine; gives their number. */
  cutAfter(index: number, reason: string, cutAt: number): number {
    const { snapshotIndex, end } = this.bounds;
    promised(
      index >= snapshotIndex,
      () => `A cut after entry ${index} would go behind the snapshot at ${snapshotIndex}.`,
    );
    if (index >= end.index) return 0;
    const newEnd = this.at(index);
    this.quarantineAfter(index, reason, cutAt);
    this.database.prepare('DELETE FROM entries WHERE idx > ?').run(index);
    this.bounds = { ...this.bounds, end: newEnd };
    return end.index - index;
  }

  private quarantineAfter(index: number, reason: string, cutAt: number): void {
    this.database
      .prepare(
        `INSERT INTO quarantine (idx, era, number, node, text, crc, chain, cutAt, reason)
         SELECT idx, era, number, node, text, crc, chain, ?, ? FROM entries WHERE idx > ? ORDER BY idx`,
      )
      .run(cutAt, reason, index);
  }

  countQuarantined(): number {
    return this.database.prepare<[], number>('SELECT count(*) FROM quarantine').pluck().get() ?? 0;
  }

  /** Cut entries in the order in which they were cut, after the one with `afterId`. */
  quarantined(afterId: number, max: number): Quarantined[] {
    const rows = this.database
      .prepare<[number, number], Row & { id: number; cutAt: number; reason: string }>(
        'SELECT * FROM quarantine WHERE id > ? ORDER BY id LIMIT ?',
      )
      .all(afterId, Math.min(max, limits.entriesPerBatchMax));
    return rows.map((row) => ({ id: row.id, entry: entryOf(row), cutAt: row.cutAt, reason: row.reason }));
  }
}
