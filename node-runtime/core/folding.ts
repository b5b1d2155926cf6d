/**
 * Keeps the state equal to the journal: applies entries in their order, and
 * holds what they cause until they are committed.
 *
 * The active applies an entry when it is written, so its state runs ahead of
 * the disk; a follower applies what the active reports as committed. When
 * entries are cut that the state was made of, the state is read anew.
 *
 * Promise: nothing that an entry causes leaves before the entry is committed.
 * Rules: P12 to P17.
 */
import { refuse } from '../contract/errors.ts';
import type { Charter, Entry, Fact, Loss, StoredEntry, Term } from '../contract/facts.ts';
import { auditOf } from './audit/audit.ts';
import { votersOf } from './cluster/charter.ts';
import { isTaking } from './cluster/leading.ts';
import { grantTo } from './cluster/lease.ts';
import { sameTerm } from './cluster/terms.ts';
import type { Effect, Reply } from './effects.ts';
import * as jobs from './jobs/jobs.ts';
import { type Held, hold, release } from './journal/commit.ts';
import { at, endOf } from './journal/tail.ts';
import { eventsOf } from './live-events.ts';
import type { NodeState } from './node-state.ts';
import { applyEntry, type Replicated, saveReplicated, type Touched } from './replicated.ts';

/** JSON of an entry without what is beside it on disk. The text that crc and chain are made over is made once, here. */
export const entryText = ({ term: _, index: __, ...rest }: Entry): string => JSON.stringify(rest);

export const openEntry = ({ term, index, text }: Pick<StoredEntry, 'term' | 'index' | 'text'>): Entry => ({
  term,
  index,
  ...(JSON.parse(text) as Omit<Entry, 'term' | 'index'>),
});

/** The term this node acts in and takes entries for; null when it doesn't. */
export function termTaken(state: NodeState): Term | null {
  const { phase } = state.member;
  return phase.phase === 'leading' && !state.rebuilding && isTaking(state.member) ? phase.charter.term : null;
}

/** Applies facts; they become entries of the journal at the end of this step. Only while {@link termTaken}. */
export function append(
  state: NodeState,
  facts: Fact[],
  now: number,
  origin: Pick<Entry, 'by' | 'via' | 'from'> = byNode(state),
): Entry[] {
  const term = termTaken(state);
  if (facts.length > 0 && term === null) throw new Error('broken promise: only the active appends');
  return facts.map((fact) => {
    const entry: Entry = { term: term!, index: state.replicated.index + 1, at: now, ...origin, fact };
    fold(state, entry, true);
    state.proposed.push(entry);
    return entry;
  });
}

const byNode = (state: NodeState) => ({ by: 'node', via: state.self.name });

function fold(state: NodeState, entry: Entry, leading: boolean): void {
  const row = auditOf(state.replicated, entry);
  const touched = applyEntry(state.replicated, entry);
  const audited: Effect[] = row ? [{ effect: 'audit', row }] : [];
  holdInOrder(state.held, entry.index, [...audited, ...causedBy(state, entry, touched, row !== null, leading)]);
  if (touched.members) state.membersAt = entry.index;
}

/** Brings the state to where the journal allows: a leader's end, a follower's committed entries. */
export function catchUp(state: NodeState): void {
  const { member, replicated } = state;
  if (!member.keepsJournal || state.rebuilding) return;
  const target = member.phase.phase === 'leading' ? endOf(member.journal).index : member.committed;
  while (replicated.index < target) {
    const entry = at(member.journal, replicated.index + 1);
    if (entry === null || !('text' in entry)) {
      startRebuilding(state); // older than what is in memory
      return;
    }
    fold(state, openEntry(entry as StoredEntry), false);
  }
}

export function startRebuilding(state: NodeState): void {
  if (state.rebuilding) return;
  state.rebuilding = true;
  state.out.push({ effect: 'rebuild' });
}

/**
 * The state as it was read anew, if it still lies on the journal; else entries were cut while it was read. What entries
 * after it cause, they cause again when they are applied; answers that wait for them go on waiting.
 */
export function takeRebuilt(state: NodeState, replicated: Replicated): void {
  const there = at(state.member.journal, replicated.index);
  const isThere = replicated.index === 0 ? there?.index === 0 : there && sameTerm(there.term, replicated.term!);
  if (!isThere) return void state.out.push({ effect: 'rebuild' });
  state.replicated = replicated;
  state.membersAt = replicated.index;
  state.rebuilding = false;
  for (const one of state.held)
    if (one.index > replicated.index)
      one.items = one.items.filter((item) => item.effect === 'answer' || item.effect === 'allowRead');
}

/** After the state was read anew, answers may wait for later entries than the one that is applied. */
function holdInOrder(held: Held<Effect>, index: number, items: Effect[]): void {
  const place = held.findLastIndex((one) => one.index <= index) + 1;
  if (place === held.length || items.length === 0) hold(held, index, items);
  else if (held[place - 1]?.index === index) held[place - 1]!.items.push(...items);
  else held.splice(place, 0, { index, items });
}

/** Entries after this index are no more: what waited for them is not known to have happened (P14). */
export function forgetAfter(state: NodeState, index: number): void {
  const kept: Held<Effect> = [];
  for (const one of state.held) {
    if (one.index <= index) kept.push(one);
    else dropAnswers(state, one.items);
  }
  state.held = kept;
  state.known = Math.min(state.known, index); // less only after a confirmed loss (P32)
  if (state.replicated.index > index) startRebuilding(state);
}

function dropAnswers(state: NodeState, items: Effect[], reply: Reply = unknownOutcome(state)): void {
  for (const item of items) {
    if (item.effect === 'answer') state.out.push({ effect: 'answer', id: item.id, reply });
    if (item.effect === 'allowRead') state.out.push({ ...item, allowed: false });
  }
}

