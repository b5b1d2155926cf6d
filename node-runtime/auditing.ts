/**
 * Files the audit: rows of entries as they are committed, and rows that this
 * node never saw because a snapshot took the place of their entries.
 *
 * Rows come from the core in the order of the journal and are filed a moment
 * later, several at once. What a crash cuts off is read again from the journal
 * at the next start: a snapshot is only kept when the rows of all entries
 * before it are filed. Rows that another controller has are copied from it,
 * page by page, until there is no gap or nobody who could fill it.
 *
 * Promise: an entry that was committed here is in the audit, or in a gap that
 * is said. A full disk delays rows and loses none.
 */
import { z } from 'zod';
import { AuditRow } from './contract/model.ts';
import { DiskFull } from './io/journal/errors.ts';
import type { Journal } from './io/journal/journal.ts';
import type { FiledAct, Gap } from './io/journal/records.ts';

const FLUSH_MS = 200;
const FULL_AGAIN_MS = 1_000;
const FILL_AGAIN_MS_MIN = 2_000;
const FILL_AGAIN_MS_MAX = 10 * 60_000;
/** About 20 ms of the journal worker, which has others to answer. */
const ROWS_AT_ONCE = 200;
/** Rows may be long, and an answer of a member is at most one frame. */
const PAGE_ROWS = 200;

/** Rows of entries after `from` up to `upTo`, read from the journal. */
export type ReadActs = { from: number; upTo: number; rows: AuditRow[] };
/** What another controller has of a gap: all rows from its beginning up to `upTo`. */
export type AuditPage = { upTo: number; rows: AuditRow[] };
export const AuditPageShape = z.object({
  upTo: z.number().int().min(0),
  rows: z.array(AuditRow).max(PAGE_ROWS),
});

export type Auditing = {
  row(row: AuditRow): void;
  /** The state was read from disk, and these rows on the way. */
  read(acts: ReadActs): void;
  /** Files all; then rows of every entry up to there are on the disk. */
  keptUpTo(index: number): Promise<void>;
  /** Entries after this one are cut. Called before the journal is told. */
  cut(after: number): void;
  /** All that is known is on the disk. */
  flush(): Promise<void>;
  /** Tries again to fill the gaps now: another controller was met. */
  fill(): void;
  close(): Promise<void>;
};

