/**
 * The real core in every interleaving of small clusters: the bounds of CI, and
 * the broken rules that must be found. Larger bounds: `core-explorer.ts --large`.
 * Rules: P4 to P6, P10, P13, P15, P27 to P35.
 */
import { describe, expect, it } from 'vitest';
import type { Bounds } from './core-acts.ts';
import { beginOf, configurations } from './core-configurations.ts';
import { mutants } from './core-mutants.ts';
import { type Found, search } from './core-search.ts';

/** Fewer states than this would mean that something was not explored at all. */
const STATES_MIN: Record<string, number> = {
  'claim-kept': 20_000,
  'claim-again': 20_000,
  'claim-era': 300_000,
  'two-claims': 300_000,
  'claim-workers': 50_000,
  parking: 300_000,
  'hand-over': 400_000,
  workers: 250_000,
  'old-image': 8_000,
};

/** Broken in the core now, each with a trace by `core-explorer.ts NAME`: take a name out when its repair is in. */
const OPEN = new Set<string>([]);

function exploreAll(name: string, all: Bounds[]): { found: Found[]; happened: Set<string> } {
  const found: Found[] = [];
  for (const bounds of all) {
    const { world, row } = beginOf(name, bounds);
    found.push(search(world, row));
  }
  return { found, happened: new Set(found.flatMap(({ counts }) => [...counts.keys()])) };
}

describe('the core in every interleaving', () => {
  for (const [name, { about, small, happens }] of Object.entries(configurations)) {
    const test = OPEN.has(name) ? it.fails : it;
    test(`keeps its promises: ${name}, where ${about}`, { timeout: 300_000 }, () => {
      const { found, happened } = exploreAll(name, small);
      for (const { violation, trace, complete } of found) {
        expect(violation, trace.join('\n')).toBeNull();
        expect(complete).toBe(true);
      }
      expect(found.reduce((sum, { states }) => sum + states, 0)).toBeGreaterThan(STATES_MIN[name]!);
      expect(happens.filter((what) => !happened.has(what))).toEqual([]);
    });
  }

  it.each(Object.keys(mutants))('notices a broken rule: %s', { timeout: 300_000 }, (name) => {
    const { configuration, bounds, bend } = mutants[name]!;
    const whole = beginOf(configuration, bounds);
    const { world, row } = beginOf(configuration, bounds, bend);
    const { violation, depth } = search(world, row);
    expect(violation).not.toBeNull();
    const unbent = search(whole.world, whole.row, { depthMax: depth, statesMax: 200_000 });
    expect(unbent.violation).toBeNull(); // it is the broken rule that is found
  });
});
