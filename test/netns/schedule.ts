/**
 * When which fault begins and ends, from a seed: so a schedule can be had again
 * (what the machines do meanwhile can not).
 *
 * Faults of one round overlap; every round has one for certain, and each next
 * one with the chance asked for. At the end of a round all have ended.
 */
import { type Chance, chanceOf } from '../simulation/random.ts';
import type { Fault } from './faults.ts';

export type Step = { atMs: number; what: 'begin' | 'end'; fault: number };
export type Bounds = {
  faults: number;
  /** How long a fault lasts. */
  lastsMs: readonly [number, number];
  /** The beginnings lie within so much. */
  withinMs: number;
  /** Chance of each further fault in the same round. */
  more: number;
  atOnceMax: number;
};

/** One round, as begins and ends by time. */
export function scheduleOf(chance: Chance, bounds: Bounds): Step[] {
  const left = Array.from({ length: bounds.faults }, (_, at) => at);
  const chosen: number[] = [];
  while (left.length > 0 && chosen.length < bounds.atOnceMax && (chosen.length === 0 || chance.happens(bounds.more))) {
    chosen.push(...left.splice(chance.whole(0, left.length - 1), 1));
  }
  const steps = chosen.flatMap((fault): Step[] => {
    const atMs = chance.whole(0, bounds.withinMs);
    const lastsMs = chance.whole(bounds.lastsMs[0], bounds.lastsMs[1]);
    return [
      { atMs, what: 'begin', fault },
      { atMs: atMs + lastsMs, what: 'end', fault },
    ];
  });
  return steps.sort((a, b) => a.atMs - b.atMs);
}

/** Plays one round. Whatever happens, every fault that began has ended when this returns or throws. */
export async function play(
  steps: readonly Step[],
  faults: readonly Fault[],
  said: (line: string) => void,
): Promise<void> {
  const begun = performance.now();
  const open = new Set<Fault>();
  try {
    for (const step of steps) {
      await new Promise((done) => setTimeout(done, Math.max(0, step.atMs - (performance.now() - begun))));
      const fault = faults[step.fault]!;
      said(`${step.what} ${fault.name}`);
      if (step.what === 'begin') open.add(fault);
      await fault[step.what]();
      if (step.what === 'end') open.delete(fault);
    }
  } finally {
    for (const fault of open) await fault.end();
  }
}

export { chanceOf };
