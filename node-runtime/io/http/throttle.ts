/**
 * Tries of signing in, counted per address and per name, over one minute.
 *
 * Every try counts, also a good one: otherwise an account of one's own would
 * buy guesses at others. Memory only and bounded; a restart forgets, which a
 * guesser cannot cause. Does not know passwords or people.
 *
 * One for all doors of a node. Signing in is passed on to the active, with the
 * address of who asks: so it counts there for the whole cluster, and more nodes
 * are no more guesses. A new active begins to count anew.
 */
import { isIP } from 'node:net';

export type Throttle = {
  /** 0 when the try may be made (and is counted), else ms to wait. `nowMs` from a clock that only grows. */
  try(keys: { address: string; name?: string }, nowMs: number): number;
};

const WINDOW_MS = 60_000;
/** Finding one to forget takes no longer than this. */
const LOOKED_AT_MAX = 100;

export function makeThrottle(triesPerMinute: number, keptMax: number): Throttle {
  /** When tries were made, oldest first. Keys in order of their last try. */
  const tries = new Map<string, number[]>();

  const recent = (key: string, nowMs: number): number[] =>
    (tries.get(key) ?? []).filter((at) => nowMs - at < WINDOW_MS);

  const keep = (key: string, times: number[]): void => {
    tries.delete(key);
    tries.set(key, times);
    if (tries.size > keptMax) tries.delete(oldestToForget());
  };

  /** One that is held up is kept before others, or a flood of made-up names would let it go. */
  const oldestToForget = (): string => {
    let looked = 0;
    for (const [key, times] of tries) {
      if (times.length < triesPerMinute) return key;
      if (++looked >= LOOKED_AT_MAX) break;
    }
    return tries.keys().next().value!;
  };

  return {
    try({ address, name }, nowMs) {
      const keys = [`address ${network(address)}`, ...(name === undefined ? [] : [`name ${name}`])];
      const known = keys.map((key) => ({ key, times: recent(key, nowMs) }));
      const waits = known.map(({ times }) => (times.length < triesPerMinute ? 0 : times[0]! + WINDOW_MS - nowMs));
      const waitMs = Math.max(...waits);
      if (waitMs === 0) for (const { key, times } of known) keep(key, [...times, nowMs]);
      return waitMs;
    },
  };
}

/** A machine has a whole /64 of IPv6 addresses to try from. */
function network(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail = ''] = address.split('%')[0]!.split('::');
  const before = head.split(':').filter((group) => group !== '');
  const after = tail.split(':').filter((group) => group !== '');
  const zeros = address.includes('::') ? Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0') : [];
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
