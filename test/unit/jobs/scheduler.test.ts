/**
 * The scheduler under random plans, workers, ends, cancels, clocks and
 * restarts: what must hold in every history.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttemptEnd, Entry, Fact, Plan, TaskPlan } from '../../../node-runtime/contract/facts.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';
import * as core from '../../../node-runtime/core/jobs/jobs.ts';
import { ended, planWith, startOfTime, task, World } from './support/world.ts';

// ---------------------------------------------------------------- histories

const conditions = [
  undefined,
  undefined,
  undefined,
  'success()',
  'failure()',
  'always()',
  'cancelled()',
  'params.full',
  '!params.full',
  "tasks.t0.state == 'failed'",
];

const someTask = (index: number, isLast: boolean, firstLast: number): fc.Arbitrary<TaskPlan> =>
  fc
    .record({
      needs: fc.subarray(Array.from({ length: index }, (_, at) => at).filter((at) => at >= firstLast === isLast)),
      condition: fc.constantFrom(...conditions),
      attemptsMax: fc.constantFrom(1, 1, 2, 3),
      retryDelayMs: fc.constantFrom(0, 0, 5_000),
      retryBackoff: fc.constantFrom(1, 2),
      continueOnError: fc.boolean(),
    })
    .map(({ needs, condition, ...rest }) =>
      task(`t${index}`, {
        needs: needs.map((at) => `t${at}`),
        finally: isLast,
        ...(condition === undefined ? {} : { condition }),
        ...rest,
      }),
    );

const somePlan: fc.Arbitrary<Plan> = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 2 }))
  .chain(([mains, lasts]) =>
    fc.tuple(...Array.from({ length: mains + lasts }, (_, at) => someTask(at, at >= mains, mains))),
  )
  .map((tasks) => planWith(...tasks));

type Move =
  | { move: 'launch'; plan: Plan; full: boolean }
  | { move: 'end'; which: number; state: AttemptEnd['state'] }
  | { move: 'start' | 'cancel' | 'repeat' | 'taking'; which: number }
  | { move: 'wait'; ms: number }
  | { move: 'reload' };

const someMove: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ move: fc.constant('launch' as const), plan: somePlan, full: fc.boolean() }) },
  {
    weight: 12,
    arbitrary: fc.record({
      move: fc.constant('end' as const),
      which: fc.nat(99),
      state: fc.constantFrom('succeeded', 'succeeded', 'succeeded', 'failed', 'failed', 'unknown') as fc.Arbitrary<
        AttemptEnd['state']
      >,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      move: fc.constantFrom('start' as const, 'cancel' as const, 'repeat' as const, 'taking' as const),
      which: fc.nat(99),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ move: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 6_000, -3_000) }),
  },
  { weight: 2, arbitrary: fc.record({ move: fc.constant('reload' as const) }) },
);

/** Plays moves on a world, and watches every fact from outside, with books of its own. */
class Witness {
  readonly world = new World([
    { node: 'n-a', slots: 2, taking: true },
    { node: 'n-b', slots: 1, taking: true },
  ]);
  readonly plans = new Map<string, Plan>();
  readonly openOn = new Map<string, Set<string>>();
  readonly outcomes = new Map<string, string>();
  readonly tries = new Map<string, number>();
  readonly cancels = new Map<string, number>();
  readonly ends = new Map<string, string>();
  readonly ran = new Set<string>();

  play(move: Move): void {
    const live = [...this.openOn.values()].flatMap((names) => [...names]).sort();
    switch (move.move) {
      case 'launch': {
        const run = this.world.launch(move.plan, { full: move.full });
        this.plans.set(run, move.plan);
        break;
      }
      case 'end': {
        const name = live[move.which % (live.length || 1)];
        if (name) this.end(name, move.state);
        break;
      }
      case 'start': {
        const name = live[move.which % (live.length || 1)];
        if (name) this.watch(this.world.apply(core.decideStarted(this.world.jobs, named(name), this.world.now)));
        break;
      }
      case 'repeat': {
        // A report of something that ended long ago, or never was.
        const name = {
          run: [...this.plans.keys()][move.which % (this.plans.size || 1)] ?? 'r-x',
          task: 't0',
          number: 9,
        };
        expect(core.decideEnded(this.world.jobs, name, ended('failed'), this.world.now, 0)).toEqual([]);
        break;
      }
      case 'cancel': {
        const runs = [...this.plans.keys()].filter((run) => !this.ends.has(run));
        const run = runs[move.which % (runs.length || 1)];
        if (run) this.cancel(run);
        break;
      }
      case 'taking': {
        const worker = this.world.workers[move.which % 2]!;
        worker.taking = !worker.taking;
        break;
      }
      case 'wait':
        this.world.now += move.ms;
        break;
      case 'reload':
        this.reload();
        break;
    }
    this.settle();
  }

