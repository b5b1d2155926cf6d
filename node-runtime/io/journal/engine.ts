/**
 * Connections to SQLite, opened in one way only.
 *
 * `synchronous` belongs to a connection and the engine's default in WAL mode is
 * weaker than we need, so FULL is set and read back each time. Checkpoints are
 * ours: never inside a commit. Engines with the WAL-reset mistake are refused.
 */
import SQLite, { type Database } from 'better-sqlite3';
import { JournalError } from './errors.ts';

const oldestEngine = '3.51.3';
const syncFull = 2;

/** Opens a file that exists. Lock waits are not waited for: nobody shares it. */
export function connect(path: string, access: 'write' | 'read' | 'alone' = 'write'): Database {
  const database = new SQLite(path, { fileMustExist: true, readonly: access === 'read', timeout: 0 });
  try {
    // Before the first access: then the index of the log lives in memory, not in a shared file that could fail.
    if (access === 'alone') database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('synchronous = FULL');
    assertFull(database);
    database.pragma('fullfsync = ON');
    database.pragma('checkpoint_fullfsync = ON');
    database.pragma('trusted_schema = OFF');
    database.pragma('cell_size_check = ON');
    database.pragma('temp_store = MEMORY');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

export function assertFull(database: Database): void {
  const said = database.pragma('synchronous', { simple: true });
  if (said === syncFull) return;
  throw new JournalError('journal_fault', `The database does not sync every commit (synchronous is ${said}).`);
}

/** Opens a prepared WAL file for work: alone, and with no checkpoint but ours. */
export function connectForWork(path: string): Database {
  const database = connect(path, 'alone');
  try {
    database.pragma('wal_autocheckpoint = 0');
    database.pragma(`journal_size_limit = ${64 * 1024 ** 2}`);
    const mode = database.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal') throw new JournalError('journal_fault', `The database refuses WAL mode (it says ${mode}).`);
    assertFull(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

export const engineVersion = (): string => {
  const database = new SQLite(':memory:');
  try {
    return database.prepare<[], string>('SELECT sqlite_version()').pluck().get() ?? '';
  } finally {
    database.close();
  }
};

/** Throws `engine_too_old` below 3.51.3 (older ones can lose a WAL at its reset). */
export function assertEngine(version: string): void {
  const [have, need] = [version, oldestEngine].map((text) => text.split('.').map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (have![part] ?? 0) - need![part]!;
    if (difference > 0) return;
    if (difference < 0) {
      throw new JournalError(
        'engine_too_old',
        `SQLite ${version} is too old for a journal; at least ${oldestEngine} is needed.`,
      );
    }
  }
}

/** Frames in the log and frames already in the main file. NOOP only looks. */
export function checkpoint(
  database: Database,
  mode: 'NOOP' | 'PASSIVE' | 'TRUNCATE',
): { frames: number; done: number } {
  const [row] = database.pragma(`wal_checkpoint(${mode})`) as { log: number; checkpointed: number }[];
  return { frames: Math.max(0, row?.log ?? 0), done: Math.max(0, row?.checkpointed ?? 0) };
}
