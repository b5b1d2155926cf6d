/**
 * The node's side of its runner.
 *
 * Orders go out in batches and are kept until they are confirmed: a start by
 * the report of its end, tidying by an answer. When a runner is lost another
 * is started, after 100 ms doubling to 5 s, and everything not confirmed is
 * said again; orders are idempotent, so nothing begins twice. The lease is said
 * to each runner at its beginning and then at most every 200 ms. Remembers
 * nothing beyond this process: the node tells by `recover` what it knows.
 */
import { limits } from '../../contract/limits.ts';
import { uptimeMs } from './lease.ts';
import { bootId } from './machine-processes.ts';
import {
  type AttemptOrder,
  type AttemptReport,
  assertOrder,
  assertPlainName,
  type Channel,
  type FromRunner,
  type KnownAttempt,
  type Recovered,
  type RunnerSettings,
  type StopCause,
  type ToRunner,
} from './orders.ts';

const restartMsMin = 100;
const restartMsMaxUsual = 5_000;
/** A runner that lived this long was well: the next restart is quick again. */
const calmMs = 10_000;
const closeMsMax = 2_000;

export type Runner = {
  /** Begins an attempt, at most once however often it is asked. Its start and end are reported. */
  start(order: AttemptOrder): void;
  /** TERM, and KILL after the order's grace; the end is reported. An attempt that has ended is left alone. */
  stop(attempt: string, cause: StopCause): void;
  /** To be called once, before any start, with all that had not ended when the node last saved. */
  recover(known: KnownAttempt[]): Promise<Recovered[]>;
  /**
   * An active controller was heard: attempts with a lease may live until
   * `endsAtMs` on the machine's clock that counts sleep (`uptimeMs`). Never goes
   * back. When it is over they are ended within `leaseGraceMs` and a moment,
   * whoever of node and runner is still there.
   */
  renewLease(endsAtMs: number): void;
  /** Their outcome is committed: what is kept of them goes, but their output stays. */
  forget(attempts: string[]): void;
  /** Removes attempts with their output. */
  remove(attempts: string[]): void;
  /** These runs have ended: their folders go. */
  sweep(runs: string[]): void;
  /** Hears of starts and ends; the same one may be told twice. */
  onReport(hear: (report: AttemptReport) => void): void;
  /** Ends the runner, or lets it go on alone while attempts with a lease live. Jobs live on in their wrappers. */
  close(): Promise<void>;
};

export type RunnerOptions = {
  /** Absolute path; holds `attempts/` and `work/`. */
  dataDir: string;
  /** Default true: take cgroups where they can be made. */
  cgroups?: boolean;
  /** Default 5 s: the longest wait before a lost runner is started again. */
  restartMsMax?: number;
  onOpened?: (runner: { pid: number; cgroups: boolean }) => void;
  /** A runner ended without being asked; the next one starts in `restartMs`. */
  onLost?: (why: string, restartMs: number) => void;
};

/** Starts a runner by `openChannel` (`forkRunner`, or what the host offers) and keeps one running until `close`. */
export function connectRunner(openChannel: () => Channel, options: RunnerOptions): Runner {
  return new ConnectedRunner(openChannel, options);
}

type Flying = { known: KnownAttempt; stop: StopCause | null };
type Tidying = Extract<ToRunner, { type: 'forget' | 'remove' | 'sweep' }>;
type LeaseSaid = Extract<ToRunner, { type: 'lease' }>;
type Asked = { known: KnownAttempt[]; answer: (list: Recovered[]) => void };

class ConnectedRunner implements Runner {
  #openChannel: () => Channel;
  #options: RunnerOptions;
  #settings: RunnerSettings;
  #boot = bootId();
  #channel: Channel | null = null;
  #openedAt = 0;
  #restartMs = restartMsMin;
  #restart: NodeJS.Timeout | null = null;
  #outbox: ToRunner[] = [];
  #listeners: ((report: AttemptReport) => void)[] = [];
  /** Attempts ordered or watched and not ended. */
  #flying = new Map<string, Flying>();
  #asked = new Map<number, Asked>();
  #tidying = new Map<number, Tidying>();
  #nextId = 1;
  /** Runs whose files this runner was told. */
  #runsTold = new Set<string>();
  #lease: LeaseSaid | null = null;
  /** By performance.now(). */
  #leaseSaidAt = Number.NEGATIVE_INFINITY;
  #leaseTimer: NodeJS.Timeout | null = null;
  #closing: { promise: Promise<void>; resolve: () => void } | null = null;

  constructor(openChannel: () => Channel, options: RunnerOptions) {
    this.#openChannel = openChannel;
    this.#options = options;
    this.#settings = { dataDir: options.dataDir, cgroups: options.cgroups ?? true };
    this.#open();
  }

  start(order: AttemptOrder): void {
    assertOrder(order);
    const { attempt } = order;
    const stop = this.#flying.get(attempt)?.stop ?? null;
    this.#flying.set(attempt, { known: { attempt, order, bootId: this.#boot, state: 'saved' }, stop });
    this.#postStart(order);
  }

  stop(attempt: string, cause: StopCause): void {
    const flying = this.#flying.get(attempt);
    if (!flying) return;
    flying.stop ??= cause;
    this.#post({ type: 'stop', attempt, cause });
  }

  recover(known: KnownAttempt[]): Promise<Recovered[]> {
    const id = this.#nextId++;
    for (const one of known) {
      assertPlainName(one.attempt);
      this.#flying.set(one.attempt, { known: one, stop: null });
    }
    const { promise, resolve } = Promise.withResolvers<Recovered[]>();
    this.#asked.set(id, { known, answer: resolve });
    this.#postRecover(id, known);
    return promise;
  }

