/**
 * Runs the cluster simulation: `node build/simulate.ts --seed 1 --seeds 1000`.
 *
 *   --seed N     first seed; a single seed prints what happened
 *   --seeds K    how many seeds, one after another
 *   --steps M    steps of trouble in each
 *   --mood NAME  only this kind of trouble
 *   --mutant N   break one rule from outside; exit code 0 when it was found
 *   --mutants    all of them, as a table
 *
 * Exit code 1 when an invariant was broken, or when a rare situation that must
 * occur never did.
 */
import { parseArgs } from 'node:util';
import { mutants } from '../test/simulation/mutants.ts';
import { rareSituations } from '../test/simulation/rare.ts';
import { type RunResult, runSeed } from '../test/simulation/run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '8000' },
    mood: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
  },
});
const [first, count, steps] = [Number(values.seed), Number(values.seeds), Number(values.steps)];
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function find(name: string): { seed: number; result: RunResult; steps: number } | null {
  let done = 0;
  for (let seed = first; seed < first + count; seed++) {
    const mutation = mutants[name]!();
    const result = runSeed({ seed, steps, mutation, mood: values.mood ?? mutation.mood });
    done += result.steps;
    if (result.violation) return { seed, result, steps: done };
  }
  return null;
}

function table(): number {
  let missed = 0;
  say('| Rule broken | How | Found by | Seeds | Steps |\n|---|---|---|---|---|');
  for (const name of Object.keys(mutants)) {
    const found = find(name);
    if (!found) missed++;
    const by = found ? (found.result.violation ?? '').slice(0, 90) : '**never**';
    say(
      `| ${mutants[name]!().rule} | ${name} | ${by} | ${found ? found.seed - first + 1 : count} | ${found?.steps ?? ''} |`,
    );
  }
  return missed === 0 ? 0 : 1;
}

function plain(): number {
  const totals = new Map<string, number>();
  const begun = performance.now();
  let done = 0;
  let slowest = 0;
  for (let seed = first; seed < first + count; seed++) {
    const verbose = (count === 1 || values.log) && { log: say };
    const result = runSeed({ seed, steps, mood: values.mood, ...verbose });
    done += result.steps;
    slowest = Math.max(slowest, result.peaceMs);
    for (const [what, times] of result.counts) totals.set(what, (totals.get(what) ?? 0) + times);
    if (!result.violation) continue;
    say(`seed ${seed} (${result.mood}), step ${result.steps}: ${result.violation}`);
    say(
      `play it again: node build/simulate.ts --seed ${seed} --steps ${steps}${values.mood ? ` --mood ${values.mood}` : ''}`,
    );
    return 1;
  }
  for (const [what, times] of [...totals].sort()) say(`${String(times).padStart(10)}  ${what}`);
  say(
    `${count} seeds, ${done} steps, ${((performance.now() - begun) / 1000).toFixed(1)} s; whole again after at most ${slowest} ms of peace`,
  );
  const never = count >= 300 && !values.mood ? rareSituations.filter((what) => !totals.get(what)) : [];
  for (const what of never) say(`never happened: ${what}`);
  return never.length === 0 ? 0 : 1;
}

if (values.mutants) process.exit(table());
if (values.mutant) {
  const found = find(values.mutant);
  say(
    found
      ? `${values.mutant}: seed ${found.seed}, ${found.steps} steps: ${found.result.violation}`
      : `${values.mutant}: not found`,
  );
  process.exit(found ? 0 : 1);
}
process.exit(plain());
