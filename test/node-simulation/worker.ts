/**
 * A worker of the simulation: `worker.ts` line by line, on the real fence and
 * lease, without promises; and its runner, whose jobs outlive the process.
 *
 * Attempts are saved before they are started. Outcomes are told until they are
 * forgotten. After a restart the runner's claim files say what was started.
 */
import type { AttemptEnd, Lineage, Term } from '../../node-runtime/contract/facts.ts';
import type { PeerMessage } from '../../node-runtime/contract/peer-messages.ts';
import {
  type Fence,
  type FenceEffect,
  fenceStep,
  freshFence,
  type Worker,
  wakeWorker,
} from '../../node-runtime/core/cluster/fence.ts';
import { leaseEndsAt, noLease, renewLease, startUntil } from '../../node-runtime/core/cluster/lease.ts';
import { sameTerm, termText } from '../../node-runtime/core/cluster/terms.ts';
import type { AttemptKnown, AttemptName, Order } from '../../node-runtime/core/effects.ts';
import { attemptText } from '../../node-runtime/core/workers.ts';
import type { AttemptRecord } from '../../node-runtime/io/journal/records.ts';
import { saveAttempts } from './disk.ts';
import type { SimNode } from './node.ts';
import type { World } from './world.ts';

type Known = { name: AttemptName; order: Order } & (
  | { state: 'saved' }
  | { state: 'running'; at: number | null }
  | { state: 'ended'; end: AttemptEnd }
);
/** The place of an order among all that its active sent in the term. */
const placeOf = (message: object): number => {
  const { place, number } = message as { place?: number; number: number };
  return place ?? number;
};

type InTerm = { cluster: string; term: Term; lineage: Lineage | null; number: number };
type Report = { attempt: string } & ({ type: 'running'; at: number } | { type: 'ended'; end: AttemptEnd });
type Job = { order: Order; live: boolean; stopping: boolean; at: number; end: AttemptEnd | null };

const TELL_AGAIN_MS = 3_000;
const LEASE_LOOK_MS = 40;

// -------------------------------------------------------------------- the runner

/** Of the machine: outlives the node's process. Its claim files make a second start of an attempt no start. */
export class SimRunner {
  readonly jobs = new Map<string, Job>();
  private readonly world: World;
  private readonly node: SimNode;
  private endsAt = Number.NEGATIVE_INFINITY;
  private report: ((report: Report) => void) | null = null;

  constructor(world: World, node: SimNode) {
    this.world = world;
    this.node = node;
    this.watchLeases();
  }

  onReport(report: ((report: Report) => void) | null): void {
    this.report = report;
  }

  renewLease(endsAt: number): void {
    this.endsAt = Math.max(this.endsAt, endsAt);
  }

  start(order: Order): void {
    const attempt = attemptText(order);
    const known = this.jobs.get(attempt);
    if (known) return this.tell(attempt, known);
    const job: Job = { order, live: true, stopping: false, at: this.node.wall(), end: null };
    const isOver = order.leased && this.node.uptime() >= this.endsAt;
    if (!isOver) this.world.checks.begun(attempt, order, this.node.id);
    this.jobs.set(attempt, job);
    if (isOver) {
      job.live = false;
      job.end = this.endOf('failed', 'lost', 'Its lease was over before it could begin.');
      return this.tell(attempt, job);
    }
    const { chance } = this.world;
    const ms = chance.happens(0.08) ? chance.whole(3_000, 9_000) : chance.whole(10, 600);
    const [state, exitCode] = chance.happens(0.75) ? (['succeeded', 0] as const) : (['failed', 1] as const);
    this.world.after(ms, () => this.ends(attempt, job, { ...this.endOf(state, 'exit'), exitCode }));
    this.tell(attempt, job);
  }

  stop(attempt: string): void {
    const job = this.jobs.get(attempt);
    if (!job?.live || job.stopping) return;
    job.stopping = true;
    this.world.after(this.world.chance.whole(5, 200), () =>
      this.ends(attempt, job, this.endOf('cancelled', 'cancelled')),
    );
  }

  forget(attempts: string[]): void {
    for (const attempt of attempts) {
      if (this.jobs.get(attempt)?.live) this.world.fail(`${attempt} is forgotten at ${this.node.id} while it runs`);
      this.jobs.delete(attempt);
    }
  }

  recover(attempts: string[]): { attempt: string; found: 'watched' | 'ended' | 'neverStarted' }[] {
    return attempts.map((attempt) => {
      const job = this.jobs.get(attempt);
      if (!job) return { attempt, found: 'neverStarted' };
      this.tell(attempt, job);
      return { attempt, found: job.live ? 'watched' : 'ended' };
    });
  }

  /** Also while the process is down (P35). */
  private watchLeases(): void {
    this.world.after(LEASE_LOOK_MS, () => {
      if (this.node.uptime() >= this.endsAt)
        for (const [attempt, job] of this.jobs) {
          if (!job.live || job.stopping || !job.order.leased) continue;
          job.stopping = true;
          this.world.count('leases ended');
          this.world.log(`${this.node.id} ends ${attempt}: its lease is over`);
          const end = this.endOf('failed', 'lost', 'No active controller was heard for longer than its lease.');
          this.world.after(this.world.chance.whole(0, 150), () => this.ends(attempt, job, end));
        }
      this.watchLeases();
    });
  }

