/**
 * What job files promise, seen on a real node with real processes: parameters
 * and environment, order, retries, timeouts, cancelling, output; and that jobs
 * outlive the node and the runner. Most tests share one node and run side by
 * side; those that stop it come after, on the same folder.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LaunchForm, Run, RunSummary, Task } from '../../../node-runtime/contract/model.ts';
import { eventually, hasEnded, RealNode, refusalOf } from '../../support/real-node.ts';

let node: RealNode;
let outside: string;

beforeAll(async () => {
  outside = mkdtempSync(path.join(tmpdir(), 'binnacle-jobs-'));
  node = await (await RealNode.found()).start();
  await node.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
  await node.put('work', 'quick.sh', '#!/bin/sh\necho quick\n');
});
afterAll(async () => {
  await node?.remove();
  rmSync(outside, { recursive: true, force: true });
});

/** A path outside of all sandboxes, where jobs of a test leave marks. */
const mark = (): string => path.join(outside, randomUUID());
const markedIn = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
const task = (run: Run, id: string): Task => run.tasks.find((one) => one.id === id)!;
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // a zombie that nobody has reaped yet is dead
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};
const states = (run: Run) => Object.fromEntries(run.tasks.map((one) => [one.id, one.state]));
/** Keeps a file and runs it to its end. */
async function through(file: string, text: string, parameters?: Record<string, string | number | boolean>) {
  await node.put('work', file, text);
  return node.through('work', file, parameters);
}
const launch = (body: object) => node.ask('POST', '/api/v1/runs', { sandbox: 'work', ...body });

