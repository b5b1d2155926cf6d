/**
 * Where an unfinished run stands: which of its tasks may start now, which will
 * never run and why. Derived from the record, never saved.
 *
 * When a task ends, only the tasks that need it are looked at, so a fact costs
 * as much as it has followers, however many runs there are. A task is judged
 * once, when everything before it has ended: from then on its condition can't
 * change, except by a cancel.
 */

import type { Plan } from '../../contract/facts.ts';
import { parseCondition } from './condition.ts';
import { asksForResults, evaluate, holds, type Scope } from './evaluate.ts';
import { lastAttempt, openAttempt, type RunRecord, type TaskEnd } from './record.ts';

/**
 * blocked: something before it has not ended. doomed: judged to end without
 * running; the fact that says so is still to come.
 */
export type Phase = 'blocked' | 'ready' | 'delayed' | 'running' | 'doomed' | 'ended';
export type Doom = { state: 'skipped' | 'cancelled' | 'failed'; reason: string };

/** What follows from the plan alone. */
type Shape = { indexOf: Map<string, number>; followers: number[][]; last: number[] };

export type Progress = {
  readonly shape: Shape;
  phases: Phase[];
  outcomes: (TaskEnd | null)[];
  dooms: Map<number, Doom>;
  needsOpen: number[];
  /** A need ended, and not well. */
  needsBad: boolean[];
  /** Something before it failed or is unknown. */
  failedBefore: boolean[];
  /** How many tasks have not ended: all, and those that are not finally. */
  open: number;
  mainsOpen: number;
  mainsBad: boolean;
  mainsFailed: boolean;
  running: number;
};

export function taskIndex(progress: Progress, task: string): number | undefined {
  return progress.shape.indexOf.get(task);
}

/** Begins, or after a restart begins again, from the record. */
export function startProgress(run: RunRecord): Progress {
  const { tasks } = run.plan;
  const progress: Progress = {
    shape: shapeOf(run.plan),
    phases: tasks.map(() => 'blocked'),
    outcomes: tasks.map(() => null),
    dooms: new Map(),
    needsOpen: tasks.map((task) => task.needs.length),
    needsBad: tasks.map(() => false),
    failedBefore: tasks.map(() => false),
    open: tasks.length,
    mainsOpen: tasks.filter((task) => !task.finally).length,
    mainsBad: false,
    mainsFailed: false,
    running: 0,
  };
  for (const [index, task] of run.tasks.entries()) {
    if (openAttempt(task)) {
      progress.phases[index] = 'running';
      progress.running++;
    } else if (task.retryAt !== undefined) {
      progress.phases[index] = 'delayed';
    }
  }
  for (const index of needsFirst(run.plan, progress.shape)) {
    const ended = run.tasks[index]!.ended;
    if (ended !== undefined) noteEnded(run, progress, index, ended);
  }
  for (const index of tasks.keys()) judgeIfFree(run, progress, index);
  if (run.cancelled) noteCancelled(run, progress);
  return progress;
}

/** A copy to think ahead on. */
export function copyProgress(progress: Progress): Progress {
  return {
    ...progress,
    phases: [...progress.phases],
    outcomes: [...progress.outcomes],
    dooms: new Map(progress.dooms),
    needsOpen: [...progress.needsOpen],
    needsBad: [...progress.needsBad],
    failedBefore: [...progress.failedBefore],
  };
}

function shapeOf(plan: Plan): Shape {
  const indexOf = new Map(plan.tasks.map((task, index) => [task.id, index]));
  const followers: number[][] = plan.tasks.map(() => []);
  for (const [index, task] of plan.tasks.entries()) {
    for (const need of task.needs) followers[indexOf.get(need)!]!.push(index);
  }
  return { indexOf, followers, last: plan.tasks.flatMap((task, index) => (task.finally ? [index] : [])) };
}

function needsFirst(plan: Plan, { followers }: Shape): number[] {
  const open = plan.tasks.map((task) => task.needs.length);
  const order = open.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let next = 0; next < order.length; next++) {
    for (const follower of followers[order[next]!]!) {
      open[follower]!--;
      if (open[follower] === 0) order.push(follower);
    }
  }
  return order;
}

// ------------------------------------------------------------ what happened

export function notePlaced(progress: Progress, index: number): void {
  progress.phases[index] = 'running';
  progress.dooms.delete(index);
  progress.running++;
}

/** An attempt ended and another one will follow. */
export function noteRetry(progress: Progress, index: number): void {
  progress.phases[index] = 'delayed';
}

export const noteAttemptEnded = (progress: Progress): void => {
  progress.running--;
};

