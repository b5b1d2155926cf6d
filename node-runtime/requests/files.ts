/**
 * The one face behind which a kept and a local sandbox look alike to requests.
 *
 * `kept-files.ts` changes the manifest by wishes and keeps contents as blobs;
 * `local-files.ts` works in a directory of this node. Both refuse the same
 * tricks with the same codes.
 */
import type { Readable } from 'node:stream';
import { type Refusal, refuse } from '../contract/errors.ts';
import type { Entry, FileVersion, TrashItem } from '../contract/model.ts';
import type { RouteName } from '../contract/routes.ts';
import type { ZipItem } from '../io/files/zip.ts';
import type { Asked } from '../io/http/asked.ts';

/** Who asks, with which key: what a change needs to be journaled. */
export type Asking = Pick<Asked<RouteName>, 'caller' | 'key' | 'requestHash' | 'address' | 'via'>;
export type Guard = { ifMatch?: string; ifAbsent?: boolean; executable?: boolean };
export type Source = AsyncIterable<Uint8Array>;
export type OpenFile = { bytes: number; etag: string; stream(range?: { start: number; end: number }): Readable };
export type Page = { path: string; revision: number; entries: Entry[]; total: number; cursor?: string };
type May<T> = Promise<T | Refusal>;

export type Files = {
  list(path: string, cursor?: string, limit?: number): May<Page>;
  search(text: string, limit: number): May<{ entries: Entry[]; more: boolean }>;
  open(path: string, version?: number): May<OpenFile>;
  write(asking: Asking, path: string, source: Source, guard: Guard): May<Entry>;
  completeUpload(asking: Asking, upload: string, sandbox: string): May<Entry>;
  remove(asking: Asking, path: string): May<null>;
  makeFolder(asking: Asking, path: string): May<Entry>;
  move(asking: Asking, path: string, to: string): May<Entry>;
  copy(asking: Asking, path: string, to: string): May<Entry>;
  restore(asking: Asking, path: string, version: number): May<Entry>;
  versions(path: string): May<FileVersion[]>;
  trash(): May<TrashItem[]>;
  zip(path: string): May<AsyncIterable<ZipItem> | Iterable<ZipItem>>;
};

/** Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`. Null: no range asked, or one of a kind that may be passed over. */
export function readRange(header: string | undefined, bytes: number): { start: number; end: number } | null | Refusal {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const start = match[1] === '' ? Math.max(0, bytes - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? bytes - 1 : Math.min(Number(match[2]), bytes - 1);
  if (start >= bytes || end < start) return refuse('range_invalid', `The file has ${bytes} bytes.`);
  return { start, end };
}
