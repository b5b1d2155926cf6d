/** Plays seeds one after the other and sums up what happened; a seed that fails tells its story. */
import { runSeed } from './run.ts';

/** Of these each must have happened in any collection of seeds, or it proves nothing. */
export const rare = [
  ...[
    'fail-overs',
    'claims followed',
    'quarantines',
    'rebuilds',
    'snapshots installed',
    'leases ended',
    'adopted',
    'lost',
  ],
  ...['wishes that waited', 'reloads', 'switch-overs', 'parked', 'seat changes', 'moved after a lease or a loss'],
  ...[
    'attempts again',
    'entries read from disk',
    'orders refused by a fence',
    'keys repeated',
    'fresh reads',
    'replays',
  ],
  ...['refused unknown_outcome', 'requests without an answer'],
];

export async function playSeeds(seeds: number[], tells = false): Promise<Map<string, number>> {
  const sum = new Map<string, number>();
  for (const seed of seeds) {
    const { violation, counts, lines, mood } = await runSeed(seed, tells ? (line) => console.log(line) : null);
    for (const [what, count] of counts) sum.set(what, (sum.get(what) ?? 0) + count);
    if (violation === null) continue;
    const again = `BINNACLE_NODE_SEED=${seed} npx vitest run --config test/vitest.config.ts test/unit/node/simulation.test.ts`;
    throw new Error(`seed ${seed} (${mood}): ${violation}\nPlay it again: ${again}\n${lines.join('\n')}`);
  }
  return sum;
}
