/**
 * The step of a node against a small simulated disk and worker: entries become
 * durable late or never, the node crashes at any moment, the disk fills up.
 * After every step: nothing left that is not durable, the same key did one
 * thing, and what the disk holds adds up to what was answered.
 */
import { describe, expect, it } from 'vitest';
import type { AttemptEnd, Entry, Plan } from '../../../node-runtime/contract/facts.ts';
import { foundingCharter } from '../../../node-runtime/core/cluster/charter.ts';
import { foundingRegister, type Register } from '../../../node-runtime/core/cluster/register.ts';
import { compareTerms, foundingTerm } from '../../../node-runtime/core/cluster/terms.ts';
import type { AttemptKnown, Effect, Order, Reply } from '../../../node-runtime/core/effects.ts';
import { runOf, summaries } from '../../../node-runtime/core/jobs/jobs.ts';
import {
  applyEntry,
  emptyReplicated,
  loadReplicated,
  type Replicated,
  saveReplicated,
} from '../../../node-runtime/core/replicated.ts';
import { attemptText, isActive, type NodeState, step, wake } from '../../../node-runtime/core/step.ts';
import type { Wish } from '../../../node-runtime/core/wishes.ts';

const self = { node: 'n-1', name: 'atlas', slots: 3 };
const voter = { node: 'n-1', store: 's1' };

