/**
 * The open store: carries out groups of requests, each group one transaction.
 *
 * Runs in the journal worker and knows nothing of threads. All journal writes
 * of a group are kept by one synced commit or not at all; runs for the history
 * follow in a commit of their own file, so that nobody's append waits for them.
 * A full disk refuses the group and goes on. Any other failed write or sync is
 * thrown as a fault and never tried again: what the system says about the disk
 * after a failed sync cannot be believed (I4).
 */
import { statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { checkpoint } from './engine.ts';
import { Entries, readKept } from './entries.ts';
import { asFault, asReadError, BrokenPromise, carry, DiskFull, isDiskFull } from './errors.ts';
import { History } from './history.ts';
import type { Answers, HistoryWrite, JournalWrite, Read, Request } from './messages.ts';
import { type OpenStore, verifyStore } from './opening.ts';
import {
  type AttemptRecord,
  Attempts,
  type Loaded,
  type Opened,
  outerRecords,
  readRecord,
  type Stats,
  saveRecord,
} from './records.ts';

const syncsRemembered = 200;
/** Frames of 4 KiB waiting in a log: worth a checkpoint when idle; due even when busy. */
const framesWhenIdle = 256;
const framesWhenBusy = 4_096;

type Taken = { request: Request; work: () => unknown };

export class Store {
  readonly opened: Opened;
  private readonly folder: string;
  private readonly open: OpenStore;
  private readonly entries: Entries;
  private readonly attempts: Attempts;
  private readonly history: History;
  private readonly syncsMs: number[] = [];
  /** After a checkpoint found no space: frames to wait for before the next try. */
  private readonly checkpointFrom = new Map<Database, number>();
  private full = 0;
  private commits = 0;

  constructor(folder: string, open: OpenStore) {
    this.folder = folder;
    this.open = open;
    this.opened = open.opened;
    this.entries = new Entries(open.journal, open.bounds);
    this.attempts = new Attempts(open.journal);
    this.history = new History(open.history);
  }

  /** Answers every request of a group in order. Throws only a fault, after which the store must not be used. */
  carryOut(group: Request[]): Answers {
    const answers: Answers = { done: [], values: [], failed: [], full: this.full };
    const journalWork: Taken[] = [];
    const historyWork: Taken[] = [];
    const reads: Taken[] = [];
    for (const request of group) {
      const { ask } = request;
      if (ask.kind === 'close') continue;
      if (ask.kind === 'fileRuns') historyWork.push({ request, work: () => this.writeHistory(ask) });
      else if (isRead(ask)) reads.push({ request, work: () => this.read(ask) });
      else journalWork.push({ request, work: () => this.writeJournal(ask) });
    }
    this.commitJournal(journalWork, answers);
    this.commit(this.open.history, historyWork, answers);
    for (const taken of reads) this.answerRead(taken, answers);
    answers.full = this.full;
    return answers;
  }

  private commitJournal(work: Taken[], answers: Answers): void {
    const known = work.filter(({ request }) => request.full === this.full);
    for (const { request } of work) {
      if (request.full === this.full) continue;
      const error = new DiskFull('An earlier write was not kept because the disk is full, so this one was not either.');
      answers.failed.push({ id: request.id, error: carry(error) });
    }
    const before = this.entries.mark();
    if (this.commit(this.open.journal, known, answers)) return;
    this.entries.restore(before);
    this.full += 1;
  }

  /** True when kept; false when refused for want of space, with nothing kept. */
  private commit(database: Database, work: Taken[], answers: Answers): boolean {
    if (work.length === 0) return true;
    const outcome: Answers = { done: [], values: [], failed: [], full: 0 };
    try {
      database.exec('BEGIN IMMEDIATE');
      for (const taken of work) runInside(taken, outcome);
      const from = performance.now();
      database.exec('COMMIT');
      this.noteSync(performance.now() - from);
      answers.done.push(...outcome.done);
      answers.values.push(...outcome.values);
      answers.failed.push(...outcome.failed);
      return true;
    } catch (error) {
      rollBack(database);
      if (!isDiskFull(error)) throw asFault(error);
      const refused = carry(
        new DiskFull(`No space is left in ${this.folder}; nothing was kept of this.`, { cause: error }),
      );
      for (const { request } of work) answers.failed.push({ id: request.id, error: refused });
      return false;
    }
  }

  private writeJournal(ask: JournalWrite): unknown {
    if (ask.kind === 'append') return this.entries.append(ask.entries);
    if (ask.kind === 'saveRecord') return saveRecord(this.open.journal, ask.name, ask.text);
    if (ask.kind === 'saveSnapshot') return this.entries.saveSnapshot(ask.snapshot);
    if (ask.kind === 'installSnapshot') return this.entries.installSnapshot(ask.snapshot, ask.keep, ask.reason, ask.at);
    if (ask.kind === 'renewStore') return this.renewStore(ask.store, ask.register);
    if (ask.kind === 'saveAttempts') return this.saveAttempts(ask.records, ask.fence, ask.gone);
    return this.entries.cutAfter(ask.index, ask.reason, ask.at);
  }

  /** P34: what this folder says about itself is of another memory from now on. */
  private renewStore(store: string, register: string): void {
    saveRecord(this.open.journal, 'store', store);
    saveRecord(this.open.journal, 'register', register);
  }

  private saveAttempts(records: AttemptRecord[], fence: string | null, gone: string[]): void {
    if (fence !== null) saveRecord(this.open.journal, 'fence', fence);
    this.attempts.save(records);
    this.attempts.forget(gone);
  }

  private writeHistory(ask: HistoryWrite): void {
    this.history.file(ask.runs);
  }

  private read(ask: Read): unknown {
    if (ask.kind === 'load') return this.load();
    if (ask.kind === 'read') return this.entries.read(ask.fromIndex, ask.toIndex, ask.max);
    if (ask.kind === 'quarantined') return this.entries.quarantined(ask.afterId, ask.max);
    if (ask.kind === 'filedRun') return this.history.one(ask.id);
    if (ask.kind === 'filedRuns') return this.history.list(ask.filter);
    if (ask.kind === 'countRuns') return this.history.count(ask.since, ask.visible);
    if (ask.kind === 'stats') return this.stats();
    return verifyStore(this.folder, this.open, ask.scope);
  }

  private load(): Loaded {
    const { floor, snapshot, entries, end } = readKept(this.open.journal);
    const records = Object.fromEntries(outerRecords.map((name) => [name, readRecord(this.open.journal, name)]));
    const store = readRecord(this.open.journal, 'store')!;
    return { records: records as Loaded['records'], store, floor, snapshot, entries, end };
  }

  private answerRead({ request, work }: Taken, answers: Answers): void {
    try {
      answers.values.push({ id: request.id, value: work() });
    } catch (error) {
      answers.failed.push({
        id: request.id,
        error: carry(asReadError(error, `(journal.db or history.db) in ${this.folder}`)),
      });
    }
  }

  private noteSync(ms: number): void {
    this.commits += 1;
    this.syncsMs.push(ms);
    if (this.syncsMs.length > syncsRemembered) this.syncsMs.shift();
  }

  private stats(): Stats {
    const bytesOf = (name: string) => statSync(join(this.folder, name), { throwIfNoEntry: false })?.size ?? 0;
    const sorted = this.syncsMs.toSorted((one, other) => one - other);
    const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
    const { bavail, bsize } = statfsSync(this.folder);
    return {
      bytes: bytesOf('journal.db') + bytesOf('history.db'),
      walBytes: bytesOf('journal.db-wal') + bytesOf('history.db-wal'),
      syncMs: { p50: at(0.5), p99: at(0.99) },
      commits: this.commits,
      freeBytes: bavail * bsize,
      quarantined: this.entries.countQuarantined(),
    };
  }

  /** Moves what waits in the logs to the files, if it is worth it. Throws only a fault. */
  tidy(when: 'busy' | 'idle'): void {
    const worth = when === 'busy' ? framesWhenBusy : framesWhenIdle;
    for (const database of [this.open.journal, this.open.history]) {
      const { frames, done } = checkpoint(database, 'NOOP');
      if (frames - done < Math.max(worth, this.checkpointFrom.get(database) ?? 0)) continue;
      try {
        checkpoint(database, 'PASSIVE');
        this.checkpointFrom.delete(database);
      } catch (error) {
        if (!isDiskFull(error)) throw asFault(error);
        this.checkpointFrom.set(database, frames + framesWhenBusy);
      }
    }
  }

  close(): void {
    this.open.journal.close();
    this.open.history.close();
    this.open.lock.close();
  }
}

const isRead = (ask: Request['ask']): ask is Read =>
  ['load', 'read', 'quarantined', 'filedRun', 'filedRuns', 'countRuns', 'stats', 'verify'].includes(ask.kind);

/** A request that breaks a promise has written nothing and is refused alone. */
function runInside({ request, work }: Taken, answers: Answers): void {
  try {
    const value = work();
    if (value === undefined) answers.done.push(request.id);
    else answers.values.push({ id: request.id, value });
  } catch (error) {
    if (!(error instanceof BrokenPromise)) throw error;
    answers.failed.push({ id: request.id, error: carry(error) });
  }
}

/** A failed commit leaves its transaction open; some failures have ended it already. */
function rollBack(database: Database): void {
  if (database.inTransaction) database.exec('ROLLBACK');
}
