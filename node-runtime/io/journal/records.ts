/**
 * Shapes the journal takes and gives, and the small kept things beside entries:
 * named records and the worker's memory of attempts.
 *
 * Every row carries a crc over all that it says, so a turned bit in any column
 * is noticed when the row is read. What the texts mean is the callers' matter.
 */
import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import type { StoredEntry, Term } from '../../contract/facts.ts';
import type { RunState } from '../../contract/model.ts';
import { JournalDamaged } from './errors.ts';

/** Where the journal ends: index 0 with a chain of 64 zeros at the beginning. */
export type JournalEnd = { index: number; term: Term | null; chain: string };
export type Snapshot = { index: number; term: Term; chain: string; text: string };
/**
 * Kept by name: the register and the watch's mark (PROTOCOL section 2), the
 * worker's fence (P35), who belongs to the cluster, and how far the journal was
 * known to be committed (both as of a moment ago).
 */
export type RecordName = 'register' | 'mark' | 'fence' | 'directory' | 'committed';
/** Written by the store itself. */
export const innerRecords = ['floor', 'store'];
export const outerRecords: RecordName[] = ['register', 'mark', 'fence', 'directory', 'committed'];
/** A worker's durable memory of an attempt (P35). `attempt` is run.task.number, `text` JSON. */
export type AttemptRecord = { attempt: string; term: string; state: 'saved' | 'running' | 'ended'; text: string };
export type Quarantined = { id: number; entry: StoredEntry; cutAt: number; reason: string };

/** A run in the history. `text` is JSON of contract Run, `summary` of RunSummary; times in ms. */
export type FiledRun = {
  id: string;
  launchedAt: number;
  endedAt: number | null;
  state: RunState;
  sandbox: string;
  path: string;
  name: string;
  by: string;
  summary: string;
  text: string;
};
/**
 * `path` is exact; `text` is looked for, without case, in id, name, sandbox,
 * path and by ("id name sandbox/path by"). A text of one or two characters is looked for only among the
 * newest 20,000 runs below `before` (shared evenly between states where there
 * is a filter): a page that is not full is then no proof of the end.
 */
export type RunFilter = {
  states?: RunState[];
  sandbox?: string;
  path?: string;
  /** Only runs of these sandboxes, or none of those. */
  visible?: { only: string[] } | { except: string[] };
  text?: string;
  /** Launched at or after, in ms. */
  since?: number;
  /** The last run of the page before. */
  before?: { launchedAt: number; id: string };
  limit: number;
};

/** A row of the audit. `text` is JSON of contract AuditRow, `words` what is searched; times in ms. */
export type FiledAct = {
  index: number;
  at: number;
  term: string;
  by: string;
  via: string;
  area: string;
  act: string;
  subject: string;
  words: string;
  text: string;
};
/**
 * `text` is looked for, without case, in what the row says; one or two
 * characters only among the newest 20,000 rows below `before`.
 */
export type AuditFilter = {
  by?: string;
  area?: string;
  act?: string;
  subject?: string;
  via?: string;
  text?: string;
  /** At or after, in ms. */
  since?: number;
  /** Before, in ms. */
  until?: number;
  /** Index of the last row of the page before. */
  before?: number;
  /** Newest index that may be shown. */
  upTo?: number;
  limit: number;
};
export type Gap = { from: number; to: number };
/** All rows of entries up to `upTo` are here, those of the gaps apart. Rows after it may be here. */
export type AuditCover = { upTo: number; gaps: Gap[] };
/** Rows to file, and what is covered by them: entries after `from` up to `upTo`, or one gap. */
export type AuditFiling = { rows: FiledAct[]; read?: { from: number; upTo: number }; filled?: Gap };

/** What a controller's state is built from. */
export type Loaded = {
  /** Records by name, null where never saved. */
  records: Record<RecordName, string | null>;
  store: string;
  /** The last entry that was dropped behind a snapshot, or the beginning. */
  floor: JournalEnd;
  snapshot: Snapshot | null;
  /** All entries after the snapshot. */
  entries: StoredEntry[];
  end: JournalEnd;
  /** The audit holds the rows of all entries up to here, or says which it lacks. */
  auditedUpTo: number;
};
/** What was found in the folder. */
export type Opened = {
  register: string | null;
  directory: string | null;
  fence: string | null;
  end: JournalEnd;
  attempts: AttemptRecord[];
  /** Random id made with the folder (P33). */
  store: string;
  /** Sentences for the log, such as a cut tail. */
  notes: string[];
};
export type Stats = {
  bytes: number;
  walBytes: number;
  /** Over the last 200 commits of this opening; `commits` counts all of them. */
  syncMs: { p50: number; p99: number };
  commits: number;
  freeBytes: number;
  /** Entries that were cut and are kept aside. */
  quarantined: number;
};
/** One thing found wrong by `verify`, in a sentence. */
export type JournalProblem = { file: string; sentence: string };

const recordCrc = (name: string, text: string): number => crc32(`${name}\n${text}`);
const attemptCrc = (row: AttemptRecord): number => crc32([row.attempt, row.term, row.state, row.text].join('\n'));

/** The text of a record, null when it was never saved; throws JournalDamaged when it is not what was saved. */
export function readRecord(database: Database, name: string): string | null {
  const row = database
    .prepare<[string], { text: string; crc: number }>('SELECT text, crc FROM records WHERE name = ?')
    .get(name);
  if (!row) return null;
  if (row.crc !== recordCrc(name, row.text)) {
    throw new JournalDamaged(`In journal.db the record "${name}" does not match its checksum.`);
  }
  return row.text;
}

/** Names of all records, so that one whose name was altered is noticed. */
export const recordNames = (database: Database): string[] =>
  database.prepare<[], string>('SELECT name FROM records ORDER BY name').pluck().all();

export function saveRecord(database: Database, name: string, text: string): void {
  database
    .prepare('INSERT OR REPLACE INTO records (name, text, crc) VALUES (?, ?, ?)')
    .run(name, text, recordCrc(name, text));
}

export function readAttempts(database: Database): AttemptRecord[] {
  const rows = database.prepare<[], AttemptRecord & { crc: number }>('SELECT * FROM attempts ORDER BY attempt').all();
  return rows.map(({ crc, ...record }) => {
    if (crc === attemptCrc(record)) return record;
    throw new JournalDamaged(`In journal.db the attempt "${record.attempt}" does not match its checksum.`);
  });
}

/** Statements over attempts; to be called inside the caller's transaction. */
export class Attempts {
  private readonly upsert;
  private readonly remove;

  constructor(database: Database) {
    this.upsert = database.prepare(
      'INSERT OR REPLACE INTO attempts (attempt, term, state, text, crc) VALUES (?, ?, ?, ?, ?)',
    );
    this.remove = database.prepare('DELETE FROM attempts WHERE attempt = ?');
  }

  save(records: AttemptRecord[]): void {
    for (const row of records) this.upsert.run(row.attempt, row.term, row.state, row.text, attemptCrc(row));
  }

  forget(attempts: string[]): void {
    for (const attempt of attempts) this.remove.run(attempt);
  }
}
