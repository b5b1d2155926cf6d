/**
 * What goes over the thread border between the node process and the journal
 * worker: batches of requests one way, batches of answers the other.
 *
 * Requests are answered in order. `full` is how many refused groups the sender
 * knew of: a write sent before it could know that an earlier one was not kept
 * is refused with it, so nothing is ever kept after a gap.
 */
import type { StoredEntry } from '../../contract/facts.ts';
import type { CarriedError } from './errors.ts';
import type {
  AttemptRecord,
  AuditFiling,
  AuditFilter,
  FiledRun,
  Opened,
  RecordName,
  RunFilter,
  Snapshot,
} from './records.ts';

export type JournalWrite =
  | { kind: 'append'; entries: StoredEntry[] }
  | { kind: 'saveRecord'; name: RecordName; text: string }
  | { kind: 'saveSnapshot'; snapshot: Snapshot }
  | { kind: 'installSnapshot'; snapshot: Snapshot; keep: number; audited: number; reason: string; at: number }
  | { kind: 'renewStore'; store: string; register: string }
  | { kind: 'saveAttempts'; records: AttemptRecord[]; fence: string | null; gone: string[] }
  | { kind: 'cutAfter'; index: number; reason: string; at: number };
export type HistoryWrite = { kind: 'fileRuns'; runs: FiledRun[] };
export type AuditWrite = { kind: 'fileAudit'; filing: AuditFiling };
export type Read =
  | { kind: 'load' }
  | { kind: 'read'; fromIndex: number; toIndex: number; max: number }
  | { kind: 'quarantined'; afterId: number; max: number }
  | { kind: 'filedRun'; id: string }
  | { kind: 'filedRuns'; filter: RunFilter }
  | { kind: 'audited'; filter: AuditFilter }
  | { kind: 'auditedBetween'; from: number; to: number; max: number }
  | { kind: 'auditCover' }
  | { kind: 'countRuns'; since: number; visible?: RunFilter['visible'] }
  | { kind: 'stats' }
  | { kind: 'verify'; scope: 'journal' | 'all' };
export type Ask = JournalWrite | HistoryWrite | AuditWrite | Read | { kind: 'close' };

export type Request = { id: number; full: number; ask: Ask };
export type Batch = { requests: Request[] };

/** `done` are requests kept, with nothing more to say. */
export type Answers = {
  done: number[];
  values: { id: number; value: unknown }[];
  failed: { id: number; error: CarriedError }[];
  full: number;
};
export type FromWorker =
  | { kind: 'opened'; opened: Opened }
  | { kind: 'notOpened'; error: CarriedError }
  | { kind: 'answers'; answers: Answers }
  | { kind: 'fault'; error: CarriedError };
