/**
 * The active and its workers: greeting, reading, starting, losing sight.
 *
 * A worker is greeted in the term and tells which attempts it knows before it
 * is given work. What is sent is sent again until its outcome is known. A
 * silent worker's attempts are unknown: those with a `retry` to come go
 * elsewhere after its lease is surely over, the others wait for it or for a
 * person.
 *
 * Rules: P31, P35.
 */

import type { Fact, Term } from '../contract/facts.ts';
import type { PeerMessage } from '../contract/peer-messages.ts';
import { beginLeases, grantTo, mayMove, workerTold } from './cluster/lease.ts';
import { compareTerms, parseTerm } from './cluster/terms.ts';
import type { AttemptKnown, AttemptName, Clock } from './effects.ts';
import { append, leadOf, orderOf, termTaken, whenCommitted } from './folding.ts';
import * as jobs from './jobs/jobs.ts';
import { memberNamed, workersOf } from './members/members.ts';
import type { NodeState, WorkerSeen } from './node-state.ts';

const RENEW_MS = 1_000;
/** A worker silent this long gets nothing new; it reports once a second. */
const TAKING_MS = 3_000;
/** A start not answered for so long is sent again, after the worker was read. */
const START_AGAIN_MS = 2_500;

export const attemptText = ({ run, task, number }: AttemptName): string => `${run}.${task}.${number}`;

const send = (state: NodeState, to: string, message: PeerMessage): void =>
  void state.out.push({ effect: 'send', to, message });

export function beganActing(state: NodeState, term: Term, mono: number): void {
  state.workers.clear();
  state.orders = 0;
  state.leases = beginLeases(mono);
  state.leases.tickedAt = mono;
  for (const { id, slots } of workersOf(state.replicated.members)) {
    state.workers.set(id, { heardAt: mono, greeted: false, slots, greetedAt: mono });
    send(state, id, { kind: 'greet', ...leadOf(state, term, id) });
  }
}

export function heard(state: NodeState, node: string, clock: number, mono: number): void {
  const seen = state.workers.get(node);
  if (!seen) return;
  seen.heardAt = mono;
  workerTold(state.leases, node, clock, mono);
}

/** Leases were confirmed: workers that waited for theirs are greeted, so that they can be given work. */
export function granted(state: NodeState): void {
  const term = termTaken(state);
  if (!term) return;
  for (const [id, seen] of state.workers)
    if (!seen.greeted && grantTo(state.leases, id) !== null)
      send(state, id, { kind: 'greet', ...leadOf(state, term, id) });
}

/** Once a second: leases are renewed, those not read yet are greeted again, new workers for the first time. */
export function lookAfterWorkers(state: NodeState, term: Term, { now, mono }: Clock): void {
  if (mono - state.renewedAt < RENEW_MS) return;
  state.renewedAt = mono;
  jobs.promoteOverdue(state.replicated.jobs, now);
  const members = new Set<string>();
  for (const { id, slots } of workersOf(state.replicated.members)) {
    members.add(id);
    const seen = state.workers.get(id) ?? { heardAt: mono, greeted: false, slots, greetedAt: mono };
    state.workers.set(id, seen);
    if (seen.greeted && isOwedAStart(state, id, now)) seen.greeted = false;
    send(state, id, { kind: seen.greeted ? 'renew' : 'greet', ...leadOf(state, term, id) });
  }
  for (const id of state.workers.keys()) if (!members.has(id)) state.workers.delete(id);
}

/** P35: an order is sent again and again until the worker answers. */
const isOwedAStart = (state: NodeState, node: string, now: number): boolean =>
  jobs.unstartedOn(state.replicated.jobs, node, now - START_AGAIN_MS);

/** A worker that lost its connection may have missed a start: it is read anew. */
export function greetAgain(state: NodeState, node: string, term: Term): void {
  const seen = state.workers.get(node);
  if (!seen) return;
  seen.greeted = false;
  send(state, node, { kind: 'greet', ...leadOf(state, term, node) });
}

