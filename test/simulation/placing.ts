/**
 * The active's work in the simulation, as `core/workers.ts` does it: greets
 * workers, grants leases, places tasks, sends orders until they are answered,
 * adopts what the journal does not know, and lets go what is committed.
 *
 * State runs ahead of commitment; only what is committed is ordered (P35).
 */
import type { Charter } from '../../node-runtime/contract/facts.ts';
import { isTaking } from '../../node-runtime/core/cluster/leading.ts';
import {
  beginGranting,
  beginLeases,
  endGranting,
  grantTo,
  type Leases,
  leasesTicked,
  mayMove,
  workerTold,
} from '../../node-runtime/core/cluster/lease.ts';
import { sameTerm } from '../../node-runtime/core/cluster/terms.ts';
import { enableable, spokenTo } from '../../node-runtime/core/cluster/version.ts';
import { type Folded, fold, nothingFolded } from './folded.ts';
import type { Told, ToWorker, Workers } from './workers.ts';
import type { SimNode, World } from './world.ts';

/** What an active keeps in memory about its work; gone when it stops acting. */
export type Desk = {
  charter: Charter;
  folded: Folded;
  leases: Leases;
  number: number;
  placed: number;
  told: Map<string, Told>;
  orderedAt: Map<string, number>;
};

const EVERY_MS = 100;
const ORDER_AGAIN_MS = 250;

export type Placing = {
  begin(node: SimNode, charter: Charter, activation: string): void;
  told(node: SimNode, worker: string, message: Told): void;
  decide(): void;
};

