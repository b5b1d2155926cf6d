/**
 * The active at work: activation, new entries, what is committed, reads.
 *
 * Committed means: on the disk of the whole write set, and a quorum has said
 * in this term, at or after it, that it promised nothing newer. A leader that
 * was replaced can't get that, however late it wakes up.
 *
 * Leaves out when to ask for another charter (`seats.ts`, `suspicion.ts`).
 * Promise: nothing is reported committed before both signatures are there,
 * and nothing before this term's own activation is (P9, P13).
 * Rules: P9, P12, P13, P14, P18, P36.
 */
import type { Charter, Loss, StoredEntry, Voter } from '../../contract/facts.ts';
import { committedUpTo } from '../journal/commit.ts';
import { endOf } from '../journal/tail.ts';
import { holds, isQuorum, votersOf, voterText } from './charter.ts';
import { selfText } from './knowledge.ts';
import type { Member } from './member-state.ts';
import type { Body } from './messages.ts';
import { answer, append, note, postNow } from './outbox.ts';
import { addPeers, answeringPeer, type Leading, onMismatch, sendTo } from './replication.ts';
import { sameTerm } from './terms.ts';

/** P9: the journal, as it is, becomes the journal of the term; its first entry is the activation. */
export function activate(m: Member, charter: Charter, loss: Loss | null): void {
  m.followed = null;
  m.phase = {
    phase: 'leading',
    charter,
    since: m.now,
    activation: endOf(m.journal).index + 1,
    acting: false,
    peers: new Map(),
    round: 1,
    confirmedAt: m.now,
    draining: null,
    changeTriedAt: m.now,
    reads: [],
  };
  m.out.push({ effect: 'becameActive', charter, loss });
  addPeers(m, charter, m.phase.peers);
  write(m, m.phase, [m.craft.activationText(charter, loss)]);
}

/** May new entries be proposed now? Else requests wait at their node. What is not committed stays within the tail. */
export const isTaking = (m: Member): boolean =>
  m.phase.phase === 'leading' &&
  m.phase.acting &&
  m.phase.draining === null &&
  !m.disk.stalled &&
  endOf(m.journal).index - m.committed < m.timing.tailEntriesMax;

/** P12: entries of the own term; they leave for the standby before the own sync. */
export function onProposed(m: Member, texts: string[]): void {
  if (m.phase.phase !== 'leading' || !isTaking(m)) return void m.out.push({ effect: 'notTaken', texts });
  write(m, m.phase, texts);
}

function write(m: Member, leading: Leading, texts: string[]): void {
  let { index, chain } = endOf(m.journal);
  const term = leading.charter.term;
  const entries: StoredEntry[] = texts.map((text) => {
    index += 1;
    chain = m.craft.chainOf(chain, term, index, text);
    return { term, index, text, chain };
  });
  append(m, entries);
  for (const [node, peer] of leading.peers) if (peer.keepsJournal) sendTo(m, leading, node, peer);
}

/** Something was synced here: solo, the watch's word is asked for at once (P13). */
export function onOwnSync(m: Member): void {
  if (m.phase.phase !== 'leading') return;
  advance(m, m.phase);
  if (m.phase.phase !== 'leading' || m.committed >= m.synced) return;
  const leading = m.phase;
  if (leading.charter.writeSet.length > 1) return; // the standby's answer is the confirmation too
  for (const [node, peer] of leading.peers)
    if (!peer.keepsJournal && peer.confirmed < m.synced) sendTo(m, leading, node, peer);
}

export function onReply(m: Member, voter: Voter, keepsJournal: boolean, body: Body): void {
  const leading = m.phase;
  if (leading.phase !== 'leading' || !('term' in body) || !sameTerm(body.term, leading.charter.term)) return;
  if (body.kind === 'confirmed' && body.round === 0) return; // nobody asked: it may hear nothing of what is sent to it (P18)
  const peer = answeringPeer(m, leading, voter.node, voter.store, keepsJournal);
  if (!peer) return;
  if ('round' in body) peer.round = Math.max(peer.round, body.round);
  if (body.kind === 'mismatch') onMismatch(m, leading, voter.node, peer, body);
  if (body.kind === 'confirmed') peer.confirmed = Math.max(peer.confirmed, body.index);
  if (body.kind === 'appended') {
    if (body.index > peer.match) peer.progressAt = m.now;
    peer.match = Math.max(peer.match, body.index);
    peer.confirmed = Math.max(peer.confirmed, body.index);
    if (peer.next <= peer.match) peer.next = peer.match + 1;
  }
  advance(m, leading);
  answerReads(m, leading);
  if (m.phase !== leading || body.kind !== 'appended') return;
  if (peer.next <= endOf(m.journal).index && peer.next - peer.match < m.timing.batchEntriesMax * 2) {
    sendTo(m, leading, voter.node, peer);
  }
}

