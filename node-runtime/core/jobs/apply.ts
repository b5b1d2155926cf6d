/**
 * Folds one committed fact about runs into the state.
 *
 * Asks no clock and no chance: equal facts give equal states on every
 * controller. A fact that does not fit (an attempt placed twice, an end that
 * is known) changes nothing, so replaying is harmless. The cost of a fact
 * depends on the tasks it touches, not on how many runs there are.
 */
import type { Entry, Fact } from '../../contract/facts.ts';
import { termText } from '../cluster/terms.ts';
import {
  isCancelled,
  noteAttemptEnded,
  noteCancelled,
  noteEnded,
  notePlaced,
  noteRetry,
  type Progress,
  taskIndex,
} from './progress.ts';
import { openAttempt, type RunRecord, type TaskEnd, type TaskRecord } from './record.ts';
import {
  closeRun,
  type Jobs,
  noteGoneFrom,
  notePlacedOn,
  noteUnsettled,
  openRun,
  queueDelayed,
  queueReady,
} from './state.ts';

type FactOf<K extends Fact['kind']> = Extract<Fact, { kind: K }>;

/** @returns ids of runs that look different now: one, or none */
export function applyToJobs(jobs: Jobs, entry: Entry): string[] {
  const fact = entry.fact;
  switch (fact.kind) {
    case 'runLaunched':
      return launched(jobs, entry, fact) ? [fact.run] : [];
    case 'attemptPlaced':
    case 'attemptStarted':
    case 'attemptLost':
    case 'attemptEnded':
    case 'taskSkipped':
    case 'cancelAsked':
    case 'runEnded':
      return ofRun(jobs, entry, fact) ? [fact.run] : [];
    default:
      return [];
  }
}

function launched(jobs: Jobs, entry: Entry, fact: FactOf<'runLaunched'>): boolean {
  if (jobs.runs.has(fact.run)) return false;
  const run: RunRecord = {
    id: fact.run,
    order: entry.index,
    sandbox: fact.sandbox,
    path: fact.path,
    ...(fact.revision === undefined ? {} : { revision: fact.revision }),
    parameters: fact.parameters,
    plan: fact.plan,
    by: entry.by,
    via: entry.via,
    term: termText(entry.term),
    launchedAt: entry.at,
    tasks: fact.plan.tasks.map(() => ({ attempts: [] })),
  };
  jobs.runs.set(run.id, run);
  openRun(jobs, run);
  return true;
}

type RunFact = Exclude<Extract<Fact, { run: string }>, FactOf<'runLaunched'> | FactOf<'attemptAdopted'>>;

function ofRun(jobs: Jobs, entry: Entry, fact: RunFact): boolean {
  const run = jobs.runs.get(fact.run);
  const progress = jobs.progress.get(fact.run);
  if (!run || !progress) return false;
  const wasRunning = progress.running > 0;
  const changed = fold(jobs, run, progress, entry, fact);
  const isRunning = progress.running > 0;
  if (wasRunning !== isRunning) jobs.running += isRunning ? 1 : -1;
  if (changed && !run.end) noteUnsettled(jobs, run, progress);
  return changed;
}

function fold(jobs: Jobs, run: RunRecord, progress: Progress, entry: Entry, fact: RunFact): boolean {
  switch (fact.kind) {
    case 'cancelAsked':
      return cancelAsked(run, progress);
    case 'runEnded':
      return runEnded(jobs, run, entry, fact);
    default: {
      const index = taskIndex(progress, fact.task);
      if (index === undefined) return false;
      const task = run.tasks[index]!;
      if (fact.kind === 'attemptPlaced') return attemptPlaced(jobs, run, progress, index, entry, fact);
      if (fact.kind === 'attemptStarted') return attemptStarted(run, task, fact);
      if (fact.kind === 'attemptLost') return attemptLost(task, fact);
      if (fact.kind === 'attemptEnded') return attemptEnded(jobs, run, progress, index, fact);
      return taskSkipped(jobs, run, progress, index, fact);
    }
  }
}

function attemptPlaced(
  jobs: Jobs,
  run: RunRecord,
  progress: Progress,
  index: number,
  entry: Entry,
  { number, node, nodeName }: FactOf<'attemptPlaced'>,
): boolean {
  const task = run.tasks[index]!;
  const phase = progress.phases[index];
  if (phase === 'running' || phase === 'ended' || number !== task.attempts.length + 1) return false;
  const named = nodeName === undefined ? {} : { nodeName };
  task.attempts.push({ number, node, ...named, term: termText(entry.term), placedAt: entry.at });
  delete task.retryAt;
  notePlaced(progress, index);
  notePlacedOn(jobs, run, index, node, number);
  return true;
}

function attemptStarted(run: RunRecord, task: TaskRecord, { number, at }: FactOf<'attemptStarted'>): boolean {
  const attempt = openAttempt(task);
  if (attempt?.number !== number || (attempt.startedAt !== undefined && !attempt.lost)) return false;
  attempt.startedAt ??= at;
  delete attempt.lost;
  run.startedAt ??= at;
  return true;
}

function attemptLost(task: TaskRecord, { number }: FactOf<'attemptLost'>): boolean {
  const attempt = openAttempt(task);
  if (attempt?.number !== number || attempt.lost) return false;
  attempt.lost = true;
  return true;
}

function attemptEnded(
  jobs: Jobs,
  run: RunRecord,
  progress: Progress,
  index: number,
  fact: FactOf<'attemptEnded'>,
): boolean {
  const task = run.tasks[index]!;
  const attempt = openAttempt(task);
  if (attempt?.number !== fact.number) return false;
  attempt.end = fact.end;
  noteGoneFrom(jobs, attempt.node, fact);
  noteAttemptEnded(progress);
  if (fact.retryAt === undefined || fact.end.state === 'succeeded') {
    endTask(jobs, run, progress, index, fact.end.state);
    return true;
  }
  task.retryAt = fact.retryAt;
  noteRetry(progress, index);
  if (isCancelled(run, index)) noteCancelled(run, progress);
  else queueDelayed(jobs, run, index);
  return true;
}

function taskSkipped(
  jobs: Jobs,
  run: RunRecord,
  progress: Progress,
  index: number,
  fact: FactOf<'taskSkipped'>,
): boolean {
  const phase = progress.phases[index];
  if (phase === 'running' || phase === 'ended') return false;
  run.tasks[index]!.reason = fact.reason;
  endTask(jobs, run, progress, index, fact.state);
  return true;
}

function endTask(jobs: Jobs, run: RunRecord, progress: Progress, index: number, outcome: TaskEnd): void {
  const task = run.tasks[index]!;
  task.ended = outcome;
  delete task.retryAt;
  queueReady(jobs, run, noteEnded(run, progress, index, outcome));
}

function cancelAsked(run: RunRecord, progress: Progress): boolean {
  if (progress.mainsOpen === 0) run.lastCancelled = true;
  run.cancelled = true;
  noteCancelled(run, progress);
  return true;
}

function runEnded(jobs: Jobs, run: RunRecord, entry: Entry, { state, reason }: FactOf<'runEnded'>): boolean {
  run.end = { state, at: entry.at, ...(reason === undefined ? {} : { reason }) };
  closeRun(jobs, run);
  return true;
}
