/**
 * Turns the bytes of outputs into text that can be printed as it comes.
 *
 * Bytes arrive cut anywhere: a sign is held back until it is whole, and when
 * several tasks share the terminal a line is held back until it has ended, so
 * that two tasks never write into one line. Counts bytes, since outputs are
 * resumed by byte offset. Colours and other bytes of the job are left alone.
 */
export type OutputPiece = {
  /** Byte at which the text begins in the output. */
  offset: number;
  text: string;
};

/** How many bytes at the end belong to a UTF-8 sign that is not whole yet: 0 to 3. */
export function unfinishedBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return byte < 0xf8 && length > back ? back : 0;
  }
  return 0;
}

export class WholeSigns {
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes taken in so far: where to resume. */
  offset: number;

  constructor(offset = 0) {
    this.offset = offset;
  }

  take(bytes: Uint8Array): OutputPiece {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : Buffer.from(bytes);
    const offset = this.offset - this.#rest.length;
    const whole = all.length - unfinishedBytes(all);
    this.offset += bytes.length;
    this.#rest = all.subarray(whole);
    return { offset, text: all.toString('utf8', 0, whole) };
  }

  /** What was held back, when nothing follows. */
  end(): OutputPiece {
    const piece = { offset: this.offset - this.#rest.length, text: this.#rest.toString('utf8') };
    this.#rest = Buffer.alloc(0);
    return piece;
  }
}

const lineCharsMax = 64 * 1024;

/** Gives whole lines, each after a prefix; a line without end is cut at a bound. */
export class PrefixedLines {
  #rest = '';
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  take(text: string): string {
    const all = this.#rest + text;
    const end = all.lastIndexOf('\n') + 1;
    this.#rest = all.slice(end);
    if (this.#rest.length > lineCharsMax) return this.#lines(all.slice(0, end)) + this.end();
    return this.#lines(all.slice(0, end));
  }

  end(): string {
    const line = this.#rest;
    this.#rest = '';
    return line === '' ? '' : this.#lines(`${line}\n`);
  }

  #lines(text: string): string {
    return text === '' ? '' : text.replace(/[^\n]*\n/g, (line) => `${this.#prefix}${line}`);
  }
}
