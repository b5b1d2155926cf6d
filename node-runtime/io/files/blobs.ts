/**
 * The blob store: contents of kept files, each named by its sha-256.
 *
 * A blob is written beside, hashed on the way, synced, and only then renamed
 * to its name and its folder synced: what has a name is whole, through a kill
 * or a power cut. A name never gets other bytes, so blobs are read-only.
 * Nothing is deleted here; what no manifest names any more costs only room.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { hasCode, syncFolder, worldFailure, writeWhole } from './durable.ts';

export type Content = { hash: string; bytes: number };
export type Source = AsyncIterable<Uint8Array>;
/** First and last byte, both included, as in HTTP. */
export type Range = { start: number; end: number };

export interface Blobs {
  /**
   * Keeps what the source gives. Refuses `body_too_large` and
   * `checksum_mismatch`; throws `DiskFull`, and the source's own error when it
   * breaks off. In all these cases nothing is left behind.
   */
  store(source: Source, ask: { bytesMax: number; expected?: string }): Promise<Content | Refusal>;
  /** Takes over a complete file of the same file system, whose content was hashed by the caller. */
  adopt(file: string, content: Content): Promise<void>;
  /** The stream fails when the blob is missing; ask `lackOf` first where an answer depends on it. */
  read(hash: string, range?: Range): ReadStream;
  /** `file_damaged` when it is missing, or not as long as it should be; null when it can be read. */
  lackOf(content: Content): Promise<Refusal | null>;
  path(hash: string): string;
  has(hash: string): Promise<boolean>;
  /** Reads it all again. */
  verify(hash: string): Promise<'sound' | 'damaged' | 'missing'>;
}

/**
 * Opens or makes the store. Half written blobs of a program that was killed
 * are removed; those of one that runs (a node beside `doctor`) are left.
 */
export async function openBlobs(directory: string): Promise<Blobs> {
  const incoming = join(directory, 'incoming');
  try {
    await mkdir(incoming, { recursive: true, mode: 0o700 });
    for (const name of await readdir(incoming)) {
      if (!isInWork(name)) await rm(join(incoming, name), { force: true });
    }
    await makePrefixes(directory);
  } catch (cause) {
    throw worldFailure(`The blob store ${directory} cannot be opened`, cause);
  }
  return new BlobFolder(directory, incoming);
}

/** Named after the process that writes it. One of our own number can only be left by an earlier program. */
function isInWork(name: string): boolean {
  const pid = Number(name.split('-')[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return hasCode(cause, 'EPERM');
  }
}

/** All 256 at once, so that storing never has to sync two folders. */
async function makePrefixes(directory: string): Promise<void> {
  const there = new Set(await readdir(directory));
  for (let i = 0; i < 256; i++) {
    const prefix = i.toString(16).padStart(2, '0');
    if (!there.has(prefix)) await mkdir(join(directory, prefix), { mode: 0o700 });
  }
  await syncFolder(directory);
}

class BlobFolder implements Blobs {
  readonly #directory: string;
  readonly #incoming: string;

  constructor(directory: string, incoming: string) {
    this.#directory = directory;
    this.#incoming = incoming;
  }

  async store(source: Source, ask: { bytesMax: number; expected?: string }): Promise<Content | Refusal> {
    const temporary = join(this.#incoming, `${process.pid}-${randomUUID()}`);
    try {
      const content = await this.#write(temporary, source, ask.bytesMax);
      if (content === null) return refuse('body_too_large', `More than ${ask.bytesMax} bytes came.`);
      if (ask.expected !== undefined && ask.expected !== content.hash) {
        return refuse('checksum_mismatch', `The bytes that came have the checksum ${content.hash}.`);
      }
      await this.#name(temporary, content);
      return content;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async adopt(file: string, content: Content): Promise<void> {
    try {
      await chmod(file, 0o400);
      await this.#name(file, content);
      await rm(file, { force: true });
    } catch (cause) {
      throw worldFailure(`The blob ${content.hash} cannot be taken over`, cause);
    }
  }

  read(hash: string, range?: Range): ReadStream {
    return createReadStream(this.path(hash), { ...range, highWaterMark: 256 * 1024 });
  }

  async lackOf({ hash, bytes }: Content): Promise<Refusal | null> {
    const found = await this.#bytesOf(hash);
    if (found === null) return refuse('file_damaged', `The content ${hash} is missing on this node.`);
    return found === bytes ? null : refuse('file_damaged', `The content ${hash} has ${found} of its ${bytes} bytes.`);
  }

  path(hash: string): string {
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error(`broken promise: ${hash} is no hash`);
    return join(this.#directory, hash.slice(0, 2), hash.slice(2));
  }

  async has(hash: string): Promise<boolean> {
    return (await this.#bytesOf(hash)) !== null;
  }

  async verify(hash: string): Promise<'sound' | 'damaged' | 'missing'> {
    const hasher = createHash('sha256');
    try {
      for await (const chunk of createReadStream(this.path(hash), { highWaterMark: 1024 ** 2 })) hasher.update(chunk);
    } catch (cause) {
      if (hasCode(cause, 'ENOENT')) return 'missing';
      // a disk that cannot read the bytes any more has damaged them
      if (hasCode(cause, 'EIO')) return 'damaged';
      throw worldFailure(`The blob ${hash} cannot be checked`, cause);
    }
    return hasher.digest('hex') === hash ? 'sound' : 'damaged';
  }

  /** The content, synced; null when the source has more than it may. */
  async #write(temporary: string, source: Source, bytesMax: number): Promise<Content | null> {
    const handle = await open(temporary, 'wx', 0o400).catch((cause) => {
      throw worldFailure('A blob cannot be begun', cause);
    });
    const hasher = createHash('sha256');
    let bytes = 0;
    try {
      for await (const chunk of source) {
        if (bytes + chunk.length > bytesMax) return null;
        hasher.update(chunk);
        await written(writeWhole(handle, chunk, bytes));
        bytes += chunk.length;
      }
      await written(handle.sync());
    } finally {
      await handle.close();
    }
    return { hash: hasher.digest('hex'), bytes };
  }

  /** An equal blob that is there already is kept; one of another length is damaged and is replaced. */
  async #name(file: string, content: Content): Promise<void> {
    const place = this.path(content.hash);
    if ((await this.#bytesOf(content.hash)) !== content.bytes) await written(rename(file, place));
    // also for one that is there: whoever renamed it may have been stopped before this
    await written(syncFolder(join(this.#directory, content.hash.slice(0, 2))));
  }

  async #bytesOf(hash: string): Promise<number | null> {
    try {
      return (await stat(this.path(hash))).size;
    } catch (cause) {
      if (hasCode(cause, 'ENOENT')) return null;
      throw worldFailure(`The blob ${hash} cannot be looked at`, cause);
    }
  }
}

/** Tells failures of the disk from those of the source. */
async function written(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    throw worldFailure('A blob cannot be written', cause);
  }
}
