/**
 * A whole cluster in one thread: the real core of every node on a simulated
 * clock, disk and network.
 *
 * The host here does what `node.ts` will do: it carries out effects in order,
 * tells the core what is saved, and answers clients when entries are
 * committed. Nothing is decided here, and the same seed gives the same run.
 */
import type { Charter, Lineage, StoredEntry, Term, Voter } from '../../node-runtime/contract/facts.ts';
import { foundingCharter, noCharter, votersOf } from '../../node-runtime/core/cluster/charter.ts';
import type { FenceEvent } from '../../node-runtime/core/cluster/fence.ts';
import { isTaking } from '../../node-runtime/core/cluster/leading.ts';
import { memberStep, wakeMember } from '../../node-runtime/core/cluster/member.ts';
import type { Effect, Event, Member, Roster, Wish } from '../../node-runtime/core/cluster/member-state.ts';
import { canBeCopiedAnew } from '../../node-runtime/core/cluster/memory.ts';
import type { Message } from '../../node-runtime/core/cluster/messages.ts';
import { emptyRegister, foundingRegister } from '../../node-runtime/core/cluster/register.ts';
import { termText } from '../../node-runtime/core/cluster/terms.ts';
import { type Timing, timings } from '../../node-runtime/core/cluster/timing.ts';
import { examine } from '../../node-runtime/core/journal/tail.ts';
import { type Checks, newChecks } from './checks.ts';
import { type Clients, newClients } from './clients.ts';
import { carryOut, copyOf, crash, type Disk, emptyDisk, type Fetched, type SaveEffect } from './disk.ts';
import { fold } from './folded.ts';
import { type Desk, newPlacing, type Placing } from './placing.ts';
import { dueQueue } from './queue.ts';
import { type Chance, chanceOf } from './random.ts';
import { newWorkChecks } from './work-checks.ts';
import { newWorkers, type SimWorker, type Told, type Workers } from './workers.ts';

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
  acks: { index: number; key: string; committed: (charter: Charter) => void }[];
  /** Newest version its release reads; what it knows of its work while it leads. */
  speaks: number;
  desk: Desk | null;
  /** Entries looked through for what they enable. */
  applied: number;
  notes: string[];
  lastNote: string;
  diskMs: number;
  flushing: boolean;
  /** It is killed right after its next save of a register, before anybody hears of it. */
  diesAtSave: boolean;
  /** Killed when its claim is decided, before its activation is on disk. */
  diesAtClaim: boolean;
};

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
  /** Bends the reading that a worker renews its lease from. */
  grantedAt?(granted: number | null, now: number): number | null;
  timing?: Partial<Timing>;
  grantsUnconfirmed?: true;
  endsNothing?: true;
  startsUnread?: true;
  /** A claim whose charter was decided and never acted is not seen. */
  seesActingClaimsOnly?: true;
  adoptsNothing?: true;
  ordersForgotten?: true;
  forgetsEarly?: true;
  enablesAlone?: true;
  /** Its first term begins as if it had heard its workers last so long ago. */
  forgetsItsBeginning?: true;
  takesJournalForWhole?: true;
  /** The application: a key that was used before acts again. */
  repeatsKeys?: true;
};

