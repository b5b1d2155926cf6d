/**
 * Where in a shell text each `${{ … }}` stands: plain, inside double quotes,
 * inside single quotes, in a here-document, in arithmetic, in a comment.
 *
 * A scanner, not a shell: it follows quotes, `$( )`, backquotes, `${ }`,
 * `$(( ))`, comments and here-documents, in one pass. Safety does not hang on
 * it: a value is never put into the text, only a reference to a variable. What
 * it decides is whether that reference needs quotes, and where none can work.
 */
import { limits } from '../../contract/limits.ts';
import { type FoundSlot, slotAt, slotOpening } from './slots.ts';

/** Each place becomes a variable. One more than allowed is found, so that checking can tell. */
export const slotsMax = limits.environmentMax;

export type ShellPlace = 'plain' | 'double' | 'single' | 'here' | 'quotedHere' | 'arithmetic' | 'comment';
export type ShellSlot = FoundSlot & { place: ShellPlace };

/** What we are inside of, innermost last. `depth` counts parentheses opened since; `quoted`: double quotes rule here. */
type Frame = {
  kind: 'plain' | 'substitution' | 'backquotes' | 'double' | 'brace' | 'arithmetic';
  depth: number;
  quoted: boolean;
};
type Here = { end: string; quoted: boolean; tabs: boolean };

/** A backslash before `${{` keeps it as it is, as in the shell. */
export function shellSlotsOf(text: string): ShellSlot[] {
  return new Scanner(text).scan();
}

class Scanner {
  readonly #text: string;
  readonly #slots: ShellSlot[] = [];
  readonly #frames: Frame[] = [{ kind: 'plain', depth: 0, quoted: false }];
  #heres: Here[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): ShellSlot[] {
    if (!this.#text.includes(slotOpening)) return [];
    while (this.#at < this.#text.length && this.#slots.length <= slotsMax) {
      const frame = this.#frames.at(-1)!;
      if (this.#slot(this.#placeIn(frame))) continue;
      if (frame.kind === 'double') this.#inDouble();
      else this.#inCommand(frame);
    }
    return this.#slots;
  }

  #placeIn(frame: Frame): ShellPlace {
    if (frame.kind === 'arithmetic') return 'arithmetic';
    return frame.quoted ? 'double' : 'plain';
  }

