/**
 * A whole node of the simulation: the real step on a real state, and around it
 * what `node.ts`, `waking.ts` and `running-node.ts` do, on a simulated disk,
 * network and clock.
 *
 * Waking and folding are those of `waking.ts` itself. The loop is written
 * again without promises and timers; where it decides anything, it does so in
 * the words of `node.ts`.
 */
import type { ReadActs } from '../../node-runtime/auditing.ts';
import { type Refusal, refuse } from '../../node-runtime/contract/errors.ts';
import type { Directory, PeerMessage, Told } from '../../node-runtime/contract/peer-messages.ts';
import { writersOf } from '../../node-runtime/core/cluster/charter.ts';
import { emptyRegister, type Register } from '../../node-runtime/core/cluster/register.ts';
import type { Clock, Effect, Event, MemberWish, Reply } from '../../node-runtime/core/effects.ts';
import type { Position } from '../../node-runtime/core/journal/tail.ts';
import { isActive, type NodeState, whyIdle } from '../../node-runtime/core/node-state.ts';
import type { Replicated } from '../../node-runtime/core/replicated.ts';
import { step } from '../../node-runtime/core/step.ts';
import type { Wish } from '../../node-runtime/core/wishes.ts';
import type { Journal } from '../../node-runtime/io/journal/journal.ts';
import { foldFromDisk, wakeFromDisk } from '../../node-runtime/waking.ts';
import {
  append,
  cutAfter,
  type FetchedSnapshot,
  installSnapshot,
  type Kept,
  load,
  renewStore,
  SimDisk,
  saveRecord,
  saveSnapshot,
} from './disk.ts';
import { SimRunner, SimWorker } from './worker.ts';
import type { World } from './world.ts';

const TICK_MS = 50;
const TELL_LOOK_MS = 500;
const NOTE_COMMITTED_MS = 1_000;
export const SNAPSHOT_EVERY = 30;

type Unclocked = Event extends infer E ? (E extends Clock ? Omit<E, keyof Clock> : never) : never;
type Reader = { look(): void; done(): void; lost(): void };
export type Granted = { ok: boolean; words: string };
export type Key = { key: string; request: string };

export class SimNode {
  readonly id: string;
  readonly slots: number;
  readonly disk: SimDisk;
  readonly runner: SimRunner | null;
  readonly clockOrigin: number;
  up = false;
  frozenUntil = 0;
  worker: SimWorker | null = null;
  state!: NodeState;
  directory!: Directory;
  watchRank = 0;
  blobsMissing = 0;
  /** Put back from an image: what it promised before is another memory's. */
  restored = false;
  /** Names of this process among all that ran here. */
  process = 0;
  waking = false;
  skewMs = 0;
  private readonly world: World;
  private readonly rate: number;
  private base: number;
  private frozen: (() => void)[] = [];
  private life = 0;
  private keepsJournal = false;
  private savedUpTo = 0;
  private savedTold = 0;
  private fetched: FetchedSnapshot | null = null;
  private fetching = false;
  private committedNoted = 0;
  private toldAt = 0;
  private asking = 0;
  private answers = new Map<number, (reply: Reply) => void>();
  private grants = new Map<number, (granted: Granted) => void>();
  private reads = new Map<number, Reader[]>();
  private held: { index: number; reader: Reader }[] = [];
  private wishes: Extract<Unclocked, { event: 'asked' }>['asked'] = [];
  private readers: Reader[] = [];

  constructor(world: World, id: string, kept: Kept, slots: number) {
    this.world = world;
    this.id = id;
    this.slots = slots;
    this.rate = 0.98 + world.chance.next() * 0.04;
    this.base = world.chance.whole(10_000, 1_000_000);
    this.clockOrigin = world.chance.whole(0, 1_000_000);
    this.disk = new SimDisk(world, kept);
    this.runner = slots > 0 ? new SimRunner(world, this) : null;
  }

  // ---------------------------------------------------------------- clocks

  /** Of this machine: counts sleep, never goes back. */
  uptime = (): number => this.base + this.world.now * this.rate;
  mono = (): number => Math.round(this.uptime());
  wall = (): number => Math.round(1_000_000_000 + this.world.now + this.skewMs);
  /** The machine slept. */
  jump(ms: number): void {
    this.base += ms;
  }

