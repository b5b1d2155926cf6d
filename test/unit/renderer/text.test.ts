/** Output lines, colours, tables, words, graphs. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { piecesOf, plainOf } from '../../../renderer/kit/ansi.ts';
import { rowsOf } from '../../../renderer/kit/csv.ts';
import { LogLines } from '../../../renderer/kit/log-lines.ts';
import { matchScore } from '../../../renderer/kit/match.ts';
import { durationOf, sizeOf } from '../../../renderer/kit/words.ts';
import { boxHeight, laidOut } from '../../../renderer/parts/runs/layout.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const allOf = (lines: LogLines): string[] => Array.from({ length: lines.length }, (_, i) => lines.line(i, 1e9));

describe('output lines', () => {
  it('are the same however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-zé\n]{0,12}$/), { maxLength: 40 }), (parts) => {
        const lines = new LogLines();
        for (const part of parts) lines.append(bytes(part));
        const text = parts.join('');
        const wanted = text === '' ? [] : (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
        expect(allOf(lines)).toEqual(wanted);
        expect(lines.to).toBe(bytes(text).length);
      }),
    );
  });
  it('know where they begin in the whole output, also after earlier output is put in front', () => {
    const lines = new LogLines(10);
    lines.append(bytes('cc\nd'));
    lines.prepend(bytes('aaaaa\nbbb\n'));
    expect(allOf(lines)).toEqual(['aaaaa', 'bbb', 'cc', 'd']);
    expect([0, 1, 2, 3].map((i) => lines.offsetOf(i))).toEqual([0, 6, 10, 13]);
  });
  it('are a million and still found at once', () => {
    const lines = new LogLines();
    const block = bytes(Array.from({ length: 10_000 }, (_, i) => `line ${i} of a long output\n`).join(''));
    for (let i = 0; i < 100; i++) lines.append(block);
    expect(lines.length).toBe(1_000_000);
    expect(lines.line(999_999)).toBe('line 9999 of a long output');
    expect(lines.line(500_003)).toBe('line 3 of a long output');
    expect(lines.offsetOf(10_000)).toBe(block.length);
  });
  it('that are very long are cut with a word about it', () => {
    const lines = new LogLines();
    lines.append(bytes('x'.repeat(50_000)));
    expect(lines.line(0, 100)).toBe(`${'x'.repeat(100)} … 49900 more`);
  });
});

describe('colours', () => {
  it('become names of our tones, and other escapes are left out', () => {
    expect(
      piecesOf('a\u001b[31mred\u001b[0m\u001b[2K b\u001b]0;title\u0007').map((one) => [one.text, one.colour]),
    ).toEqual([
      ['a', 'plain'],
      ['red', 'alarm'],
      [' b', 'plain'],
    ]);
    expect(piecesOf('\u001b[38;2;250;30;30mx\u001b[38;5;46my')[0]).toMatchObject({ colour: 'alarm' });
    expect(piecesOf('\u001b[38;5;46my')[0]).toMatchObject({ colour: 'ok' });
  });
  it('never lose or add text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(
          piecesOf(text)
            .map((one) => one.text)
            .join(''),
        ).toBe(plainOf(text));
      }),
    );
  });
  it('show the last state of a line that rewrites itself', () => {
    expect(plainOf('10 %\r50 %\r100 %')).toBe('100 %');
  });
});

describe('tables of values', () => {
  it('read quotes, doubled quotes, other separators and a last line without end', () => {
    expect(rowsOf('a;b\r\n"x;1";"say ""hi"""\n2;')).toEqual([
      ['a', 'b'],
      ['x;1', 'say "hi"'],
      ['2', ''],
    ]);
  });
  it('stop at the number of rows asked for', () => {
    expect(rowsOf('a\nb\nc\n', 2)).toHaveLength(2);
  });
});

describe('words', () => {
  it.each([
    [0, '0 B'],
    [611, '611 B'],
    [2_100, '2.1 kB'],
    [999_950, '1.0 MB'],
    [48_200_000, '48.2 MB'],
    [212e9, '212 GB'],
  ])('say %d bytes as %s', (n, text) => expect(sizeOf(n)).toBe(text));
  it.each([
    [212, '212 ms'],
    [8_400, '8.4 s'],
    [51_000, '51 s'],
    [192_000, '3 m 12 s'],
    [3_599_600, '1 h 00 m'],
    [90_000_000, '1 d 1 h'],
  ])('say %d ms as %s', (n, text) => expect(durationOf(n)).toBe(text));
});

describe('finding', () => {
  it('wants every word, and ranks beginnings first', () => {
    expect(matchScore('job night', 'ingest/jobs/nightly.job.yaml')).toBeGreaterThan(0);
    expect(matchScore('job day', 'ingest/jobs/nightly.job.yaml')).toBe(0);
    expect(matchScore('run', 'Runs')).toBeGreaterThan(matchScore('run', 'prune'));
  });
});

describe('the task graph', () => {
  const task = (id: string, needs: string[] = [], last = false) => ({ id, needs, finally: last });
  it('goes left to right and puts finally tasks last', () => {
    const { boxes } = laidOut([task('a'), task('b', ['a']), task('c', ['a']), task('end', [], true)]);
    const x = Object.fromEntries(boxes.map((box) => [box.id, box.x]));
    expect(x['a']!).toBeLessThan(x['b']!);
    expect(x['b']).toBe(x['c']);
    expect(x['end']!).toBeGreaterThan(x['c']!);
  });
  it('never lets two boxes lie over each other', () => {
    const { boxes } = laidOut([task('a'), ...Array.from({ length: 12 }, (_, i) => task(`b${i}`, ['a']))]);
    for (const one of boxes)
      for (const other of boxes)
        if (one !== other && one.x === other.x) expect(Math.abs(one.y - other.y)).toBeGreaterThan(boxHeight);
  });
  it('leaves out needs that name no task', () => {
    expect(laidOut([task('a', ['ghost'])]).lines).toEqual([]);
  });
});
