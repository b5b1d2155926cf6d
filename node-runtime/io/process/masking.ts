/**
 * Turns each occurrence of a secret value in a stream of bytes into asterisks,
 * as many as it had bytes, so that every offset stays what it was.
 *
 * Also found: each line of a value of several lines, and the value as base64
 * (at any place in it, with either alphabet, wrapped as the usual programs
 * do), URL-encoded and as JSON. Lines shorter than a secret may be are left.
 * It does not matter how the stream is cut: what may be the beginning of an
 * occurrence is held back until more comes or all has ended. Occurrences that
 * overlap are masked together.
 */
import { limits } from '../../contract/limits.ts';

const BYTES_MIN = limits.secretCharsMin;
/** How base64 (76) and openssl (64) wrap their lines. */
const WRAPPED_AT = [76, 64];
const ASTERISK = 0x2a;

/** All texts by which a value could be read. */
export function formsOf(value: string): string[] {
  const lines = value.split(/\r?\n/);
  const whole = [value, value.replace(/\s+$/, '')];
  const urls = [...whole, ...lines].flatMap(urlForms);
  const json = whole.flatMap((text) => [
    JSON.stringify(text).slice(1, -1),
    JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
  ]);
  const forms = new Set([
    ...whole,
    ...lines,
    ...lines.map((line) => line.trim()),
    ...base64Forms(value),
    ...urls,
    ...json,
  ]);
  return [...forms].filter((form) => Buffer.byteLength(form) >= BYTES_MIN);
}

function urlForms(text: string): string[] {
  // What is no Unicode text (half of a pair) has no URL form.
  if (!text.isWellFormed()) return [];
  const plain = encodeURIComponent(text);
  const strict = plain.replace(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const forms = [plain, strict, plain.replaceAll('%20', '+'), strict.replaceAll('%20', '+')];
  return [...forms, ...forms.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

/** With what stands before it in the encoded text, a value shows in one of three ways; the edges are not its own. */
function base64Forms(value: string): string[] {
  const forms: string[] = [];
  for (const text of [value, `${value}\n`]) {
    const whole = Buffer.from(text).toString('base64');
    forms.push(whole);
    for (const width of WRAPPED_AT)
      for (let at = 0; at < whole.length && whole.length > width; at += width) forms.push(whole.slice(at, at + width));
  }
  const bytes = Buffer.from(value);
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    forms.push(encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6)));
  }
  return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}

/** Patterns by their first four bytes; which two bytes any begins with; all beginnings of one to three bytes. */
type Table = { by4: Map<number, Buffer[]>; by2: Uint8Array; short: Set<number>; bytesMax: number };

function tableOf(patterns: Buffer[]): Table {
  const table: Table = { by4: new Map(), by2: new Uint8Array(65_536), short: new Set(), bytesMax: 0 };
  for (const pattern of patterns) {
    const first = pattern.readUInt32BE(0);
    table.by4.set(first, [...(table.by4.get(first) ?? []), pattern]);
    table.by2[pattern.readUInt16BE(0)] = 1;
    for (const length of [1, 2, 3]) table.short.add(length * 2 ** 24 + pattern.readUIntBE(0, length));
    table.bytesMax = Math.max(table.bytesMax, pattern.length);
  }
  for (const list of table.by4.values()) list.sort((a, b) => b.length - a.length);
  return table;
}

export class Masking {
  readonly #table: Table;
  /** What may be the beginning of an occurrence, as it came. */
  #held: Buffer = Buffer.alloc(0);
  /** So many bytes of it belong to an occurrence that is known already. */
  #covered = 0;

  constructor(values: readonly string[]) {
    const forms = new Set(values.flatMap(formsOf));
    this.#table = tableOf([...forms].map((form) => Buffer.from(form)));
  }

  /** What can be shown after these bytes; the rest is held back. */
  push(bytes: Uint8Array): Buffer {
    const data = Buffer.concat([this.#held, bytes]);
    const until = this.#mask(data);
    const free = this.#freeUpTo(data);
    this.#held = Buffer.from(data.subarray(free));
    this.#covered = Math.max(0, until.end - free);
    return until.shown.subarray(0, free);
  }

  /** All that was held back: the stream has ended. The first part of a value is no value, unless it is long enough to be one. */
  end(): Buffer {
    const data = this.#held;
    const { shown } = this.#mask(data);
    const first = this.#freeUpTo(data);
    if (data.length - first >= BYTES_MIN) shown.fill(ASTERISK, first);
    this.#held = Buffer.alloc(0);
    this.#covered = 0;
    return shown;
  }

  /** A copy with asterisks, and where the last occurrence ends. */
  #mask(data: Buffer): { shown: Buffer; end: number } {
    const shown = Buffer.from(data);
    let end = this.#covered;
    shown.fill(ASTERISK, 0, end);
    for (let at = 0; at + BYTES_MIN <= data.length; at++) {
      const length = this.#longestAt(data, at);
      if (at + length <= end) continue;
      shown.fill(ASTERISK, at, at + length);
      end = at + length;
    }
    return { shown, end };
  }

  #longestAt(data: Buffer, at: number): number {
    if (this.#table.by2[(data[at]! << 8) | data[at + 1]!] === 0) return 0;
    const candidates = this.#table.by4.get(data.readUInt32BE(at));
    return candidates?.find((pattern) => startsAt(data, at, pattern, pattern.length))?.length ?? 0;
  }

  /** Where the first beginning of a pattern stands that the end of the data cuts off. */
  #freeUpTo(data: Buffer): number {
    for (let at = Math.max(0, data.length - this.#table.bytesMax + 1); at < data.length; at++) {
      const left = data.length - at;
      if (left < 4) {
        if (this.#table.short.has(left * 2 ** 24 + data.readUIntBE(at, left))) return at;
      } else if (this.#table.by2[(data[at]! << 8) | data[at + 1]!] === 1) {
        const candidates = this.#table.by4.get(data.readUInt32BE(at)) ?? [];
        if (candidates.some((pattern) => pattern.length > left && startsAt(data, at, pattern, left))) return at;
      }
    }
    return data.length;
  }
}

const startsAt = (data: Buffer, at: number, pattern: Buffer, length: number): boolean =>
  at + length <= data.length && pattern.compare(data, at, at + length, 0, length) === 0;
