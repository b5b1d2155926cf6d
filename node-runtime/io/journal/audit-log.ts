/**
 * Who did what, to look back at: `audit.db`.
 *
 * A read model of the journal: one row an entry that somebody may ask about,
 * under the index of that entry. Rows are never dropped with the entries they
 * tell of. Beside them stands which entries are covered, so that what was
 * missed (a crash, a snapshot from another node) is filed again or said to be
 * missing, and never silently so. Every row is checked by its crc when read.
 *
 * A time is first turned into a range of indexes; then each list is a range of
 * one index, newest first. Words are found by a trigram index, shorter texts
 * by a scan that ends at a bound.
 */
import { crc32 } from 'node:zlib';
import type { Database, Statement } from 'better-sqlite3';
import { limits } from '../../contract/limits.ts';
import { JournalDamaged } from './errors.ts';
import type { AuditCover, AuditFiling, AuditFilter, FiledAct, Gap } from './records.ts';

const trigramChars = 3;
/** Texts too short for the index are looked for among so many of the newest rows: about 40 ms. */
const shortTextRowsMax = 20_000;
const pageMax = limits.auditPageMax + 1;

type Read = { idx: number; text: string; crc: number };
type Condition = { sql: string; value: string | number };

export class AuditLog {
  private readonly database: Database;
  private readonly termAt;
  private readonly insertRow;
  private readonly insertText;
  private readonly insertWords;
  private readonly removeWords;
  private readonly between;
  /** Few shapes of filters: their statements are kept. */
  private readonly statements = new Map<string, Statement<unknown[], Read>>();

