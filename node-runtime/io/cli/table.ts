/**
 * Aligned tables and colours for people.
 *
 * A table is as wide as its content; on a terminal the one column that may
 * shrink is cut with `…` so that a row stays on one line. When the output is
 * no terminal nothing is cut or coloured, so that scripts see everything.
 * Cells are made safe to print here.
 */
import { plain } from './words.ts';

export type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'grey' | 'bold';
export type Paint = (text: string, colour: Colour | undefined) => string;

const codes: Record<Colour, string> = { red: '31', green: '32', yellow: '33', blue: '34', grey: '90', bold: '1' };

/** Colours only on a terminal, and not when NO_COLOR is set or TERM is dumb. */
export function paintFor(isTty: boolean, env: Readonly<Record<string, string | undefined>>): Paint {
  const wanted = isTty && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return (text, colour) => (wanted && colour && text !== '' ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text);
}

const stateColours: Record<string, Colour> = {
  succeeded: 'green',
  running: 'blue',
  failed: 'red',
  unknown: 'red',
  lost: 'yellow',
  cancelled: 'yellow',
  waiting: 'yellow',
  queued: 'grey',
  skipped: 'grey',
};
export const stateColour = (state: string): Colour | undefined => stateColours[state];

export type Column<Row> = {
  title: string;
  cell(row: Row): string;
  right?: boolean;
  /** May be cut to fit the terminal. */
  shrinks?: boolean;
  colour?(row: Row): Colour | undefined;
};

const gap = '  ';
const shrunkCharsMin = 8;

/** Cells of wide scripts and emoji take two places; combining marks none. */
function widthOf(text: string): number {
  let width = 0;
  for (const sign of text) {
    if (/\p{Mn}|\u200d|\ufe0f/u.test(sign)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Extended_Pictographic}/u.test(
        sign,
      )
        ? 2
        : 1;
  }
  return width;
}

function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  for (const sign of text) {
    if (widthOf(kept + sign) > width - 1) break;
    kept += sign;
  }
  return `${kept}…`;
}

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? space + text : text + space;
}

/** Lines, each ended; empty for no rows. `columns` is the terminal's width, or null for no limit. */
export function table<Row>(
  columns: Column<Row>[],
  rows: readonly Row[],
  look: { paint: Paint; columns: number | null },
): string {
  if (rows.length === 0) return '';
  const cells = rows.map((row) => columns.map((column) => plain(column.cell(row))));
  const shown = columns.flatMap((column, at) => (cells.some((row) => row[at] !== '') ? [{ column, at }] : []));
  const widths = shown.map(({ column, at }) =>
    cells.reduce((widest, row) => Math.max(widest, widthOf(row[at] ?? '')), widthOf(column.title)),
  );
  narrow(
    shown.map(({ column }) => column.shrinks === true),
    widths,
    look.columns,
  );
  const line = (texts: string[], colours: (Colour | undefined)[]): string => {
    // Nothing, not even spaces, after the last cell that says something.
    const end = texts.findLastIndex((text) => text !== '');
    const parts = texts.slice(0, end + 1).map((text, i) => {
      const right = shown[i]?.column.right === true;
      const fitted = cut(text, widths[i] ?? 0);
      return look.paint(i === end && !right ? fitted : pad(fitted, widths[i] ?? 0, right), colours[i]);
    });
    return `${parts.join(gap)}\n`;
  };
  const head = line(
    shown.map(({ column }) => column.title),
    shown.map(() => 'grey'),
  );
  const body = rows.map((row, r) =>
    line(
      shown.map(({ at }) => cells[r]?.[at] ?? ''),
      shown.map(({ column }) => column.colour?.(row)),
    ),
  );
  return head + body.join('');
}

/** Takes from the shrinking columns, widest first, until the line fits. */
function narrow(shrinks: boolean[], widths: number[], columns: number | null): void {
  if (columns === null) return;
  let over = widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1)) - columns;
  while (over > 0) {
    let widest = -1;
    widths.forEach((width, i) => {
      if (shrinks[i] && width > shrunkCharsMin && (widest < 0 || width > (widths[widest] ?? 0))) widest = i;
    });
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over -= 1;
  }
}