  private ends(attempt: string, job: Job, end: AttemptEnd): void {
    if (!job.live) return;
    Object.assign(job, { live: false, end: { ...end, at: this.node.wall() } });
    this.world.checks.over(attempt, job.order);
    this.tell(attempt, job);
  }

  private endOf(state: AttemptEnd['state'], cause: AttemptEnd['cause'], detail?: string): AttemptEnd {
    return { at: this.node.wall(), state, cause, ...(detail && { detail }), outputBytes: 0, outputCut: false };
  }

  private tell(attempt: string, job: Job): void {
    const report: Report = job.end
      ? { attempt, type: 'ended', end: job.end }
      : { attempt, type: 'running', at: job.at };
    this.node.at(1, () => this.report?.(report));
  }
}

// -------------------------------------------------------------------- the worker

/** What a node's process does with its own worker; made anew at each start of the process. */
export class SimWorker {
  private readonly world: World;
  private readonly node: SimNode;
  private readonly lease = noLease();
  private readonly known = new Map<string, Known>();
  private readonly ordered = new Map<string, { order: Order; from: string }>();
  private readonly fence: Worker;
  private readonly remembered: AttemptRecord[];
  private lead: { node: string; term: Term } | null = null;
  private recovering = false;
  private recovered = false;
  private waiting: (() => void) | null = null;

  constructor(world: World, node: SimNode, cluster: string) {
    this.world = world;
    this.node = node;
    const { kept } = node.disk;
    this.remembered = [...kept.attempts.values()];
    const { fence } = kept.records;
    const rest = fence === null ? null : (JSON.parse(fence) as Omit<Fence, 'attempts'>);
    const attempts = this.remembered.map(({ attempt, text }) => {
      const { order } = JSON.parse(text) as { order: Order };
      return [attempt, { term: order.term, state: 'started' as const }];
    });
    this.fence = wakeWorker({ ...freshFence(cluster), ...rest, attempts: Object.fromEntries(attempts) });
    node.runner!.onReport((report) => this.heard(report));
    this.tellAgain();
  }

  clock(): number {
    return this.node.uptime() + this.node.clockOrigin;
  }

  running(): number {
    return [...this.known.values()].filter((one) => one.state === 'running').length;
  }

  spooled(): number {
    return this.known.size;
  }

  hear(from: string, message: PeerMessage): void {
    if (!['greet', 'renew', 'start', 'stop', 'forget', 'sweep'].includes(message.kind)) return;
    this.recover();
    if (!this.recovered) {
      if (message.kind === 'greet') this.waiting = () => this.hear(from, message);
      return;
    }
    if (!('granted' in message)) return;
    const { cluster, term, lineage, granted } = message;
    const order = { cluster, term, lineage, number: placeOf(message) };
    if (message.kind === 'start') return this.startAsked(from, message.order, order, granted);
    if (message.kind === 'forget') return this.forget(from, message, order);
    const effects = fenceStep(this.fence, { event: 'greeted', ...order });
    const refused = effects.some((effect) => effect.effect === 'refuse');
    this.carryOut(effects, from, message.kind === 'greet');
    if (refused) return;
    this.renew(granted);
    if (message.kind === 'stop') this.node.runner!.stop(attemptText(message));
  }

  private renew(granted: number | null): void {
    renewLease(this.lease, granted, this.clock());
    if (granted === null) return;
    this.node.runner!.renewLease(leaseEndsAt(this.lease, this.world.timing) - this.node.clockOrigin);
  }

  private startAsked(from: string, order: Order, inTerm: InTerm, granted: number | null): void {
    const attempt = attemptText(order);
    if (this.known.has(attempt)) return this.tell(attempt);
    this.ordered.set(attempt, { order, from });
    const now = this.clock();
    const bound = order.leased ? { until: startUntil(granted, now, this.world.timing), now } : {};
    const effects = fenceStep(this.fence, { event: 'startAsked', attempt, ...inTerm, ...bound });
    if (!effects.some((effect) => effect.effect === 'refuse')) this.renew(granted);
    else if (!(attempt in this.fence.fence.attempts)) this.ordered.delete(attempt);
    this.carryOut(effects, from, false);
  }

  private carryOut(effects: FenceEffect[], from: string, wantsAttempts: boolean): void {
    for (const effect of effects) {
      if (effect.effect === 'saveFence') this.save(effect, from, wantsAttempts);
      else if (effect.effect === 'refuse') {
        this.world.count('orders refused by a fence');
        const { lineage } = this.fence.fence;
        this.node.send(from, { kind: 'fenced', term: effect.term, lineage, why: effect.why });
      } else if (effect.effect === 'start') this.start(effect.attempt);
      else if (effect.effect === 'notStarted') this.notStarted(effect.attempt);
      else {
        if (!this.lead || !sameTerm(this.lead.term, this.fence.fence.term))
          this.lead = { node: from, term: this.fence.fence.term };
        if (wantsAttempts) this.greeted(from);
      }
    }
  }

