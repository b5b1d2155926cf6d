/**
 * What is remembered of a run: plain data, folded from facts, saved as JSON.
 * Everything else about it (what may start now, who waits for whom) follows
 * from this and is kept in progress.ts.
 */
import type { AttemptEnd, Plan } from '../../contract/facts.ts';
import type { RunState } from '../../contract/model.ts';
import type { ParameterValues } from './parameters.ts';

export type TaskEnd = 'succeeded' | 'failed' | 'skipped' | 'cancelled' | 'unknown';

export type AttemptRecord = {
  number: number;
  node: string;
  nodeName?: string;
  term: string;
  /** Times are ms. */
  placedAt: number;
  startedAt?: number;
  /** Its worker has been silent for too long: what became of it is not known (yet). */
  lost?: boolean;
  end?: AttemptEnd;
};

export type TaskRecord = {
  attempts: AttemptRecord[];
  /** Not before then the next attempt begins; gone when it is placed. */
  retryAt?: number;
  ended?: TaskEnd;
  /** Why it was skipped, cancelled or failed without an attempt of its own. */
  reason?: string;
};

export type RunRecord = {
  id: string;
  /** Journal index of its launch: older runs go first. */
  order: number;
  sandbox: string;
  path: string;
  revision?: number;
  parameters: ParameterValues;
  plan: Plan;
  by: string;
  via: string;
  term: string;
  launchedAt: number;
  startedAt?: number;
  cancelled?: boolean;
  /** Cancelled again while its finally tasks ran: those are cancelled too. */
  lastCancelled?: boolean;
  end?: { state: RunState; at: number; reason?: string };
  /** In the order of plan.tasks. */
  tasks: TaskRecord[];
};

export const lastAttempt = (task: TaskRecord): AttemptRecord | undefined => task.attempts.at(-1);

/** The attempt that has been placed and has not ended. There is one at most. */
export function openAttempt(task: TaskRecord): AttemptRecord | undefined {
  const last = lastAttempt(task);
  return last && !last.end ? last : undefined;
}
