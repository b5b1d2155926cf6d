import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixedLines, unfinishedBytes, WholeSigns } from '../../../node-runtime/io/cli/log-text.ts';

/** Cuts at the places given, as a network does. */
function cutUp(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

describe('bytes of an output', () => {
  it('become the same text however they are cut, each piece at its byte offset', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 12 }), (whole, cuts) => {
        const bytes = Buffer.from(whole);
        const signs = new WholeSigns();
        const pieces = [...cutUp(bytes, cuts).map((part) => signs.take(part)), signs.end()];
        expect(pieces.map((piece) => piece.text).join('')).toBe(bytes.toString());
        for (const { offset, text } of pieces) {
          expect(bytes.subarray(offset, offset + Buffer.byteLength(text)).toString()).toBe(text);
        }
        expect(signs.offset).toBe(bytes.length);
      }),
    );
  });
  it('that are no text are let through at once, and never held back for ever', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        expect(unfinishedBytes(bytes)).toBeLessThanOrEqual(3);
        const signs = new WholeSigns();
        const text = signs.take(bytes).text + signs.end().text;
        expect(text).toBe(Buffer.from(bytes).toString());
      }),
    );
  });
});

describe('lines after a prefix', () => {
  it('come whole, however they were cut', () => {
    const lines = new PrefixedLines('t | ');
    expect(lines.take('a')).toBe('');
    expect(lines.take('b\nc\nd')).toBe('t | ab\nt | c\n');
    expect(lines.take('\n\n')).toBe('t | d\nt | \n');
    expect(lines.take('last')).toBe('');
    expect(lines.end()).toBe('t | last\n');
    expect(lines.end()).toBe('');
  });
  it('are not kept without bound', () => {
    const lines = new PrefixedLines('t | ');
    expect(lines.take('x'.repeat(100_000)).length).toBeGreaterThan(100_000);
  });
});
