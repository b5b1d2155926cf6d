/**
 * How a controller changes the charter: it asks for a term of its own, takes
 * the newest charter from the promises, and proposes one that follows it.
 *
 * Everything a charter may become goes through here: taking over, going solo,
 * pairing, seats, parking, confirmed losses. What is wanted is in `Purpose`;
 * whether it may be is read from the promises alone.
 *
 * Promise: nothing is proposed without promises of a quorum of the charter it
 * follows, nor by a controller that may lack an acknowledged entry.
 * Rules: P2, P4, P5, P6, P7, P8, P9, P10, P20, P27, P29.
 */
import type { Charter, Voter } from '../../contract/facts.ts';
import { endOf, type Position, positionOf, samePosition } from '../journal/tail.ts';
import {
  compareLineages,
  holds,
  isQuorum,
  lastSet,
  newerOf,
  noCharter,
  votersOf,
  voterText,
  writersOf,
} from './charter.ts';
import {
  giveUp,
  heardWithin,
  isUnready,
  learnCharter,
  learnTerm,
  newestKnown,
  otherController,
  selfText,
  stopActing,
} from './knowledge.ts';
import { activate } from './leading.ts';
import { bothLosses, claimDies, lossOf, opensEra, survivors } from './loss.ts';
import type { Member, Phase, Promised, Purpose } from './member-state.ts';
import type { Body } from './messages.ts';
import { note, post, saveRegister } from './outbox.ts';
import { compareTerms, nextTerm, sameTerm } from './terms.ts';

type Asking = Extract<Phase, { phase: 'asking' }>;
type Proposing = Extract<Phase, { phase: 'proposing' }>;

/** P2, P10: stops acting, promises itself a new term, and asks all voters it knows of. */
export function ask(m: Member, purpose: Purpose): void {
  stopActing(m, purpose.why);
  const known = [m.register.promised, m.register.accepted.term, m.rumour.term, m.highest];
  const eras = known.map((term) => term.era);
  const opening = purpose.claim && opensEra(m, newestKnown(m), purpose.claim);
  const term = opening ? { era: Math.max(...eras) + 1, number: 1, node: m.self.node } : nextTerm(m.self.node, known);
  saveRegister(m, { promised: term });
  learnTerm(m, term);
  const own: Promised = { accepted: m.register.accepted, end: positionOf(endOf(m.journal)), mark: null };
  m.phase = {
    phase: 'asking',
    term,
    purpose,
    since: m.now,
    sentAt: m.now,
    save: m.disk.given,
    promises: new Map([[selfText(m), own]]),
    asked: new Set([m.self.node]),
  };
  askMore(m, m.phase, false);
}

/** Asks everybody that the charters known so far name; `again` repeats the question to those who did not answer. */
function askMore(m: Member, phase: Asking, again: boolean): void {
  const { claim } = phase.purpose;
  const newest = claim ? newestKnown(m) : newestOf(phase);
  const named = claim ? survivors(newest, claim) : [...votersOf(newest), ...votersOf(m.rumour)];
  const nodes = new Set(named.map((voter) => voter.node));
  if (!claim)
    for (const node of [...writersOf(newest), ...m.roster.controllers.map((one) => one.node)]) nodes.add(node);
  const promised = new Set([...phase.promises.keys()].map((text) => text.split('#')[0]!));
  for (const node of nodes) {
    if (node === m.self.node || promised.has(node) || (phase.asked.has(node) && !again)) continue;
    phase.asked.add(node);
    post(m, node, { kind: 'ask', term: phase.term, precheck: false, ...(claim && { claim }) });
  }
}

const newestOf = (phase: Asking): Charter =>
  [...phase.promises.values()].map((one) => one.accepted).reduce(newerOf, noCharter);

export function onPromised(m: Member, voter: Voter, body: Extract<Body, { kind: 'promised' }>): void {
  const phase = m.phase;
  const { accepted, end, mark } = body;
  if (!learnCharter(m, accepted) && compareLineages(newestKnown(m), accepted) === 'conflict') return;
  if (m.phase !== phase) return; // what was learnt ended the attempt
  if (phase.phase === 'sounding' && body.precheck) phase.yes.set(voterText(voter), { accepted, end, mark });
  if (phase.phase !== 'asking' || body.precheck || !sameTerm(phase.term, body.term)) return;
  phase.promises.set(voterText(voter), { accepted, end, mark });
  carryOn(m);
}

/** Goes as far as what is saved and what was answered allows. */
export function carryOn(m: Member): void {
  if (m.phase.phase === 'asking') carryOnAsking(m, m.phase);
  if (m.phase.phase === 'proposing') carryOnProposing(m, m.phase);
}