/** Repeatable chance (mulberry32). */
function chance(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const plan: Plan = {
  name: 'two',
  format: 'job',
  tasks: ['first', 'second'].map((id, at) => ({
    id,
    name: id,
    needs: at === 0 ? [] : ['first'],
    finally: false,
    run: { program: 'true', arguments: [] },
    environment: {},
    workingDirectory: '',
    timeoutMs: null,
    attemptsMax: at === 0 ? 2 : 1,
    retryDelayMs: 50,
    retryBackoff: 1,
    continueOnError: false,
  })),
};

class World {
  readonly random: () => number;
  now = 1_000;
  disk: { register: Register; entries: Entry[] };
  full = false;
  state!: NodeState;
  /** Appended and not synced. */
  writing: Entry[][] = [];
  registerWriting: Register | null = null;
  nextId = 0;
  answers = new Map<number, Reply>();
  asks = new Map<number, { key: string; wish: Wish }>();
  /** attempt → how often a worker really started it */
  started = new Map<string, number>();
  worker = new Map<string, { order: Order; end: AttemptEnd | null }>();
  terms: Entry['term'][] = [];
  happened = { crashes: 0, full: 0, refused: 0, ended: 0 };

  constructor(seed: number) {
    this.random = chance(seed);
    const charter = foundingCharter(voter, 0);
    const founded: Entry = {
      term: foundingTerm('n-1'),
      index: 1,
      at: 0,
      by: 'node',
      via: 'atlas',
      fact: { kind: 'clusterFounded', cluster: 'c-1', name: 'lab', node: 'n-1', nodeName: 'atlas' },
    };
    const sandbox: Entry = {
      ...founded,
      index: 2,
      fact: { kind: 'sandboxCreated', name: 'work', storage: 'kept', description: '' },
    };
    this.disk = { register: foundingRegister('c-1', voter, charter), entries: [founded, sandbox] };
    this.boot();
  }

  replay(): Replicated {
    const replicated = emptyReplicated();
    for (const entry of this.disk.entries) applyEntry(replicated, JSON.parse(JSON.stringify(entry)));
    return replicated;
  }

  boot(): void {
    this.writing = [];
    this.registerWriting = null;
    this.state = wake(self, this.disk.register, this.replay(), 0);
  }

  crash(): void {
    this.happened.crashes++;
    this.boot();
  }

  feed(event: Parameters<typeof step>[1]): void {
    const effects = step(this.state, event);
    for (const effect of effects) this.carryOut(effect);
    this.check();
  }

  durable = (index: number): boolean => index <= this.disk.entries.length;

  carryOut(effect: Effect): void {
    switch (effect.effect) {
      case 'saveRegister':
        this.registerWriting = effect.register;
        break;
      case 'append':
        this.writing.push(effect.entries);
        break;
      case 'answer':
        // P14: everything the answer was read from is durable, unless it refuses because nothing could be kept.
        if (!('code' in effect.reply)) expect(this.durable(this.state.committed)).toBe(true);
        else this.happened.refused++;
        this.answers.set(effect.id, effect.reply);
        break;
      case 'publish':
        for (const event of effect.events) expect(this.durable(event.position)).toBe(true);
        break;
      case 'startAttempt':
        this.startAttempt(effect.order);
        break;
      case 'forgetAttempt':
        // Only what has ended is forgotten; it may be told twice.
        expect(this.worker.get(attemptText(effect.name))?.end).not.toBe(null);
        this.worker.delete(attemptText(effect.name));
        break;
      case 'greetWorkers':
        this.terms.push(effect.term);
        break;
      case 'reload':
        this.happened.full++;
        this.writing = [];
        this.registerWriting = null;
        {
          const retryAt = this.state.controller.phase === 'idle' ? this.state.controller.retryAt : 0;
          this.state = wake(self, this.disk.register, this.replay(), 0);
          this.state.controller = { phase: 'idle', why: 'disk_full', retryAt };
        }
        break;
    }
  }

  startAttempt(order: Order): void {
    const name = attemptText(order);
    // The placement is in the journal before a worker hears of it (P35).
    const placed = this.disk.entries.some(
      ({ fact }) =>
        fact.kind === 'attemptPlaced' &&
        fact.run === order.run &&
        fact.task === order.task &&
        fact.number === order.number,
    );
    expect(placed, `${name} was placed durably`).toBe(true);
    if (this.worker.has(name)) return; // a known attempt is never started again
    this.worker.set(name, { order, end: null });
    this.started.set(name, (this.started.get(name) ?? 0) + 1);
  }

  syncOne(): void {
    const entries = this.writing.shift();
    if (!entries) return;
    if (this.full) return this.feed({ event: 'saveFailed', now: this.now });
    this.disk.entries.push(...entries);
    this.feed({ event: 'synced', index: entries.at(-1)!.index, now: this.now });
  }

  saveRegister(): void {
    if (!this.registerWriting) return;
    if (this.full) return this.feed({ event: 'saveFailed', now: this.now });
    // I9: what was promised and accepted never decreases.
    expect(compareTerms(this.registerWriting.promised, this.disk.register.promised)).toBeGreaterThanOrEqual(0);
    this.disk.register = this.registerWriting;
    this.registerWriting = null;
    this.feed({ event: 'registerSaved', now: this.now });
  }

  ask(key: string): void {
    const id = ++this.nextId;
    const wish: Wish = { wish: 'launch', sandbox: 'work', path: 'two.job.yaml', revision: 0, parameters: {}, plan };
    this.asks.set(id, { key, wish });
    const asked = { id, by: 'user:ops', via: 'atlas', key: { key, request: 'same' }, wish };
    this.feed({
      event: 'asked',
      asked,
      now: this.now,
      random: Math.floor(this.random() * 1e9)
        .toString(36)
        .padStart(6, '0'),
    });
  }

  cancelSome(): void {
    const living = summaries(this.state.replicated.jobs).filter((run) => !run.endedAt);
    const run = living[Math.floor(this.random() * living.length)];
    if (!run) return;
    const asked = {
      id: ++this.nextId,
      by: 'user:ops',
      via: 'atlas',
      key: null,
      wish: { wish: 'cancel', run: run.id } as const,
    };
    this.feed({ event: 'asked', asked, now: this.now, random: 'abcdef' });
  }

  endSome(): void {
    const running = [...this.worker.values()].filter((one) => !one.end);
    const one = running[Math.floor(this.random() * running.length)];
    if (!one) return;
    const ok = this.random() < 0.7;
    one.end = {
      at: this.now,
      state: ok ? 'succeeded' : 'failed',
      cause: 'exit',
      exitCode: ok ? 0 : 1,
      outputBytes: 0,
      outputCut: false,
    };
    this.happened.ended++;
    const { run, task, number } = one.order;
    this.feed({
      event: 'attemptEnded',
      name: { run, task, number },
      end: one.end,
      now: this.now,
      random: this.random(),
    });
  }

  greet(): void {
    if (!isActive(this.state)) return;
    const attempts: AttemptKnown[] = [...this.worker.values()].map(({ order: { run, task, number }, end }) =>
      end ? { run, task, number, state: 'ended', end } : { run, task, number, state: 'running' },
    );
    this.feed({
      event: 'workerGreeted',
      node: self.node,
      slots: self.slots,
      attempts,
      now: this.now,
      random: this.random(),
    });
  }

  check(): void {
    for (const [attempt, times] of this.started) expect(times, `${attempt} started`).toBe(1); // I11
    // I2: a term has one active, once.
    const terms = this.terms.map((term) => JSON.stringify(term));
    expect(new Set(terms).size).toBe(terms.length);
    // I12: the same key acts once.
    const byKey = new Map<string, string>();
    for (const [id, reply] of this.answers) {
      const ask = this.asks.get(id);
      if (!ask || 'code' in reply) continue;
      const run = (reply.body as { id: string }).id;
      expect(byKey.get(ask.key) ?? run).toBe(run);
      byKey.set(ask.key, run);
    }
  }

  one(): void {
    this.now += Math.floor(this.random() * 40);
    const dice = this.random();
    if (dice < 0.18) this.ask(`k${Math.floor(this.random() * 12)}`);
    else if (dice < 0.5) this.syncOne();
    else if (dice < 0.6) this.saveRegister();
    else if (dice < 0.75) this.feed({ event: 'ticked', now: this.now });
    else if (dice < 0.83) this.greet();
    else if (dice < 0.94) this.endSome();
    else if (dice < 0.96) this.cancelSome();
    else if (dice < 0.975) this.crash();
    else if (dice < 0.985) this.full = !this.full;
  }

  /** Faults end: everything must come to rest. */
  settle(): void {
    this.full = false;
    for (let turn = 0; turn < 2_000; turn++) {
      this.now += 200;
      this.feed({ event: 'ticked', now: this.now });
      this.saveRegister();
      while (this.writing.length > 0) this.syncOne();
      if (turn % 5 === 0) this.greet();
      this.endSome();
      const living = summaries(this.state.replicated.jobs).some((run) => !run.endedAt);
      if (isActive(this.state) && !living && this.writing.length === 0 && turn > 10) return;
    }
    throw new Error('did not come to rest');
  }
}

describe('the step of a node', () => {
  it('keeps its promises through crashes, a full disk and late syncs, for many seeds', { timeout: 120_000 }, () => {
    const sum = { crashes: 0, full: 0, refused: 0, ended: 0, acknowledged: 0 };
    for (let seed = 1; seed <= 150; seed++) {
      const world = new World(seed);
      try {
        for (let turn = 0; turn < 300; turn++) world.one();
        world.settle();
        const replayed = world.replay();
        // Acknowledged is kept: every run that was answered is in the journal, and has ended.
        for (const [id, reply] of world.answers) {
          if ('code' in reply || !world.asks.has(id)) continue;
          sum.acknowledged++;
          const run = runOf(replayed.jobs, (reply.body as { id: string }).id);
          expect(run?.endedAt, `run of answer ${id}`).toBeDefined();
        }
        // Replay gives the state that was reached, and so does a snapshot of it.
        expect(saveReplicated(replayed)).toBe(saveReplicated(world.state.replicated));
        expect(saveReplicated(loadReplicated(saveReplicated(replayed)))).toBe(saveReplicated(replayed));
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      for (const [name, count] of Object.entries(world.happened)) sum[name as keyof typeof sum] += count;
    }
    // A test in which nothing rare happened proves nothing.
    for (const [name, count] of Object.entries(sum)) expect(count, name).toBeGreaterThan(100);
  });

  it('answers nothing before it acts, and says so', () => {
    const world = new World(1);
    world.ask('k');
    expect(world.answers.get(1)).toMatchObject({ code: 'starting' });
  });

  it('comes back after a full disk also when the clock is set back by days meanwhile', () => {
    const world = new World(1);
    world.now = 10 * 86_400_000;
    world.full = true;
    world.feed({ event: 'ticked', now: world.now });
    world.saveRegister();
    expect(world.state.controller).toMatchObject({ phase: 'idle', why: 'disk_full' });
    world.full = false;
    world.feed({ event: 'ticked', now: world.now + 1 });
    expect(world.state.controller.phase).toBe('idle'); // it does wait its second
    world.feed({ event: 'ticked', now: world.now - 3 * 86_400_000 });
    expect(world.state.controller.phase).toBe('asking');
  });

  it('P9, P13: activates by a committed entry of its own, in a new term each time', () => {
    const world = new World(1);
    const wakeUp = () => {
      world.feed({ event: 'ticked', now: world.now });
      world.saveRegister();
      world.saveRegister();
      expect(isActive(world.state)).toBe(false);
      world.syncOne();
      expect(isActive(world.state)).toBe(true);
    };
    wakeUp();
    world.crash();
    wakeUp();
    expect(world.terms.map((term) => term.number)).toEqual([1, 2]);
    expect(world.disk.entries.map((entry) => entry.fact.kind)).toEqual([
      'clusterFounded',
      'sandboxCreated',
      'activated',
      'activated',
    ]);
  });

  it('P12, P16: appends in order without waiting for its own sync, and applies in that order', () => {
    const world = new World(1);
    world.feed({ event: 'ticked', now: 1 });
    world.saveRegister();
    world.saveRegister();
    world.syncOne();
    world.ask('a');
    world.ask('b');
    expect(world.writing.flat().map((entry) => entry.index)).toEqual([4, 5]);
    expect(world.answers.size).toBe(0);
    world.syncOne();
    expect(world.answers.size).toBe(1);
    world.syncOne();
    expect(world.answers.size).toBe(2);
    expect(() => applyEntry(world.replay(), { ...world.disk.entries[0]!, index: 99 })).toThrow('broken promise');
  });
});