  private clock = (): Clock => ({ now: this.wall(), mono: this.mono(), random: this.world.chance.next() });

  /** Later, if this process is still there; when it is frozen, afterwards. */
  at(ms: number, happens: () => unknown): void {
    const { process } = this;
    const run = (): unknown => {
      if (process !== this.process || !this.up) return undefined;
      if (this.world.now < this.frozenUntil) return void this.frozen.push(run);
      return happens();
    };
    this.world.after(ms, run);
  }

  freeze(ms: number): void {
    this.frozenUntil = this.world.now + ms;
    this.world.after(ms + 0.1, () => this.thaw());
  }

  thaw(): void {
    if (this.world.now < this.frozenUntil) this.frozenUntil = this.world.now;
    for (const run of this.frozen.splice(0)) this.world.after(0, run);
  }

  // ------------------------------------------------------- start and stop

  start(): void {
    this.up = true;
    this.process++;
    this.life = 0;
    this.frozen = [];
    this.frozenUntil = 0;
    this.fetching = false;
    const { register, directory } = this.disk.kept.records;
    const kept = JSON.parse(register!) as Register;
    const lone = { id: this.id, name: this.id, duties: ['controller' as const, 'worker' as const], addresses: [] };
    this.directory = directory
      ? (JSON.parse(directory) as Directory)
      : { era: 0, position: 0, clusterName: 'lab', nodes: [lone] };
    const isLone = writersOf(kept.accepted).includes(this.id) || kept.accepted.active === this.id;
    this.keepsJournal = isLone || this.isController();
    this.worker = this.slots > 0 ? new SimWorker(this.world, this, kept.cluster) : null;
    this.beginWaking(false);
    this.tick();
    this.note();
  }

  stop(): void {
    if (!this.up) return;
    this.up = false;
    this.process++;
    this.frozen = [];
    this.runner?.onReport(null);
    this.disk.crash();
    this.world.network.breakAllOf(this.id);
    this.forgetAsked();
  }

  private tick(): void {
    this.at(TICK_MS * (0.9 + 0.2 * this.world.chance.next()), () => {
      if (!this.waking) {
        if (this.mono() - this.toldAt > TELL_LOOK_MS) this.lookAtSelf();
        this.dispatch({ event: 'ticked' });
      }
      this.tick();
    });
  }

  private note(): void {
    this.at(NOTE_COMMITTED_MS, () => {
      this.note();
      if (this.waking || !this.keepsJournal || this.state.member.committed === this.committedNoted) return;
      this.committedNoted = this.state.member.committed;
      this.save(saveRecord('committed', String(this.committedNoted)), nothing, nothing);
    });
  }

  // ------------------------------------------------------------- the loop

  dispatch(event: Unclocked): void {
    if (!this.up || this.waking) return;
    this.world.steps++;
    const { committed: before, phase } = this.state.member;
    const waited = this.state.waiting.length;
    const led = phase.phase === 'leading' ? phase.charter : null;
    const full = { ...event, ...this.clock() } as Event;
    let effects: Effect[];
    try {
      effects = step(this.state, full);
    } catch (error) {
      throw new Error(`${this.id}, ${event.event}: ${(error as Error).message}`, { cause: error });
    }
    if (this.state.waiting.length > waited) this.world.count('wishes that waited');
    this.world.checks.stepped(this, effects, before, led);
    this.carryOut(effects);
    this.answerReaders();
  }

  private answerReaders(): void {
    if (this.held.length === 0) return;
    const acts = isActive(this.state);
    for (const one of this.held.splice(0)) {
      if (!acts) one.reader.lost();
      else if (one.index <= this.state.member.committed) one.reader.done();
      else this.held.push(one);
    }
  }

  private carryOut(effects: Effect[]): void {
    for (const effect of effects) if ('save' in effect) this.saveEffect(effect);
    for (const effect of effects) if (!('save' in effect)) this.carryOutOne(effect);
  }

  private saveEffect(effect: Extract<Effect, { save: number }>): void {
    const { life } = this;
    this.save(
      this.writing(effect),
      () => {
        if (life !== this.life) return;
        this.savedUpTo = effect.save;
        this.at(0, () => life === this.life && this.tellSaved());
      },
      () => {
        if (life !== this.life) return;
        this.world.log(`the disk of ${this.id} is full`);
        this.dispatch({ event: 'saveFailed' });
      },
    );
  }

