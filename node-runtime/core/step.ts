/**
 * One step of a node: an event comes in, effects come out.
 *
 * The heart of Binnacle. The state is owned by the caller and changed in
 * place; the same state and the same events give the same effects, always,
 * because time and chance are in the events and nothing else is asked. The
 * state runs ahead of the disk: entries are applied when they are appended,
 * and what depends on them is held until they are committed.
 *
 * Promise: no answer, start or event leaves before its entry is committed.
 * Rules: P1, P9, P12, P13, P14, P35, P36 (parts that one node can break).
 */

import { type Refusal, refuse } from '../contract/errors.ts';
import type { Entry, Fact, KeptAnswer, Term } from '../contract/facts.ts';
import { limits } from '../contract/limits.ts';
import { answerTo } from './answers.ts';
import { voterText } from './cluster/charter.ts';
import { ask, type Controller, type ControllerStep, giveUp, registerSaved } from './cluster/controller.ts';
import { type Register, voterOf } from './cluster/register.ts';
import type { Asked, AttemptName, Effect, Event, Order, Reply } from './effects.ts';
import * as jobs from './jobs/jobs.ts';
import { committedUpTo, type Held, hold, release } from './journal/commit.ts';
import { eventsOf } from './live-events.ts';
import { applyEntry, type Replicated, saveReplicated } from './replicated.ts';
import { answerOf, applyToKeys } from './routing/keys.ts';
import { decide } from './wishes.ts';

export type NodeState = {
  readonly self: { node: string; name: string; slots: number };
  register: Register;
  controller: Controller;
  replicated: Replicated;
  /** Last index on this node's disk. */
  synced: number;
  committed: number;
  held: Held<Effect>;
  /** Workers that obey this term and take tasks. */
  workers: Map<string, { slots: number }>;
  /** Index of the newest snapshot, made or being made. */
  snapshot: number;
  /** A snapshot is made when so many entries came since the last one. */
  readonly snapshotEvery: number;
};

const RETRY_MS = 1_000;

/** The state of a node whose disk holds exactly `replicated`. It acts in nothing yet. */
export function wake(
  self: NodeState['self'],
  register: Register,
  replicated: Replicated,
  snapshot: number,
  snapshotEvery: number = limits.snapshotEveryEntries,
): NodeState {
  const end = replicated.index;
  return {
    self,
    register,
    controller: giveUp('', 0),
    replicated,
    synced: end,
    committed: end,
    held: [],
    workers: new Map(),
    snapshot,
    snapshotEvery,
  };
}

export const isActive = (state: NodeState): boolean => state.controller.phase === 'active';

/** What any wish is answered with while this node does not act; null while it does. */
export function whyIdle({ controller, self }: NodeState): Refusal | null {
  if (controller.phase === 'active') return null;
  return controller.phase === 'idle' && controller.why === 'disk_full'
    ? refuse('disk_full', `The disk of ${self.name} is full.`)
    : refuse('starting', `${self.name} is not active yet.`);
}

export function step(state: NodeState, event: Event): Effect[] {
  const effects: Effect[] = [];
  switch (event.event) {
    case 'ticked':
      ticked(state, event.now, effects);
      break;
    case 'registerSaved':
      carryOn(state, registerSaved(state.controller, state.register, event.now), event.now, effects);
      break;
    case 'saveFailed':
      stopActing(state, event.now, effects);
      break;
    case 'synced':
      synced(state, event.index, event.now, effects);
      break;
    case 'asked':
      asked(state, event.asked, event.now, event.random, effects);
      break;
    case 'workerGreeted':
      workerGreeted(state, event, effects);
      break;
    case 'attemptStarted':
      if (isActive(state))
        append(state, jobs.decideStarted(state.replicated.jobs, event.name, event.at), event.now, effects);
      break;
    case 'attemptEnded':
      if (isActive(state)) attemptEnded(state, event, effects);
      break;
  }
  if (isActive(state)) schedule(state, event.now, effects);
  return effects;
}

// ------------------------------------------------------------- leadership

function ticked(state: NodeState, now: number, effects: Effect[]): void {
  if (state.controller.phase !== 'idle') return;
  // A wait longer than it can be means that the clock was set back: then it is over.
  const waitMs = state.controller.retryAt - now;
  if (waitMs > 0 && waitMs <= RETRY_MS) return;
  carryOn(state, ask(state.register, 'started', now), now, effects);
}

