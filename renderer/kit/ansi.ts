/**
 * Colours of terminal output: one line of text with escape codes → pieces.
 *
 * Understands SGR (16 colours, 256, true colour kept as nearest of 16 by name,
 * bold, dim, underline). Every other escape is left out. Colours do not run
 * over into the next line, so any line can be drawn alone.
 */
export type Piece = { text: string; colour: string; bold: boolean; dim: boolean; underline: boolean };

const names = ['dim', 'alarm', 'ok', 'warn', 'info', 'standby', 'info', 'plain'];
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
const escapes = /\x1b(?:\[([0-9;:?]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

type Style = Omit<Piece, 'text'>;
const plain: Style = { colour: 'plain', bold: false, dim: false, underline: false };

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

/** A progress line that rewrites itself by carriage returns is shown as its last state. */
const lastState = (line: string): string => {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  return text.includes('\r') ? text.slice(text.lastIndexOf('\r') + 1) : text;
};

export function piecesOf(line: string): Piece[] {
  const text = lastState(line);
  if (!text.includes('\x1b')) return [{ text, ...plain }];
  const pieces: Piece[] = [];
  let style = plain;
  let from = 0;
  for (const found of text.matchAll(escapes)) {
    if (found.index > from) pieces.push({ text: text.slice(from, found.index), ...style });
    if (found[2] === 'm') style = applied(style, found[1] ?? '');
    from = found.index + found[0].length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), ...style });
  return pieces;
}

/** The line without any escape, for finding and copying. */
export const plainOf = (line: string): string => lastState(line).replace(escapes, '');