  settle(): void {
    for (let facts = this.next(); facts.length > 0; facts = this.next()) {
      const applied = this.world.apply(facts);
      expect(applied).toEqual(facts); // nothing that follows is void
      this.watch(applied);
    }
  }

  /** What follows; asked twice, since the facts of the first time may have been dropped. */
  next(): Fact[] {
    const circumstances = { now: this.world.now, workers: this.world.workers };
    const dropped = core.advance(this.world.jobs, circumstances);
    expect(core.advance(this.world.jobs, circumstances)).toEqual(dropped);
    return dropped;
  }

  /** A restart in the middle changes nothing. */
  reload(): void {
    const before = this.next();
    this.world.reload();
    expect(this.next()).toEqual(before);
  }

  end(name: string, state: AttemptEnd['state']): void {
    const { run } = named(name);
    // A cancel may also come too late: then the attempt ends as it would have.
    const isStopped = core.attemptsToStop(this.world.jobs, run).length > 0 && state !== 'failed';
    const end = ended(isStopped ? 'cancelled' : state);
    const facts = core.decideEnded(this.world.jobs, named(name), end, this.world.now, 0.5);
    expect(facts).toHaveLength(1);
    this.watch(this.world.apply(facts));
    expect(core.decideEnded(this.world.jobs, named(name), end, this.world.now, 0.5)).toEqual([]);
  }

  cancel(run: string): void {
    const decision = core.decideCancel(this.world.jobs, run);
    if ('code' in decision) throw new Error(decision.detail);
    this.watch(this.world.apply(decision.facts));
  }

  // --------------------------------------------------------------- watching

  watch(facts: Fact[]): void {
    for (const fact of facts) this.see(fact);
  }

  see(fact: Fact): void {
    if (!('run' in fact)) return;
    expect(this.ends.has(fact.run), 'nothing happens to a run that has ended').toBe(false);
    switch (fact.kind) {
      case 'attemptPlaced':
        return this.placed(fact);
      case 'attemptEnded':
        return this.attemptEnded(fact);
      case 'taskSkipped':
        return this.taskEnds(fact.run, fact.task, fact.state);
      case 'cancelAsked':
        this.cancels.set(fact.run, (this.cancels.get(fact.run) ?? 0) + 1);
        return;
      case 'runEnded':
        return this.runEnded(fact);
    }
  }

  placed({ run, task: id, number, node }: Fact & { kind: 'attemptPlaced' }): void {
    const key = `${run}.${id}`;
    const plan = this.plans.get(run)!;
    const own = plan.tasks.find((one) => one.id === id)!;
    expect(number, 'attempts are counted').toBe((this.tries.get(key) ?? 0) + 1);
    expect(number).toBeLessThanOrEqual(own.attemptsMax);
    expect(
      [...this.openOn.values()].some((names) => [...names].some((name) => name.startsWith(`${key}.`))),
      'one attempt at a time',
    ).toBe(false);
    expect(this.outcomes.has(key), 'a task that has ended is not placed').toBe(false);
    for (const need of own.needs) expect(this.outcomes.has(`${run}.${need}`), 'needs have ended').toBe(true);
    if (own.finally) {
      for (const other of plan.tasks)
        if (!other.finally) expect(this.outcomes.has(`${run}.${other.id}`), 'finally is last').toBe(true);
    } else {
      expect(this.cancels.get(run) ?? 0, 'nothing new after a cancel, but finally').toBe(0);
    }
    this.tries.set(key, number);
    this.ran.add(key);
    const there = this.openOn.get(node) ?? new Set();
    this.openOn.set(node, there.add(`${key}.${number}`));
    const worker = this.world.workers.find((one) => one.node === node)!;
    expect(there.size, 'slots are enough').toBeLessThanOrEqual(worker.slots);
    expect(worker.taking).toBe(true);
  }

