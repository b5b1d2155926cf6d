/**
 * The tree of one kept sandbox: every file with all its versions, and folders.
 *
 * `Tree` is what changes are checked against and carried out on. `KeptTree` is
 * the state; `Draft` lies over it like tracing paper, so that a list of
 * changes can be tried as a whole before any of it becomes a fact. Folders are
 * real: putting a file makes those above it, and they stay when it goes.
 *
 * Versions of a path count from 1 without gaps, also over removals.
 */
import type { JobCheck } from '../../contract/facts.ts';
import { Folder, type Kind } from './folder.ts';
import { folderOf, joined, nameOf } from './paths.ts';

export type KeptVersion = {
  version: number;
  /** Revision of the sandbox that brought it. */
  revision: number;
  /** Content; of a removal: what was there before. */
  hash: string;
  bytes: number;
  executable: boolean;
  job?: JobCheck;
  /** Wall time in ms. */
  at: number;
  by: string;
  /** This version says that the file is gone. */
  removed: boolean;
  /** It is gone because it was moved here. */
  movedTo?: string;
};

export interface Tree {
  kindAt(path: string): Kind | null;
  /** Folder that must be there. */
  namesIn(path: string): Iterable<[string, Kind]>;
  twinOf(folder: string, name: string): string | null;
  latest(path: string): KeptVersion | null;
  numbered(path: string, version: number): KeptVersion | null;
  addVersion(path: string, version: KeptVersion): void;
  addFolder(path: string, at: number, by: string): void;
  /** Folder that must be there and be empty. */
  dropFolder(path: string): void;
  /** Files and folders, without the top. */
  readonly entries: number;
}

/** An impossible state or fact is our own bug: the node stops and says why. */
export function must(held: unknown, sentence: string): asserts held {
  if (!held) throw new Error(`broken promise: ${sentence}`);
}

export class KeptTree implements Tree {
  readonly histories = new Map<string, KeptVersion[]>();
  readonly folders = new Map<string, Folder>();
  /** Paths whose newest version is a removal by hand (not by a move). */
  readonly trash = new Set<string>();
  files = 0;
  bytes = 0;

  constructor(at: number, by: string) {
    this.folders.set('', new Folder(at, by));
  }

  get entries(): number {
    return this.files + this.folders.size - 1;
  }

  kindAt(path: string): Kind | null {
    if (this.folders.has(path)) return 'folder';
    const latest = this.latest(path);
    return latest && !latest.removed ? 'file' : null;
  }

  namesIn(path: string): Iterable<[string, Kind]> {
    return this.#folder(path).names;
  }

  twinOf(folder: string, name: string): string | null {
    return this.#folder(folder).twinOf(name);
  }

  latest(path: string): KeptVersion | null {
    return this.histories.get(path)?.at(-1) ?? null;
  }

  numbered(path: string, version: number): KeptVersion | null {
    return this.histories.get(path)?.[version - 1] ?? null;
  }

  addVersion(path: string, version: KeptVersion): void {
    must(!this.folders.has(path), `a file version at the folder ${path}`);
    const history = this.histories.get(path) ?? [];
    must(version.version === history.length + 1, `version ${version.version} of ${path} after ${history.length}`);
    const before = history.at(-1);
    if (before && !before.removed) this.#count(-1, before);
    if (!version.removed) this.#count(1, version);
    history.push(version);
    this.histories.set(path, history);
    if (version.removed && version.movedTo === undefined) this.trash.add(path);
    else this.trash.delete(path);
    const folder = this.#touched(path, version.at, version.by);
    if (version.removed) folder.delete(nameOf(path));
    else folder.set(nameOf(path), 'file');
  }

  addFolder(path: string, at: number, by: string): void {
    must(this.kindAt(path) === null, `a second folder at ${path}`);
    this.folders.set(path, new Folder(at, by));
    this.#touched(path, at, by).set(nameOf(path), 'folder');
  }

  dropFolder(path: string): void {
    must(path !== '' && this.#folder(path).names.size === 0, `${path} is dropped though it is not empty`);
    this.folders.delete(path);
    this.#folder(folderOf(path)).delete(nameOf(path));
  }

  #count(sign: 1 | -1, version: KeptVersion): void {
    this.files += sign;
    this.bytes += sign * version.bytes;
  }

  #touched(path: string, at: number, by: string): Folder {
    const folder = this.#folder(folderOf(path));
    folder.at = at;
    folder.by = by;
    return folder;
  }

  #folder(path: string): Folder {
    const folder = this.folders.get(path);
    must(folder, `there is no folder ${path}`);
    return folder;
  }
}

/** Changes tried over a tree that stays as it is. Only the folders touched are copied. */
export class Draft implements Tree {
  entries: number;
  readonly #base: Tree;
  readonly #folders = new Map<string, Folder | null>();
  readonly #added = new Map<string, KeptVersion[]>();

  constructor(base: Tree) {
    this.#base = base;
    this.entries = base.entries;
  }

  kindAt(path: string): Kind | null {
    const folder = this.#folders.get(path);
    if (folder) return 'folder';
    const added = this.#added.get(path)?.at(-1);
    if (added) return added.removed ? null : 'file';
    return folder === null ? null : this.#base.kindAt(path);
  }

  namesIn(path: string): Iterable<[string, Kind]> {
    return this.#folders.get(path)?.names ?? this.#base.namesIn(path);
  }

  twinOf(folder: string, name: string): string | null {
    const drafted = this.#folders.get(folder);
    return drafted ? drafted.twinOf(name) : this.#base.twinOf(folder, name);
  }

  latest(path: string): KeptVersion | null {
    return this.#added.get(path)?.at(-1) ?? this.#base.latest(path);
  }

  numbered(path: string, version: number): KeptVersion | null {
    return this.#added.get(path)?.find((each) => each.version === version) ?? this.#base.numbered(path, version);
  }

  addVersion(path: string, version: KeptVersion): void {
    this.entries += (version.removed ? 0 : 1) - (this.kindAt(path) === 'file' ? 1 : 0);
    const added = this.#added.get(path);
    if (added) added.push(version);
    else this.#added.set(path, [version]);
    const folder = this.#own(folderOf(path));
    if (version.removed) folder.delete(nameOf(path));
    else folder.set(nameOf(path), 'file');
  }

  addFolder(path: string, at: number, by: string): void {
    this.#folders.set(path, new Folder(at, by));
    this.#own(folderOf(path)).set(nameOf(path), 'folder');
    this.entries += 1;
  }

  dropFolder(path: string): void {
    this.#folders.set(path, null);
    this.#own(folderOf(path)).delete(nameOf(path));
    this.entries -= 1;
  }

  #own(path: string): Folder {
    const own = this.#folders.get(path);
    if (own) return own;
    must(own !== null, `the draft has no folder ${path}`);
    const copy = new Folder(0, '', this.#base.namesIn(path));
    this.#folders.set(path, copy);
    return copy;
  }
}

/** Everything below a path, parents before children; the path itself is not among it. */
export function* below(tree: Tree, path: string): Generator<[string, Kind]> {
  for (const [name, kind] of tree.namesIn(path)) {
    const here = joined(path, name);
    yield [here, kind];
    if (kind === 'folder') yield* below(tree, here);
  }
}
