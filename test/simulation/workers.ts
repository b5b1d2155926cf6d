/**
 * Workers of the simulation: machines with a clock of their own, a process
 * that keeps the fence, and a runner whose jobs outlive it.
 *
 * The worker obeys through the real fence and lease of the core; what it tells
 * the active, and what the active does with it, is `placing.ts`. A worker's
 * process may be killed, its jobs go on; the lease is the runner's.
 */
import type { Lineage, Term } from '../../node-runtime/contract/facts.ts';
import {
  type Fence,
  type FenceEvent,
  fenceStep,
  freshFence,
  type Worker,
  wakeWorker,
} from '../../node-runtime/core/cluster/fence.ts';
import { attemptsToEnd, type Lease, noLease, renewLease, startUntil } from '../../node-runtime/core/cluster/lease.ts';
import { compareTerms, termText } from '../../node-runtime/core/cluster/terms.ts';
import type { World } from './world.ts';

/** What the active sends; `granted` and `number` go with every message (`lease.ts`, `fence.ts`). */
export type ToWorker = {
  from: string;
  cluster: string;
  term: Term;
  lineage: Lineage | null;
  granted: number | null;
} & {
  number: number;
} & (
    | { kind: 'greet' }
    | { kind: 'start'; attempt: string; task: string; leased: boolean }
    | { kind: 'forget'; attempt: string }
  );

export type Job = {
  task: string;
  leased: boolean;
  live: boolean;
  ending: boolean;
  outcome: string | null;
  endedAt: number;
};

/** What a worker tells whom it obeys, some times a second. */
export type Told = { term: Term; clock: number; speaks: number; jobs: Map<string, Job> };

export type SimWorker = {
  name: string;
  worker: Worker;
  saved: Fence;
  /** When the last of the saves on their way will be done. */
  savedAt: number;
  obeyed: Term | null;
  up: boolean;
  life: number;
  clock: { origin: number; rate: number };
  /** The runner's: both outlive the process. */
  lease: Lease;
  jobs: Map<string, Job>;
  speaks: number;
};

const TELL_MS = 100;

export type Workers = {
  workers: Map<string, SimWorker>;
  begin(): void;
  order(to: string, message: ToWorker): void;
  stop(worker: SimWorker): void;
  restart(worker: SimWorker): void;
};

