/**
 * One member of the cluster, controller or watch: an event comes in, effects
 * come out.
 *
 * The state is owned by the caller and changed in place; time and chance are
 * in the events. This file wakes a member from its disk and hands each event
 * to the topic it belongs to; it decides nothing itself.
 *
 *   ask.ts        how the charter changes          P2 P4 P5 P6 P8 P20
 *   voter.ts      what a voter answers             P1 P3 P7 P11
 *   leading.ts    the active at work               P9 P12 P13 P36
 *   replication.ts  what it sends to whom          P12 P17
 *   following.ts  the standby and the watch        P13 P15 P16 P17
 *   suspicion.ts  what silence makes one try       P18 P19
 *   seats.ts      which seats are wanted           P21 to P25
 *   handover.ts   giving the lead away             P26 P27
 *   loss.ts       a confirmed loss                 P28 to P32
 *   memory.ts     no memory, no vote               P33 P34
 *   version.ts    who can read whom                section 13
 *   outbox.ts     save, then send                  P1
 */
import type { Lineage, Term } from '../../contract/facts.ts';
import { endOf, type Position, positionOf, type Tail } from '../journal/tail.ts';
import { ask, carryOn, onAccepted, onPromised, onRefusedAttempt } from './ask.ts';
import { noCharter, voterText } from './charter.ts';
import { onAppend, onConfirm, onSnapshotFetched, onSnapshotOffered } from './following.ts';
import { onActivate, onCannotWrite, onLeave, onLeaving, onPark, onSwitchOver, onTakeOver } from './handover.ts';
import { giveUp, learnCharter, learnTerm, stopActing } from './knowledge.ts';
import { onConfirmRead, onOwnSync, onProposed, onReply, sayCannotWrite } from './leading.ts';
import { objectionToClaim } from './loss.ts';
import type { Craft, Effect, Event, Member, Roster, Wish } from './member-state.ts';
import { isReadable } from './memory.ts';
import { type Mark, type Message, PROTOCOL_VERSION } from './messages.ts';
import { answer, note, saveRegister, savesDone } from './outbox.ts';
import type { Register } from './register.ts';
import { onEntriesRead } from './replication.ts';
import { drain, onTicked, soundingAnswered } from './suspicion.ts';
import { compareTerms } from './terms.ts';
import type { Timing } from './timing.ts';
import { halt, isHalted, learnVersion, onVersionEnabled, stepHalted, versionOf } from './version.ts';
import { onAsk, onPropose } from './voter.ts';

/** What a member finds on its disk when it wakes. `dropped`: the last index that can't be read any more. */
export type Waking = {
  register: Register;
  keepsJournal: boolean;
  journal: Tail;
  snapshot: Position | null;
  dropped: number;
  /** Noted as committed a while ago; absent: only the snapshot says so. */
  committed?: number;
  mark: Mark | null;
  roster: Roster;
  timing: Timing;
  craft: Craft;
  incarnation: string;
  now: number;
  /** Newest version of the protocol this release reads; absent: what this source says. */
  speaks?: number;
  /** Enabled by an entry known to be committed: of the state that was read from disk (section 13). */
  enabled?: number;
  /** This process has just founded the cluster: no copy of the folder can be older, so it need not listen (P34). */
  founded?: boolean;
};

/** A member as it is after a start. It acts in nothing, and waits as if it had just heard the active (P10, section 6). */
export function wakeMember(waking: Waking): Member {
  const { register, now } = waking;
  const end = endOf(waking.journal);
  const m: Member = {
    ...waking,
    self: { node: register.node, store: register.store },
    registerSaved: register.saves,
    synced: end.index,
    // P32: after a confirmed loss what was committed may be given up.
    committed:
      register.accepted.lastClaim === undefined
        ? Math.max(waking.snapshot?.index ?? 0, Math.min(waking.committed ?? 0, end.index))
        : 0,
    mark: waking.mark && { ...waking.mark, exact: false },
    markSavedAt: now,
    disk: { given: 0, done: 0, givenAt: [], ends: [], stalled: false },
    registerSaves: [],
    held: [],
    out: [],
    wall: 0,
    random: 0,
    lastTick: null,
    heard: new Map(),
    stores: new Map(),
    heardActiveAt: now,
    followed: null,
    decided: end.index > 0 ? end.term : noCharter.term, // entries of a term are written after its charter was decided
    rumour: register.accepted,
    highest: register.promised,
    retryAt: 0,
    mayUnpark: true,
    conflict: null,
    claimsUsed: new Set(),
    leaving: new Map(),
    phase: { phase: 'quiet' },
    speaks: waking.speaks ?? PROTOCOL_VERSION,
    enabled: Math.max(waking.enabled ?? 1, register.version ?? 1, versionOf(register.accepted)),
    spoken: new Map(),
    unread: new Map(),
    needs: null,
    listensUntil: waking.founded ? now : now + waking.timing.suspectMs,
    announcedAt: Number.NEGATIVE_INFINITY,
    retired: false,
    noted: '',
  };
  if (isHalted(m)) halt(m);
  return m;
}