  renewLease(endsAtMs: number): void {
    if (!(endsAtMs > (this.#lease?.endsAtMs ?? Number.NEGATIVE_INFINITY))) return;
    this.#lease = { type: 'lease', endsAtMs, heardAtMs: uptimeMs() };
    if (this.#leaseTimer !== null) return;
    const waitMs = this.#leaseSaidAt + limits.leaseSaidEveryMs - performance.now();
    if (waitMs <= 0) this.#sayLease();
    else this.#leaseTimer = setTimeout(() => this.#sayLease(), waitMs).unref();
  }

  #sayLease(): void {
    if (this.#leaseTimer !== null) clearTimeout(this.#leaseTimer);
    this.#leaseTimer = null;
    if (this.#lease === null) return;
    this.#leaseSaidAt = performance.now();
    this.#post(this.#lease);
  }

  forget(attempts: string[]): void {
    this.#tidy({ type: 'forget', id: this.#nextId++, attempts });
  }

  remove(attempts: string[]): void {
    this.#tidy({ type: 'remove', id: this.#nextId++, attempts });
  }

  sweep(runs: string[]): void {
    for (const run of runs) this.#runsTold.delete(run);
    this.#tidy({ type: 'sweep', id: this.#nextId++, runs });
  }

  onReport(hear: (report: AttemptReport) => void): void {
    this.#listeners.push(hear);
  }

  close(): Promise<void> {
    if (this.#closing) return this.#closing.promise;
    this.#closing = Promise.withResolvers<void>();
    if (this.#leaseTimer !== null) this.#sayLease();
    if (this.#restart !== null) {
      // Between two runners: there is nothing to end.
      clearTimeout(this.#restart);
      this.#closing.resolve();
    } else {
      this.#post({ type: 'close' });
      const timer = setTimeout(() => this.#channel?.stop(), closeMsMax);
      void this.#closing.promise.then(() => clearTimeout(timer));
    }
    return this.#closing.promise;
  }

  #open(): void {
    this.#openedAt = performance.now();
    const channel = this.#openChannel();
    this.#channel = channel;
    this.#runsTold.clear();
    this.#outbox = [];
    this.#post({ type: 'open', settings: this.#settings });
    this.#sayLease();
    this.#sayAgain();
    channel.onMessage((message) => {
      for (const one of message as FromRunner[]) this.#hear(one);
    });
    channel.onGone((why) => this.#lost(why));
  }

  /** All that no runner has confirmed; starts before stops, so that a stop finds its attempt waiting. */
  #sayAgain(): void {
    const inQuestion = new Set([...this.#asked.values()].flatMap(({ known }) => known.map((one) => one.attempt)));
    for (const [id, { known }] of this.#asked) this.#postRecover(id, known);
    const watched: KnownAttempt[] = [];
    for (const [attempt, { known, stop }] of this.#flying) {
      if (!inQuestion.has(attempt)) {
        if (known.order && known.bootId === this.#boot) this.#postStart(known.order);
        else watched.push(known);
      }
      if (stop !== null) this.#post({ type: 'stop', attempt, cause: stop });
    }
    if (watched.length > 0) this.#postRecover(this.#nextId++, watched);
    for (const tidying of this.#tidying.values()) this.#post(tidying);
  }

  #lost(why: string): void {
    this.#channel = null;
    if (this.#closing) {
      this.#closing.resolve();
      return;
    }
    if (performance.now() - this.#openedAt >= calmMs) this.#restartMs = restartMsMin;
    const restartMs = this.#restartMs;
    this.#restartMs = Math.min(this.#options.restartMsMax ?? restartMsMaxUsual, restartMs * 2);
    this.#restart = setTimeout(() => {
      this.#restart = null;
      this.#open();
    }, restartMs);
    this.#options.onLost?.(why, restartMs);
  }

  #postStart(order: AttemptOrder): void {
    // What is waiting to be said may be what this attempt is started on.
    if (order.leased && this.#leaseTimer !== null) this.#sayLease();
    if (order.files !== null && !this.#runsTold.has(order.run)) {
      this.#runsTold.add(order.run);
      this.#post({ type: 'layout', run: order.run, files: order.files });
    }
    this.#post({ type: 'start', order: { ...order, files: null } });
  }

  /** Long lists of files stay here until something is really to be started. */
  #postRecover(id: number, known: KnownAttempt[]): void {
    const brief = known.map((one) => (one.order ? { ...one, order: { ...one.order, files: null } } : one));
    this.#post({ type: 'recover', id, known: brief });
  }

  #tidy(order: Tidying): void {
    this.#tidying.set(order.id, order);
    this.#post(order);
  }

  /** Orders of one turn of the loop travel together. Without a runner they wait where they are remembered. */
  #post(order: ToRunner): void {
    const channel = this.#channel;
    if (channel === null) return;
    if (this.#outbox.push(order) > 1) return;
    setImmediate(() => {
      if (this.#channel !== channel) return;
      const batch = this.#outbox;
      this.#outbox = [];
      channel.send(batch);
    });
  }

  #hear(message: FromRunner): void {
    if (message.type === 'report') this.#hearReport(message.report);
    else if (message.type === 'recovered') this.#hearRecovered(message.id, message.list);
    else if (message.type === 'done') this.#tidying.delete(message.id);
    else this.#options.onOpened?.(message);
  }

  #hearRecovered(id: number, list: Recovered[]): void {
    for (const { attempt, found } of list) if (found === 'neverStarted') this.#flying.delete(attempt);
    this.#asked.get(id)?.answer(list);
    this.#asked.delete(id);
  }

  #hearReport(report: AttemptReport): void {
    if (report.type === 'ended') this.#flying.delete(report.attempt);
    for (const hear of this.#listeners) hear(report);
  }
}
