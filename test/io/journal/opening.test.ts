/** Opening: who may, where it may be, and what is refused with every byte left as it was. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { assertEngine, assertFull, connect, connectForWork } from '../../../node-runtime/io/journal/engine.ts';
import { mountType, networkFileSystem } from '../../../node-runtime/io/journal/folder.ts';
import { type Journal, openJournal } from '../../../node-runtime/io/journal/journal.ts';
import { openStore } from '../../../node-runtime/io/journal/opening.ts';
import { term, textAt } from './entries-maker.ts';
import { bytesOf, chance, copyOf, entriesUpTo, freshFolder } from './folders.ts';
import { startAppender } from './processes.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});
async function journalIn(directory: string): Promise<Journal> {
  const journal = await openJournal({ directory, onFault: vi.fn() });
  open.push(journal);
  return journal;
}
/** Opens without a thread; gives the refusal's message, or null. */
function refusalOf(folder: string): { code: string; message: string } | null {
  try {
    const store = openStore(folder);
    for (const database of [store.journal, store.history, store.audit, store.lock]) database.close();
    return null;
  } catch (error) {
    return { code: (error as { code: string }).code, message: (error as Error).message };
  }
}

/** A closed store of 300 entries, made once. */
const made = (async () => {
  const folder = freshFolder('fast');
  const journal = await openJournal({ directory: folder, onFault: vi.fn() });
  await journal.append(entriesUpTo(300));
  await journal.saveRecord('register', '{"promised":"0.3.n-1"}');
  await journal.saveAttempts([{ attempt: 'r.t.1', term: '0.3.n', state: 'running', text: '{"pid":12}' }]);
  await journal.saveSnapshot({ index: 100, term, chain: entriesUpTo(100).at(-1)!.chain, text: '{"runs":[]}' });
  await journal.close();
  return folder;
})();
async function alteredBy(sql: string): Promise<string> {
  const folder = copyOf(await made, 'fast');
  const database = new SQLite(join(folder, 'journal.db'));
  database.exec(sql);
  database.close();
  return folder;
}

describe('one process a folder', () => {
  test('a second opening is refused, in this process and in another, naming the holder', async () => {
    const folder = freshFolder();
    await journalIn(folder);
    await expect(openJournal({ directory: folder, onFault: vi.fn() })).rejects.toMatchObject({ code: 'folder_in_use' });
    const other = startAppender([folder, 'hold']);
    await other.ended;
    expect(other.lines()[0]).toMatch(
      new RegExp(`^refused folder_in_use Another Binnacle node uses this folder \\(pid ${process.pid}\\)`),
    );
  });

  test('the lock dies with its process, and holds before', async () => {
    const folder = freshFolder();
    const holder = startAppender([folder, 'hold']);
    await holder.until((lines) => lines.includes('open'));
    await expect(openJournal({ directory: folder, onFault: vi.fn() })).rejects.toThrow(
      `Another Binnacle node uses this folder (pid ${holder.process.pid}): ${folder}.`,
    );
    await holder.kill();
    await journalIn(folder);
  });

  test('a closed journal frees its folder', async () => {
    const folder = freshFolder();
    await (await journalIn(folder)).close();
    expect(refusalOf(folder)).toBeNull();
  });
});

