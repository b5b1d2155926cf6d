/**
 * `binnacle audit`: who did what, from where, when; and all of it as a file.
 *
 * An export is written beside its place and gets its name when it is whole, so
 * a connection that broke leaves no file that looks complete. Its form follows
 * from the end of its name.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { limits } from '../../contract/limits.ts';
import type { AuditRow } from '../../contract/model.ts';
import type { AnswerOf, Query } from '../../contract/routes.ts';
import type { NodeClient } from './client.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { Failure, fileFailure, misused } from './failure.ts';
import type { Column } from './table.ts';
import { momentInWords, plain, sizeInWords } from './words.ts';

type Filter = Omit<Query<'auditExport'>, 'format'>;
export type AuditOptions = Partial<Filter> & { limit?: number; all?: boolean; export?: string };

const shown = 20;
const unitMs: Record<string, number> = { min: 60_000, h: 3_600_000, d: 86_400_000 };

export async function audit(context: Context, options: AuditOptions, now = Date.now()): Promise<number> {
  const filter = filterOf(options, now);
  const file = options.export;
  if (file !== undefined) {
    const format = formatOf(file);
    return withNode(context, 'offline', (client) => exportTo(context, client, file, { ...filter, format }));
  }
  const wanted = options.all ? Number.POSITIVE_INFINITY : (options.limit ?? shown);
  return withNode(context, 'offline', async (client) => {
    const rows: AuditRow[] = [];
    let page: AnswerOf<'audit'>;
    let cursor: string | undefined;
    do {
      const limit = Math.min(limits.auditPageMax, wanted - rows.length);
      page = await client.ask('audit', { query: { ...filter, limit, ...(cursor === undefined ? {} : { cursor }) } });
      rows.push(...page.rows);
      cursor = page.rows.length > 0 ? page.cursor : undefined;
    } while (cursor !== undefined && rows.length < wanted);
    const { gaps } = page;
    if (context.json) context.document({ rows, gaps, ...(cursor ? { cursor } : {}) });
    else {
      context.rows(columns, rows, 'Nothing fits.');
      if (cursor !== undefined) context.note('There is more: --limit N, --all, or --export FILE.csv');
      for (const { from, to } of gaps)
        context.note(`Of the entries ${from} to ${to} of the journal the node that answered has no rows.`);
    }
    return exitCodes.ok.code;
  });
}

const columns: Column<AuditRow>[] = [
  { title: 'WHEN', cell: (row) => momentInWords(row.at) },
  { title: 'WHAT', cell: (row) => row.sentence, shrinks: true },
  { title: 'BEFORE → AFTER', cell: changeOf, shrinks: true },
  { title: 'FROM', cell: (row) => row.from ?? '' },
  { title: 'THROUGH', cell: (row) => row.via },
  { title: 'ENTRY', cell: (row) => String(row.index), right: true },
];

/** The first change; how many more there are. */
function changeOf({ changes, more = 0 }: AuditRow): string {
  const [first, ...others] = changes;
  if (!first) return '';
  const { what, before, after } = first;
  const known = before !== undefined && after !== undefined ? `${before} → ${after}` : (after ?? before);
  const rest = others.length + more;
  return `${what}${known === undefined ? '' : `: ${known}`}${rest > 0 ? ` (+${rest})` : ''}`;
}

// ---------------------------------------------------------------- options

function filterOf({ who, act, subject, via, text, since, until }: AuditOptions, now: number): Filter {
  const given = { who, act, subject, via, text, since: momentOf(since, now), until: momentOf(until, now) };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Filter;
}

/** `2026-03-01`, `2026-03-01 10:22` in local time, ISO 8601, or how long ago: `30min`, `2h`, `7d`. */
export function momentOf(text: string | undefined, now: number): string | undefined {
  if (text === undefined) return undefined;
  const ago = /^(\d{1,6})\s*(min|h|d)$/.exec(text);
  if (ago) return new Date(now - Number(ago[1]) * unitMs[ago[2]!]!).toISOString();
  const local = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00` : text.replace(' ', 'T');
  const at = /^\d{4}-\d\d-\d\dT/.test(local) ? Date.parse(local) : Number.NaN;
  if (Number.isNaN(at))
    throw misused(`"${text}" is no time.`, 'Write 2026-03-01, 2026-03-01T10:22, or how long ago: 30min, 2h, 7d.');
  return new Date(at).toISOString();
}

function formatOf(file: string): 'csv' | 'jsonl' {
  if (file.endsWith('.csv')) return 'csv';
  if (file.endsWith('.jsonl')) return 'jsonl';
  throw misused(`What should ${file} be?`, 'Name it FILE.csv for a spreadsheet, or FILE.jsonl for lines of JSON.');
}

// ----------------------------------------------------------------- export

async function exportTo(
  context: Context,
  client: NodeClient,
  file: string,
  query: Query<'auditExport'>,
): Promise<number> {
  const { body } = await client.open('auditExport', { query });
  const partial = `${file}.part-${randomBytes(4).toString('hex')}`;
  const here = (fault: unknown): Promise<never> =>
    Promise.reject(fault instanceof Failure ? fault : fileFailure(file, fault));
  const handle = await open(partial, 'wx', 0o600).catch(here);
  try {
    const bytes = await writeAll(client, body as AsyncIterable<Buffer>, handle, here);
    await handle.sync().catch(here);
    await handle.close().catch(here);
    await rename(partial, file).catch(here);
    if (context.json) context.document({ file, bytes });
    else context.say(`${plain(file)}: ${sizeInWords(bytes)}.`);
    return exitCodes.ok.code;
  } catch (fault) {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw fault;
  }
}

async function writeAll(
  client: NodeClient,
  body: AsyncIterable<Buffer>,
  handle: FileHandle,
  here: (fault: unknown) => Promise<never>,
): Promise<number> {
  const { connectionFailure } = await import('./client.ts');
  const parts = body[Symbol.asyncIterator]();
  for (let bytes = 0; ; ) {
    const part = await parts.next().catch((fault) => Promise.reject(connectionFailure(client, fault)));
    if (part.done) return bytes;
    await handle.writeFile(part.value).catch(here);
    bytes += part.value.length;
  }
}
