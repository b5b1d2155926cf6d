/** Single stories of runs: skips, conditions, retries, cancels, unknown outcomes, and how they are told. */
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../../node-runtime/contract/facts.ts';
import { Run } from '../../../node-runtime/contract/model.ts';
import { jobHappening } from '../../../node-runtime/core/jobs/happening.ts';
import * as core from '../../../node-runtime/core/jobs/jobs.ts';
import { launchFormOf } from '../../../node-runtime/core/jobs/launch-form.ts';
import { ended, planWith, task, World } from './support/world.ts';

const reasons = (world: World, run: string) =>
  Object.fromEntries(core.runOf(world.jobs, run)!.tasks.map((one) => [one.id, one.reason]));

describe('a task', () => {
  test('is skipped when a need failed, and so are those after it; the reason is a sentence', () => {
    const world = new World();
    const run = world.launch(planWith(task('a'), task('b', { needs: ['a'] }), task('c', { needs: ['b'] }), task('d')));
    world.settle();
    world.end(run, 'a', ended('failed'));
    expect(world.states(run)).toEqual({ run: 'running', a: 'failed', b: 'skipped', c: 'skipped', d: 'running' });
    expect(reasons(world, run)).toMatchObject({
      a: 'It ended with exit code 3.',
      b: 'Not run because a failed.',
      c: 'Not run because b was skipped.',
    });
    world.end(run, 'd', ended('succeeded'));
    expect(core.runOf(world.jobs, run)).toMatchObject({
      state: 'failed',
      reason: 'a ended with exit code 3.',
      exitCode: 3,
      tasksEnded: 4,
    });
  });

  test('that may fail lets its followers go on and does not fail the run, but shows failed', () => {
    const world = new World();
    const run = world.launch(planWith(task('a', { continueOnError: true }), task('b', { needs: ['a'] })));
    world.settle();
    world.end(run, 'a', ended('failed'));
    world.end(run, 'b', ended('succeeded'));
    expect(world.states(run)).toEqual({ run: 'succeeded', a: 'failed', b: 'succeeded' });
  });

  test.each([
    ['success()', 'failed', false],
    ['failure()', 'failed', true],
    ['failure()', 'succeeded', false],
    ['always()', 'failed', true],
    ['params.full', 'succeeded', true],
    ['params.full', 'failed', false],
    ['!params.full', 'succeeded', false],
    ["tasks.a.state == 'failed'", 'failed', true],
    ['tasks.a.exit_code == 3', 'failed', true],
    ['tasks.a.exit_code == 0', 'succeeded', true],
    ['failure() && params.full', 'failed', true],
  ] as const)('with the condition %s after %s runs: %s', (condition, state, runs) => {
    const world = new World();
    const run = world.launch(planWith(task('a'), task('b', { needs: ['a'], condition })), { full: true });
    world.settle();
    world.end(run, 'a', ended(state));
    expect(world.states(run)['b']).toBe(runs ? 'running' : 'skipped');
  });

  test('far below a failure knows of it', () => {
    const world = new World();
    const tasks = [task('a'), task('b', { needs: ['a'] }), task('c', { needs: ['b'], condition: 'failure()' })];
    const run = world.launch(planWith(...tasks));
    world.settle();
    world.end(run, 'a', ended('failed'));
    expect(world.states(run)).toMatchObject({ b: 'skipped', c: 'running' });
  });

  test('whose condition does not hold says so', () => {
    const world = new World();
    const run = world.launch(planWith(task('a', { condition: 'params.full' })), { full: false });
    world.settle();
    expect(reasons(world, run)).toEqual({ a: 'Its condition does not hold: params.full' });
    expect(world.states(run)).toEqual({ run: 'succeeded', a: 'skipped' });
  });

  test('fails without an attempt when its values grow too long', () => {
    const world = new World();
    const environment = { ALL: Array(4).fill(`\${{ params.x }}`).join('') };
    const run = world.launch(planWith(task('a', { environment })), { x: 'x'.repeat(20_000) });
    world.settle();
    expect(core.runOf(world.jobs, run)).toMatchObject({
      state: 'failed',
      reason: 'a failed: The value of ALL has more than 32768 characters.',
      tasks: [{ attempts: [] }],
    });
  });
});

