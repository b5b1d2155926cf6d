/**
 * What the active sends to each other member, and where each of them stands.
 *
 * A follower gets entries from where it is known to be equal; what it lacks
 * from longer ago is read from disk, or comes as a snapshot. The watch gets a
 * position only, and never one that the active has not on its own disk.
 *
 * Promise: sending never waits for the own sync (P12) and never changes what
 * counts as committed; only answers do.
 * Rules: P12, P13, P15, P17.
 */
import type { Charter, StoredEntry } from '../../contract/facts.ts';
import { at, endOf, type Position, positionOf, samePosition, slice } from '../journal/tail.ts';
import { votersOf, writersOf } from './charter.ts';
import type { Member, Peer, Phase } from './member-state.ts';
import type { Body } from './messages.ts';
import { note, postNow } from './outbox.ts';

export type Leading = Extract<Phase, { phase: 'leading' }>;

/** Everybody the active speaks to: voters, write set, and controllers that join or come back. */
export function addPeers(m: Member, charter: Charter, peers: Map<string, Peer>): void {
  const controllers = m.roster.controllers.map((one) => one.node);
  for (const node of [...votersOf(charter).map((voter) => voter.node), ...writersOf(charter), ...controllers]) {
    if (node === m.self.node || peers.has(node)) continue;
    const journal = controllers.includes(node) || writersOf(charter).includes(node);
    peers.set(
      node,
      freshPeer(m, m.stores.get(node) ?? '', journal ? true : m.roster.watch?.node === node ? false : null),
    );
  }
}

const freshPeer = (m: Member, store: string, keepsJournal: boolean | null): Peer => ({
  store,
  keepsJournal,
  next: endOf(m.journal).index + 1,
  match: 0,
  confirmed: 0,
  round: 0,
  heardAt: m.now,
  sentAt: Number.NEGATIVE_INFINITY,
  progressAt: m.now,
  reading: false,
  offered: Number.NEGATIVE_INFINITY,
});

/** The peer that answered; another store of the same name begins from nothing (P33). */
export function answeringPeer(m: Member, leading: Leading, node: string, store: string, journal: boolean): Peer | null {
  let peer = leading.peers.get(node);
  if (!peer) return null;
  if (peer.store !== store || peer.keepsJournal !== journal) {
    peer = freshPeer(m, store, journal);
    leading.peers.set(node, peer);
  }
  peer.heardAt = m.now;
  return peer;
}

export function sendTo(m: Member, leading: Leading, node: string, peer: Peer): void {
  peer.sentAt = m.now;
  const { charter, round } = leading;
  if (peer.keepsJournal !== true) {
    return postNow(m, node, { kind: 'confirm', charter, index: m.synced, round }); // only what is synced (P13)
  }
  if (peer.match < peer.next - 1 && m.now - peer.progressAt > m.timing.roundMs) {
    peer.progressAt = m.now; // what was sent was lost, or its answer: begin again from what is known
    if (peer.match > 0) peer.next = peer.match + 1;
  }
  const previous = at(m.journal, peer.next - 1);
  if (previous === null) return sendOlder(m, leading, node, peer);
  const behind = endOf(m.journal).index - peer.next;
  if (behind > m.timing.snapshotAfterEntries && (m.snapshot?.index ?? 0) > peer.next)
    return offer(m, leading, node, peer);
  const entries = slice(m.journal, peer.next, m.timing.batchEntriesMax);
  sendEntries(m, leading, node, peer, positionOf(previous), entries);
}

function sendEntries(
  m: Member,
  leading: Leading,
  to: string,
  peer: Peer,
  previous: Position,
  entries: StoredEntry[],
): void {
  const { charter, round } = leading;
  if (entries.length > 0 && peer.match >= peer.next - 1) peer.progressAt = m.now;
  peer.next = previous.index + entries.length + 1;
  postNow(m, to, { kind: 'append', charter, previous, entries, committed: m.committed, round });
}

/** P17: what is not in memory comes from disk, or as a snapshot when disk has it no more. */
function sendOlder(m: Member, leading: Leading, node: string, peer: Peer): void {
  const { charter, round } = leading;
  if (peer.next <= m.dropped) return offer(m, leading, node, peer);
  const previous = positionOf(endOf(m.journal)); // a heartbeat meanwhile: the follower answers with its marks
  postNow(m, node, { kind: 'append', charter, previous, entries: [], committed: 0, round });
  if (peer.reading) return;
  peer.reading = true;
  m.out.push({ effect: 'readEntries', to: node, from: peer.next, count: m.timing.batchEntriesMax });
}

function offer(m: Member, leading: Leading, node: string, peer: Peer): void {
  if (m.snapshot === null) return void note(m, 'noSnapshot', `${node} needs a snapshot, and there is none yet.`);
  postNow(m, node, { kind: 'snapshotOffered', charter: leading.charter, at: m.snapshot, round: leading.round });
  if (m.now - peer.offered < 4 * m.timing.roundMs) return;
  peer.offered = m.now;
  note(m, 'snapshot', `${node} is far behind and gets a snapshot at entry ${m.snapshot.index}.`);
}

export function onEntriesRead(m: Member, to: string, previous: Position, entries: StoredEntry[]): void {
  if (m.phase.phase !== 'leading') return;
  const peer = m.phase.peers.get(to);
  if (!peer?.reading) return;
  peer.reading = false;
  if (peer.next !== previous.index + 1) return;
  if (entries.length === 0) peer.next = endOf(m.journal).index + 1;
  else sendEntries(m, m.phase, to, peer, previous, entries);
}

/** P15: finds the newest position at which both journals are equal. */
export function onMismatch(
  m: Member,
  leading: Leading,
  node: string,
  peer: Peer,
  body: Extract<Body, { kind: 'mismatch' }>,
): void {
  if (peer.reading) return;
  const equal = body.marks.find((mark) => {
    const own = at(m.journal, mark.index);
    return own !== null && samePosition(own, mark);
  });
  const oldest = body.marks.at(-1)?.index ?? Number.POSITIVE_INFINITY;
  if (equal) peer.next = equal.index + 1;
  else if (m.snapshot && m.snapshot.index > 0 && (oldest > m.journal.base.index || body.marks.length === 0)) {
    return offer(m, leading, node, peer); // nothing in memory is equal: a copy is safe, and kept beside what it replaces
  } else peer.next = Math.max(m.dropped + 1, Math.min(oldest + 1, m.journal.base.index));
  peer.progressAt = m.now;
  sendTo(m, leading, node, peer);
}
