/**
 * All runs that have not ended, the newest that have, and indexes over them.
 *
 * Only the records are state: folded from committed facts, saved in snapshots,
 * the same on every controller. The indexes (queues, what runs where) follow
 * from the records; they exist so that nothing ever looks through all runs.
 */
import { limits } from '../../contract/limits.ts';
import { Heap } from './heap.ts';
import { type Progress, startProgress } from './progress.ts';
import { openAttempt, type RunRecord } from './record.ts';

export type AttemptName = { run: string; task: string; number: number };
/** A task that may start, or may start at `at`. */
export type Queued = { order: number; run: string; task: number };
export type Delayed = Queued & { at: number };

export type Jobs = {
  /** By id, in the order of launch. */
  runs: Map<string, RunRecord>;
  /** Ids of runs that ended, in that order. */
  ended: string[];
  // ---- indexes, never saved
  /** Of unfinished runs. */
  progress: Map<string, Progress>;
  /** Oldest run first. May hold void entries: see `queuedPhase`. */
  ready: Heap<Queued>;
  /** Earliest first. May hold void entries. */
  delayed: Heap<Delayed>;
  /** Runs whose next fact is due without any placement: skips, an end. */
  unsettled: Set<string>;
  /** node → open attempts, by `run.task.number`. */
  placed: Map<string, Map<string, AttemptName>>;
  /** sandbox → how many unfinished runs use it. */
  uses: Map<string, number>;
  /** Unfinished runs with an open attempt. */
  running: number;
};

export type SavedJobs = { version: 1; runs: RunRecord[]; ended: string[] };

export function emptyJobs(): Jobs {
  const olderFirst = (a: Queued, b: Queued) => a.order < b.order || (a.order === b.order && a.task < b.task);
  return {
    runs: new Map(),
    ended: [],
    progress: new Map(),
    ready: new Heap<Queued>(olderFirst),
    delayed: new Heap<Delayed>((a, b) => a.at < b.at || (a.at === b.at && olderFirst(a, b))),
    unsettled: new Set(),
    placed: new Map(),
    uses: new Map(),
    running: 0,
  };
}

/** Plain data for a snapshot. It is not a copy: write it as JSON before the next fact is applied. */
export const saveJobs = (jobs: Jobs): SavedJobs => ({ version: 1, runs: [...jobs.runs.values()], ended: jobs.ended });

/** Takes over what {@link saveJobs} gave, after JSON. Throws with a plain sentence for another version. */
export function loadJobs(saved: SavedJobs): Jobs {
  if (saved.version !== 1)
    throw new Error(`The runs are saved in version ${saved.version}; this program reads version 1.`);
  const jobs = emptyJobs();
  jobs.ended = [...saved.ended];
  for (const run of saved.runs) {
    jobs.runs.set(run.id, run);
    if (!run.end) openRun(jobs, run);
  }
  return jobs;
}

/** Enters an unfinished run into the indexes. */
export function openRun(jobs: Jobs, run: RunRecord): void {
  const progress = startProgress(run);
  jobs.progress.set(run.id, progress);
  jobs.uses.set(run.sandbox, (jobs.uses.get(run.sandbox) ?? 0) + 1);
  if (progress.running > 0) jobs.running++;
  for (const [index, task] of run.tasks.entries()) {
    const attempt = openAttempt(task);
    if (attempt) notePlacedOn(jobs, run, index, attempt.node, attempt.number);
    if (progress.phases[index] === 'ready') queueReady(jobs, run, [index]);
    if (progress.phases[index] === 'delayed') queueDelayed(jobs, run, index);
  }
  noteUnsettled(jobs, run, progress);
}

/** Takes a run that has ended out of the indexes; the oldest ended run may leave memory for it. */
export function closeRun(jobs: Jobs, run: RunRecord): void {
  jobs.progress.delete(run.id);
  jobs.unsettled.delete(run.id);
  const uses = jobs.uses.get(run.sandbox)! - 1;
  if (uses > 0) jobs.uses.set(run.sandbox, uses);
  else jobs.uses.delete(run.sandbox);
  jobs.ended.push(run.id);
  if (jobs.ended.length > limits.runsEndedInMemory) jobs.runs.delete(jobs.ended.shift()!);
}

export function queueReady(jobs: Jobs, run: RunRecord, tasks: number[]): void {
  for (const task of tasks) jobs.ready.push({ order: run.order, run: run.id, task });
  jobs.ready.sweepWhenGrown((entry) => isQueued(jobs, entry));
}

export function queueDelayed(jobs: Jobs, run: RunRecord, task: number): void {
  jobs.delayed.push({ at: run.tasks[task]!.retryAt!, order: run.order, run: run.id, task });
  jobs.delayed.sweepWhenGrown((entry) => isDelayed(jobs, entry));
}

/** Is the entry still meant: may this task start, now or after its delay? */
export function isQueued(jobs: Jobs, entry: Queued): boolean {
  const phase = jobs.progress.get(entry.run)?.phases[entry.task];
  return phase === 'ready' || phase === 'delayed';
}

export const isDelayed = (jobs: Jobs, entry: Delayed): boolean =>
  jobs.progress.get(entry.run)?.phases[entry.task] === 'delayed' &&
  jobs.runs.get(entry.run)!.tasks[entry.task]!.retryAt === entry.at;

/** After every fact of a run: is a skip or the end due now? */
export function noteUnsettled(jobs: Jobs, run: RunRecord, progress: Progress): void {
  if (progress.dooms.size > 0 || progress.open === 0) jobs.unsettled.add(run.id);
  else jobs.unsettled.delete(run.id);
}

const attemptKey = (name: AttemptName): string => `${name.run}.${name.task}.${name.number}`;

export function notePlacedOn(jobs: Jobs, run: RunRecord, task: number, node: string, number: number): void {
  const name = { run: run.id, task: run.plan.tasks[task]!.id, number };
  const there = jobs.placed.get(node) ?? new Map<string, AttemptName>();
  jobs.placed.set(node, there.set(attemptKey(name), name));
}

export function noteGoneFrom(jobs: Jobs, node: string, name: AttemptName): void {
  const there = jobs.placed.get(node);
  there?.delete(attemptKey(name));
  if (there?.size === 0) jobs.placed.delete(node);
}
