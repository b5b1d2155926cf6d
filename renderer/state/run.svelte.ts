/**
 * One run with its tasks, kept live.
 *
 * An answer of the node can be older than an event that overtook it: when one
 * came while the run was read, it is read again, so the newest is shown last.
 */
import type { Run, Task } from '../../node-runtime/contract/model.ts';
import type { BodyOf } from '../../node-runtime/contract/routes.ts';
import { call, type Failure } from '../api.ts';
import { live } from './live.svelte.ts';

/** A run whose tasks change all the time is read no oftener than this in a row. */
const readsMax = 4;

class RunState {
  id = $state('');
  run = $state.raw<Run | null>(null);
  failure = $state.raw<Failure | null>(null);
  private heard = 0;

  constructor() {
    live.on('run', ({ run }) => {
      if (run.id !== this.id) return;
      this.heard++;
      if (this.run) this.run = { ...this.run, ...run };
    });
    live.on('task', ({ run, task }) => {
      if (run !== this.id) return;
      this.heard++;
      this.take(task);
    });
    live.on('reset', () => {
      if (this.id) void this.read();
    });
  }
  show(id: string): void {
    if (id === this.id && this.run) return;
    this.id = id;
    this.run = null;
    this.failure = null;
    void this.read();
  }
  async read(): Promise<void> {
    const run = this.id;
    try {
      for (let again = 0; again < readsMax; again++) {
        const { heard } = this;
        const answer = await call('run', { params: { run } });
        if (run !== this.id) return;
        this.run = answer;
        this.failure = null;
        if (heard === this.heard) return;
      }
    } catch (cause) {
      if (run === this.id) this.failure = cause as Failure;
    }
  }
  async cancel(): Promise<void> {
    await call('cancel', { params: { run: this.id } });
    await this.read();
  }
  async decide(task: string, decision: BodyOf<'decideTask'>['decision']): Promise<void> {
    await call('decideTask', { params: { run: this.id, task }, body: { decision } });
    await this.read();
  }
  private take(task: Task): void {
    if (!this.run) return;
    const at = this.run.tasks.findIndex((one) => one.id === task.id);
    this.run = { ...this.run, tasks: at < 0 ? [...this.run.tasks, task] : this.run.tasks.with(at, task) };
  }
}

export const shownRun = new RunState();
export const isOver = (state: string): boolean =>
  ['succeeded', 'failed', 'cancelled', 'unknown', 'skipped'].includes(state);
