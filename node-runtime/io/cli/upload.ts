/**
 * Brings one file of this computer into a sandbox, in chunks.
 *
 * A broken connection costs at most one chunk: the node is asked where the
 * upload stands and it goes on from there. The file becomes visible whole, at
 * once, and only if its sha-256 is the one computed before the first byte was
 * sent; a file that changes meanwhile is refused, not mixed.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { limits } from '../../contract/limits.ts';
import type { Entry, Upload } from '../../contract/model.ts';
import { mayPass, type NodeClient } from './client.ts';
import { Failure, fileFailure, interrupted } from './failure.ts';

export type UploadTo = { sandbox: string; path: string; noReplace?: boolean };
export type Progress = (done: number, total: number) => void;

const pauseMsMax = 2_000;

export async function upload(client: NodeClient, file: string, to: UploadTo, progress: Progress): Promise<Entry> {
  const { bytes, executable, hash } = await measure(file, client.signal);
  const begun = await client.ask('uploadCreate', {
    params: { sandbox: to.sandbox },
    body: { path: to.path, bytes, hash, executable, ...(to.noReplace ? { ifAbsent: true } : {}) },
  });
  const handle = await open(file).catch((fault: unknown) => Promise.reject(fileFailure(file, fault)));
  try {
    await sendChunks(client, file, handle, begun, progress);
    return await client.ask('uploadComplete', { params: { sandbox: to.sandbox, upload: begun.id } });
  } catch (fault) {
    // A refused or changed file will not be gone on with; an unreachable node forgets the upload by itself.
    if (fault instanceof Failure && fault.exit !== 'unreachable' && fault.exit !== 'interrupted') {
      await client.ask('uploadCancel', { params: { sandbox: to.sandbox, upload: begun.id } }).catch(() => undefined);
    }
    throw fault;
  } finally {
    await handle.close();
  }
}

async function measure(
  file: string,
  signal: AbortSignal,
): Promise<{ bytes: number; executable: boolean; hash: string }> {
  try {
    const { mode, size } = await stat(file);
    const hash = createHash('sha256');
    for await (const part of createReadStream(file, { signal })) hash.update(part as Buffer);
    return { bytes: size, executable: process.platform !== 'win32' && (mode & 0o100) !== 0, hash: hash.digest('hex') };
  } catch (fault) {
    if (signal.aborted) throw interrupted();
    throw fileFailure(file, fault);
  }
}

async function sendChunks(
  client: NodeClient,
  file: string,
  handle: FileHandle,
  begun: Upload,
  progress: Progress,
): Promise<void> {
  let stands = begun;
  let grewAt = Date.now();
  const buffer = Buffer.alloc(Math.max(1, Math.min(begun.chunkBytesMax, limits.chunkBytesMax, begun.bytes)));
  while (stands.offset < begun.bytes) {
    progress(stands.offset, begun.bytes);
    const wanted = Math.min(buffer.length, begun.bytes - stands.offset);
    const { bytesRead } = await handle
      .read(buffer, 0, wanted, stands.offset)
      .catch((fault: unknown) => Promise.reject(fileFailure(file, fault)));
    if (bytesRead === 0)
      throw new Failure('here', `${file} became shorter while it was sent.`, { next: 'Send it again.' });
    const before = stands.offset;
    stands = await sendChunk(client, stands, buffer.subarray(0, bytesRead));
    if (stands.offset > before) grewAt = Date.now();
    else if (Date.now() - grewAt > client.retryMs) {
      throw new Failure('unreachable', `${client.name} answers, but the bytes of ${file} do not get through.`, {
        next: 'Look at the network between this computer and the node, then send it again.',
      });
    }
  }
  progress(begun.bytes, begun.bytes);
}

/** Sends a chunk, or finds out where the upload stands after it broke. Gives up after the client's `retryMs`. */
async function sendChunk(client: NodeClient, stands: Upload, chunk: Uint8Array): Promise<Upload> {
  const params = { sandbox: stands.sandbox, upload: stands.id };
  try {
    return await client.ask('uploadChunk', { params, query: { offset: stands.offset }, body: chunk });
  } catch (fault) {
    if (!canGoOn(fault)) throw fault;
    const until = Date.now() + client.retryMs;
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      await wait(pauseMs, undefined, { signal: client.signal }).catch(() => Promise.reject(interrupted()));
      try {
        return await client.ask('upload', { params });
      } catch (again) {
        if (!canGoOn(again) || Date.now() > until) throw again;
      }
    }
  }
}

const canGoOn = (fault: unknown): boolean =>
  fault instanceof Failure && (mayPass(fault) || fault.code === 'upload_offset');