  /** Of this process: what it was told after it was gone means nothing. */
  save(does: (kept: Kept) => void, done: () => void, full: () => void): void {
    const { process } = this;
    const alive = (then: () => void) => () => {
      if (process === this.process) this.at(0, then);
    };
    this.disk.write(does, alive(done), alive(full));
  }

  private tellSaved(): void {
    if (this.savedTold === this.savedUpTo) return;
    this.savedTold = this.savedUpTo;
    this.dispatch({ event: 'saved', save: this.savedUpTo });
  }

  private writing(effect: Extract<Effect, { save: number }>): (kept: Kept) => void {
    switch (effect.effect) {
      case 'saveRegister':
        return saveRecord('register', JSON.stringify(effect.register));
      case 'appendEntries':
        return append(effect.entries);
      case 'cutToQuarantine':
        this.world.count('quarantines');
        this.world.log(`${this.id} cuts after ${effect.after}`);
        return cutAfter(effect.after);
      case 'saveMark':
        return saveRecord('mark', JSON.stringify(effect.mark));
      case 'installSnapshot': {
        const { fetched } = this;
        if (fetched?.index !== effect.at.index || fetched.chain !== effect.at.chain)
          throw new Error('broken promise: another snapshot is to be installed than was fetched');
        this.world.count('snapshots installed');
        this.world.log(`${this.id} installs the snapshot at ${fetched.index}, keeping ${effect.keep}`);
        return installSnapshot(fetched, effect.keep);
      }
    }
  }

  private carryOutOne(effect: Exclude<Effect, { save: number }>): void {
    switch (effect.effect) {
      case 'send':
        return this.send(effect.to, effect.message);
      case 'answer': {
        this.world.checks.answered(this, effect.id, effect.reply);
        this.answers.get(effect.id)?.(effect.reply);
        return void this.answers.delete(effect.id);
      }
      case 'allowRead':
        for (const reader of this.reads.get(effect.id) ?? []) {
          if (!effect.allowed) reader.lost();
          else {
            reader.look();
            this.held.push({ index: this.state.replicated.index, reader });
          }
        }
        return void this.reads.delete(effect.id);
      case 'granted':
        this.world.log(`${this.id} answers a wish: ${effect.ok ? 'yes' : 'no'}, ${effect.words}`);
        this.grants.get(effect.id)?.(effect);
        return void this.grants.delete(effect.id);
      case 'publish':
        return this.world.checks.published(this, effect.events);
      case 'note':
        return this.world.log(`${this.id} says: ${effect.words}`);
      case 'expectContents':
        return;
      case 'useDirectory':
        return this.useDirectory(effect.directory);
      case 'audit':
        return this.world.checks.audited(this, [effect.row], true);
      case 'fileRuns':
        return this.world.checks.filed(this, effect.runs);
      case 'saveSnapshot':
        return this.keepSnapshot(effect);
      case 'readEntries':
        return this.readEntries(effect);
      case 'fetchSnapshot':
        return this.fetchSnapshot(effect.from, effect.at);
      case 'rebuild':
        return this.rebuild();
      case 'renewStore':
        return this.renewStore();
      case 'reload':
        this.world.count('reloads');
        return this.beginWaking(true);
    }
  }

  send(to: string, message: PeerMessage): void {
    this.world.checks.sent(this, to, message);
    if (to !== this.id) return this.world.network.send(this.id, to, message);
    this.at(0, () => this.hear(this.id, message));
  }

  hear(from: string, message: PeerMessage): void {
    if (message.kind === 'directory') {
      const known = this.directory.nodes.find((one) => one.id === from);
      if (known?.duties.includes('controller')) this.useDirectory(message.directory, true);
      return;
    }
    this.worker?.hear(from, message);
    this.dispatch({ event: 'peerHeard', from, message });
  }

  // ------------------------------------------------------------- the disk

