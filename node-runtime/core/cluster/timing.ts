/**
 * How long the cluster waits, in one table (PROTOCOL section 6).
 *
 * Times decide when somebody tries, never whether it is right: no rule of
 * safety reads this file, except that a worker's lease relies on the rate of
 * its clock (P35, `lease.ts`). All of it may be changed while the cluster works.
 */
export type Timing = {
  /** Active → standby and watch, when there is nothing else to send. */
  heartbeatMs: number;
  /** Silence before somebody tries to change something. */
  suspectMs: number;
  /** A voter that heard the active this lately says no to a precheck. */
  supportMs: number;
  /** Before a question is asked again, and the random extra. */
  roundMs: number;
  roundRandomMs: number;
  /** A save that hangs this long: the node says that it can't write. */
  syncStallMs: number;
  /** A watch silent this long loses its seat to a spare. */
  seatAfterMs: number;
  /** Heard so lately is alive, and contradicts a claim. */
  declaredDeadMs: number;
  /** A worker ends attempts with a lease when no active renewed it for so long; its clock may be that much slower (P35). */
  workerLeaseMs: number;
  workerDriftPct: number;
  /** So long the ending of an attempt may take. */
  workerEndMs: number;
  /** Bounds of what is kept in memory and sent at once. */
  tailEntriesMax: number;
  batchEntriesMax: number;
  /** A follower this far behind gets a snapshot before entries (P17). */
  snapshotAfterEntries: number;
  /** A joining controller this near to the end is caught up. */
  caughtUpEntries: number;
};

const bounds = { tailEntriesMax: 8_192, batchEntriesMax: 512, snapshotAfterEntries: 100_000, caughtUpEntries: 64 };

const workers = { workerDriftPct: 5, workerEndMs: 5_000 };

export const timings = {
  lan: {
    heartbeatMs: 100,
    suspectMs: 700,
    supportMs: 600,
    roundMs: 300,
    roundRandomMs: 150,
    syncStallMs: 1_000,
    seatAfterMs: 15_000,
    declaredDeadMs: 10_000,
    workerLeaseMs: 15_000,
    ...workers,
    ...bounds,
  },
  slow: {
    heartbeatMs: 500,
    suspectMs: 3_000,
    supportMs: 2_500,
    roundMs: 1_500,
    roundRandomMs: 750,
    syncStallMs: 3_000,
    seatAfterMs: 60_000,
    declaredDeadMs: 30_000,
    workerLeaseMs: 60_000,
    ...workers,
    ...bounds,
  },
} as const satisfies Record<string, Timing>;
