/**
 * Which charter the active should ask for next: seats, pairing, going solo.
 *
 * Level-triggered: it compares the charter with what the roster wants and
 * takes one step towards it, so a change that an active left half done is
 * finished by the next. Never by silence of voters: a step is only tried when
 * quorums of old and new are heard.
 *
 * Rules: P8, P17, P18, P21, P22, P23, P24, P25.
 */
import type { Charter, Voter } from '../../contract/facts.ts';
import { endOf } from '../journal/tail.ts';
import { sameSet } from './ask.ts';
import { isPaired, isQuorum, lastSet, voterText, writersOf } from './charter.ts';
import { isUnready, otherController, selfText } from './knowledge.ts';
import type { Member, Purpose } from './member-state.ts';
import type { Leading } from './replication.ts';
import { sameVoter } from './voter.ts';

export type Change = Purpose & { drain: boolean };

export const standbyOf = (m: Member, charter: Charter): string | null =>
  writersOf(charter).find((node) => node !== m.self.node) ?? null;

export const isHeard = (m: Member, leading: Leading, node: string, ms = m.timing.suspectMs): boolean => {
  const peer = leading.peers.get(node);
  return peer !== undefined && m.now - peer.heardAt < ms && !m.leaving.has(node);
};

/** The next step towards the wanted seats, or null when all is as it should be or can't be now. */
export function nextChange(m: Member, leading: Leading): Change | null {
  const { charter } = leading;
  const standby = standbyOf(m, charter);
  if (standby && m.leaving.has(standby)) return { why: `${standby} is leaving`, solo: true, drain: false }; // S28
  const other = otherController(m);
  const replaced =
    standby && m.roster.controllers.length > 0 && !charter.writeSet.includes(other ? voterText(other) : '');
  if (replaced) return { why: `${standby} is replaced`, solo: true, drain: false }; // P25
  if (charter.voters.length > 1)
    return reachable(m, leading, lastSet(charter)) ? { why: 'finishes a change of seats', drain: true } : null;
  const wanted = wantedVoters(m, leading);
  if (wanted && !sameSet(wanted, lastSet(charter)) && reachable(m, leading, wanted)) {
    return { why: `seats ${wanted.map((voter) => voter.node).join(', ')}`, voters: wanted, drain: true };
  }
  return !isPaired(charter) && other && mayPair(m, leading, other)
    ? { why: `pairs with ${other.node}`, drain: true }
    : null;
}

/** P21: a change is tried only when quorums of what votes now and of what will vote are heard. */
function reachable(m: Member, leading: Leading, wanted: Voter[]): boolean {
  const heard = new Set([selfText(m)]);
  for (const [node, peer] of leading.peers) {
    if (m.now - peer.heardAt < m.timing.suspectMs) heard.add(voterText({ node, store: peer.store })); // who leaves still signs (P24)
  }
  const seatedNow = isQuorum(leading.charter, heard);
  return seatedNow && isQuorum({ ...leading.charter, voters: [wanted] }, heard);
}

/** P17: caught up outside the write set, and a voter or beside a single voter (P22). */
function mayPair(m: Member, leading: Leading, other: Voter): boolean {
  const peer = leading.peers.get(other.node);
  if (!peer || peer.store !== other.store || !isHeard(m, leading, other.node) || isUnready(m, other.node)) return false;
  const seats = lastSet(leading.charter);
  if (seats.length > 1 && !seats.some((voter) => sameVoter(voter, other))) return false;
  return peer.match > 0 && endOf(m.journal).index - peer.match <= m.timing.caughtUpEntries;
}

/** P22 to P25: three voters, or one; never two. Null: leave it as it is. */
function wantedVoters(m: Member, leading: Leading): Voter[] | null {
  if (m.roster.controllers.length === 0) return null;
  const seats = lastSet(leading.charter);
  const other = otherController(m);
  if (!other) return [m.self];
  const watch = wantedWatch(m, leading, seats, other);
  if (!watch) return [m.self];
  const grows = isPaired(leading.charter) && writersOf(leading.charter).includes(other.node);
  return seats.length === 3 || grows ? [m.self, other, watch] : null;
}

function wantedWatch(m: Member, leading: Leading, seats: Voter[], other: Voter): Voter | null {
  const { watch, spares } = m.roster;
  const controllers = [m.self.node, other.node, ...m.roster.controllers.map((one) => one.node)];
  const seated =
    seats.find((voter) => !controllers.includes(voter.node) && sameVoterOrSpare(voter, watch, spares)) ?? null;
  const keep = seated ?? watch;
  if (!keep) return null;
  const silent = seated !== null && !isHeard(m, leading, keep.node, m.timing.seatAfterMs);
  const away = m.leaving.has(keep.node) || silent;
  if (!away) return keep;
  const spare = [watch, ...spares].find((one) => one && one.node !== keep.node && isHeard(m, leading, one.node)); // P23
  if (spare) return spare;
  if (!seated) return null;
  return m.leaving.has(keep.node) && !isPaired(leading.charter) ? null : keep; // P24: solo and leaving: alone
}

/** A seated watch that is still one of the cluster's: a replaced store or a removed node gives up its seat. */
const sameVoterOrSpare = (voter: Voter, watch: Voter | null, spares: Voter[]): boolean =>
  [watch, ...spares].some((one) => one !== null && sameVoter(one, voter));
