/**
 * Colours of terminal output: one line of text with escape codes → pieces.
 *
 * Understands SGR (16 colours, 256, true colour kept as nearest of 16 by name,
 * bold, dim, underline). Every other escape is left out. A colour that is not
 * reset runs on into the next line: `coloured` takes the style a line begins
 * with and gives the one it ends with.
 */
export type Piece = { text: string; colour: string; bold: boolean; dim: boolean; underline: boolean };

const names = ['dim', 'alarm', 'ok', 'warn', 'info', 'standby', 'info', 'plain'];
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
const escapes = /\x1b(?:\[([0-9;:?]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

export type Style = Omit<Piece, 'text'>;
export const plain: Style = { colour: 'plain', bold: false, dim: false, underline: false };

function indexed(n: number): string {
  if (n < 16) return names[n % 8] ?? 'plain';
  if (n >= 232) return n < 244 ? 'dim' : 'plain';
  const r = Math.floor((n - 16) / 36);
  const g = Math.floor(((n - 16) % 36) / 6);
  const b = (n - 16) % 6;
  return nearest(r * 51, g * 51, b * 51);
}

function nearest(r: number, g: number, b: number): string {
  const most = Math.max(r, g, b);
  if (most - Math.min(r, g, b) < 40) return most < 110 ? 'dim' : 'plain';
  if (r === most) return g > 120 ? 'warn' : b > 150 ? 'standby' : 'alarm';
  if (g === most) return b > 150 ? 'info' : 'ok';
  return r > 120 ? 'standby' : 'info';
}

function applied(style: Style, codes: string): Style {
  const list = codes.split(/[;:]/).map((code) => Number(code || 0));
  let next = { ...style };
  for (let i = 0; i < list.length; i++) {
    const code = list[i] ?? 0;
    if (code === 0) next = { ...plain };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 4) next.underline = true;
    else if (code === 22) next = { ...next, bold: false, dim: false };
    else if (code === 24) next.underline = false;
    else if (code === 39) next.colour = 'plain';
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) next.colour = names[code % 10] ?? 'plain';
    else if (code === 38 && list[i + 1] === 5) {
      next.colour = indexed(list[i + 2] ?? 0);
      i += 2;
    } else if (code === 38 && list[i + 1] === 2) {
      next.colour = nearest(list[i + 2] ?? 0, list[i + 3] ?? 0, list[i + 4] ?? 0);
      i += 4;
    } else if (code === 48) i += list[i + 1] === 5 ? 2 : 4;
  }
  return next;
}

/** The style after some colour codes (the part of an escape between `[` and `m`), in order. */
export const styleAfter = (codes: readonly string[], from: Style = plain): Style => codes.reduce(applied, from);

/** A progress line that rewrites itself by carriage returns is shown as its last state. */
const lastState = (line: string): { from: number; text: string } => {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  const from = text.lastIndexOf('\r') + 1;
  return { from, text: text.slice(from) };
};

/** A line that begins in a style: its pieces, and the style it leaves to the next line. */
export function coloured(line: string, begin: Style): { pieces: Piece[]; after: Style } {
  const { from: shownFrom, text } = lastState(line);
  if (!line.includes('\x1b')) return { pieces: [{ text, ...begin }], after: begin };
  const pieces: Piece[] = [];
  let style = begin;
  // What was rewritten is not shown, but its colours were set all the same.
  for (const found of line.slice(0, shownFrom).matchAll(escapes))
    if (found[2] === 'm') style = applied(style, found[1] ?? '');
  let from = 0;
  for (const found of text.matchAll(escapes)) {
    if (found.index > from) pieces.push({ text: text.slice(from, found.index), ...style });
    if (found[2] === 'm') style = applied(style, found[1] ?? '');
    from = found.index + found[0].length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), ...style });
  return { pieces, after: style };
}

/** The pieces of a line that stands alone. */
export const piecesOf = (line: string): Piece[] => coloured(line, plain).pieces;

/** The line without any escape, for finding and copying. */
export const plainOf = (line: string): string => lastState(line).text.replace(escapes, '');