function carryOn(state: NodeState, next: ControllerStep, now: number, effects: Effect[]): void {
  state.controller = next.controller;
  if (next.save) {
    state.register = next.save;
    effects.push({ effect: 'saveRegister', register: next.save });
  }
  if (next.activate) {
    const charter = next.activate; // P9: the first entry of a term is its activation
    const fact: Fact = { kind: 'activated', charter, nodeName: state.self.name, slots: state.self.slots };
    append(state, [fact], now, effects, charter.term);
    state.controller = { phase: 'activating', charter, index: state.replicated.index };
  }
}

/** The journal can't be written: answers honestly, forgets what is not on disk, tries again in a new term (P10). */
function stopActing(state: NodeState, now: number, effects: Effect[]): void {
  if (state.controller.phase === 'idle') return;
  const pending = state.held.flatMap((one) => one.items).filter((effect) => effect.effect === 'answer');
  for (const { id } of pending) {
    effects.push({ effect: 'answer', id, reply: refuse('disk_full', `The disk of ${state.self.name} is full.`) });
  }
  state.held = [];
  state.workers.clear();
  state.controller = giveUp('disk_full', now + RETRY_MS);
  effects.push({ effect: 'reload' });
}

// ---------------------------------------------------------------- journal

/** Applies facts and appends them as entries; what they cause is held until they are committed. */
function append(
  state: NodeState,
  facts: Fact[],
  now: number,
  effects: Effect[],
  term = activeTerm(state),
  origin = { by: 'node', via: state.self.name },
): Entry[] {
  const entries: Entry[] = [];
  for (const fact of facts) {
    const index = state.replicated.index + 1;
    const entry: Entry = { term, index, at: now, by: origin.by, via: origin.via, fact };
    const touched = applyEntry(state.replicated, entry);
    entries.push(entry);
    hold(state.held, index, causedBy(state, entry, touched));
  }
  if (entries.length > 0) effects.push({ effect: 'append', entries });
  return entries;
}

function activeTerm(state: NodeState): Term {
  if (state.controller.phase !== 'active') throw new Error('broken promise: only the active appends');
  return state.controller.charter.term;
}

function causedBy(state: NodeState, entry: Entry, touched: ReturnType<typeof applyEntry>): Effect[] {
  const caused: Effect[] = [];
  const events = eventsOf(state.replicated, entry, touched);
  if (events.length > 0) caused.push({ effect: 'publish', events });
  const fact = entry.fact;
  if (fact.kind === 'attemptPlaced') {
    caused.push({ effect: 'startAttempt', order: orderOf(state, fact, entry.term) });
  } else if (fact.kind === 'attemptEnded') {
    const node = jobs.nodeOfAttempt(state.replicated.jobs, fact);
    if (node) caused.push({ effect: 'forgetAttempt', name: fact, node });
  } else if (fact.kind === 'cancelAsked') {
    for (const { node, ...name } of jobs.attemptsToStop(state.replicated.jobs, fact.run)) {
      caused.push({ effect: 'stopAttempt', name, node });
    }
  }
  if (fact.kind === 'runEnded') {
    const run = jobs.runOf(state.replicated.jobs, fact.run);
    if (run) caused.push({ effect: 'fileRuns', runs: [run] }, { effect: 'sweepRun', run: fact.run });
  }
  return caused;
}

const orderOf = (state: NodeState, name: AttemptName, term: Term): Order => ({
  ...jobs.orderFor(state.replicated.jobs, name),
  term,
});

function synced(state: NodeState, index: number, now: number, effects: Effect[]): void {
  state.synced = Math.max(state.synced, index);
  const controller = state.controller;
  if (controller.phase !== 'activating' && controller.phase !== 'active') return;
  const self = voterText(voterOf(state.register));
  const positions = { synced: new Map([[state.self.node, state.synced]]), confirmed: new Map([[self, state.synced]]) };
  state.committed = Math.max(state.committed, committedUpTo(controller.charter, positions));
  effects.push(...release(state.held, state.committed));
  if (controller.phase === 'activating' && state.committed >= controller.index) {
    state.controller = { phase: 'active', charter: controller.charter, since: now };
    effects.push({ effect: 'greetWorkers', term: controller.charter.term });
  }
  snapshotIfDue(state, effects);
}

/** A snapshot is of the state as it is now, so it is held until all of that is committed. */
function snapshotIfDue(state: NodeState, effects: Effect[]): void {
  const { index, term } = state.replicated;
  if (term === null || index - state.snapshot < state.snapshotEvery) return;
  state.snapshot = index;
  const effect: Effect = { effect: 'saveSnapshot', index, term, text: saveReplicated(state.replicated) };
  whenCommitted(state, effect, effects);
}

// ----------------------------------------------------------------- wishes

