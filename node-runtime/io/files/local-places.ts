/**
 * Opening what lies in a directory of this node without ever leaving it.
 *
 * On Linux every folder on the way is opened by itself, without following
 * links, and the next name is looked up in that open folder (through
 * /proc/self/fd): swapping a folder for a symlink in between changes nothing.
 * A link is followed for reading only, and then the place of what was opened
 * is checked, and that very thing is used. Elsewhere names are used, checked
 * before and after; there a local attacker who wins a race may see an empty
 * temporary file made outside, but contents neither leave nor enter.
 *
 * Hard links and other mounts inside the directory are the directory's own.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readlink, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { hasCode, worldFailure } from './durable.ts';

/** How names are held on to; 'names' works everywhere. */
export type Hold = 'descriptors' | 'names';
/**
 * `follow`: links that stay inside are followed, for reading. `make`: missing
 * folders are made. `own`: Binnacle's own folders may be entered.
 */
export type Way = { follow?: boolean; make?: boolean; own?: boolean };

/** An open folder inside. Close it. */
export interface Place {
  /** A path to the folder itself, for system calls. */
  readonly self: string;
  /** A path to a name in it, for system calls that do not follow links. */
  at(name: string): string;
  /** Is it (still) inside the directory? */
  isInside(): Promise<boolean>;
  /** Is this file, opened by `at(name)`, the one of that name inside? Asked before a byte is written. */
  isOwn(handle: FileHandle, name: string): Promise<boolean>;
  close(): Promise<void>;
}

/** A file that was opened and found to be an ordinary one inside. Close it, or read its stream to the end. */
export type OpenedFile = { handle: FileHandle; stats: BigIntStats };

/** `O_PATH`, which Node does not name: a hold on a file without opening its content. */
const O_PATH = 0o10000000;
const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

export const defaultHold: Hold = process.platform === 'linux' ? 'descriptors' : 'names';

export class Root {
  /** Without links on the way. */
  readonly real: string;
  readonly #hold: Hold;

  constructor(real: string, hold: Hold) {
    this.real = real;
    this.#hold = hold;
  }

  /** The folder at a checked path; `''` is the top. `file_unknown`, `not_a_folder`, `path_refused`. */
  async folder(path: string, way: Way = {}): Promise<Place | Refusal> {
    try {
      return await (this.#hold === 'descriptors' ? this.#heldFolder(path, way) : this.#namedFolder(path, way));
    } catch (cause) {
      return refusalOfFailure(cause, path);
    }
  }

  /** An ordinary file for reading, links inside followed. `file_unknown`, `not_a_file`, `path_refused`. */
  async file(path: string): Promise<OpenedFile | Refusal> {
    const place = await this.folder(parentOf(path), { follow: true });
    if ('code' in place) return place;
    try {
      return this.#hold === 'descriptors' ? await this.#heldFile(place, path) : await this.#namedFile(place, path);
    } catch (cause) {
      return refusalOfFailure(cause, path);
    } finally {
      await place.close();
    }
  }

  /** Inside, and (unless `own`) not in what Binnacle keeps there for itself? */
  holds(real: string, own = false): boolean {
    if (real === this.real) return true;
    const base = this.real.endsWith(sep) ? this.real : this.real + sep;
    if (!real.startsWith(base)) return false;
    return own || !real.slice(base.length).toLowerCase().split(sep).some(isReserved);
  }

  // ---------------------------------------------------------- descriptors

  async #heldFolder(path: string, way: Way): Promise<Place | Refusal> {
    let handle = await open(this.real, O_PATH | O_DIRECTORY);
    let isHandedOn = false;
    try {
      for (const { name, here } of stepsOf(path)) {
        const next = await this.#heldStep(heldPath(handle, name), here, way);
        if ('code' in next) return next;
        await handle.close();
        handle = next;
      }
      const place = this.#heldPlace(handle, way.own === true);
      if (!(await place.isInside())) return leaves(path);
      isHandedOn = true;
      return place;
    } finally {
      if (!isHandedOn) await handle.close();
    }
  }

