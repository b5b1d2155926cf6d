/**
 * The tables of the files, their making and their recognition.
 *
 * `journal.db` holds what must be right: it is small and checked whole at every
 * start. `history.db` holds runs to look back at, `audit.db` who did what; they
 * may be large, so their rows are checked when they are read. A file is made under another name and renamed
 * when complete: one that bears its name is never half made, so a table that is
 * missing is damage and never made anew.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import SQLite, { type Database } from 'better-sqlite3';
import { connect } from './engine.ts';
import { JournalDamaged } from './errors.ts';
import { ensureFile, syncFolder } from './folder.ts';

export type StoreFile = { name: string; applicationId: number; version: number; tables: string };

export const journalFile: StoreFile = {
  name: 'journal.db',
  applicationId: 0x42696e6a,
  version: 1,
  tables: `
CREATE TABLE entries (
  idx INTEGER PRIMARY KEY, era INTEGER NOT NULL, number INTEGER NOT NULL, node TEXT NOT NULL,
  text TEXT NOT NULL, crc INTEGER NOT NULL, chain TEXT NOT NULL
) STRICT;
CREATE TABLE snapshots (
  idx INTEGER PRIMARY KEY, era INTEGER NOT NULL, number INTEGER NOT NULL, node TEXT NOT NULL,
  text TEXT NOT NULL, crc INTEGER NOT NULL, chain TEXT NOT NULL
) STRICT;
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY, idx INTEGER NOT NULL, era INTEGER NOT NULL, number INTEGER NOT NULL, node TEXT NOT NULL,
  text TEXT NOT NULL, crc INTEGER NOT NULL, chain TEXT NOT NULL, cutAt INTEGER NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TABLE records (name TEXT PRIMARY KEY, text TEXT NOT NULL, crc INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
  attempt TEXT PRIMARY KEY, term TEXT NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`,
};

/**
 * `seq` is the launch time in ms times 1024, plus a count within that ms: rows
 * lie in the order in which they are shown, and every index ends in that order.
 * A list without a wanted state is merged from all states; so four indexes
 * serve every filter without a sort.
 */
export const historyFile: StoreFile = {
  name: 'history.db',
  applicationId: 0x42696e68,
  version: 1,
  tables: `
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, launchedAt INTEGER NOT NULL, endedAt INTEGER, state TEXT NOT NULL,
  sandbox TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, by TEXT NOT NULL,
  summary TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE TABLE runTexts (seq INTEGER PRIMARY KEY, text TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX runsById ON runs (id);
CREATE INDEX runsByState ON runs (state);
CREATE INDEX runsBySandbox ON runs (sandbox, state);
CREATE INDEX runsByPath ON runs (path, state);
CREATE INDEX runsBySandboxPath ON runs (sandbox, path, state);
CREATE VIRTUAL TABLE runWords USING fts5(
  words, state, sandbox, content='', contentless_delete=1, tokenize='trigram'
);`,
};

/**
 * A row lies under the index of its entry, so lists are in the order of the
 * journal and filing twice is filing once. `auditByAt` turns a time into a
 * range of indexes. `cover` says of which entries all rows are here.
 */
export const auditFile: StoreFile = {
  name: 'audit.db',
  applicationId: 0x42696e61,
  version: 1,
  tables: `
CREATE TABLE audit (
  idx INTEGER PRIMARY KEY, at INTEGER NOT NULL, term TEXT NOT NULL, by TEXT NOT NULL, via TEXT NOT NULL,
  area TEXT NOT NULL, act TEXT NOT NULL, subject TEXT NOT NULL
) STRICT;
CREATE TABLE auditTexts (
  idx INTEGER PRIMARY KEY, words TEXT NOT NULL, text TEXT NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE TABLE cover (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
CREATE INDEX auditByAt ON audit (at);
CREATE INDEX auditByWho ON audit (by);
CREATE INDEX auditByWhoAct ON audit (by, act);
CREATE INDEX auditByArea ON audit (area);
CREATE INDEX auditByAct ON audit (act);
CREATE INDEX auditBySubject ON audit (subject);
CREATE INDEX auditByVia ON audit (via);
CREATE VIRTUAL TABLE auditWords USING fts5(words, content='', contentless_delete=1, tokenize='trigram');`,
};

/** Makes a file complete with `fill`, durable and private, then gives it its name. */
export function makeFile(folder: string, file: StoreFile, fill: (database: Database) => void): void {
  const path = join(folder, file.name);
  const making = `${path}.making`;
  for (const end of ['', '-journal', '-wal', '-shm']) rmSync(making + end, { force: true });
  ensureFile(making);
  const database = connect(making);
  try {
    database.exec(`BEGIN IMMEDIATE;${file.tables}`);
    database.pragma(`application_id = ${file.applicationId}`);
    database.pragma(`user_version = ${file.version}`);
    fill(database);
    database.exec('COMMIT');
    database.pragma('journal_mode = WAL');
  } finally {
    database.close();
  }
  const descriptor = openSync(making, 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(making, path);
  syncFolder(dirname(path));
}

/** Throws {@link JournalDamaged} unless the file says what it is and has exactly its tables. */
export function assertFile(database: Database, file: StoreFile): void {
  const marks = [
    database.pragma('application_id', { simple: true }) === file.applicationId,
    database.pragma('user_version', { simple: true }) === file.version,
    database.pragma('journal_mode', { simple: true }) === 'wal',
  ];
  if (marks.includes(false) || shapeOf(database) !== wantedShape(file)) {
    throw new JournalDamaged(`The file ${file.name} does not have the tables it was made with.`);
  }
}

const wantedShapes = new Map<StoreFile, string>();

function wantedShape(file: StoreFile): string {
  const known = wantedShapes.get(file);
  if (known !== undefined) return known;
  const model = new SQLite(':memory:');
  model.exec(file.tables);
  const shape = shapeOf(model);
  model.close();
  wantedShapes.set(file, shape);
  return shape;
}

/** Tables inside the text index are the engine's own and may differ between its versions. */
function shapeOf(database: Database): string {
  return JSON.stringify(
    database
      .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT GLOB '*Words_*' ORDER BY name")
      .all(),
  );
}