export function makeAuditing(parts: {
  journal: Journal;
  /** Controllers that may have what is missing here, best first. */
  sources(): string[];
  /** What they have of a gap; null when nothing, or when they can't be asked. */
  ask(node: string, gap: Gap): Promise<AuditPage | null>;
  warn(what: object, sentence: string): void;
  onFault(error: unknown): void;
}): Auditing {
  const { journal } = parts;
  let waiting: AuditRow[] = [];
  /** On their way to the disk. */
  let leaving: AuditRow[] = [];
  /** Noted when all rows before them are filed. */
  let reads: { from: number; upTo: number }[] = [];
  let filing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | null = null;
  let filling = false;
  let fillTimer: NodeJS.Timeout | null = null;
  let fillAgainMs = FILL_AGAIN_MS_MIN;
  let closed = false;

  function later(ms: number): void {
    if (timer || closed) return;
    timer = setTimeout(() => {
      timer = null;
      flush().catch(() => {}); // said where it failed, and tried again
    }, ms);
  }

  function flush(): Promise<void> {
    filing = filing.catch(() => {}).then(fileWaiting);
    return filing;
  }

  async function fileWaiting(): Promise<void> {
    while (waiting.length > 0 || reads.length > 0) {
      leaving = waiting.splice(0, ROWS_AT_ONCE);
      const [read] = waiting.length === 0 ? reads : [];
      try {
        await journal.fileAudit({ rows: leaving.map(filedAct), ...(read ? { read } : {}) });
        leaving = [];
        if (read) reads = reads.slice(1);
      } catch (error) {
        waiting = [...leaving, ...waiting];
        leaving = [];
        return failed(error);
      }
    }
  }

  function failed(error: unknown): never {
    if (!(error instanceof DiskFull)) parts.onFault(error);
    else later(FULL_AGAIN_MS);
    throw error;
  }

  // ------------------------------------------------------------------ gaps

  function fillLater(ms: number): void {
    if (fillTimer) clearTimeout(fillTimer);
    fillTimer = closed ? null : setTimeout(fill, ms);
  }

  function fill(): void {
    if (filling || closed) return;
    filling = true;
    fillAll()
      .then(
        (isWhole) => {
          if (isWhole) return;
          fillLater(fillAgainMs);
          fillAgainMs = Math.min(fillAgainMs * 2, FILL_AGAIN_MS_MAX);
        },
        (error) => {
          if (!closed) parts.warn({ err: error }, 'Rows of the audit could not be copied now; it is tried again.');
          fillLater(fillAgainMs);
        },
      )
      .finally(() => (filling = false));
  }

  /** False when something is left that may be had later. */
  async function fillAll(): Promise<boolean> {
    for (const gap of (await journal.auditCover()).gaps) {
      for (const node of parts.sources()) {
        if (await fillFrom(node, gap)) break;
      }
    }
    return (await journal.auditCover()).gaps.length === 0;
  }

  /** True when nothing of the gap is left. */
  async function fillFrom(node: string, gap: Gap): Promise<boolean> {
    for (let { from } = gap; from <= gap.to; ) {
      const page = closed ? null : await parts.ask(node, { from, to: gap.to });
      if (!page || page.upTo < from) return false;
      const upTo = Math.min(page.upTo, gap.to);
      const rows = page.rows.filter(({ index }) => index >= from && index <= upTo).map(filedAct);
      await journal.fileAudit({ rows, filled: { from, to: upTo } });
      fillAgainMs = FILL_AGAIN_MS_MIN;
      from = upTo + 1;
    }
    return true;
  }

  return {
    row(row) {
      waiting.push(row);
      later(FLUSH_MS);
    },
    read({ from, upTo, rows }) {
      const known = new Set(waiting.map(({ index }) => index));
      waiting.push(...rows.filter(({ index }) => !known.has(index)));
      reads.push({ from, upTo });
      flush().then(fill, () => {}); // said where it failed, and tried again
    },
    async keptUpTo(index) {
      reads.push({ from: 0, upTo: index });
      await flush();
    },
    cut(after) {
      waiting = waiting.filter(({ index }) => index <= after);
      leaving = leaving.filter(({ index }) => index <= after);
      reads = reads.map(({ from, upTo }) => ({ from: Math.min(from, after), upTo: Math.min(upTo, after) }));
      flush().catch(() => {}); // with the cut, in one commit
    },
    flush,
    fill() {
      fillLater(0);
    },
    async close() {
      closed = true;
      if (timer) clearTimeout(timer);
      if (fillTimer) clearTimeout(fillTimer);
      await flush().catch(() => {});
    },
  };
}

/** What is searched of a row: everything that it shows, once. */
export function wordsOfRow(row: AuditRow): string {
  const { sentence, subject, who, by, from = '', via, act } = row;
  const others = row.changes.flatMap(({ what, before = '', after = '' }) => [what, before, after]);
  const rest = [subject, who, by, from, via, act, ...others].filter((part) => !sentence.includes(part));
  return [sentence, ...new Set(rest)].join('\n');
}

const filedAct = (row: AuditRow): FiledAct => ({
  ...{ index: row.index, at: Date.parse(row.at), term: row.term, by: row.by, via: row.via, area: row.area },
  ...{ act: row.act, subject: row.subject, words: wordsOfRow(row), text: JSON.stringify(row) },
});

/**
 * What is here of a gap of another node, as one page: rows from its beginning on, as far as all of them are here.
 * `known`: entries up to this one are committed, and their rows filed.
 */
export async function pageOf(journal: Journal, gap: Gap, known: number): Promise<AuditPage | null> {
  const { gaps } = await journal.auditCover();
  const hole = gaps.filter(({ to }) => to >= gap.from).map(({ from }) => from - 1);
  const last = Math.min(gap.to, known, ...hole);
  if (last < gap.from) return null;
  const rows = await journal.auditedBetween(gap.from, last, PAGE_ROWS);
  const upTo = rows.length === PAGE_ROWS ? rows.at(-1)!.index : last;
  return { upTo, rows: rows.map(({ text }) => JSON.parse(text) as AuditRow) };
}