  async #heldStep(at: string, here: string, way: Way): Promise<FileHandle | Refusal> {
    const next = await made(at, way, () => open(at, O_PATH | O_NOFOLLOW));
    return orClosed(next, async () => {
      const stats = await next.stat();
      if (stats.isDirectory()) return next;
      if (!stats.isSymbolicLink()) return refuse('not_a_folder', `"${here}" is not a folder.`);
      if (!way.follow) return leaves(here);
      const target = await this.#followed(at, here);
      if ('code' in target || (await target.stat()).isDirectory()) return target;
      await target.close();
      return refuse('not_a_folder', `"${here}" is not a folder.`);
    });
  }

  /** What a link names, if it lies inside: only held, not opened, so that looking can do no harm. */
  async #followed(at: string, here: string): Promise<FileHandle | Refusal> {
    const target = await open(at, O_PATH);
    return orClosed(target, async () => (this.holds(await placeOf(target)) ? target : leaves(here)));
  }

  async #heldFile(place: Place, path: string): Promise<OpenedFile | Refusal> {
    const at = place.at(nameOf(path));
    let hold: FileHandle | Refusal = await open(at, O_PATH | O_NOFOLLOW);
    if ((await hold.stat()).isSymbolicLink()) {
      await hold.close();
      hold = await this.#followed(at, path);
      if ('code' in hold) return hold;
    }
    try {
      const stats = await hold.stat({ bigint: true });
      if (!stats.isFile()) return noFile(stats, path);
      if (!this.holds(await placeOf(hold))) return leaves(path);
      // this opens the very file that was checked, whatever its name means by now
      return { handle: await open(`/proc/self/fd/${hold.fd}`, O_RDONLY | O_NONBLOCK), stats };
    } finally {
      await hold.close();
    }
  }

  #heldPlace(handle: FileHandle, own: boolean): Place {
    return {
      self: `/proc/self/fd/${handle.fd}`,
      at: (name) => heldPath(handle, name),
      isInside: async () => this.holds(await placeOf(handle), own),
      isOwn: async (file) => this.holds(await placeOf(file), true),
      close: () => handle.close(),
    };
  }

  // ---------------------------------------------------------------- names

  async #namedFolder(path: string, way: Way): Promise<Place | Refusal> {
    let real = this.real;
    for (const { name, here } of stepsOf(path)) {
      const at = join(real, name);
      const stats = await made(at, way, () => lstat(at));
      real = stats.isSymbolicLink() ? await realpath(at) : at;
      if (stats.isSymbolicLink() && !(way.follow && this.holds(real))) return leaves(here);
      if (!(await stat(real)).isDirectory()) return refuse('not_a_folder', `"${here}" is not a folder.`);
    }
    const place = this.#namedPlace(real, way.own === true);
    return (await place.isInside()) ? place : leaves(path);
  }

  async #namedFile(place: Place, path: string): Promise<OpenedFile | Refusal> {
    let at = place.at(nameOf(path));
    if ((await lstat(at)).isSymbolicLink()) at = await realpath(at);
    if (!this.holds(at)) return leaves(path);
    const before = await lstat(at, { bigint: true });
    if (!before.isFile()) return noFile(before, path);
    const handle = await open(at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    return orClosed(handle, async () => {
      const stats = await handle.stat({ bigint: true });
      const isSafe = stats.isFile() && (await this.#isAt(handle, await realpath(at)));
      return isSafe ? { handle, stats } : leaves(path);
    });
  }

  /** Does this inside path lead to what is open, and not only to something of the same name? */
  async #isAt(handle: FileHandle, real: string, own = false): Promise<boolean> {
    const [there, here] = await Promise.all([stat(real, { bigint: true }), handle.stat({ bigint: true })]);
    return there.ino === here.ino && there.dev === here.dev && this.holds(real, own);
  }

  #namedPlace(real: string, own: boolean): Place {
    return {
      self: real,
      at: (name) => join(real, name),
      isInside: async () => (await realpath(real)) === real && this.holds(real, own),
      isOwn: async (file, name) => this.#isAt(file, await realpath(join(real, name)), true),
      close: async () => undefined,
    };
  }
}

