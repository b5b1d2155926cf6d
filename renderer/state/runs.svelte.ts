/** The history of runs under a filter, page by page, kept live. */
import type { RunSummary } from '../../node-runtime/contract/model.ts';
import { call, type Failure } from '../api.ts';
import { live } from './live.svelte.ts';

export type RunFilter = {
  state?: string | undefined;
  sandbox?: string | undefined;
  path?: string | undefined;
  text?: string | undefined;
};
const pageRuns = 200;

/** The same question the node answers, so that a live run is shown only where it belongs. */
export function fitsFilter(run: RunSummary, filter: RunFilter): boolean {
  if (filter.state && !filter.state.split(',').includes(run.state)) return false;
  if (filter.sandbox && run.sandbox !== filter.sandbox) return false;
  if (filter.path && run.path !== filter.path) return false;
  const text = filter.text?.toLowerCase();
  return !text || `${run.id} ${run.name} ${run.sandbox}/${run.path} ${run.by}`.toLowerCase().includes(text);
}

class RunsState {
  runs = $state.raw<RunSummary[]>([]);
  phase = $state<'reading' | 'ready' | 'failed'>('reading');
  failure = $state.raw<Failure | null>(null);
  more = $state(false);
  private filter: RunFilter = {};
  private cursor: string | undefined;
  private turn = 0;
  /** Runs that changed while the list was read: its answer may be older than they are. */
  private meanwhile: RunSummary[] = [];

  constructor() {
    live.on('run', ({ run }) => {
      if (this.phase === 'reading') this.meanwhile.push(run);
      this.take(run);
    });
    live.on('reset', () => void this.read());
  }

  show(filter: RunFilter): void {
    this.filter = filter;
    this.phase = 'reading';
    void this.read();
  }
  async read(): Promise<void> {
    const turn = ++this.turn;
    this.meanwhile = [];
    try {
      const answer = await call('runs', { query: { ...this.filter, limit: pageRuns } });
      if (turn !== this.turn) return;
      this.runs = answer.runs;
      this.cursor = answer.cursor;
      this.more = answer.cursor !== undefined;
      this.phase = 'ready';
      this.failure = null;
      for (const run of this.meanwhile.splice(0)) this.take(run);
    } catch (cause) {
      if (turn !== this.turn) return;
      this.failure = cause as Failure;
      this.phase = 'failed';
    }
  }
  async readMore(): Promise<void> {
    const cursor = this.cursor;
    if (!cursor || this.phase !== 'ready') return;
    this.cursor = undefined;
    const turn = this.turn;
    const answer = await call('runs', { query: { ...this.filter, cursor, limit: pageRuns } }).catch(() => null);
    if (turn !== this.turn) return;
    if (!answer) {
      this.cursor = cursor;
      return;
    }
    const have = new Set(this.runs.map((run) => run.id));
    this.runs = this.runs.concat(answer.runs.filter((run) => !have.has(run.id)));
    this.cursor = answer.cursor;
    this.more = answer.cursor !== undefined;
  }
  private take(run: RunSummary): void {
    const at = this.runs.findIndex((one) => one.id === run.id);
    const fits = fitsFilter(run, this.filter);
    if (at >= 0) this.runs = fits ? this.runs.with(at, run) : this.runs.toSpliced(at, 1);
    else if (fits && (this.runs.length === 0 || run.launchedAt >= this.runs[0]!.launchedAt))
      this.runs = [run, ...this.runs];
  }
}

export const runs = new RunsState();