export function newPlacing(world: World, workers: Workers, names: readonly string[]): Placing {
  const { chance, count, work: checks } = world;
  const mutation = world.options.mutation;

  /** The journal as it is when the term begins, its activation included. */
  function begin(node: SimNode, charter: Charter, activation: string): void {
    const folded = nothingFolded();
    for (const entry of node.disk.entries) fold(folded, entry.text, names);
    fold(folded, activation, names);
    const leases = beginLeases(world.monotonic(node));
    if (mutation?.forgetsItsBeginning) leases.since = Number.NEGATIVE_INFINITY;
    node.desk = { charter, folded, leases, number: 0, placed: 0, told: new Map(), orderedAt: new Map() };
    goOn(node, node.desk);
  }

  function goOn(node: SimNode, desk: Desk): void {
    world.at(node, EVERY_MS, () => {
      if (node.desk !== desk) return;
      if (isActing(node)) look(node, desk);
      goOn(node, desk);
    });
  }

  const isActing = ({ member }: SimNode): boolean => member.phase.phase === 'leading' && member.phase.acting;

  /** Proposed by the active itself; it knows what it wrote. */
  function write(node: SimNode, desk: Desk, text: string): boolean {
    if (node.desk !== desk || !isTaking(node.member)) return false;
    world.write(node, text);
    return node.desk === desk;
  }

  function look(node: SimNode, desk: Desk): void {
    const now = world.monotonic(node);
    leasesTicked(desk.leases, now, world.timing);
    grant(node, desk);
    const lead = {
      from: node.name,
      cluster: 'lab',
      term: desk.charter.term,
      lineage: desk.charter.lineage ?? null,
    };
    const send = (
      to: string,
      what: { kind: 'greet' } | { kind: 'start'; attempt: string; task: string; leased: boolean },
    ): void =>
      workers.order(to, { ...lead, granted: grantTo(desk.leases, to), number: ++desk.number, ...what } as ToWorker);
    for (const name of names) send(name, { kind: 'greet' });
    lose(node, desk, now);
    place(node, desk, now);
    order(node, desk, now, send);
    enable(node, desk);
  }

  /** A reading is granted when a quorum confirmed the term in a round that began after it came. */
  function grant(node: SimNode, desk: Desk): void {
    if (!beginGranting(desk.leases)) return;
    if (mutation?.grantsUnconfirmed) return endGranting(desk.leases, true);
    world.confirm(node, (confirmed) => {
      if (node.desk === desk) endGranting(desk.leases, confirmed);
    });
  }

  /** Attempts with a lease of a worker that was silent too long are over; the others wait. */
  function lose(node: SimNode, desk: Desk, now: number): void {
    for (const [attempt, { worker, task, state }] of desk.folded.attempts) {
      if (state !== null || !desk.folded.tasks.get(task)?.leased) continue;
      if (!mayMove(desk.leases, worker, world.timing, now)) continue;
      count('attempts given up with their lease');
      if (!write(node, desk, `end ${attempt} lost`)) return;
    }
  }

  function place(node: SimNode, desk: Desk, now: number): void {
    const { folded, leases, told, charter } = desk;
    const free = names.filter((name) => told.has(name) && now - (leases.heardAt.get(name) ?? 0) < 600);
    for (const [name, task] of folded.tasks) {
      if (task.done || task.live !== null) continue;
      const places = task.only ? free.filter((one) => one === task.only) : free;
      if (places.length === 0) continue;
      const { claim } = folded;
      const waits = claim !== null && task.launched < claim.index && claim.unread.size > 0; // P31
      if (waits && !mutation?.startsUnread) {
        count('tasks that waited for workers to be read');
        continue;
      }
      if (claim !== null && task.launched < claim.index)
        checks.placedAfterClaim(name, claim.id, workers.workers.values());
      const attempt = `${name}@${charter.term.era}.${charter.term.number}.${charter.term.node}.${++desk.placed}`;
      if (!write(node, desk, `place ${attempt} ${name} ${chance.pick(places)}`)) return;
    }
  }

  /** Committed, and its worker has not said that it has it: sent, again and again. */
  function order(
    node: SimNode,
    desk: Desk,
    now: number,
    send: (to: string, what: { kind: 'start'; attempt: string; task: string; leased: boolean }) => void,
  ): void {
    for (const [attempt, { worker, task, state, placed }] of desk.folded.attempts) {
      const told = desk.told.get(worker);
      if (state !== null || placed > node.member.committed || !told || told.jobs.has(attempt)) continue;
      if (mayBeForgotten(desk, placed) && !mutation?.ordersForgotten) {
        count('attempts that may have been forgotten');
        if (desk.folded.tasks.get(task)?.leased && !write(node, desk, `end ${attempt} lost`)) return;
        continue; // a person decides
      }
      if (now - (desk.orderedAt.get(attempt) ?? Number.NEGATIVE_INFINITY) < ORDER_AGAIN_MS) continue;
      desk.orderedAt.set(attempt, now);
      send(worker, { kind: 'start', attempt, task, leased: desk.folded.tasks.get(task)?.leased ?? false });
    }
  }

  /** P31: placed before a claim: its outcome may be among what was given up, and its worker told to forget it. */
  const mayBeForgotten = ({ folded }: Desk, placed: number): boolean =>
    folded.claim !== null && placed < folded.claim.index;

  function enable(node: SimNode, desk: Desk): void {
    const heard = names.map((name) => ({ node: name, speaks: desk.told.get(name)?.speaks ?? null }));
    const members = [...spokenTo(node.member), ...heard];
    const { enabled } = desk.folded;
    const forged = mutation?.enablesAlone ? members.filter((one) => one.node === node.name) : members;
    const { version, waitsFor } = enableable(forged, enabled);
    if (waitsFor.length > 0) count('versions that wait for a member');
    if (version !== null) write(node, desk, `enable ${version}`);
  }

  /** A worker tells what it has, in the term that it obeys. */
  function told(node: SimNode, worker: string, message: Told): void {
    const desk = node.desk;
    if (!desk || !isActing(node) || !sameTerm(message.term, desk.charter.term)) return;
    desk.told.set(worker, message);
    workerTold(desk.leases, worker, message.clock, world.monotonic(node));
    for (const [attempt, job] of message.jobs) {
      if (!desk.folded.attempts.has(attempt) && !mutation?.adoptsNothing) {
        checks.adopted(attempt, desk.charter);
        if (!write(node, desk, `adopt ${attempt} ${job.task} ${worker}`)) return;
      }
      if (job.outcome !== null && !settle(node, desk, worker, attempt, job.outcome)) return;
    }
    const { claim } = desk.folded;
    if (claim?.unread.has(worker)) write(node, desk, `read ${claim.id} ${worker}`);
  }

  /** The worker keeps an outcome until it is committed. */
  function settle(node: SimNode, desk: Desk, worker: string, attempt: string, outcome: string): boolean {
    const known = desk.folded.attempts.get(attempt);
    if (!known) return true;
    const isNew = known.state === null;
    if (isNew && !write(node, desk, `end ${attempt} ${outcome}`)) return false;
    if (!(known.ended <= node.member.committed && !isNew) && !mutation?.forgetsEarly) return true;
    const { term, lineage } = desk.charter;
    const lead = { from: node.name, cluster: 'lab', term, lineage: lineage ?? null };
    const granted = grantTo(desk.leases, worker);
    workers.order(worker, { ...lead, granted, number: ++desk.number, kind: 'forget', attempt });
    return true;
  }

  /** A person decides: a worker that stays away after a claim, or an attempt that nobody hears of. */
  function decide(): void {
    for (const node of world.nodes.values()) {
      const desk = node.desk;
      if (!desk || !node.up || !isActing(node)) continue;
      const { claim, attempts, tasks } = desk.folded;
      const now = world.monotonic(node);
      const away = (name: string): boolean => now - (desk.leases.heardAt.get(name) ?? desk.leases.since) > 1_500;
      const unread = [...(claim?.unread ?? [])].find(away);
      if (claim && unread) {
        count('workers given up by a person');
        checks.givenUp(claim.id, unread);
        write(node, desk, `away ${claim.id} ${unread}`);
        return;
      }
      for (const [attempt, { worker, task, state, placed }] of attempts) {
        const mayBe = mayBeForgotten(desk, placed) && desk.told.get(worker)?.jobs.has(attempt) === false;
        if (state !== null || tasks.get(task)?.leased || !(away(worker) || mayBe)) continue;
        count('attempts given up by a person');
        checks.goesAgain(task);
        if (write(node, desk, `again ${task}`)) write(node, desk, `end ${attempt} givenUp`);
        return;
      }
    }
  }

  return { begin, told, decide };
}
