/**
 * What one change of files does to a tree, and when it is refused.
 *
 * `refusalOf` asks, `carryOut` does; both see only the `Tree`, so deciding
 * (over a draft) and applying (on the state) cannot drift apart. `carryOut`
 * refuses nothing: a change that cannot be carried out was never decided, and
 * is a broken promise.
 *
 * A move leaves the history at the old path, ended by a removal that names the
 * new path, and begins or continues the history at the new one.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { FileChange } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import { checkPath, endingOf, folderOf, joined } from './paths.ts';
import { below, type KeptVersion, must, type Tree } from './tree.ts';

/** When and by whom, for the versions that a change makes. */
export type Stamp = { revision: number; at: number; by: string };

export function refusalOf(tree: Tree, change: FileChange): Refusal | null {
  for (const path of 'to' in change ? [change.path, change.to] : [change.path]) {
    const checked = checkPath(path);
    if (typeof checked !== 'string') return checked;
  }
  switch (change.op) {
    case 'put':
      return refusalOfPut(tree, change);
    case 'folder':
      return refusalOfNew(tree, change.path, 1);
    case 'remove':
      return tree.kindAt(change.path) === null ? unknownAt(change.path) : null;
    case 'move':
    case 'copy':
      return refusalOfTransfer(tree, change);
    case 'restore':
      return refusalOfRestore(tree, change.path, change.version);
  }
}

export function carryOut(tree: Tree, change: FileChange, stamp: Stamp): void {
  switch (change.op) {
    case 'put':
      put(tree, change.path, contentOf(change), stamp);
      break;
    case 'folder':
      makeFolders(tree, change.path, stamp);
      break;
    case 'remove':
      takeAway(tree, change.path, stamp);
      break;
    case 'move':
      bring(tree, change.path, change.to, stamp);
      takeAway(tree, change.path, stamp, change.to);
      break;
    case 'copy':
      bring(tree, change.path, change.to, stamp);
      break;
    case 'restore': {
      const old = tree.numbered(change.path, change.version);
      must(old && !old.removed, `version ${change.version} of ${change.path} is restored but is not there`);
      put(tree, change.path, contentOf(old), stamp);
    }
  }
}

// ------------------------------------------------------------------ asking

function refusalOfPut(tree: Tree, change: Extract<FileChange, { op: 'put' }>): Refusal | null {
  must(/^[0-9a-f]{64}$/.test(change.hash), `${change.hash} is no hash`);
  must(Number.isSafeInteger(change.bytes) && change.bytes >= 0, `${change.bytes} is no size`);
  if (change.bytes > limits.fileBytesMax) {
    return refuse('limit_reached', `"${change.path}" is larger than ${limits.fileBytesMax} bytes.`);
  }
  const kind = tree.kindAt(change.path);
  if (kind === 'folder') return refuse('not_a_file', `"${change.path}" is a folder, so no file can be written there.`);
  return kind === 'file' ? null : refusalOfNew(tree, change.path, 1);
}

function refusalOfTransfer(tree: Tree, change: { op: 'move' | 'copy'; path: string; to: string }): Refusal | null {
  const { op, path, to } = change;
  const kind = tree.kindAt(path);
  if (kind === null) return unknownAt(path);
  if (to.startsWith(`${path}/`)) {
    const verb = op === 'move' ? 'moved' : 'copied';
    return refuse('path_refused', `"${path}" cannot be ${verb} into itself ("${to}").`);
  }
  const inside = kind === 'folder' ? [...below(tree, path)] : [];
  const added = op === 'copy' ? inside.length + 1 : 0;
  const refusal = refusalOfNew(tree, to, added, op === 'move' ? path : undefined);
  if (refusal) return refusal;
  for (const [each] of inside) {
    // the names are allowed already; the whole may become too long or too deep
    const checked = checkPath(to + each.slice(path.length));
    if (typeof checked !== 'string') return checked;
  }
  return null;
}

function refusalOfRestore(tree: Tree, path: string, version: number): Refusal | null {
  const latest = tree.latest(path);
  if (!latest) return unknownAt(path);
  const old = tree.numbered(path, version);
  if (!old) return refuse('version_unknown', `"${path}" has no version ${version}; the newest is ${latest.version}.`);
  if (old.removed)
    return refuse('version_unknown', `Version ${version} of "${path}" is its removal: nothing to restore.`);
  if (tree.kindAt(path) === 'folder') return refuse('not_a_file', `"${path}" is a folder now; move it away first.`);
  return latest.removed ? refusalOfNew(tree, path, 1) : null;
}