export function newWorkers(world: World, names: readonly string[]): Workers {
  const workers = new Map<string, SimWorker>();
  const { chance, checks, count, work } = world;
  const mutation = world.options.mutation;

  const clock = ({ clock: { origin, rate } }: SimWorker): number => Math.round(origin + world.now * rate);

  function begin(): void {
    for (const name of names) {
      const fence = freshFence('lab');
      const worker: SimWorker = {
        name,
        worker: wakeWorker(fence),
        saved: structuredClone(fence),
        savedAt: 0,
        obeyed: null,
        up: true,
        life: 0,
        clock: { origin: chance.whole(0, 1_000_000), rate: 0.95 + chance.next() * 0.1 },
        lease: noLease(),
        jobs: new Map(),
        speaks: world.options.speaks,
      };
      workers.set(name, worker);
      tellOften(worker);
      watchLeases(worker);
    }
  }

  // ------------------------------------------------------------ messages

  function send(from: string, to: string, happens: () => void): void {
    if (world.blocked.has(`${from}>${to}`) || chance.happens(world.network.loss)) return;
    const { slowMs, doubled } = world.network;
    const delay = (): number => slowMs * (0.5 + chance.next() * (chance.happens(0.03) ? 60 : 1));
    world.after(delay(), happens);
    if (doubled > 0 && chance.happens(doubled)) world.after(delay() * 5, happens);
  }

  function order(to: string, message: ToWorker): void {
    const comes = (): void => {
      const worker = workers.get(to)!;
      if (worker.up) receive(worker, message);
    };
    const { stuck } = world;
    if (stuck?.worker === to && world.now < stuck.until)
      return world.after(stuck.comeAt - world.now + chance.whole(0, 400), comes);
    send(message.from, to, comes);
  }

  function receive(worker: SimWorker, message: ToWorker): void {
    const now = clock(worker);
    const { cluster, term, lineage, number, granted } = message;
    const lead = { cluster, term, lineage, number };
    let event: FenceEvent = { event: 'greeted', ...lead };
    if (message.kind === 'forget') event = { event: 'forgotten', attempt: message.attempt, ...lead };
    if (message.kind === 'start') {
      const until = message.leased && { until: startUntil(granted, now, world.timing) };
      event = { event: 'startAsked', attempt: message.attempt, now, ...until, ...lead };
      asked.set(message.attempt, message);
    }
    const effects = step(worker, mutation?.fence ? mutation.fence(worker, event) : event);
    if (effects.some((effect) => effect.effect === 'refuse')) {
      const { term, lineage } = worker.worker.fence;
      return send(worker.name, message.from, () => world.workerFenced(message.from, term, lineage));
    }
    const lower = worker.obeyed !== null && compareTerms(term, worker.obeyed) < 0;
    if (lower) checks.fail('I10', `${worker.name} obeys ${termText(term)} after ${termText(worker.obeyed!)}`);
    worker.obeyed = term;
    renewLease(worker.lease, mutation?.grantedAt ? mutation.grantedAt(granted, now) : granted, now);
    if (message.kind !== 'forget') return;
    work.forgotten(message.attempt, worker.name, worker.jobs.get(message.attempt) ?? null);
    const job = worker.jobs.get(message.attempt);
    if (job && !job.live) worker.jobs.delete(message.attempt);
  }

  /** What the orders said of attempts on their way to be started. */
  const asked = new Map<string, Extract<ToWorker, { kind: 'start' }>>();

  function step(worker: SimWorker, event: FenceEvent): ReturnType<typeof fenceStep> {
    const effects = fenceStep(worker.worker, event);
    for (const effect of effects) {
      if (effect.effect === 'saveFence') save(worker, effect.fence, effect.changed);
      else if (effect.effect === 'start') run(worker, effect.attempt, effect.term);
      else if (effect.effect === 'notStarted') neverStarted(worker, effect.attempt);
      else if (effect.effect === 'refuse') count('starts refused by a fence');
    }
    return effects;
  }

  /** Saves what the core says has changed, and only that; in the order in which it was given. */
  function save(worker: SimWorker, fence: Fence, changed: { fence: boolean; attempts: string[] }): void {
    const given = structuredClone(fence);
    const { life } = worker;
    worker.savedAt = Math.max(worker.savedAt + 0.001, world.now + (chance.happens(0.05) ? 200 : 2));
    world.after(worker.savedAt - world.now, () => {
      if (!worker.up || worker.life !== life) return;
      const { attempts, ...rest } = given;
      const kept = changed.fence ? { ...rest, attempts: worker.saved.attempts } : worker.saved;
      worker.saved = { ...kept, attempts: { ...kept.attempts } };
      for (const attempt of changed.attempts) {
        const one = attempts[attempt];
        if (one) worker.saved.attempts[attempt] = one;
        else delete worker.saved.attempts[attempt];
      }
      step(worker, { event: 'saved', now: clock(worker) });
    });
  }

  // ------------------------------------------------------------- the runner

  function run(worker: SimWorker, attempt: string, term: Term): void {
    const { task, leased } = asked.get(attempt)!;
    const job: Job = { task, leased, live: true, ending: false, outcome: null, endedAt: 0 };
    worker.jobs.set(attempt, job);
    work.started(attempt, worker.name, job);
    if (compareTerms(term, worker.saved.term) < 0)
      checks.fail('I10', `${worker.name} starts ${attempt} of an old term`);
    const ms = chance.happens(0.3) ? chance.whole(2_000, 15_000) : chance.whole(20, 1_000);
    world.after(ms, () => end(worker, attempt, job, 'succeeded'));
  }

  function end(worker: SimWorker, attempt: string, job: Job, outcome: string): void {
    if (!job.live) return;
    Object.assign(job, { live: false, outcome, endedAt: world.now });
    work.ended(attempt);
    if (worker.up) step(worker, { event: 'ended', attempt });
  }

  function neverStarted(worker: SimWorker, attempt: string): void {
    const { task, leased } = asked.get(attempt)!;
    count('attempts never started');
    worker.jobs.set(attempt, { task, leased, live: false, ending: false, outcome: 'notStarted', endedAt: world.now });
  }

  /** The runner's own clock ends what has a lease (P35), also while the process is down. */
  function watchLeases(worker: SimWorker): void {
    world.after(40, () => {
      const live = [...worker.jobs].filter(([, job]) => job.live && !job.ending);
      const list = live.map(([attempt, job]) => ({ attempt, leased: job.leased }));
      const over = mutation?.endsNothing ? [] : attemptsToEnd(worker.lease, list, world.timing, clock(worker));
      for (const attempt of over) {
        const job = worker.jobs.get(attempt)!;
        job.ending = true;
        count('attempts ended by their lease');
        world.log(`${worker.name} ends ${attempt}: its lease is over`);
        world.after(chance.whole(0, 150), () => end(worker, attempt, job, 'lost'));
      }
      watchLeases(worker);
    });
  }

  // ----------------------------------------------------------- the process

  function tellOften(worker: SimWorker): void {
    world.after(TELL_MS * (0.5 + chance.next()), () => {
      if (worker.up) tell(worker);
      tellOften(worker);
    });
  }

  /** Only what is on its disk, to whom it obeys. What is about to start is not told: it belongs to who ordered it. */
  function tell(worker: SimWorker): void {
    const { fence, saving } = worker.worker;
    if (saving > 0 || fence.term.node === '') return;
    const jobs = new Map([...worker.jobs].map(([attempt, job]) => [attempt, { ...job }]));
    const told: Told = { term: fence.term, clock: clock(worker), speaks: worker.speaks, jobs };
    work.says(worker.name, worker.speaks);
    send(worker.name, fence.term.node, () => world.workerTold(fence.term.node, worker.name, told));
  }

  function stop(worker: SimWorker): void {
    worker.up = false;
    worker.life++;
  }

  function restart(worker: SimWorker): void {
    worker.life++;
    worker.worker = wakeWorker(structuredClone(worker.saved));
    worker.obeyed = worker.saved.term;
    worker.up = true;
    for (const [attempt, one] of Object.entries(worker.worker.fence.attempts)) {
      const job = worker.jobs.get(attempt);
      if (!job) neverStarted(worker, attempt); // its claim file says so
      if (!job?.live && one.state !== 'ended') step(worker, { event: 'ended', attempt });
    }
    // Forgotten while the deletion was on its way to the disk, or ended while the process was down.
    for (const attempt of [...worker.jobs.keys()])
      if (!(attempt in worker.worker.fence.attempts)) worker.jobs.delete(attempt);
  }

  return { workers, begin, order, stop, restart };
}