  attemptEnded({ run, task: id, number, end, retryAt }: Fact & { kind: 'attemptEnded' }): void {
    for (const names of this.openOn.values()) names.delete(`${run}.${id}.${number}`);
    const own = this.plans.get(run)!.tasks.find((one) => one.id === id)!;
    const again =
      (end.state === 'failed' || end.state === 'unknown') && number < own.attemptsMax && !this.reached(run, own);
    expect(retryAt !== undefined, 'a failure is tried again exactly while attempts are left').toBe(again);
    if (retryAt === undefined) return this.taskEnds(run, id, end.state);
    const delay = own.retryDelayMs * own.retryBackoff ** (number - 1);
    expect(retryAt - this.world.now).toBeGreaterThanOrEqual(delay);
    expect(retryAt - this.world.now).toBeLessThanOrEqual(delay * 1.1);
  }

  /** Has a cancel reached this task? */
  reached(run: string, own: TaskPlan): boolean {
    const cancels = this.cancels.get(run) ?? 0;
    return own.finally ? this.world.jobs.runs.get(run)!.lastCancelled === true : cancels > 0;
  }

  taskEnds(run: string, id: string, state: string): void {
    expect(this.outcomes.has(`${run}.${id}`), 'a task ends once').toBe(false);
    this.outcomes.set(`${run}.${id}`, state);
  }

  runEnded({ run, state, reason }: Fact & { kind: 'runEnded' }): void {
    const { tasks } = this.plans.get(run)!;
    const of = (one: TaskPlan) => this.outcomes.get(`${run}.${one.id}`);
    for (const one of tasks) expect(of(one), 'all tasks have ended').toBeDefined();
    const lastCancelled = this.world.jobs.runs.get(run)!.lastCancelled === true;
    for (const one of tasks) {
      if (one.finally && one.condition === undefined && !lastCancelled)
        expect(this.ran.has(`${run}.${one.id}`), 'finally runs, whatever happened').toBe(true);
    }
    const failed = tasks.some((one) => of(one) === 'failed' && !one.continueOnError);
    const has = (wanted: string) => tasks.some((one) => of(one) === wanted);
    expect(state).toBe(has('unknown') ? 'unknown' : failed ? 'failed' : has('cancelled') ? 'cancelled' : 'succeeded');
    expect(reason === undefined, 'everything but success has a reason').toBe(state === 'succeeded');
    this.ends.set(run, state);
  }

  /** Lets all runs come to an end; no move is left to help them. */
  finish(): void {
    for (const worker of this.world.workers) worker.taking = true;
    for (let rounds = 0; rounds < 1_000; rounds++) {
      this.settle();
      const live = [...this.openOn.values()].flatMap((names) => [...names]);
      if (live[0]) {
        this.end(live[0], rounds % 3 === 0 ? 'failed' : 'succeeded');
        continue;
      }
      const wakeAt = core.nextWakeAt(this.world.jobs);
      if (wakeAt === null) return;
      this.world.now = Math.max(this.world.now, wakeAt);
    }
    throw new Error('the runs never end');
  }
}

const named = (name: string) => {
  const [run, id, number] = name.split('.');
  return { run: run!, task: id!, number: Number(number) };
};

const replayed = (entries: Entry[]) => {
  const jobs = core.emptyJobs();
  for (const entry of entries) core.applyToJobs(jobs, structuredClone(entry));
  return jobs;
};

const runs = 300;

describe('in every history', () => {
  const moves = fc.array(someMove, { minLength: 5, maxLength: 60 });

  test('runs end, needs are kept, finally is last, slots and attempts are bounded', () => {
    let ends = 0;
    const check = fc.property(moves, (all) => {
      const witness = new Witness();
      for (const move of all) witness.play(move);
      witness.finish();
      expect([...witness.ends.keys()].sort()).toEqual([...witness.plans.keys()].sort());
      expect(core.countsOf(witness.world.jobs)).toMatchObject({ running: 0, waiting: 0 });
      expect([...witness.world.jobs.placed, ...witness.world.jobs.unsettled, ...witness.world.jobs.uses]).toEqual([]);
      ends += witness.ends.size;
    });
    fc.assert(check, { numRuns: runs });
    expect(ends).toBeGreaterThan(runs);
  });

  test('replaying the facts gives the same state, also when they come twice', () => {
    const check = fc.property(moves, (all) => {
      const witness = new Witness();
      for (const move of all) witness.play(move);
      const { jobs, entries } = witness.world;
      const saved = JSON.stringify(core.saveJobs(jobs));
      expect(JSON.stringify(core.saveJobs(replayed(entries)))).toBe(saved);
      const withDoubles = entries.flatMap((entry) => (entry.fact.kind === 'cancelAsked' ? [entry] : [entry, entry]));
      expect(JSON.stringify(core.saveJobs(replayed(withDoubles)))).toBe(saved);
      const again = core.loadJobs(JSON.parse(saved));
      expect(JSON.stringify(core.saveJobs(again))).toBe(saved);
      expect(core.countsOf(again)).toMatchObject({
        running: core.countsOf(jobs).running,
        waiting: core.countsOf(jobs).waiting,
      });
    });
    fc.assert(check, { numRuns: 150 });
  });
});

