/**
 * What follows from the state by itself: tasks that will never run are
 * skipped, runs whose tasks have all ended end, tasks that may start are
 * placed on workers.
 *
 * Fair: the oldest run goes first. Balanced: the worker with the largest free
 * part of its slots is taken. A worker never gets more attempts than it has
 * slots. Looks only at runs that changed and at the head of the queue.
 *
 * The facts hold for the state as it is: apply them (or drop them) before the
 * next call, and call again until nothing follows.
 */
import type { Fact } from '../../contract/facts.ts';
import type { RunState } from '../../contract/model.ts';
import { longestDelayMs } from './decide.ts';
import { orderProblem } from './order.ts';
import { copyProgress, noteEnded, type Progress } from './progress.ts';
import { lastAttempt, type RunRecord } from './record.ts';
import { isDelayed, type Jobs, type Queued } from './state.ts';

export type Worker = {
  node: string;
  /** How people call it; goes into the fact, for the history. */
  name?: string;
  slots: number;
  /** False while it is drained or unreachable: it keeps what it has and gets nothing new. */
  taking: boolean;
};

/** Keeps one call short; what is left follows in the next. */
const FACTS_MAX = 1_000;

/** @param launchedAfter after a confirmed loss only runs of later entries are placed, until all workers are read (P31) */
export function advance(
  jobs: Jobs,
  { now, workers, launchedAfter = 0 }: { now: number; workers: Worker[]; launchedAfter?: number },
): Fact[] {
  const facts: Fact[] = [];
  for (const run of unsettledRuns(jobs)) {
    if (facts.length >= FACTS_MAX) return facts;
    settle(run, jobs.progress.get(run.id)!, facts);
  }
  promoteDue(jobs, now);
  place(jobs, now, workers, launchedAfter, facts);
  return facts;
}

/** When `advance` has to be called again although nothing happened: the next retry. Null: never. */
export function nextWakeAt(jobs: Jobs): number | null {
  for (let next = jobs.delayed.peek(); next; next = jobs.delayed.peek()) {
    if (isDelayed(jobs, next)) return next.at;
    jobs.delayed.pop();
  }
  return null;
}

// ---------------------------------------------------------------- settling

/** Oldest first: the same after a restart, when the indexes are made anew. */
const unsettledRuns = (jobs: Jobs): RunRecord[] =>
  [...jobs.unsettled].map((id) => jobs.runs.get(id)!).sort((a, b) => a.order - b.order);

/** Skips what is doomed, then what is doomed by that, and ends the run if nothing is left. */
function settle(run: RunRecord, now: Progress, facts: Fact[]): void {
  const progress = copyProgress(now);
  progress.dooms = new Map([...now.dooms].sort(([a], [b]) => a - b));
  for (const [index, doom] of progress.dooms) {
    facts.push({ kind: 'taskSkipped', run: run.id, task: run.plan.tasks[index]!.id, ...doom });
    noteEnded(run, progress, index, doom.state); // may doom others: the loop goes on with them
  }
  if (progress.open === 0) facts.push({ kind: 'runEnded', run: run.id, ...outcomeOf(run, progress) });
}

/** What cannot be known comes first: a person has to look. Then failures, then a cancel that had an effect. */
function outcomeOf(run: RunRecord, { outcomes }: Progress): { state: RunState; reason?: string } {
  const unknown = outcomes.indexOf('unknown');
  if (unknown >= 0) {
    const where = lastAttempt(run.tasks[unknown]!)?.end?.detail;
    return {
      state: 'unknown',
      reason: `What became of ${run.plan.tasks[unknown]!.id} cannot be known${where ? `: ${where}` : '.'}`,
    };
  }
  const failed = outcomes.findIndex(
    (outcome, index) => outcome === 'failed' && !run.plan.tasks[index]!.continueOnError,
  );
  if (failed >= 0) return { state: 'failed', reason: `${run.plan.tasks[failed]!.id} ${whyFailed(run, failed)}` };
  if (outcomes.includes('cancelled')) return { state: 'cancelled', reason: 'The run was cancelled.' };
  return { state: 'succeeded' };
}