function carryOnAsking(m: Member, phase: Asking): void {
  if (m.disk.done < phase.save) return;
  const { purpose, promises } = phase;
  const newest = followable(m, phase);
  if (newest === null) return giveUp(m, 'another era', m.timing.suspectMs);
  const died = purpose.claim && claimDies(m, purpose.claim, newest);
  if (died) return giveUpClaim(m, died);
  askMore(m, phase, false);
  const got = new Set(promises.keys());
  if (purpose.claim) {
    if (!survivors(newest, purpose.claim).every((voter) => got.has(voterText(voter)))) return; // P29
  } else {
    if (!isQuorum(newest, got)) return;
    const obstacle = obstacleTo(m, newest, purpose);
    if (obstacle) return giveUp(m, obstacle, m.timing.suspectMs);
    if (awaitsOther(m, phase, newest)) return;
  }
  propose(m, phase, newest);
}

/** P4: the newest charter of the promises; across eras, also one only heard of, if it is this node's to follow. */
function followable(m: Member, phase: Asking): Charter | null {
  const [promised, known] = [newestOf(phase), newestKnown(m)];
  if (phase.purpose.claim) return known;
  if (compareLineages(promised, known) === 'same') return promised;
  return holds(known, m.self) ? known : null;
}

function giveUpClaim(m: Member, why: string): void {
  giveUp(m, why);
  note(m, 'claimDied', `The confirmed loss is void: ${why}.`);
}

/** P5 and P27: may this controller go on from this charter? */
export function obstacleTo(m: Member, newest: Charter, purpose: Purpose): string | null {
  if (!holds(newest, m.self)) {
    note(m, 'stale', `This node may lack entries: it waits for ${writersOf(newest).join(' or ')}.`);
    return 'is not in the newest write set';
  }
  if (newest.parked && !purpose.unpark && !(newest.active === m.self.node && m.mayUnpark)) {
    note(
      m,
      'parked',
      `Parked by ${newest.parked.by}: ${newest.parked.why}. It waits for ${newest.active} or a person.`,
    );
    return 'is parked';
  }
  return null;
}

/** The other controller was heard and may still promise: pairing costs a short wait, losing it costs the pair. */
function awaitsOther(m: Member, phase: Asking, newest: Charter): boolean {
  if (phase.purpose.solo || m.now - phase.since >= m.timing.roundMs) return false;
  const other = otherOf(m, newest);
  if (other === null || [...phase.promises.keys()].some((text) => text.startsWith(`${other}#`))) return false;
  return heardWithin(m, other, m.timing.suspectMs) && !m.leaving.has(other) && !isUnready(m, other);
}

const otherOf = (m: Member, newest: Charter): string | null =>
  writersOf(newest).find((node) => node !== m.self.node) ?? otherController(m)?.node ?? null;

/** P6, P8: one charter that follows the newest, with the own journal or one that the other has exactly. */
function propose(m: Member, phase: Asking, newest: Charter): void {
  const { purpose, term } = phase;
  const claim = purpose.claim;
  const opening = claim !== undefined && opensEra(m, newest, claim);
  const voters = opening ? [[m.self]] : nextVoters(m, newest, claim ? {} : purpose);
  if (!voters.at(-1)!.some((voter) => voterText(voter) === selfText(m)))
    return giveUp(m, 'has no seat', m.timing.suspectMs);
  const partner = claim || purpose.solo ? null : equalPartner(m, phase, voters.at(-1)!);
  const lineage = opening ? { era: term.era, claim: claim.id } : newest.lineage;
  // A claim's charter may have been decided and its activation never written: then its loss is still to be listed (P30).
  const unlisted = compareTerms(endOf(m.journal).term, newest.term) < 0 ? newest.loss : undefined;
  const loss = claim ? bothLosses(lossOf(m, newest, claim, phase.promises), unlisted) : unlisted;
  const lastClaim = claim?.id ?? newest.lastClaim;
  const charter: Charter = {
    term,
    follows: newest.term,
    active: m.self.node,
    writeSet: partner ? [selfText(m), partner] : [selfText(m)],
    voters,
    ...(purpose.parked && { parked: purpose.parked }),
    ...(claim && { claim }),
    ...(loss && { loss }),
    ...(lineage && { lineage }),
    ...(lastClaim !== undefined && { lastClaim }),
    ...(m.enabled > 1 && { version: m.enabled }),
    reason: purpose.why,
    at: m.wall,
  };
  m.phase = {
    phase: 'proposing',
    charter,
    follows: newest,
    purpose,
    since: m.now,
    sentAt: m.now,
    // An era of one voter is decided by its own acceptance, so that comes last (P29).
    save: opening ? null : acceptOwn(m, charter),
    accepted: new Set(),
    loss: loss ?? null,
  };
  proposeMore(m, m.phase);
  carryOnProposing(m, m.phase);
}

function acceptOwn(m: Member, charter: Charter): number {
  saveRegister(m, { accepted: charter });
  learnCharter(m, charter);
  return m.disk.given;
}

/** P8: seats change in two steps, and the second only after a first that is known to be decided. */
function nextVoters(m: Member, newest: Charter, purpose: Pick<Purpose, 'voters'>): Voter[][] {
  if (newest.voters.length > 1) return sameTerm(m.decided, newest.term) ? [lastSet(newest)] : newest.voters;
  const wanted = purpose.voters;
  return wanted && !sameSet(wanted, lastSet(newest)) ? [lastSet(newest), wanted] : newest.voters;
}

