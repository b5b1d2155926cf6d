/** Plans: a job file with everything resolved, and scripts by their interpreters. */
import { describe, expect, test } from 'vitest';
import { jobFileJsonSchema } from '../../../node-runtime/contract/job-file.ts';
import { durationMs, durationText } from '../../../node-runtime/core/jobs/duration.ts';
import { planOf, planOfScript } from '../../../node-runtime/core/jobs/plan.ts';
import { secretsNamedIn } from '../../../node-runtime/core/jobs/secret-names.ts';
import { checkJobText } from '../../../node-runtime/requests/job-text.ts';

const job = (text: string) => {
  const { job: read, check } = checkJobText('in/nightly.job.yaml', text);
  if (!read) throw new Error(JSON.stringify(check.problems));
  return planOf(read, 'in/nightly.job.yaml');
};

describe('the plan of a job file', () => {
  test('holds the names of secrets by variable, the task before the job, and no key where there are none', () => {
    const plan = job(`
secrets: [TOKEN, DB_PASSWORD]
tasks:
  a: { run: "true" }
  b: { run: "true", secrets: { TOKEN: OTHER, PGPASSWORD: DB_PASSWORD }, env: { DB_PASSWORD: plain } }
`);
    expect(plan.tasks.map(({ secrets }) => secrets)).toEqual([
      { TOKEN: 'TOKEN', DB_PASSWORD: 'DB_PASSWORD' },
      { TOKEN: 'OTHER', PGPASSWORD: 'DB_PASSWORD' },
    ]);
    expect(secretsNamedIn(plan)).toEqual(['DB_PASSWORD', 'OTHER', 'TOKEN']);
    expect(job('tasks: { a: { run: "true" } }').tasks[0]).not.toHaveProperty('secrets');
  });

  test('has every default, duration and list resolved', () => {
    const plan = job(`
env: { PORT: 8080, DEBUG: true }
timeout: 90
tasks:
  a: { run: [./a.sh, 5, true, "\${{ success() }}"], env: { X: 1 }, working_directory: ./tools/, timeout: 1h30m }
  b: { run: echo b, needs: a, retry: 2, name: Bee, if: false }
  c: { run: echo c, needs: [a, b], retry: { attempts: 3, delay: 10s, backoff: 1.5 }, continue_on_error: true, if: failure() }
finally:
  z: { run: echo z }
`);
    expect(plan).toMatchObject({ name: 'nightly', format: 'job', environment: { PORT: '8080', DEBUG: 'true' } });
    expect(plan.tasks.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'z']);
    expect(plan.tasks[0]).toEqual({
      id: 'a',
      name: 'a',
      needs: [],
      finally: false,
      run: { program: './a.sh', arguments: ['5', 'true', `\${{ success() }}`] },
      environment: { X: '1' },
      workingDirectory: 'tools',
      timeoutMs: 5_400_000,
      attemptsMax: 1,
      retryDelayMs: 0,
      retryBackoff: 1,
      continueOnError: false,
    });
    expect(plan.tasks[1]).toMatchObject({
      name: 'Bee',
      needs: ['a'],
      condition: 'false',
      run: { shell: 'echo b' },
      timeoutMs: 90_000,
      attemptsMax: 3,
    });
    expect(plan.tasks[2]).toMatchObject({
      attemptsMax: 3,
      retryDelayMs: 10_000,
      retryBackoff: 1.5,
      continueOnError: true,
      condition: 'failure()',
    });
    expect(plan.tasks[3]).toMatchObject({ finally: true });
  });

  test('durations are read as people write them', () => {
    expect(['45s', '10m', '1h30m', '2d', 90, 0.5, '1d1h1m1s'].map(durationMs)).toEqual([
      45_000, 600_000, 5_400_000, 172_800_000, 90_000, 500, 90_061_000,
    ]);
    expect(['', '5', 'm', '1m1h', '-1s', '1.5h', '1 h', '1w', -1, Number.NaN].map(durationMs)).toEqual(
      Array(10).fill(null),
    );
    expect([0, 45_000, 90_061_000].map(durationText)).toEqual(['0 s', '45 s', '1 d 1 h 1 min 1 s']);
  });

  test('the published schema knows the words of the language', () => {
    const schema = JSON.stringify(jobFileJsonSchema());
    for (const word of ['parameters', 'continue_on_error', 'working_directory', 'finally', 'backoff'])
      expect(schema).toContain(`"${word}"`);
    expect(jobFileJsonSchema()).toMatchObject({ type: 'object', additionalProperties: false, required: ['tasks'] });
  });
});

describe('the plan of a script', () => {
  test.each([
    ['a.sh', '', false, ['/bin/sh', './a.sh']],
    ['in/load.py', 'import os', false, ['python3', './in/load.py']],
    ['a.mjs', '', true, ['node', './a.mjs']],
    ['a.ps1', '', false, ['pwsh', '-File', './a.ps1']],
    ['a.rb', '', false, ['ruby', './a.rb']],
    ['a.pl', '', false, ['perl', './a.pl']],
    ['a.sh', '#!/bin/bash -eu', true, ['/bin/bash', '-eu', './a.sh']],
    ['tool', '#!/usr/bin/env python3', false, ['/usr/bin/env', 'python3', './tool']],
    ['tool', '#! /usr/bin/env -S node --test \r', false, ['/usr/bin/env', '-S node --test', './tool']],
    ['-rf.sh', '', false, ['/bin/sh', './-rf.sh']],
    ['tool', '\u007fELF', true, ['./tool']],
    ['tool', 'echo hi', false, ['/bin/sh', './tool']],
  ])('%s with the first line %j', (path, firstLine, executable, command) => {
    const plan = planOfScript(path, firstLine, executable);
    const [program, ...rest] = command;
    expect(plan).toMatchObject({
      format: 'script',
      tasks: [{ id: 'script', run: { program, arguments: rest }, workingDirectory: '' }],
    });
  });
});