describe('a retry', () => {
  const flaky = task('a', { attemptsMax: 3, retryDelayMs: 10_000, retryBackoff: 2 });

  test('waits for its delay, longer each time, and then gives up', () => {
    const world = new World();
    const run = world.launch(planWith(flaky));
    world.settle();
    world.end(run, 'a', ended('failed'));
    expect(world.states(run)).toEqual({ run: 'waiting', a: 'waiting' });
    expect(core.nextWakeAt(world.jobs)).toBe(world.now + 10_000);
    world.now += 9_999;
    expect(world.settle()).toEqual([]);
    world.now += 1;
    expect(world.settle()).toMatchObject([{ kind: 'attemptPlaced', number: 2 }]);
    world.end(run, 'a', ended('failed'));
    expect(core.nextWakeAt(world.jobs)).toBe(world.now + 20_000);
    world.now += 20_000;
    world.settle();
    world.end(run, 'a', ended('failed'));
    expect(core.runOf(world.jobs, run)).toMatchObject({
      state: 'failed',
      reason: 'a failed in each of 3 attempts, at last with exit code 3.',
      tasks: [{ attempts: [{ number: 1 }, { number: 2 }, { number: 3 }] }],
    });
  });

  test('is spread by chance, never shortened', () => {
    const world = new World();
    const run = world.launch(planWith(flaky));
    world.settle();
    const name = { run, task: 'a', number: 1 };
    expect(core.decideEnded(world.jobs, name, ended('failed'), world.now, 1)).toMatchObject([
      { retryAt: world.now + 11_000 },
    ]);
  });

  test('waits no longer than its delay when the clock goes back, as with another active', () => {
    const world = new World();
    const run = world.launch(planWith(flaky));
    world.settle();
    world.end(run, 'a', ended('failed'));
    world.workers = [];
    world.now += 10_000;
    world.settle();
    world.now -= 60_000;
    world.workers = [{ node: 'n-b', slots: 1, taking: true }];
    // Its time seems to be farther off than its whole delay: the delay is over (S35).
    expect(world.settle()).toMatchObject([{ kind: 'attemptPlaced', number: 2, node: 'n-b' }]);
  });

  test('takes a lost attempt elsewhere; without it the outcome stays unknown and a person is told', () => {
    const world = new World();
    const retried = world.launch(planWith(task('a', { attemptsMax: 2 })));
    const plain = world.launch(planWith(task('a'), task('b', { needs: ['a'] }), task('tidy', { finally: true })));
    world.settle();
    world.workers = [{ node: 'n-b', slots: 4, taking: true }];
    world.end(retried, 'a', ended('unknown'));
    expect(core.liveAttempts(world.jobs, retried)).toMatchObject([{ number: 2, node: 'n-b' }]);
    world.end(plain, 'a', ended('unknown', { detail: 'n-a was lost at 08:00.' }));
    expect(world.states(plain)).toEqual({ run: 'running', a: 'unknown', b: 'skipped', tidy: 'running' });
    world.end(plain, 'tidy', ended('succeeded'));
    expect(core.runOf(world.jobs, plain)).toMatchObject({
      state: 'unknown',
      reason: 'What became of a cannot be known: n-a was lost at 08:00.',
    });
    expect(reasons(world, plain)['b']).toBe('Not run because a has an unknown outcome.');
  });
});

