/** One run with its tasks, kept live. */
import type { Run, Task } from '../../node-runtime/contract/model.ts';
import { call, type Failure } from '../api.ts';
import { live } from './live.svelte.ts';

class RunState {
  id = $state('');
  run = $state.raw<Run | null>(null);
  failure = $state.raw<Failure | null>(null);

  constructor() {
    live.on('run', ({ run }) => {
      if (run.id === this.id && this.run) this.run = { ...this.run, ...run };
    });
    live.on('task', ({ run, task }) => {
      if (run === this.id) this.take(task);
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
      const answer = await call('run', { params: { run } });
      if (run === this.id) this.run = answer;
    } catch (cause) {
      if (run === this.id) this.failure = cause as Failure;
    }
  }
  async cancel(): Promise<void> {
    this.run = await call('cancel', { params: { run: this.id } });
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