/** May something new be made here? `leaving` goes away with the same change and does not count as a twin. */
function refusalOfNew(tree: Tree, path: string, added: number, leaving?: string): Refusal | null {
  const kind = tree.kindAt(path);
  if (kind !== null) return refuse('file_exists', `There is a ${kind} "${path}" already.`);
  const names = path.split('/');
  let folder = '';
  for (const [depth, name] of names.entries()) {
    const here = joined(folder, name);
    const isLast = depth === names.length - 1;
    if (isLast || tree.kindAt(here) === null) {
      const twin = tree.twinOf(folder, name);
      if (twin !== null && !(isLast && joined(folder, twin) === leaving)) {
        const detail = `"${joined(folder, twin)}" is there: "${name}" differs from it only in upper and lower case.`;
        return refuse('file_exists', detail);
      }
      return refusalOfMany(tree, added + names.length - 1 - depth);
    }
    if (tree.kindAt(here) === 'file')
      return refuse('not_a_folder', `"${here}" is a file, so nothing can lie below it.`);
    folder = here;
  }
  return null;
}

function refusalOfMany(tree: Tree, added: number): Refusal | null {
  if (tree.entries + added <= limits.filesPerSandboxMax) return null;
  return refuse('limit_reached', `A sandbox holds at most ${limits.filesPerSandboxMax} files and folders.`);
}

const unknownAt = (path: string): Refusal => refuse('file_unknown', `There is no file or folder "${path}".`);

// ------------------------------------------------------------------- doing

type Content = Pick<KeptVersion, 'hash' | 'bytes' | 'executable' | 'job'>;

const contentOf = (from: Content): Content => {
  const { hash, bytes, executable, job } = from;
  return { hash, bytes, executable, ...(job ? { job } : {}) };
};

function put(tree: Tree, path: string, content: Content, stamp: Stamp): void {
  makeFolders(tree, folderOf(path), stamp);
  const version = (tree.latest(path)?.version ?? 0) + 1;
  tree.addVersion(path, { version, ...stamp, ...content, removed: false });
}

function makeFolders(tree: Tree, path: string, stamp: Stamp): void {
  if (path === '' || tree.kindAt(path) === 'folder') return;
  makeFolders(tree, folderOf(path), stamp);
  tree.addFolder(path, stamp.at, stamp.by);
}

/** Removes a file, or a folder from the leaves up. */
function takeAway(tree: Tree, path: string, stamp: Stamp, movedTo?: string): void {
  const kind = tree.kindAt(path);
  must(kind, `${path} is removed but is not there`);
  if (kind === 'file') {
    takeFile(tree, path, stamp, movedTo);
    return;
  }
  for (const [each, its] of [...below(tree, path)].reverse()) {
    if (its === 'folder') tree.dropFolder(each);
    else takeFile(tree, each, stamp, movedTo === undefined ? undefined : movedTo + each.slice(path.length));
  }
  tree.dropFolder(path);
}

function takeFile(tree: Tree, path: string, stamp: Stamp, movedTo: string | undefined): void {
  const last = tree.latest(path)!;
  const end = { version: last.version + 1, ...stamp, ...contentOf(last), removed: true };
  tree.addVersion(path, movedTo === undefined ? end : { ...end, movedTo });
}

/** Makes at `to` what is at `path`. What was found about a job file holds only while its ending does. */
function bring(tree: Tree, path: string, to: string, stamp: Stamp): void {
  const kind = tree.kindAt(path);
  must(kind, `${path} is brought to ${to} but is not there`);
  if (kind === 'file') {
    const { job, ...content } = contentOf(tree.latest(path)!);
    const keepsJob = job && endingOf(path) === endingOf(to);
    put(tree, to, keepsJob ? { ...content, job } : content, stamp);
    return;
  }
  const inside = [...below(tree, path)];
  makeFolders(tree, folderOf(to), stamp);
  tree.addFolder(to, stamp.at, stamp.by);
  for (const [each, its] of inside) {
    const there = to + each.slice(path.length);
    if (its === 'folder') tree.addFolder(there, stamp.at, stamp.by);
    else bring(tree, each, there, stamp);
  }
}
