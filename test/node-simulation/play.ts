/** `node test/node-simulation/play.ts FROM [TO] [--log]`: plays seeds by hand. */
import { moods } from './faults.ts';
import { runSeed } from './run.ts';

const numbers = process.argv
  .slice(2)
  .filter((text) => /^\d+$/.test(text))
  .map(Number);
const [from = 1, to = from] = numbers;
const sum = new Map<string, number>();
let failed = 0;
const tell = process.argv.includes('--log') ? (line: string) => console.log(line) : null;
for (let seed = from; seed <= to; seed++) {
  const begun = performance.now();
  const { violation, counts, steps, restMs, lines } = await runSeed(seed, tell);
  for (const [what, count] of counts) sum.set(what, (sum.get(what) ?? 0) + count);
  if (violation !== null) failed++;
  if (violation !== null && !tell && to === from) console.log(lines.join('\n'));
  const took = `${((performance.now() - begun) / 1_000).toFixed(1)} s`;
  console.log(
    `${seed} ${moods[seed % moods.length]!.name}: ${steps} steps, rest after ${restMs} ms, ${took} ${violation ?? ''}`,
  );
}
console.log(
  [...sum]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `${what} ${count}`)
    .join('\n'),
);
console.log(`${failed} failed`);