export function whyFailed(run: RunRecord, index: number): string {
  const task = run.tasks[index]!;
  const end = lastAttempt(task)?.end;
  if (!end) return `failed: ${task.reason ?? 'for a reason that was not given.'}`;
  const tries = task.attempts.length > 1 ? ` in each of ${task.attempts.length} attempts` : '';
  switch (end.cause) {
    case 'exit':
      return tries === ''
        ? `ended with exit code ${end.exitCode}.`
        : `failed${tries}, at last with exit code ${end.exitCode}.`;
    case 'signal':
      return `was ended by ${end.signal ?? 'a signal'}${tries}.`;
    case 'timeout':
      return `took too long${tries}.`;
    case 'cannot_start':
      return `could not be started${end.detail ? `: ${end.detail}` : '.'}`;
    default:
      return `failed${tries}.`;
  }
}

// ----------------------------------------------------------------- placing

/** Tasks whose delay is over go to the queue of those that may start. */
/** A clock that was ahead when the delay began must not make it longer than it can be (S35). */
function isDue(jobs: Jobs, { run, task }: Queued, now: number): boolean {
  const record = jobs.runs.get(run)!;
  const retryAt = record.tasks[task]!.retryAt!;
  return retryAt <= now || retryAt - now > longestDelayMs(record.plan.tasks[task]!);
}

/** Once a second is often enough: looks at all that waits, which `promoteDue` does not. */
export function promoteOverdue(jobs: Jobs, now: number): void {
  for (const entry of jobs.delayed.all()) if (isDelayed(jobs, entry) && isDue(jobs, entry, now)) jobs.ready.push(entry);
}

function promoteDue(jobs: Jobs, now: number): void {
  for (let next = jobs.delayed.peek(); next && next.at <= now; next = jobs.delayed.peek()) {
    jobs.delayed.pop();
    if (isDelayed(jobs, next)) jobs.ready.push(next);
  }
}

function place(jobs: Jobs, now: number, workers: Worker[], launchedAfter: number, facts: Fact[]): void {
  const free = workers
    .filter((worker) => worker.taking)
    .map(({ node, name, slots }) => ({ node, name, slots, used: jobs.placed.get(node)?.size ?? 0 }))
    .filter(({ slots, used }) => used < slots);
  const taken: Queued[] = [];
  while (free.length > 0 && facts.length < FACTS_MAX) {
    const next = nextReady(jobs, now);
    if (!next) break;
    jobs.ready.pop();
    const last = taken.at(-1);
    if (last?.run === next.run && last.task === next.task) continue; // queued twice: equal entries come together
    taken.push(next);
    if (next.order <= launchedAfter) continue;
    const run = jobs.runs.get(next.run)!;
    const only = run.plan.node;
    const fit = only === undefined ? free : free.filter((one) => one.node === only);
    const problem = orderProblem(run, jobs.progress.get(next.run)!, next.task);
    if (problem !== null) facts.push(hopeless(jobs, next, problem));
    else if (fit.length > 0) facts.push(placement(jobs, next, fit, free));
  }
  // Until the facts are applied these tasks are queued as before: the caller may drop the facts.
  for (const entry of taken) jobs.ready.push(entry);
}

/** The head of the queue, void entries dropped on the way. */
function nextReady(jobs: Jobs, now: number): Queued | undefined {
  for (let next = jobs.ready.peek(); next; next = jobs.ready.peek()) {
    const phase = jobs.progress.get(next.run)?.phases[next.task];
    if (phase === 'ready') return next;
    const retryAt = jobs.runs.get(next.run)?.tasks[next.task]?.retryAt;
    if (phase === 'delayed' && isDue(jobs, next, now)) return next;
    jobs.ready.pop();
    // The clock went back (another active): its time is still to come.
    if (phase === 'delayed') jobs.delayed.push({ ...next, at: retryAt! });
  }
  return undefined;
}

type Free = { node: string; name: string | undefined; slots: number; used: number };

function placement(jobs: Jobs, next: Queued, fit: Free[], free: Free[]): Fact {
  let best = fit[0]!;
  for (const one of fit) {
    const difference = one.used / one.slots - best.used / best.slots;
    if (difference < 0 || (difference === 0 && one.node < best.node)) best = one;
  }
  best.used++;
  if (best.used >= best.slots) free.splice(free.indexOf(best), 1);
  const run = jobs.runs.get(next.run)!;
  const number = run.tasks[next.task]!.attempts.length + 1;
  const named = best.name === undefined ? {} : { nodeName: best.name };
  return { kind: 'attemptPlaced', run: run.id, task: run.plan.tasks[next.task]!.id, number, node: best.node, ...named };
}

function hopeless(jobs: Jobs, next: Queued, reason: string): Fact {
  const task = jobs.runs.get(next.run)!.plan.tasks[next.task]!.id;
  return { kind: 'taskSkipped', run: next.run, task, state: 'failed', reason };
}
