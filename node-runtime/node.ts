/**
 * The loop of a node: takes one event, asks the core, carries out what it says.
 *
 * Everything a node decides goes through here, one event at a time: requests,
 * ticks, "it is on disk", "the job ended". The core (`core/step.ts`) answers
 * with effects as data; this file carries them out in a fixed order: save,
 * then send, then answer, then start. It decides nothing itself.
 *
 * Promise: an effect of a step leaves only after the saves of that step and of
 * all steps before it (P1). A journal that fails for good stops the node.
 */
import { randomBytes } from 'node:crypto';
import { type Refusal, refuse } from './contract/errors.ts';
import type { Entry, StoredEntry, Term } from './contract/facts.ts';
import type { LiveEvent, Run } from './contract/model.ts';
import type { Register } from './core/cluster/register.ts';
import type { AttemptName, Effect, Event, Order, Reply } from './core/effects.ts';
import { applyEntry, emptyReplicated, loadReplicated, type Replicated } from './core/replicated.ts';
import { isActive, type NodeState, step, wake } from './core/step.ts';
import type { Wish } from './core/wishes.ts';
import { chainOf } from './io/journal/chain.ts';
import { DiskFull } from './io/journal/errors.ts';
import type { Journal } from './io/journal/journal.ts';

/** The side of the node that starts tasks: this machine's own worker. */
export type Hands = {
  greet(term: Term): void;
  start(order: Order): void;
  stop(name: AttemptName): void;
  forget(name: AttemptName): void;
  sweep(run: string): void;
};

export type Loop = {
  /** What the core knows now. For looking, not for changing. */
  readonly state: NodeState;
  /** Brings an event in; its effects are carried out before this returns, or as soon as what they wait for is saved. */
  dispatch(event: Event): void;
  /** A wish of a person or program; answered when it is committed, or refused. */
  ask(by: string, key: { key: string; request: string } | null, wish: Wish): Promise<Reply>;
  /** Reads the state and waits until everything it was read from is committed (P36, fresh). */
  read<T>(look: (state: Replicated) => T): Promise<T>;
  stop(): Promise<void>;
};

export type LoopOptions = {
  journal: Journal;
  self: NodeState['self'];
  hands: Hands | null;
  publish(events: LiveEvent[]): void;
  /** Runs that ended, for the history. */
  fileRuns(runs: Run[]): Promise<void>;
  /** Entries between two snapshots; the default is that of the limits. */
  snapshotEvery?: number;
  log: { info(what: object, sentence: string): void; error(what: object, sentence: string): void };
  /** A broken promise or a disk that fails for good: the node must stop (and the others go on). */
  onFault(error: unknown): void;
};

const TICK_MS = 200;

