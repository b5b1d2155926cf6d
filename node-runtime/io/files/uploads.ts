/**
 * Resumable uploads: bytes come in chunks, through breaks of the network and
 * restarts of the node, and become visible at once and whole or not at all.
 *
 * An upload is a part file and a small JSON beside it. The JSON never claims
 * more than was synced, so after a crash the upload goes on where it truly
 * stands. An upload belongs to one sandbox and to who began it; others are
 * told that it does not exist. What becomes of the content (a fact of the
 * journal, a file of a directory) is not decided here.
 */
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, statfs, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';
import type { Upload } from '../../contract/model.ts';
import type { Blobs, Content, Source } from './blobs.ts';
import { hasCode, replaceText, syncFolder, worldFailure, writeWhole } from './durable.ts';

export type UploadAsk = {
  sandbox: string;
  path: string;
  bytes: number;
  hash?: string;
  executable?: boolean;
  ifMatch?: string;
  ifAbsent?: boolean;
};
export type Who = { sandbox: string; by: string };
type Saved = UploadAsk & { id: string; by: string; touchedAt: number; offset: number; complete?: string };
/** Only one request works on an upload; `stop` asks it to end soon, with what it has. */
type Work = { stop: () => void; done: Promise<void> };
type Live = {
  saved: Saved;
  /** Over the first `offset` bytes; unknown after a restart. */
  hasher: Hash | null;
  work: Work | null;
};

export interface Uploads {
  create(ask: UploadAsk, by: string): Promise<Upload | Refusal>;
  status(id: string, who: Who): Upload | Refusal;
  /**
   * The next bytes. A newer request for the same upload ends an older one,
   * which may hang on a dead connection; what the older one brought is kept.
   * Throws the source's error when it breaks off, after keeping what came.
   */
  append(id: string, who: Who, offset: number, source: Source): Promise<Upload | Refusal>;
  /** Content as a blob, the same at every repetition until `forget`. */
  complete(id: string, who: Who): Promise<{ content: Content; ask: UploadAsk } | Refusal>;
  /** Hands the complete bytes to `keep`, then forgets the upload unless `keep` refused. */
  completeInto<T extends object>(
    id: string,
    who: Who,
    keep: (source: Source, ask: UploadAsk) => Promise<T | Refusal>,
  ): Promise<T | Refusal>;
  cancel(id: string, who: Who): Promise<Refusal | null>;
  /** After its content is journaled. Unknown ids are fine: it may have been forgotten before. */
  forget(id: string): Promise<void>;
  /** Drops what nobody has touched for `limits.uploadIdleMs`. */
  expire(): Promise<void>;
}

/** Uploads of before are there again, each at the offset that is safe on disk. */
export async function openUploads(
  directory: string,
  blobs: Blobs,
  now: () => number = () => Date.now(),
): Promise<Uploads> {
  const uploads = new UploadFolder(directory, blobs, now);
  await uploads.load();
  return uploads;
}

class UploadFolder implements Uploads {
  readonly #directory: string;
  readonly #blobs: Blobs;
  readonly #now: () => number;
  readonly #live = new Map<string, Live>();

  constructor(directory: string, blobs: Blobs, now: () => number) {
    this.#directory = directory;
    this.#blobs = blobs;
    this.#now = now;
  }

