/**
 * The names in one folder of a kept sandbox, and two orders derived from them.
 *
 * The names are state; the other two are made when first asked for and kept in
 * step afterwards: the listing order (folders first, then by name without
 * case) and the index that finds a name differing only by case. A folder of
 * 50,000 files is listed page by page without sorting it again.
 */
import { foldName } from './paths.ts';

export type Kind = 'file' | 'folder';

export class Folder {
  at: number;
  by: string;
  readonly names: Map<string, Kind>;
  /** Names in listing order, one list for each kind. */
  #order: Record<Kind, string[]> | null = null;
  #folded: Map<string, string> | null = null;

  constructor(at: number, by: string, names: Iterable<[string, Kind]> = []) {
    this.at = at;
    this.by = by;
    this.names = new Map(names);
  }

  set(name: string, kind: Kind): void {
    const before = this.names.get(name);
    this.names.set(name, kind);
    this.#folded?.set(foldName(name), name);
    if (before === kind || !this.#order) return;
    if (before) takeOut(this.#order[before], name);
    this.#order[kind].splice(placeOf(this.#order[kind], name), 0, name);
  }

  delete(name: string): void {
    const before = this.names.get(name);
    if (!before) return;
    this.names.delete(name);
    const folded = foldName(name);
    // during a rename that changes only the case, the new name is already there
    if (this.#folded?.get(folded) === name) this.#folded.delete(folded);
    if (this.#order) takeOut(this.#order[before], name);
  }

  /** A name here that differs from this one only by case. */
  twinOf(name: string): string | null {
    this.#folded ??= new Map(Array.from(this.names.keys(), (each) => [foldName(each), each]));
    const twin = this.#folded.get(foldName(name));
    return twin === undefined || twin === name ? null : twin;
  }

  /** Names in listing order after the cursor; the cursor stays right when names come and go. */
  page(cursor: string | undefined, limit: number): { names: string[]; cursor?: string } {
    const { folder, file } = this.#ordered();
    const from = cursor === undefined ? 0 : this.#placeAfter(cursor);
    const names = folder.slice(from, from + limit);
    const fromFile = Math.max(0, from - folder.length);
    if (names.length < limit) names.push(...file.slice(fromFile, fromFile + limit - names.length));
    const last = names.at(-1);
    if (last === undefined || from + names.length >= this.names.size) return { names };
    return { names, cursor: (this.names.get(last) === 'folder' ? FOLDER : FILE) + last };
  }

  #ordered(): Record<Kind, string[]> {
    if (this.#order) return this.#order;
    const order: Record<Kind, string[]> = { folder: [], file: [] };
    for (const [name, kind] of this.names) order[kind].push(name);
    this.#order = { folder: sorted(order.folder), file: sorted(order.file) };
    return this.#order;
  }

  /** Counted over folders, then files. */
  #placeAfter(cursor: string): number {
    const { folder, file } = this.#ordered();
    const [list, before] = cursor[0] === FOLDER ? [folder, 0] : [file, folder.length];
    const name = cursor.slice(1);
    const place = placeOf(list, name);
    return before + (list[place] === name ? place + 1 : place);
  }
}

/** A cursor is the kind and name of the last entry given. */
const FOLDER = '0';
const FILE = '1';

/** Without case; names that differ by case alone (on another version of Unicode) in a fixed order too. */
function byName(a: string, b: string): number {
  const one = a.toLowerCase();
  const other = b.toLowerCase();
  if (one === other) return a < b ? -1 : a > b ? 1 : 0;
  return one < other ? -1 : 1;
}

/** The same order as {@link byName}; sorting bare text is three times faster than comparing by a function. */
function sorted(names: string[]): string[] {
  const lower = names.map((name) => name.toLowerCase());
  if (lower.every((each, i) => each === names[i])) return lower.sort();
  const byLower = new Map(lower.map((each, i) => [each, names[i]!]));
  if (byLower.size < names.length) return names.sort(byName);
  return Array.from(byLower.keys())
    .sort()
    .map((lower) => byLower.get(lower)!);
}

/** Where this name is in the list, or would be. */
function placeOf(list: readonly string[], name: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (byName(list[middle]!, name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

const takeOut = (list: string[], name: string): void => void list.splice(placeOf(list, name), 1);