  /** Takes a slot that stands here. */
  #slot(place: ShellPlace): boolean {
    if (!this.#text.startsWith(slotOpening, this.#at)) return false;
    const slot = slotAt(this.#text, this.#at);
    this.#slots.push({ ...slot, place });
    this.#at = slot.end;
    return true;
  }

  #inDouble(): void {
    const character = this.#text[this.#at]!;
    if (character === '\\') this.#at += 2;
    else if (character === '"') this.#leave(1);
    else if (!this.#opening()) this.#at++;
  }

  #inCommand(frame: Frame): void {
    const text = this.#text;
    const character = text[this.#at]!;
    if (character === '\\') this.#at += 2;
    else if (character === "'" && !frame.quoted) this.#singleQuotes();
    else if (character === '"') this.#enter('double', 1);
    else if (character === '`' && frame.kind === 'backquotes') this.#leave(1);
    else if (character === '}' && frame.kind === 'brace') this.#leave(1);
    else if (character === '#' && frame.kind !== 'brace' && frame.kind !== 'arithmetic' && this.#beginsWord())
      this.#comment();
    else if (character === '\n' && this.#heres.length > 0) this.#hereDocuments();
    else if (this.#opening() || this.#parenthesis(frame)) return;
    else if (text.startsWith('<<', this.#at) && frame.kind !== 'arithmetic' && frame.kind !== 'brace')
      this.#hereStart();
    else this.#at++;
  }

  /** `$((`, `$(`, `${`, a backquote. */
  #opening(): boolean {
    const text = this.#text;
    if (text.startsWith('$((', this.#at)) this.#enter('arithmetic', 3);
    else if (text.startsWith('$(', this.#at)) this.#enter('substitution', 2);
    else if (text.startsWith('${', this.#at)) this.#enter('brace', 2);
    else if (text[this.#at] === '`' && this.#frames.at(-1)!.kind !== 'backquotes') this.#enter('backquotes', 1);
    else return false;
    return true;
  }

  #parenthesis(frame: Frame): boolean {
    const text = this.#text;
    if (text.startsWith('((', this.#at) && frame.kind !== 'arithmetic' && this.#beginsWord()) {
      this.#enter('arithmetic', 2);
    } else if (text[this.#at] === '(') {
      frame.depth++;
      this.#at++;
    } else if (text[this.#at] !== ')') {
      return false;
    } else if (frame.depth > 0) {
      frame.depth--;
      this.#at++;
    } else if (frame.kind === 'arithmetic') {
      this.#leave(text[this.#at + 1] === ')' ? 2 : 1);
    } else if (frame.kind === 'substitution') {
      this.#leave(1);
    } else {
      this.#at++;
    }
    return true;
  }

  #enter(kind: Frame['kind'], length: number): void {
    const quoted = kind === 'double' || (kind === 'brace' && this.#frames.at(-1)!.quoted);
    this.#frames.push({ kind, depth: 0, quoted });
    this.#at += length;
  }

  #leave(length: number): void {
    if (this.#frames.length > 1) this.#frames.pop();
    this.#at += length;
  }

  #beginsWord(): boolean {
    return this.#at === 0 || /[\s;&|()]/.test(this.#text[this.#at - 1]!);
  }

  #singleQuotes(): void {
    this.#at++;
    while (this.#at < this.#text.length) {
      if (this.#slot('single')) continue;
      if (this.#text[this.#at++] === "'") return;
    }
  }

  #comment(): void {
    while (this.#at < this.#text.length && this.#text[this.#at] !== '\n') {
      if (!this.#slot('comment')) this.#at++;
    }
  }

  /** `<<END`, `<<-END`, `<<'END'`; `<<<` is no here-document. */
  #hereStart(): void {
    if (this.#text[this.#at + 2] === '<') {
      this.#at += 3;
      return;
    }
    const match = /<<(-?)[ \t]*((?:'[^'\n]*'|"[^"\n]*"|\\.|[^\s;&|<>()'"\\])+)/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#text);
    if (!found) {
      this.#at += 2;
      return;
    }
    const word = found[2]!;
    this.#heres.push({ end: word.replace(/['"\\]/g, ''), quoted: /['"\\]/.test(word), tabs: found[1] === '-' });
    this.#at += found[0].length;
  }

  #hereDocuments(): void {
    this.#at++;
    for (const here of this.#heres.splice(0)) this.#hereDocument(here);
  }

  #hereDocument(here: Here): void {
    while (this.#at < this.#text.length) {
      const newline = this.#text.indexOf('\n', this.#at);
      const end = newline < 0 ? this.#text.length : newline;
      const line = this.#text.slice(this.#at, end);
      if ((here.tabs ? line.replace(/^\t+/, '') : line) === here.end) {
        this.#at = end;
        return;
      }
      this.#hereLine(here, end);
      this.#at = Math.max(this.#at, end + 1); // a line that ends with \ takes its end along
    }
  }

  #hereLine(here: Here, end: number): void {
    const start = this.#at;
    while (this.#at < end) {
      if (!here.quoted && this.#text[this.#at] === '\\') this.#at += 2;
      else if (!this.#slot(here.quoted ? 'quotedHere' : this.#arithmeticSince(start) ? 'arithmetic' : 'here'))
        this.#at++;
    }
  }

  #arithmeticSince(start: number): boolean {
    if (!this.#text.startsWith(slotOpening, this.#at)) return false;
    const before = this.#text.slice(start, this.#at);
    return before.lastIndexOf('$((') > before.lastIndexOf('))');
  }
}
