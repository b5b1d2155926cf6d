/**
 * The trash of a local sandbox: a folder inside it, one numbered folder for
 * each thing removed, holding the thing and a note of where it was.
 *
 * The note is written before the thing is moved, so after a crash there is
 * either a note without a thing, which is not shown, or both. Nothing is ever
 * emptied here.
 */
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { TrashItem } from '../../contract/model.ts';
import { hasCode, moveWithoutReplacing, syncFolder } from './durable.ts';
import { leaves, nameOf, type Place, RESERVED, type Root } from './local-places.ts';

type Note = { path: string; bytes: number; at: number; by: string };

const TRASH = `${RESERVED}-trash`;
const NOTE = 'what.json';
const ITEM = 'item';
const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

export class LocalTrash {
  readonly #root: Root;

  constructor(root: Root) {
    this.#root = root;
  }

  /** Moves what `note.path` names in this folder. */
  async take(from: Place, note: Note): Promise<Refusal | null> {
    const number = await this.#number(note.at);
    if (typeof number !== 'number') return number;
    const item = await this.#own(`${TRASH}/${number}`);
    if ('code' in item) return item;
    try {
      if (!(await from.isInside())) return leaves(note.path);
      await writeFile(item.at(NOTE), JSON.stringify(note), { flag: 'wx', mode: 0o600, flush: true });
      await rename(from.at(nameOf(note.path)), item.at(ITEM));
      await syncFolder(item.self);
      await syncFolder(from.self);
      return null;
    } finally {
      await item.close();
    }
  }

  async list(limit: number): Promise<{ items: TrashItem[]; total: number }> {
    const trash = await this.#own(TRASH);
    if ('code' in trash) return { items: [], total: 0 };
    try {
      const numbers = (await readdir(trash.self)).map(Number).filter((each) => Number.isSafeInteger(each) && each > 0);
      const items: TrashItem[] = [];
      for (const number of numbers.sort((a, b) => b - a)) {
        const item = items.length < limit ? await this.#item(number) : null;
        if (item) items.push(item);
      }
      return { items, total: numbers.length };
    } finally {
      await trash.close();
    }
  }

  /** Moves the numbered thing to this folder, under the name it had. `version_unknown`, `file_exists`. */
  async giveBack(to: Place, path: string, number: number): Promise<Refusal | null> {
    const unknown = refuse('version_unknown', `The trash has no "${path}" with the number ${number}.`);
    const item = await this.#own(`${TRASH}/${number}`);
    if ('code' in item) return unknown;
    try {
      const note = await noteIn(item);
      if (note?.path !== path || !(await readdir(item.self)).includes(ITEM)) return unknown;
      if (!(await to.isInside())) return leaves(path);
      await moveWithoutReplacing(item.at(ITEM), to.at(nameOf(path)));
      await syncFolder(to.self);
      await rm(item.at(NOTE), { force: true });
    } finally {
      await item.close();
    }
    await this.#drop(number);
    return null;
  }

  /** A number nobody has: the time of removal, or the next free one. It sorts, and it names the item. */
  async #number(at: number): Promise<number | Refusal> {
    const trash = await this.#own(TRASH, true);
    if ('code' in trash) return trash;
    try {
      for (let number = Math.max(1, Math.floor(at)); ; number++) {
        const isMade = await mkdir(trash.at(String(number)), { mode: 0o700 }).then(
          () => true,
          (cause) => {
            if (hasCode(cause, 'EEXIST')) return false;
            throw cause;
          },
        );
        if (isMade) return number;
      }
    } finally {
      await trash.close();
    }
  }

  #own(path: string, make = false): Promise<Place | Refusal> {
    return this.#root.folder(path, { own: true, make });
  }

  async #item(number: number): Promise<TrashItem | null> {
    const item = await this.#own(`${TRASH}/${number}`);
    if ('code' in item) return null;
    try {
      const note = await noteIn(item);
      if (!note || !(await readdir(item.self)).includes(ITEM)) return null;
      const removedAt = new Date(note.at).toISOString();
      return { path: note.path, bytes: note.bytes, removedAt, removedBy: note.by, version: number };
    } finally {
      await item.close();
    }
  }

  async #drop(number: number): Promise<void> {
    const trash = await this.#own(TRASH);
    if ('code' in trash) return;
    try {
      await rmdir(trash.at(String(number)));
      await syncFolder(trash.self);
    } finally {
      await trash.close();
    }
  }
}

/** Null for what is no note of ours: people may put things into this folder by hand. */
async function noteIn(item: Place): Promise<Note | null> {
  try {
    const handle = await open(item.at(NOTE), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const text = await handle.readFile('utf8').finally(() => handle.close());
    const note = JSON.parse(text) as Note;
    const isNote = typeof note.path === 'string' && typeof note.by === 'string' && Number.isSafeInteger(note.at);
    return isNote && Number.isSafeInteger(note.bytes) ? note : null;
  } catch (cause) {
    if (cause instanceof SyntaxError || hasCode(cause, 'ENOENT', 'EISDIR', 'ELOOP')) return null;
    throw cause;
  }
}
