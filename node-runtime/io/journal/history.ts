/**
 * Ended and running runs to look back at: `history.db`.
 *
 * A read model: what happened is in the journal, this answers questions about
 * it quickly. A list is at most one index range per state, merged newest first;
 * words are found by a trigram index, shorter texts by a scan that ends at the
 * limit. Every row is checked by its crc when it is read.
 */
import { crc32 } from 'node:zlib';
import type { Database, Statement } from 'better-sqlite3';
import { limits } from '../../contract/limits.ts';
import type { RunState } from '../../contract/model.ts';
import { JournalDamaged } from './errors.ts';
import type { FiledRun, RunFilter } from './records.ts';

const perMs = 1024;
const trigramChars = 3;
/** Texts too short for the index are looked for among so many of the newest runs: about 40 ms. */
const shortTextRowsMax = 20_000;
/** A page, one more to see whether it is the last, and the runs that a node has in memory anyway. */
const pageMax = limits.runsPageMax + 1 + limits.runsEndedInMemory;
const everyState: Record<RunState, true> = {
  queued: true,
  waiting: true,
  running: true,
  succeeded: true,
  failed: true,
  cancelled: true,
  unknown: true,
};
const allStates = Object.keys(everyState) as RunState[];

type Listed = { seq: number; launchedAt: number; id: string; summary: string; crc: number };
const columns = 'seq, launchedAt, id, summary, crc';
const newestFirst = (one: Listed, other: Listed): number =>
  other.launchedAt - one.launchedAt || (one.id < other.id ? 1 : one.id > other.id ? -1 : 0);
type Condition = { sql: string; values: (string | bigint)[] };

const wordsOf = (run: { id: string; name: string; sandbox: string; path: string; by: string }): string =>
  `${run.id} ${run.name} ${run.sandbox}/${run.path} ${run.by}`;
const wordsInSql = "id||' '||name||' '||sandbox||'/'||path||' '||by";
const phrase = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const charsOf = (text: string): number => [...text].length;

export class History {
  private readonly database: Database;
  private readonly seqOfId;
  private readonly lastIn;
  private readonly insertRun;
  private readonly updateRun;
  private readonly insertText;
  private readonly insertWords;
  private readonly updateWords;
  /** Few shapes of filters: their statements are kept. */
  private readonly statements = new Map<string, Statement<unknown[], Listed>>();

