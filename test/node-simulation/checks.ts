/**
 * What must be true after every step of every node, said against the disks and
 * the runners, never against what a node believes.
 *
 * Knows the one journal that is committed, for each confirmed loss (claim) that
 * was followed: entries that a claim gave up are excused, and nothing else is.
 * Invariants: I2, I5, I6, I8, I11, I12, I13 of PROTOCOL section 14.
 */
import type { Charter, Entry, StoredEntry } from '../../node-runtime/contract/facts.ts';
import type { AuditRow, LiveEvent, Run } from '../../node-runtime/contract/model.ts';
import type { PeerMessage } from '../../node-runtime/contract/peer-messages.ts';
import { termText } from '../../node-runtime/core/cluster/terms.ts';
import type { Effect, Order, Reply } from '../../node-runtime/core/effects.ts';
import { openEntry } from '../../node-runtime/core/folding.ts';
import { at } from '../../node-runtime/core/journal/tail.ts';
import {
  applyEntry,
  emptyReplicated,
  loadReplicated,
  type Replicated,
  saveReplicated,
} from '../../node-runtime/core/replicated.ts';
import type { Wish } from '../../node-runtime/core/wishes.ts';
import { attemptText } from '../../node-runtime/core/workers.ts';
import type { Key, SimNode } from './node.ts';
import type { World } from './world.ts';

export class Violation extends Error {
  override name = 'Violation';
}

export type Acknowledged = {
  what: 'launch' | 'cancel' | 'other';
  run: string | null;
  key: string;
  index: number;
  chain: string;
  claim: string;
};
type Published = { from: number; last: number; seen: Set<number> };

const alwaysTold = ['runLaunched', 'runEnded', 'attemptPlaced', 'activated', 'nodeJoined', 'sandboxCreated'];

export class Checks {
  /** claim → index → chain; '' is the journal before any claim. */
  readonly committed = new Map<string, string[]>([['', []]]);
  /** claim → itself and those before it. */
  private readonly ancestors = new Map<string, Set<string>>([['', new Set([''])]]);
  private readonly atClaim = new Map<string, string[]>();
  readonly acknowledged: Acknowledged[] = [];
  private readonly world: World;
  private readonly opened = new Map<string, Entry>();
  private readonly leaders = new Map<string, string>();
  private readonly asking = new Map<string, { key: Key | null; wish: Wish }>();
  private readonly byKey = new Map<string, { run: string; claim: string }>();
  private readonly starts = new Map<string, { worker: string; claims: number }>();
  private readonly live = new Map<string, Set<string>>();
  private readonly told = new Map<string, Published>();
  private readonly states = new Map<string, string>();
  /** index and term → the row of the audit that was made of it first. */
  private readonly rows = new Map<string, string>();
  /** node → the claim it followed last, before one of its own. */
  private readonly followed = new Map<string, string>();
  private readonly adopted = new Set<string>();
  /** Tasks of which a person said that they may run again. */
  readonly again = new Set<string>();

  constructor(world: World) {
    this.world = world;
  }

  private fail(what: string): never {
    return this.world.fail(what);
  }

  entry(stored: StoredEntry): Entry {
    const known = this.opened.get(stored.chain);
    if (known) return known;
    const entry = openEntry(stored);
    this.opened.set(stored.chain, entry);
    return entry;
  }

  claimOf = (node: SimNode): string => node.state.member.register.accepted.lastClaim ?? '';

  /** From memory, or from disk if that is what lies before it: a snapshot may still be on its way there. */
  private storedAt(node: SimNode, index: number): StoredEntry | null {
    const { journal } = node.state.member;
    const found = at(journal, index);
    if (found) return 'text' in found ? (found as StoredEntry) : this.onDisk(node, index);
    return index < journal.base.index ? this.onDisk(node, index) : null;
  }

  private onDisk(node: SimNode, index: number): StoredEntry | null {
    const { base } = node.state.member.journal;
    const { history } = node.disk.kept;
    return base.index === 0 || history[base.index - 1]?.chain === base.chain ? (history[index - 1] ?? null) : null;
  }

  private chainAt = (node: SimNode, index: number): string | null =>
    at(node.state.member.journal, index)?.chain ?? this.storedAt(node, index)?.chain ?? null;

  // ------------------------------------------------------- after every step

  stepped(node: SimNode, effects: Effect[], before: number, led: Charter | null): void {
    const { member } = node.state;
    const { phase } = member;
    if (phase.phase === 'leading') this.leads(node, phase.charter);
    else if (phase.phase !== 'proposing') this.followed.set(node.id, this.claimOf(node));
    if (member.committed > before && member.keepsJournal)
      this.commits(node, before, phase.phase === 'leading' ? phase.charter : led);
    for (const effect of effects)
      if (effect.effect === 'saveSnapshot') this.isCommitted(node, effect.index, 'a snapshot');
  }

