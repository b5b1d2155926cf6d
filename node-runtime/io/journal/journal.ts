/**
 * The node process's side of the journal: asks the worker, never blocks.
 *
 * What is asked in one turn of the loop goes over as one message and is kept by
 * one commit (together with everything else that waits). A promise resolves
 * when its write is synced, in the order of asking. After a fault every promise
 * rejects, `onFault` is called once, and the node has to stop.
 */
import { Worker } from 'node:worker_threads';
import type { StoredEntry } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import { asFault, BrokenPromise, JournalError, promised, uncarry } from './errors.ts';
import type { Answers, Ask, FromWorker, Request } from './messages.ts';
import type {
  AttemptRecord,
  AuditCover,
  AuditFiling,
  AuditFilter,
  FiledAct,
  FiledRun,
  JournalEnd,
  JournalProblem,
  Loaded,
  Opened,
  Quarantined,
  RecordName,
  RunFilter,
  Snapshot,
  Stats,
} from './records.ts';

type Pending = { resolve: (value: never) => void; reject: (error: Error) => void };

/** The worker lies beside this module in the sources, and beside the bundle when built. */
const workerAddress = (here: string): URL =>
  new URL(here.endsWith('.ts') ? './worker.ts' : './journal-worker.js', here);

/**
 * Opens (or makes) the store in a folder. Rejects with a JournalError:
 * `folder_in_use`, `folder_unsuitable`, `engine_too_old`, `journal_damaged`,
 * `disk_full`, or `journal_fault` for anything else; nothing is altered then.
 */
export async function openJournal(options: {
  directory: string;
  /** Called once, when the journal cannot go on. The node process must stop. */
  onFault(error: JournalError): void;
}): Promise<Journal> {
  const worker = new Worker(workerAddress(import.meta.url), {
    workerData: { directory: options.directory },
    name: 'journal',
  });
  try {
    return new Journal(worker, await openedBy(worker), options.onFault);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

function openedBy(worker: Worker): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const died = (error: unknown) => reject(asFault(error instanceof Error ? error : 'its thread ended while opening'));
    worker.once('error', died);
    worker.once('exit', died);
    worker.once('message', (message: FromWorker) => {
      worker.off('error', died);
      worker.off('exit', died);
      if (message.kind === 'opened') resolve(message.opened);
      else reject(message.kind === 'notOpened' ? uncarry(message.error) : asFault('it answered before it was open'));
    });
  });
}

export class Journal {
  readonly opened: Opened;
  private readonly worker: Worker;
  private readonly onFault: (error: JournalError) => void;
  private readonly pending = new Map<number, Pending>();
  private batch: Request[] = [];
  private nextId = 1;
  private full = 0;
  /** Why nothing more is accepted. */
  private over: JournalError | null = null;
  private closing: Promise<void> | null = null;

  constructor(worker: Worker, opened: Opened, onFault: (error: JournalError) => void) {
    this.worker = worker;
    this.opened = opened;
    this.onFault = onFault;
    worker.on('message', (message: FromWorker) => this.heard(message));
    worker.on('error', (error) => this.fail(asFault(error)));
    worker.on('exit', () => this.fail(asFault('its thread has ended')));
  }

  /**
   * Resolves when the entries are synced. Each must follow from the one before
   * (index and chain), else BrokenPromise. DiskFull: nothing of this, nor of
   * anything written after it before the refusal was known, is kept; later
   * writes may succeed.
   */
  append(entries: StoredEntry[]): Promise<void> {
    const tooLarge = entries.find(({ text }) => !isWithinBytes(text, limits.entryBytesMax));
    if (tooLarge) return Promise.reject(new BrokenPromise(`Entry ${tooLarge.index} is larger than an entry may be.`));
    if (entries.length > limits.entriesPerBatchMax) {
      return Promise.reject(new BrokenPromise(`${entries.length} entries were appended at once.`));
    }
    return this.ask({ kind: 'append', entries });
  }

  saveRecord(name: RecordName, text: string): Promise<void> {
    return this.ask({ kind: 'saveRecord', name, text });
  }

  /**
   * Replaces the snapshot; drops entries older than `limits.entriesKeptBeforeSnapshot` before it. Gives the last
   * entry that is dropped by now.
   */
  saveSnapshot(snapshot: Snapshot): Promise<JournalEnd> {
    return this.ask({ kind: 'saveSnapshot', snapshot });
  }

  /** Reads and verifies register, snapshot and all entries after it, as they are on disk now. */
  load(): Promise<Loaded> {
    return this.ask({ kind: 'load' });
  }

  /**
   * Entries `fromIndex` to `toIndex`, both included, at most `max` (and never
   * more than `limits.entriesPerBatchMax`). What was dropped behind a snapshot
   * is left out: the first index given may be higher than asked.
   */
  read(fromIndex: number, toIndex: number, max: number): Promise<StoredEntry[]> {
    return this.ask({ kind: 'read', fromIndex, toIndex, max });
  }

  /** Moves all entries after `index` to quarantine, gives their number. Not behind the snapshot. */
  cutAfter(index: number, reason: string): Promise<number> {
    return this.ask({ kind: 'cutAfter', index, reason, at: Date.now() });
  }