  constructor(database: Database) {
    this.database = database;
    database.function('folded', { deterministic: true }, (text) => String(text).toLowerCase());
    this.termAt = database.prepare<[number], string>('SELECT term FROM audit WHERE idx = ?').pluck();
    this.insertRow = database.prepare(
      'INSERT OR REPLACE INTO audit (idx, at, term, by, via, area, act, subject) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.insertText = database.prepare('INSERT OR REPLACE INTO auditTexts (idx, words, text, crc) VALUES (?, ?, ?, ?)');
    this.insertWords = database.prepare('INSERT INTO auditWords (rowid, words) VALUES (?, ?)');
    this.removeWords = database.prepare('DELETE FROM auditWords WHERE rowid = ?');
    this.between = database.prepare<[number, number, number], Omit<FiledAct, 'index'> & { idx: number; crc: number }>(
      'SELECT a.*, t.words, t.text, t.crc FROM audit a JOIN auditTexts t USING (idx) WHERE idx BETWEEN ? AND ? ORDER BY idx LIMIT ?',
    );
  }

  // ----------------------------------------------------------------- write

  /** Inside the caller's transaction, as all that writes. */
  file({ rows, read, filled }: AuditFiling): void {
    for (const row of rows) this.fileRow(row);
    if (!read && !filled) return;
    let cover = this.cover();
    if (read) cover = readFurther(cover, read);
    if (filled) cover = { ...cover, gaps: cover.gaps.flatMap((gap) => without(gap, filled)) };
    this.saveCover(cover);
  }

  /** An entry of one term is the same wherever it is: what is filed of it stays. */
  private fileRow({ index, at, term, by, via, area, act, subject, words, text }: FiledAct): void {
    const known = this.termAt.get(index);
    if (known === term) return;
    if (known !== undefined) this.removeWords.run(index);
    this.insertRow.run(index, at, term, by, via, area, act, subject);
    this.insertText.run(index, words, text, crc32(text));
    this.insertWords.run(index, words);
  }

  /** Entries after `index` are no more. Before that, rows of all entries up to `filedUpTo` were filed. */
  cut(index: number, filedUpTo = 0): void {
    const { upTo, gaps } = this.cover();
    const end = Math.min(index, Math.max(upTo, filedUpTo));
    for (const table of ['audit', 'auditTexts']) this.database.prepare(`DELETE FROM ${table} WHERE idx > ?`).run(end);
    this.database.prepare('DELETE FROM auditWords WHERE rowid > ?').run(end);
    this.saveCover({ upTo: end, gaps: gaps.flatMap((gap) => without(gap, { from: end + 1, to: gap.to })) });
  }

  private saveCover(cover: AuditCover): void {
    const text = JSON.stringify(cover);
    this.database.prepare('INSERT OR REPLACE INTO cover (id, text, crc) VALUES (1, ?, ?)').run(text, crc32(text));
  }

  // ------------------------------------------------------------------ read

  cover(): AuditCover {
    const row = this.database.prepare<[], { text: string; crc: number }>('SELECT text, crc FROM cover').get();
    if (!row) return { upTo: 0, gaps: [] };
    if (row.crc !== crc32(row.text))
      throw new JournalDamaged('In audit.db what it covers does not match its checksum.');
    return JSON.parse(row.text) as AuditCover;
  }

  rowsBetween(from: number, to: number, max: number): FiledAct[] {
    return this.between.all(from, to, Math.min(max, pageMax)).map(({ idx, crc, ...row }) => {
      if (crc !== crc32(row.text)) throw damagedRow(idx);
      return { index: idx, ...row };
    });
  }

  /** Texts of rows, newest entry first. */
  list(filter: AuditFilter): string[] {
    const limit = Math.min(Math.max(1, filter.limit), pageMax);
    const range = this.rangeOf(filter);
    if (range.from > range.to) return [];
    const conditions = conditionsOf(filter);
    const found =
      filter.text !== undefined && [...filter.text].length >= trigramChars
        ? this.byWords(filter.text, conditions, range, limit)
        : this.byIndex(filter.text, conditions, range, limit);
    return found.map((row) => {
      if (row.crc !== crc32(row.text)) throw damagedRow(row.idx);
      return row.text;
    });
  }

  /** Clocks may have jumped, so the range may be too wide: the rows themselves are compared, too. */
  private rangeOf({ since, until, before, upTo }: AuditFilter): Gap {
    const at = (sql: string, ms: number) => this.database.prepare<[number], number | null>(sql).pluck().get(ms) ?? null;
    const first = since === undefined ? 0 : at('SELECT min(idx) FROM audit WHERE at >= ?', since);
    const last = until === undefined ? Number.MAX_SAFE_INTEGER : at('SELECT max(idx) FROM audit WHERE at < ?', until);
    const newest = Math.min(upTo ?? Number.MAX_SAFE_INTEGER, (before ?? Number.MAX_SAFE_INTEGER) - 1);
    return first === null || last === null ? { from: 1, to: 0 } : { from: first, to: Math.min(last, newest) };
  }

  private byIndex(text: string | undefined, conditions: Condition[], range: Gap, limit: number): Read[] {
    const where = conditions.map(({ sql }) => ` AND ${sql}`).join('');
    const values = conditions.map(({ value }) => value);
    const rows = `FROM audit WHERE audit.idx >= ? AND audit.idx <= ?${where} ORDER BY audit.idx DESC LIMIT ?`;
    const texts = 'JOIN auditTexts t ON t.idx = a.idx';
    if (!text) {
      const sql = `SELECT a.idx, t.text, t.crc FROM (SELECT audit.idx ${rows}) a CROSS ${texts}`;
      return this.statement(sql).all(range.from, range.to, ...values, limit);
    }
    const sql = `SELECT a.idx, t.text, t.crc FROM (SELECT audit.idx ${rows}) a CROSS ${texts} WHERE instr(folded(t.words), ?) LIMIT ?`;
    return this.statement(sql).all(range.from, range.to, ...values, shortTextRowsMax, text.toLowerCase(), limit);
  }

  /** The words narrow it down; the columns decide. */
  private byWords(text: string, conditions: Condition[], range: Gap, limit: number): Read[] {
    const where = conditions.map(({ sql }) => ` AND ${sql}`).join('');
    return this.statement(
      `SELECT audit.idx, t.text, t.crc FROM auditWords CROSS JOIN audit ON audit.idx = auditWords.rowid
       CROSS JOIN auditTexts t ON t.idx = audit.idx
       WHERE auditWords MATCH ? AND auditWords.rowid >= ? AND auditWords.rowid <= ?${where}
       ORDER BY auditWords.rowid DESC LIMIT ?`,
    ).all(`"${text.replaceAll('"', '""')}"`, range.from, range.to, ...conditions.map(({ value }) => value), limit);
  }

  private statement(sql: string): Statement<unknown[], Read> {
    const statement = this.statements.get(sql) ?? this.database.prepare<unknown[], Read>(sql);
    this.statements.set(sql, statement);
    return statement;
  }
}

function conditionsOf(filter: AuditFilter): Condition[] {
  const conditions: Condition[] = [];
  for (const name of ['by', 'area', 'act', 'subject', 'via'] as const) {
    const value = filter[name];
    if (value !== undefined) conditions.push({ sql: `audit.${name} = ?`, value });
  }
  if (filter.since !== undefined) conditions.push({ sql: 'audit.at >= ?', value: filter.since });
  if (filter.until !== undefined) conditions.push({ sql: 'audit.at < ?', value: filter.until });
  return conditions;
}

// ------------------------------------------------------------------ cover

/** Entries after `from` up to `upTo` were read: what lies between the old end and `from` is a gap. */
export function readFurther(
  { upTo: old, gaps }: AuditCover,
  { from, upTo }: { from: number; upTo: number },
): AuditCover {
  const gap = from > old ? [{ from: old + 1, to: from }] : [];
  return { upTo: Math.max(old, upTo), gaps: [...gaps, ...gap] };
}

/** What is left of a gap. */
export function without(gap: Gap, filled: Gap): Gap[] {
  if (filled.to < gap.from || filled.from > gap.to) return [gap];
  const left = { from: gap.from, to: filled.from - 1 };
  const right = { from: filled.to + 1, to: gap.to };
  return [left, right].filter((one) => one.from <= one.to);
}

const damagedRow = (index: number): JournalDamaged =>
  new JournalDamaged(
    `In audit.db the row of entry ${index} does not match its checksum. The journal itself is not touched by this.`,
  );

/** A sentence for every row that is not what was filed; reads all of them. */
export function damagedActs(database: Database): string[] {
  const rows = database
    .prepare<[], { idx: number; text: string | null; crc: number | null }>(
      'SELECT a.idx, t.text, t.crc FROM audit a LEFT JOIN auditTexts t USING (idx)',
    )
    .iterate();
  const sentences: string[] = [];
  for (const { idx, text, crc } of rows)
    if (text === null || crc !== crc32(text)) sentences.push(`The row of entry ${idx} does not match its checksum.`);
  return sentences;
}