test('after a restart facts come in the same order, whatever became due first', () => {
  const world = new World([]);
  const all = ['r-1', 'r-2', 'r-3'].map((run) => world.launch(planWith(task('a'), task('b')), {}, run));
  for (const run of all.reverse()) world.apply([{ kind: 'cancelAsked', run }]);
  const next = () => core.advance(world.jobs, { now: world.now, workers: [] });
  const before = next();
  expect(before.map((fact) => 'run' in fact && fact.run)).toEqual([
    'r-1',
    'r-1',
    'r-1',
    'r-2',
    'r-2',
    'r-2',
    'r-3',
    'r-3',
    'r-3',
  ]);
  world.reload();
  expect(next()).toEqual(before);
});

describe('placing', () => {
  test('takes the worker with the largest free part of its slots', () => {
    const world = new World([
      { node: 'n-small', slots: 2, taking: true },
      { node: 'n-big', slots: 8, taking: true },
      { node: 'n-off', slots: 8, taking: false },
    ]);
    for (let count = 0; count < 5; count++) world.launch(planWith(task('a')));
    world.settle();
    expect([
      core.attemptsOn(world.jobs, 'n-small').length,
      core.attemptsOn(world.jobs, 'n-big').length,
      core.attemptsOn(world.jobs, 'n-off').length,
    ]).toEqual([1, 4, 0]);
  });

  test('is fair: the oldest run goes first, also with a task that became ready late', () => {
    const world = new World([{ node: 'n-a', slots: 1, taking: true }]);
    const first = world.launch(planWith(task('a'), task('b', { needs: ['a'] })));
    const second = world.launch(planWith(task('a')));
    world.settle();
    expect([world.running(first), world.running(second)]).toEqual([['a'], []]);
    world.end(first, 'a', ended('succeeded'));
    expect([world.running(first), world.running(second)]).toEqual([['b'], []]);
    world.end(first, 'b', ended('succeeded'));
    expect(world.running(second)).toEqual(['a']);
  });

  test('costs the same with 10,000 unfinished runs as with ten', () => {
    const world = new World([{ node: 'n-a', slots: 4, taking: true }]);
    for (let count = 0; count < limits.runsUnfinishedMax; count++) world.launch(planWith(task('a')), {}, `r-${count}`);
    expect(
      core.decideLaunch(world.jobs, {
        run: 'one-more',
        sandbox: 's',
        path: 'p',
        parameters: {},
        plan: planWith(task('a')),
      }),
    ).toMatchObject({ code: 'too_many' });
    world.settle();
    // Ten thousand steps over ten thousand runs would be a hundred million looks if a step looked at all.
    let looks = 0;
    const all = world.jobs.runs;
    const get = all.get.bind(all);
    all.get = (id) => {
      looks++;
      return get(id);
    };
    for (let count = 0; count < 1_000; count++) {
      const [attempt] = core.attemptsOn(world.jobs, 'n-a');
      world.apply(core.decideEnded(world.jobs, attempt!, ended('succeeded'), world.now, 0));
      world.settle();
    }
    expect(looks).toBeLessThan(40 * 1_000);
    expect(core.countsOf(world.jobs)).toMatchObject({ running: 4, waiting: limits.runsUnfinishedMax - 1_004 });
  });

  test('queues do not grow when runs come and go while no worker takes tasks', () => {
    const world = new World([]);
    for (let count = 0; count < 10_000; count++) {
      const run = world.launch(planWith(task('a')), {}, `r-${count}`);
      if (count > 0) world.cancel(run);
    }
    expect(world.jobs.ready.size).toBeLessThan(3_000);
    expect(world.jobs.runs.size).toBe(limits.runsEndedInMemory + 1);
    expect(startOfTime).toBe(world.now);
  });
});
