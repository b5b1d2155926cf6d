/**
 * A whole cluster in one thread: the real core of every node on a simulated
 * clock, disk and network.
 *
 * The host here does what `node.ts` will do: it carries out effects in order,
 * tells the core what is saved, and answers clients when entries are
 * committed. Nothing is decided here, and the same seed gives the same run.
 */
import type { Charter, StoredEntry, Term, Voter } from '../../node-runtime/contract/facts.ts';
import { foundingCharter, noCharter, votersOf } from '../../node-runtime/core/cluster/charter.ts';
import {
  type Fence,
  type FenceEvent,
  fenceStep,
  freshFence,
  type Worker,
  wakeWorker,
} from '../../node-runtime/core/cluster/fence.ts';
import { isTaking } from '../../node-runtime/core/cluster/leading.ts';
import { memberStep, wakeMember } from '../../node-runtime/core/cluster/member.ts';
import type { Effect, Event, Member, Roster, Wish } from '../../node-runtime/core/cluster/member-state.ts';
import type { Message } from '../../node-runtime/core/cluster/messages.ts';
import { emptyRegister, foundingRegister } from '../../node-runtime/core/cluster/register.ts';
import { termText } from '../../node-runtime/core/cluster/terms.ts';
import { type Timing, timings } from '../../node-runtime/core/cluster/timing.ts';
import { type Checks, newChecks } from './checks.ts';
import { carryOut, copyOf, crash, type Disk, emptyDisk, type Fetched, type SaveEffect } from './disk.ts';
import { dueQueue } from './queue.ts';
import { type Chance, chanceOf } from './random.ts';

export type SimNode = {
  name: string;
  keepsJournal: boolean;
  up: boolean;
  /** Frozen: nothing happens until then, and what comes in waits. */
  frozenUntil: number;
  frozen: (() => void)[];
  disk: Disk;
  image: Disk | null;
  member: Member;
  life: number;
  clock: { base: number; rate: number };
  fetched: Fetched;
  acks: { index: number; key: string; term: Term }[];
  notes: string[];
  lastNote: string;
  diskMs: number;
  flushing: boolean;
  /** It is killed right after its next save of a register, before anybody hears of it. */
  diesAtSave: boolean;
};

export type SimWorker = { name: string; worker: Worker; saved: Fence; obeyed: Term | null; up: boolean };

/** What a mutant may touch: the real core from outside. */
export type Mutation = {
  rule: string;
  /** The kind of trouble that brings it out. */
  mood?: string;
  beforeStep?(member: Member, event: Event, world: World): Event | null;
  afterStep?(member: Member, event: Event, effects: Effect[], world: World): Effect[];
  /** Told as saved before it is: this effect's answer comes at once. */
  lies?(node: SimNode, effect: SaveEffect): boolean;
  onWake?(node: SimNode, world: World): void;
  onCrash?(node: SimNode, world: World): void;
  fence?(worker: SimWorker, event: FenceEvent): FenceEvent;
};

export type Options = {
  seed: number;
  preformed: boolean;
  small: boolean;
  log: ((line: string) => void) | null;
  mutation?: Mutation | undefined;
};