export function sameSet(a: Voter[], b: Voter[]): boolean {
  const texts = new Set(a.map(voterText));
  return texts.size === b.length && b.every((voter) => texts.has(voterText(voter)));
}

/** P6: the other controller, if it promised this term with exactly the same journal end. */
function equalPartner(m: Member, phase: Asking, seats: Voter[]): string | null {
  const end: Position = endOf(m.journal);
  for (const [text, promise] of phase.promises) {
    if (text === selfText(m) || promise.end === null || !samePosition(end, promise.end)) continue;
    const node = text.split('#')[0]!;
    const known = m.roster.controllers.some((one) => voterText(one) === text) || m.roster.controllers.length === 0;
    const seated = seats.length === 1 || seats.some((voter) => voterText(voter) === text);
    if (known && seated && !m.leaving.has(node) && !isUnready(m, node)) return text;
  }
  return null;
}

function proposeMore(m: Member, phase: Proposing): void {
  const { charter, follows, purpose } = phase;
  const named = purpose.claim ? survivors(follows, purpose.claim) : [];
  const nodes = new Set([...votersOf(charter), ...named].map((voter) => voter.node).concat(writersOf(charter)));
  const accepted = new Set([...phase.accepted].map((text) => text.split('#')[0]!));
  for (const node of nodes) if (!accepted.has(node)) post(m, node, { kind: 'propose', charter });
}

export function onAccepted(m: Member, voter: Voter, body: Extract<Body, { kind: 'accepted' }>): void {
  if (m.phase.phase !== 'proposing' || !sameTerm(m.phase.charter.term, body.term)) return;
  m.phase.accepted.add(voterText(voter));
  carryOnProposing(m, m.phase);
}

/** P7, P9: decided by a quorum of itself, the own acceptance on disk. */
function carryOnProposing(m: Member, phase: Proposing): void {
  const { charter, purpose, accepted, follows } = phase;
  const all = purpose.claim ? survivors(follows, purpose.claim) : [];
  const agreed = all.every((voter) => voter.node === m.self.node || accepted.has(voterText(voter)));
  if (phase.save === null) {
    if (!agreed) return;
    const died = purpose.claim && claimDies(m, purpose.claim, follows, charter);
    if (died) return giveUpClaim(m, died);
    phase.save = acceptOwn(m, charter);
  }
  if (m.disk.done < phase.save) return;
  accepted.add(selfText(m));
  if (!agreed || !isQuorum(charter, accepted)) return;
  m.decided = charter.term;
  if (purpose.claim) m.claimsUsed.add(purpose.claim.id);
  m.mayUnpark = false;
  if (!charter.parked) return activate(m, charter, phase.loss);
  m.phase = { phase: 'quiet' };
  note(m, 'parked', `Parked by ${charter.parked.by}: ${charter.parked.why}. Nobody acts until it is ended.`);
}

/** A refusal with a newer promise ends the attempt; the next picks a term above it (P20). */
export function onRefusedAttempt(m: Member, body: Extract<Body, { kind: 'refused' }>): void {
  const phase = m.phase;
  if (phase.phase === 'sounding') {
    phase.no = true;
    if (!body.why.startsWith('promised')) note(m, 'refused', `No precheck: a voter ${body.why}.`);
    else learnTerm(m, body.promised);
  }
  if (phase.phase !== 'asking' && phase.phase !== 'proposing') return;
  const term = phase.phase === 'asking' ? phase.term : phase.charter.term;
  if (!sameTerm(term, body.term)) return;
  if (phase.purpose.claim) return giveUpClaim(m, body.why);
  if (compareTerms(body.promised, term) > 0) giveUp(m, 'a newer term was promised', m.random * m.timing.roundMs);
}

/** Repeats what was lost on the way; says what is missing (P18, L3). */
export function askAgain(m: Member): void {
  const phase = m.phase;
  if (phase.phase !== 'asking' && phase.phase !== 'proposing') return;
  carryOn(m);
  if (m.phase !== phase || m.now - phase.sentAt < m.timing.roundMs) return;
  phase.sentAt = m.now;
  if (phase.phase === 'asking') askMore(m, phase, true);
  else proposeMore(m, phase);
  if (m.now - phase.since > 2 * m.timing.roundMs) {
    const charter = phase.phase === 'asking' ? newestOf(phase) : phase.charter;
    const got = phase.phase === 'asking' ? new Set(phase.promises.keys()) : phase.accepted;
    const { claim } = phase.purpose;
    const wanted = claim ? survivors(newestKnown(m), claim) : votersOf(charter);
    const missing = wanted.filter((voter) => !got.has(voterText(voter)) && voter.node !== m.self.node);
    const names = [...new Set(missing.map((voter) => voter.node))].join(' or ');
    note(m, 'noQuorum', `Waits for ${names || 'its own disk'}.`);
  }
}