describe.concurrent('a run', () => {
  it('of a script gets its parameters as PARAM_NAME, and nothing of the environment of the node', async ({
    expect,
  }) => {
    const text = '#!/bin/sh\necho "$PARAM_SITE|$PARAM_COUNT|$PARAM_DRY"\nenv | grep -c SECRET_OF_NODE\npwd\nexit 0\n';
    const run = await through('hello.sh', text, { site: 'north; rm -rf /', count: 3, dry: true });
    expect([run.state, run.exitCode, run.parameters]).toEqual([
      'succeeded',
      0,
      { site: 'north; rm -rf /', count: 3, dry: true },
    ]);
    const [first, second] = (await node.output(run.id, 'script')).split('\n');
    expect([first, second]).toEqual(['north; rm -rf /|3|true', '0']);
  });

  it('of a job file runs its tasks in order, with defaults, environment and a shared folder', async ({ expect }) => {
    const run = await through(
      'two.job.yaml',
      `name: Two steps
parameters:
  greeting: hi
  times: { type: integer, default: 2 }
env: { PLACE: lab, WHAT: all }
tasks:
  second:
    needs: first
    env: { WHAT: "task \${{ params.greeting }}" }
    run: |
      cat made.txt
      echo "$PLACE/$WHAT/$PARAM_GREETING/\${{ params.times }}"
  first:
    run: [sh, -c, 'echo made by $BINNACLE_TASK > made.txt']
`,
    );
    expect([run.name, run.state, states(run)]).toEqual([
      'Two steps',
      'succeeded',
      { first: 'succeeded', second: 'succeeded' },
    ]);
    expect(await node.output(run.id, 'second')).toBe('made by first\nlab/task hi/hi/2\n');
    const [first, second] = [task(run, 'first').attempts[0]!, task(run, 'second').attempts[0]!];
    expect(Date.parse(second.startedAt!)).toBeGreaterThanOrEqual(Date.parse(first.endedAt!));
    expect([first.outputBytes, second.outputBytes, second.exitCode, second.cause]).toEqual([0, 31, 0, 'exit']);
  });

  it('takes values as values: nothing that is given can become a command', async ({ expect }) => {
    const evil = '"; touch pwned; echo "$(touch pwned) `touch pwned` \'; touch pwned #';
    const run = await through(
      'values.job.yaml',
      `parameters: { text: { type: text } }
tasks:
  shell: { run: 'printf "%s\\n" "\${{ params.text }}"' }
  list: { run: [printf, '%s\\n', '\${{ params.text }}'] }
  env: { env: { V: '\${{ params.text }}' }, run: 'printf "%s\\n" "$V"' }
finally:
  look: { run: ls }
`,
      { text: evil },
    );
    expect(run.state).toBe('succeeded');
    for (const id of ['shell', 'list', 'env']) expect([id, await node.output(run.id, id)]).toEqual([id, `${evil}\n`]);
    expect(await node.output(run.id, 'look')).not.toContain('pwned');
  });

  it('skips what its conditions say, and what needs a task that was skipped or failed', async ({ expect }) => {
    const run = await through(
      'if.job.yaml',
      `parameters: { full: false }
tasks:
  a: { run: 'true' }
  not-full: { needs: a, if: params.full, run: 'true' }
  after-skip: { needs: not-full, run: 'true' }
  breaks: { run: exit 3 }
  after-break: { needs: breaks, run: 'true' }
  on-failure: { needs: breaks, if: failure(), run: 'echo mending' }
  soft: { run: exit 4, continue_on_error: true }
  after-soft: { needs: soft, run: 'true' }
finally:
  always: { run: 'echo $BINNACLE_RUN' }
`,
    );
    expect(states(run)).toEqual({
      a: 'succeeded',
      'not-full': 'skipped',
      'after-skip': 'skipped',
      breaks: 'failed',
      'after-break': 'skipped',
      'on-failure': 'succeeded',
      soft: 'failed',
      'after-soft': 'succeeded',
      always: 'succeeded',
    });
    expect([run.state, run.exitCode]).toEqual(['failed', 3]);
    expect(run.reason).toBe('breaks ended with exit code 3.');
    expect(await node.output(run.id, 'always')).toBe(`${run.id}\n`);
  });

  it('that fails only where it may is a success', async ({ expect }) => {
    const run = await through('soft.job.yaml', 'tasks:\n  soft: { run: exit 9, continue_on_error: true }\n');
    expect([run.state, states(run)]).toEqual(['succeeded', { soft: 'failed' }]);
  });

  it('tries again after the delay, and every attempt keeps its own output and end', async ({ expect }) => {
    const count = mark();
    const run = await through(
      'retry.job.yaml',
      `tasks:
  flaky:
    retry: { attempts: 3, delay: 0.3, backoff: 2 }
    run: |
      echo x >> '${count}'
      echo attempt $BINNACLE_ATTEMPT_NUMBER
      [ $(wc -l < '${count}') -ge 3 ]
`,
    );
    const attempts = task(run, 'flaky').attempts;
    expect([run.state, attempts.map((one) => [one.number, one.state, one.exitCode])]).toEqual([
      'succeeded',
      [
        [1, 'failed', 1],
        [2, 'failed', 1],
        [3, 'succeeded', 0],
      ],
    ]);
    const gaps = [1, 2].map((at) => Date.parse(attempts[at]!.placedAt) - Date.parse(attempts[at - 1]!.endedAt!));
    expect(gaps[0]).toBeGreaterThanOrEqual(295);
    expect(gaps[1]).toBeGreaterThanOrEqual(595);
    expect(await node.output(run.id, 'flaky', '?attempt=2')).toBe('attempt 2\n');
    expect(await node.output(run.id, 'flaky')).toBe('attempt 3\n');
    expect(refusalOf(await node.ask('GET', `/api/v1/runs/${run.id}/tasks/flaky/log?attempt=4`))).toBe(
      '404 log_unknown',
    );
    expect(refusalOf(await node.ask('GET', `/api/v1/runs/${run.id}/tasks/nope/log`))).toBe('404 task_unknown');
    expect(refusalOf(await node.ask('GET', '/api/v1/runs/r-nope/tasks/nope/log'))).toBe('404 run_unknown');
  });

  it('that takes too long is terminated, and killed when it does not listen', { timeout: 60_000 }, async ({
    expect,
  }) => {
    const run = await through(
      'slow.job.yaml',
      `tasks:
  polite: { timeout: 1s, run: "trap 'echo ending; exit 7' TERM; sleep 60 & wait" }
  deaf: { timeout: 1s, run: "trap '' TERM; while :; do sleep 1; done" }
`,
    );
    const [polite, deaf] = [task(run, 'polite').attempts[0]!, task(run, 'deaf').attempts[0]!];
    expect([run.state, polite.state, polite.cause, deaf.cause]).toEqual(['failed', 'failed', 'timeout', 'timeout']);
    expect(await node.output(run.id, 'polite')).toBe('ending\n');
    expect(deaf.signal).toBe('SIGKILL');
    const tookMs = Date.parse(deaf.endedAt!) - Date.parse(deaf.startedAt!);
    expect(tookMs).toBeGreaterThan(10_000); // the grace between TERM and KILL
    expect(run.reason).toContain('took too long');
  });

  it('shows exit codes and signals as they were, and why something could not be started', async ({ expect }) => {
    const run = await through(
      'ends.job.yaml',
      `tasks:
  code: { run: exit 42, continue_on_error: true }
  signal: { run: 'kill -SEGV $$', continue_on_error: true }
  missing: { run: [no-such-program-here], continue_on_error: true }
  nowhere: { working_directory: not/there, run: pwd, continue_on_error: true }
`,
    );
    const ends = run.tasks
      .map((one) => one.attempts[0]!)
      .map(({ state, cause, exitCode, signal }) => ({ state, cause, exitCode, signal }));
    expect(ends[0]).toEqual({ state: 'failed', cause: 'exit', exitCode: 42, signal: undefined });
    expect(ends[1]).toMatchObject({ state: 'failed', cause: 'signal', signal: 'SIGSEGV' });
    expect(ends[2]).toMatchObject({ state: 'failed', cause: 'cannot_start' });
    expect(task(run, 'missing').attempts[0]!.detail).toContain('no-such-program-here');
    expect(ends[3]).toMatchObject({ state: 'failed', cause: 'cannot_start' });
    expect(task(run, 'nowhere').attempts[0]!.detail).toContain('not/there');
  });

  it('that is cancelled ends with all the processes it started; finally still runs', async ({ expect }) => {
    const pids = mark();
    await node.put(
      'work',
      'family.job.yaml',
      `tasks:
  parent:
    run: |
      sleep 300 & echo $! >> '${pids}'
      (sleep 300 & echo $! >> '${pids}'; wait) &
      setsid sleep 300 & echo $! >> '${pids}'
      echo $$ >> '${pids}'
      wait
  later: { needs: parent, run: 'true' }
finally:
  tidy: { run: 'echo tidied' }
`,
    );
    const { id } = await node.launch('work', 'family.job.yaml');
    const family = await eventually('all four are running', () => {
      const found = markedIn(pids).trim().split('\n').map(Number);
      return found.length === 4 && found;
    });
    expect(family.map(isAlive)).toEqual([true, true, true, true]);
    const asked = await node.must<Run>('POST', `/api/v1/runs/${id}/cancel`);
    expect(asked.reason).toBe('It is being cancelled.');
    const run = await node.until(id);
    expect([run.state, states(run)]).toEqual([
      'cancelled',
      { parent: 'cancelled', later: 'cancelled', tidy: 'succeeded' },
    ]);
    await eventually('all four are gone', () => family.every((pid) => !isAlive(pid)));
    expect(await node.output(id, 'tidy')).toBe('tidied\n');
    expect(refusalOf(await node.ask('POST', `/api/v1/runs/${id}/cancel`))).toBe('409 run_ended');
    expect(refusalOf(await node.ask('POST', '/api/v1/runs/r-nope/cancel'))).toBe('404 run_unknown');
  });

  it('that is cancelled in the moment it was launched ends too', async ({ expect }) => {
    await node.put('work', 'long.sh', '#!/bin/sh\nexec sleep 300\n');
    const ids = (await Promise.all(Array.from({ length: 24 }, () => node.launch('work', 'long.sh')))).map(
      (one) => one.id,
    );
    await Promise.all(ids.map((id) => node.must('POST', `/api/v1/runs/${id}/cancel`)));
    const runs = await Promise.all(ids.map((id) => node.until(id)));
    expect(runs.map((run) => run.state)).toEqual(ids.map(() => 'cancelled'));
  });

  it('keeps what it pinned: files that are edited after the launch change nothing in it', async ({ expect }) => {
    const go = mark();
    await node.put('work', 'pin/part.txt', 'old');
    await node.put(
      'work',
      'pin.job.yaml',
      `tasks:
  first: { run: "until [ -e '${go}' ]; do sleep 0.05; done" }
  second: { needs: first, run: cat pin/part.txt }
`,
    );
    const { id, revision } = await node.launch('work', 'pin.job.yaml');
    expect(revision).toBeGreaterThan(0);
    await node.until(id, (run) => task(run, 'first').attempts[0]?.state === 'running');
    await node.put('work', 'pin/part.txt', 'new');
    await node.put('work', 'pin.job.yaml', 'tasks:\n  other: { run: exit 1 }\n');
    writeFileSync(go, '');
    const run = await node.until(id);
    expect([run.state, states(run)]).toEqual(['succeeded', { first: 'succeeded', second: 'succeeded' }]);
    expect(await node.output(id, 'second')).toBe('old');
    expect((await node.ask('GET', '/api/v1/sandboxes/work/files/pin/part.txt')).text).toBe('new');
  });

  it('is refused with problems when the job file or its parameters are wrong', async ({ expect }) => {
    await node.put('work', 'bad.job.yaml', 'tasks:\n  a:\n    run: echo a\n    neds: b\n');
    const wrong = await launch({ path: 'bad.job.yaml' });
    expect(refusalOf(wrong)).toBe('422 job_file_wrong');
    const { problems } = wrong.json() as { problems: object[] };
    expect(problems).toMatchObject([{ line: 4, column: 5 }]);
    await node.put(
      'work',
      'asks.job.yaml',
      'parameters:\n  day: { type: date }\n  size: { type: integer, maximum: 5, default: 1 }\ntasks:\n  a: { run: echo a }\n',
    );
    const told = async (parameters: object) => {
      const answer = await launch({ path: 'asks.job.yaml', parameters });
      return [
        refusalOf(answer),
        ...((answer.json() as { problems?: { path: string }[] }).problems ?? []).map((one) => one.path),
      ];
    };
    expect(await told({})).toEqual(['422 parameters_wrong', 'parameters.day']);
    expect(await told({ day: 'today', sizes: 3 })).toEqual(['422 parameters_wrong', 'parameters.sizes']);
    expect(await told({ day: 'tomorrow-ish', size: 9 })).toEqual([
      '422 parameters_wrong',
      'parameters.day',
      'parameters.size',
    ]);
    await node.put('work', 'plain.txt', 'hello');
    expect(refusalOf(await launch({ path: 'plain.txt' }))).toBe('422 not_launchable');
    expect(refusalOf(await launch({ path: 'nothing.sh' }))).toBe('404 file_unknown');
    expect(refusalOf(await launch({ path: '../x.sh' }))).toBe('400 path_refused');
    expect(refusalOf(await launch({ sandbox: 'nope', path: 'x.sh' }))).toBe('404 sandbox_unknown');
  });

  it('has a form: fields with their defaults of today, tasks, and where it would run', async ({ expect }) => {
    await node.put(
      'work',
      'form.job.yaml',
      'description: To fill in\nparameters:\n  day: { type: date, default: today }\n  kind: { type: choice, options: [a, b], default: b }\ntasks:\n  one: { run: echo 1 }\n  two: { needs: one, run: echo 2 }\n',
    );
    const form = await node.must<LaunchForm>('GET', '/api/v1/sandboxes/work/launch-form?path=form.job.yaml');
    expect(form).toMatchObject({ description: 'To fill in', format: 'job', open: false });
    expect(form.parameters).toMatchObject([
      { name: 'day', type: 'date', default: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) },
      { name: 'kind', type: 'choice', options: ['a', 'b'], default: 'b' },
    ]);
    expect(form.tasks.map((one) => [one.id, one.needs])).toEqual([
      ['one', []],
      ['two', ['one']],
    ]);
    expect(form.placement).toMatchObject([{ suits: true, sentence: expect.stringContaining('atlas') }]);
    const asked = await node.ask('GET', '/api/v1/sandboxes/work/launch-form?path=nothing.job.yaml');
    expect(refusalOf(asked)).toBe('404 file_unknown');
  });

  it('is read from any offset, from the end, with times, and followed to its end', async ({ expect }) => {
    await node.put('work', 'talks.sh', '#!/bin/sh\nfor i in 1 2 3 4 5; do echo "line $i"; sleep 0.2; done\n');
    const { id } = await node.launch('work', 'talks.sh');
    await node.until(id, (run) => run.tasks[0]!.attempts.length === 1);
    const log = `/api/v1/runs/${id}/tasks/script/log`;
    const following = await node.stream(`${log}?follow=1`);
    await eventually('the first line comes before the end', () => following.text().startsWith('line 1\n'));
    expect(following.text()).not.toContain('line 5');
    await following.over;
    expect(following.text()).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n');
    await node.until(id);
    const part = await node.ask('GET', `${log}?offset=7&limit=6`);
    expect([part.text, part.headers['binnacle-log-offset'], part.headers['binnacle-log-end']]).toEqual([
      'line 2',
      '7',
      '35',
    ]);
    expect(await node.output(id, 'script', '?offset=-7')).toBe('line 5\n');
    expect((await node.ask('GET', `${log}?offset=-1000`)).headers['binnacle-log-offset']).toBe('0');
    expect(await node.output(id, 'script', '?offset=35')).toBe('');
    expect(await node.output(id, 'script', '?offset=9999')).toBe('');
    expect((await node.ask('HEAD', log)).headers['binnacle-log-end']).toBe('35');
    const again = await node.stream(`${log}?follow=1&offset=28`);
    await again.over;
    expect(again.text()).toBe('line 5\n');
    const { times } = await node.must<{ times: { offset: number; at: number }[] }>('GET', `${log}/times`);
    expect(times.length).toBeGreaterThan(1);
    expect(times.map((one) => one.offset)).toEqual(times.map((one) => one.offset).sort((a, b) => a - b));
    expect(times.at(-1)!.offset).toBeLessThanOrEqual(35);
  });

  it('in a local sandbox works in its directory itself', async ({ expect }) => {
    const directory = path.join(outside, 'local');
    mkdirSync(directory);
    await node.must('POST', '/api/v1/sandboxes', { name: 'local', kind: 'local', directory });
    await node.put('local', 'here.sh', '#!/bin/sh\npwd; echo made > by-job.txt\n');
    const run = await node.through('local', 'here.sh');
    expect([run.state, run.revision]).toEqual(['succeeded', undefined]);
    expect(await node.output(run.id, 'script')).toBe(`${directory}\n`);
    expect(readFileSync(path.join(directory, 'by-job.txt'), 'utf8')).toBe('made\n');
    expect(existsSync(path.join(directory, 'here.sh'))).toBe(true); // the sweep after the run leaves it alone
  });

  it('leaves no folder behind when it has ended, and keeps its sandbox from being removed before', async ({
    expect,
  }) => {
    await node.must('POST', '/api/v1/sandboxes', { name: 'busy', kind: 'shared' });
    await node.put('busy', 'wait.sh', '#!/bin/sh\nexec sleep 300\n');
    const { id } = await node.launch('busy', 'wait.sh');
    await node.until(id, (run) => run.state === 'running');
    expect(refusalOf(await node.ask('DELETE', '/api/v1/sandboxes/busy'))).toBe('409 sandbox_in_use');
    await node.must('POST', `/api/v1/runs/${id}/cancel`);
    await node.until(id);
    expect(refusalOf(await node.ask('DELETE', '/api/v1/sandboxes/busy'))).toBe('204');
    await eventually(
      'its work folder is swept',
      () => !readdirSync(path.join(node.data, 'work')).some((one) => one.includes(id)),
    );
  });

  it('that would be too large to journal is refused, and the node goes on', async ({ expect }) => {
    // each value stands in the entry twice, with every quotation mark escaped: together more than an entry may hold
    const names = (kind: string, count: number) => Array.from({ length: count }, (_, at) => `${kind}${at}`);
    const defaults = names('d', 7).map((name) => `  ${name}: '${'"'.repeat(32_000)}'\n`);
    const given = Object.fromEntries(names('g', 30).map((name) => [name, '"'.repeat(32_000)]));
    const fields = `${defaults.join('')}${names('g', 30)
      .map((name) => `  ${name}: { type: text }\n`)
      .join('')}`;
    await node.put('work', 'huge.job.yaml', `parameters:\n${fields}tasks:\n  a: { run: ':' }\n`);
    expect(refusalOf(await launch({ path: 'huge.job.yaml', parameters: given }))).toBe('422 limit_reached');
    const aliases = Array.from({ length: 60 }, (_, at) => `  u${at}: { run: *text }\n`).join('');
    await node.put('work', 'alias.job.yaml', `tasks:\n  t: { run: &text "${'x'.repeat(200_000)}" }\n${aliases}`);
    expect(refusalOf(await launch({ path: 'alias.job.yaml' }))).toBe('422 job_file_wrong');
    expect((await node.ask('GET', '/healthz')).status).toBe(200);
  });
});