describe('a cancel', () => {
  const plan = planWith(
    task('a'),
    task('b', { needs: ['a'], condition: 'always()' }),
    task('r', { attemptsMax: 2, retryDelayMs: 9_000 }),
    task('tidy', { finally: true }),
  );

  test('stops what runs and what waits; finally tasks run afterwards', () => {
    const world = new World();
    const run = world.launch(plan);
    world.settle();
    world.end(run, 'r', ended('failed'));
    world.cancel(run);
    expect(core.attemptsToStop(world.jobs, run)).not.toEqual([]);
    expect(world.states(run)).toMatchObject({
      run: 'running',
      a: 'running',
      b: 'cancelled',
      r: 'cancelled',
      tidy: 'waiting',
    });
    expect(reasons(world, run)).toMatchObject({
      b: 'The run was cancelled before it began.',
      r: 'The run was cancelled before its next attempt.',
    });
    expect(core.decideCancel(world.jobs, run)).toEqual({ facts: [] });
    world.end(run, 'a', ended('cancelled'));
    expect(world.running(run)).toEqual(['tidy']);
    expect(core.attemptsToStop(world.jobs, run)).toEqual([]);
    world.end(run, 'tidy', ended('succeeded'));
    expect(core.runOf(world.jobs, run)).toMatchObject({ state: 'cancelled', reason: 'The run was cancelled.' });
    expect(core.decideCancel(world.jobs, run)).toMatchObject({ code: 'run_ended' });
  });

  test('asked for again while finally tasks run stops them too', () => {
    const world = new World();
    const run = world.launch(
      planWith(task('a'), task('tidy', { finally: true }), task('close', { finally: true, needs: ['tidy'] })),
    );
    world.settle();
    world.cancel(run);
    world.end(run, 'a', ended('cancelled'));
    world.cancel(run);
    expect(core.attemptsToStop(world.jobs, run)).not.toEqual([]);
    expect(world.states(run)).toMatchObject({ tidy: 'running', close: 'cancelled' });
    world.end(run, 'tidy', ended('cancelled'));
    expect(world.states(run)['run']).toBe('cancelled');
  });

  test('that comes too late changes nothing', () => {
    const world = new World();
    const run = world.launch(planWith(task('a')));
    world.settle();
    world.cancel(run);
    world.end(run, 'a', ended('succeeded'));
    expect(world.states(run)).toEqual({ run: 'succeeded', a: 'succeeded' });
  });

  test('of a run that waits ends it at once; an unknown one is refused', () => {
    const world = new World([]);
    const run = world.launch(planWith(task('a')));
    expect(world.states(run)).toEqual({ run: 'queued', a: 'queued' });
    world.cancel(run);
    expect(world.states(run)).toEqual({ run: 'cancelled', a: 'cancelled' });
    expect(core.decideCancel(world.jobs, 'r-none')).toMatchObject({ code: 'run_unknown' });
  });
});

describe('an order', () => {
  test('holds the command and environment with all values in it', () => {
    const world = new World();
    const plan = {
      ...planWith(
        task('a'),
        task('b', {
          needs: ['a'],
          run: { program: './load.sh', arguments: [`\${{ params.day }}`, `code=\${{ tasks.a.exit_code }}`] },
          environment: { SITE: 'own', PLAIN: '$HOME' },
          workingDirectory: 'tools',
          timeoutMs: 60_000,
        }),
        task('c', { needs: ['b'], run: { shell: `echo \${{ params.day }} "\${{ params.count }}"` } }),
      ),
      environment: { SITE: 'job', DAY: `\${{ params.day }}` },
    };
    const run = world.launch(plan, { day: '2024-05-01', count: 3 });
    world.settle();
    world.end(run, 'a', ended('succeeded'));
    expect(core.orderFor(world.jobs, { run, task: 'b', number: 1 })).toEqual({
      run,
      task: 'b',
      number: 1,
      node: 'n-a',
      sandbox: 'ingest',
      revision: 7,
      command: { program: './load.sh', arguments: ['2024-05-01', 'code=0'] },
      environment: { SITE: 'own', PLAIN: '$HOME', DAY: '2024-05-01', PARAM_DAY: '2024-05-01', PARAM_COUNT: '3' },
      workingDirectory: 'tools',
      leased: false,
      timeoutMs: 60_000,
    });
    world.end(run, 'b', ended('succeeded'));
    expect(core.orderFor(world.jobs, { run, task: 'c', number: 1 })).toMatchObject({
      command: { shell: `echo "\${BINNACLE_VALUE_1}" "\${BINNACLE_VALUE_2}"` },
      environment: { BINNACLE_VALUE_1: '2024-05-01', BINNACLE_VALUE_2: '3' },
    });
    expect(() => core.orderFor(world.jobs, { run, task: 'b', number: 1 })).toThrow('broken promise');
  });
});

