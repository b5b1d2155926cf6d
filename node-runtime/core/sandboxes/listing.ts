/**
 * What people see of a kept sandbox: folders page by page, search, versions,
 * the trash, and what a run pinned.
 *
 * Only reading: answers are made fresh from the state and hold nothing of it.
 * Asks come from outside, so every path is checked again and unknown ones are
 * refused with a sentence.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';
import type { Entry, FileVersion, TrashItem } from '../../contract/model.ts';
import { keptEtag } from './etags.ts';
import type { Folder, Kind } from './folder.ts';
import { checkPath, joined, nameOf } from './paths.ts';
import { below, type KeptTree, type KeptVersion, must } from './tree.ts';

/** What the views need of a sandbox. */
type Kept = { readonly revision: number; readonly tree: KeptTree };

export type FolderPage = { path: string; revision: number; entries: Entry[]; total: number; cursor?: string };
export type ManifestLine = { path: string; hash: string; bytes: number; executable: boolean };
export type BelowLine = { path: string; at: number; file: Omit<ManifestLine, 'path'> | null };

/** Folders first, then by name without case. At most `limits.listPageMax` at once; go on with `cursor`. */
export function listFolder(
  record: Kept,
  path: string,
  cursor?: string,
  limit: number = limits.listPageMax,
): FolderPage | Refusal {
  const folder = folderAt(record, path);
  if ('code' in folder) return folder;
  const page = folder.page(cursor, Math.min(limit, limits.listPageMax));
  const entries = page.names.map((name) => entryOf(record.tree, joined(path, name), folder.names.get(name)!));
  const rest = page.cursor === undefined ? {} : { cursor: page.cursor };
  return { path, revision: record.revision, entries, total: folder.names.size, ...rest };
}

function folderAt(record: Kept, path: string): Folder | Refusal {
  const checked = checkPath(path, { allowTop: true });
  if (typeof checked !== 'string') return checked;
  const folder = record.tree.folders.get(path);
  if (folder) return folder;
  return record.tree.kindAt(path) === 'file'
    ? refuse('not_a_folder', `"${path}" is a file.`)
    : refuse('file_unknown', `There is no folder "${path}".`);
}

export function entryOf(tree: KeptTree, path: string, kind: Kind): Entry {
  if (kind === 'folder') {
    const folder = tree.folders.get(path);
    must(folder, `${path} is a folder that is not there`);
    const changed = { changedAt: new Date(folder.at).toISOString(), changedBy: folder.by };
    return { path, name: nameOf(path), kind, bytes: 0, ...changed, items: folder.names.size };
  }
  const latest = tree.latest(path);
  must(latest, `${path} is a file without a version`);
  const { version, hash, bytes, executable, job } = latest;
  return {
    path,
    name: nameOf(path),
    kind,
    bytes,
    changedAt: new Date(latest.at).toISOString(),
    changedBy: latest.by,
    version,
    etag: keptEtag(version, hash),
    executable,
    ...(job ? { job } : {}),
  };
}

/** The file now, in one of its versions, or as it was at a revision: where its content is and what it is. */
export function fileAt(
  record: Kept,
  path: string,
  when: { version?: number; revision?: number } = {},
): KeptVersion | Refusal {
  const checked = checkPath(path);
  if (typeof checked !== 'string') return checked;
  const { tree } = record;
  const history = tree.histories.get(path);
  if (when.version !== undefined && history) {
    const found = tree.numbered(path, when.version);
    if (found && !found.removed) return found;
    return refuse('version_unknown', `"${path}" has no content in a version ${when.version}.`);
  }
  if (when.revision !== undefined) {
    const found = history ? asOf(history, when.revision) : null;
    return found ?? refuse('file_unknown', `There was no file "${path}" at revision ${when.revision}.`);
  }
  if (tree.kindAt(path) === 'folder') return refuse('not_a_file', `"${path}" is a folder.`);
  const latest = history?.at(-1);
  if (!latest) return refuse('file_unknown', `There is no file "${path}".`);
  return latest.removed ? refuse('file_unknown', `"${path}" was ${wayGone(latest)}.`) : latest;
}

