/**
 * The open store: carries out groups of requests, each group one transaction.
 *
 * Runs in the journal worker and knows nothing of threads. All journal writes
 * of a group are kept by one synced commit or not at all; runs for the history
 * and rows of the audit follow in commits of their own files, so that nobody's
 * append waits for them. Where entries are cut or replaced the audit goes first:
 * cut off in between, it lacks rows that are filed again, and never holds any
 * of entries that are gone.
 * A full disk refuses the group and goes on. Any other failed write or sync is
 * thrown as a fault and never tried again: what the system says about the disk
 * after a failed sync cannot be believed (I4).
 */
import { statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { AuditLog } from './audit-log.ts';
import { checkpoint } from './engine.ts';
import { Entries, readKept } from './entries.ts';
import { asFault, asReadError, BrokenPromise, carry, DiskFull, isDiskFull } from './errors.ts';
import { History } from './history.ts';
import type { Answers, HistoryWrite, JournalWrite, Read, Request } from './messages.ts';
import { files, type OpenStore, verifyStore } from './opening.ts';
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
  private readonly audit: AuditLog;
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
    this.audit = new AuditLog(open.audit);
  }

  /**
   * Answers every request of a group. Throws only a fault, after which the store must not be used.
   * @param first is given what is known of the journal before history and audit are written: nobody's append waits for
   * them. What it was given is not in the answer again.
   */
  carryOut(group: Request[], first?: (answers: Answers) => void): Answers {
    let answers: Answers = { done: [], values: [], failed: [], full: this.full };
    const journalWork: Taken[] = [];
    const historyWork: Taken[] = [];
    const auditWork: Taken[] = [];
    const reads: Taken[] = [];
    for (const request of group) {
      const { ask } = request;
      if (ask.kind === 'close') continue;
      if (ask.kind === 'fileAudit') auditWork.push({ request, work: () => this.audit.file(ask.filing) });
      else if (ask.kind === 'fileRuns') historyWork.push({ request, work: () => this.writeHistory(ask) });
      else if (isRead(ask)) reads.push({ request, work: () => this.read(ask) });
      else journalWork.push({ request, work: () => this.writeJournal(ask) });
    }
    const cuts = journalWork.filter(
      ({ request: { ask } }) => ask.kind === 'cutAfter' || ask.kind === 'installSnapshot',
    );
    const isCut = this.cutAudit(cuts, auditWork, answers);
    if (isCut) this.commitJournal(journalWork, answers);
    if (first && journalWork.length > 0 && historyWork.length + auditWork.length > 0) {
      first({ ...answers, full: this.full });
      answers = { done: [], values: [], failed: [], full: this.full };
    }
    this.commit(this.open.history, historyWork, answers);
    if (cuts.length === 0) this.commit(this.open.audit, auditWork, answers);
    if (!isCut) this.refuseAll(journalWork, answers);
    for (const taken of reads) this.answerRead(taken, answers);
    answers.full = this.full;
    return answers;
  }

  /**
   * The audit before the journal, where entries go: with all that is to be filed, since that is of entries before the cut
   * as well as after it. False when there is no space for it.
   */
  private cutAudit(cuts: Taken[], filings: Taken[], answers: Answers): boolean {
    if (cuts.length === 0) return true;
    const first = cuts.map(({ request }) => ({ request, work: () => this.cutAuditFor(request.ask) }));
    const inOrder = [...filings, ...first].sort((one, other) => one.request.id - other.request.id);
    const mine: Answers = { done: [], values: [], failed: [], full: 0 };
    const isKept = this.commit(this.open.audit, inOrder, mine);
    const isFiling = (id: number) => filings.some(({ request }) => request.id === id);
    answers.done.push(...mine.done.filter(isFiling));
    answers.failed.push(...mine.failed.filter(({ id }) => isFiling(id)));
    return isKept;
  }

  private cutAuditFor(ask: Request['ask']): void {
    if (ask.kind === 'cutAfter') this.audit.cut(ask.index);
    if (ask.kind === 'installSnapshot') this.audit.cut(ask.keep, ask.audited);
  }

  private refuseAll(work: Taken[], answers: Answers): void {
    const error = carry(new DiskFull(`No space is left in ${this.folder}; nothing was kept of this.`));
    for (const { request } of work) answers.failed.push({ id: request.id, error });
    this.full += 1;
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
    if (ask.kind === 'audited') return this.audit.list(ask.filter);
    if (ask.kind === 'auditedBetween') return this.audit.rowsBetween(ask.from, ask.to, ask.max);
    if (ask.kind === 'auditCover') return this.audit.cover();
    if (ask.kind === 'countRuns') return this.history.count(ask.since, ask.visible);
    if (ask.kind === 'stats') return this.stats();
    return verifyStore(this.folder, this.open, ask.scope);
  }

  private load(): Loaded {
    const { floor, snapshot, entries, end } = readKept(this.open.journal);
    const records = Object.fromEntries(outerRecords.map((name) => [name, readRecord(this.open.journal, name)]));
    const store = readRecord(this.open.journal, 'store')!;
    const auditedUpTo = this.audit.cover().upTo;
    return { records: records as Loaded['records'], store, floor, snapshot, entries, end, auditedUpTo };
  }

  private answerRead({ request, work }: Taken, answers: Answers): void {
    try {
      answers.values.push({ id: request.id, value: work() });
    } catch (error) {
      answers.failed.push({
        id: request.id,
        error: carry(asReadError(error, `(journal.db, history.db or audit.db) in ${this.folder}`)),
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
      bytes: files.reduce((sum, { name }) => sum + bytesOf(name), 0),
      walBytes: files.reduce((sum, { name }) => sum + bytesOf(`${name}-wal`), 0),
      syncMs: { p50: at(0.5), p99: at(0.99) },
      commits: this.commits,
      freeBytes: bavail * bsize,
      quarantined: this.entries.countQuarantined(),
    };
  }

  /** Moves what waits in the logs to the files, if it is worth it. Throws only a fault. */
  tidy(when: 'busy' | 'idle'): void {
    const worth = when === 'busy' ? framesWhenBusy : framesWhenIdle;
    for (const database of [this.open.journal, this.open.history, this.open.audit]) {
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
    this.open.audit.close();
    this.open.lock.close();
  }
}

const readKinds: ReadonlySet<string> = new Set<Read['kind']>([
  ...(['load', 'read', 'quarantined', 'filedRun', 'filedRuns', 'countRuns', 'stats', 'verify'] as const),
  ...(['audited', 'auditedBetween', 'auditCover'] as const),
]);

const isRead = (ask: Request['ask']): ask is Read => readKinds.has(ask.kind);

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