/** P35: what a worker knows is believed; attempts it was meant to have and never received are sent (again). */
export function greeted(
  state: NodeState,
  node: string,
  message: Extract<PeerMessage, { kind: 'greeted' }>,
  clock: Clock,
): void {
  const seen = state.workers.get(node);
  const term = termTaken(state);
  if (!seen || term === null) return; // it is greeted again
  heard(state, node, message.clock, clock.mono);
  if (grantTo(state.leases, node) === null) return; // greeted again as soon as it has a lease
  Object.assign(seen, { greeted: true, slots: message.slots } satisfies Partial<WorkerSeen>);
  const known = new Set<string>();
  for (const attempt of message.attempts) {
    known.add(attemptText(attempt));
    knownThere(state, node, attempt, term, clock);
  }
  for (const name of jobs.attemptsOn(state.replicated.jobs, node)) {
    if (!known.has(attemptText(name)) && mayBeForgotten(state, name))
      giveUp(state, name, clock, 'What became of it was lost with another controller.');
    else if (!known.has(attemptText(name)))
      whenCommitted(state, {
        effect: 'send',
        to: node,
        message: { kind: 'start', ...leadOf(state, term, node), order: orderOf(state, name, term) },
      });
    else if (jobs.attemptsToStop(state.replicated.jobs, name.run).some((one) => one.task === name.task))
      whenCommitted(state, {
        effect: 'send',
        to: node,
        message: { kind: 'stop', ...leadOf(state, term, node), ...name },
      });
  }
  if (state.replicated.members.unread?.workers.includes(node)) append(state, [{ kind: 'workerRead', node }], clock.now);
}

function knownThere(state: NodeState, node: string, attempt: AttemptKnown, term: Term, clock: Clock): void {
  const { run, task, number } = attempt;
  const name = { run, task, number };
  const isUnread = state.replicated.members.unread?.workers.includes(node) === true;
  const isNew = jobs.nodeOfAttempt(state.replicated.jobs, name) === null && !isAdopted(state, node, name);
  if (isUnread && isNew) return adopt(state, node, attempt, clock.now);
  if (attempt.state === 'ended') return ended(state, node, name, attempt.end, clock);
  if (!jobs.isLive(state.replicated.jobs, name) || jobs.nodeOfAttempt(state.replicated.jobs, name) !== node) {
    if (isAdopted(state, node, name)) return;
    return whenCommitted(state, {
      effect: 'send',
      to: node,
      message: { kind: 'stop', ...leadOf(state, term, node), ...name },
    });
  }
  if (attempt.at !== null) started(state, name, attempt.at, clock);
}

/**
 * P31: the journal was given up after this attempt was started: it is kept as what it is, and goes on. Where its run
 * is known it will be placed again: there, see `schedule`, so that its worker must not forget it before.
 */
function adopt(state: NodeState, node: string, attempt: AttemptKnown, now: number): void {
  const { run, task, number } = attempt;
  const end = attempt.state === 'ended' ? { end: attempt.end } : {};
  append(state, [{ kind: 'attemptAdopted', run, task, number, node, ...end }], now);
  if (attempt.state === 'ended' && !mayBePlaced(state, attempt)) forget(state, node, { run, task, number });
}

const adoptedAs = (state: NodeState, node: string, name: AttemptName) =>
  state.replicated.adopted.find((one) => one.node === node && attemptText(one) === attemptText(name));

const isAdopted = (state: NodeState, node: string, name: AttemptName): boolean =>
  adoptedAs(state, node, name) !== undefined;

/** Its run goes on and has not come to it yet. */
const mayBePlaced = (state: NodeState, name: AttemptName): boolean =>
  state.replicated.jobs.progress.has(name.run) && jobs.nodeOfAttempt(state.replicated.jobs, name) === null;

/** P31: placed before a confirmed loss: its outcome may be in what was given up, and its worker told to forget it. */
function mayBeForgotten(state: NodeState, name: AttemptName): boolean {
  const { claimed } = state.replicated.members;
  const placed = parseTerm(jobs.termOfAttempt(state.replicated.jobs, name) ?? '');
  return claimed !== null && placed !== null && compareTerms(placed, claimed.term) < 0;
}

function forget(state: NodeState, node: string, { run, task, number }: AttemptName): void {
  const term = termTaken(state);
  if (term)
    whenCommitted(state, {
      effect: 'send',
      to: node,
      message: { kind: 'forget', ...leadOf(state, term, node), run, task, number },
    });
}