/** Quick and good enough to tell journals apart; the real one is sha-256. */
export function simChain(previous: string, term: Term, index: number, text: string): string {
  let a = 0x9e37_79b1 ^ index;
  let b = 0x85eb_ca6b ^ term.number;
  const over = `${previous}|${term.era}${term.node}|${text}`;
  for (let place = 0; place < over.length; place++) {
    a = Math.imul(a ^ over.charCodeAt(place), 0x0100_0193);
    b = Math.imul(b + over.charCodeAt(place) + 1, 0x5bd1_e995) ^ (b >>> 13);
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}

export type World = ReturnType<typeof newWorld>;

export const CONTROLLERS = ['ctl-a', 'ctl-b', 'ctl-c'];
export const WATCHES = ['deck-1', 'deck-2'];
export const WORKERS = ['bench-1', 'bench-2'];

export function newWorld(options: Options) {
  const chance: Chance = chanceOf(options.seed);
  const due = dueQueue();
  const counts = new Map<string, number>();
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const checks: Checks = newChecks(count);
  const nodes = new Map<string, SimNode>();
  const workers = new Map<string, SimWorker>();
  const blocked = new Set<string>();
  const network = { loss: 0, doubled: 0, slowMs: 2 };
  const acked: { key: string; index: number; chain: string; lineage: string; at: number }[] = [];
  const timing: Timing = {
    ...timings.lan,
    seatAfterMs: 3_000,
    declaredDeadMs: 2_000,
    ...(options.small && { tailEntriesMax: 16, batchEntriesMax: 4, snapshotAfterEntries: 24, caughtUpEntries: 4 }),
  };
  let now = 0;
  let steps = 0;
  let stores = 0;
  let keys = 0;
  const roster: Roster = { controllers: [], watch: null, spares: [] };
  const mutation = options.mutation;
  const log = (line: string): void => options.log?.(`${(now / 1_000).toFixed(3).padStart(8)} ${line}`);

  const newStore = (): string => `s${++stores}`;
  const after = (ms: number, happens: () => void): void => due.add(now + ms, happens);

  // ------------------------------------------------------------- clocks

  const monotonic = (node: SimNode): number => Math.round(node.clock.base + now * node.clock.rate);

  /** Runs it when the node is up, in this life, and not frozen. */
  function at(node: SimNode, ms: number, happens: () => void): void {
    const life = node.life;
    const run = (): void => {
      if (node.life !== life || !node.up) return;
      if (now < node.frozenUntil) node.frozen.push(run);
      else happens();
    };
    after(ms, run);
  }

  function tick(node: SimNode): void {
    at(node, 30 + chance.next() * 20, () => {
      step(node, { event: 'ticked', now: monotonic(node), wall: wallOf(node), random: chance.next() });
      tick(node);
    });
  }
  const wallOf = (node: SimNode): number => 1_000_000 + now + node.clock.base;

  // -------------------------------------------------------------- steps

  function step(node: SimNode, given: Event): void {
    steps++;
    const event = mutation?.beforeStep ? mutation.beforeStep(node.member, given, world) : given;
    if (!event) return;
    let lead = node.member.phase.phase === 'leading' ? node.member.phase.charter : null;
    const before = node.member.committed;
    let effects = memberStep(node.member, event);
    if (mutation?.afterStep) effects = mutation.afterStep(node.member, event, effects, world);
    for (const effect of effects) {
      carry(node, effect, lead, before);
      if (effect.effect === 'stoppedActing') lead = null; // what it learns in the same step it learns as a follower
    }
  }

  function carry(node: SimNode, effect: Effect, lead: Charter | null, before: number): void {
    switch (effect.effect) {
      case 'saveRegister':
      case 'appendEntries':
      case 'cutToQuarantine':
      case 'installSnapshot':
      case 'saveMark':
        return save(node, effect);
      case 'send':
        return send(node, effect.to, effect.message);
      case 'becameActive':
        log(
          `${node.name} is active in ${termText(effect.charter.term)}: ${effect.charter.reason}; write set ${effect.charter.writeSet.map((one) => one.split('#')[0]).join('+')}, voters ${effect.charter.voters.map((set) => set.map((one) => one.node).join('+')).join(' and ')}`,
        );
        checks.activated(node.name, node.disk, effect.charter, effect.loss);
        if (effect.loss && options.log) log(`${node.name} may lack: ${JSON.stringify(effect.loss)}`);
        return;
      case 'beganActing':
        log(`${node.name} acts in ${termText(effect.charter.term)}`);
        return greetWorkers(node, effect.charter);
      case 'stoppedActing':
        log(`${node.name} stops acting: ${effect.why}`);
        count('stopped acting');
        node.acks = []; // unknown to their clients
        return;
      case 'committed': {
        const charter = lead ?? (node.member.phase.phase === 'leading' ? node.member.phase.charter : null);
        if (charter) {
          checks.committedBy(node.name, node.disk.register.store, node.disk, charter, before + 1, effect.index);
          acknowledge(node, charter, effect.index);
        }
        return keepSnapshot(node, effect.index);
      }
      case 'answered': {
        const known = reads.get(effect.id);
        reads.delete(effect.id);
        // P36: a fresh read sees everything that was committed before it was asked for.
        if (
          known &&
          effect.ok &&
          node.member.committed < known.committed &&
          lead &&
          checks.lineageOf(lead) === known.lineage
        ) {
          checks.fail(
            'I12',
            `a fresh read at ${node.name} knows ${node.member.committed} of ${known.committed} committed entries`,
          );
        }
        if (known) return count(effect.ok ? 'fresh reads' : 'fresh reads refused');
        count(effect.ok ? 'wishes granted' : 'wishes refused');
        return log(`${node.name} answers: ${effect.ok ? 'yes' : 'no'}, ${effect.words}`);
      }
      case 'note':
        count(`note ${effect.code}`);
        node.notes.push(effect.words);
        return log(`${node.name} says: ${effect.words}`);
      case 'readEntries':
        return at(node, 1, () => {
          const previous = node.disk.entries[effect.from - 2];
          const gone = effect.from <= node.disk.dropped;
          const entries = gone ? [] : node.disk.entries.slice(effect.from - 1, effect.from - 1 + effect.count);
          count('entries read from disk');
          step(node, {
            event: 'entriesRead',
            now: monotonic(node),
            to: effect.to,
            previous: previous ?? start,
            entries,
          });
        });
      case 'wantSnapshot':
        count('snapshots wanted');
        return keepSnapshot(node, node.member.committed, 1);
      case 'fetchSnapshot':
        return fetchSnapshot(node, effect.from, effect.at.index, effect.at.chain);
      case 'renewStore':
        return renewStore(node);
      case 'reload':
        count('reloads after a failed save');
        node.life++;
        node.disk.pending = [];
        return wake(node);
    }
  }

  // --------------------------------------------------------------- disk

  function save(node: SimNode, effect: SaveEffect): void {
    node.disk.pending.push(effect);
    if (mutation?.lies?.(node, effect))
      at(node, 0, () => step(node, { event: 'saved', now: monotonic(node), save: effect.save }));
    flush(node);
  }

  /** One sync at a time; it takes everything that waits (group commit). */
  function flush(node: SimNode): void {
    if (node.flushing || node.disk.pending.length === 0 || node.disk.state === 'hangs') return;
    node.flushing = true;
    const group = [...node.disk.pending];
    at(node, node.diskMs * (0.5 + chance.next() * (chance.happens(0.05) ? 20 : 1)), () => {
      node.flushing = false;
      if (node.disk.state === 'full') {
        node.disk.pending = [];
        count('saves that failed');
        return step(node, { event: 'saveFailed', now: monotonic(node) });
      }
      if (node.disk.state === 'hangs') return;
      node.disk.pending.splice(0, group.length);
      for (const one of group) reach(node, one);
      const trap = world.trap;
      if (trap && group.some((one) => one.effect === 'saveRegister' && isOwnJoint(node, one.register.accepted))) {
        world.trap = null;
        return trap(node);
      }
      if (node.diesAtSave && group.some((one) => one.effect === 'saveRegister')) return dieAtSave(node);
      step(node, { event: 'saved', now: monotonic(node), save: group.at(-1)!.save });
      flush(node);
    });
  }

  const isOwnJoint = (node: SimNode, { active, voters }: Charter): boolean => active === node.name && voters.length > 1;

  function dieAtSave(node: SimNode): void {
    node.diesAtSave = false;
    count('killed between save and send');
    log(`${node.name} is killed between save and send`);
    stop(node);
    after(chance.whole(20, 500), () => node.up || start_(node));
  }

  function reach(node: SimNode, effect: SaveEffect, part?: number): void {
    const { disk } = node;
    const before = disk.entries.at(-1);
    const { cut } = carryOut(disk, effect, node.fetched, part);
    if (effect.effect === 'saveRegister') checks.registerSaved(disk.register);
    if (effect.effect === 'appendEntries') checks.entriesSaved(effect.entries, before);
    if (effect.effect === 'installSnapshot') count('snapshots installed');
    checks.entriesCut(disk.register, cut, effect.effect === 'installSnapshot');
  }

  function keepSnapshot(node: SimNode, committed: number, every = options.small ? 12 : 200): void {
    const { disk } = node;
    if (!node.keepsJournal || committed - (disk.snapshot?.index ?? 0) < every) return;
    at(node, 5, () => {
      const entry = disk.entries[committed - 1];
      if (!entry || committed <= (disk.snapshot?.index ?? 0)) return;
      disk.snapshot = { index: entry.index, term: entry.term, chain: entry.chain };
      disk.dropped = Math.max(disk.dropped, committed - Math.ceil(every / 2));
      step(node, { event: 'snapshotKept', now: monotonic(node), at: disk.snapshot, dropped: disk.dropped });
    });
  }

  function fetchSnapshot(node: SimNode, from: string, index: number, chain: string): void {
    const source = nodes.get(from);
    if (!source?.up || blocked.has(`${from}>${node.name}`) || blocked.has(`${node.name}>${from}`)) return;
    const entries = source.disk.entries.slice(0, index);
    if (entries.at(-1)?.chain !== chain) return;
    at(node, 20 + chance.next() * 100, () => {
      const last = entries.at(-1)!;
      const position = { index: last.index, term: last.term, chain: last.chain };
      if (node.disk.pending.some((one) => one.effect === 'installSnapshot')) return;
      node.fetched = { at: position, entries };
      step(node, { event: 'snapshotFetched', now: monotonic(node), at: position });
    });
  }

  function renewStore(node: SimNode): void {
    count('old images found out');
    log(`${node.name} takes a new store`);
    replaceStore(node, {
      ...node.disk,
      register: emptyRegister('lab', { node: node.name, store: newStore() }),
      pending: [],
    });
    start_(node);
  }

  /** The node's memory is gone: another store, and the people tell the cluster after a while. */
  function replaceStore(node: SimNode, disk: Disk): void {
    node.life++;
    node.disk = disk;
    node.image = null;
    const voter: Voter = { node: node.name, store: disk.register.store };
    after(500, () => {
      const swap = (one: Voter): Voter => (one.node === voter.node ? voter : one);
      roster.controllers = roster.controllers.map(swap);
      roster.spares = roster.spares.map(swap);
      if (roster.watch) roster.watch = swap(roster.watch);
      tellRoster();
    });
  }

  // ------------------------------------------------------- start and stop

  const start = { index: 0, term: noCharter.term, chain: '0' };

  function wake(node: SimNode): void {
    node.flushing = false;
    node.fetched = null;
    node.acks = [];
    const { disk } = node;
    const kept = Math.min(timing.tailEntriesMax, disk.entries.length);
    const entries = disk.entries.slice(disk.entries.length - kept);
    const base = disk.entries[disk.entries.length - kept - 1] ?? start;
    node.member = wakeMember({
      register: disk.register,
      keepsJournal: node.keepsJournal,
      journal: { base: { index: base.index, term: base.term, chain: base.chain }, entries },
      snapshot: disk.snapshot,
      dropped: disk.dropped,
      mark: disk.mark,
      roster: { ...roster },
      timing,
      craft: { chainOf: simChain, activationText: (charter) => `activated ${termText(charter.term)}` },
      incarnation: `${node.name}.${node.life}`,
      now: monotonic(node),
    });
    mutation?.onWake?.(node, world);
    tick(node);
  }

  function start_(node: SimNode): void {
    node.up = true;
    node.frozenUntil = 0;
    node.frozen = [];
    wake(node);
  }

  function stop(node: SimNode): void {
    if (!node.up) return;
    for (const { effect, part } of crash(node.disk, chance)) reach(node, effect, part);
    mutation?.onCrash?.(node, world);
    node.up = false;
    node.life++;
  }

  function addNode(name: string, keepsJournal: boolean, disk: Disk): SimNode {
    const clock = { base: chance.whole(0, 100_000), rate: 0.95 + chance.next() * 0.1 };
    const bare = {
      name,
      keepsJournal,
      up: false,
      frozenUntil: 0,
      frozen: [],
      disk,
      image: null,
      life: 0,
      clock,
      fetched: null,
    };
    const node = {
      ...bare,
      acks: [],
      notes: [],
      lastNote: '',
      diskMs: 1 + chance.next() * 4,
      flushing: false,
      diesAtSave: false,
    } as unknown as SimNode;
    nodes.set(name, node);
    return node;
  }

  // ------------------------------------------------------------ network

  function send(node: SimNode, to: string, message: Message): void {
    checks.messageLeaves(node.name, node.disk, message.body);
    if (message.body.kind === 'refused') count(`refused ${message.body.what}`);
    const target = nodes.get(to);
    if (!target || blocked.has(`${node.name}>${to}`) || chance.happens(network.loss)) return;
    const deliver = (): void => {
      if (!target.up) return;
      if (now < target.frozenUntil) return void target.frozen.push(deliver);
      step(target, { event: 'received', now: monotonic(target), from: node.name, message });
    };
    const delay = (): number => network.slowMs * (0.5 + chance.next() * (chance.happens(0.03) ? 60 : 1));
    after(delay(), deliver);
    if (network.doubled > 0 && chance.happens(network.doubled)) after(delay() * 5, deliver);
  }

  // ------------------------------------------------------------ clients

  /** A client asks whoever takes entries; several may believe that they do. */
  function propose(text?: string): void {
    const taking = [...nodes.values()].filter((node) => node.up && now >= node.frozenUntil && isTaking(node.member));
    if (taking.length === 0) return;
    const node = chance.pick(taking);
    const key = text ?? `k${++keys}`;
    const { phase, journal } = node.member;
    if (phase.phase !== 'leading') return;
    const index = (journal.entries.at(-1) ?? journal.base).index + 1;
    node.acks.push({ index, key, term: phase.charter.term });
    step(node, { event: 'proposed', now: monotonic(node), texts: [key] });
  }

  function acknowledge(node: SimNode, charter: Charter, index: number): void {
    while (node.acks.length > 0 && node.acks[0]!.index <= index) {
      const { key, index: where } = node.acks.shift()!;
      const entry = node.disk.entries[where - 1];
      if (entry?.text !== key) checks.fail('I12', `${key} is answered and another entry is at ${where}`);
      acked.push({ key, index: where, chain: entry!.chain, lineage: checks.lineageOf(charter), at: now });
      count('acknowledged');
      if (key.startsWith('start ')) orderStart(node, charter, key);
    }
  }

  // ------------------------------------------------------------ workers

  function toWorker(node: SimNode, name: string, event: FenceEvent): void {
    const worker = workers.get(name);
    if (!worker || blocked.has(`${node.name}>${name}`) || chance.happens(network.loss)) return;
    after(network.slowMs * (0.5 + chance.next()), () => worker.up && atWorker(worker, event));
  }

  function atWorker(worker: SimWorker, given: FenceEvent): void {
    const event = mutation?.fence ? mutation.fence(worker, given) : given;
    const effects = fenceStep(worker.worker, event);
    if (given.event !== 'saved' && effects.every((effect) => effect.effect !== 'refuse')) {
      const lower = worker.obeyed !== null && compare(given.term, worker.obeyed) < 0;
      if (lower) checks.fail('I10', `${worker.name} obeys ${termText(given.term)} after ${termText(worker.obeyed!)}`);
      worker.obeyed = given.term;
    }
    for (const effect of effects) {
      if (effect.effect === 'saveFence') {
        const saved = structuredClone(effect.fence);
        after(2, () => {
          if (!worker.up) return;
          worker.saved = saved;
          atWorker(worker, { event: 'saved' });
        });
      } else if (effect.effect === 'start') checks.startedOnce(effect.attempt);
      else if (effect.effect === 'refuse') count('starts refused by a fence');
    }
  }
  const compare = (a: Term, b: Term): number => a.era - b.era || a.number - b.number;

  function greetWorkers(node: SimNode, charter: Charter): void {
    const lineage = charter.lineage?.claim ?? null;
    for (const name of workers.keys())
      toWorker(node, name, { event: 'greeted', cluster: 'lab', term: charter.term, lineage });
    for (const entry of node.disk.entries.slice(0, node.member.committed))
      if (entry.text.startsWith('start ')) orderStart(node, charter, entry.text);
  }

  function orderStart(node: SimNode, charter: Charter, text: string): void {
    const [, attempt = '', worker = ''] = text.split(' ');
    toWorker(node, worker, {
      event: 'startAsked',
      cluster: 'lab',
      term: charter.term,
      lineage: charter.lineage?.claim ?? null,
      attempt,
    });
  }

  // -------------------------------------------------------------- people

  function tellRoster(): void {
    for (const node of nodes.values()) {
      if (node.up) at(node, 1, () => step(node, { event: 'rosterKnown', now: monotonic(node), roster: { ...roster } }));
    }
  }

  let wishes = 0;
  const reads = new Map<number, { committed: number; lineage: string }>();
  /** A client reads at whoever believes to act: a replaced active must not answer. */
  function read(): void {
    const acting = [...nodes.values()].filter(
      ({ up, frozenUntil, member }) =>
        up && now >= frozenUntil && member.phase.phase === 'leading' && member.phase.acting,
    );
    if (acting.length === 0) return;
    const node = chance.pick(acting);
    if (node.member.phase.phase !== 'leading') return;
    const lineage = checks.lineageOf(node.member.phase.charter);
    reads.set(++wishes, { committed: checks.committed.get(lineage)?.length ?? 0, lineage });
    step(node, { event: 'wished', now: monotonic(node), id: wishes, wish: { wish: 'confirmRead' } });
  }

  function wish(node: SimNode, wanted: Wish): void {
    if (!node.up || now < node.frozenUntil) return;
    log(`a person asks ${node.name} to ${wanted.wish}`);
    step(node, { event: 'wished', now: monotonic(node), id: ++wishes, wish: wanted });
  }

  // --------------------------------------------------------------- begin

  function begin(): void {
    const voters = [...CONTROLLERS.slice(0, 2), WATCHES[0]!].map((node) => ({ node, store: newStore() }));
    const [a, b, w] = voters as [Voter, Voter, Voter];
    let charter = foundingCharter(a, 0);
    if (options.preformed)
      charter = { ...charter, writeSet: [a, b].map((one) => `${one.node}#${one.store}`), voters: [voters] };
    const registerOf = (voter: Voter) =>
      options.preformed || voter === a ? foundingRegister('lab', voter, charter) : emptyRegister('lab', voter);
    roster.controllers = [a, b];
    roster.watch = w;
    for (const voter of voters) addNode(voter.node, voter !== w, emptyDisk(registerOf(voter)));
    const spare = { node: WATCHES[1]!, store: newStore() };
    addNode(spare.node, false, emptyDisk(emptyRegister('lab', spare)));
    const third = { node: CONTROLLERS[2]!, store: newStore() };
    addNode(third.node, true, emptyDisk(emptyRegister('lab', third)));
    for (const name of WORKERS) {
      const fence = freshFence('lab');
      workers.set(name, { name, worker: wakeWorker(fence), saved: structuredClone(fence), obeyed: null, up: true });
    }
    for (const node of nodes.values()) {
      checks.registerSaved(node.disk.register);
      if (node.name !== CONTROLLERS[2]) start_(node);
    }
  }

  /** Lets time pass until then, or until so many steps are done. */
  function run(until: number, stepsMax = Number.POSITIVE_INFINITY): void {
    while (due.nextAt() <= until && steps < stepsMax) {
      const next = due.take()!;
      now = next.at;
      next.happens();
    }
    if (steps < stepsMax) now = Math.max(now, until);
  }

  function restartWorker(worker: SimWorker): void {
    worker.worker = wakeWorker(structuredClone(worker.saved));
    worker.obeyed = worker.saved.term;
    worker.up = true;
    for (const node of nodes.values()) {
      const { phase } = node.member ?? {};
      if (node.up && phase?.phase === 'leading' && phase.acting) at(node, 1, () => greetWorkers(node, phase.charter));
    }
  }

  const world = {
    faultsUntil: 0,
    /** Sprung when a node has saved its acceptance of a change of seats of its own, before anybody hears of it. */
    trap: null as ((node: SimNode) => void) | null,
    restartWorker,
    options,
    chance,
    nodes,
    workers,
    roster,
    network,
    blocked,
    checks,
    counts,
    count,
    acked,
    timing,
    log,
    after,
    at,
    begin,
    run,
    step,
    propose,
    read,
    wish,
    stop,
    start: start_,
    tellRoster,
    newStore,
    replaceStore,
    monotonic,
    wallOf,
    flush,
    image: (node: SimNode): Disk => copyOf(node.disk),
    get now() {
      return now;
    },
    get steps() {
      return steps;
    },
    node: (name: string): SimNode => nodes.get(name) ?? checks.fail('simulation', `no node ${name}`),
    acting: (): SimNode[] =>
      [...nodes.values()].filter(({ up, member }) => up && member.phase.phase === 'leading' && member.phase.acting),
    leaderOf: (node: SimNode): Charter | null =>
      node.member.phase.phase === 'leading' ? node.member.phase.charter : null,
    thaw(node: SimNode): void {
      node.frozenUntil = 0;
      for (const run of node.frozen.splice(0)) run();
    },
    votersNow: (charter: Charter): Voter[] => votersOf(charter),
    entries: (node: SimNode): StoredEntry[] => node.disk.entries,
  };
  return world;
}
