/**
 * Requests about the audit: a page of it, and all of it as a file.
 *
 * Answered from the rows that were filed of committed entries; what was filed
 * a moment ago is on the disk before it is looked for. An export is made page
 * by page while it is sent, so its length costs no memory.
 */
import { Readable } from 'node:stream';
import { limits } from '../contract/limits.ts';
import { AuditArea, type AuditRow } from '../contract/model.ts';
import type { Query } from '../contract/routes.ts';
import { csvHead, csvLine } from '../core/audit/csv.ts';
import type { Handlers } from '../io/http/asked.ts';
import type { AuditFilter } from '../io/journal/records.ts';
import type { Parts } from './parts.ts';

const PAGE = 100;

export function auditHandlers(parts: Parts): Pick<Handlers, 'audit' | 'auditExport'> {
  const { loop, journal } = parts;

  /** A filter that shows what is committed, with all of it filed. */
  async function filterOf(query: Query<'auditExport'>): Promise<Omit<AuditFilter, 'limit'>> {
    const upTo = await loop.read((state) => state.index);
    await parts.audit.flush();
    const { who, act, subject, via, since, until, text } = query;
    const isArea = AuditArea.safeParse(act).success;
    return {
      upTo,
      ...(who ? { by: byOf(who) } : {}),
      ...(act ? (isArea ? { area: act } : { act }) : {}),
      ...(subject ? { subject } : {}),
      ...(via ? { via } : {}),
      ...(text ? { text } : {}),
      ...(since ? { since: Date.parse(since) } : {}),
      ...(until ? { until: Date.parse(until) } : {}),
    };
  }

  async function* pages(filter: Omit<AuditFilter, 'limit'>): AsyncGenerator<AuditRow[]> {
    for (let before: number | undefined; ; ) {
      const texts = await journal.audited({ ...filter, ...(before ? { before } : {}), limit: limits.auditPageMax });
      const rows = texts.map((text) => JSON.parse(text) as AuditRow);
      if (rows.length > 0) yield rows;
      before = rows.at(-1)?.index;
      if (rows.length < limits.auditPageMax) return;
    }
  }

  return {
    async audit({ query }) {
      const { cursor, limit = PAGE } = query;
      const filter = await filterOf(query);
      const before = /^\d{1,16}$/.test(cursor ?? '') ? { before: Number(cursor) } : {};
      const found = await journal.audited({ ...filter, ...before, limit: limit + 1 });
      const rows = found.slice(0, limit).map((text) => JSON.parse(text) as AuditRow);
      const { gaps } = await journal.auditCover();
      return { body: { rows, gaps, ...(found.length > limit ? { cursor: String(rows.at(-1)!.index) } : {}) } };
    },

    async auditExport({ query }) {
      const filter = await filterOf(query);
      const isLines = query.format === 'jsonl';
      const name = `audit-${new Date().toISOString().slice(0, 10)}.${isLines ? 'jsonl' : 'csv'}`;
      async function* text(): AsyncGenerator<Buffer> {
        if (!isLines) yield Buffer.from(csvHead);
        for await (const rows of pages(filter))
          yield Buffer.from(rows.map(isLines ? (row) => `${JSON.stringify(row)}\n` : csvLine).join(''));
      }
      return {
        headers: {
          'content-type': isLines ? 'application/x-ndjson; charset=utf-8' : 'text/csv; charset=utf-8',
          'content-disposition': `attachment; filename="${name}"`,
        },
        body: Readable.from(text()),
      };
    },
  };
}

/** A plain name is that of a person. */
const byOf = (who: string): string => (who.includes(':') || who === 'desktop' || who === 'node' ? who : `user:${who}`);
