/**
 * A node's identity on disk: one file, only its owner may read it.
 *
 * Authority, certificate and keys are one file so that they change together:
 * written beside it, synced, renamed over it, the folder synced. After a crash
 * the old identity is there or the new one, never parts of both. Keys are not
 * encrypted: a daemon has nobody to ask for a password at start.
 */
import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Certified, type Identity, identityOf } from './identity.ts';

const FILE = 'identity.json';
const OWNER_ONLY = 0o600;

/** Throws with its cause when the disk refuses; the identity kept before is then untouched. */
export async function saveIdentity(dir: string, identity: Identity): Promise<void> {
  const { clusterName, nodeName, authority, node } = identity;
  const text = `${JSON.stringify({ version: 1, clusterName, nodeName, authority, node }, null, 2)}\n`;
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

function checked(saved: Record<string, unknown>): Identity {
  if (saved['version'] !== 1) throw new Error(`version ${saved['version']} is not known`);
  const { clusterName, nodeName, authority, node } = saved as unknown as Identity;
  if (typeof clusterName !== 'string' || typeof nodeName !== 'string') throw new Error('a name is missing');
  const authorityCert = fitting('authority', authority);
  const nodeCert = fitting('node', node);
  if (!nodeCert.verify(authorityCert.publicKey)) throw new Error('the certificate is not by this authority');
  return identityOf({ clusterName, nodeName }, pick(authority), pick(node));
}

const pick = ({ cert, key }: Certified): Certified => ({ cert, key });

function fitting(name: string, certified: Certified): X509Certificate {
  const cert = new X509Certificate(certified.cert);
  if (!cert.checkPrivateKey(createPrivateKey(certified.key))) throw new Error(`the key of the ${name} does not fit`);
  return cert;
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
