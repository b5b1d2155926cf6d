/**
 * A worker's lease: when attempts that may be started again elsewhere have
 * surely ended where they were.
 *
 * The only place where the rate of a clock matters, and only the rate: no time
 * of one clock is compared with one of another. A worker sends its clock with
 * what it tells the active. The active gives it back (*grants* it) when a
 * quorum has confirmed its term in a round begun after it came. The lease runs
 * from that reading, on the clock that took it: so it began before the active
 * heard of it, however long messages take, and no replaced active can renew
 * it. The clock counts sleep; its origin is chosen at random for each boot.
 *
 * Leaves out what is running, and how it is ended. A machine that sleeps with
 * a job wakes with it, for the moment until the job is ended.
 *
 * Promise: an attempt with a lease has ended before another of its task starts.
 * Rules: P35.
 */
import type { Timing } from './timing.ts';

type LeaseTiming = Pick<Timing, 'workerLeaseMs' | 'workerDriftPct' | 'workerEndMs'>;

// ---------------------------------------------------------------- at the worker

/** `base`: the own clock's reading granted last. */
export type Lease = { base: number };

export const noLease = (): Lease => ({ base: Number.NEGATIVE_INFINITY });

/** The active of the obeyed term gave back a reading: of this clock, so never from its future. */
export function renewLease(lease: Lease, granted: number | null, now: number): void {
  if (granted !== null && granted <= now) lease.base = Math.max(lease.base, granted);
}

export const leaseEndsAt = (lease: Lease, { workerLeaseMs }: Pick<Timing, 'workerLeaseMs'>): number =>
  lease.base + workerLeaseMs;

/** What has to be ended now, within `workerEndMs`; everything else goes on. */
export function attemptsToEnd(
  lease: Lease,
  live: Iterable<{ attempt: string; leased: boolean }>,
  timing: Pick<Timing, 'workerLeaseMs'>,
  now: number,
): string[] {
  if (now < leaseEndsAt(lease, timing)) return [];
  return [...live].filter((one) => one.leased).map((one) => one.attempt);
}

/** An order for an attempt with a lease is good until then, on the worker's clock; 0: never. */
export const startUntil = (granted: number | null, now: number, timing: Pick<Timing, 'workerLeaseMs'>): number =>
  granted === null || granted > now ? 0 : granted + timing.workerLeaseMs;

// ---------------------------------------------------------------- at the active

/** What one active knows of its workers' leases; the next one begins anew. */
export type Leases = {
  /** From when on silence counts for workers not heard yet: this active cannot know what was granted before. */
  since: number;
  tickedAt: number;
  heardAt: Map<string, number>;
  /** Readings that came since the last round began; those that wait for its end; those granted. */
  told: Map<string, number>;
  waiting: Map<string, number> | null;
  granted: Map<string, number>;
};

export const beginLeases = (now: number): Leases => ({
  since: now,
  tickedAt: now,
  heardAt: new Map(),
  told: new Map(),
  waiting: null,
  granted: new Map(),
});

export function workerTold(leases: Leases, worker: string, clock: number, now: number): void {
  leases.heardAt.set(worker, now);
  leases.told.set(worker, clock);
}

/** Is there anything to grant? Then a confirmation of the term (`confirmRead`) is asked for, one for all workers. */
export function beginGranting(leases: Leases): boolean {
  if (leases.waiting !== null || leases.told.size === 0) return false;
  leases.waiting = leases.told;
  leases.told = new Map();
  return true;
}

/** The confirmation asked for came, or did not. */
export function endGranting(leases: Leases, confirmed: boolean): void {
  if (confirmed) for (const [worker, clock] of leases.waiting ?? []) leases.granted.set(worker, clock);
  leases.waiting = null;
}

/** Goes along with every message to the worker. */
export const grantTo = (leases: Leases, worker: string): number | null => leases.granted.get(worker) ?? null;

/** A jump of the clock says nothing of how long the workers were silent: all counting begins anew. */
export function leasesTicked(leases: Leases, now: number, { suspectMs }: Pick<Timing, 'suspectMs'>): void {
  if (now - leases.tickedAt > suspectMs) {
    leases.since = now;
    leases.heardAt.clear();
  }
  leases.tickedAt = now;
}

/** How long a worker has to be silent before its attempts with a `retry` may go elsewhere. */
export const mayMoveAfterMs = ({ workerLeaseMs, workerDriftPct, workerEndMs }: LeaseTiming): number =>
  workerLeaseMs * (1 + workerDriftPct / 100) + workerEndMs;

/** May attempts of this worker that have a `retry` to come go elsewhere? */
export const mayMove = (leases: Leases, worker: string, timing: LeaseTiming, now: number): boolean =>
  now - (leases.heardAt.get(worker) ?? leases.since) >= mayMoveAfterMs(timing);