  private save({ changed }: Extract<FenceEffect, { effect: 'saveFence' }>, from: string, wantsAttempts: boolean): void {
    const { attempts, ...kept } = this.fence.fence;
    const gone = changed.attempts.filter((attempt) => !(attempt in attempts));
    const records = changed.attempts.flatMap((attempt) => {
      const one = this.ordered.get(attempt);
      const text = JSON.stringify({ order: one?.order, bootId: 'b', from });
      return one ? [{ attempt, term: termText(one.order.term), state: 'saved' as const, text }] : [];
    });
    const text = changed.fence ? JSON.stringify(kept) : null;
    this.node.save(
      saveAttempts(records, text, gone),
      () => {
        this.carryOut(fenceStep(this.fence, { event: 'saved', now: this.clock() }), from, wantsAttempts);
        if (gone.length > 0) this.node.runner!.forget(gone);
      },
      () => {
        this.fence.saving -= 1;
        this.fence.waiting = [];
        for (const attempt of changed.attempts)
          if (this.ordered.delete(attempt)) delete this.fence.fence.attempts[attempt];
      },
    );
  }

  private start(attempt: string): void {
    const one = this.ordered.get(attempt);
    this.ordered.delete(attempt);
    if (!one) return this.world.fail(`${attempt} is to be started at ${this.node.id} and was not ordered`);
    const { run, task, number } = one.order;
    this.known.set(attempt, { name: { run, task, number }, order: one.order, state: 'saved' });
    this.node.at(this.world.chance.whole(1, 30), () => this.node.runner!.start(one.order)); // its files come first
  }

  private notStarted(attempt: string): void {
    const one = this.ordered.get(attempt);
    this.ordered.delete(attempt);
    if (!one) return;
    this.world.count('attempts never started');
    const { run, task, number } = one.order;
    const detail = 'The order came too late to be obeyed; it was never started here.';
    const at = this.node.wall();
    const end: AttemptEnd = { at, state: 'failed', cause: 'lost', detail, outputBytes: 0, outputCut: false };
    this.known.set(attempt, { name: { run, task, number }, order: one.order, state: 'ended', end });
    this.tell(attempt);
  }

  private heard(report: Report): void {
    const one = this.known.get(report.attempt);
    if (!one || one.state === 'ended') return;
    const { name, order } = one;
    if (report.type === 'ended') {
      this.known.set(report.attempt, { name, order, state: 'ended', end: report.end });
      const fenced = this.fence.fence.attempts[report.attempt];
      if (fenced) fenced.state = 'ended';
    } else this.known.set(report.attempt, { name, order, state: 'running', at: report.at });
    this.tell(report.attempt);
  }

  private tell(attempt: string): void {
    const one = this.known.get(attempt);
    if (!one || !this.lead) return;
    const { node, term } = this.lead;
    if (one.state === 'running' && one.at !== null)
      this.node.send(node, { kind: 'started', term, ...one.name, at: one.at });
    if (one.state === 'ended') this.node.send(node, { kind: 'ended', term, ...one.name, end: one.end });
  }

  private tellAgain(): void {
    this.node.at(TELL_AGAIN_MS, () => {
      for (const [attempt, one] of this.known) if (one.state === 'ended') this.tell(attempt);
      this.tellAgain();
    });
  }

  private greeted(from: string): void {
    const attempts: AttemptKnown[] = [...this.known.values()].map((one) =>
      one.state === 'ended'
        ? { ...one.name, state: 'ended', end: one.end }
        : { ...one.name, state: 'running', at: one.state === 'running' ? one.at : null },
    );
    const { term } = this.fence.fence;
    this.node.send(from, { kind: 'greeted', term, clock: this.clock(), slots: this.node.slots, attempts });
  }

  private forget(from: string, name: AttemptName, inTerm: InTerm): void {
    const attempt = attemptText(name);
    const one = this.known.get(attempt);
    if (one && one.state !== 'ended') return; // it still runs here: its end is told first
    this.known.delete(attempt);
    this.carryOut(fenceStep(this.fence, { event: 'forgotten', attempt, ...inTerm }), from, false);
  }

  private recover(): void {
    if (this.recovering) return;
    this.recovering = true;
    for (const { attempt, text } of this.remembered) {
      const { order } = JSON.parse(text) as { order: Order };
      const { run, task, number } = order;
      this.known.set(attempt, { name: { run, task, number }, order, state: 'saved' });
    }
    this.node.at(this.world.chance.whole(1, 40), () => {
      for (const { attempt, found } of this.node.runner!.recover([...this.known.keys()])) {
        const one = this.known.get(attempt);
        if (found === 'neverStarted') {
          this.world.count('proved to be never started');
          this.known.delete(attempt);
          delete this.fence.fence.attempts[attempt];
        } else if (found === 'watched' && one?.state === 'saved')
          this.known.set(attempt, { ...one, state: 'running', at: this.node.wall() });
      }
      this.recovered = true;
      this.waiting?.();
    });
  }
}
