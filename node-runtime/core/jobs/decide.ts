/**
 * Turns wishes and reports about runs into facts, or refuses them. Changes
 * nothing. What is already known gives no facts, so reports may be repeated.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { AttemptEnd, Fact, Plan } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import type { ParameterValues } from './parameters.ts';
import { isCancelled, taskIndex } from './progress.ts';
import { type AttemptRecord, openAttempt, type RunRecord } from './record.ts';
import type { AttemptName, Jobs } from './state.ts';

export type Launch = {
  /** A new id: letters, digits and dashes. */
  run: string;
  sandbox: string;
  path: string;
  /** The pinned revision of a kept sandbox. */
  revision?: number;
  parameters: ParameterValues;
  plan: Plan;
};

export function decideLaunch(jobs: Jobs, launch: Launch): { facts: Fact[] } | Refusal {
  if (jobs.progress.size >= limits.runsUnfinishedMax) {
    return refuse('too_many', `${limits.runsUnfinishedMax} runs have not ended yet; no more are taken.`);
  }
  if (jobs.runs.has(launch.run)) throw new Error(`broken promise: the run id ${launch.run} was used before`);
  const { run, sandbox, path, revision, parameters, plan } = launch;
  const pinned = revision === undefined ? {} : { revision };
  return { facts: [{ kind: 'runLaunched', run, sandbox, path, ...pinned, parameters, plan }] };
}

/**
 * The first cancel stops what runs and what waits; tasks of finally run
 * afterwards. A cancel while they run stops them too.
 */
export function decideCancel(jobs: Jobs, id: string): { facts: Fact[] } | Refusal {
  const run = jobs.runs.get(id);
  if (!run) return refuse('run_unknown', `There is no run ${id}.`);
  if (run.end) return refuse('run_ended', `${run.plan.name} (${id}) has ended.`);
  const progress = jobs.progress.get(id)!;
  const isNew = !run.cancelled || (progress.mainsOpen === 0 && !run.lastCancelled);
  return { facts: isNew ? [{ kind: 'cancelAsked', run: id }] : [] };
}

/** Also when a worker that was silent is back and it still runs. @param at ms, by the worker's clock */
export function decideStarted(jobs: Jobs, name: AttemptName, at: number): Fact[] {
  const found = openAttemptNamed(jobs, name);
  if (!found || (found.attempt.startedAt !== undefined && !found.attempt.lost)) return [];
  const { run, task, number } = name;
  return [{ kind: 'attemptStarted', run, task, number, at }];
}

/**
 * An attempt that failed, or whose outcome can't be known, is tried again if
 * the job file says so and nobody cancelled.
 *
 * @param random from 0 to 1: spreads the retries of runs that failed together
 */
export function decideEnded(jobs: Jobs, name: AttemptName, end: AttemptEnd, now: number, random: number): Fact[] {
  const found = openAttemptNamed(jobs, name);
  if (!found) return [];
  const { run, task, number } = name;
  const mayRetry = end.state === 'failed' || end.state === 'unknown';
  const plan = found.run.plan.tasks[found.index]!;
  const again = mayRetry && number < plan.attemptsMax && !isCancelled(found.run, found.index);
  const retry = again ? { retryAt: retryTime(plan, number, now, random) } : {};
  return [{ kind: 'attemptEnded', run, task, number, end, ...retry }];
}

/** Its worker is silent: known once, until it is heard of again. */
export function decideLost(jobs: Jobs, name: AttemptName): Fact[] {
  const found = openAttemptNamed(jobs, name);
  if (!found || found.attempt.lost) return [];
  const { run, task, number } = name;
  return [{ kind: 'attemptLost', run, task, number }];
}

/** Has this attempt another one to come if it fails? Then it is bound to its worker's lease (P35). */
export function isLeased(jobs: Jobs, name: AttemptName): boolean {
  const found = openAttemptNamed(jobs, name);
  return found !== null && name.number < found.run.plan.tasks[found.index]!.attemptsMax;
}

/** A person says what an attempt of a lost worker came to. `again` starts it anew, whatever `retry` says. */
export function decideDecision(
  jobs: Jobs,
  asked: { run: string; task: string; decision: 'again' | 'succeeded' | 'failed' },
  now: number,
): { facts: Fact[] } | Refusal {
  const run = jobs.runs.get(asked.run);
  if (!run) return refuse('run_unknown', `There is no run ${asked.run}.`);
  const index = run.plan.tasks.findIndex((one) => one.id === asked.task);
  if (index < 0) return refuse('task_unknown', `Run ${run.id} has no task ${asked.task}.`);
  const attempt = openAttempt(run.tasks[index]!);
  if (run.end || !attempt?.lost)
    return refuse('nothing_to_decide', `${asked.task} of ${run.id} does not wait for a decision.`);
  const state = asked.decision === 'succeeded' ? 'succeeded' : 'failed';
  const detail = 'Its worker was lost; a person decided what it came to.';
  const end: AttemptEnd = { at: now, state, cause: 'lost', detail, outputBytes: 0, outputCut: false };
  const again = asked.decision === 'again' ? { retryAt: now } : {};
  return { facts: [{ kind: 'attemptEnded', run: run.id, task: asked.task, number: attempt.number, end, ...again }] };
}

const JITTER = 0.1;

/** The longest that the next attempt of a task may wait for its time. */
export const longestDelayMs = (plan: { retryDelayMs: number; retryBackoff: number; attemptsMax: number }): number =>
  Math.min(plan.retryDelayMs * Math.max(1, plan.retryBackoff) ** (plan.attemptsMax - 1), limits.timeoutMsMax) *
    (1 + JITTER) +
  1_000;

function retryTime(
  plan: { retryDelayMs: number; retryBackoff: number },
  number: number,
  now: number,
  random: number,
): number {
  const delayMs = Math.min(plan.retryDelayMs * plan.retryBackoff ** (number - 1), limits.timeoutMsMax);
  return now + Math.round(delayMs * (1 + JITTER * random));
}

function openAttemptNamed(
  jobs: Jobs,
  name: AttemptName,
): { run: RunRecord; index: number; attempt: AttemptRecord } | null {
  const run = jobs.runs.get(name.run);
  const progress = jobs.progress.get(name.run);
  const index = progress && taskIndex(progress, name.task);
  if (!run || index === undefined) return null;
  const attempt = openAttempt(run.tasks[index]!);
  return attempt?.number === name.number ? { run, index, attempt } : null;
}