  private keepSnapshot({ index, term, text }: Extract<Effect, { effect: 'saveSnapshot' }>): void {
    const { life, process } = this;
    const isNow = (): boolean => life === this.life && process === this.process;
    this.disk.read(
      (kept) => kept.entries.find((entry) => entry.index === index),
      (entry) => {
        if (!entry || !isNow()) return;
        let floor = 0;
        this.save(
          (kept) => {
            saveSnapshot({ index, term, chain: entry.chain, text })(kept);
            floor = kept.floor.index;
          },
          () => {
            this.world.count('snapshots made');
            if (isNow())
              this.dispatch({ event: 'snapshotKept', at: { index, term, chain: entry.chain }, dropped: floor });
          },
          nothing,
        );
      },
    );
  }

  private readEntries({ to, from, count }: Extract<Effect, { effect: 'readEntries' }>): void {
    const { life, process } = this;
    this.disk.read(
      (kept) => kept.entries.filter((entry) => entry.index >= from - 1 && entry.index < from + count),
      (entries) => {
        const first = from === 1 ? null : entries.shift();
        if (life !== this.life || process !== this.process) return;
        this.world.count('entries read from disk');
        const isWhole = from === 1 || first?.index === from - 1;
        const previous = first ?? { index: 0, term: { era: 0, number: 0, node: '' }, chain: '0'.repeat(64) };
        const { index, term, chain } = previous;
        const read = isWhole ? entries : [];
        this.at(0, () => this.dispatch({ event: 'entriesRead', to, previous: { index, term, chain }, entries: read }));
      },
    );
  }

  private fetchSnapshot(from: string, at: Position): void {
    if (this.fetching) return;
    this.fetching = true;
    const { life } = this;
    const { chance } = this.world;
    this.at(chance.whole(2, 150), () => {
      this.fetching = false;
      const source = this.world.node(from);
      const cut = [`${from}>${this.id}`, `${this.id}>${from}`].some((way) => this.world.network.blocked.has(way));
      const { snapshot, history } = source.disk.kept;
      if (life !== this.life || !source.up || cut || snapshot?.index !== at.index || snapshot.chain !== at.chain)
        return;
      this.fetched = { ...snapshot, history: history.slice(0, snapshot.index) };
      this.dispatch({ event: 'snapshotFetched', at });
    });
  }

  private rebuild(): void {
    const { life, process } = this;
    this.world.count('rebuilds');
    this.world.log(`${this.id} reads its state anew`);
    this.disk.read(load, (loaded) => {
      if (process !== this.process) return;
      this.at(this.world.chance.happens(0.3) ? this.world.chance.whole(20, 600) : 1, async () => {
        const until = () => ({ to: Math.max(this.state.known, this.state.member.journal.base.index) });
        const replicated = await foldFromDisk(journalOf(loaded), until, this.readActs);
        if (life !== this.life) return;
        if (!this.up || this.waking) return;
        this.world.checks.readAnew(this, replicated.index);
        this.dispatch({ event: 'rebuilt', replicated });
      });
    });
  }

  private readActs = ({ rows }: ReadActs): void => this.world.checks.audited(this, rows, false);

  private renewStore(): void {
    this.world.count('old images found out');
    const store = this.world.newStore();
    const { cluster, node } = this.state.member.register;
    const register = JSON.stringify(emptyRegister(cluster, { node, store }) satisfies Register);
    this.disk.write(renewStore(store, register), nothing, () => this.world.fail('a full disk at a renewed store'));
    this.beginWaking(false);
  }

  /** What is in memory is not what is on disk, or has to be something else: begin again from the disk (P10). */
  private beginWaking(diskFull: boolean): void {
    const life = ++this.life;
    this.waking = true;
    const { process } = this;
    this.answerAll(diskFull ? refuse('disk_full', `The disk of ${this.id} is full.`) : undefined);
    this.disk.read(load, (loaded) => {
      if (process !== this.process) return;
      this.at(1, async () => {
        if (life !== this.life) return;
        this.savedUpTo = 0;
        this.savedTold = 0;
        this.fetched = null;
        this.state = await wakeFromDisk({
          journal: journalOf(loaded),
          self: { node: this.id, name: this.id },
          keepsJournal: this.keepsJournal,
          timing: this.world.timing,
          incarnation: `${this.id}.${this.process}.${life}`,
          now: this.mono(),
          diskFull,
          committed: life === 1 ? 0 : this.state.known,
          snapshotEvery: SNAPSHOT_EVERY,
          onRead: this.readActs,
        });
        this.state.member.now = this.mono();
        this.state.member.heardActiveAt = this.state.member.now;
        this.lookAtSelf();
        this.committedNoted = this.state.replicated.index;
        this.waking = false;
        this.world.checks.readAnew(this, this.state.replicated.index);
        this.dispatch({ event: 'ticked' });
      });
    });
  }