const wayGone = (end: KeptVersion): string => (end.movedTo === undefined ? 'deleted' : `moved to "${end.movedTo}"`);

/** Every file as it was at that revision, by path: what a run that pinned it sees. */
export function manifestAt(record: Kept, revision: number): ManifestLine[] {
  must(revision >= 0 && revision <= record.revision, `revision ${revision} is not one of ${record.revision}`);
  const lines: ManifestLine[] = [];
  for (const [path, history] of record.tree.histories) {
    const version = asOf(history, revision);
    if (version) lines.push({ path, hash: version.hash, bytes: version.bytes, executable: version.executable });
  }
  return lines.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Everything in a folder now, by paths below it: what a zip of it holds. `file` is null for a folder. */
export function linesBelow(record: Kept, path: string): BelowLine[] | Refusal {
  const folder = folderAt(record, path);
  if ('code' in folder) return folder;
  const { tree } = record;
  const cut = path === '' ? 0 : path.length + 1;
  return Array.from(below(tree, path), ([here, kind]): BelowLine => {
    if (kind === 'folder') return { path: here.slice(cut), at: tree.folders.get(here)!.at, file: null };
    const { at, hash, bytes, executable } = tree.latest(here)!;
    return { path: here.slice(cut), at, file: { hash, bytes, executable } };
  });
}

function asOf(history: readonly KeptVersion[], revision: number): KeptVersion | null {
  const version = history.findLast((each) => each.revision <= revision);
  return version && !version.removed ? version : null;
}

/** Newest first, removals among them. */
export function versionsOf(record: Kept, path: string): FileVersion[] | Refusal {
  const checked = checkPath(path);
  if (typeof checked !== 'string') return checked;
  const history = record.tree.histories.get(path);
  if (!history) {
    return record.tree.kindAt(path) === 'folder'
      ? refuse('not_a_file', `"${path}" is a folder, and folders have no versions.`)
      : refuse('file_unknown', `There is no file "${path}".`);
  }
  const view = ({ version, revision, bytes, hash, at, by, removed }: KeptVersion): FileVersion => ({
    version,
    revision,
    bytes,
    hash,
    at: new Date(at).toISOString(),
    by,
    removed,
    current: version === history.length && !removed,
  });
  return history.map(view).reverse();
}

/** Deleted files, last deleted first; `version` is the one to restore. What was moved is not in the trash. */
export function trashOf(record: Kept, limit: number = limits.listPageMax): { items: TrashItem[]; total: number } {
  const { tree } = record;
  const gone = Array.from(tree.trash, (path) => ({ path, end: tree.latest(path)! }));
  gone.sort((a, b) => b.end.revision - a.end.revision || (a.path < b.path ? -1 : 1));
  const items = gone.slice(0, limit).map(({ path, end }): TrashItem => {
    const removedAt = new Date(end.at).toISOString();
    // a removal always follows a version with content
    return { path, bytes: end.bytes, removedAt, removedBy: end.by, version: end.version - 1 };
  });
  return { items, total: gone.length };
}

/** Files whose path contains a text, without case; `more` says that there are others. */
export function searchPaths(record: Kept, text: string, limit: number): { entries: Entry[]; more: boolean } {
  const wanted = text.normalize('NFC').toLowerCase();
  const found: string[] = [];
  for (const [path, history] of record.tree.histories) {
    if (history.at(-1)!.removed || !path.toLowerCase().includes(wanted)) continue;
    if (found.length === limit) return { entries: entriesOf(record, found), more: true };
    found.push(path);
  }
  return { entries: entriesOf(record, found), more: false };
}

const entriesOf = (record: Kept, paths: string[]): Entry[] =>
  paths.sort().map((path) => entryOf(record.tree, path, 'file'));

/** Hashes of all contents that any version of any file needs. */
export function contentsOf(record: Kept): string[] {
  const hashes = new Set<string>();
  for (const history of record.tree.histories.values()) for (const { hash } of history) hashes.add(hash);
  return [...hashes];
}
