/**
 * Chance from a seed, so that a run can be played again bit by bit.
 * A 32-bit generator (mulberry); good enough to choose faults, for nothing else.
 */
export type Chance = {
  next(): number;
  /** true with this probability */
  happens(probability: number): boolean;
  whole(from: number, to: number): number;
  pick<T>(list: readonly T[]): T;
};

export function chanceOf(seed: number): Chance {
  let state = (seed * 2_654_435_761 + 0x9e37_79b9) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    happens: (probability) => next() < probability,
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
    pick: (list) => list[Math.floor(next() * list.length)]!,
  };
}
