/**
 * The simulation for as long as there is time: new seeds each day, so that CI
 * sees more of them with every run. `BINNACLE_SIM_SECONDS` says how long;
 * `npm test` gives it five minutes, `npm run check` half a minute. A seed that
 * fails prints itself and is played again by `npm run sim -- --seed N`.
 */
import { expect, it } from 'vitest';
import { runSeed } from './run.ts';

const seconds = Number(process.env['BINNACLE_SIM_SECONDS'] ?? 30);
const STEPS = 8_000;

it('keeps its promises on seeds that were never played before', { timeout: seconds * 1_000 + 120_000 }, () => {
  const until = performance.now() + seconds * 1_000;
  const first = 1_000_000 + Math.floor(Date.now() / 86_400_000) * 10_000;
  let seed = first;
  let steps = 0;
  while (performance.now() < until) {
    const result = runSeed({ seed, steps: STEPS });
    steps += result.steps;
    expect(result.violation, `npm run sim -- --seed ${seed} --steps ${STEPS}`).toBeNull();
    seed++;
  }
  console.log(`simulated ${seed - first} seeds from ${first} on, ${steps} steps, no violation`);
  expect(steps).toBeGreaterThan(STEPS);
});
