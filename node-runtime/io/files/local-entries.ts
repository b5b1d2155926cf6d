/**
 * What is told about files and folders of a directory: entries, etags, the
 * listing order, and how an opened file is read. Nothing is opened here.
 */
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Entry } from '../../contract/model.ts';
import type { Range } from './blobs.ts';
import { nameOf, type OpenedFile } from './local-places.ts';

export type ReadableFile = {
  entry: Entry;
  bytes: number;
  etag: string;
  /** Closes the file when it ends or is destroyed; asked for once. */
  stream(range?: Range): Readable;
  close(): Promise<void>;
};

export const joined = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/** Kind, then name without case, then the true name. No name holds NUL. */
export const keyOf = (kind: Entry['kind'], name: string): string =>
  `${kind === 'folder' ? 0 : 1}${name.toLowerCase()}\0${name}`;
export const nameInKey = (key: string): string => key.slice(key.lastIndexOf('\0') + 1);
export const cursorKey = (cursor: string): string => keyOf(cursor[0] === '0' ? 'folder' : 'file', cursor.slice(1));

/** Changes whenever the file is written, or replaced by another one. */
export const etagOf = (stats: BigIntStats): string =>
  `"m${stats.mtimeNs.toString(36)}-${stats.size.toString(36)}-${stats.ino.toString(36)}"`;

export function entryOf(path: string, stats: BigIntStats): Entry {
  const changedAt = new Date(Number(stats.mtimeMs)).toISOString();
  if (stats.isDirectory()) return { path, name: nameOf(path), kind: 'folder', bytes: 0, changedAt };
  const executable = (stats.mode & 0o111n) !== 0n;
  const bytes = Number(stats.size);
  return { path, name: nameOf(path), kind: 'file', bytes, changedAt, etag: etagOf(stats), executable };
}

export function readable(path: string, { handle, stats }: OpenedFile): ReadableFile {
  const bytes = Number(stats.size);
  return {
    entry: entryOf(path, stats),
    bytes,
    etag: etagOf(stats),
    // never more than was announced, though the file may be growing
    stream: (range = { start: 0, end: bytes - 1 }) =>
      range.end < range.start ? emptyStream(handle) : handle.createReadStream(range),
    close: () => handle.close(),
  };
}

function emptyStream(handle: FileHandle): Readable {
  return new Readable({
    read() {
      this.push(null);
    },
    destroy(error, done) {
      handle.close().then(() => done(error), done);
    },
  });
}
