/**
 * A short, deterministic part of the simulation; `node build/simulate.ts` runs
 * thousands of seeds and all mutants. Rules named by their killers there:
 * P1 to P36 as far as `mutants.ts` breaks them.
 */
import { describe, expect, it } from 'vitest';
import { moods } from './faults.ts';
import { mutants } from './mutants.ts';
import { runSeed } from './run.ts';

const STEPS = 3_000;

describe('the simulated cluster', () => {
  it('plays a seed the same way twice, line by line', () => {
    const told = (): string[] => {
      const lines: string[] = [];
      runSeed({ seed: 12, steps: STEPS, log: (line) => lines.push(line) });
      return lines;
    };
    const first = told();
    expect(first.length).toBeGreaterThan(20);
    expect(told()).toEqual(first);
  });

  it.each(moods.map((mood) => mood.name))(
    'keeps its promises in trouble of the kind: %s',
    { timeout: 120_000 },
    (mood) => {
      for (let seed = 1; seed <= 6; seed++) {
        const { violation } = runSeed({ seed, steps: STEPS, mood });
        expect(violation, `node build/simulate.ts --seed ${seed} --steps ${STEPS} --mood ${mood}`).toBeNull();
      }
    },
  );

  it.each([
    'answers before its register is saved',
    'follows its own charter, not the newest',
    'leads without being in the write set',
    'activates before it is decided',
    'commits before its own sync',
    'the standby answers before its sync',
    'a worker ignores its fence',
    'a new active does not count from its beginning',
    'tasks of before a claim start at once',
    'a key that was used acts again',
    'enables what not all can read',
    'acts on what it can not read',
  ])('notices a broken rule: %s', { timeout: 120_000 }, (name) => {
    const found = [...Array(40).keys()].some((seed) => {
      const mutation = mutants[name]!();
      return runSeed({ seed: seed + 1, steps: 8_000, mutation, mood: mutation.mood }).violation !== null;
    });
    expect(found).toBe(true);
  });
});
