/**
 * Whether and when a runtime that ended unasked is started again.
 *
 * Waits 100 ms, doubling to 5 s, and gives up after eight restarts within ten
 * minutes: a program that keeps dying needs a person, not a loop. A runtime
 * that served for two minutes has earned a fresh count. Pure: times come in.
 */
import { desktopLimits as limits } from '../limits.ts';

/** When earlier restarts were decided, in milliseconds of one clock. */
export type Restarts = readonly number[];
export type NextStart = { is: 'again'; waitMs: number; restarts: Restarts } | { is: 'givenUp' };

/** `servedMs` is how long the ended process had been ready; 0 if it never was. */
export function afterEnd(ended: { restarts: Restarts; nowMs: number; servedMs: number }): NextStart {
  const isFresh = ended.servedMs >= limits.restartCalmMs;
  const recent = isFresh ? [] : ended.restarts.filter((at) => ended.nowMs - at < limits.restartWindowMs);
  if (recent.length >= limits.restartsMax) return { is: 'givenUp' };
  const waitMs = Math.min(limits.restartFirstMs * 2 ** recent.length, limits.restartLastMs);
  return { is: 'again', waitMs, restarts: [...recent, ended.nowMs] };
}

/** The same idea for a page that crashed: a few reloads a minute, then a person is asked. */
export function mayReload(reloads: Restarts, nowMs: number): { may: boolean; reloads: Restarts } {
  const recent = reloads.filter((at) => nowMs - at < limits.reloadWindowMs);
  if (recent.length >= limits.reloadsMax) return { may: false, reloads: recent };
  return { may: true, reloads: [...recent, nowMs] };
}
