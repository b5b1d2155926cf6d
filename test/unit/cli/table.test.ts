import { describe, expect, it } from 'vitest';
import { type Column, paintFor, table } from '../../../node-runtime/io/cli/table.ts';

type Row = { name: string; size: string; note?: string };
const columns: Column<Row>[] = [
  { title: 'NAME', cell: (row) => row.name, shrinks: true },
  { title: 'SIZE', cell: (row) => row.size, right: true, colour: () => 'red' },
  { title: 'NOTE', cell: (row) => row.note ?? '' },
];
const bare = { paint: paintFor(false, {}), columns: null };

describe('a table', () => {
  it('aligns left and right, without spaces at the end of a line', () => {
    const rows = [
      { name: 'a', size: '1 B', note: 'x' },
      { name: 'longer', size: '100 kB' },
    ];
    expect(table(columns, rows, bare).split('\n')).toEqual([
      'NAME      SIZE  NOTE',
      'a          1 B  x',
      'longer  100 kB',
      '',
    ]);
  });
  it('leaves out a column in which nothing is said', () => {
    expect(table(columns, [{ name: 'a', size: '1 B' }], bare)).not.toContain('NOTE');
  });
  it('counts wide signs as two places', () => {
    const rows = [
      { name: '漢字', size: '1' },
      { name: 'abcd', size: '2' },
    ];
    expect(table(columns, rows, bare).split('\n').slice(1, 3)).toEqual(['漢字     1', 'abcd     2']);
  });
  it('cuts the column that may shrink to fit the terminal, and no other', () => {
    const rows = [{ name: 'a'.repeat(60), size: '100 kB', note: 'whole note' }];
    const lines = table(columns, rows, { ...bare, columns: 40 })
      .trimEnd()
      .split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
    expect(lines[1]).toContain('…');
    expect(lines[1]).toContain('whole note');
  });
  it('cuts nothing when the output is no terminal', () => {
    const name = 'a'.repeat(500);
    expect(table(columns, [{ name, size: '1' }], bare)).toContain(name);
  });
  it('keeps control characters of a cell from the terminal', () => {
    expect(table(columns, [{ name: 'a\u001b[2J\nb', size: '1' }], bare).split('\n')).toHaveLength(3);
  });
});

describe('colours', () => {
  const red = '\u001b[31mx\u001b[0m';
  it('are used on a terminal only, and not when NO_COLOR says so', () => {
    expect(paintFor(true, {})('x', 'red')).toBe(red);
    expect(paintFor(true, { NO_COLOR: '' })('x', 'red')).toBe(red);
    expect(paintFor(true, { NO_COLOR: '1' })('x', 'red')).toBe('x');
    expect(paintFor(true, { TERM: 'dumb' })('x', 'red')).toBe('x');
    expect(paintFor(false, {})('x', 'red')).toBe('x');
  });
});
