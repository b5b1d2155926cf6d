/**
 * The audit as a table for spreadsheets (RFC 4180: every cell quoted, lines
 * end with CR LF).
 *
 * A spreadsheet takes a cell that begins with certain signs for a formula and
 * runs it. Such a cell gets an apostrophe before it: then it is text.
 */
import type { AuditRow } from '../../contract/model.ts';

const FORMULA = /^[=+\-@\t\r\n]/;

export function csvCell(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return `"${harmless.replaceAll('"', '""')}"`;
}

const line = (cells: string[]): string => `${cells.map(csvCell).join(',')}\r\n`;

export const csvHead = line([
  ...['time', 'who', 'by', 'from', 'through', 'act', 'subject', 'what', 'before and after', 'entry', 'term'],
]);

/** Each change on a line of its own: "role: viewer → operator". */
export const changesText = ({ changes, more }: Pick<AuditRow, 'changes' | 'more'>): string =>
  [
    ...changes.map(({ what, before, after }) =>
      before === undefined && after === undefined
        ? what
        : `${what}: ${[before ?? '(none)', after ?? '(none)'].join(' → ')}`,
    ),
    ...(more === undefined ? [] : [`and ${more} more`]),
  ].join('\n');

export const csvLine = (row: AuditRow): string =>
  line([
    ...[row.at, row.who, row.by, row.from ?? '', row.via, row.act, row.subject, row.sentence],
    ...[changesText(row), String(row.index), row.term],
  ]);
