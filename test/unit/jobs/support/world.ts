/**
 * An active controller reduced to its runs, and workers that only exist in
 * the test. Facts become entries and are applied at once; every entry is kept,
 * so that a test can replay them.
 */
import type { AttemptEnd, Entry, Fact, Plan, TaskPlan } from '../../../../node-runtime/contract/facts.ts';
import * as core from '../../../../node-runtime/core/jobs/jobs.ts';
import type { ParameterValues } from '../../../../node-runtime/core/jobs/parameters.ts';

const term = { era: 0, number: 4, node: 'n-a' };
export const startOfTime = Date.UTC(2024, 4, 1, 8);

export const task = (id: string, more: Partial<TaskPlan> = {}): TaskPlan => ({
  id,
  name: id,
  needs: [],
  finally: false,
  run: { shell: `echo ${id}` },
  environment: {},
  workingDirectory: '',
  timeoutMs: null,
  attemptsMax: 1,
  retryDelayMs: 0,
  retryBackoff: 1,
  continueOnError: false,
  ...more,
});

export const planWith = (...tasks: TaskPlan[]): Plan => ({ name: 'nightly', format: 'job', tasks });

export const ended = (state: AttemptEnd['state'], more: Partial<AttemptEnd> = {}): AttemptEnd => ({
  at: startOfTime,
  state,
  cause: state === 'unknown' ? 'lost' : state === 'cancelled' ? 'cancelled' : 'exit',
  ...(state === 'succeeded' ? { exitCode: 0 } : state === 'failed' ? { exitCode: 3 } : {}),
  outputBytes: 0,
  outputCut: false,
  ...more,
});

export class World {
  jobs = core.emptyJobs();
  entries: Entry[] = [];
  now = startOfTime;
  workers: core.Worker[];

  constructor(workers: core.Worker[] = [{ node: 'n-a', slots: 4, taking: true }]) {
    this.workers = workers;
  }

  /** @returns the facts that changed something */
  apply(facts: Fact[]): Fact[] {
    return facts.filter((fact) => {
      const entry: Entry = { term, index: this.entries.length + 1, at: this.now, by: 'user:ops', via: 'n-a', fact };
      this.entries.push(entry);
      return core.applyToJobs(this.jobs, entry).length > 0;
    });
  }

  launch(plan: Plan, parameters: ParameterValues = {}, run = `r-${this.entries.length}`): string {
    const decision = core.decideLaunch(this.jobs, {
      run,
      sandbox: 'ingest',
      path: 'nightly.job.yaml',
      revision: 7,
      parameters,
      plan,
    });
    if ('code' in decision) throw new Error(decision.detail);
    this.apply(decision.facts);
    return run;
  }

  /** Advances until nothing follows. */
  settle(): Fact[] {
    const all: Fact[] = [];
    for (let rounds = 0; ; rounds++) {
      const facts = core.advance(this.jobs, { now: this.now, workers: this.workers });
      if (facts.length === 0) return all;
      if (rounds > 2_000) throw new Error('it never settles');
      all.push(...this.apply(facts));
    }
  }

  /** Ends the open attempt of a task and lets follow what follows. */
  end(run: string, id: string, end: AttemptEnd): Fact[] {
    const live = core.liveAttempts(this.jobs, run).find((one) => one.task === id);
    if (!live) throw new Error(`${id} does not run`);
    const facts = this.apply(core.decideEnded(this.jobs, live, end, this.now, 0));
    return [...facts, ...this.settle()];
  }

  cancel(run: string): Fact[] {
    const decision = core.decideCancel(this.jobs, run);
    if ('code' in decision) throw new Error(decision.detail);
    return [...this.apply(decision.facts), ...this.settle()];
  }

  running(run: string): string[] {
    return core.liveAttempts(this.jobs, run).map((one) => one.task);
  }

  /** task → state, and the run's own under its name. */
  states(run: string): Record<string, string> {
    const view = core.runOf(this.jobs, run)!;
    return Object.fromEntries([['run', view.state], ...view.tasks.map((one) => [one.id, one.state])]);
  }

  reload(): void {
    this.jobs = core.loadJobs(JSON.parse(JSON.stringify(core.saveJobs(this.jobs))));
  }
}
