/**
 * The face of the jobs part: what the rest of the core may use of it.
 *
 * Decide, apply and advance each have a file; questions about runs by id are
 * answered here. Whoever asks for a run that is no longer in memory gets null
 * and looks into the history.
 */
import type { Run, RunSummary, Task } from '../../contract/model.ts';
import { isCancelled } from './progress.ts';
import { openAttempt, type RunRecord } from './record.ts';
import { secretsNamedIn } from './secret-names.ts';
import type { AttemptName, Jobs } from './state.ts';
import { runView, summaryView, taskView } from './views.ts';

export { advance, nextWakeAt, promoteOverdue, type Worker } from './advance.ts';
export { applyToJobs } from './apply.ts';
export {
  decideCancel,
  decideDecision,
  decideEnded,
  decideLaunch,
  decideLost,
  decideStarted,
  isLeased,
} from './decide.ts';
export { type AttemptOrder, orderFor } from './order.ts';
export { secretsNamedIn } from './secret-names.ts';
export { emptyJobs, type Jobs, loadJobs, saveJobs } from './state.ts';

// ------------------------------------------------------------------- views

export function runOf(jobs: Jobs, id: string): Run | null {
  const run = jobs.runs.get(id);
  return run ? runView(run) : null;
}

export function summaryOf(jobs: Jobs, id: string): RunSummary | null {
  const run = jobs.runs.get(id);
  return run ? summaryView(run) : null;
}

export function taskOf(jobs: Jobs, id: string, task: string): Task | null {
  const run = jobs.runs.get(id);
  const index = run ? run.plan.tasks.findIndex((one) => one.id === task) : -1;
  return run && index >= 0 ? taskView(run, index) : null;
}

/** Of all runs in memory: those that have not ended, and the newest that have. */
export const summaries = (jobs: Jobs): RunSummary[] => [...jobs.runs.values()].map(summaryView);

/** Ended runs still in memory, in the order of their ends. */
export const endedRuns = (jobs: Jobs): Run[] => jobs.ended.map((id) => runView(jobs.runs.get(id)!));

export function countsOf(jobs: Jobs): { running: number; waiting: number; unfinishedSince(ms: number): number } {
  return {
    running: jobs.running,
    waiting: jobs.progress.size - jobs.running,
    unfinishedSince: (ms) => [...jobs.progress.keys()].filter((id) => jobs.runs.get(id)!.launchedAt >= ms).length,
  };
}

/** As {@link countsOf} and {@link countLost}, of the runs of some sandboxes only. */
export function countsIn(jobs: Jobs, isCounted: (sandbox: string) => boolean) {
  const unfinished = [...jobs.progress.keys()].map((id) => jobs.runs.get(id)!).filter((run) => isCounted(run.sandbox));
  const running = unfinished.filter((run) => run.tasks.some((task) => openAttempt(task)));
  return {
    running: running.length,
    waiting: unfinished.length - running.length,
    unfinishedSince: (ms: number) => unfinished.filter((run) => run.launchedAt >= ms).length,
    lost: running.reduce((sum, run) => sum + run.tasks.filter((task) => openAttempt(task)?.lost).length, 0),
  };
}

export const sandboxOfRun = (jobs: Jobs, id: string): string | null => jobs.runs.get(id)?.sandbox ?? null;

/** Is there an unfinished run of this sandbox? */
export const usesSandbox = (jobs: Jobs, sandbox: string): boolean => jobs.uses.has(sandbox);

/** Unfinished runs whose plan names each secret: name → run ids, oldest first. */
export function runsBySecret(jobs: Jobs): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const id of jobs.progress.keys())
    for (const name of secretsNamedIn(jobs.runs.get(id)!.plan)) found.set(name, [...(found.get(name) ?? []), id]);
  return found;
}