export function started(state: NodeState, name: AttemptName, at: number, { now }: Clock): void {
  if (termTaken(state)) append(state, jobs.decideStarted(state.replicated.jobs, name, at), now);
}

export function ended(
  state: NodeState,
  node: string,
  { run, task, number }: AttemptName,
  end: Extract<Fact, { kind: 'attemptEnded' }>['end'],
  { now, random }: Clock,
): void {
  const name = { run, task, number };
  if (!termTaken(state)) return; // told again when it is greeted, or by itself
  const adopted = jobs.nodeOfAttempt(state.replicated.jobs, name) === null && adoptedAs(state, node, name);
  if (adopted) {
    if (!adopted.end) append(state, [{ kind: 'attemptAdopted', ...name, node, end }], now);
    if (!mayBePlaced(state, name)) forget(state, node, name);
    return;
  }
  const isItsOwn = jobs.nodeOfAttempt(state.replicated.jobs, name) === node;
  const facts = isItsOwn ? jobs.decideEnded(state.replicated.jobs, name, end, now, random) : [];
  append(state, facts, now);
  // Known already: the worker may forget it as soon as what made it known is committed.
  if (facts.length === 0) forget(state, node, name);
}

/** P35, lost worker: the only place where a clock's rate matters. */
export function loseSight(state: NodeState, clock: Clock): void {
  for (const node of state.workers.keys()) {
    if (!mayMove(state.leases, node, state.member.timing, clock.mono)) continue;
    const who = memberNamed(state.replicated.members, node)?.name ?? node;
    for (const name of jobs.attemptsOn(state.replicated.jobs, node))
      giveUp(state, name, clock, `${who} was silent for longer than its lease.`);
  }
}

/** It is not known what became of it: with a `retry` to come it goes elsewhere, else a person decides. */
function giveUp(state: NodeState, name: AttemptName, { now, random }: Clock, detail: string): void {
  const end = { at: now, state: 'failed', cause: 'lost', detail, outputBytes: 0, outputCut: false } as const;
  const facts = jobs.isLeased(state.replicated.jobs, name)
    ? jobs.decideEnded(state.replicated.jobs, name, end, now, random)
    : jobs.decideLost(state.replicated.jobs, name);
  append(state, facts, now);
}

/** Workers that may be given work now. */
export function takingWorkers(state: NodeState, mono: number): jobs.Worker[] {
  return [...state.workers].map(([node, { slots, greeted, heardAt }]) => {
    const member = state.replicated.members.nodes.get(node);
    const leased = grantTo(state.leases, node) !== null;
    const taking = greeted && leased && mono - heardAt < TAKING_MS && member?.drained === false;
    return { node, name: member?.name ?? node, slots, taking };
  });
}

/** Places what can be placed, ends what has ended, until nothing more follows. */
export function schedule(state: NodeState, { now, mono }: Clock): void {
  const workers = takingWorkers(state, mono);
  while (termTaken(state)) {
    const unread = state.replicated.members.unread;
    const facts = jobs.advance(state.replicated.jobs, { now, workers, launchedAfter: unread?.since ?? 0 });
    const decided = facts.filter((fact) => !livesElsewhere(state, fact)).map((fact) => placedWhereKnown(state, fact));
    if (decided.length === 0) return;
    append(state, decided, now);
  }
}

/** P31: an attempt that a worker has from before a confirmed loss is placed there and nowhere else: it starts once. */
function placedWhereKnown(state: NodeState, fact: Fact): Fact {
  const adopted =
    fact.kind === 'attemptPlaced' && state.replicated.adopted.find((one) => attemptText(one) === attemptText(fact));
  if (!adopted) return fact;
  const name = memberNamed(state.replicated.members, adopted.node)?.name;
  return { ...fact, node: adopted.node, ...(name !== undefined && { nodeName: name }) };
}

/** P31: a later attempt of its task, which the journal does not know, still runs where it was adopted: it ends first. */
const livesElsewhere = (state: NodeState, fact: Fact): boolean =>
  fact.kind === 'attemptPlaced' &&
  state.replicated.adopted.some(
    (one) => one.run === fact.run && one.task === fact.task && one.number > fact.number && !one.end,
  );