function asked(
  state: NodeState,
  { id, by, via, key, wish }: Asked,
  now: number,
  random: string,
  effects: Effect[],
): void {
  const idle = whyIdle(state);
  if (idle) {
    effects.push({ effect: 'answer', id, reply: idle });
    return;
  }
  const kept = key ? answerOf(state.replicated.keys, by, key.key, key.request) : null;
  if (kept) {
    return answerWhenCommitted(state, id, 'code' in kept ? kept : repeated(state, kept), effects);
  }
  const decision = decide(state.replicated, wish, { now, index: state.replicated.index + 1, random });
  if ('code' in decision) return answerWhenCommitted(state, id, decision, effects);
  const entries = append(state, decision.facts, now, effects, activeTerm(state), { by, via });
  const reply = answerTo(state.replicated, wish, decision.names?.run);
  if (key && entries[0] && 'status' in reply) {
    const run = wish.wish === 'launch' ? decision.names?.run : wish.wish === 'cancel' ? wish.run : undefined;
    const { status, body } = reply;
    keepAnswer(state, entries[0], { by, ...key, status, ...(run ? { answer: null, run } : { answer: body }) });
  }
  answerWhenCommitted(state, id, reply, effects);
}

/** P36: the key and its answer are committed in the entry that did the work, not after it. */
function keepAnswer(state: NodeState, entry: Entry, kept: KeptAnswer): void {
  entry.key = kept;
  applyToKeys(state.replicated.keys, entry);
}

/** A run is not kept twice: the key leads to it, and is answered with it as it is now. */
function repeated(state: NodeState, { status, answer, run }: KeptAnswer): Reply {
  return { status, body: run === undefined ? answer : (jobs.runOf(state.replicated.jobs, run) ?? { id: run }) };
}

/** Even a refusal was read from a state that may run ahead of the disk: it leaves when that is committed. */
function answerWhenCommitted(state: NodeState, id: number, reply: Reply, effects: Effect[]): void {
  whenCommitted(state, { effect: 'answer', id, reply }, effects);
}

/** Gives an effect out now if everything this state knows is committed, else holds it until it is. */
function whenCommitted(state: NodeState, effect: Effect, effects: Effect[]): void {
  if (state.committed >= state.replicated.index) effects.push(effect);
  else hold(state.held, state.replicated.index, [effect]);
}

// ---------------------------------------------------------------- workers

/**
 * P35: a worker is read before it is given work. What it knows is believed;
 * attempts it was meant to have and never received are sent (again).
 */
function workerGreeted(state: NodeState, event: Extract<Event, { event: 'workerGreeted' }>, effects: Effect[]): void {
  if (!isActive(state)) return;
  const { node, attempts, now, random } = event;
  const known = new Set<string>();
  for (const attempt of attempts) {
    const { run, task, number } = attempt;
    const name = { run, task, number };
    known.add(attemptText(name));
    if (attempt.state === 'ended')
      attemptEnded(state, { event: 'attemptEnded', name, end: attempt.end, now, random }, effects);
    else if (!jobs.isLive(state.replicated.jobs, name))
      whenCommitted(state, { effect: 'stopAttempt', name, node }, effects);
  }
  for (const name of jobs.attemptsOn(state.replicated.jobs, node)) {
    if (!known.has(attemptText(name)))
      whenCommitted(state, { effect: 'startAttempt', order: orderOf(state, name, activeTerm(state)) }, effects);
    else if (jobs.attemptsToStop(state.replicated.jobs, name.run).some((one) => one.task === name.task))
      whenCommitted(state, { effect: 'stopAttempt', name, node }, effects);
  }
  state.workers.set(node, { slots: event.slots });
}

function attemptEnded(state: NodeState, event: Extract<Event, { event: 'attemptEnded' }>, effects: Effect[]): void {
  const facts = jobs.decideEnded(state.replicated.jobs, event.name, event.end, event.now, event.random);
  append(state, facts, event.now, effects);
  if (facts.length > 0) return;
  // Known already: the worker may forget it as soon as what made it known is committed.
  const forget: Effect = { effect: 'forgetAttempt', name: event.name, node: state.self.node };
  whenCommitted(state, forget, effects);
}

/** Places what can be placed, ends what has ended, until nothing more follows. */
function schedule(state: NodeState, now: number, effects: Effect[]): void {
  for (;;) {
    const workers = [...state.workers].map(([node, { slots }]) => {
      const name = state.replicated.members.get(node)?.name ?? node;
      return { node, name, slots, taking: true };
    });
    const facts = jobs.advance(state.replicated.jobs, { now, workers });
    if (facts.length === 0) return;
    append(state, facts, now, effects);
  }
}

export const attemptText = ({ run, task, number }: AttemptName): string => `${run}.${task}.${number}`;