  private leads(node: SimNode, charter: Charter): void {
    const term = termText(charter.term);
    const known = this.leaders.get(term);
    if (known === node.id) return;
    if (known) this.fail(`I2: ${known} and ${node.id} lead in ${term}`);
    this.leaders.set(term, node.id);
    this.world.log(`${node.id} leads in ${term} (${charter.reason}), write set ${charter.writeSet.join(' ')}`);
    this.world.ledBy(node, charter);
    const { claim } = charter;
    if (claim && !this.committed.has(claim.id)) this.claimed(node, claim.id, charter);
    const log = this.committed.get(charter.lastClaim ?? '');
    if (!log) return this.fail(`${node.id} leads after a claim that nobody made`);
    const lacks = log.findIndex((chain, place) => this.chainAt(node, place + 1) !== chain);
    if (lacks >= 0) this.fail(`I6: ${node.id} leads in ${term} without the committed entry ${lacks + 1}`);
  }

  private claimed(node: SimNode, claim: string, charter: Charter): void {
    const chains: string[] = [];
    for (let index = 1; ; index++) {
      const chain = this.chainAt(node, index);
      if (chain === null) break;
      chains.push(chain);
    }
    chains.pop(); // the activation itself
    this.atClaim.set(claim, chains);
    this.committed.set(claim, [...chains]);
    const before = this.followed.get(node.id) ?? '';
    this.ancestors.set(claim, new Set([...this.ancestors.get(before)!, claim]));
    this.world.count('claims followed');
    this.world.log(`${node.id} follows the claim ${claim} in ${termText(charter.term)}, with ${chains.length} entries`);
  }

  private commits(node: SimNode, before: number, leading: Charter | null): void {
    const { member } = node.state;
    const log = this.committed.get(this.claimOf(node));
    if (!log) return;
    for (let index = before + 1; index <= member.committed; index++) {
      const chain = this.chainAt(node, index);
      const known = log[index - 1];
      if (known !== undefined) {
        if (chain !== null && known !== chain) this.fail(`I8: ${node.id} takes another entry ${index} for committed`);
        continue;
      }
      if (chain === null || index !== log.length + 1) continue; // it has it from a snapshot
      if (!leading) this.fail(`P16: ${node.id} takes ${index} for committed and no active has`);
      this.isOnWriteSet(leading, index, chain);
      log.push(chain);
      const { fact } = this.entry(this.storedAt(node, index)!);
      if (fact.kind === 'attemptAdopted') this.adopted.add(attemptText(fact));
      if (fact.kind === 'attemptAdopted') this.world.count('adopted');
      if (fact.kind === 'attemptPlaced' && this.adopted.has(attemptText(fact)))
        this.world.count('adopted and placed where they are');
      if (fact.kind === 'attemptLost') this.world.count('lost');
      if (fact.kind === 'attemptEnded' && fact.end.cause === 'lost' && fact.retryAt)
        this.world.count('moved after a lease or a loss');
    }
  }

  private isOnWriteSet(charter: Charter, index: number, chain: string): void {
    for (const writer of charter.writeSet) {
      const [id = '', store] = writer.split('#');
      const { kept } = this.world.node(id).disk;
      if (this.world.node(id).restored || (store !== undefined && kept.store !== store)) continue;
      if (kept.history[index - 1]?.chain !== chain)
        this.fail(`I5: entry ${index} is taken for committed and is not on the disk of ${id}`);
    }
  }

  /** Is the entry at this index of this node's journal committed, by the disks? */
  private isCommitted(node: SimNode, index: number, what: string): void {
    const chain = this.chainAt(node, index);
    for (const log of this.committed.values()) if (log[index - 1] !== undefined && log[index - 1] === chain) return;
    if (chain === null && index <= node.state.member.committed) return;
    this.fail(`P14: ${what} leaves ${node.id} and entry ${index} is not committed`);
  }

  // --------------------------------------------------------------- answers

  asked(node: SimNode, id: number, key: Key | null, wish: Wish): void {
    this.asking.set(`${node.id}.${node.process}.${id}`, { key, wish });
  }

