/**
 * The loop of a node: takes one event, asks the core, carries out what it says.
 *
 * Everything a node decides goes through here, one event at a time: requests,
 * ticks, messages of other nodes, "it is on disk". The core (`core/step.ts`)
 * answers with effects as data; this file carries them out in a fixed order:
 * save, then send, then answer, then start. It decides nothing itself.
 *
 * Promise: saves are given to the disk in the order of their numbers, and the
 * core is told when they are on it (P1). What may leave before a save is said
 * by the core alone. A journal that fails for good stops the node.
 */
import { randomBytes } from 'node:crypto';
import type { Auditing, ReadActs } from './auditing.ts';
import { type Refusal, refuse } from './contract/errors.ts';
import type { LiveEvent, Run } from './contract/model.ts';
import type { Directory, PeerMessage, Told } from './contract/peer-messages.ts';
import { emptyRegister, type Register } from './core/cluster/register.ts';
import type { Timing } from './core/cluster/timing.ts';
import type { Clock, Effect, Event, MemberWish, Reply } from './core/effects.ts';
import type { Position } from './core/journal/tail.ts';
import { isActive, isConfirmed, type NodeState, whyIdle } from './core/node-state.ts';
import type { Replicated } from './core/replicated.ts';
import { step } from './core/step.ts';
import type { Wish } from './core/wishes.ts';
import { attemptText } from './core/workers.ts';
import { DiskFull } from './io/journal/errors.ts';
import type { Journal } from './io/journal/journal.ts';
import type { Snapshot } from './io/journal/records.ts';
import { monotonicMs } from './io/machine/clock.ts';
import { foldFromDisk, wakeFromDisk } from './waking.ts';

/** A fresh read began here and this node stopped acting before it was confirmed: another one may answer it. */
export class NotActive extends Error {
  override name = 'NotActive';
}

/** Through which node a request came, when it is not this one, and from where. */
export type Origin = { via?: string; from?: string };

export type Granted = { ok: boolean; words: string; end?: Position };

export type Loop = {
  /** What the core knows now. For looking, not for changing. */
  readonly state: NodeState;
  /** A message of another node, checked for its shape. */
  hear(from: string, message: PeerMessage): void;
  connected(node: string): void;
  /** A wish of a person or program; answered when it is committed, or refused. */
  ask(by: string, key: { key: string; request: string } | null, wish: Wish, origin?: Origin): Promise<Reply>;
  /**
   * Reads the state. While this node acts: after a quorum has confirmed its term, and when everything that was read
   * is committed (P36, fresh); rejects with NotActive when it is replaced meanwhile. Else what is known here (local).
   */
  read<T>(look: (state: Replicated) => T): Promise<T>;
  /** A read was answered by another node, as of this position. */
  passedOn(position: number): void;
  /** A wish about the cluster itself: hand over, park, confirm a loss. */
  wish(wish: MemberWish): Promise<Granted>;
  /** This node keeps a journal from now on, or no more. */
  keepJournal(keeps: boolean): void;
  stop(): Promise<void>;
};

export type LoopOptions = {
  journal: Journal;
  self: NodeState['self'];
  keepsJournal: boolean;
  timing: Timing;
  /** Sends to another node; best effort. */
  send(to: string, message: PeerMessage): void;
  /** What this node's own worker is told. */
  toWorker(from: string, message: PeerMessage): void;
  /** How this node is, said to the others once a second. */
  tell(): Told;
  useDirectory(directory: Directory): void;
  /** Words of the core name nodes by id: as people call them. */
  inNames(words: string): string;
  fetchSnapshot(from: string, at: Position): Promise<Snapshot>;
  publish(events: LiveEvent[]): void;
  /** Contents of files that committed entries speak of; and, after the state was read anew, that all of it does. */
  expectContents(hashes: string[]): void;
  woke(replicated: Replicated): void;
  copyOutput(attempt: string, node: string, outputBytes: number): void;
  audit: Pick<Auditing, 'row' | 'read' | 'keptUpTo' | 'cut'>;
  /** Runs that ended, for the history. */
  fileRuns(runs: Run[]): Promise<void>;
  /** Entries between two snapshots; the default is that of the limits. */
  snapshotEvery?: number;
  log: {
    info(what: object, sentence: string): void;
    warn(what: object, sentence: string): void;
    error(what: object, sentence: string): void;
  };
  /** A broken promise or a disk that fails for good: the node must stop (and the others go on). */
  onFault(error: unknown): void;
};

