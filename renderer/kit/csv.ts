/**
 * Rows of a CSV text (RFC 4180, with the separator guessed from the first line).
 *
 * For showing, not for computing: never fails, keeps every value a text, and
 * stops after `rowsMax` rows.
 */
export function separatorOf(text: string): string {
  const first = text.slice(0, text.indexOf('\n') >>> 0);
  const counts = [',', ';', '\t', '|'].map((mark) => ({ mark, n: first.split(mark).length }));
  return counts.reduce((best, one) => (one.n > best.n ? one : best)).mark;
}

export function rowsOf(text: string, rowsMax = 1_000): string[][] {
  const mark = separatorOf(text);
  const rows: string[][] = [];
  let row: string[] = [];
  let value = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') value += c;
      else if (text[i + 1] === '"') value += text[i++];
      else quoted = false;
    } else if (c === '"' && value === '') quoted = true;
    else if (c === mark) {
      row.push(value);
      value = '';
    } else if (c === '\n') {
      row.push(value.endsWith('\r') ? value.slice(0, -1) : value);
      rows.push(row);
      if (rows.length >= rowsMax) return rows;
      row = [];
      value = '';
    } else value += c;
  }
  if (value !== '' || row.length > 0) rows.push([...row, value]);
  return rows;
}