  constructor(database: Database) {
    this.database = database;
    database.function('folded', { deterministic: true }, (text) => String(text).toLowerCase());
    this.seqOfId = database.prepare<[string], { seq: number; state: string }>(
      'SELECT seq, state FROM runs WHERE id = ?',
    );
    this.lastIn = database
      .prepare<[bigint, bigint], number>('SELECT seq FROM runs WHERE seq >= ? AND seq < ? ORDER BY seq DESC LIMIT 1')
      .pluck();
    this.insertRun = database.prepare(
      `INSERT INTO runs (seq, id, launchedAt, endedAt, state, sandbox, path, name, by, summary, crc)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.updateRun = database.prepare('UPDATE runs SET endedAt = ?, state = ?, summary = ?, crc = ? WHERE seq = ?');
    this.insertText = database.prepare('INSERT OR REPLACE INTO runTexts (seq, text, crc) VALUES (?, ?, ?)');
    this.insertWords = database.prepare('INSERT INTO runWords (rowid, words, state, sandbox) VALUES (?, ?, ?, ?)');
    this.updateWords = database.prepare('UPDATE runWords SET words = ?, state = ?, sandbox = ? WHERE rowid = ?');
  }

  /** Files runs anew or over what was filed under the same id; inside the caller's transaction. */
  file(runs: FiledRun[]): void {
    for (const run of runs) {
      const filed = this.seqOfId.get(run.id);
      const seq = BigInt(filed?.seq ?? this.nextSeq(run.launchedAt));
      const crc = crc32(run.summary);
      if (!filed) {
        const { id, launchedAt, endedAt, state, sandbox, path, name, by, summary } = run;
        this.insertRun.run(seq, id, launchedAt, endedAt, state, sandbox, path, name, by, summary, crc);
        this.insertWords.run(seq, wordsOf(run), state, sandbox);
      } else {
        this.updateRun.run(run.endedAt, run.state, run.summary, crc, seq);
        if (filed.state !== run.state) this.updateWords.run(wordsOf(run), run.state, run.sandbox, seq);
      }
      this.insertText.run(seq, run.text, crc32(run.text));
    }
  }

  /** The place behind all runs of that millisecond. */
  private nextSeq(launchedAt: number): number {
    const first = Math.floor(launchedAt) * perMs;
    let seq = first;
    for (let last = this.lastIn.get(BigInt(seq), BigInt(seq + perMs)); last !== undefined; ) {
      seq = last + 1;
      last = this.lastIn.get(BigInt(seq), BigInt(seq + 1));
    }
    return seq;
  }

  one(id: string): string | null {
    const row = this.database
      .prepare<[string], { text: string; crc: number }>(
        'SELECT t.text, t.crc FROM runs r JOIN runTexts t ON t.seq = r.seq WHERE r.id = ?',
      )
      .get(id);
    if (!row) return null;
    if (row.crc !== crc32(row.text)) throw damagedRun(id);
    return row.text;
  }

  /** Summaries, newest launch first; of one millisecond the greatest id first. */
  list(filter: RunFilter): string[] {
    const limit = Math.min(Math.max(1, filter.limit), pageMax);
    const from = Math.max(0, Math.ceil(filter.since ?? 0)) * perMs;
    const found = filter.before ? this.sameMs(filter, filter.before, from) : [];
    const below = filter.before ? Math.floor(filter.before.launchedAt) * perMs : Number.MAX_SAFE_INTEGER;
    if (found.length < limit) found.push(...this.wholeMs(filter, from, below, limit - found.length));
    return found
      .sort(newestFirst)
      .slice(0, limit)
      .map((row) => {
        if (row.crc !== crc32(row.summary)) throw damagedRun(row.id);
        return row.summary;
      });
  }

  /** What comes after `before` within its millisecond. */
  private sameMs(filter: RunFilter, before: { launchedAt: number; id: string }, from: number): Listed[] {
    const first = Math.floor(before.launchedAt) * perMs;
    const ofMs = this.range(filter, Math.max(from, first), first + perMs, perMs);
    return ofMs.filter((row) => row.launchedAt < before.launchedAt || row.id < before.id);
  }

  /** At least `limit` rows if there are so many, and all of the last one's millisecond: only then ids have an order. */
  private wholeMs(filter: RunFilter, from: number, below: number, limit: number): Listed[] {
    const rows = this.range(filter, from, below, limit);
    const last = rows.length === limit ? rows.at(-1) : undefined;
    if (!last) return rows;
    return [...rows, ...this.range(filter, Math.max(from, last.launchedAt * perMs), last.seq, perMs)];
  }

  private range(filter: RunFilter, from: number, below: number, limit: number): Listed[] {
    if (from >= below) return [];
    const isLong = filter.text !== undefined && charsOf(filter.text) >= trigramChars;
    return isLong
      ? this.byWords(filter, filter.text!, BigInt(from), BigInt(below), limit)
      : this.byIndex(filter, BigInt(from), BigInt(below), limit);
  }

  private byIndex(filter: RunFilter, from: bigint, below: bigint, limit: number): Listed[] {
    const { visible } = filter;
    if (visible && 'only' in visible && filter.sandbox === undefined) {
      // Few sandboxes of many: each has its range of an index, a scan would pass over all the others.
      return visible.only
        .flatMap((sandbox) => this.byIndex({ ...filter, sandbox }, from, below, limit))
        .sort((one, other) => other.seq - one.seq)
        .slice(0, limit);
    }
    const conditions = conditionsOf(filter);
    const byState = filter.states?.length || filter.sandbox !== undefined || filter.path !== undefined;
    if (!byState) return this.select({ conditions, from, below, limit, text: filter.text, rowsMax: shortTextRowsMax });
    const states = [...new Set(filter.states?.length ? filter.states : allStates)];
    const rowsMax = Math.floor(shortTextRowsMax / states.length);
    return states
      .flatMap((state) => {
        const ofState = [...conditions, { sql: 'runs.state = ?', values: [state] }];
        return this.select({ conditions: ofState, from, below, limit, text: filter.text, rowsMax });
      })
      .sort((one, other) => other.seq - one.seq)
      .slice(0, limit);
  }

  private byWords(filter: RunFilter, text: string, from: bigint, below: bigint, limit: number): Listed[] {
    const terms = [`words : ${phrase(text)}`];
    if (filter.states?.length) terms.push(`state : (${filter.states.map(phrase).join(' OR ')})`);
    if (filter.sandbox !== undefined && charsOf(filter.sandbox) >= trigramChars) {
      terms.push(`sandbox : ${phrase(filter.sandbox)}`);
    }
    if (filter.path !== undefined && charsOf(filter.path) >= trigramChars) terms.push(`words : ${phrase(filter.path)}`);
    // The words narrow it down; the columns decide.
    const conditions = conditionsOf(filter);
    if (filter.states?.length) {
      conditions.push({ sql: `runs.state IN (${filter.states.map(() => '?').join()})`, values: filter.states });
    }
    return this.selectWords(terms.join(' AND '), conditions, from, below, limit);
  }

  /** A range of one index, newest first; a short text is looked for among its first `rowsMax` rows. */
  private select(asked: {
    conditions: Condition[];
    from: bigint;
    below: bigint;
    limit: number;
    text: string | undefined;
    rowsMax: number;
  }): Listed[] {
    const where = asked.conditions.map(({ sql }) => ` AND ${sql}`).join('');
    const values = asked.conditions.flatMap((condition) => condition.values);
    const range = `FROM runs WHERE seq >= ? AND seq < ?${where} ORDER BY seq DESC LIMIT ?`;
    if (!asked.text) {
      return this.statement(`SELECT ${columns} ${range}`).all(asked.from, asked.below, ...values, asked.limit);
    }
    return this.statement(
      `SELECT ${columns} FROM (SELECT ${columns}, folded(${wordsInSql}) AS words ${range}) WHERE instr(words, ?) LIMIT ?`,
    ).all(asked.from, asked.below, ...values, asked.rowsMax, asked.text.toLowerCase(), asked.limit);
  }

  private selectWords(words: string, conditions: Condition[], from: bigint, below: bigint, limit: number): Listed[] {
    const where = conditions.map(({ sql }) => ` AND ${sql}`).join('');
    const values = conditions.flatMap((condition) => condition.values);
    return this.statement(
      `SELECT ${columns} FROM runWords CROSS JOIN runs ON runs.seq = runWords.rowid
       WHERE runWords MATCH ? AND runWords.rowid >= ? AND runWords.rowid < ?${where}
       ORDER BY runWords.rowid DESC LIMIT ?`,
    ).all(words, from, below, ...values, limit);
  }

  private statement(sql: string): Statement<unknown[], Listed> {
    const statement = this.statements.get(sql) ?? this.database.prepare<unknown[], Listed>(sql);
    this.statements.set(sql, statement);
    return statement;
  }

  /** Runs launched at or after `since` (ms), and how many of them failed. */
  count(since: number, visible?: RunFilter['visible']): { total: number; failed: number } {
    const from = BigInt(Math.max(0, Math.ceil(since)) * perMs);
    const conditions = visible ? [conditionOf(visible)] : [];
    const ofState = this.database
      .prepare<unknown[], number>(
        `SELECT count(*) FROM runs INDEXED BY runsByState
         WHERE state = ? AND seq >= ?${conditions.map(({ sql }) => ` AND ${sql}`).join('')}`,
      )
      .pluck();
    const values = conditions.flatMap((condition) => condition.values);
    const counts = allStates.map((state) => ofState.get(state, from, ...values) ?? 0);
    return { total: counts.reduce((sum, count) => sum + count, 0), failed: counts[allStates.indexOf('failed')]! };
  }
}

function conditionsOf(filter: RunFilter): Condition[] {
  const conditions: Condition[] = [];
  if (filter.sandbox !== undefined) conditions.push({ sql: 'runs.sandbox = ?', values: [filter.sandbox] });
  if (filter.path !== undefined) conditions.push({ sql: 'runs.path = ?', values: [filter.path] });
  if (filter.visible) conditions.push(conditionOf(filter.visible));
  return conditions;
}

/** One shape of statement for any number of names. */
function conditionOf(visible: NonNullable<RunFilter['visible']>): Condition {
  const [word, names] = 'only' in visible ? ['IN', visible.only] : ['NOT IN', visible.except];
  return { sql: `runs.sandbox ${word} (SELECT value FROM json_each(?))`, values: [JSON.stringify(names)] };
}

const damagedRun = (which: string): JournalDamaged =>
  new JournalDamaged(
    `In history.db the run ${which} does not match its checksum. The journal itself is not touched by this.`,
  );

/** A sentence for every run whose row or text is not what was filed; reads all of them. */
export function damagedRuns(database: Database): string[] {
  const rows = database
    .prepare<[], { id: string; summary: string; crc: number; text: string | null; textCrc: number | null }>(
      'SELECT id, summary, r.crc, t.text, t.crc AS textCrc FROM runs r LEFT JOIN runTexts t ON t.seq = r.seq',
    )
    .iterate();
  const sentences: string[] = [];
  for (const row of rows) {
    const isWhole = row.crc === crc32(row.summary) && row.text !== null && row.textCrc === crc32(row.text);
    if (!isWhole) sentences.push(`The run ${row.id} does not match its checksum.`);
  }
  return sentences;
}