  answered(node: SimNode, id: number, reply: Reply): void {
    const asked = this.asking.get(`${node.id}.${node.process}.${id}`);
    if (!asked || 'code' in reply) return;
    const { key, wish } = asked;
    const claim = this.claimOf(node);
    const own = key && this.keyed(node, key.key);
    const run = wish.wish === 'launch' ? (reply.body as { id: string }).id : null;
    if (run) {
      const index = Number.parseInt(run.slice(2, -4), 36);
      this.isCommitted(node, index, `the answer to ${key?.key}`);
      if (own?.fact.kind !== 'runLaunched' || own.fact.run !== run)
        this.fail(`I12: ${node.id} answers ${key?.key} with ${run}, its journal says otherwise`);
      const before = this.byKey.get(key!.key);
      if (before && before.run !== run && !this.gaveUp(before.claim, claim))
        this.fail(`I12: the key ${key!.key} launched ${before.run} and ${run}`);
      this.byKey.set(key!.key, { run, claim });
    }
    if (!own) return;
    this.isCommitted(node, own.index, `the answer to ${key?.key}`);
    const what = wish.wish === 'launch' || wish.wish === 'cancel' ? wish.wish : 'other';
    const of = 'run' in wish ? wish.run : run;
    this.acknowledged.push({
      what,
      run: of,
      key: key!.key,
      index: own.index,
      chain: this.chainAt(node, own.index)!,
      claim,
    });
    this.world.count('acknowledged');
  }

  private keyed(node: SimNode, key: string): Entry | null {
    for (let index = node.state.replicated.index; index > 0; index--) {
      const stored = this.storedAt(node, index);
      if (stored?.text.includes(`"${key}"`) && this.entry(stored).key?.key === key) return this.entry(stored);
    }
    return null;
  }

  /** Was what was acknowledged under one claim given up by a later one that the other follows? */
  private gaveUp(claim: string, by: string): boolean {
    return [...(this.ancestors.get(by) ?? [])].some((one) => !this.ancestors.get(claim)!.has(one));
  }

  /** May it be missing in a journal that follows this claim? */
  isExcused(ack: Acknowledged, by: string): boolean {
    const since = [...(this.ancestors.get(by) ?? [])].filter((one) => !this.ancestors.get(ack.claim)!.has(one));
    return since.some((one) => this.atClaim.get(one)?.[ack.index - 1] !== ack.chain);
  }

  /** P36: what a fresh read has to show. */
  launchesKnown(): Acknowledged[] {
    return this.acknowledged.filter((ack) => ack.what === 'launch');
  }

  readDone(node: SimNode, wanted: Acknowledged[], claim: string, seen: ReadonlySet<string>): void {
    this.world.count('fresh reads');
    for (const ack of wanted) {
      if (seen.has(ack.run!) || this.isExcused(ack, claim)) continue;
      if (!this.ancestors.get(claim)?.has(ack.claim)) continue; // two eras that have not met
      this.fail(`P36: a fresh read at ${node.id} does not show ${ack.run}, which was acknowledged before`);
    }
  }

  // ------------------------------------------------------------- what is sent

  sent(node: SimNode, to: string, message: PeerMessage): void {
    if (message.kind === 'start') {
      const { run, task, number } = message.order;
      if (
        !this.seek(
          node,
          (f) => f.kind === 'attemptPlaced' && f.run === run && f.task === task && f.number === number && f.node === to,
        )
      )
        this.fail(`P35: ${node.id} orders ${attemptText(message.order)} at ${to} and it is not placed there`);
    }
    if (message.kind === 'forget') {
      const { run, task, number } = message;
      const isIt = (f: { run: string; task: string; number: number }) =>
        f.run === run && f.task === task && f.number === number;
      this.seek(node, (f) => (f.kind === 'attemptEnded' || f.kind === 'attemptAdopted') && isIt(f)); // none: it was of a run given up
    }
    if (message.kind === 'sweep') this.seek(node, (f) => f.kind === 'runEnded' && f.run === message.run);
  }

  filed(node: SimNode, runs: Run[]): void {
    for (const run of runs) this.seek(node, (f) => f.kind === 'runEnded' && f.run === run.id);
  }

  /** A row of the audit is made of a committed entry, and is the same wherever and however often it is made. */
  audited(node: SimNode, rows: AuditRow[], isLive: boolean): void {
    for (const row of rows) {
      if (isLive) this.isCommitted(node, row.index, 'a row of the audit');
      const name = `${row.index} ${row.term}`;
      const text = JSON.stringify(row);
      const known = this.rows.get(name) ?? text;
      if (known !== text)
        this.fail(`${node.id} tells of entry ${row.index} other than was told: ${text}, not ${known}`);
      this.rows.set(name, text);
    }
  }

