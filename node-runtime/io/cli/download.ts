/**
 * Fetches files of a sandbox to this computer, or to stdout.
 *
 * A file is written beside its place and renamed when it is whole, so a broken
 * download never leaves half a file under the real name. After a broken
 * connection it goes on where it stood, if the file is still the same one
 * (same ETag); otherwise it begins again. Names told by the node never lead
 * out of the folder asked for.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Entry } from '../../contract/model.ts';
import type { Query } from '../../contract/routes.ts';
import { connectionFailure, mayPass, type NodeClient } from './client.ts';
import { Failure, fileFailure, interrupted } from './failure.ts';
import { isPlainName } from './sandbox-path.ts';
import type { Progress } from './upload.ts';

export type DownloadOf = { sandbox: string; path: string; version?: number };

type Sink = { write(bytes: Buffer): Promise<void>; restart(): Promise<void> };

/** Gives the bytes written. */
export async function download(client: NodeClient, of: DownloadOf, file: string, progress: Progress): Promise<number> {
  const partial = `${file}.part-${randomBytes(4).toString('hex')}`;
  const here = (fault: unknown): Promise<never> =>
    Promise.reject(fault instanceof Failure ? fault : fileFailure(file, fault));
  const handle = await open(partial, 'wx').catch(here);
  try {
    const bytes = await fetchInto(client, of, fileSink(handle, here), progress);
    await handle.sync().catch(here);
    await handle.close().catch(here);
    await rename(partial, file).catch(here);
    return bytes;
  } catch (fault) {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw fault;
  }
}

function fileSink(handle: FileHandle, here: (fault: unknown) => Promise<never>): Sink {
  let at = 0;
  return {
    async write(bytes) {
      for (let from = 0; from < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, from, bytes.length - from, at).catch(here);
        from += bytesWritten;
        at += bytesWritten;
      }
    },
    async restart() {
      await handle.truncate(0).catch(here);
      at = 0;
    },
  };
}

/** To stdout: what has been printed cannot be taken back, so a changed file is a failure. */
export async function downloadText(client: NodeClient, of: DownloadOf, out: (bytes: Buffer) => void): Promise<number> {
  return fetchInto(
    client,
    of,
    {
      write: async (bytes) => out(bytes),
      restart: async () => {
        throw new Failure('refused', `${of.path} changed while it was read.`, { next: 'Read it again.' });
      },
    },
    () => undefined,
  );
}

async function fetchInto(client: NodeClient, of: DownloadOf, sink: Sink, progress: Progress): Promise<number> {
  const until = { at: Date.now() + client.retryMs };
  const state = { offset: 0, etag: undefined as string | undefined };
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
    const before = state.offset;
    try {
      await fetchOnce(client, of, state, sink, progress);
      return state.offset;
    } catch (fault) {
      if (!(fault instanceof Failure) || !mayPass(fault)) throw fault;
      // What never began is told at once; what broke is gone on with.
      if (state.etag === undefined) throw fault;
      if (state.offset > before) until.at = Date.now() + client.retryMs;
      if (Date.now() > until.at) throw fault;
      await wait(pauseMs, undefined, { signal: client.signal }).catch(() => Promise.reject(interrupted()));
    }
  }
}

async function fetchOnce(
  client: NodeClient,
  of: DownloadOf,
  state: { offset: number; etag: string | undefined },
  sink: Sink,
  progress: Progress,
): Promise<void> {
  const opened = await client.open('fileRead', {
    params: { sandbox: of.sandbox, path: of.path },
    query: of.version === undefined ? {} : { version: of.version },
    headers: state.offset > 0 ? { range: `bytes=${state.offset}-` } : {},
  });
  const etag = opened.header('etag') ?? '';
  const goesOn = opened.status === 206 && etag === state.etag && etag !== '';
  if (state.offset > 0 && !goesOn) {
    const ranged = opened.status === 206;
    if (ranged) opened.body.destroy();
    await sink.restart();
    state.offset = 0;
    state.etag = etag;
    // A part of another file is useless: ask again for all of it.
    if (ranged) return fetchOnce(client, of, state, sink, progress);
  }
  state.etag = etag;
  const total = state.offset + Number(opened.header('content-length') ?? 0);
  const parts = opened.body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (;;) {
    const part = await parts.next().catch((fault) => Promise.reject(connectionFailure(client, fault)));
    if (part.done) return;
    await sink.write(part.value);
    state.offset += part.value.length;
    progress(state.offset, total);
  }
}

/** Every entry below a folder, folders before what is in them. */
export async function* entriesBelow(client: NodeClient, sandbox: string, folder: string): AsyncGenerator<Entry> {
  for await (const entry of entriesOf(client, sandbox, folder)) {
    yield entry;
    if (entry.kind === 'folder') yield* entriesBelow(client, sandbox, entry.path);
  }
}

export async function* entriesOf(client: NodeClient, sandbox: string, folder: string): AsyncGenerator<Entry> {
  let cursor: string | undefined;
  do {
    const query: Partial<Query<'entries'>> = { path: folder };
    if (cursor !== undefined) query.cursor = cursor;
    const page = await client.ask('entries', { params: { sandbox }, query });
    yield* page.entries;
    cursor = page.entries.length > 0 ? page.cursor : undefined;
  } while (cursor !== undefined);
}

/** A folder with all in it, into a folder of this computer. Gives the files written. */
export async function downloadFolder(
  client: NodeClient,
  of: { sandbox: string; path: string },
  folder: string,
  each: (entry: Entry) => Progress,
): Promise<Entry[]> {
  const made: Entry[] = [];
  const makeFolder = (path: string) =>
    mkdir(path, { recursive: true }).catch((fault: unknown) => Promise.reject(fileFailure(path, fault)));
  await makeFolder(folder);
  for await (const entry of entriesBelow(client, of.sandbox, of.path)) {
    const below = of.path === '' ? entry.path : entry.path.slice(of.path.length + 1);
    const names = below.split('/');
    if (!names.every(isPlainName)) {
      throw new Failure('here', `"${entry.path}" cannot be a file of this computer.`, {
        next: 'Fetch the other files by name.',
      });
    }
    const local = join(folder, ...names);
    if (entry.kind === 'folder') await makeFolder(local);
    else {
      await download(client, { sandbox: of.sandbox, path: entry.path }, local, each(entry));
      made.push(entry);
    }
  }
  return made;
}