describe('the list of runs', () => {
  it('pages through 250 runs, newest first, none lost or doubled, and finds them by state, path and text', {
    timeout: 60_000,
  }, async () => {
    await node.must('POST', '/api/v1/sandboxes', { name: 'many', kind: 'shared' });
    await node.put('many', 'ok.sh', '#!/bin/sh\n:\n');
    await node.put('many', 'fails.sh', '#!/bin/sh\nexit 1\n');
    const launched: string[] = [];
    const lane = async (from: number) => {
      for (let at = from; at < 250; at += 10) {
        launched.push((await node.launch('many', at % 25 === 0 ? 'fails.sh' : 'ok.sh')).id);
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, at) => lane(at)));
    const pages = async (query: string): Promise<RunSummary[]> => {
      const runs: RunSummary[] = [];
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const page: { runs: RunSummary[]; cursor?: string } = await node.must('GET', `/api/v1/runs?${query}${cursor}`);
        runs.push(...page.runs);
        cursor = page.cursor === undefined ? undefined : `&cursor=${encodeURIComponent(page.cursor)}`;
      }
      return runs;
    };
    // also while they run
    const early = await pages('sandbox=many&limit=40');
    expect([early.length, new Set(early.map((run) => run.id)).size]).toEqual([250, 250]);
    await eventually('all have ended', async () => (await pages('sandbox=many&limit=500')).every(hasEnded), 60_000);

    const all = await pages('sandbox=many&limit=37');
    expect(all.map((run) => run.id).sort()).toEqual([...launched].sort());
    const times = all.map((run) => run.launchedAt);
    expect(times).toEqual([...times].sort().reverse());
    expect((await pages('sandbox=many&state=failed&limit=3')).map((run) => [run.path, run.exitCode])).toEqual(
      Array.from({ length: 10 }, () => ['fails.sh', 1]),
    );
    expect((await pages('sandbox=many&path=ok.sh&limit=500')).length).toBe(240);
    expect((await pages('sandbox=many&state=running,queued,waiting')).length).toBe(0);
    const one = launched[7]!;
    expect((await pages(`text=${one}`)).map((run) => run.id)).toEqual([one]);
    expect(refusalOf(await node.ask('GET', '/api/v1/runs?state=sleeping'))).toBe('400 bad_request');
    expect(refusalOf(await node.ask('GET', '/api/v1/runs?limit=100000'))).toBe('400 bad_request');
  });
});