  /** The newest entry that says so, if there is one, is committed. */
  private seek(node: SimNode, says: (fact: Entry['fact']) => boolean): boolean {
    for (let index = node.state.replicated.index; index > 0; index--) {
      const stored = this.storedAt(node, index);
      if (!stored || !says(this.entry(stored).fact)) continue;
      this.isCommitted(node, index, `what follows from ${this.entry(stored).fact.kind}`);
      return true;
    }
    return false;
  }

  // ---------------------------------------------------------------- workers

  begun(attempt: string, order: Order, worker: string): void {
    this.world.count('attempts started');
    const before = this.starts.get(attempt);
    const task = `${order.run}.${order.task}`;
    if (before && !this.wasGivenUp(before, attempt))
      this.fail(`I11: ${attempt} starts at ${worker} and was started at ${before.worker}`);
    this.starts.set(attempt, { worker, claims: this.committed.size });
    const live = this.live.get(task) ?? new Set();
    this.live.set(task, live);
    if (live.size > 0 && !this.again.has(task)) this.fail(`I11: ${attempt} starts while ${[...live].join()} lives`);
    live.add(attempt);
    if (order.number > 1) this.world.count('attempts again');
  }

  /** A claim gave up the entries of one that had ended and was forgotten: its number is used again (P31 knows no other way). */
  private wasGivenUp(before: { worker: string; claims: number }, attempt: string): boolean {
    if (before.claims === this.committed.size || this.world.node(before.worker).runner!.jobs.has(attempt)) return false;
    this.world.count('numbers used again after a claim');
    return true;
  }

  over(attempt: string, order: Order): void {
    this.live.get(`${order.run}.${order.task}`)?.delete(attempt);
  }

  // ------------------------------------------------------------- live events

  /** The state was read from disk: what it says already is not told as an event. */
  readAnew(node: SimNode, from: number): void {
    this.told.set(node.id, { from, last: from, seen: new Set() });
  }

  published(node: SimNode, events: LiveEvent[]): void {
    const told = this.told.get(node.id)!;
    const position = events[0]!.position;
    if (events.some((event) => event.position !== position)) this.fail(`${node.id} publishes two positions at once`);
    this.isCommitted(node, position, 'an event');
    if (node.state.rebuilding) return;
    if (position <= told.last) this.fail(`${node.id} publishes ${position} after ${told.last}`);
    told.last = position;
    told.seen.add(position);
  }

  private allTold(node: SimNode): void {
    const told = this.told.get(node.id);
    const { replicated, member, rebuilding } = node.state;
    if (!told || rebuilding) return;
    for (let index = told.from + 1; index <= Math.min(replicated.index, member.committed); index++) {
      const stored = this.storedAt(node, index);
      if (!stored || told.seen.has(index) || !alwaysTold.includes(this.entry(stored).fact.kind)) continue;
      this.fail(`${node.id} never publishes entry ${index}, ${this.entry(stored).fact.kind}`);
    }
  }

  // ------------------------------------------------------------------ states

  /** Now and then, and at the end: equal journals have given equal states, and a replay gives the same. */
  look(node: SimNode, replays: boolean): void {
    if (!node.up || node.waking || !node.state.member.keepsJournal || node.state.rebuilding) return;
    this.allTold(node);
    const { replicated } = node.state;
    const chain = this.chainAt(node, replicated.index);
    if (replicated.index === 0 || chain === null) return;
    const text = saveReplicated(replicated);
    const known = this.states.get(chain);
    if (known === undefined) this.states.set(chain, text);
    else if (known !== text)
      this.fail(`P16: ${node.id} comes to another state at ${replicated.index}: ${parting(known, text)}`);
    if (!replays) return;
    const replayed = this.replay(node, replicated.index);
    if (!replayed) return;
    const again = saveReplicated(replayed);
    if (again !== text)
      this.fail(`P16: a replay at ${node.id} to ${replicated.index} gives another state: ${parting(text, again)}`);
    const loaded = saveReplicated(loadReplicated(text));
    if (loaded !== text) this.fail(`a state at ${node.id} is not what its snapshot says: ${parting(text, loaded)}`);
    this.world.count('replays');
  }

  replay(node: SimNode, to: number): Replicated | null {
    const replicated = emptyReplicated();
    for (let index = 1; index <= to; index++) {
      const stored = this.storedAt(node, index);
      if (!stored) return null;
      applyEntry(replicated, openEntry(stored));
    }
    return replicated;
  }
}

/** Where two texts part, with a little around it. */
function parting(a: string, b: string): string {
  let place = 0;
  while (a[place] === b[place] && place < a.length) place++;
  return `…${a.slice(Math.max(0, place - 60), place + 60)}… and …${b.slice(Math.max(0, place - 60), place + 60)}…`;
}
