/**
 * One step of a node: an event comes in, effects come out.
 *
 * The heart of Binnacle. The state is owned by the caller and changed in
 * place; the same state and the same events give the same effects, always,
 * because time and chance are in the events and nothing else is asked. What
 * the cluster does (terms, votes, replication) is `core/cluster`; what entries
 * mean is folded in by `folding.ts`; this file joins the two, and nothing else
 * decides what a node does.
 *
 *   folding.ts   journal → state, and what waits for commitment
 *   asking.ts    wishes and reads of people and programs
 *   workers.ts   the active and its workers
 *   telling.ts   what nodes say of themselves; who belongs to the cluster
 *
 * Promise: no answer, start or event leaves before its entry is committed.
 * Rules: P1, P9, P12 to P16, P31, P35, P36.
 */
import { refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import { answerWaiting, asked, askWaiting, readAsked } from './asking.ts';
import { votersOf, writersOf } from './cluster/charter.ts';
import { beginGranting, beginLeases, endGranting, leasesTicked } from './cluster/lease.ts';
import { memberStep, type Waking, wakeMember } from './cluster/member.ts';
import type { Effect as MemberEffect, Event as MemberEvent } from './cluster/member-state.ts';
import type { Message } from './cluster/messages.ts';
import { termText } from './cluster/terms.ts';
import type { Clock, Effect, Event } from './effects.ts';
import {
  answerHeld,
  catchUp,
  dropOrders,
  entryText,
  forgetAfter,
  letGo,
  snapshotIfDue,
  startRebuilding,
  takeRebuilt,
  termTaken,
} from './folding.ts';
import { endOf } from './journal/tail.ts';
import { isActive, isConfirmed, type NodeState } from './node-state.ts';
import type { Replicated } from './replicated.ts';
import { connected, heardTold, noteLead, raiseVersion, tellOthers, turnAuthority, useMembers } from './telling.ts';
import * as workers from './workers.ts';

/** How long answers wait, after it stopped acting, for the same node to act again and commit them. */
const ANSWERS_WAIT_MS = 2_000;
const DISK_RETRY_MS = 1_000;
/** Number of the confirmation that grants leases; fresh reads have negative numbers, wishes positive ones. */
const GRANT = 0;

export type WakingNode = {
  self: NodeState['self'];
  member: Waking;
  /** What the journal adds up to, as far as it is known to be committed or longer (P16). */
  replicated: Replicated;
  snapshot: number;
  snapshotEvery?: number;
  /** The disk was full a moment ago: it is tried again after a while. */
  diskFull?: boolean;
};

/** The state of a node as it is on disk. It acts in nothing yet (P10). */
export function wake({ self, member: waking, replicated, snapshot, snapshotEvery, diskFull }: WakingNode): NodeState {
  const member = wakeMember(waking);
  if (diskFull) member.retryAt = waking.now + DISK_RETRY_MS;
  return {
    self,
    member,
    replicated,
    known: replicated.index,
    rebuilding: false,
    held: [],
    proposed: [],
    waiting: [],
    workers: new Map(),
    leases: beginLeases(waking.now),
    orders: 0,
    told: new Map(),
    ownTold: null,
    lead: null,
    actingSince: null,
    idleSince: waking.now,
    confirmedAt: waking.now,
    diskFull: diskFull ?? false,
    membersAt: replicated.index,
    membersTold: -1,
    rosterTold: '',
    snapshot,
    snapshotEvery: snapshotEvery ?? limits.snapshotEveryEntries,
    renewedAt: Number.NEGATIVE_INFINITY,
    toldAt: Number.NEGATIVE_INFINITY,
    out: [],
  };
}

export function step(state: NodeState, event: Event): Effect[] {
  const clock: Clock = event;
  switch (event.event) {
    case 'ticked':
      ticked(state, clock);
      break;
    case 'peerHeard':
      peerHeard(state, event.from, event.message, clock);
      break;
    case 'peerConnected':
      connected(state, event.node);
      break;
    case 'saved':
      state.diskFull = false;
      toMember(state, { event: 'saved', save: event.save, now: clock.mono });
      break;
    case 'saveFailed':
      saveFailed(state, clock);
      break;
    case 'entriesRead':
    case 'snapshotKept':
    case 'snapshotFetched':
      toMember(state, { ...event, now: clock.mono });
      break;
    case 'rebuilt':
      takeRebuilt(state, event.replicated);
      break;
    case 'asked':
      for (const one of event.asked) asked(state, one, clock.now);
      break;
    case 'readAsked':
      readAsked(state, event.id, clock.mono, toMember);
      break;
    case 'wished':
      toMember(state, { event: 'wished', id: event.id, wish: event.wish, now: clock.mono });
      break;
    case 'toldSelf':
      state.ownTold = event.told;
      break;
  }
  settle(state, clock);
  return state.out.splice(0);
}

/** After every event: the state follows the journal, what is committed leaves, what follows by itself is done. */
function settle(state: NodeState, clock: Clock): void {
  catchUp(state);
  state.known = Math.max(state.known, state.member.committed);
  if (isActive(state)) {
    askWaiting(state, clock.now);
    workers.schedule(state, clock);
    if (beginGranting(state.leases))
      toMember(state, { event: 'wished', id: GRANT, wish: { wish: 'confirmRead' }, now: clock.mono });
  }
  propose(state, clock);
  letGo(state);
  snapshotIfDue(state);
  useMembers(state, clock, toMember);
}

/** P12: what this step appended becomes entries of the journal. */
function propose(state: NodeState, { mono }: Clock): void {
  const entries = state.proposed.splice(0);
  const last = entries.at(-1);
  if (!last) return;
  toMember(state, { event: 'proposed', texts: entries.map(entryText), now: mono });
  const end = endOf(state.member.journal);
  if (end.index !== last.index || termText(end.term) !== termText(last.term))
    throw new Error(`broken promise: entry ${last.index} became entry ${end.index}`);
}

function ticked(state: NodeState, clock: Clock): void {
  toMember(state, { event: 'ticked', now: clock.mono, wall: clock.now, random: clock.random });
  leasesTicked(state.leases, clock.mono, state.member.timing);
  const term = termTaken(state);
  if (term && isActive(state)) {
    workers.lookAfterWorkers(state, term, clock);
    workers.loseSight(state, clock);
    if (termTaken(state)) raiseVersion(state, clock);
    if (termTaken(state)) turnAuthority(state, clock);
  }
  if (isConfirmed(state)) state.confirmedAt = clock.mono;
  if (clock.mono - Math.max(state.idleSince, state.confirmedAt) > ANSWERS_WAIT_MS && !isConfirmed(state))
    giveUpWaiting(state);
  tellOthers(state, clock);
}

/** Nobody acts here for a while: what waits is answered, and the state goes back to what is known to be committed. */
function giveUpWaiting(state: NodeState): void {
  answerHeld(state);
  if (state.member.phase.phase !== 'leading' && state.replicated.index > state.known) startRebuilding(state);
}

function peerHeard(
  state: NodeState,
  from: string,
  message: Extract<Event, { event: 'peerHeard' }>['message'],
  clock: Clock,
): void {
  const seen = state.workers.get(from);
  switch (message.kind) {
    case 'member':
      toMember(state, { event: 'received', from, message: message.message as Message, now: clock.mono });
      break;
    case 'told':
      if (seen) workers.heard(state, from, message.clock, clock.mono);
      heardTold(state, from, message, clock);
      break;
    case 'greeted':
      if (isHis(state, message.term)) workers.greeted(state, from, message, clock);
      break;
    case 'started':
      if (seen) seen.heardAt = clock.mono;
      if (isHis(state, message.term)) workers.started(state, message, message.at, clock);
      break;
    case 'ended':
      if (seen) seen.heardAt = clock.mono;
      if (isHis(state, message.term)) workers.ended(state, from, message, message.end, clock);
      break;
    case 'fenced':
      toMember(state, { event: 'fenced', term: message.term, lineage: message.lineage, now: clock.mono });
      break;
    case 'greet':
    case 'renew':
      noteLead(state, from, message.term, clock.mono);
      break;
    default:
      break; // orders are the worker's, a directory the shell's
  }
}

/** Was it said to this active, in its term? Else it is said again to whoever greets next. */
const isHis = (state: NodeState, term: Parameters<typeof termText>[0]): boolean =>
  isActive(state) &&
  state.member.phase.phase === 'leading' &&
  termText(state.member.phase.charter.term) === termText(term);

// ----------------------------------------------------------- the member

function toMember(state: NodeState, event: MemberEvent): void {
  for (const effect of memberStep(state.member, event)) fromMember(state, effect, event.now);
}

function fromMember(state: NodeState, effect: MemberEffect, mono: number): void {
  switch (effect.effect) {
    case 'send':
      state.out.push({ effect: 'send', to: effect.to, message: { kind: 'member', message: effect.message } });
      break;
    case 'cutToQuarantine':
      state.out.push(effect);
      forgetAfter(state, effect.after);
      break;
    case 'installSnapshot':
      state.out.push(effect);
      forgetAfter(state, Math.min(effect.keep, state.replicated.index));
      state.snapshot = effect.at.index;
      startRebuilding(state);
      break;
    case 'wantSnapshot':
      snapshotIfDue(state, 1);
      break;
    case 'beganActing':
      state.actingSince = mono;
      workers.beganActing(state, effect.charter.term, mono);
      break;
    case 'stoppedActing':
      say(state, 'stopped', `Stops acting: ${effect.why}.`);
      state.actingSince = null;
      state.idleSince = mono;
      state.workers.clear();
      dropOrders(state);
      answerWaiting(state);
      break;
    case 'answered':
      answered(state, effect);
      break;
    case 'notTaken':
      throw new Error('broken promise: entries were proposed to a member that takes none');
    case 'becameActive':
      say(state, 'active', `Leads in term ${termText(effect.charter.term)}: ${effect.charter.reason}.`);
      break;
    case 'committed':
      break; // settled at the end of the step
    default:
      state.out.push(effect);
  }
}

function answered(state: NodeState, { id, ok, words, end }: Extract<MemberEffect, { effect: 'answered' }>): void {
  if (id === GRANT) {
    endGranting(state.leases, ok);
    if (ok) workers.granted(state);
  } else if (id > 0) state.out.push({ effect: 'granted', id, ok, words, ...(end && { end }) });
  else state.out.push({ effect: 'allowRead', id: -id, allowed: ok });
}

const say = (state: NodeState, code: string, words: string): void =>
  void state.out.push({ effect: 'note', code, words });

const isAlone = ({ self, member }: NodeState): boolean => {
  const { accepted } = member.register;
  return [...votersOf(accepted).map((voter) => voter.node), ...writersOf(accepted)].every((node) => node === self.node);
};

/** The journal can't be written: answers honestly, forgets what is not on disk, wakes anew (P10). */
function saveFailed(state: NodeState, { mono }: Clock): void {
  state.diskFull = true;
  // Before the member says that all begins anew, which answers everybody else.
  // Where others may hold the entries they may still be committed: only a lone node knows that nothing was done.
  if (isAlone(state)) answerHeld(state, refuse('disk_full', `The disk of ${state.self.name} is full.`));
  else answerHeld(state);
  answerWaiting(state);
  state.held = [];
  state.proposed = [];
  toMember(state, { event: 'saveFailed', now: mono });
}
