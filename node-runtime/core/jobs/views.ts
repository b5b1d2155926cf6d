/**
 * Runs as people and programs see them, made from records. Nothing is decided
 * here; states that are not facts (queued, waiting) are read from what is.
 */
import type { Attempt, Run, RunState, RunSummary, Task, TaskState } from '../../contract/model.ts';
import { type AttemptRecord, lastAttempt, openAttempt, type RunRecord, type TaskRecord } from './record.ts';
import { secretNames } from './secret-names.ts';

const time = (ms: number): string => new Date(ms).toISOString();
/** Leaves out what is not there: absent is not the same as undefined here. */
const present = <T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;

export function summaryView(run: RunRecord): RunSummary {
  return {
    id: run.id,
    sandbox: run.sandbox,
    path: run.path,
    name: run.plan.name,
    state: stateOf(run),
    launchedAt: time(run.launchedAt),
    by: run.by,
    nodes: [...new Set(run.tasks.flatMap((task) => task.attempts.map((attempt) => attempt.nodeName ?? attempt.node)))],
    tasksTotal: run.tasks.length,
    tasksEnded: run.tasks.filter((task) => task.ended !== undefined).length,
    ...present({
      startedAt: run.startedAt === undefined ? undefined : time(run.startedAt),
      endedAt: run.end && time(run.end.at),
      exitCode: decidingExitCode(run),
      reason: run.end ? run.end.reason : run.cancelled ? 'It is being cancelled.' : undefined,
    }),
  };
}

export function runView(run: RunRecord): Run {
  return {
    ...summaryView(run),
    ...present({ revision: run.revision }),
    parameters: run.parameters,
    term: run.term,
    via: run.via,
    tasks: run.tasks.map((_, index) => taskView(run, index)),
  };
}

/** queued: nothing has been placed yet. waiting: for a slot, a delay, or both. */
function stateOf(run: RunRecord): RunState {
  if (run.end) return run.end.state;
  if (run.tasks.some((task) => openAttempt(task))) return 'running';
  return run.tasks.some((task) => task.attempts.length > 0) ? 'waiting' : 'queued';
}

/** Of the first task that failed the run; of the last one to end when none did. */
function decidingExitCode(run: RunRecord): number | undefined {
  if (!run.end) return undefined;
  const failed = run.tasks.findIndex(
    (task, index) => task.ended === 'failed' && !run.plan.tasks[index]!.continueOnError,
  );
  if (failed >= 0) return lastAttempt(run.tasks[failed]!)?.end?.exitCode;
  const ends = run.tasks.flatMap((task) => lastAttempt(task)?.end ?? []);
  return ends.sort((a, b) => b.at - a.at)[0]?.exitCode;
}

// ------------------------------------------------------------------- tasks

export function taskView(run: RunRecord, index: number): Task {
  const plan = run.plan.tasks[index]!;
  const task = run.tasks[index]!;
  const state = taskState(run, index);
  return {
    id: plan.id,
    name: plan.name,
    state,
    needs: plan.needs,
    finally: plan.finally,
    continueOnError: plan.continueOnError,
    attemptsMax: plan.attemptsMax,
    attempts: task.attempts.map(attemptView),
    ...present({
      condition: plan.condition,
      secrets: plan.secrets && secretNames(plan.secrets),
      nextAttemptAt: task.retryAt === undefined ? undefined : time(task.retryAt),
      reason: reasonOf(run, index, state),
    }),
  };
}

function taskState(run: RunRecord, index: number): TaskState {
  const task = run.tasks[index]!;
  if (task.ended) return task.ended;
  const open = openAttempt(task);
  if (open) return open.lost ? 'unknown' : 'running';
  return task.retryAt !== undefined || openBefore(run, index).length > 0 ? 'waiting' : 'queued';
}

/** Ids of the tasks that have to end before this one. */
function openBefore(run: RunRecord, index: number): string[] {
  const plan = run.plan.tasks[index]!;
  const needs = new Set(plan.needs);
  const isBefore = (other: { id: string; finally: boolean }) => needs.has(other.id) || (plan.finally && !other.finally);
  return run.plan.tasks.flatMap((other, at) => (isBefore(other) && !run.tasks[at]!.ended ? [other.id] : []));
}

function reasonOf(run: RunRecord, index: number, state: TaskState): string | undefined {
  const task = run.tasks[index]!;
  switch (state) {
    case 'waiting': {
      if (task.retryAt !== undefined) return 'The last attempt failed; it waits for the next one.';
      const before = openBefore(run, index);
      return before.length > 3 ? `It waits for ${before.length} tasks.` : `It waits for ${before.join(', ')}.`;
    }
    case 'queued':
      return 'It waits for a free slot on a worker.';
    case 'failed':
      return task.reason ?? failedReason(task);
    case 'unknown':
      return (
        lastAttempt(task)?.end?.detail ??
        (openAttempt(task)
          ? `${lastAttempt(task)!.nodeName ?? lastAttempt(task)!.node} is silent: it may still run there. Wait for it, or decide what it came to.`
          : 'Its worker was lost; what became of it cannot be known. Look at what it did, then launch again.')
      );
    default:
      return task.reason;
  }
}

function failedReason(task: TaskRecord): string | undefined {
  const end = lastAttempt(task)?.end;
  if (!end) return undefined;
  if (end.cause === 'exit') return `It ended with exit code ${end.exitCode}.`;
  if (end.cause === 'signal') return `It was ended by ${end.signal ?? 'a signal'}.`;
  if (end.cause === 'timeout') return 'It took too long.';
  return end.detail;
}

function attemptView(attempt: AttemptRecord): Attempt {
  const { end } = attempt;
  return {
    number: attempt.number,
    node: attempt.nodeName ?? attempt.node,
    term: attempt.term,
    state: end ? end.state : attempt.lost ? 'lost' : attempt.startedAt === undefined ? 'placed' : 'running',
    placedAt: time(attempt.placedAt),
    outputBytes: end?.outputBytes ?? 0,
    outputCut: end?.outputCut ?? false,
    ...present({
      startedAt: attempt.startedAt === undefined ? undefined : time(attempt.startedAt),
      endedAt: end && time(end.at),
      exitCode: end?.exitCode,
      signal: end?.signal,
      cause: end?.cause,
      detail: end?.detail,
    }),
  };
}