export function memberStep(m: Member, event: Event): Effect[] {
  if (m.retired) return [];
  m.now = event.now;
  if (isHalted(m)) stepHalted(m, event);
  if (isHalted(m) && event.event !== 'saved' && event.event !== 'saveFailed' && event.event !== 'versionEnabled')
    return m.out.splice(0);
  switch (event.event) {
    case 'ticked':
      m.wall = event.wall;
      m.random = event.random;
      onTicked(m);
      break;
    case 'received':
      if (!isReadable(m, event.from, event.message)) return m.out.splice(0); // nothing comes of it
      received(m, event.from, event.message);
      learnVersion(m, event.from, event.message);
      soundingAnswered(m);
      break;
    case 'saved':
      savesDone(m, event.save);
      carryOn(m);
      onOwnSync(m);
      break;
    case 'saveFailed':
      saveFailed(m);
      break;
    case 'entriesRead':
      onEntriesRead(m, event.to, event.previous, event.entries);
      break;
    case 'snapshotKept':
      m.snapshot = event.at;
      m.dropped = Math.max(m.dropped, event.dropped);
      break;
    case 'snapshotFetched':
      onSnapshotFetched(m, event.at);
      break;
    case 'rosterKnown':
      m.roster = event.roster;
      break;
    case 'wished':
      wished(m, event.id, event.wish);
      break;
    case 'proposed':
      onProposed(m, event.texts);
      break;
    case 'fenced':
      onFenced(m, event.term, event.lineage);
      break;
    case 'versionEnabled':
      onVersionEnabled(m, event.version);
      break;
  }
  if (m.phase.phase === 'leading' && m.phase.draining && event.event !== 'ticked') drain(m, m.phase);
  return m.out.splice(0);
}

function received(m: Member, from: string, message: Message): void {
  const { body, store, keepsJournal } = message;
  m.heard.set(from, m.now);
  const voter = { node: from, store };
  switch (body.kind) {
    case 'ask':
      return onAsk(m, from, body);
    case 'promised':
      return onPromised(m, voter, body);
    case 'propose':
      return onPropose(m, from, body.charter);
    case 'accepted':
      return onAccepted(m, voter, body);
    case 'refused':
      return onRefused(m, from, body);
    case 'append':
      return onAppend(m, from, body);
    case 'confirm':
      return onConfirm(m, from, body);
    case 'snapshotOffered':
      return onSnapshotOffered(m, from, body);
    case 'appended':
    case 'mismatch':
    case 'confirmed':
      return onReply(m, voter, keepsJournal, body);
    case 'reminded':
      return; // read by `memory.ts`
    case 'takeOver':
      return onTakeOver(m, from, body.term);
    case 'cannotWrite':
      return onCannotWrite(m, from);
    case 'leaving':
      return onLeaving(m, from);
  }
}

/** P11: a refusal tells of newer terms; whoever acts in an older one stops at once. */
function onRefused(m: Member, from: string, body: Extract<Message['body'], { kind: 'refused' }>): void {
  learnTerm(m, body.promised);
  learnCharter(m, body.accepted);
  onRefusedAttempt(m, body);
  const phase = m.phase;
  if (phase.phase !== 'leading' || compareTerms(body.promised, phase.charter.term) <= 0) return;
  if (!phase.peers.has(from)) return; // of no voter: it can't hinder
  giveUp(m, `${from} has promised a newer term`, m.timing.roundMs);
  m.heardActiveAt = m.now - m.timing.suspectMs; // nobody may be leading now: try soon, if nobody else does
}

/**
 * P32, P35: a replaced active learns it from a worker that obeys a newer term
 * (S40). But if that term is of an older lineage, which only heard of this
 * era, the worker has to be given a term that it can obey.
 */
function onFenced(m: Member, term: Term, lineage: Lineage | null): void {
  learnTerm(m, term);
  if (m.phase.phase !== 'leading' || !m.phase.acting) return;
  const { charter } = m.phase;
  const isOlder = (lineage?.era ?? 0) < (charter.lineage?.era ?? 0);
  if (isOlder && compareTerms(term, charter.term) > 0) ask(m, { why: 'a worker obeys a term of an older era' });
}

/** L6: what could not be saved is not so; the node says that it can't write and begins again from its disk (P10). */
function saveFailed(m: Member): void {
  sayCannotWrite(m);
  stopActing(m, 'its disk can not be written');
  note(m, 'diskFull', 'The disk can not be written: this node does not lead, and answers nothing, until it can.');
  m.held = [];
  m.retired = true;
  m.out.push({ effect: 'reload' });
}

function wished(m: Member, id: number, wish: Wish): void {
  switch (wish.wish) {
    case 'switchOver':
      return onSwitchOver(m, id);
    case 'park':
      return onPark(m, id, wish.by, wish.why);
    case 'activate':
      return onActivate(m, id, wish.by);
    case 'leave':
      return onLeave(m, id, wish);
    case 'confirmRead':
      return onConfirmRead(m, id);
    case 'claim': {
      const objection = objectionToClaim(m, wish.claim); // P28
      if (!objection) {
        m.claimsUsed.add(wish.claim.id); // I14: once, whatever becomes of it
        if (wish.claim.chosen) m.conflict = null;
        ask(m, { why: `loss confirmed by ${wish.claim.by}`, claim: wish.claim });
      }
      return void answer(m, id, objection === null, objection ?? 'asks the voters that are left');
    }
    case 'parkingCode': {
      if (compareTerms(wish.term, m.register.promised) <= 0)
        return void answer(m, id, false, 'has promised a newer term');
      giveUp(m, 'a person parks this node for good');
      saveRegister(m, { promised: wish.term });
      const end = positionOf(endOf(m.journal));
      m.out.push({ effect: 'answered', id, ok: true, words: voterText(m.self), end });
    }
  }
}
