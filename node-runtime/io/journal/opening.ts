/**
 * Opens a data folder, or refuses it with every byte as it was.
 *
 * First only reads: the logs before SQLite sees them (a torn tail is told from
 * damage), then both files through read-only connections. Only when everything
 * holds are the logs made certain, torn tails cut, and the files opened for
 * work. Repairs nothing by deleting; an empty folder becomes a new store (P33).
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { damagedActs } from './audit-log.ts';
import { assertEngine, checkpoint, connect, connectForWork, engineVersion } from './engine.ts';
import { type Bounds, readKept } from './entries.ts';
import { asFault, asReadError, DiskFull, isDiskFull, JournalDamaged, JournalError } from './errors.ts';
import { ensureFile, lockFolder, prepareFolder, settleWal, syncFolder } from './folder.ts';
import { damagedRuns } from './history.ts';
import {
  innerRecords,
  type JournalProblem,
  type Opened,
  outerRecords,
  readAttempts,
  readRecord,
  recordNames,
  saveRecord,
} from './records.ts';
import { assertFile, auditFile, historyFile, journalFile, makeFile, type StoreFile } from './schema.ts';
import { checkWal, type WalFinding } from './wal.ts';

export type OpenStore = {
  opened: Opened;
  bounds: Bounds;
  journal: Database;
  history: Database;
  audit: Database;
  lock: Database;
};

/** The journal last: a folder is a store once it is there. */
export const files = [historyFile, auditFile, journalFile];
const walOf = (folder: string, file: StoreFile): string => join(folder, `${file.name}-wal`);

/** Throws JournalError; whatever it throws, nothing that was kept has been altered. */
export function openStore(folder: string): OpenStore {
  assertEngine(engineVersion());
  prepareFolder(folder);
  let lock: Database | undefined;
  try {
    lock = lockFolder(folder);
    return { ...openLocked(folder), lock };
  } catch (error) {
    lock?.close();
    throw asOpenError(error, folder);
  }
}

function asOpenError(error: unknown, folder: string): JournalError {
  if (error instanceof JournalError) return error;
  if (!isDiskFull(error)) return asFault(error);
  return new DiskFull(`No space is left to open the journal in ${folder}; nothing in it was changed.`, {
    cause: error,
  });
}

function openLocked(folder: string): Omit<OpenStore, 'lock'> {
  const notes: string[] = [];
  const isNew = !existsSync(join(folder, journalFile.name));
  const findings = files.map((file) => ({ file, finding: readWal(folder, file) }));
  for (const { file } of findings) if (existsSync(join(folder, file.name))) assertHeader(folder, file);
  for (const file of [historyFile, auditFile]) {
    if (existsSync(join(folder, file.name))) continue;
    if (!isNew) notes.push(`The file ${file.name} was missing: ${anew[file.name]} begins anew.`);
    makeFile(folder, file, () => {});
  }
  if (isNew) {
    makeFile(folder, journalFile, (database) => saveRecord(database, 'store', randomBytes(16).toString('hex')));
  }
  const read = readJournal(folder);
  for (const file of [historyFile, auditFile]) readOnly(folder, file, () => {});
  for (const { file, finding } of findings) {
    settleWal(walOf(folder, file), finding);
    notes.push(...notesOn(file, finding));
  }
  syncFolder(folder);
  const opened: Database[] = [];
  try {
    for (const file of [journalFile, historyFile, auditFile]) opened.push(openForWork(folder, file));
    const [journal, history, audit] = opened as [Database, Database, Database];
    return { opened: { ...read.opened, notes }, bounds: read.bounds, journal, history, audit };
  } catch (error) {
    for (const database of opened) database.close();
    throw error;
  }
}

const anew: Record<string, string> = {
  [historyFile.name]: 'the history of runs',
  [auditFile.name]: 'the audit',
};

function readWal(folder: string, file: StoreFile): WalFinding {
  const finding = checkWal(walOf(folder, file));
  if (finding.kind === 'damaged') {
    throw new JournalDamaged(`The file ${file.name}-wal in ${folder} is damaged: ${finding.sentence}.`);
  }
  // SQLite would delete the log of a file that is not there.
  if (finding.kind !== 'empty' && finding.goodFrames > 0 && !existsSync(join(folder, file.name))) {
    throw new JournalDamaged(`The file ${file.name} is missing in ${folder}, but its log ${file.name}-wal is there.`);
  }
  return finding;
}