export async function startLoop(options: LoopOptions): Promise<Loop> {
  const { journal, self, log } = options;
  const answers = new Map<number, (reply: Reply) => void>();
  const readers: { index: number; go: () => void; again: () => void }[] = [];
  let asked = 0;
  let stopped = false;
  /** Counts reloads: results of saves made before one are of no meaning after it. */
  let generation = 0;
  let chain = '';
  let state: NodeState;
  /** Saves in progress that later effects have to wait for. */
  let barrier: Promise<void> | null = null;

  async function load(): Promise<void> {
    const kept = await journal.load();
    const replicated = kept.snapshot ? loadReplicated(kept.snapshot.text) : emptyReplicated();
    for (const stored of kept.entries) applyEntry(replicated, openEntry(stored));
    chain = kept.end.chain;
    const register = JSON.parse(kept.register!) as Register;
    state = wake(self, register, replicated, kept.snapshot?.index ?? 0, options.snapshotEvery);
  }

  function dispatch(event: Event): void {
    if (stopped) return;
    try {
      carryOut(step(state, event));
      while (readers.length > 0 && readers[0]!.index <= state.committed) readers.shift()!.go();
    } catch (error) {
      fail(error);
    }
  }

  function fail(error: unknown): void {
    if (stopped) return;
    stopped = true;
    clearInterval(ticking);
    options.onFault(error);
  }

  function carryOut(effects: Effect[]): void {
    for (const effect of effects) if (effect.effect === 'saveRegister') saveRegister(effect.register);
    for (const effect of effects) if (effect.effect === 'append') append(effect.entries);
    const rest = effects.filter((effect) => effect.effect !== 'saveRegister' && effect.effect !== 'append');
    if (rest.length === 0) return;
    if (!barrier) return rest.forEach(carryOutOne);
    void barrier.then(() => rest.forEach(carryOutOne), fail);
  }

  function saveRegister(register: Register): void {
    const mine = generation;
    const saved = (barrier ?? Promise.resolve()).then(() => journal.saveRegister(JSON.stringify(register)));
    const settled = saved.then(
      () => mine === generation && dispatch({ event: 'registerSaved', now: Date.now() }),
      (error) => saveFailed(error, mine),
    );
    const passed = settled.then(() => {
      if (barrier === passed) barrier = null;
    });
    barrier = passed;
  }

  function append(entries: Entry[]): void {
    const mine = generation;
    const stored = entries.map((entry) => {
      const sealed = sealEntry(entry, chain);
      chain = sealed.chain;
      return sealed;
    });
    const index = entries.at(-1)!.index;
    journal.append(stored).then(
      () => mine === generation && dispatch({ event: 'synced', index, now: Date.now() }),
      (error) => saveFailed(error, mine),
    );
  }

  function saveFailed(error: unknown, mine: number): void {
    if (mine !== generation || stopped) return;
    if (!(error instanceof DiskFull)) return fail(error);
    log.error({ err: error }, 'The disk is full: nothing is changed until there is space again.');
    dispatch({ event: 'saveFailed', now: Date.now() });
  }

  function carryOutOne(effect: Effect): void {
    switch (effect.effect) {
      case 'saveSnapshot': {
        // The chain at that index is the newest one: a snapshot is only given out when all of it is committed.
        void journal
          .read(effect.index, effect.index, 1)
          .then(([entry]) => entry && journal.saveSnapshot({ ...effect, chain: entry.chain }))
          .catch((error) => (error instanceof DiskFull ? undefined : fail(error)));
        break;
      }
      case 'fileRuns':
        options.fileRuns(effect.runs).catch((error) => (error instanceof DiskFull ? undefined : fail(error)));
        break;
      case 'answer':
        answers.get(effect.id)?.(effect.reply);
        answers.delete(effect.id);
        break;
      case 'publish':
        options.publish(effect.events);
        break;
      case 'greetWorkers':
        options.hands?.greet(effect.term);
        break;
      case 'startAttempt':
        options.hands?.start(effect.order);
        break;
      case 'stopAttempt':
        options.hands?.stop(effect.name);
        break;
      case 'forgetAttempt':
        options.hands?.forget(effect.name);
        break;
      case 'sweepRun':
        options.hands?.sweep(effect.run);
        break;
      case 'reload':
        reload();
        break;
    }
  }

  function reload(): void {
    generation++;
    const retryAt = state.controller.phase === 'idle' ? state.controller.retryAt : 0;
    const loading = load().then(() => {
      state.controller = { phase: 'idle', why: 'disk_full', retryAt };
      // What they had seen was not kept: they look at what is true now.
      for (const reader of readers.splice(0)) reader.again();
    }, fail);
    const passed = loading.then(() => {
      if (barrier === passed) barrier = null;
    });
    barrier = passed;
  }

  await load();
  const ticking = setInterval(() => {
    if (!barrier) dispatch({ event: 'ticked', now: Date.now() });
  }, TICK_MS);
  queueMicrotask(() => dispatch({ event: 'ticked', now: Date.now() }));

  return {
    get state() {
      return state;
    },
    dispatch,
    ask(by, key, wish) {
      if (stopped) return Promise.resolve(refuse('stopping', `${self.name} is stopping.`));
      return new Promise((done) => {
        const id = ++asked;
        answers.set(id, done);
        const random = randomBytes(10).toString('hex');
        dispatch({ event: 'asked', asked: { id, by, via: self.name, key, wish }, now: Date.now(), random });
      });
    },
    read(look) {
      const value = look(state.replicated);
      const index = state.replicated.index;
      if (index <= state.committed || stopped) return Promise.resolve(value);
      return new Promise((done) =>
        readers.push({ index, go: () => done(value), again: () => done(look(state.replicated)) }),
      );
    },
    async stop() {
      stopped = true;
      clearInterval(ticking);
      const reply: Refusal = refuse('unknown_outcome', `${self.name} stopped before it was known.`);
      for (const answer of answers.values()) answer(reply);
      for (const reader of readers.splice(0)) reader.go();
      await barrier?.catch(() => {});
    },
  };
}

/** The text that crc and chain are made over is made once, here, and kept as it is. */
export function sealEntry(entry: Entry, previousChain: string): StoredEntry {
  const { term, index, ...rest } = entry;
  const text = JSON.stringify(rest);
  return { term, index, text, chain: chainOf(previousChain, term, index, text) };
}

export function openEntry({ term, index, text }: StoredEntry): Entry {
  return { term, index, ...(JSON.parse(text) as Omit<Entry, 'term' | 'index'>) };
}

export const isWorking = (loop: Loop): boolean => isActive(loop.state);
