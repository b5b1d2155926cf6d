/**
 * Who did what, under a filter, page by page, kept live while its screen is
 * shown.
 *
 * New rows come when the node says that something was done. While somebody
 * reads further down they wait, counted, so that nothing moves under the eyes.
 */
import type { AuditRow } from '../../node-runtime/contract/model.ts';
import { call, type Failure, urlOf } from '../api.ts';
import { live } from './live.svelte.ts';
import { session } from './session.svelte.ts';

export type AuditFilter = {
  act?: string | undefined;
  who?: string | undefined;
  subject?: string | undefined;
  via?: string | undefined;
  text?: string | undefined;
  /** How far back, one of {@link periods}. */
  since?: string | undefined;
};
export const periods: Record<string, { label: string; ms: number }> = {
  '1h': { label: 'Last hour', ms: 3_600_000 },
  '1d': { label: 'Last 24 hours', ms: 86_400_000 },
  '7d': { label: 'Last 7 days', ms: 7 * 86_400_000 },
  '30d': { label: 'Last 30 days', ms: 30 * 86_400_000 },
};
const pageRows = 200;
const settleMs = 300;

function queryOf({ since, ...filter }: AuditFilter) {
  const ms = periods[since ?? '']?.ms;
  return { ...filter, ...(ms === undefined ? {} : { since: new Date(Date.now() - ms).toISOString() }) };
}

class AuditState {
  rows = $state.raw<AuditRow[]>([]);
  /** Newer than what is shown: shown when the reader is at the top, or asks for them. */
  waiting = $state.raw<AuditRow[]>([]);
  gaps = $state.raw<{ from: number; to: number }[]>([]);
  phase = $state<'reading' | 'ready' | 'failed'>('reading');
  failure = $state.raw<Failure | null>(null);
  more = $state(false);
  /** Somebody reads further down. */
  isAway = false;
  private filter = $state.raw<AuditFilter>({});
  /** What is shown fits another filter still. */
  private isOther = false;
  private cursor: string | undefined;
  private turn = 0;
  private shown = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    live.on('audited', () => this.readSoon());
    live.on('reset', () => {
      if (this.shown) void this.read();
    });
  }

  show(filter: AuditFilter): void {
    this.shown = true;
    this.filter = filter;
    this.isOther = true;
    this.phase = 'reading';
    void this.read();
  }
  leave(): void {
    this.shown = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.turn++;
  }
  exportUrl(format: 'csv' | 'jsonl'): string {
    return urlOf('auditExport', { query: { ...queryOf(this.filter), format } });
  }

  async read(): Promise<void> {
    if (session.mayNotAdminister) return;
    const turn = ++this.turn;
    try {
      const answer = await call('audit', { query: { ...queryOf(this.filter), limit: pageRows } });
      if (turn !== this.turn) return;
      this.rows = answer.rows;
      this.isOther = false;
      this.waiting = [];
      this.gaps = answer.gaps;
      this.cursor = answer.cursor;
      this.more = answer.cursor !== undefined;
      this.phase = 'ready';
      this.failure = null;
    } catch (cause) {
      if (turn !== this.turn) return;
      if (this.isOther) this.rows = [];
      this.failure = cause as Failure;
      this.phase = 'failed';
    }
  }
  async readMore(): Promise<void> {
    const cursor = this.cursor;
    if (!cursor || this.phase !== 'ready') return;
    this.cursor = undefined;
    const turn = this.turn;
    const answer = await call('audit', { query: { ...queryOf(this.filter), cursor, limit: pageRows } }).catch(
      () => null,
    );
    if (turn !== this.turn) return;
    if (!answer) {
      this.cursor = cursor;
      return;
    }
    this.rows = this.rows.concat(answer.rows);
    this.cursor = answer.cursor;
    this.more = answer.cursor !== undefined;
  }
  showWaiting(): void {
    this.rows = [...this.waiting, ...this.rows];
    this.waiting = [];
  }

  /** Much may be done in one moment: one reading for all of it. */
  private readSoon(): void {
    if (!this.shown || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.readNew();
    }, settleMs);
  }
  private async readNew(): Promise<void> {
    if (this.phase !== 'ready' || session.mayNotAdminister) return;
    const turn = this.turn;
    const answer = await call('audit', { query: { ...queryOf(this.filter), limit: pageRows } }).catch(() => null);
    // A failed reading is left to the next news, or to the stream that comes back.
    if (!answer || turn !== this.turn) return;
    const newest = this.waiting[0]?.index ?? this.rows[0]?.index ?? 0;
    const fresh = answer.rows.filter(({ index }) => index > newest);
    this.gaps = answer.gaps;
    // More than a page came at once: what lies between is not known here.
    if (fresh.length === pageRows) return void this.read();
    this.waiting = [...fresh, ...this.waiting];
    if (!this.isAway) this.showWaiting();
  }
}

export const audit = new AuditState();