const TICK_MS = 50;
/** A full disk is not asked all the time: each waking reads the journal. */
const FULL_AGAIN_MS = 500;
/** How long a local read waits for the state to be no more than what is committed. */
const READ_HERE_MS = 5_000;
/** How this node is, is looked at anew this often. */
const TELL_LOOK_MS = 500;
/** How far the journal is committed is noted this often; it is known better from the others. */
const NOTE_COMMITTED_MS = 1_000;

type Reader = { look(): void; done(): void; lost(): void };
type Unclocked = Event extends infer E ? (E extends Clock ? Omit<E, keyof Clock> : never) : never;

export async function startLoop(options: LoopOptions): Promise<Loop> {
  const { journal, self, log } = options;
  const answers = new Map<number, (reply: Reply) => void>();
  const grants = new Map<number, (granted: Granted) => void>();
  const reads = new Map<number, Reader[]>();
  /** Reads that saw entries which are not committed yet. */
  let held: { index: number; reader: Reader }[] = [];
  const incarnation = randomBytes(8).toString('hex');
  let { keepsJournal } = options;
  let asked = 0;
  let wishes: Extract<Unclocked, { event: 'asked' }>['asked'] = [];
  let readers: Reader[] = [];
  let stopped = false;
  /** Counts wakings: results of what was begun before one are of no meaning after it. */
  let life = 0;
  let waking = false;
  let savedUpTo = 0;
  let savedTold = 0;
  let fetched: Snapshot | null = null;
  let fetching = false;
  /** Newest position of what others answered through this node. */
  let passed = 0;
  let shown: { index: number; lastClaim: string | undefined } = { index: 0, lastClaim: undefined };
  let committedNoted = 0;
  let toldAt = 0;
  let state: NodeState;

  const clock = (): Clock => ({ now: Date.now(), mono: monotonicMs(), random: Math.random() });

  function dispatch(event: Unclocked): void {
    if (stopped || waking) return;
    try {
      carryOut(step(state, { ...event, ...clock() } as Event));
      answerReaders();
    } catch (error) {
      fail(error);
    }
  }

  /** What a read has seen is told when it is committed, and never by a node that was replaced meanwhile (P36). */
  function answerReaders(): void {
    const acts = isConfirmed(state);
    if (!acts && reads.size > 0 && isActive(state)) {
      for (const reader of [...reads.values()].flat()) reader.lost();
      reads.clear();
    }
    if (held.length === 0) return;
    const waiting = held;
    held = [];
    for (const one of waiting) {
      if (!acts) one.reader.lost();
      else if (one.index <= state.member.committed) {
        noteShown(one.index);
        one.reader.done();
      } else held.push(one);
    }
  }

  function fail(error: unknown): void {
    if (stopped) return;
    stopped = true;
    clearInterval(ticking);
    clearInterval(noting);
    answerAll();
    options.onFault(error);
  }

  // ------------------------------------------------------------- effects

  function carryOut(effects: Effect[]): void {
    for (const effect of effects) if ('save' in effect) save(effect);
    for (const effect of effects) if (!('save' in effect)) carryOutOne(effect);
  }

  function save(effect: Extract<Effect, { save: number }>): void {
    const mine = life;
    write(effect).then(
      () => {
        if (mine !== life) return;
        // All of one group are on disk together; their answers may come in another order.
        savedUpTo = Math.max(savedUpTo, effect.save);
        // Those of one group resolve together: the core is told once.
        if (savedTold < savedUpTo) queueMicrotask(() => mine === life && tellSaved());
      },
      (error) => saveFailed(error, mine),
    );
  }

  function tellSaved(): void {
    if (savedTold === savedUpTo) return;
    savedTold = savedUpTo;
    dispatch({ event: 'saved', save: savedUpTo });
  }

  function write(effect: Extract<Effect, { save: number }>): Promise<unknown> {
    switch (effect.effect) {
      case 'saveRegister':
        return journal.saveRecord('register', JSON.stringify(effect.register));
      case 'appendEntries':
        return journal.append(effect.entries);
      case 'cutToQuarantine':
        options.audit.cut(effect.after);
        return journal.cutAfter(effect.after, effect.reason);
      case 'saveMark':
        return journal.saveRecord('mark', JSON.stringify(effect.mark));
      case 'installSnapshot': {
        if (fetched?.index !== effect.at.index || fetched.chain !== effect.at.chain)
          throw new Error('broken promise: another snapshot is to be installed than was fetched');
        options.audit.cut(effect.keep);
        return journal.installSnapshot(fetched, effect.keep, 'a snapshot of the active took its place', audited());
      }
    }
  }

  /** Rows of all entries up to here were made, and are filed or on their way. */
  const audited = (): number => Math.min(state.replicated.index, state.known);

  function saveFailed(error: unknown, mine: number): void {
    if (mine !== life || stopped) return;
    if (!(error instanceof DiskFull)) return fail(error);
    log.error(
      { err: error },
      'The disk is full: this node does not lead, and keeps nothing new, until there is space.',
    );
    dispatch({ event: 'saveFailed' });
  }

  function carryOutOne(effect: Exclude<Effect, { save: number }>): void {
    switch (effect.effect) {
      case 'send':
        return send(effect.to, effect.message);
      case 'answer':
        answers.get(effect.id)?.(effect.reply);
        return void answers.delete(effect.id);
      case 'allowRead':
        allowRead(reads.get(effect.id) ?? [], effect.allowed);
        return void reads.delete(effect.id);
      case 'granted':
        grants.get(effect.id)?.(effect);
        return void grants.delete(effect.id);
      case 'publish':
        return options.publish(effect.events);
      case 'note':
        return log.info({ code: effect.code }, options.inNames(effect.words));
      case 'copyOutput':
        return options.copyOutput(attemptText(effect.attempt), effect.node, effect.outputBytes);
      case 'expectContents':
        return options.expectContents(effect.hashes);
      case 'useDirectory':
        return options.useDirectory(effect.directory);
      case 'audit':
        return options.audit.row(effect.row);
      case 'fileRuns':
        return void options.fileRuns(effect.runs).catch(ignoreFull);
      case 'saveSnapshot':
        return void keepSnapshot(effect).catch(ignoreFull);
      case 'readEntries':
        return void readEntries(effect).catch(ignoreFull);
      case 'fetchSnapshot':
        return fetchSnapshot(effect.from, effect.at);
      case 'rebuild':
        return rebuild();
      case 'renewStore':
        return wakeAfter(renewStore(), false);
      case 'reload':
        return wakeAfter(new Promise((done) => setTimeout(done, FULL_AGAIN_MS)), true);
    }
  }

  function allowRead(theirs: Reader[], allowed: boolean): void {
    for (const reader of theirs) {
      if (!allowed) reader.lost();
      else {
        reader.look();
        held.push({ index: state.replicated.index, reader });
      }
    }
  }

  const ignoreFull = (error: unknown): void => (error instanceof DiskFull ? undefined : fail(error));

  /** To itself as to others: later, and through the same door. */
  function send(to: string, message: PeerMessage): void {
    if (to !== self.node) return options.send(to, message);
    queueMicrotask(() => hear(self.node, message));
  }

  function hear(from: string, message: PeerMessage): void {
    options.toWorker(from, message);
    dispatch({ event: 'peerHeard', from, message });
  }

  // ------------------------------------------------------------ the disk

  async function keepSnapshot({ index, term, text }: Extract<Effect, { effect: 'saveSnapshot' }>): Promise<void> {
    const mine = life;
    const [entry] = await journal.read(index, index, 1);
    if (!entry || mine !== life) return; // cut meanwhile
    // What is before a snapshot can't be told again.
    await options.audit.keptUpTo(index);
    if (mine !== life) return;
    const floor = await journal.saveSnapshot({ index, term, chain: entry.chain, text });
    if (mine === life)
      dispatch({ event: 'snapshotKept', at: { index, term, chain: entry.chain }, dropped: floor.index });
  }

  async function readEntries({ to, from, count }: Extract<Effect, { effect: 'readEntries' }>): Promise<void> {
    const mine = life;
    const entries = await journal.read(from - 1, from + count - 1, count + 1);
    const first = from === 1 ? null : entries.shift();
    if (mine !== life) return;
    const isWhole = from === 1 || first?.index === from - 1;
    const previous = first ?? { index: 0, term: { era: 0, number: 0, node: '' }, chain: '0'.repeat(64) };
    const { index, term, chain } = previous;
    dispatch({ event: 'entriesRead', to, previous: { index, term, chain }, entries: isWhole ? entries : [] });
  }

  function fetchSnapshot(from: string, at: Position): void {
    if (fetching) return;
    fetching = true;
    const mine = life;
    options
      .fetchSnapshot(from, at)
      .then(
        (snapshot) => {
          if (mine !== life) return;
          fetched = snapshot;
          dispatch({ event: 'snapshotFetched', at });
        },
        (error) => log.warn({ err: error }, `The snapshot of ${from} could not be fetched; it is offered again.`),
      )
      .finally(() => (fetching = false));
  }

  function rebuild(): void {
    const mine = life;
    const until = () => ({ to: Math.max(state.known, state.member.journal.base.index) });
    const read: ReadActs[] = [];
    foldFromDisk(journal, until, (acts) => read.push(acts)).then((replicated) => {
      if (mine !== life) return;
      dispatch({ event: 'rebuilt', replicated });
      // Else entries were cut meanwhile: it is read once more, and told then.
      if (!state.rebuilding) for (const acts of read) options.audit.read(acts);
      options.woke(replicated);
    }, fail);
  }

  async function renewStore(): Promise<void> {
    const store = randomBytes(16).toString('hex');
    const { cluster, node } = state.member.register;
    await journal.renewStore(store, JSON.stringify(emptyRegister(cluster, { node, store }) satisfies Register));
  }

  /** What is in memory is not what is on disk, or has to be something else: begin again from the disk (P10). */
  function wakeAfter(first: Promise<void>, diskFull: boolean): void {
    life++;
    waking = true;
    const mine = life;
    // What is on the disk may be far behind what was seen here.
    if (diskFull) noteShown(passed);
    answerAll(diskFull ? refuse('disk_full', `The disk of ${self.name} is full.`) : undefined);
    first
      .then(wakeNow.bind(null, diskFull))
      .then(() => {
        if (mine !== life) return;
        waking = false;
        dispatch({ event: 'ticked' });
      })
      .catch(fail);
  }

  async function wakeNow(diskFull: boolean): Promise<void> {
    savedUpTo = 0;
    savedTold = 0;
    fetched = null;
    state = await wakeFromDisk({
      journal,
      self,
      keepsJournal,
      timing: options.timing,
      incarnation: `${incarnation}.${life}`,
      now: monotonicMs(),
      diskFull,
      // Within one life what was shown is not taken back, also where it could not be noted.
      committed: life === 0 ? 0 : state.known,
      ...(options.snapshotEvery === undefined ? {} : { snapshotEvery: options.snapshotEvery }),
      onRead: (acts) => options.audit.read(acts),
    });
    state.member.now = monotonicMs();
    state.member.heardActiveAt = state.member.now;
    lookAtSelf();
    committedNoted = state.replicated.index;
    options.woke(state.replicated);
  }

  function lookAtSelf(): void {
    toldAt = monotonicMs();
    state.ownTold = options.tell();
  }

  function noteCommitted(): void {
    if (stopped || waking || !keepsJournal || state.member.committed === committedNoted) return;
    committedNoted = state.member.committed;
    journal.saveRecord('committed', String(committedNoted)).catch(ignoreFull);
  }

  // ----------------------------------------------------- people, programs

  /** Those of one turn go together: one group for the disk, one message for the standby. */
  function flush(): void {
    const [mine, theirs] = [wishes, readers];
    wishes = [];
    readers = [];
    if (mine.length > 0) dispatch({ event: 'asked', asked: mine });
    if (theirs.length === 0) return;
    const id = ++asked;
    reads.set(id, theirs);
    dispatch({ event: 'readAsked', id });
  }

  function queueFlush(): void {
    if (wishes.length + readers.length === 1) setImmediate(flush);
  }

  function answerAll(reply: Refusal = refuse('unknown_outcome', `${self.name} stopped before it was known.`)): void {
    for (const answer of answers.values()) answer(reply);
    answers.clear();
    for (const grant of grants.values()) grant({ ok: false, words: reply.detail });
    grants.clear();
    for (const reader of [...reads.values()].flat().concat(
      readers,
      held.map((one) => one.reader),
    ))
      reader.lost();
    reads.clear();
    readers = [];
    held = [];
    wishes = [];
  }

  /** What is known here, never what may still be cut; it is waited for, since a node that was active may be ahead of it. */
  async function readHere<T>(look: (state: Replicated) => T): Promise<T> {
    const until = performance.now() + READ_HERE_MS;
    while (state.rebuilding || state.replicated.index > state.known || isBehindShown()) {
      if (performance.now() > until) throw new NotActive(`${self.name} is reading its journal.`);
      await new Promise((next) => setTimeout(next, TICK_MS));
      if (isConfirmed(state)) break;
    }
    noteShown(state.replicated.index);
    return look(state.replicated);
  }

  /** What was shown here is not taken back: its entries may not have reached a disk that was full then (P36). */
  function noteShown(index: number): void {
    const { lastClaim } = state.member.register.accepted;
    shown = shown.lastClaim === lastClaim ? { index: Math.max(shown.index, index), lastClaim } : { index, lastClaim };
  }

  /** A confirmed loss may have given up what was shown before it (P32). */
  const isBehindShown = (): boolean =>
    shown.lastClaim === state.member.register.accepted.lastClaim && state.replicated.index < shown.index;

  await wakeNow(false);
  const ticking = setInterval(() => {
    if (waking) return;
    if (monotonicMs() - toldAt > TELL_LOOK_MS) lookAtSelf();
    dispatch({ event: 'ticked' });
  }, TICK_MS);
  const noting = setInterval(noteCommitted, NOTE_COMMITTED_MS);
  queueMicrotask(() => dispatch({ event: 'ticked' }));

  const loop: Loop = {
    get state() {
      return state;
    },
    hear,
    connected: (node) => dispatch({ event: 'peerConnected', node }),
    ask(by, key, wish, origin = {}) {
      if (stopped) return Promise.resolve(refuse('stopping', `${self.name} is stopping.`));
      if (waking) return Promise.resolve(whyIdle(state) ?? refuse('starting', `${self.name} is reading its journal.`));
      return new Promise((done) => {
        const id = ++asked;
        answers.set(id, done);
        wishes.push({ id, by, via: self.name, ...origin, key, wish, random: randomBytes(10).toString('hex') });
        queueFlush();
      });
    },
    read(look) {
      if (!isConfirmed(state) || stopped || waking) return readHere(look);
      return new Promise((done, failed) => {
        let value: ReturnType<typeof look>;
        readers.push({
          look: () => (value = look(state.replicated)),
          done: () => done(value),
          lost: () => failed(new NotActive(`${self.name} was replaced before it could confirm a read.`)),
        });
        queueFlush();
      });
    },
    passedOn(position) {
      passed = Math.max(passed, position);
    },
    wish(wish) {
      if (stopped || waking) return Promise.resolve({ ok: false, words: `${self.name} is starting or stopping` });
      return new Promise((done) => {
        const id = ++asked;
        grants.set(id, done);
        dispatch({ event: 'wished', id, wish });
      });
    },
    keepJournal(keeps) {
      if (keeps === keepsJournal) return;
      keepsJournal = keeps;
      wakeAfter(Promise.resolve(), false);
    },
    async stop() {
      stopped = true;
      clearInterval(ticking);
      clearInterval(noting);
      answerAll();
    },
  };
  return loop;
}
