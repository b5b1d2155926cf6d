/**
 * The data folder of one node: made, checked, locked, and its torn logs cut.
 *
 * Refuses network file systems, on which SQLite's locks and syncs mean little.
 * One process a folder: the lock is SQLite's own on a small file, so the system
 * drops it with the process, however that ends. While the lock is held nobody
 * in this process may open `lock.db` or `journal.db` by other means: closing
 * any descriptor of a file drops the POSIX locks the process has on it.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Database } from 'better-sqlite3';
import { connect } from './engine.ts';
import { engineCodeOf, JournalDamaged, JournalError } from './errors.ts';
import type { WalFinding } from './wal.ts';

const networkTypes: Record<number, string> = {
  26985: 'NFS',
  20859: 'SMB',
  4283649346: 'CIFS',
  4266872130: 'SMB',
  1397113167: 'AFS',
  1799439955: 'AFS',
  16914839: '9p',
  12805120: 'CephFS',
  198183888: 'Lustre',
  428016422: 'BeeGFS',
  1196443219: 'GPFS',
  1952539503: 'OCFS2',
  18225520: 'GFS2',
  1937076805: 'Coda',
  22092: 'NCP',
  2020557398: 'a VirtualBox shared folder',
};
const fuse = 0x65735546;

/** Name of a network file system by its statfs type, null for a local one. `mountedAs` is the type in the mount table. */
export function networkFileSystem(type: number, mountedAs: () => string | null): string | null {
  const known = networkTypes[type >>> 0];
  if (known) return known;
  if (type >>> 0 !== fuse) return null;
  const name = mountedAs();
  return name?.startsWith('fuse.') ? name.slice(5) : null;
}

/** Type of the mount a folder lies on, from the text of /proc/self/mountinfo. */
export function mountType(mountinfo: string, folder: string): string | null {
  let best = { at: '', type: null as string | null };
  for (const line of mountinfo.split('\n')) {
    const [front, back] = line.split(' - ');
    const at = front?.split(' ')[4]?.replace(/\\040/g, ' ');
    if (!at || !back || at.length < best.at.length) continue;
    if (folder === at || folder.startsWith(at === '/' ? '/' : `${at}/`)) best = { at, type: back.split(' ')[0]! };
  }
  return best.type;
}

/** Makes the folder (0700) if needed; throws `folder_unsuitable` on a network file system. */
export function prepareFolder(folder: string): void {
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (made) syncFolder(dirname(made));
  chmodSync(folder, 0o700);
  if (process.platform !== 'linux') return;
  const type = networkFileSystem(statfsSync(folder).type, () =>
    mountType(readFileSync('/proc/self/mountinfo', 'utf8'), resolve(folder)),
  );
  if (type) {
    throw new JournalError(
      'folder_unsuitable',
      `The folder ${folder} lies on a network file system (${type}), where a journal is not safe. ` +
        'Give this node a folder on a disk of its own.',
    );
  }
}

export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a private empty file if there is none. Never opens one that is there (see above). */
export function ensureFile(path: string): void {
  if (existsSync(path)) chmodSync(path, 0o600);
  else closeSync(openSync(path, 'ax', 0o600));
}

/** Takes the folder for this process; throws `folder_in_use` naming the process that has it. */
export function lockFolder(folder: string): Database {
  const path = join(folder, 'lock.db');
  ensureFile(path);
  let lock: Database | undefined;
  try {
    lock = connect(path);
    lock.exec('BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS holder (pid INTEGER); DELETE FROM holder;');
    lock.prepare('INSERT INTO holder VALUES (?)').run(process.pid);
    // Others can read the number only when it is committed; so the lock is taken a second time.
    lock.exec('COMMIT; BEGIN IMMEDIATE;');
    return lock;
  } catch (error) {
    const holder = lock && holderOf(lock);
    lock?.close();
    throw lockError(error, folder, holder);
  }
}

function holderOf(lock: Database): number | undefined {
  try {
    if (lock.inTransaction) lock.exec('ROLLBACK');
    return lock.prepare<[], number>('SELECT pid FROM holder').pluck().get();
  } catch {
    // While the holder writes its number it cannot be read; the refusal does without it.
    return undefined;
  }
}

function lockError(error: unknown, folder: string, holder: number | undefined): unknown {
  const code = engineCodeOf(error);
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    const who = holder === undefined ? 'pid not known yet' : `pid ${holder}`;
    return new JournalError('folder_in_use', `Another Binnacle node uses this folder (${who}): ${folder}.`);
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || code === 'SQLITE_ERROR') {
    return new JournalDamaged(
      `The lock file ${join(folder, 'lock.db')} is damaged. It holds no work: move that one file away and start again.`,
      { cause: error },
    );
  }
  return error;
}

/**
 * Makes the good part of a log certain, then cuts what a power cut left behind it.
 *
 * After a failed sync the system may show bytes that the disk lacks and call
 * them clean; so they are written again and synced before they count.
 */
export function settleWal(path: string, finding: WalFinding): void {
  if (finding.kind === 'damaged') return;
  if (finding.kind === 'empty') {
    if (finding.cut) rmSync(path);
    return;
  }
  const descriptor = openSync(path, 'r+');
  try {
    const block = Buffer.alloc(1 << 20);
    for (let at = 0; at < finding.goodBytes; ) {
      const read = readSync(descriptor, block, 0, Math.min(block.length, finding.goodBytes - at), at);
      if (read === 0) break;
      writeSync(descriptor, block, 0, read, at);
      at += read;
    }
    if (finding.kind === 'torn') ftruncateSync(descriptor, finding.goodBytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
