/**
 * Output of a program as bytes with an index of lines: made for a million lines.
 *
 * Bytes stay bytes until a line is drawn. Output is kept in blocks of whole
 * lines of about a megabyte, so appending costs what was appended and earlier
 * output can be put in front. Holds no text and no DOM; of colours it knows
 * only where their escapes stand.
 *
 * Offsets are those of the whole output: `from` is the first byte held, `to`
 * the byte after the last.
 */
type Block = {
  bytes: Uint8Array;
  used: number;
  starts: Uint32Array;
  lines: number;
  offset: number;
  hasEscapes: boolean;
};

const blockBytes = 1024 * 1024;
const newline = 10;
const escapeByte = 27;
/** Escapes looked at to find the last reset; output that never resets is coloured by the latest of them. */
const escapesLookedAtMax = 400;
/** A colour code is far shorter. */
const codeBytesMax = 40;
const decoder = new TextDecoder();

const newBlock = (offset: number): Block => ({
  bytes: new Uint8Array(4096),
  used: 0,
  starts: new Uint32Array(64),
  lines: 0,
  offset,
  hasEscapes: false,
});

function grow(block: Block, bytesNeeded: number): void {
  if (bytesNeeded <= block.bytes.length) return;
  const bytes = new Uint8Array(Math.max(bytesNeeded, block.bytes.length * 2));
  bytes.set(block.bytes.subarray(0, block.used));
  block.bytes = bytes;
}

function beginLine(block: Block, at: number): void {
  if (block.lines === block.starts.length) {
    const starts = new Uint32Array(block.starts.length * 2);
    starts.set(block.starts);
    block.starts = starts;
  }
  block.starts[block.lines++] = at;
}

function put(block: Block, bytes: Uint8Array): void {
  grow(block, block.used + bytes.length);
  block.bytes.set(bytes, block.used);
  const end = block.used + bytes.length;
  // A line begins at the start of a block and after each newline that is followed by something.
  let atStart = block.used === 0 || block.bytes[block.used - 1] === newline;
  for (let i = block.used; i < end; ) {
    if (atStart) beginLine(block, i);
    const next = block.bytes.indexOf(newline, i);
    if (next < 0 || next >= end) break;
    i = next + 1;
    atStart = true;
  }
  block.hasEscapes ||= bytes.includes(escapeByte);
  block.used = end;
}

/** The codes of the colour escape at `at`, such as `1;31`; null where another escape stands. */
function codesAt(block: Block, at: number): string | null {
  if (block.bytes[at + 1] !== 91) return null;
  let codes = '';
  for (let i = at + 2; i < Math.min(block.used, at + codeBytesMax); i++) {
    const char = String.fromCharCode(block.bytes[i] ?? 0);
    if (char === 'm') return codes;
    if (!/[0-9;:]/.test(char)) return null;
    codes += char;
  }
  return null;
}

export class LogLines {
  private blocks: Block[] = [];
  /** For each block, the number of lines before it. */
  private before: number[] = [];
  private total = 0;
  from: number;
  to: number;

  constructor(offset = 0) {
    this.from = offset;
    this.to = offset;
  }

  get length(): number {
    return this.total;
  }

  append(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const block = this.openBlock();
      const room = Math.max(0, blockBytes - block.used);
      const cut = rest.length <= room ? rest.length : rest.indexOf(newline, Math.max(0, room - 1)) + 1 || rest.length;
      const linesBefore = block.lines;
      put(block, rest.subarray(0, cut));
      this.total += block.lines - linesBefore;
      this.to += cut;
      rest = rest.subarray(cut);
    }
  }

  /** Puts earlier output in front. It must end where this begins, at the end of a line. */
  prepend(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const block = newBlock(this.from - bytes.length);
    put(block, bytes);
    this.blocks.unshift(block);
    this.from -= bytes.length;
    this.recount();
  }

  /** Bytes of a line without its end, as text of at most `charsMax` characters. */
  line(index: number, charsMax = 4_000): string {
    const place = this.place(index);
    if (!place) return '';
    const { block, start, end } = place;
    const stop = Math.min(end, start + charsMax * 4);
    const text = decoder.decode(block.bytes.subarray(start, stop));
    return end - start > charsMax && text.length > charsMax
      ? `${text.slice(0, charsMax)} … ${end - start - charsMax} more`
      : text;
  }

  /** Where the line begins in the whole output. */
  offsetOf(index: number): number {
    const place = this.place(index);
    return place ? place.block.offset + place.start : this.to;
  }

  /** The colour codes in force where a line begins: those since the last reset, in order. */
  codesBefore(index: number): string[] {
    const place = this.place(index);
    const codes: string[] = [];
    let looked = 0;
    for (let b = place ? this.blocks.indexOf(place.block) : -1; b >= 0; b--) {
      const block = this.blocks[b]!;
      if (!block.hasEscapes) continue;
      let end = block === place?.block ? place.start : block.used;
      while (end > 0 && looked++ < escapesLookedAtMax) {
        end = block.bytes.lastIndexOf(escapeByte, end - 1);
        if (end < 0) break;
        const found = codesAt(block, end);
        if (found === null) continue;
        codes.unshift(found);
        if (/^0*(;|$)/.test(found)) return codes;
      }
    }
    return codes;
  }

  private place(index: number): { block: Block; start: number; end: number } | null {
    if (index < 0 || index >= this.total) return null;
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.before[middle] ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    const block = this.blocks[low]!;
    const nth = index - (this.before[low] ?? 0);
    const start = block.starts[nth] ?? 0;
    let end = nth + 1 < block.lines ? (block.starts[nth + 1] ?? block.used) : block.used;
    if (end > start && block.bytes[end - 1] === newline) end--;
    return { block, start, end };
  }

  private openBlock(): Block {
    const last = this.blocks.at(-1);
    if (last && (last.used < blockBytes || last.bytes[last.used - 1] !== newline)) return last;
    const block = newBlock(this.to);
    this.blocks.push(block);
    this.before.push(this.total);
    return block;
  }

  private recount(): void {
    this.total = 0;
    this.before = this.blocks.map((block) => {
      const before = this.total;
      this.total += block.lines;
      return before;
    });
  }
}