/** The first bytes of a file say what it is and that its log counts. Read before SQLite opens it (see folder.ts). */
function assertHeader(folder: string, file: StoreFile): void {
  const path = join(folder, file.name);
  ensureFile(path);
  const head = Buffer.alloc(100);
  const descriptor = openSync(path, 'r');
  const read = readSync(descriptor, head, 0, head.length, 0);
  closeSync(descriptor);
  const isOurs = read === head.length && head.toString('latin1', 0, 16) === 'SQLite format 3\0';
  if (!isOurs || head[18] !== 2 || head[19] !== 2) {
    throw new JournalDamaged(
      `The file ${file.name} in ${folder} is not the database it was (its first bytes are wrong).`,
    );
  }
}

function notesOn(file: StoreFile, finding: WalFinding): string[] {
  if (finding.kind === 'torn') {
    return [
      `In ${file.name}-wal a write that was cut off was removed after byte ${finding.goodBytes}; it had never been answered.`,
    ];
  }
  if (finding.kind === 'empty' && finding.cut)
    return [`The log ${file.name}-wal had been begun but not written; it was begun anew.`];
  return [];
}

function readJournal(folder: string): { opened: Omit<Opened, 'notes'>; bounds: Bounds } {
  return readOnly(folder, journalFile, (database) => {
    const problems = database.pragma('quick_check(1)', { simple: true });
    if (problems !== 'ok') throw new JournalDamaged(`The file ${journalFile.name} is damaged: ${problems}.`);
    const known: string[] = [...innerRecords, ...outerRecords];
    const strange = recordNames(database).find((name) => !known.includes(name));
    if (strange !== undefined)
      throw new JournalDamaged(`In journal.db there is a record of the unknown name "${strange}".`);
    const store = readRecord(database, 'store');
    if (store === null) throw new JournalDamaged('In journal.db the id of the store is missing.');
    const { floor, snapshotIndex, end } = readKept(database);
    const [register, directory, fence] = (['register', 'directory', 'fence'] as const).map((name) =>
      readRecord(database, name),
    ) as [string | null, string | null, string | null];
    return {
      opened: { register, directory, fence, end, attempts: readAttempts(database), store },
      bounds: { floor, snapshotIndex, end },
    };
  });
}

/** Runs `read` on a connection that cannot write, and leaves no trace of it in the folder. */
function readOnly<T>(folder: string, file: StoreFile, read: (database: Database) => T): T {
  const path = join(folder, file.name);
  let database: Database | undefined;
  try {
    database = connect(path, 'read');
    assertFile(database, file);
    return read(database);
  } catch (error) {
    throw asReadError(error, file.name);
  } finally {
    database?.close();
    rmSync(`${path}-shm`, { force: true });
    // A read-only connection begins an empty log where there was none.
    if (existsSync(`${path}-wal`) && statSync(`${path}-wal`).size === 0) rmSync(`${path}-wal`);
  }
}

/** What an unclean end left in the log goes to the main file now, while nobody waits. */
function openForWork(folder: string, file: StoreFile): Database {
  const database = connectForWork(join(folder, file.name));
  try {
    checkpoint(database, 'PASSIVE');
  } catch (error) {
    // With no space for it the log stays as it is, and is read from there.
    if (!isDiskFull(error)) {
      database.close();
      throw asFault(error);
    }
  }
  return database;
}

/** Reads the open files anew from the disk and gives all that is wrong with them; changes nothing. */
export function verifyStore(
  folder: string,
  { journal, history, audit }: { journal: Database; history: Database; audit: Database },
  scope: 'journal' | 'all',
): JournalProblem[] {
  const problems: JournalProblem[] = [];
  const note = (file: string, work: () => string[]): void => {
    try {
      problems.push(...work().map((sentence) => ({ file, sentence })));
    } catch (error) {
      problems.push({ file, sentence: asReadError(error, file).message });
    }
  };
  const noteFile = (file: StoreFile, database: Database): void => {
    // Without this the pages in memory would be checked, not those on the disk.
    database.pragma('shrink_memory');
    note(`${file.name}-wal`, () => {
      const finding = checkWal(walOf(folder, file));
      return finding.kind === 'damaged' ? [finding.sentence] : [];
    });
    note(file.name, () => {
      const rows = database.pragma('integrity_check') as { integrity_check: string }[];
      return rows.map((row) => row.integrity_check).filter((said) => said !== 'ok');
    });
  };
  noteFile(journalFile, journal);
  note(journalFile.name, () => {
    readKept(journal);
    readAttempts(journal);
    for (const name of recordNames(journal)) readRecord(journal, name);
    return [];
  });
  if (scope === 'journal') return problems;
  noteFile(historyFile, history);
  note(historyFile.name, () => damagedRuns(history));
  noteFile(auditFile, audit);
  note(auditFile.name, () => damagedActs(audit));
  return problems;
}