/** P13: both signatures. An older term's entries are committed with the activation entry. */
function advance(m: Member, leading: Leading): void {
  const { charter, peers } = leading;
  const own = selfText(m);
  const synced = new Map([[own, m.synced]]);
  const confirmed = new Map([[own, m.synced]]);
  if (holds(charter, m.self)) synced.set(m.self.node, m.synced); // the founding charter names bare nodes
  for (const [node, peer] of peers) {
    const text = voterText({ node, store: peer.store });
    synced.set(text, peer.match);
    confirmed.set(text, peer.confirmed);
  }
  const index = committedUpTo(charter, { synced, confirmed });
  if (index < leading.activation || index <= m.committed) return;
  m.committed = index;
  m.out.push({ effect: 'committed', index });
  if (leading.acting) return;
  leading.acting = true;
  m.out.push({ effect: 'beganActing', charter });
}

function answering(
  m: Member,
  leading: Leading,
  does: (peer: Leading['peers'] extends Map<string, infer P> ? P : never) => boolean,
): Set<string> {
  const got = new Set([selfText(m)]);
  for (const [node, peer] of leading.peers) if (does(peer)) got.add(voterText({ node, store: peer.store }));
  return got;
}

/** Does a quorum answer this active? Then nobody replaces it (L2). */
export const quorumHears = (m: Member, leading: Leading): boolean =>
  isQuorum(
    leading.charter,
    answering(m, leading, (peer) => peer.round > 0 && m.now - peer.heardAt < m.timing.suspectMs),
  );

/** P36: a fresh read waits for a quorum that confirms the term after it was asked for; all waiting ones share it. */
export function onConfirmRead(m: Member, id: number): void {
  const leading = m.phase;
  if (leading.phase !== 'leading' || !leading.acting) return void answer(m, id, false, 'is not active');
  leading.round += 1;
  leading.reads.push({ id, round: leading.round });
  for (const [node, peer] of leading.peers) sendTo(m, leading, node, peer);
  answerReads(m, leading);
}

function answerReads(m: Member, leading: Leading): void {
  while (leading.reads.length > 0) {
    const { id, round } = leading.reads[0]!;
    if (
      !isQuorum(
        leading.charter,
        answering(m, leading, (peer) => peer.round >= round),
      )
    )
      return;
    leading.reads.shift();
    answer(m, id, true, 'confirmed');
  }
}

/** Heartbeats, carried by appends when busy; a node that can't write sends none (L6). */
export function heartbeat(m: Member): void {
  if (m.phase.phase !== 'leading' || m.disk.stalled) return;
  const leading = m.phase;
  addPeers(m, leading.charter, leading.peers);
  for (const [node, peer] of leading.peers) {
    if (m.now - peer.sentAt >= m.timing.heartbeatMs) sendTo(m, leading, node, peer);
  }
  if (quorumHears(m, leading)) leading.confirmedAt = m.now;
  else if (m.now - leading.confirmedAt >= m.timing.suspectMs) {
    const silent = votersOf(leading.charter).filter(({ node, store }) => {
      const peer = leading.peers.get(node);
      return peer && (peer.store !== store || m.now - peer.heardAt >= m.timing.suspectMs);
    });
    note(m, 'unconfirmed', `Nothing is confirmed: waits for ${silent.map((voter) => voter.node).join(' or ')}.`);
  }
}

/** Says that it can't write, so that nobody waits for its silence (L6). */
export function sayCannotWrite(m: Member): void {
  const nodes = m.phase.phase === 'leading' ? [...m.phase.peers.keys()] : [m.followed?.active ?? ''];
  for (const node of nodes) if (node !== '') postNow(m, node, { kind: 'cannotWrite' });
}