  async load(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const names = await readdir(this.#directory);
    for (const name of names) {
      if (!name.endsWith('.json')) continue;
      const saved = savedIn(await readFile(join(this.#directory, name), 'utf8'));
      const settled = saved && saved.id === name.slice(0, -5) ? await this.#settled(saved) : null;
      if (settled) this.#live.set(settled.id, { saved: settled, hasher: null, work: null });
    }
    for (const name of names) {
      const id = name.replace(/\.(json|part)$/, '');
      if (!this.#live.has(id)) await rm(join(this.#directory, name), { force: true });
    }
    await this.expire();
  }

  async create(ask: UploadAsk, by: string): Promise<Upload | Refusal> {
    await this.expire();
    if (ask.bytes > limits.fileBytesMax) {
      return refuse('limit_reached', `"${ask.path}" is larger than ${limits.fileBytesMax} bytes.`);
    }
    if (this.#live.size >= limits.uploadsOpenMax) {
      return refuse('too_many', `${limits.uploadsOpenMax} uploads are open on this node.`);
    }
    const saved: Saved = { ...ask, id: randomUUID(), by, touchedAt: this.#now(), offset: 0 };
    // taken before the first wait, so that many at once cannot pass the limit
    this.#live.set(saved.id, { saved, hasher: createHash('sha256'), work: null });
    try {
      const room = await statfs(this.#directory);
      if (room.bavail * room.bsize < ask.bytes) {
        await this.forget(saved.id);
        return refuse('disk_full', `There is no room for the ${ask.bytes} bytes of "${ask.path}".`);
      }
      await (await open(this.#part(saved.id), 'wx', 0o600)).close();
      await this.#save(saved);
      await syncFolder(this.#directory);
    } catch (cause) {
      await this.forget(saved.id);
      throw worldFailure('An upload cannot be begun', cause);
    }
    return viewOf(saved);
  }

  status(id: string, who: Who): Upload | Refusal {
    const live = this.#named(id, who);
    return 'code' in live ? live : viewOf(live.saved);
  }

  async append(id: string, who: Who, offset: number, source: Source): Promise<Upload | Refusal> {
    const live = this.#named(id, who);
    if ('code' in live) return live;
    return this.#alone(live, (signal) => this.#append(live, offset, until(source, signal)), true);
  }

  async complete(id: string, who: Who): Promise<{ content: Content; ask: UploadAsk } | Refusal> {
    const live = this.#named(id, who);
    if ('code' in live) return live;
    return this.#alone(live, async () => {
      const hash = await this.#checked(live);
      if (typeof hash !== 'string') return hash;
      const content = { hash, bytes: live.saved.bytes };
      if (live.saved.complete === undefined) {
        // first the name, then the move: a crash between them finds the part or the blob, and knows which
        await this.#save({ ...live.saved, complete: hash });
        live.saved = { ...live.saved, complete: hash };
      }
      const isPart = await exists(this.#part(id));
      if (isPart) await this.#blobs.adopt(this.#part(id), content);
      else if (!(await this.#blobs.has(hash))) throw new Error(`The content ${hash} of an upload is gone`);
      return { content, ask: askOf(live.saved) };
    });
  }

  async completeInto<T extends object>(
    id: string,
    who: Who,
    keep: (source: Source, ask: UploadAsk) => Promise<T | Refusal>,
  ): Promise<T | Refusal> {
    const live = this.#named(id, who);
    if ('code' in live) return live;
    return this.#alone(live, async () => {
      const hash = await this.#checked(live);
      if (typeof hash !== 'string') return hash;
      const kept = await keep(createReadStream(this.#part(id)), askOf(live.saved));
      if (!('code' in kept)) await this.forget(id);
      return kept;
    });
  }

  async cancel(id: string, who: Who): Promise<Refusal | null> {
    const live = this.#named(id, who);
    if ('code' in live) return live;
    return this.#alone(
      live,
      async () => {
        await this.forget(id);
        return null;
      },
      true,
    );
  }

  async forget(id: string): Promise<void> {
    if (!this.#live.delete(id)) return;
    await rm(this.#json(id), { force: true });
    await rm(this.#part(id), { force: true });
  }

  async expire(): Promise<void> {
    for (const { saved, work } of [...this.#live.values()]) {
      if (!work && saved.touchedAt + limits.uploadIdleMs <= this.#now()) await this.forget(saved.id);
    }
  }

  // ----------------------------------------------------------------- inside

  async #append(live: Live, offset: number, source: Source): Promise<Upload | Refusal> {
    const { saved } = live;
    if (offset !== saved.offset)
      return refuse('upload_offset', `The upload goes on at ${saved.offset}, not ${offset}.`);
    if (saved.complete !== undefined) return refuse('upload_offset', `All ${saved.bytes} bytes are here already.`);
    const hasherBefore = live.hasher?.copy() ?? null;
    const came = await this.#write(live, offset, source).catch(async (cause) => {
      // nothing of this chunk is trusted; make room again for others
      live.hasher = hasherBefore;
      await truncate(this.#part(saved.id), offset);
      throw cause;
    });
    if (came.refusal) {
      live.hasher = hasherBefore;
      await truncate(this.#part(saved.id), offset);
      return came.refusal;
    }
    const now = { ...saved, offset: offset + came.bytes, touchedAt: this.#now() };
    await this.#save(now);
    live.saved = now;
    if (came.broken instanceof TakenOver) return refuse('upload_offset', 'A newer request goes on with this upload.');
    if (came.broken !== null) throw new Error('The upload broke off; what came is kept', { cause: came.broken });
    return viewOf(now);
  }

  /** Written and synced bytes. The source's break is told, not thrown; what the disk throws is thrown. */
  async #write(
    live: Live,
    offset: number,
    source: Source,
  ): Promise<{ bytes: number; refusal?: Refusal; broken: unknown }> {
    const handle = await open(this.#part(live.saved.id), 'r+');
    let bytes = 0;
    let broken: unknown = null;
    try {
      for await (const chunk of untilBreak(source, (cause) => (broken = cause))) {
        const refusal = refusalOfMore(live.saved, offset, bytes + chunk.length);
        if (refusal) return { bytes, refusal, broken };
        await writeWhole(handle, chunk, offset + bytes);
        live.hasher?.update(chunk);
        bytes += chunk.length;
      }
      await handle.datasync();
    } catch (cause) {
      throw worldFailure('An upload cannot be written', cause);
    } finally {
      await handle.close();
    }
    return { bytes, broken };
  }

  /** The hash of all bytes; `upload_incomplete`, or `checksum_mismatch` after which it begins again at 0. */
  async #checked(live: Live): Promise<string | Refusal> {
    const { saved } = live;
    if (saved.complete !== undefined) return saved.complete;
    if (saved.offset < saved.bytes) {
      return refuse('upload_incomplete', `${saved.offset} of ${saved.bytes} bytes are here.`);
    }
    const hash = live.hasher?.copy().digest('hex') ?? (await hashOfFile(this.#part(saved.id)));
    if (saved.hash === undefined || saved.hash === hash) return hash;
    await truncate(this.#part(saved.id), 0);
    live.saved = { ...saved, offset: 0 };
    live.hasher = createHash('sha256');
    await this.#save(live.saved);
    return refuse('checksum_mismatch', `The bytes that came have the checksum ${hash}, not ${saved.hash}.`);
  }

  /** One piece of work at a time; one that `stops` ends the work before it, others wait for it. */
  async #alone<T>(live: Live, run: (signal: AbortSignal) => Promise<T>, stops = false): Promise<T | Refusal> {
    while (live.work) {
      if (stops) live.work.stop();
      await live.work.done;
    }
    if (!this.#live.has(live.saved.id)) return unknownUpload(live.saved.id);
    const stop = new AbortController();
    const result = run(stop.signal);
    const done = result.then(
      () => undefined,
      () => undefined, // whoever asked for this work is told; the next one only waits for its end
    );
    live.work = { stop: () => stop.abort(new TakenOver()), done };
    try {
      return await result;
    } finally {
      live.work = null;
    }
  }

  #named(id: string, who: Who): Live | Refusal {
    const live = this.#live.get(id);
    if (!live || live.saved.sandbox !== who.sandbox || live.saved.by !== who.by) return unknownUpload(id);
    return live.saved.touchedAt + limits.uploadIdleMs <= this.#now() ? unknownUpload(id) : live;
  }

  /** What is really there after a stop; null when it cannot go on. */
  async #settled(saved: Saved): Promise<Saved | null> {
    if (saved.complete !== undefined) return saved;
    const part = this.#part(saved.id);
    if (!(await exists(part))) return null;
    const { size } = await stat(part);
    if (size > saved.offset) await truncate(part, saved.offset);
    return { ...saved, offset: Math.min(size, saved.offset) };
  }

  #save(saved: Saved): Promise<void> {
    return replaceText(this.#json(saved.id), JSON.stringify(saved));
  }

  #json(id: string): string {
    return join(this.#directory, `${id}.json`);
  }

  #part(id: string): string {
    return join(this.#directory, `${id}.part`);
  }
}

/** Says to an older request that a newer one goes on. */
class TakenOver extends Error {
  override name = 'TakenOver';
}

/** The source until the signal; a source that gives nothing for ever is left alone. */
async function* until(source: Source, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  stopped.catch(() => undefined); // heard below, or of no interest once the source has ended
  const chunks = source[Symbol.asyncIterator]();
  let isOver = false;
  try {
    while (true) {
      const next = await Promise.race([chunks.next(), stopped]);
      isOver = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // not waited for: it may never end, which is why it is left
    if (!isOver) chunks.return?.()?.catch(() => undefined);
  }
}

/** Ends where the source breaks, and tells why. */
async function* untilBreak(source: Source, tell: (cause: unknown) => void): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  let isOver = false;
  try {
    while (true) {
      const next = await chunks.next().catch((cause: unknown) => {
        tell(cause);
        return { done: true as const, value: undefined };
      });
      isOver = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    if (!isOver) await chunks.return?.();
  }
}

function refusalOfMore(saved: Saved, offset: number, bytes: number): Refusal | null {
  if (bytes > limits.chunkBytesMax) {
    return refuse('body_too_large', `A chunk has at most ${limits.chunkBytesMax} bytes.`);
  }
  if (offset + bytes <= saved.bytes) return null;
  return refuse('bad_request', `More bytes came than the ${saved.bytes} that were announced.`);
}

const unknownUpload = (id: string): Refusal => refuse('upload_unknown', `There is no upload "${id}" for you here.`);

const askOf = ({ sandbox, path, bytes, hash, executable, ifMatch, ifAbsent }: Saved): UploadAsk => ({
  sandbox,
  path,
  bytes,
  ...(hash === undefined ? {} : { hash }),
  ...(executable === undefined ? {} : { executable }),
  ...(ifMatch === undefined ? {} : { ifMatch }),
  ...(ifAbsent === undefined ? {} : { ifAbsent }),
});

const viewOf = ({ id, sandbox, path, bytes, offset, touchedAt }: Saved): Upload => ({
  id,
  sandbox,
  path,
  bytes,
  offset,
  chunkBytesMax: limits.chunkBytesMax,
  expiresAt: new Date(touchedAt + limits.uploadIdleMs).toISOString(),
});

/** Ours are written at once and whole; anything else is a stranger's file. */
function savedIn(text: string): Saved | null {
  try {
    const saved = JSON.parse(text) as Saved;
    return typeof saved.id === 'string' && Number.isSafeInteger(saved.offset) ? saved : null;
  } catch {
    return null;
  }
}

async function hashOfFile(file: string): Promise<string> {
  const hasher = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 ** 2 })) hasher.update(chunk);
  return hasher.digest('hex');
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return false;
    throw cause;
  }
}
