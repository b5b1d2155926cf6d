/**
 * From the way of keys that leads to a mistake to line and column in the file.
 *
 * Where the way ends early (a key is missing, an alias stands in between) the
 * place is the nearest one above. Lines and columns count from 1; a column
 * counts UTF-16 units, as editors do.
 */
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml';

export type KeyPath = (string | number)[];
export type Wanted = { path: KeyPath; at: 'key' | 'value'; slot?: number; offset?: number };
export type Position = { line: number; column: number };

const OPENING = '${{';

export class Positions {
  readonly #text: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(text: string, document: Document, lines: LineCounter) {
    this.#text = text;
    this.#document = document;
    this.#lines = lines;
  }

  at(offset: number): Position {
    const { line, col } = this.#lines.linePos(Math.min(Math.max(0, offset), this.#text.length));
    return line === 0 ? { line: 1, column: 1 } : { line, column: col };
  }

  of(wanted: Wanted): Position {
    const found = this.#find(wanted);
    const range = found.node?.range;
    if (!range) return this.at(0);
    if (!found.exact || (wanted.slot === undefined && wanted.offset === undefined)) return this.at(range[0]);
    return this.at(this.#within(found.node!, wanted));
  }

  /** A place inside a text: the raw text holds as many `${{` in the same order. */
  #within(node: Node, { slot, offset = 0 }: Wanted): number {
    const [start, end] = node.range!;
    if (slot === undefined) return Math.min(start + (isQuoted(node) ? 1 : 0) + offset, Math.max(start, end - 1));
    let at = this.#text.indexOf(OPENING, start);
    for (let skipped = 0; skipped < slot && at >= 0; skipped++) at = this.#text.indexOf(OPENING, at + OPENING.length);
    return at >= 0 && at < end ? Math.min(at + offset, end) : start;
  }

  /** The node, or the key, that the way leads to; `exact` is false when it ended early. */
  #find({ path, at }: Wanted): { node: Node | null; exact: boolean } {
    let node = this.#document.contents as Node | null;
    let key: Node | null = node;
    for (const name of path) {
      const pair = isMap(node) ? pairOf(node.items, name) : undefined;
      if (pair) {
        key = pair.key as Node;
        node = (pair.value as Node | null) ?? key;
      } else if (isSeq(node) && typeof name === 'number' && node.items[name]) {
        key = null;
        node = node.items[name] as Node;
      } else {
        return { node: isAlias(node) ? node : (key ?? node), exact: false };
      }
    }
    return { node: at === 'key' ? (key ?? node) : node, exact: true };
  }
}

const isQuoted = (node: Node): boolean =>
  isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE');

function pairOf(items: unknown[], name: string | number): Pair | undefined {
  return items.find(
    (item): item is Pair => isPair(item) && isScalar(item.key) && String(item.key.value) === String(name),
  );
}
