/**
 * What the whole window sees live: cluster, nodes, sandboxes, latest runs, and
 * the one event stream all screens share.
 *
 * Honest when blind: once the stream is lost for longer than two seconds, or
 * the node says it is down since when, `blind` is set and every screen greys.
 * After a break that could not be resumed everything is read again, and those
 * who keep more (a folder, a run) are told by `reset`.
 */
import type { Cluster, LiveEvent, Node, RunSummary, Sandbox } from '../../node-runtime/contract/model.ts';
import { call, Failure, failureListeners, type Name, open } from '../api.ts';
import { followEvents } from '../flows/events.ts';
import { clock } from './clock.svelte.ts';

type Kind = LiveEvent['kind'];
type Told = { [K in Kind]: Extract<LiveEvent, { kind: K }> } & { reset: null };
type Listener = (event: never) => void;
export type Blind = { since: number; sentence: string; next: string };

/** Refused, these mean that nothing is seen; any other refusal is about one thing (a worker that is silent). */
const tellsOfAll = new Set<Name>(['cluster', 'nodes', 'sandboxes', 'runs', 'events', 'session']);
const graceMs = 2_000;
const loadEveryMs = 5_000;
/** A question about the cluster without an answer for so long: what is shown is not known to hold. */
const silenceMs = 8_000;
const answerMs = 10_000;
/** While nobody leads no event tells when somebody does. */
const unsettledEveryMs = 1_000;
const runsShown = 60;
const happenedShown = 60;
const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const silent = (): Failure =>
  new Failure({
    status: 0,
    code: 'unreachable',
    sentence: 'The node is there, but does not answer what is asked about the cluster.',
    next: 'It may wait for other nodes. The console tries again by itself; binnacle recover --show tells what it hears.',
  });

class LiveState {
  cluster = $state.raw<Cluster | null>(null);
  nodes = $state.raw<Node[]>([]);
  sandboxes = $state.raw<Sandbox[] | null>(null);
  runs = $state.raw<RunSummary[] | null>(null);
  blind = $state.raw<Blind | null>(null);
  /** When what is shown was last known to be so. */
  freshAt = $state(Date.now());