/** @returns tasks that may start now because of it */
export function noteEnded(run: RunRecord, progress: Progress, index: number, outcome: TaskEnd): number[] {
  const task = run.plan.tasks[index]!;
  const failed = outcome === 'unknown' || (outcome === 'failed' && !task.continueOnError);
  const bad = outcome !== 'succeeded' && (outcome !== 'failed' || failed);
  progress.phases[index] = 'ended';
  progress.outcomes[index] = outcome;
  progress.dooms.delete(index);
  progress.open--;
  if (!task.finally) {
    progress.mainsOpen--;
    progress.mainsBad ||= bad;
    progress.mainsFailed ||= failed;
  }
  const ready: number[] = [];
  for (const follower of progress.shape.followers[index]!) {
    progress.needsOpen[follower]!--;
    progress.needsBad[follower] ||= bad;
    progress.failedBefore[follower] ||= failed || progress.failedBefore[index]!;
    if (judgeIfFree(run, progress, follower)) ready.push(follower);
  }
  if (!task.finally && progress.mainsOpen === 0) {
    for (const last of progress.shape.last) if (judgeIfFree(run, progress, last)) ready.push(last);
  }
  return ready;
}

/** Whatever the cancel reaches and does not run is doomed. Running attempts are stopped by their workers. */
export function noteCancelled(run: RunRecord, progress: Progress): void {
  for (const [index, phase] of progress.phases.entries()) {
    if (phase === 'running' || phase === 'ended' || !isCancelled(run, index)) continue;
    progress.phases[index] = 'doomed';
    progress.dooms.set(index, cancelDoom(run, index));
  }
}

/** Does a cancel of this run reach the task? Tasks of finally run after a cancel too, unless it is asked for again. */
export const isCancelled = (run: RunRecord, index: number): boolean =>
  run.plan.tasks[index]!.finally ? run.lastCancelled === true : run.cancelled === true;

const cancelDoom = (run: RunRecord, index: number): Doom => {
  const begun = run.tasks[index]!.attempts.length > 0;
  return { state: 'cancelled', reason: `The run was cancelled before ${begun ? 'its next attempt' : 'it began'}.` };
};

// ----------------------------------------------------------------- judging

/** Judges a task once nothing before it is open. True when it may start. */
function judgeIfFree(run: RunRecord, progress: Progress, index: number): boolean {
  if (progress.phases[index] !== 'blocked' || progress.needsOpen[index]! > 0) return false;
  if (run.plan.tasks[index]!.finally && progress.mainsOpen > 0) return false;
  const doom = judge(run, progress, index);
  if (doom) progress.dooms.set(index, doom);
  progress.phases[index] = doom ? 'doomed' : 'ready';
  return !doom;
}

function judge(run: RunRecord, progress: Progress, index: number): Doom | null {
  const task = run.plan.tasks[index]!;
  if (isCancelled(run, index)) return cancelDoom(run, index);
  const wentWell = !progress.needsBad[index];
  if (task.condition === undefined) return task.finally || wentWell ? null : skippedBecause(run, progress, index);
  const parsed = parseCondition(task.condition);
  if ('mistake' in parsed)
    return { state: 'failed', reason: `Its condition cannot be read: ${parsed.mistake.sentence}` };
  const impliesSuccess = !task.finally && !asksForResults(parsed.expression);
  if (impliesSuccess && !wentWell) return skippedBecause(run, progress, index);
  if (holds(evaluate(parsed.expression, scopeOf(run, progress, index)))) return null;
  return { state: 'skipped', reason: `Its condition does not hold: ${task.condition.trim()}` };
}

function skippedBecause(run: RunRecord, progress: Progress, index: number): Doom {
  const words = {
    failed: 'failed',
    skipped: 'was skipped',
    cancelled: 'was cancelled',
    unknown: 'has an unknown outcome',
  };
  for (const need of run.plan.tasks[index]!.needs) {
    const at = progress.shape.indexOf.get(need)!;
    const outcome = progress.outcomes[at];
    if (!outcome || outcome === 'succeeded' || (outcome === 'failed' && run.plan.tasks[at]!.continueOnError)) continue;
    return { state: 'skipped', reason: `Not run because ${need} ${words[outcome]}.` };
  }
  return { state: 'skipped', reason: 'Not run because something before it did not succeed.' };
}

/** What expressions of a task may ask. Its needs have ended. */
export function scopeOf(run: RunRecord, progress: Progress, index: number): Scope {
  const isLast = run.plan.tasks[index]!.finally;
  const { indexOf } = progress.shape;
  return {
    parameter: (name) => (Object.hasOwn(run.parameters, name) ? run.parameters[name]! : null),
    state: (task) => {
      const at = indexOf.get(task);
      return (at === undefined ? null : progress.outcomes[at]) ?? 'waiting';
    },
    exitCode: (task) => {
      const at = indexOf.get(task);
      return at === undefined ? null : (lastAttempt(run.tasks[at]!)?.end?.exitCode ?? null);
    },
    success: !progress.needsBad[index] && !(isLast && progress.mainsBad) && !run.cancelled,
    failure: progress.failedBefore[index]! || (isLast && progress.mainsFailed),
    cancelled: run.cancelled === true,
  };
}
