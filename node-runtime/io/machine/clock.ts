/**
 * The clock for intervals: milliseconds that never go back and count the time
 * a machine slept, which the usual monotonic clock does not.
 *
 * The system's uptime counts sleep but is coarse; the usual clock is fine but
 * stops. So the fine one is taken, moved forward whenever the uptime has run
 * ahead of it by more than its coarseness. Nothing here depends on wall time.
 */
import { uptime } from 'node:os';

/** Beyond the coarseness of the uptime. */
const SLEPT_MS = 250;
/** Asking for the uptime reads a file on some systems: not for every event. */
const LOOK_MS = 40;

/** Since the boot of the machine, counting sleep; the same for all processes of it. */
export const uptimeMs = (): number => uptime() * 1_000;

let sleptMs = 0;
let offsetMs = uptime() * 1_000 - performance.now();
let lookedAt = Number.NEGATIVE_INFINITY;

/** In ms, since some moment before this process began. */
export function monotonicMs(): number {
  const now = performance.now();
  if (now - lookedAt > LOOK_MS) {
    lookedAt = now;
    const gap = uptime() * 1_000 - now - offsetMs;
    if (gap > SLEPT_MS) {
      sleptMs += gap;
      offsetMs += gap;
    } else if (gap < 0) offsetMs += gap / 8; // it began between two counts of the uptime
  }
  return now + sleptMs;
}