  /** Cut entries, oldest cut first, after the one with `afterId`. */
  quarantined(afterId = 0, max: number = limits.entriesPerBatchMax): Promise<Quarantined[]> {
    return this.ask({ kind: 'quarantined', afterId, max });
  }

  /**
   * A snapshot from another node takes the place of all entries; those after `keep` go to quarantine. Rows of the audit
   * were filed for all entries up to `audited`.
   */
  installSnapshot(snapshot: Snapshot, keep: number, reason: string, audited = 0): Promise<void> {
    return this.ask({ kind: 'installSnapshot', snapshot, keep, audited, reason, at: Date.now() });
  }

  /** This folder is an old image: from now on it is another memory (P34). */
  renewStore(store: string, register: string): Promise<void> {
    return this.ask({ kind: 'renewStore', store, register });
  }

  /** Attempts, those that may be forgotten, and the fence where it is another by now, with one sync (P35). */
  saveAttempts(records: AttemptRecord[], fence: string | null = null, gone: string[] = []): Promise<void> {
    return this.ask({ kind: 'saveAttempts', records, fence, gone });
  }

  fileRuns(runs: FiledRun[]): Promise<void> {
    return this.ask({ kind: 'fileRuns', runs });
  }

  /** JSON of contract Run, as filed last. */
  filedRun(id: string): Promise<string | null> {
    return this.ask({ kind: 'filedRun', id });
  }

  /** JSON of contract RunSummary, newest launch first; at most `limits.runsPageMax`. */
  filedRuns(filter: RunFilter): Promise<string[]> {
    return this.ask({ kind: 'filedRuns', filter });
  }

  /** Filed runs launched at or after `since` (ms). */
  countRuns(since: number, visible?: RunFilter['visible']): Promise<{ total: number; failed: number }> {
    return this.ask({ kind: 'countRuns', since, ...(visible ? { visible } : {}) });
  }

  /** Filed again under the same index, a row is replaced. */
  fileAudit(filing: AuditFiling): Promise<void> {
    return this.ask({ kind: 'fileAudit', filing });
  }

  /** JSON of contract AuditRow, newest entry first; at most `limits.auditPageMax` + 1. */
  audited(filter: AuditFilter): Promise<string[]> {
    return this.ask({ kind: 'audited', filter });
  }

  /** The same of entries `from` to `to`, oldest first. */
  auditedBetween(from: number, to: number, max: number): Promise<FiledAct[]> {
    return this.ask({ kind: 'auditedBetween', from, to, max });
  }

  auditCover(): Promise<AuditCover> {
    return this.ask({ kind: 'auditCover' });
  }

  stats(): Promise<Stats> {
    return this.ask({ kind: 'stats' });
  }

  /**
   * Reads and checks the files; an empty list is a sound store. Writes wait
   * meanwhile: for well under a second with 'journal', for as long as a large
   * history takes to read with 'all'.
   */
  verify(scope: 'journal' | 'all' = 'all'): Promise<JournalProblem[]> {
    return this.ask({ kind: 'verify', scope });
  }

  /** Finishes what was asked, then closes and frees the folder. */
  close(): Promise<void> {
    this.closing ??= this.over && this.over.code !== 'journal_closed' ? this.end() : this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    const closed = this.ask<void>({ kind: 'close' });
    this.over = new JournalError('journal_closed', 'The journal is closed.');
    try {
      await closed;
    } finally {
      await this.end();
    }
  }

  private async end(): Promise<void> {
    await this.worker.terminate();
  }

  private ask<T>(ask: Ask): Promise<T> {
    if (this.over) return Promise.reject(this.over);
    return new Promise<T>((resolve, reject) => {
      const id = this.nextId++;
      this.pending.set(id, { resolve, reject });
      this.batch.push({ id, full: this.full, ask });
      // After all promises that are ready now: what they ask for belongs to the same group.
      if (this.batch.length === 1) queueMicrotask(() => process.nextTick(() => this.send()));
    });
  }

  private send(): void {
    const requests = this.batch;
    this.batch = [];
    if (requests.length > 0) this.worker.postMessage({ requests });
  }

  private heard(message: FromWorker): void {
    if (this.over?.code === 'journal_fault') return;
    if (message.kind === 'answers') this.settle(message.answers);
    else if (message.kind === 'fault') this.fail(uncarry(message.error));
  }

  private settle({ done, values, failed, full }: Answers): void {
    this.full = full;
    for (const id of done) this.take(id).resolve(undefined as never);
    for (const { id, value } of values) this.take(id).resolve(value as never);
    for (const { id, error } of failed) this.take(id).reject(uncarry(error));
  }

  private take(id: number): Pending {
    const pending = this.pending.get(id);
    promised(pending !== undefined, () => `The journal worker answered request ${id} twice.`);
    this.pending.delete(id);
    return pending;
  }

  private fail(error: JournalError): void {
    if (this.over && this.pending.size === 0) return;
    const isFirst = this.over?.code !== error.code;
    this.over = error;
    const pending = [...this.pending.values()];
    this.pending.clear();
    this.batch = [];
    for (const { reject } of pending) reject(error);
    if (isFirst) this.onFault(error);
  }
}

const isWithinBytes = (text: string, bytesMax: number): boolean =>
  text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax;
