/** Output: colours that run on, times beside lines, and the time line of a run. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timeOfByte } from '../../../renderer/flows/log-times.ts';
import { axisOf, barOf } from '../../../renderer/flows/time-axis.ts';
import { coloured, plain, type Style, styleAfter } from '../../../renderer/kit/ansi.ts';
import { LogLines } from '../../../renderer/kit/log-lines.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a colour that is not reset', () => {
  it('runs on until it is, also over lines rewritten by carriage returns', () => {
    const first = coloured('ok \u001b[31mred', plain);
    expect(first.after).toMatchObject({ colour: 'alarm' });
    expect(coloured('still', first.after).pieces).toEqual([{ ...first.after, text: 'still' }]);
    expect(coloured('\u001b[0mplain', first.after).pieces).toEqual([{ ...plain, text: 'plain' }]);
    expect(coloured('\u001b[32m10 %\r20 %', plain).pieces).toMatchObject([{ text: '20 %', colour: 'ok' }]);
  });

  const part = fc.constantFrom('a', '\n', '\n', '\u001b[31m', '\u001b[1m', '\u001b[0m', '\u001b[m', '\u001b[2K', 'b');
  it('is known for any line alone as if all before it had been read', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 80 }), fc.nat(60), (parts, cut) => {
        const text = parts.join('');
        // Some of it comes in front later, at the end of a line.
        const at = text.indexOf('\n', cut) + 1;
        const lines = new LogLines(at);
        lines.append(bytes(text.slice(at)));
        lines.prepend(bytes(text.slice(0, at)));
        let style: Style = plain;
        for (let i = 0; i < lines.length; i++) {
          expect(styleAfter(lines.codesBefore(i))).toEqual(style);
          style = coloured(lines.line(i), style).after;
        }
      }),
    );
  });
  it('costs little where nothing ever resets', () => {
    const lines = new LogLines();
    lines.append(bytes('\u001b[33mx\n'.repeat(200_000)));
    expect(lines.codesBefore(199_999).length).toBeLessThan(1_000);
    expect(styleAfter(lines.codesBefore(199_999))).toMatchObject({ colour: 'warn' });
  });
});

describe('the time beside a line', () => {
  const marks = [
    { offset: 100, at: 1_000 },
    { offset: 250, at: 9_000 },
  ];
  it('is when the output had first grown beyond it', () => {
    expect([0, 99, 100, 249].map((offset) => timeOfByte(marks, offset, 500))).toEqual([1_000, 1_000, 9_000, 9_000]);
  });
  it('is that of the last mark for newer lines, and the start where there is no mark', () => {
    expect(timeOfByte(marks, 250, 500)).toBe(9_000);
    expect(timeOfByte([], 0, 500)).toBe(500);
    expect(timeOfByte([], 0, null)).toBeNull();
  });
});

describe('the time line of a run', () => {
  const at = (ms: number): string => new Date(ms).toISOString();
  it('is at least a second long, and what runs is on it', () => {
    const one = { startedAt: at(5_000) };
    const axis = axisOf([one], 5_001, false);
    expect(axis.toMs - axis.fromMs).toBe(1_000);
    expect(barOf(one, axis, 5_001)).toMatchObject({ left: 0 });
    const short = axisOf([{ startedAt: at(5_000), endedAt: at(5_012) }], 99_000, true);
    expect([short.fromMs, short.toMs]).toEqual([5_000, 6_000]);
  });
  it('is never negative when the clock of this computer is behind', () => {
    const one = { startedAt: at(5_000) };
    const axis = axisOf([one], 1_000, false);
    expect(axis.spanMs).toBeGreaterThan(0);
    expect(barOf(one, axis, 1_000)).toEqual({ left: 0, width: 0 });
  });
  it('reaches from the first start to the last end', () => {
    const axis = axisOf(
      [{ startedAt: at(1_000), endedAt: at(2_000) }, { startedAt: at(2_500), endedAt: at(9_000) }, {}],
      0,
      true,
    );
    expect([axis.fromMs, axis.toMs]).toEqual([1_000, 9_000]);
  });
});