  private listeners = new Map<string, Set<Listener>>();
  private ended: AbortController | null = null;
  private lostAt: number | null = null;
  private connected = false;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private graceTimer: ReturnType<typeof setTimeout> | undefined;
  private planned = new Map<string, ReturnType<typeof setTimeout>>();
  private asking: Promise<void> | null = null;
  private asksAgain = false;
  /** When the oldest question that is not answered yet was asked. */
  private askedAt: number | null = null;
  private loadTimer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    failureListeners.add((failure, name) => {
      if (!this.ended || failure.status !== 503 || !failure.since || !tellsOfAll.has(name)) return;
      this.goBlind(Date.parse(failure.since), failure);
    });
  }

  start(): void {
    this.stop();
    const ended = new AbortController();
    this.ended = ended;
    this.lostAt = Date.now();
    this.armGrace();
    const door = {
      open: async (lastId: string, signal: AbortSignal) => {
        const headers: Record<string, string> = { accept: 'text/event-stream' };
        if (lastId) headers['last-event-id'] = lastId;
        const response = await open('events', { headers, signal, withinMs: 0 });
        if (!response.body) throw new Error('The event stream has no body.');
        return response.body;
      },
      probe: () => call('session'),
      wait,
    };
    void followEvents(
      door,
      {
        onHello: (resumed) => this.hello(resumed),
        onEvent: (event) => this.heard(event),
        onLost: (cause) => this.lost(cause),
      },
      ended.signal,
    );
    // Load is not an event: it changes all the time and is nobody's decision.
    let ticks = 0;
    this.loadTimer = setInterval(() => {
      ticks++;
      this.noticeSilence();
      if (document.visibilityState !== 'visible' || this.blind) return;
      if (!this.isUnsettled && (ticks * unsettledEveryMs) % loadEveryMs !== 0) return;
      this.plan('cluster', () => this.askCluster());
      this.plan('nodes', () => this.readNodes());
    }, unsettledEveryMs);
  }
  stop(): void {
    this.ended?.abort();
    this.ended = null;
    this.connected = false;
    clearTimeout(this.graceTimer);
    clearTimeout(this.retryTimer);
    clearInterval(this.loadTimer);
    for (const timer of this.planned.values()) clearTimeout(timer);
    this.planned.clear();
    this.askedAt = null;
    this.cluster = null;
    this.sandboxes = null;
    this.runs = null;
    this.nodes = [];
    this.blind = null;
  }

  /** Listens until the returned function is called. */
  on<K extends keyof Told>(kind: K, listener: (event: Told[K]) => void): () => void {
    const set = this.listeners.get(kind) ?? new Set<Listener>();
    this.listeners.set(kind, set.add(listener as Listener));
    return () => void set.delete(listener as Listener);
  }

  /** The time that what is shown is of: while blind it stands still, as nobody knows what went on. */
  get shownAt(): number {
    if (this.blind) return this.blind.since;
    return this.cluster && !this.cluster.fresh ? Date.parse(this.cluster.readAt) : clock.now;
  }
  /** Nobody leads, or nobody confirms what is shown. */
  get isUnsettled(): boolean {
    return this.cluster !== null && (!this.cluster.fresh || this.cluster.active === null);
  }
  /** A node may be named by its id or by its name. */
  nodeOf(of: string | null): Node | undefined {
    return this.nodes.find((node) => node.id === of || node.name === of);
  }
  nameOf(of: string): string {
    return this.nodeOf(of)?.name ?? of;
  }
  /** After an act on the cluster: what became of it. A failure is left to the next reading. */
  async readCluster(): Promise<void> {
    await Promise.all([this.askCluster(), this.readNodes()]).catch((cause: unknown) => {
      if (!(cause instanceof Failure)) throw cause;
    });
  }
  sandbox(name: string): Sandbox | undefined {
    return this.sandboxes?.find((sandbox) => sandbox.name === name);
  }
  async readSandboxes(): Promise<void> {
    this.sandboxes = (await call('sandboxes')).sandboxes;
  }
  /** Rights may have changed: of a sandbox that came or went without being made or removed, the runs did too. */
  private async readAnew(): Promise<void> {
    const namesOf = (): string => (this.sandboxes ?? []).map(({ name }) => name).join();
    const before = namesOf();
    await this.readSandboxes();
    if (namesOf() === before) return;
    this.runs = (await call('runs', { query: { limit: runsShown } })).runs;
    this.tell('reset', null);
  }

  private hello(resumed: boolean): void {
    clearTimeout(this.graceTimer);
    this.connected = true;
    this.lostAt = null;
    if (resumed && this.cluster) {
      this.seeAgain();
      return;
    }
    void this.readAll().then(
      () => {
        this.seeAgain();
        this.tell('reset', null);
      },
      (cause: unknown) => this.lost(cause),
    );
  }
  private seeAgain(): void {
    if (this.lostAt !== null) return;
    this.askedAt = null;
    this.blind = null;
    this.freshAt = Date.now();
  }
  private async readAll(): Promise<void> {
    const overtaken: RunSummary[] = [];
    const stop = this.on('run', ({ run }) => void overtaken.push(run));
    try {
      await this.readEach();
    } finally {
      stop();
    }
    // What changed while it was read is newer than the answers.
    for (const run of overtaken) this.takeRun(run);
  }
  private async readEach(): Promise<void> {
    const [cluster, nodes, sandboxes, runs] = await Promise.all([
      call('cluster'),
      call('nodes'),
      call('sandboxes'),
      call('runs', { query: { limit: runsShown } }),
    ]);
    this.cluster = cluster;
    this.nodes = nodes.nodes;
    this.sandboxes = sandboxes.sandboxes;
    this.runs = runs.runs;
  }
  /** The revision is told; how many files and bytes there are now has to be asked, once for many changes. */
  private filesChanged(name: string, revision: number): void {
    const known = this.sandbox(name);
    if (known && revision > known.revision) this.takeSandbox({ ...known, revision });
    this.plan(`sandbox ${name}`, () => this.readSandbox(name), 250);
  }
  private async readSandbox(name: string): Promise<void> {
    try {
      this.takeSandbox(await call('sandbox', { params: { sandbox: name } }));
    } catch (cause) {
      if (!(cause instanceof Failure && cause.status === 404)) throw cause;
      this.sandboxes = this.sandboxes?.filter((one) => one.name !== name) ?? null;
    }
  }
  /** An answer that was overtaken by a newer one is left out. */
  private takeSandbox(sandbox: Sandbox): void {
    const at = this.sandboxes?.findIndex((one) => one.name === sandbox.name) ?? -1;
    const known = this.sandboxes?.[at];
    if (!known) return;
    if (known.createdAt === sandbox.createdAt && known.revision > sandbox.revision) return;
    this.sandboxes = this.sandboxes?.with(at, sandbox) ?? null;
  }
  /** One question at a time: a node that cannot confirm anything may leave it unanswered. */
  private askCluster(): Promise<void> {
    if (this.asking) {
      this.asksAgain = true;
      return this.asking;
    }
    this.askedAt ??= Date.now();
    this.asking = this.readClusterOnce().finally(() => {
      this.asking = null;
      if (this.asksAgain && this.ended) this.plan('cluster', () => this.askCluster());
      this.asksAgain = false;
    });
    return this.asking;
  }
  private async readClusterOnce(): Promise<void> {
    const wasFresh = this.cluster?.fresh;
    const cluster = await call('cluster', { withinMs: answerMs });
    if (!this.ended) return;
    this.askedAt = null;
    this.cluster = cluster;
    // What was read meanwhile was true of an older moment.
    if (wasFresh !== false || !cluster.fresh) return;
    await this.readAll();
    this.tell('reset', null);
  }
  /** News may come while questions are not answered; then nobody knows whether what is shown still holds. */
  private noticeSilence(): void {
    if (this.askedAt === null || this.blind || Date.now() - this.askedAt < silenceMs) return;
    this.goBlind(this.askedAt, silent());
  }
  private async readNodes(): Promise<void> {
    this.nodes = (await call('nodes')).nodes;
  }

  private heard(event: LiveEvent): void {
    this.freshAt = Date.now();
    if (event.kind === 'run') this.takeRun(event.run);
    else if (event.kind === 'cluster') {
      this.plan('cluster', () => this.askCluster());
      this.plan('nodes', () => this.readNodes());
      this.plan('sandboxes', () => this.readAnew());
    } else if (event.kind === 'sandbox') {
      this.plan('sandboxes', () => (event.change === 'rights' ? this.readAnew() : this.readSandboxes()));
    } else if (event.kind === 'files') this.filesChanged(event.sandbox, event.revision);
    else if (event.kind === 'happened' && this.cluster) {
      const happened = [
        event.happening,
        ...this.cluster.happened.filter((one) => one.position !== event.happening.position),
      ];
      this.cluster = { ...this.cluster, happened: happened.slice(0, happenedShown) };
    }
    this.tell(event.kind, event);
  }
  private takeRun(run: RunSummary): void {
    const runs = this.runs ?? [];
    const at = runs.findIndex((one) => one.id === run.id);
    this.runs = at < 0 ? [run, ...runs].slice(0, runsShown) : runs.with(at, run);
    // Counts (running, waiting, failed today) come with the cluster's answer.
    this.plan('cluster', () => this.askCluster(), 400);
  }
  private tell(kind: string, event: unknown): void {
    for (const listener of this.listeners.get(kind) ?? []) (listener as (event: unknown) => void)(event);
  }

  private lost(cause: unknown): void {
    this.connected = false;
    this.lostAt ??= Date.now();
    if (cause instanceof Failure && cause.since) this.goBlind(Date.parse(cause.since), cause);
    else this.armGrace();
  }
  private armGrace(): void {
    clearTimeout(this.graceTimer);
    if (this.blind || this.lostAt === null) return;
    const since = this.lostAt;
    this.graceTimer = setTimeout(
      () => {
        if (this.lostAt !== null) this.goBlind(since, null);
      },
      Math.max(0, since + graceMs - Date.now()),
    );
  }
  private goBlind(since: number, failure: Failure | null): void {
    this.blind = {
      since: this.blind?.since ?? since,
      sentence: failure?.message ?? 'This window gets no news from its node.',
      next: failure?.next ?? 'Runs go on without it. The console tries again by itself.',
    };
    this.lostAt ??= since;
    if (this.connected) this.retrySoon();
  }
  /** The stream lives, but the node refused to answer: nothing will say that it can again, so it is asked. */
  private retrySoon(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => {
      if (!this.connected || !this.blind) return;
      this.readAll().then(
        () => {
          if (!this.connected) return;
          this.lostAt = null;
          this.seeAgain();
          this.tell('reset', null);
        },
        () => this.retrySoon(),
      );
    }, 2_000);
  }

  /** Several events in a row cause one reading; a failed one is left to the next event or the stream. */
  private plan(what: string, read: () => Promise<void>, ms = 150): void {
    if (this.planned.has(what)) return;
    const timer = setTimeout(() => {
      this.planned.delete(what);
      read().catch((cause: unknown) => {
        if (!(cause instanceof Failure)) throw cause;
      });
    }, ms);
    this.planned.set(what, timer);
  }
}

export const live = new LiveState();
