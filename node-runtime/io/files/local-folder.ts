/**
 * A local sandbox: a directory of this node, worked on as it is.
 *
 * Reading, writing, moving and removing by sandbox path, with the promise of
 * `local-places.ts` that nothing outside is read or written. Files are
 * replaced at once and whole; removed things go to the trash inside. There are
 * no versions here, and names are compared as the file system compares them.
 * What cannot be named by a sandbox path (odd names, devices, links out) is
 * not listed, only counted.
 */
import type { BigIntStats, Dirent } from 'node:fs';
import { readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { isAbsolute, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';
import type { Entry, TrashItem } from '../../contract/model.ts';
import type { etagMatches } from '../../core/sandboxes/etags.ts';
import type { checkPath } from '../../core/sandboxes/paths.ts';
import type { Source } from './blobs.ts';
import { hasCode, moveWithoutReplacing, syncFolder, worldFailure } from './durable.ts';
import { cursorKey, entryOf, etagOf, joined, keyOf, nameInKey, type ReadableFile, readable } from './local-entries.ts';
import {
  defaultHold,
  type Hold,
  leaves,
  nameOf,
  type Place,
  parentOf,
  RESERVED,
  Root,
  refusalOfFailure,
  statsAt,
} from './local-places.ts';
import { LocalTrash } from './local-trash.ts';
import { modeOf, sweepTemporary, temporaryName, writeTemporary } from './local-writing.ts';
import type { ZipItem } from './zip.ts';

/** Decisions of the core that hold here too. */
export type Rules = { checkPath: typeof checkPath; etagMatches: typeof etagMatches };
export type LocalPage = { path: string; entries: Entry[]; total: number; cursor?: string; unlisted: number };
export type WriteAsk = { bytesMax: number; ifMatch?: string; ifAbsent?: boolean; executable?: boolean };
/**
 * `bad_request` for a directory that is not there, not absolute, or that
 * overlaps one of `forbidden` (the node's own data).
 */
export async function openLocalFolder(ask: {
  directory: string;
  rules: Rules;
  forbidden?: string[];
  hold?: Hold;
}): Promise<LocalFolder | Refusal> {
  const { directory } = ask;
  if (!isAbsolute(directory)) return refuse('bad_request', `"${directory}" is not an absolute path.`);
  try {
    const real = await realpath(directory);
    if (!(await stat(real)).isDirectory()) return refuse('bad_request', `"${directory}" is not a directory.`);
    for (const other of await Promise.all((ask.forbidden ?? []).map(realOrGiven))) {
      const overlaps = `${other}${sep}`.startsWith(`${real}${sep}`) || `${real}${sep}`.startsWith(`${other}${sep}`);
      if (overlaps || real === sep) {
        return refuse('bad_request', `"${directory}" holds data of this node, or lies among it.`);
      }
    }
    return new LocalFolder(new Root(real, ask.hold ?? defaultHold), ask.rules);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT', 'ENOTDIR')) return refuse('bad_request', `"${directory}" is not there on this node.`);
    throw worldFailure(`The directory ${directory} cannot be opened`, cause);
  }
}

/** A folder that is not there yet may come to be. */
const realOrGiven = (directory: string): Promise<string> => realpath(directory).catch(() => directory);

export class LocalFolder {
  readonly #root: Root;
  readonly #rules: Rules;
  readonly #trash: LocalTrash;

  constructor(root: Root, rules: Rules) {
    this.#root = root;
    this.#rules = rules;
    this.#trash = new LocalTrash(root);
  }

  // ---------------------------------------------------------------- reading

  /** Folders first, then by name without case. Every page reads the directory anew. */
  async list(path: string, cursor?: string, limit: number = limits.listPageMax): Promise<LocalPage | Refusal> {
    const checked = this.#rules.checkPath(path, { allowTop: true });
    if (typeof checked !== 'string') return checked;
    const place = await this.#root.folder(path, { follow: true });
    if ('code' in place) return place;
    try {
      const found = await readdir(place.self, { withFileTypes: true });
      await sweepTemporary(place, found);
      const { keys, unlisted } = await this.#keysOf(path, found);
      const from = cursor === undefined ? 0 : keys.findIndex((key) => key > cursorKey(cursor));
      const page = from < 0 ? [] : keys.slice(from, from + Math.min(limit, limits.listPageMax));
      const entries = await Promise.all(page.map((key) => this.#entryIn(place, joined(path, nameInKey(key)))));
      const last = from >= 0 && from + page.length < keys.length ? page.at(-1) : undefined;
      const rest = last === undefined ? {} : { cursor: last[0] + nameInKey(last) };
      // what went away between reading the folder and looking at it is left out
      return { path, entries: entries.filter((each) => each !== null), total: keys.length, ...rest, unlisted };
    } catch (cause) {
      return refusalOfFailure(cause, path);
    } finally {
      await place.close();
    }
  }

  async entryAt(path: string): Promise<Entry | Refusal> {
    const checked = this.#rules.checkPath(path, { allowTop: true });
    if (typeof checked !== 'string') return checked;
    const file = path === '' ? null : await this.#root.file(path);
    if (file && !('code' in file)) {
      await file.handle.close();
      return entryOf(path, file.stats);
    }
    if (file && file.code !== 'not_a_file') return file;
    const place = await this.#root.folder(path, { follow: true });
    if ('code' in place) return place;
    try {
      return entryOf(path, await stat(place.self, { bigint: true }));
    } finally {
      await place.close();
    }
  }

  async openFile(path: string): Promise<ReadableFile | Refusal> {
    const checked = this.#rules.checkPath(path);
    if (typeof checked !== 'string') return checked;
    const opened = await this.#root.file(path);
    return 'code' in opened ? opened : readable(path, opened);
  }

  /** The text of a file of at most so many bytes; `body_too_large` beyond. */
  async readText(path: string, bytesMax: number): Promise<{ text: string; executable: boolean } | Refusal> {
    const file = await this.openFile(path);
    if ('code' in file) return file;
    const stream = file.stream();
    try {
      if (file.bytes > bytesMax) return refuse('body_too_large', `"${path}" is larger than ${bytesMax} bytes.`);
      const text = Buffer.concat(await stream.toArray()).toString('utf8');
      return { text, executable: file.entry.executable === true };
    } finally {
      stream.destroy();
    }
  }

  /**
   * Everything below a path, parents first. Folders behind links are not
   * entered (they may lead in circles); linked files are told as files.
   */
  async *walk(path: string): AsyncGenerator<Entry> {
    const folders = [path];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const place = await this.#root.folder(folder, { follow: true });
      // removed or replaced since its parent was read
      if ('code' in place) continue;
      try {
        for (const each of await readdir(place.self, { withFileTypes: true })) {
          const here = joined(folder, each.name);
          if (typeof this.#rules.checkPath(here) !== 'string') continue;
          const entry = await this.#entryIn(place, here);
          if (!entry || (entry.kind === 'folder' && !each.isDirectory())) continue;
          if (entry.kind === 'folder') folders.push(here);
          yield entry;
        }
      } finally {
        await place.close();
      }
    }
  }

  /** What a zip of this folder holds, by paths below it. */
  async *zipItems(path: string): AsyncGenerator<ZipItem> {
    const cut = path === '' ? 0 : path.length + 1;
    for await (const { path: full, kind, bytes, changedAt, executable } of this.walk(path)) {
      const item = { path: full.slice(cut), bytes, at: Date.parse(changedAt), executable: executable === true };
      if (kind === 'folder') yield { ...item, path: `${item.path}/` };
      else yield { ...item, open: () => this.#stream(full) };
    }
  }

  /** Files whose path contains a text, without case. */
  async search(text: string, limit: number): Promise<{ entries: Entry[]; more: boolean }> {
    const wanted = text.normalize('NFC').toLowerCase();
    const entries: Entry[] = [];
    for await (const entry of this.#walkSome()) {
      if (entry.kind !== 'file' || !entry.path.toLowerCase().includes(wanted)) continue;
      if (entries.length === limit) return { entries, more: true };
      entries.push(entry);
    }
    return { entries, more: false };
  }

  /** Counted by walking, up to `limits.filesPerSandboxMax` entries; `whole` says whether that was all. */
  async measure(): Promise<{ files: number; bytes: number; whole: boolean }> {
    const sum = { files: 0, bytes: 0 };
    let seen = 0;
    for await (const entry of this.#walkSome()) {
      seen += 1;
      if (entry.kind === 'file') sum.files += 1;
      sum.bytes += entry.bytes;
    }
    return { ...sum, whole: seen < limits.filesPerSandboxMax };
  }

  // --------------------------------------------------------------- changing

  /** Replaces or makes a file at once and whole, with the folders above it. Links are never written through. */
  async write(path: string, source: Source, ask: WriteAsk): Promise<Entry | Refusal> {
    return this.#changing(path, async (place) => {
      const before = await this.#target(place, path, ask);
      if ('code' in before) return before;
      const mode = modeOf(before.stats, ask.executable);
      const name = temporaryName();
      const temporary = place.at(name);
      try {
        const refused = await writeTemporary(place, name, source, { bytesMax: ask.bytesMax, mode });
        if (refused) return refused;
        // it may have changed while the bytes came
        const now = await this.#target(place, path, ask);
        if ('code' in now) return now;
        if (ask.ifAbsent) await moveWithoutReplacing(temporary, place.at(nameOf(path)));
        else await rename(temporary, place.at(nameOf(path)));
        await syncFolder(place.self);
      } finally {
        await rm(temporary, { force: true });
      }
      return this.#told(place, path);
    });
  }

  async makeFolder(path: string): Promise<Entry | Refusal> {
    return this.#changing(path, async (place) => {
      if (await statsAt(place, path)) return refuse('file_exists', `There is something at "${path}" already.`);
      const made = await this.#root.folder(path, { make: true });
      if ('code' in made) return made;
      await made.close();
      await syncFolder(place.self);
      return this.#told(place, path);
    });
  }

  async move(path: string, to: string): Promise<Entry | Refusal> {
    const checked = this.#rules.checkPath(path);
    if (typeof checked !== 'string') return checked;
    if (to.startsWith(`${path}/`)) return refuse('path_refused', `"${path}" cannot be moved into itself ("${to}").`);
    const from = await this.#root.folder(parentOf(path));
    if ('code' in from) return from;
    try {
      const stats = await statsAt(from, path);
      if (!stats) return refuse('file_unknown', `There is no file or folder "${path}".`);
      return await this.#changing(to, async (place) => {
        const there = await statsAt(place, to);
        // on a file system without case, the other case of its own name is there
        const isSame = there !== null && there.ino === stats.ino && there.dev === stats.dev;
        const isItself = isSame && path !== to && path.toLowerCase() === to.toLowerCase();
        if (there && !isItself) return refuse('file_exists', `There is something at "${to}" already.`);
        if (!(await from.isInside())) return leaves(path);
        const [old, now] = [from.at(nameOf(path)), place.at(nameOf(to))];
        await (isItself ? rename(old, now) : moveWithoutReplacing(old, now));
        await syncFolder(from.self);
        await syncFolder(place.self);
        return this.#told(place, to);
      });
    } catch (cause) {
      return refusalOfFailure(cause, path);
    } finally {
      await from.close();
    }
  }

  /** A folder is copied file by file and is seen growing; linked folders and odd names in it are left out. */
  async copy(path: string, to: string): Promise<Entry | Refusal> {
    const entry = await this.entryAt(path);
    if ('code' in entry) return entry;
    if (path === '' || to.startsWith(`${path}/`)) {
      return refuse('path_refused', `"${path}" cannot be copied into itself ("${to}").`);
    }
    if (entry.kind === 'file') return this.#copyFile(path, to);
    const made = await this.makeFolder(to);
    if ('code' in made) return made;
    let copied = 0;
    for await (const each of this.walk(path)) {
      copied += 1;
      if (copied > limits.filesPerSandboxMax) {
        return refuse(
          'limit_reached',
          `"${path}" holds more than ${limits.filesPerSandboxMax} files; not all are copied.`,
        );
      }
      const there = to + each.path.slice(path.length);
      const done = each.kind === 'folder' ? await this.makeFolder(there) : await this.#copyFile(each.path, there);
      if ('code' in done) return done;
    }
    return this.entryAt(to);
  }

  /** Into the trash inside the directory. Links are removed themselves, never what they name. */
  async remove(path: string, by: string, at: number): Promise<Refusal | null> {
    const checked = this.#rules.checkPath(path);
    if (typeof checked !== 'string') return checked;
    const place = await this.#root.folder(parentOf(path));
    if ('code' in place) return place;
    try {
      const stats = await statsAt(place, path);
      if (!stats) return refuse('file_unknown', `There is no file or folder "${path}".`);
      return await this.#trash.take(place, { path, bytes: stats.isFile() ? Number(stats.size) : 0, by, at });
    } catch (cause) {
      return refusalOfFailure(cause, path);
    } finally {
      await place.close();
    }
  }

  /** Last removed first. `version` names the item for `restore`; the bytes of folders are not counted. */
  async trash(limit: number = limits.listPageMax): Promise<{ items: TrashItem[]; total: number }> {
    return this.#trash.list(limit);
  }

  async restore(path: string, version: number): Promise<Entry | Refusal> {
    return this.#changing(path, async (place) => {
      if (await statsAt(place, path)) return refuse('file_exists', `There is something at "${path}" already.`);
      return (await this.#trash.giveBack(place, path, version)) ?? this.#told(place, path);
    });
  }

  // ----------------------------------------------------------------- inside

  /** Opens the folder that a change happens in, making it where it is missing, and closes it again. */
  async #changing<T>(path: string, change: (place: Place) => Promise<T | Refusal>): Promise<T | Refusal> {
    const checked = this.#rules.checkPath(path);
    if (typeof checked !== 'string') return checked;
    const place = await this.#root.folder(parentOf(path), { make: true });
    if ('code' in place) return place;
    try {
      return await change(place);
    } catch (cause) {
      return refusalOfFailure(cause, path);
    } finally {
      await place.close();
    }
  }

  /** What a write would replace, or why it may not. */
  async #target(place: Place, path: string, ask: WriteAsk): Promise<{ stats: BigIntStats | null } | Refusal> {
    const stats = await statsAt(place, path);
    if (!stats) {
      return ask.ifMatch === undefined ? { stats } : refuse('file_changed', `"${path}" is no longer there.`);
    }
    if (stats.isDirectory()) return refuse('not_a_file', `"${path}" is a folder.`);
    if (!stats.isFile()) return leaves(path);
    if (ask.ifAbsent) return refuse('file_exists', `There is a file "${path}" already.`);
    const isExpected = ask.ifMatch === undefined || this.#rules.etagMatches(ask.ifMatch, etagOf(stats));
    return isExpected ? { stats } : refuse('file_changed', `"${path}" was changed on this node.`);
  }

  async #copyFile(path: string, to: string): Promise<Entry | Refusal> {
    const file = await this.openFile(path);
    if ('code' in file) return file;
    const executable = file.entry.executable === true;
    const stream = file.stream();
    try {
      return await this.write(to, stream, { bytesMax: limits.fileBytesMax, ifAbsent: true, executable });
    } finally {
      stream.destroy();
    }
  }

  /** For what was seen a moment ago: that it is gone is a failure by now. */
  async #stream(path: string): Promise<Readable> {
    const file = await this.openFile(path);
    if ('code' in file) throw new Error(file.detail);
    return file.stream();
  }

  async #told(place: Place, path: string): Promise<Entry | Refusal> {
    const stats = await statsAt(place, path);
    return stats ? entryOf(path, stats) : refuse('file_unknown', `"${path}" was removed again at once.`);
  }

  /** The entry of a name in an open folder; null when it is gone, a device, or a link out. */
  async #entryIn(place: Place, path: string): Promise<Entry | null> {
    const stats = await statsAt(place, path);
    if (!stats) return null;
    if (stats.isFile() || stats.isDirectory()) return entryOf(path, stats);
    const behind = stats.isSymbolicLink() ? await this.entryAt(path) : null;
    return behind && !('code' in behind) ? behind : null;
  }

  /** Sort keys of what can be named, in listing order. */
  async #keysOf(path: string, found: Dirent[]): Promise<{ keys: string[]; unlisted: number }> {
    const keys: string[] = [];
    let unlisted = 0;
    for (const each of found) {
      if (each.name.toLowerCase().startsWith(RESERVED)) continue;
      const here = joined(path, each.name);
      const isNamed = typeof this.#rules.checkPath(here) === 'string';
      const kind = isNamed ? await this.#kindOf(here, each) : null;
      if (kind) keys.push(keyOf(kind, each.name));
      else unlisted += 1;
    }
    return { keys: keys.sort(), unlisted };
  }

  async #kindOf(path: string, found: Dirent): Promise<Entry['kind'] | null> {
    if (found.isFile()) return 'file';
    if (found.isDirectory()) return 'folder';
    if (!found.isSymbolicLink()) return null;
    const behind = await this.entryAt(path);
    return 'code' in behind ? null : behind.kind;
  }

  async *#walkSome(): AsyncGenerator<Entry> {
    let seen = 0;
    for await (const entry of this.walk('')) {
      yield entry;
      seen += 1;
      if (seen >= limits.filesPerSandboxMax) return;
    }
  }
}
