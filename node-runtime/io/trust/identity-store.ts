/**
 * A node's identity on disk: one file, only its owner may read it.
 *
 * Authority, certificate and keys are one file so that they change together:
 * written beside it, synced, renamed over it, the folder synced. After a crash
 * the old identity is there or the new one, never parts of both. Keys are not
 * encrypted: a daemon has nobody to ask for a password at start.
 */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Identity, type IdentityParts, identityFrom } from './identity.ts';

const FILE = 'identity.json';
const OWNER_ONLY = 0o600;

/** Throws with its cause when the disk refuses; the identity kept before is then untouched. */
export async function saveIdentity(dir: string, identity: Identity): Promise<void> {
  const { fingerprint: _, authorityFingerprint: __, ...parts } = identity;
  const text = `${JSON.stringify({ version: 1, ...parts }, null, 2)}\n`;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const beside = join(dir, `.${FILE}.${randomUUID()}`);
  try {
    await writeSynced(beside, text);
    await rename(beside, join(dir, FILE));
    await syncFolder(dir);
  } catch (cause) {
    await rm(beside, { force: true });
    throw new Error(`The identity of this node cannot be saved in ${dir}.`, { cause });
  }
}

/** Null when there is none yet. Throws with a sentence when what is there is damaged or doesn't fit together. */
export async function loadIdentity(dir: string): Promise<Identity | null> {
  const path = join(dir, FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(`The identity of this node cannot be read from ${path}.`, { cause });
  }
  await chmod(path, OWNER_ONLY); // a copy or a backup may have opened it to others
  try {
    return checked(JSON.parse(text));
  } catch (cause) {
    throw new Error(`The identity of this node in ${path} is damaged. Restore the file from a backup.`, { cause });
  }
}

function checked(saved: IdentityParts & { version: unknown }): Identity {
  if (saved.version !== 1) throw new Error(`Version ${saved.version} is not known.`);
  return identityFrom(saved);
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', OWNER_ONLY);
  await file.writeFile(text);
  await file.sync();
}

async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return; // folders can't be opened there; the file system orders renames itself
  await using folder = await open(dir, 'r');
  await folder.sync();
}

export type ChangeIdentity = (change: (now: Identity) => Promise<Identity>) => Promise<void>;

/** `use` is told of every new identity, once it is on disk in the folder `trust`. */
export function makeChangeIdentity(
  trust: string,
  present: () => Identity,
  use: (identity: Identity) => void,
): ChangeIdentity {
  let last: Promise<void> = Promise.resolve();
  return (change) => {
    const done = last.then(async () => {
      const now = present();
      const next = await change(now);
      if (next === now) return;
      await saveIdentity(trust, next);
      use(next);
    });
    last = done.catch(() => {}); // told to whoever asked for it
    return done;
  };
}