describe('a job that runs while its node goes away', () => {
  /** Waits for a file, says a last word, ends with 5. */
  const patient = (go: string) =>
    `#!/bin/sh\necho begun\nuntil [ -e '${go}' ]; do sleep 0.05; done\necho ended\nexit 5\n`;

  async function running(): Promise<{ id: string; go: string }> {
    const go = mark();
    await node.put('work', 'patient.sh', patient(go));
    const { id } = await node.launch('work', 'patient.sh');
    await eventually('it runs', async () => (await node.output(id, 'script').catch(() => '')) === 'begun\n');
    return { id, go };
  }

  const ends = [
    ['is stopped in order', async () => expect(await node.stop()).toBe(0)],
    ['is killed', () => node.kill()],
  ] as const;
  for (const [how, end] of ends) {
    it(`goes on when the node ${how}; its end is recorded when it comes back, also one that came meanwhile`, async () => {
      const during = await running();
      const after = await running();
      await end();
      expect(node.running() === null || how === 'is killed').toBe(true);
      writeFileSync(during.go, '');
      await new Promise((done) => setTimeout(done, 200)); // lets the job end; nothing depends on it
      await node.start();
      const one = await node.until(during.id);
      expect([one.state, one.exitCode, task(one, 'script').attempts.length]).toEqual(['failed', 5, 1]);
      expect(await node.output(during.id, 'script')).toBe('begun\nended\n');
      const still = await node.until(after.id, (run) => task(run, 'script').attempts[0]?.state === 'running');
      expect(still.state).toBe('running');
      writeFileSync(after.go, '');
      const other = await node.until(after.id);
      expect([other.state, other.exitCode, task(other, 'script').attempts.length]).toEqual(['failed', 5, 1]);
    });
  }

  it('is seen running after the node came back, also when it was killed before it had noted the start', async () => {
    await node.put('work', 'long.sh', '#!/bin/sh\nexec sleep 300\n');
    for (let round = 0; round < 2; round++) {
      const ids = (await Promise.all([1, 2, 3, 4].map(() => node.launch('work', 'long.sh')))).map((run) => run.id);
      await node.kill();
      await node.start();
      for (const id of ids) {
        const run = await node.until(id, (one) => one.tasks[0]!.attempts[0]?.state === 'running');
        expect(run.startedAt).toBeDefined();
        await node.must('POST', `/api/v1/runs/${id}/cancel`);
      }
      for (const id of ids) expect((await node.until(id)).state).toBe('cancelled');
    }
  });

  it('can be cancelled after the node came back', async () => {
    const { id } = await running();
    const socket = node.running()!.socketPath;
    await node.kill();
    await node.start();
    expect(existsSync(path.dirname(socket))).toBe(false); // what a killed node leaves behind does not pile up
    await node.must('POST', `/api/v1/runs/${id}/cancel`);
    expect((await node.until(id)).state).toBe('cancelled');
  });

  it('goes on when its runner is killed; ends are recorded and new jobs start', async () => {
    const before = await running();
    const runner = childrenOf(node.child!.pid!).find((pid) => isRunner(pid))!;
    expect(runner).toBeGreaterThan(0);
    process.kill(runner, 'SIGKILL');
    const { id } = await node.launch('work', 'quick.sh');
    expect((await node.until(id)).state).toBe('succeeded');
    expect((await node.run(before.id)).state).toBe('running');
    writeFileSync(before.go, '');
    const run = await node.until(before.id);
    expect([run.state, run.exitCode]).toEqual(['failed', 5]);
  });

  it('is not taken for an older one when the key of its launch is used again', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const ask = () => node.ask('POST', '/api/v1/runs', { sandbox: 'work', path: 'quick.sh' }, key);
    const first = await ask();
    await node.until((first.json() as Run).id);
    await node.kill();
    await node.start();
    const again = await ask();
    // The same run, as it is by now (decision 0006).
    expect([again.status, (again.json() as Run).id]).toEqual([201, (first.json() as Run).id]);
    expect((again.json() as Run).state).toBe('succeeded');
    const other = await node.ask('POST', '/api/v1/runs', { sandbox: 'work', path: 'other.sh' }, key);
    expect(refusalOf(other)).toBe('422 key_reused');
  });
});

const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  );
const isRunner = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('runner');