  // ------------------------------------------------------------- members

  knows = (node: string): boolean => this.directory?.nodes.some((one) => one.id === node) ?? false;

  isController = (): boolean =>
    this.directory.nodes.find((one) => one.id === this.id)?.duties.includes('controller') ?? false;

  private useDirectory(found: Directory, fromOther = false): void {
    if (fromOther && found.position < this.directory.position && !this.isController()) return;
    this.directory = found;
    this.save(saveRecord('directory', JSON.stringify(found)), nothing, nothing);
    const keeps = this.isController();
    if (keeps === this.keepsJournal) return;
    this.keepsJournal = keeps;
    this.world.log(`${this.id} keeps ${keeps ? 'a' : 'no'} journal from now on`);
    this.beginWaking(false);
  }

  private lookAtSelf(): void {
    this.toldAt = this.mono();
    const load = { cpuPercent: 1, memoryFreeBytes: 1, memoryBytes: 2, diskFreeBytes: 1 };
    const told: Told = {
      ...{ kind: 'told', store: this.state.member.register.store, name: this.id, addresses: [`${this.id}:7400`] },
      ...{
        slots: this.slots,
        speaks: 1,
        program: '0',
        load,
        tasksRunning: this.worker?.running() ?? 0,
        platform: 'sim',
      },
      ...{ startedAt: 0, watchRank: this.watchRank, blobsMissing: this.blobsMissing },
      ...{ committed: this.state.member.committed, clock: this.worker?.clock() ?? 0 },
    };
    this.state.ownTold = told;
  }

  // --------------------------------------------------- people, programs

  ask(by: string, key: Key | null, wish: Wish, answered: (reply: Reply) => void): void {
    if (this.waking)
      return answered((this.state && whyIdle(this.state)) ?? refuse('starting', `${this.id} is reading its journal.`));
    const id = ++this.asking;
    this.answers.set(id, answered);
    this.world.checks.asked(this, id, key, wish);
    this.wishes.push({ id, by, via: this.id, key, wish, random: this.world.letters() });
    this.queueFlush();
  }

  read(look: (state: Replicated) => void, done: () => void, lost: () => void): void {
    if (this.waking || !isActive(this.state)) return lost();
    this.readers.push({ look: () => look(this.state.replicated), done, lost });
    this.queueFlush();
  }

  wish(wish: MemberWish, answered: (granted: Granted) => void = nothing): void {
    if (!this.up || this.waking) return answered({ ok: false, words: 'is starting' });
    this.world.log(`a person asks ${this.id} to ${wish.wish}`);
    const id = ++this.asking;
    this.grants.set(id, answered);
    this.dispatch({ event: 'wished', id, wish });
  }

  private queueFlush(): void {
    if (this.wishes.length + this.readers.length === 1) this.at(0, () => this.flush());
  }

  private flush(): void {
    const [mine, theirs] = [this.wishes, this.readers];
    this.wishes = [];
    this.readers = [];
    if (mine.length > 0) this.dispatch({ event: 'asked', asked: mine });
    if (theirs.length === 0) return;
    const id = ++this.asking;
    this.reads.set(id, theirs);
    this.dispatch({ event: 'readAsked', id });
  }

  private answerAll(reply: Refusal = refuse('unknown_outcome', `${this.id} stopped before it was known.`)): void {
    for (const answer of this.answers.values()) answer(reply);
    for (const grant of this.grants.values()) grant({ ok: false, words: reply.detail });
    for (const reader of [...[...this.reads.values()].flat(), ...this.readers, ...this.held.map((one) => one.reader)])
      reader.lost();
    this.forgetAsked();
  }

  private forgetAsked(): void {
    this.answers = new Map();
    this.grants = new Map();
    this.reads = new Map();
    this.held = [];
    this.readers = [];
    this.wishes = [];
  }

  waitingAnswers(): number {
    return this.answers.size;
  }
}

const nothing = (): void => {};
const journalOf = (loaded: ReturnType<typeof load>): Journal => ({ load: async () => loaded }) as unknown as Journal;