/** The thing itself, links not followed; null when there is none. */
export async function statsAt(place: Place, path: string): Promise<BigIntStats | null> {
  try {
    return await lstat(place.at(nameOf(path)), { bigint: true });
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return null;
    throw cause;
  }
}

/** What a failed system call says about a path; what is not about the path is thrown. */
export function refusalOfFailure(cause: unknown, path: string): Refusal {
  if (hasCode(cause, 'ENOENT')) {
    const what = path === '' ? 'The directory of this sandbox is not there.' : `There is no file or folder "${path}".`;
    return refuse('file_unknown', what);
  }
  if (hasCode(cause, 'ENOTDIR')) return refuse('not_a_folder', `A part of "${path}" is a file, not a folder.`);
  if (hasCode(cause, 'EISDIR')) return refuse('not_a_file', `"${path}" is a folder.`);
  if (hasCode(cause, 'EEXIST', 'ENOTEMPTY')) return refuse('file_exists', `There is something at "${path}" already.`);
  if (hasCode(cause, 'ELOOP')) return leaves(path);
  if (hasCode(cause, 'ENXIO', 'ENODEV')) return refuse('path_refused', `"${path}" is a device, a pipe or a socket.`);
  if (hasCode(cause, 'ENAMETOOLONG')) return refuse('path_refused', `"${path}" is too long for the disk of this node.`);
  if (hasCode(cause, 'EACCES', 'EPERM', 'EROFS')) {
    return refuse('path_refused', `The system does not let this node at "${path}".`);
  }
  if (hasCode(cause, 'EXDEV', 'EBUSY')) return refuse('path_refused', `"${path}" is on another disk or in use.`);
  throw worldFailure(`"${path}" of a local sandbox cannot be reached`, cause);
}

export const leaves = (path: string): Refusal =>
  refuse('path_refused', `"${path}" is a link that leaves the sandbox, or one that may only be read through.`);

export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
/** Of a file by names: its own trash and temporary files begin so (see core/sandboxes/paths.ts). */
export const RESERVED = '.binnacle';
const isReserved = (name: string): boolean => name.startsWith(RESERVED);

function noFile(stats: BigIntStats, path: string): Refusal {
  if (stats.isDirectory()) return refuse('not_a_file', `"${path}" is a folder.`);
  if (stats.isSymbolicLink()) return leaves(path);
  return refuse('path_refused', `"${path}" is a device, a pipe or a socket.`);
}

const heldPath = (handle: FileHandle, name: string): string => `/proc/self/fd/${handle.fd}/${name}`;
const placeOf = (handle: FileHandle): Promise<string> => readlink(`/proc/self/fd/${handle.fd}`);

/** Each name on the way, and the path so far. */
function stepsOf(path: string): { name: string; here: string }[] {
  const names = path === '' ? [] : path.split('/');
  return names.map((name, depth) => ({ name, here: names.slice(0, depth + 1).join('/') }));
}

/** Closes the handle unless the work hands it on (by itself, or as part of an opened file). */
async function orClosed<T extends object>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
  let isHandedOn = false;
  try {
    const result = await work();
    isHandedOn = result === (handle as object) || ('handle' in result && result.handle === handle);
    return result;
  } finally {
    if (!isHandedOn) await handle.close();
  }
}

/** Looks, and where nothing is and `way.make` allows it makes a folder and looks again. */
async function made<T>(at: string, way: Way, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (cause) {
    if (!way.make || !hasCode(cause, 'ENOENT')) throw cause;
  }
  await mkdir(at).catch((cause) => {
    // another request may make it at the same moment
    if (!hasCode(cause, 'EEXIST')) throw cause;
  });
  return look();
}
