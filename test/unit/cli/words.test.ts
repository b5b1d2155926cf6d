import { describe, expect, it } from 'vitest';
import { counted, durationInWords, momentInWords, plain, sizeInWords } from '../../../node-runtime/io/cli/words.ts';

describe('sizes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1234, '1.2 kB'],
    [99_949, '99.9 kB'],
    [99_951, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [64 * 1024 ** 3, '68.7 GB'],
  ])('%i bytes are %s', (bytes, words) => {
    expect(sizeInWords(bytes)).toBe(words);
  });
});

describe('durations', () => {
  it.each([
    [-5, '0.0 s'],
    [420, '0.4 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 min'],
    [185_000, '3 min 5 s'],
    [3_600_000, '1 h'],
    [7_800_000, '2 h 10 min'],
    [86_400_000 * 4 + 3_600_000 * 3, '4 d 3 h'],
  ])('%i ms are %s', (ms, words) => {
    expect(durationInWords(ms)).toBe(words);
  });
});

describe('moments', () => {
  it('are told in local time', () => {
    const at = new Date(2026, 2, 4, 10, 2, 3);
    expect(momentInWords(at.toISOString())).toBe('2026-03-04 10:02:03');
    expect(momentInWords(undefined)).toBe('');
  });
});

describe('text from a node', () => {
  it('cannot move the cursor, recolour or turn the terminal around', () => {
    expect(plain('a\u001b[2Jb\r\nc\u009bd\u202ee')).toBe('a\ufffd[2Jb\ufffd\ufffdc\ufffdd\ufffde');
    expect(plain('größe 漢字 👩‍🚀')).toBe('größe 漢字 👩‍🚀');
  });
  it('is counted in the singular and the plural', () => {
    expect([counted(1, 'run'), counted(0, 'run'), counted(1234, 'sandbox', 'sandboxes')]).toEqual([
      '1 run',
      '0 runs',
      '1,234 sandboxes',
    ]);
  });
});
