/**
 * How states of runs, tasks and attempts are said and coloured.
 *
 * A running run says how far it is; a failed one says how it ended.
 */
import type { Attempt, RunSummary, Task } from '../../../node-runtime/contract/model.ts';
import { durationOf } from '../../kit/words.ts';

export type Tone = 'plain' | 'ok' | 'warn' | 'alarm' | 'info';

const tones: Record<string, Tone> = {
  queued: 'plain',
  placed: 'plain',
  waiting: 'warn',
  running: 'info',
  succeeded: 'ok',
  failed: 'alarm',
  cancelled: 'plain',
  skipped: 'plain',
  unknown: 'warn',
  lost: 'warn',
};
export const toneOf = (state: string): Tone => tones[state] ?? 'plain';

export function sayRun(run: RunSummary): string {
  if (run.state === 'running' && run.tasksTotal > 1) return `${run.tasksEnded} of ${run.tasksTotal} tasks`;
  if (run.state === 'waiting') return run.reason ? `waiting: ${run.reason}` : 'waiting';
  if (run.state === 'failed') return run.exitCode === undefined ? 'failed' : `failed, exit ${run.exitCode}`;
  return run.state;
}

export const tookMs = (
  of: { startedAt?: string | undefined; endedAt?: string | undefined },
  now: number,
): number | null => (of.startedAt ? (of.endedAt ? Date.parse(of.endedAt) : now) - Date.parse(of.startedAt) : null);
export const sayTook = (of: { startedAt?: string | undefined; endedAt?: string | undefined }, now: number): string => {
  const ms = tookMs(of, now);
  return ms === null ? '–' : durationOf(ms);
};

/** How an attempt ended, in words. */
export function sayEnd(attempt: Attempt): string {
  if (attempt.state === 'placed') return `waits to start on ${attempt.node}`;
  if (attempt.state === 'running') return `running on ${attempt.node}`;
  if (attempt.state === 'lost') return `${attempt.node} does not answer; what became of it is not known`;
  if (attempt.detail) return attempt.detail;
  if (attempt.cause === 'exit') return `exit ${attempt.exitCode ?? '?'}`;
  if (attempt.cause === 'signal') return `ended by ${attempt.signal ?? 'a signal'}`;
  if (attempt.cause === 'timeout') return 'ran longer than its timeout allows';
  if (attempt.cause === 'cannot_start') return 'could not be started';
  if (attempt.cause === 'lost') return 'the worker was lost; how it ended is not known';
  return attempt.state;
}

/** Its worker is silent: it waits for the worker, or for a person. */
export const isUndecided = (task: Task): boolean => task.attempts.at(-1)?.state === 'lost';

/** The second line of a task in the graph. */
export function sayTask(task: Task, now: number): string {
  const last = task.attempts.at(-1);
  if (task.state === 'running' && last) {
    return task.attempts.length > 1 ? `attempt ${last.number} · ${last.node}` : `${sayTook(last, now)} · ${last.node}`;
  }
  if (isUndecided(task)) return `${last?.node ?? 'the worker'} is silent`;
  if (task.nextAttemptAt && task.state !== 'succeeded')
    return `again in ${durationOf(Math.max(0, Date.parse(task.nextAttemptAt) - now))}`;
  if (last && (task.state === 'succeeded' || task.state === 'failed' || task.state === 'cancelled'))
    return `${sayTook(last, now)} · ${last.node}`;
  if (task.reason) return task.reason;
  if (task.state === 'waiting' && task.needs.length > 0) return `waits for ${task.needs.join(', ')}`;
  if (task.state === 'waiting' && task.finally) return 'at the end, always';
  return task.state;
}
