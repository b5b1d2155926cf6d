/** P35: a worker's lease, at the worker and at the active. */
import { describe, expect, it } from 'vitest';
import {
  attemptsToEnd,
  beginGranting,
  beginLeases,
  endGranting,
  grantTo,
  leasesTicked,
  mayMove,
  mayMoveAfterMs,
  noLease,
  renewLease,
  startUntil,
  workerTold,
} from '../../../node-runtime/core/cluster/lease.ts';
import { timings } from '../../../node-runtime/core/cluster/timing.ts';

const timing = timings.lan;
const live = [
  { attempt: 'a', leased: true },
  { attempt: 'b', leased: false },
];

describe('at the worker, a lease', () => {
  it('runs from the reading that was granted, not from when the grant came', () => {
    const lease = noLease();
    renewLease(lease, 1_000, 9_000);
    expect(attemptsToEnd(lease, live, timing, 1_000 + timing.workerLeaseMs - 1)).toEqual([]);
    expect(attemptsToEnd(lease, live, timing, 1_000 + timing.workerLeaseMs)).toEqual(['a']);
  });
  it('is not shortened by an older reading, nor given by one from the future', () => {
    const lease = noLease();
    renewLease(lease, 5_000, 6_000);
    renewLease(lease, 1_000, 6_000);
    renewLease(lease, 7_000, 6_000);
    expect(lease.base).toBe(5_000);
  });
  it('was never there: what has one is ended, everything else goes on', () => {
    expect(attemptsToEnd(noLease(), live, timing, 0)).toEqual(['a']);
  });
  it('bounds an order by the reading that the order carries', () => {
    expect(startUntil(1_000, 2_000, timing)).toBe(1_000 + timing.workerLeaseMs);
    expect(startUntil(null, 2_000, timing)).toBe(0);
    expect(startUntil(3_000, 2_000, timing)).toBe(0);
  });
});

describe('at the active, a lease', () => {
  it('is granted by a confirmation begun after the reading came, one for all workers', () => {
    const leases = beginLeases(0);
    expect(beginGranting(leases)).toBe(false);
    workerTold(leases, 'w1', 100, 10);
    workerTold(leases, 'w2', 200, 11);
    expect(beginGranting(leases)).toBe(true);
    workerTold(leases, 'w1', 150, 12);
    expect(beginGranting(leases), 'one at a time').toBe(false);
    endGranting(leases, true);
    expect([grantTo(leases, 'w1'), grantTo(leases, 'w2')]).toEqual([100, 200]);
  });
  it('is not granted when the term was not confirmed', () => {
    const leases = beginLeases(0);
    workerTold(leases, 'w1', 100, 10);
    beginGranting(leases);
    endGranting(leases, false);
    expect(grantTo(leases, 'w1')).toBeNull();
  });
  it('is surely over after the lease, the drift and the time it takes to end an attempt', () => {
    expect(mayMoveAfterMs(timing)).toBe(15_000 * 1.05 + 5_000);
    const leases = beginLeases(1_000);
    const after = mayMoveAfterMs(timing);
    expect(mayMove(leases, 'w1', timing, 1_000 + after - 1), 'a new active counts from its beginning').toBe(false);
    expect(mayMove(leases, 'w1', timing, 1_000 + after)).toBe(true);
    workerTold(leases, 'w1', 0, 2_000);
    expect(mayMove(leases, 'w1', timing, 2_000 + after - 1)).toBe(false);
    expect(mayMove(leases, 'w1', timing, 2_000 + after)).toBe(true);
  });
  it('counts anew after a jump of the own clock', () => {
    const leases = beginLeases(0);
    workerTold(leases, 'w1', 0, 10);
    leasesTicked(leases, 50, timing);
    leasesTicked(leases, 90_000_000, timing);
    expect(mayMove(leases, 'w1', timing, 90_000_010)).toBe(false);
  });
});