const unknownOutcome = (state: NodeState): Reply =>
  refuse('unknown_outcome', `${state.self.name} stopped acting before this was known.`);

/** Answers all that waits, with this: whatever becomes of their entries, nobody waits for it here. */
export function answerHeld(state: NodeState, reply: Reply = unknownOutcome(state)): void {
  for (const one of state.held) {
    dropAnswers(state, one.items, reply);
    one.items = one.items.filter((item) => item.effect !== 'answer' && item.effect !== 'allowRead');
  }
}

/** Only the active sends to workers: a new greeting says all again. */
export function dropOrders(state: NodeState): void {
  for (const one of state.held) one.items = one.items.filter((item) => item.effect !== 'send');
}

/** Lets go what is committed by now. */
export function letGo(state: NodeState): void {
  const { committed } = state.member;
  state.out.push(...release(state.held, committed));
}

/** Gives an effect out now if everything this state knows is committed, else holds it until it is. */
export function whenCommitted(state: NodeState, effect: Effect): void {
  if (state.member.committed >= state.replicated.index) state.out.push(effect);
  else holdInOrder(state.held, state.replicated.index, [effect]);
}

// ----------------------------------------------------------------- causes

function causedBy(state: NodeState, entry: Entry, touched: Touched, isAudited: boolean, leading: boolean): Effect[] {
  const caused: Effect[] = [];
  const events = eventsOf(state.replicated, entry, touched, isAudited);
  if (events.length > 0) caused.push({ effect: 'publish', events });
  const fact = entry.fact;
  if (fact.kind === 'runEnded') {
    const run = jobs.runOf(state.replicated.jobs, fact.run);
    if (run) caused.push({ effect: 'fileRuns', runs: [run] });
  }
  if (fact.kind === 'attemptEnded' && fact.end.outputBytes > 0) {
    const node = jobs.nodeOfAttempt(state.replicated.jobs, fact);
    const { run, task, number } = fact;
    if (node !== null && node !== state.self.node)
      caused.push({ effect: 'copyOutput', attempt: { run, task, number }, node, outputBytes: fact.end.outputBytes });
  }
  if (fact.kind === 'filesChanged') {
    const hashes = fact.changes.flatMap((change) => (change.op === 'put' ? [change.hash] : []));
    if (hashes.length > 0) caused.push({ effect: 'expectContents', hashes });
  }
  return leading ? [...caused, ...ordersOf(state, entry)] : caused;
}

/** What workers are told of an entry that this active wrote (P35). What an older term wrote, the greeting says again. */
function ordersOf(state: NodeState, { fact, term }: Entry): Effect[] {
  const known = state.replicated.jobs;
  const to = (node: string, message: Extract<Effect, { effect: 'send' }>['message']): Effect => ({
    effect: 'send',
    to: node,
    message,
  });
  switch (fact.kind) {
    case 'attemptPlaced':
      return [to(fact.node, { kind: 'start', ...leadOf(state, term, fact.node), order: orderOf(state, fact, term) })];
    case 'attemptEnded': {
      const { run, task, number } = fact;
      const node = jobs.nodeOfAttempt(known, fact);
      if (!node) return [];
      // Decided without the worker: it may still run there, and tells its own end when it has stopped.
      const kind = fact.end.cause === 'lost' ? ('stop' as const) : ('forget' as const);
      return [to(node, { kind, ...leadOf(state, term, node), run, task, number })];
    }
    case 'cancelAsked':
      return jobs
        .attemptsToStop(known, fact.run)
        .map(({ node, ...name }) => to(node, { kind: 'stop', ...leadOf(state, term, node), ...name }));
    case 'runEnded':
      return jobs
        .nodesOf(known, fact.run)
        .map((node) => to(node, { kind: 'sweep', ...leadOf(state, term, node), run: fact.run }));
    default:
      return [];
  }
}

/** In whose name a worker is told something, with its place among all orders of the term and the worker's lease. */
export function leadOf(state: NodeState, term: Term, worker: string) {
  const { phase, register } = state.member;
  const charter = phase.phase === 'leading' ? phase.charter : register.accepted;
  state.orders += 1;
  const granted = grantTo(state.leases, worker);
  return { cluster: register.cluster, term, lineage: charter.lineage ?? null, place: state.orders, granted };
}

export const orderOf = (state: NodeState, name: Parameters<typeof jobs.orderFor>[1], term: Term) => {
  const order = jobs.orderFor(state.replicated.jobs, name);
  const directory = order.revision === null ? (state.replicated.sandboxes.get(order.sandbox)?.directory ?? null) : null;
  return { ...order, directory, term };
};

// -------------------------------------------------------------- snapshots

/** A snapshot is of the state as it is now, so it is held until all of that is committed. */
export function snapshotIfDue(state: NodeState, every = state.snapshotEvery): void {
  const { index, term } = state.replicated;
  if (state.rebuilding || term === null || index - state.snapshot < every) return;
  state.snapshot = index;
  whenCommitted(state, { effect: 'saveSnapshot', index, term, text: saveReplicated(state.replicated) });
}

export const isSeated = (state: NodeState): boolean =>
  votersOf(state.member.register.accepted).some((voter) => voter.node === state.self.node);

/** P9: the text of the first entry of a term. Its time is that of the charter, so that nothing is asked of a clock. */
export const activationText = (name: string, charter: Charter, loss: Loss | null): string =>
  JSON.stringify({
    at: charter.at,
    by: 'node',
    via: name,
    fact: { kind: 'activated', charter, ...(loss && { loss }) },
  } satisfies Omit<Entry, 'term' | 'index'>);