/** What an attempt is to be given, where it is placed on that node and has not ended; null where it is not. */
export function secretsOfAttempt(jobs: Jobs, node: string, name: AttemptName): Record<string, string> | null {
  if (!isLive(jobs, name) || nodeOfAttempt(jobs, name) !== node) return null;
  return jobs.runs.get(name.run)!.plan.tasks.find((one) => one.id === name.task)?.secrets ?? {};
}

// ---------------------------------------------------------------- attempts

/** Where an attempt is or was; null when it is not known. */
export function nodeOfAttempt(jobs: Jobs, { run: id, task, number }: AttemptName): string | null {
  const run = jobs.runs.get(id);
  const index = run ? run.plan.tasks.findIndex((one) => one.id === task) : -1;
  return run?.tasks[index]?.attempts[number - 1]?.node ?? null;
}

/** The term in which an attempt was placed, as `termText`; null when it is not known. */
export function termOfAttempt(jobs: Jobs, { run: id, task, number }: AttemptName): string | null {
  const run = jobs.runs.get(id);
  const index = run ? run.plan.tasks.findIndex((one) => one.id === task) : -1;
  return run?.tasks[index]?.attempts[number - 1]?.term ?? null;
}

/** Placed and not ended. */
export function isLive(jobs: Jobs, { run: id, task, number }: AttemptName): boolean {
  const index = jobs.progress.get(id)?.shape.indexOf.get(task);
  return index !== undefined && openAttempt(jobs.runs.get(id)!.tasks[index]!)?.number === number;
}

type Placed = AttemptName & { node: string };

/** Attempts of a run that were placed and have not ended. */
export const liveAttempts = (jobs: Jobs, id: string): Placed[] => openOf(jobs, id, () => true);

/** Those of them that a cancel wants stopped: tasks of finally go on, unless it was asked for again while they ran. */
export const attemptsToStop = (jobs: Jobs, id: string): Placed[] => openOf(jobs, id, isCancelled);

function openOf(jobs: Jobs, id: string, wanted: (run: RunRecord, index: number) => boolean): Placed[] {
  const run = jobs.runs.get(id);
  if (!run || run.end) return [];
  return run.tasks.flatMap((task, index) => {
    const open = openAttempt(task);
    if (!open || !wanted(run, index)) return [];
    return [{ run: id, task: run.plan.tasks[index]!.id, number: open.number, node: open.node }];
  });
}

/** Attempts placed on a node that have not ended. */
/** Attempts whose worker is silent for too long. */
export const countLost = (jobs: Jobs): number =>
  [...jobs.placed.values()].reduce(
    (sum, there) => sum + [...there.values()].filter((name) => isLost(jobs, name)).length,
    0,
  );

function isLost(jobs: Jobs, { run, task }: AttemptName): boolean {
  const index = jobs.progress.get(run)?.shape.indexOf.get(task);
  return index !== undefined && openAttempt(jobs.runs.get(run)!.tasks[index]!)?.lost === true;
}

export const attemptsOn = (jobs: Jobs, node: string): AttemptName[] => [...(jobs.placed.get(node)?.values() ?? [])];

/** All nodes on which attempts of a run were placed. */
export const nodesOf = (jobs: Jobs, id: string): string[] => [
  ...new Set(jobs.runs.get(id)?.tasks.flatMap((task) => task.attempts.map((attempt) => attempt.node)) ?? []),
];

/** Is there an attempt on a node that was placed before `before` (ms) and of whose start nothing was heard? */
export function unstartedOn(jobs: Jobs, node: string, before: number): boolean {
  for (const { run, task } of jobs.placed.get(node)?.values() ?? []) {
    const index = jobs.progress.get(run)?.shape.indexOf.get(task);
    const open = index === undefined ? undefined : openAttempt(jobs.runs.get(run)!.tasks[index]!);
    // Far ahead means that the clock was set back since: then it is owed, too.
    const isLong = open && (open.placedAt < before || open.placedAt - before > 60_000);
    if (isLong && open.startedAt === undefined) return true;
  }
  return false;
}