export type Options = {
  seed: number;
  preformed: boolean;
  small: boolean;
  /** Version of the release that all begin with. */
  speaks: number;
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
  const work = newWorkChecks(checks.fail, count, options.speaks === 1 ? 1 : options.speaks - 1);
  const nodes = new Map<string, SimNode>();
  const blocked = new Set<string>();
  const network = { loss: 0, doubled: 0, slowMs: 2 };
  const acked: { key: string; index: number; chain: string; lineage: string; at: number }[] = [];
  const timing: Timing = {
    ...timings.lan,
    seatAfterMs: 3_000,
    declaredDeadMs: 2_000,
    workerLeaseMs: 2_000,
    workerEndMs: 600,
    ...options.mutation?.timing,
    ...(options.small && { tailEntriesMax: 16, batchEntriesMax: 4, snapshotAfterEntries: 24, caughtUpEntries: 4 }),
  };
  let now = 0;
  let steps = 0;
  let stores = 0;
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
    if (given.event === 'received') work.messageTaken(node.name, node.speaks, given.message.version, effects);
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
        world.placing.begin(node, effect.charter, activationText(effect.charter));
        log(
          `${node.name} is active in ${termText(effect.charter.term)}: ${effect.charter.reason}; write set ${effect.charter.writeSet.map((one) => one.split('#')[0]).join('+')}, voters ${effect.charter.voters.map((set) => set.map((one) => one.node).join('+')).join(' and ')}`,
        );
        checks.activated(node.name, node.disk, effect.charter, effect.loss);
        work.acts(effect.charter);
        if (node.diesAtClaim && effect.charter.claim) at(node, 0, () => dieAtClaim(node));
        if (effect.loss && options.log) log(`${node.name} may lack: ${JSON.stringify(effect.loss)}`);
        return;
      case 'beganActing':
        return log(`${node.name} acts in ${termText(effect.charter.term)}`);
      case 'stoppedActing':
        log(`${node.name} stops acting: ${effect.why}`);
        count('stopped acting');
        node.acks = []; // unknown to their clients
        node.desk = null;
        return;
      case 'committed': {
        const charter = lead ?? (node.member.phase.phase === 'leading' ? node.member.phase.charter : null);
        if (charter) {
          checks.committedBy(node.name, node.disk.register.store, node.disk, charter, before + 1, effect.index);
          for (const entry of node.disk.entries.slice(before, effect.index)) entryCommitted(entry);
          acknowledge(node, charter, effect.index);
        }
        at(node, 1, () => apply(node));
        return keepSnapshot(node, effect.index);
      }
      case 'answered': {
        const read = reads.get(effect.id);
        reads.delete(effect.id);
        if (read) return read(effect.ok, lead);
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
        count('old images found out');
        return renewStore(node);
      case 'reload':
        count('reloads after a failed save');
        node.life++;
        node.disk.pending = [];
        return wake(node);
    }
  }

  function entryCommitted({ text, chain }: StoredEntry): void {
    work.entryCommitted(text);
    const members = enabledFor.get(chain);
    if (members) work.versionCommitted(Number(text.slice(7)), members);
  }

  /** Who belonged to the cluster when it was written that all read a version, by the chain of that entry. */
  const enabledFor = new Map<string, string[]>();

  function noteEnabled({ member }: SimNode): void {
    const entry = member.journal.entries.at(-1);
    if (!entry?.text.startsWith('enable ') || member.phase.phase !== 'leading') return;
    const { controllers, watch } = member.roster;
    const seated = [...votersOf(member.phase.charter), ...controllers, ...(watch ? [watch] : [])].map(
      (one) => one.node,
    );
    enabledFor.set(entry.chain, [...seated, ...WORKERS]);
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

  function dieAtClaim(node: SimNode): void {
    node.diesAtClaim = false;
    count('killed between claim and activation');
    log(`${node.name} is killed between claim and activation`);
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
    node.desk = null;
    node.applied = 0;
    const { disk } = node;
    if (!repair(node)) return;
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
      craft: { chainOf: simChain, activationText },
      incarnation: `${node.name}.${node.life}`,
      now: monotonic(node),
      speaks: node.speaks,
      enabled: enabledIn(disk.entries.slice(0, disk.snapshot?.index ?? 0)),
    });
    mutation?.onWake?.(node, world);
    tick(node);
  }

  const activationText = (charter: Charter): string => {
    const claim = mutation?.seesActingClaimsOnly ? charter.claim?.id : charter.lastClaim;
    return `activated ${termText(charter.term)} ${claim ?? '-'}`;
  };

  const enabledIn = (entries: StoredEntry[]): number =>
    entries.reduce((most, { text }) => (text.startsWith('enable ') ? Math.max(most, Number(text.slice(7))) : most), 1);

  /** The application reads what is committed: here, which version is enabled. */
  function apply(node: SimNode): void {
    const { entries, pending } = node.disk;
    const isOther = pending.some((one) => one.effect === 'installSnapshot' || one.effect === 'cutToQuarantine');
    if (isOther) return at(node, 5, () => apply(node)); // what is on the disk is not yet what is committed
    const upTo = Math.min(node.member.committed, entries.length);
    if (node.applied > upTo) node.applied = 0; // a claim's charter gave up what it thought committed
    const version = enabledIn(entries.slice(node.applied, upTo));
    node.applied = upTo;
    if (version > node.member.enabled) step(node, { event: 'versionEnabled', now: monotonic(node), version });
  }

  /** S34: what the shell does with a journal that can't be read to its end. False: the node does not start. */
  function repair(node: SimNode): boolean {
    const { disk } = node;
    const { verdict, good } = examine(start, disk.entries, disk.finished ?? disk.entries.length, simChain);
    delete disk.finished;
    if (verdict === 'whole' || mutation?.takesJournalForWhole) return true;
    const cut = disk.entries.splice(good);
    if (verdict === 'torn') {
      disk.quarantine.push(...cut);
      count('torn entries cut');
      log(`${node.name} cuts a torn entry at ${good + 1}`);
      return true;
    }
    log(`the journal of ${node.name} is damaged at ${good + 1}`);
    count('damaged journals');
    if (!canBeCopiedAnew(disk.register)) {
      log(`${node.name} refuses to start: nobody else holds what it holds`);
      disk.finished = good + cut.length;
      disk.entries.push(...cut);
      node.up = false;
      return false;
    }
    node.disk = { ...emptyDisk(disk.register), quarantine: [...disk.entries, ...cut, ...disk.quarantine] };
    renewStore(node);
    return false;
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
    if (node.keepsJournal && chance.happens(0.1)) tear(node.disk);
    mutation?.onCrash?.(node, world);
    node.up = false;
    node.life++;
  }

  /** The power fails in the middle of an entry: what is there of it was never answered for. */
  function tear(disk: Disk): void {
    const { entries } = disk;
    const last = entries.at(-1);
    if (!last || disk.finished !== undefined) return;
    disk.finished = entries.length;
    entries.push({ ...last, index: last.index + 1, text: 'torn' });
  }

  /** A bit flips in what was saved long ago. */
  function flip(disk: Disk): void {
    const place = Math.floor(disk.entries.length / 2);
    const entry = disk.entries[place];
    if (entry) disk.entries[place] = { ...entry, text: `${entry.text}!` };
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
      diesAtClaim: false,
      speaks: options.speaks,
      desk: null,
      applied: 0,
    } as unknown as SimNode;
    nodes.set(name, node);
    return node;
  }

  // ------------------------------------------------------------ network

  function send(node: SimNode, to: string, message: Message): void {
    checks.messageLeaves(node.name, node.disk, message.body);
    work.messageLeaves(node.name, message);
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

  /** Appends at a node that takes entries; `committed` is told by the answer, if one comes. */
  function write(node: SimNode, text: string, committed: (charter: Charter, index: number) => void = () => {}): number {
    const { journal } = node.member;
    const index = (journal.entries.at(-1) ?? journal.base).index + 1;
    node.acks.push({ index, key: text, committed: (charter) => committed(charter, index) });
    if (node.desk) fold(node.desk.folded, text, WORKERS);
    step(node, { event: 'proposed', now: monotonic(node), texts: [text] });
    noteEnabled(node);
    return index;
  }

  const taking = (): SimNode[] =>
    [...nodes.values()].filter((node) => node.up && now >= node.frozenUntil && isTaking(node.member));

  /** Somebody asks whoever takes entries; several may believe that they do. */
  function propose(text: string): void {
    const list = taking();
    if (list.length > 0) write(chance.pick(list), text);
  }

  function acknowledge(node: SimNode, charter: Charter, index: number): void {
    while (node.acks.length > 0 && node.acks[0]!.index <= index) {
      const { key, index: where, committed } = node.acks.shift()!;
      const entry = node.disk.entries[where - 1];
      if (entry?.text !== key) checks.fail('I12', `${key} is answered and another entry is at ${where}`);
      acked.push({ key, index: where, chain: entry!.chain, lineage: checks.lineageOf(charter), at: now });
      count('acknowledged');
      committed(charter);
    }
  }

  // -------------------------------------------------------------- people

  function tellRoster(): void {
    for (const node of nodes.values()) {
      if (node.up) at(node, 1, () => step(node, { event: 'rosterKnown', now: monotonic(node), roster: { ...roster } }));
    }
  }

  let wishes = 0;
  const reads = new Map<number, (ok: boolean, lead: Charter | null) => void>();
  /** P36: asks for a confirmation of the term; tells whether it came. */
  function confirm(node: SimNode, answered: (ok: boolean) => void): void {
    if (node.member.phase.phase !== 'leading') return answered(false);
    const lineage = checks.lineageOf(node.member.phase.charter);
    const known = checks.committed.get(lineage)?.length ?? 0;
    reads.set(++wishes, (ok, lead) => {
      // P36: it sees everything that was committed before it was asked for.
      if (ok && node.member.committed < known && lead && checks.lineageOf(lead) === lineage)
        checks.fail('I12', `a fresh read at ${node.name} knows ${node.member.committed} of ${known} committed entries`);
      answered(ok);
    });
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
    world.machines.begin();
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

  /** A message that is no member's: when the node is up, and awake. */
  function toNode(name: string, does: (node: SimNode) => void): void {
    const node = nodes.get(name);
    if (!node?.up) return;
    const { life } = node;
    const happens = (): void => void (node.life === life && node.up && does(node));
    if (now < node.frozenUntil) node.frozen.push(happens);
    else happens();
  }

  const later = {} as { machines: Workers; placing: Placing; clients: Clients; workers: Workers['workers'] };
  const world = {
    ...later,
    work,
    faultsUntil: 0,
    /** No new faults before then: somebody has to be able to tell an old folder that it is old (P34). */
    calmUntil: 0,
    /** Messages to this worker come only then. */
    stuck: null as { worker: string; until: number; comeAt: number } | null,
    /** Sprung when a node has saved its acceptance of a change of seats of its own, before anybody hears of it. */
    trap: null as ((node: SimNode) => void) | null,
    options,
    chance,
    nodes,
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
    write,
    taking,
    confirm,
    wish,
    stop,
    start: start_,
    tear,
    flip,
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
    workerTold(name: string, worker: string, told: Told): void {
      toNode(name, (node) => world.placing.told(node, worker, told));
    },
    workerFenced(name: string, term: Term, lineage: Lineage | null): void {
      toNode(name, (node) => step(node, { event: 'fenced', now: monotonic(node), term, lineage }));
    },
  };
  const machines: Workers = newWorkers(world, WORKERS);
  const placing: Placing = newPlacing(world, machines, WORKERS);
  Object.assign(world, { machines, placing, workers: machines.workers, clients: newClients(world) });
  return world;
}