describe('the engine', () => {
  test('syncs every commit: FULL is read back, and anything else is refused', () => {
    const folder = freshFolder();
    const store = openStore(folder);
    for (const database of [store.journal, store.history, store.audit, store.lock]) {
      expect(database.pragma('synchronous', { simple: true })).toBe(2);
    }
    expect(store.journal.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(store.journal.pragma('wal_autocheckpoint', { simple: true })).toBe(0);
    store.journal.pragma('synchronous = NORMAL');
    expect(() => assertFull(store.journal)).toThrow(/does not sync every commit/);
    for (const database of [store.journal, store.history, store.audit, store.lock]) database.close();
  });

  test('keeps the index of its log in memory, so that no shared file can fail', async () => {
    const folder = freshFolder();
    const journal = await journalIn(folder);
    await journal.append(entriesUpTo(1));
    expect(existsSync(join(folder, 'journal.db-shm'))).toBe(false);
  });

  test.each(['3.51.2', '3.50.9', '2.99.99'])('%s is too old', (version) => {
    expect(() => assertEngine(version)).toThrow(/too old/);
  });
  test.each(['3.51.3', '3.52.0', '4.0.0'])('%s is new enough', (version) => {
    expect(() => assertEngine(version)).not.toThrow();
  });

  test('refuses to work on a file that will not take WAL mode', () => {
    const path = join(freshFolder(), 'x.db');
    writeFileSync(path, '');
    const reader = connect(path);
    reader.exec('CREATE TABLE t (a); BEGIN; SELECT * FROM t');
    expect(() => connectForWork(path)).toThrow();
    reader.close();
  });
});

describe('network file systems', () => {
  test.each([
    [0x6969, 'NFS'],
    [-11317950, 'CIFS'],
    [0xfe534d42, 'SMB'],
    [0x00c36400, 'CephFS'],
    [0x01021997, '9p'],
  ])('type %i is refused as %s', (type, name) => {
    expect(networkFileSystem(type, () => null)).toBe(name);
  });
  test.each([0xef53, 0x9123683e, 0x58465342, 0x01021994, 0x794c7630])('local type %i is allowed', (type) => {
    expect(networkFileSystem(type, () => null)).toBeNull();
  });
  test('a FUSE mount is judged by its kind', () => {
    expect(networkFileSystem(0x65735546, () => 'fuse.glusterfs')).toBe('glusterfs');
    expect(networkFileSystem(0x65735546, () => 'fuseblk')).toBeNull();
  });
  test('the kind is that of the innermost mount', () => {
    const table = [
      '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
      '30 22 0:5 / /mnt/my\\040share rw - fuse.sshfs host:/ rw',
      '31 22 0:6 / /mnt rw - tmpfs tmpfs rw',
    ].join('\n');
    expect(mountType(table, '/mnt/my share/node')).toBe('fuse.sshfs');
    expect(mountType(table, '/mnt/other')).toBe('tmpfs');
    expect(mountType(table, '/mntx')).toBe('ext4');
  });
});

describe('damage in the main file', () => {
  const alterations: [string, string, RegExp][] = [
    [
      'a letter of an entry',
      "UPDATE entries SET text = replace(text, 'ops', 'oqs') WHERE idx = 200",
      /entry 200 does not match its checksum/,
    ],
    [
      'an entry behind the snapshot',
      "UPDATE entries SET text = replace(text, 'ops', 'oqs') WHERE idx = 20",
      /entry 20 does not match its checksum/,
    ],
    ['a term', 'UPDATE entries SET number = 4 WHERE idx = 150', /entry 150 does not follow from the one before it/],
    ['a chain', "UPDATE entries SET chain = substr(chain, 2) || '0' WHERE idx = 150", /entry 150 does not follow/],
    ['a missing entry', 'DELETE FROM entries WHERE idx = 150', /entry 150 is missing \(the next one kept is 151\)/],
    [
      'all entries up to the snapshot and beyond',
      'DELETE FROM entries WHERE idx > 80',
      /entry 81 is missing, although a snapshot covers it/,
    ],
    ['the register', "UPDATE records SET text = '{}' WHERE name = 'register'", /record "register" does not match/],
    [
      'the name of the register',
      "UPDATE records SET name = 'registes' WHERE name = 'register'",
      /unknown name "registes"/,
    ],
    ['the store id', "DELETE FROM records WHERE name = 'store'", /id of the store is missing/],
    ['an attempt', "UPDATE attempts SET state = 'ended'", /attempt "r.t.1" does not match/],
    ['the snapshot', "UPDATE snapshots SET text = '{}'", /snapshot at entry 100 does not match/],
    ['a missing table', 'DROP TABLE attempts', /does not have the tables/],
    ['a renamed table', 'ALTER TABLE entries RENAME TO entriet', /does not have the tables/],
    ['another kind of file', 'PRAGMA application_id = 7', /does not have the tables/],
    ['another mode', 'PRAGMA journal_mode = DELETE', /first bytes are wrong/],
  ];
  test.each(alterations)('%s is refused and nothing is changed', async (_, sql, sentence) => {
    const folder = await alteredBy(sql);
    const before = bytesOf(folder);
    const refusal = refusalOf(folder);
    expect(refusal).toMatchObject({ code: 'journal_damaged' });
    expect(refusal?.message).toMatch(sentence);
    expect(refusal?.message).toContain('binnacle doctor');
    expect(bytesOf(folder)).toEqual(before);
  });

  test('a file that is no database, or an empty one, is refused', async () => {
    for (const text of ['not a database '.repeat(500), '']) {
      const folder = copyOf(await made, 'fast');
      writeFileSync(join(folder, 'journal.db'), text);
      expect(refusalOf(folder)).toMatchObject({
        code: 'journal_damaged',
        message: expect.stringContaining('first bytes'),
      });
      expect(readFileSync(join(folder, 'journal.db'), 'utf8')).toBe(text);
    }
  });

  test('a file that was cut short is refused', async () => {
    const folder = copyOf(await made, 'fast');
    const path = join(folder, 'journal.db');
    truncateSync(path, statSync(path).size - 4_096);
    expect(refusalOf(folder)).toMatchObject({ code: 'journal_damaged' });
  });

  test('a list of free pages that does not add up is refused, since entries would be written over others', async () => {
    const folder = copyOf(await made, 'fast');
    const path = join(folder, 'journal.db');
    const bytes = readFileSync(path);
    bytes.writeUInt32BE(bytes.readUInt32BE(36) + 1, 36);
    writeFileSync(path, bytes);
    expect(refusalOf(folder)).toMatchObject({ code: 'journal_damaged', message: expect.stringMatching(/[Ff]reelist/) });
    expect(readFileSync(path)).toEqual(bytes);
  });

  test('300 turned bits: each is refused with nothing changed, or everything is still right', async () => {
    const base = bytesOf(await made);
    const folder = freshFolder('fast');
    const random = chance(20_26);
    const seen = { refused: 0, right: 0 };
    for (let round = 0; round < 300; round++) {
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
      for (const [name, bytes] of base) writeFileSync(join(folder, name), bytes);
      const bytes = Buffer.from(base.get('journal.db')!);
      // A third of them in the first page, where little is said twice.
      const at = random(round % 3 === 0 ? 200 : bytes.length);
      bytes[at]! ^= 1 << random(8);
      writeFileSync(join(folder, 'journal.db'), bytes);
      const before = bytesOf(folder);
      seen[outcomeOf(folder, before, `byte ${at} in round ${round}`)] += 1;
    }
    expect(seen.refused).toBeGreaterThan(100);
    expect(seen.right).toBeGreaterThan(20);
  });
});

function outcomeOf(folder: string, before: Map<string, Buffer>, where: string): 'refused' | 'right' {
  let store: ReturnType<typeof openStore>;
  try {
    store = openStore(folder);
  } catch (error) {
    expect([where, (error as { code: string }).code, error]).toEqual([where, 'journal_damaged', error]);
    expect(bytesOf(folder), where).toEqual(before);
    return 'refused';
  }
  const texts = store.journal.prepare('SELECT text FROM entries ORDER BY idx').pluck().all();
  for (const database of [store.journal, store.history, store.audit, store.lock]) database.close();
  expect(texts, where).toEqual(entriesUpTo(300).map(({ text }) => text));
  expect(store.opened.register).toBe('{"promised":"0.3.n-1"}');
  expect(store.opened.attempts).toHaveLength(1);
  return 'right';
}

describe('missing files', () => {
  test('a log without its file is refused, not deleted', async () => {
    const folder = freshFolder();
    const appender = startAppender([folder, 'steps', 3, 2]);
    await appender.ended;
    const log = readFileSync(join(folder, 'journal.db-wal'));
    rmSync(join(folder, 'journal.db'));
    expect(refusalOf(folder)).toMatchObject({
      code: 'journal_damaged',
      message: expect.stringContaining('is missing'),
    });
    expect(readFileSync(join(folder, 'journal.db-wal'))).toEqual(log);
  });

  test('a lost history begins anew and says so; the journal is whole', async () => {
    const folder = copyOf(await made);
    rmSync(join(folder, 'history.db'));
    const journal = await journalIn(folder);
    expect(journal.opened.notes).toEqual(['The file history.db was missing: the history of runs begins anew.']);
    expect(journal.opened.end.index).toBe(300);
  });

  test('a store whose making was cut off is made again', async () => {
    const folder = freshFolder();
    writeFileSync(join(folder, 'journal.db.making'), 'half');
    writeFileSync(join(folder, 'journal.db.making-journal'), 'half');
    expect((await journalIn(folder)).opened.end.index).toBe(0);
    expect(existsSync(join(folder, 'journal.db.making'))).toBe(false);
  });

  test('a damaged history file is refused too', async () => {
    const folder = copyOf(await made);
    truncateSync(join(folder, 'history.db'), 50);
    expect(refusalOf(folder)).toMatchObject({ code: 'journal_damaged' });
  });
});

describe('verify', () => {
  test('finds what went wrong on the disk while the journal was open', async () => {
    const folder = freshFolder();
    const first = await journalIn(folder);
    await first.append(entriesUpTo(50));
    const run = { id: 'run-1', launchedAt: 5, endedAt: 6, sandbox: 's', path: 'p', name: 'n', by: 'b' };
    await first.fileRuns([{ ...run, state: 'failed', summary: '{"sum":1}', text: '{"whole":"letters"}' }]);
    await first.close();
    const journal = await journalIn(folder);
    expect(await journal.verify()).toEqual([]);
    overwrite(join(folder, 'journal.db'), textAt(20), textAt(20).replace('ops', 'oqs'));
    overwrite(join(folder, 'history.db'), '"letters"', '"lettert"');
    expect(await journal.verify('journal')).toEqual([
      { file: 'journal.db', sentence: expect.stringContaining('entry 20 does not match its checksum') },
    ]);
    expect((await journal.verify()).map(({ file }) => file).sort()).toEqual(['history.db', 'journal.db']);
    await expect(journal.read(20, 20, 1)).rejects.toMatchObject({ code: 'journal_damaged' });
    expect(await journal.read(21, 21, 1)).toHaveLength(1);
  });
});

/** Overwrites every copy: a page also carries what is no longer counted. */
function overwrite(path: string, text: string, by: string): void {
  const bytes = readFileSync(path);
  const descriptor = openSync(path, 'r+');
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) writeSync(descriptor, by, at);
  closeSync(descriptor);
}
