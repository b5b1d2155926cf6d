/**
 * A cluster of whole nodes in simulation, for longer: part of `npm test`, not
 * of `npm run check`. `BINNACLE_NODE_SEEDS=500` plays as many.
 */
import { expect, it } from 'vitest';
import { playSeeds, rare } from './seeds.ts';

const count = Number(process.env['BINNACLE_NODE_SEEDS'] ?? 36);

it('whole nodes keep every promise, for many seeds', { timeout: 60_000 + count * 10_000 }, async () => {
  const counts = await playSeeds(Array.from({ length: count }, (_, place) => 1_000 + place));
  for (const what of rare) expect(counts.get(what) ?? 0, what).toBeGreaterThan(0);
});