describe('what is told', () => {
  test('a run looks as the contract says, at every moment', () => {
    const world = new World([{ node: 'n-a', slots: 1, taking: true }]);
    const run = world.launch(
      planWith(task('a', { attemptsMax: 2, retryDelayMs: 5_000 }), task('b', { needs: ['a'] })),
      { full: true },
    );
    const look = () => Run.parse(core.runOf(world.jobs, run));
    expect(look()).toMatchObject({
      state: 'queued',
      by: 'user:ops',
      term: '0.4.n-a',
      revision: 7,
      nodes: [],
      tasksTotal: 2,
      tasksEnded: 0,
    });
    world.settle();
    expect(look().tasks[0]?.attempts[0]?.state).toBe('placed');
    world.apply(core.decideStarted(world.jobs, { run, task: 'a', number: 1 }, world.now + 5));
    expect(core.decideStarted(world.jobs, { run, task: 'a', number: 1 }, world.now + 9)).toEqual([]);
    expect(look()).toMatchObject({ state: 'running', startedAt: '2024-05-01T08:00:00.005Z', nodes: ['n-a'] });
    world.end(run, 'a', ended('failed', { outputBytes: 12 }));
    expect(look()).toMatchObject({
      state: 'waiting',
      tasks: [{ state: 'waiting', nextAttemptAt: '2024-05-01T08:00:05.000Z' }, { reason: 'It waits for a.' }],
    });
    expect(core.taskOf(world.jobs, run, 'b')).toMatchObject({ state: 'waiting' });
    expect([
      core.runOf(world.jobs, 'none'),
      core.summaryOf(world.jobs, 'none'),
      core.taskOf(world.jobs, run, 'none'),
    ]).toEqual([null, null, null]);
  });

  test('a happening is told for what did not go as meant', () => {
    const world = new World();
    const failed = world.launch(planWith(task('a')));
    const well = world.launch(planWith(task('a')));
    world.settle();
    world.end(failed, 'a', ended('failed'));
    const entry = world.entries.at(-1) as Entry;
    expect(jobHappening(world.jobs, entry)).toEqual({
      position: entry.index,
      at: '2024-05-01T08:00:00.000Z',
      tone: 'alarm',
      text: 'nightly failed: a ended with exit code 3.',
      subject: 'nightly',
      run: failed,
    });
    world.end(well, 'a', ended('succeeded'));
    expect(jobHappening(world.jobs, world.entries.at(-1) as Entry)).toBe(null);
  });

  test('the launch form says where it would run now, and why not elsewhere', () => {
    const world = new World([{ node: 'n-1', slots: 1, taking: true }]);
    world.launch(planWith(task('a')));
    world.settle();
    const plan = planWith(task('a'), task('z', { finally: true }));
    const workers = [
      { node: 'n-1', name: 'lab-1', slots: 1, taking: true },
      { node: 'n-2', name: 'lab-2', slots: 8, taking: true },
      { node: 'n-3', name: 'lab-3', slots: 8, taking: false },
    ];
    const field = { name: 'day', type: 'date' as const, label: 'day', required: false, default: 'yesterday' };
    const form = launchFormOf(world.jobs, {
      sandbox: 's',
      path: 'p',
      job: null,
      isSecret: () => false,
      plan,
      fields: [field],
      workers,
      today: '2024-03-01',
    });
    expect(form.placement.map(({ suits, sentence }) => [suits, sentence])).toEqual([
      [true, 'On lab-1 it would wait: all 1 slots are taken.'],
      [true, 'Runs on lab-2: 8 of 8 slots free.'],
      [false, 'Not on lab-3: it takes no tasks now.'],
    ]);
    expect(form.parameters[0]?.default).toBe('2024-02-29');
  });

  test('sandboxes in use, attempts by node, and where an attempt was are known', () => {
    const world = new World();
    const run = world.launch(planWith(task('a')));
    world.settle();
    expect(core.usesSandbox(world.jobs, 'ingest')).toBe(true);
    expect(core.attemptsOn(world.jobs, 'n-a')).toEqual([{ run, task: 'a', number: 1 }]);
    expect(core.isLive(world.jobs, { run, task: 'a', number: 1 })).toBe(true);
    world.end(run, 'a', ended('succeeded'));
    expect(core.usesSandbox(world.jobs, 'ingest')).toBe(false);
    expect(core.attemptsOn(world.jobs, 'n-a')).toEqual([]);
    expect(core.isLive(world.jobs, { run, task: 'a', number: 1 })).toBe(false);
    expect(core.nodeOfAttempt(world.jobs, { run, task: 'a', number: 1 })).toBe('n-a');
    expect(core.endedRuns(world.jobs).map((one) => one.id)).toEqual([run]);
  });
});
