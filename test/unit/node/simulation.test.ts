/**
 * A cluster of whole nodes in simulation: the quick part. `test/node-simulation`
 * plays more seeds; `BINNACLE_NODE_SEED=N` plays one again and tells its story.
 *
 * Rules: P1, P9, P12 to P17, P26, P27, P31, P33, P35, P36.
 */
import { describe, expect, it } from 'vitest';
import { runSeed } from '../../node-simulation/run.ts';
import { playSeeds, rare } from '../../node-simulation/seeds.ts';

const wanted = process.env['BINNACLE_NODE_SEED'];
const SEEDS = wanted ? [Number(wanted)] : [47, 6, 9, 20, 4, 1, 3, 117, 13];

describe('whole nodes in a simulated cluster', () => {
  it('keep every promise through crashes, cuts, full disks, hand-overs and confirmed losses', {
    timeout: 120_000,
  }, async () => {
    const counts = await playSeeds(SEEDS, wanted !== undefined);
    // A simulation in which nothing rare happened proves nothing.
    if (!wanted) for (const what of rare) expect(counts.get(what) ?? 0, what).toBeGreaterThan(0);
  });

  it('play a seed the same way twice, line by line', { timeout: 60_000 }, async () => {
    const story = async (): Promise<string[]> => {
      const lines: string[] = [];
      await runSeed(24, (line) => lines.push(line));
      return lines;
    };
    const first = await story();
    expect(first.length).toBeGreaterThan(40);
    expect(await story()).toEqual(first);
  });
});
