/**
 * What the active sends to each other member, and where each of them stands.
 *
 * A follower gets entries from where it is known to be equal; what it lacks
 * from longer ago is read from disk, or comes as a snapshot. The watch gets a
 * position only, and never one that the active has not on its own disk.
 *
 * Promise: sending never waits for the own sync (P12) and never changes what
 * counts as committed; only answers do.
 * Rules: P12, P13, P15, P17, P32, L6.
 */
import type { Charter, StoredEntry } from '../../contract/facts.ts';
import { at, endOf, examine, type Position, positionOf, samePosition, slice } from '../journal/tail.ts';
import { votersOf, voterText, writersOf } from './charter.ts';
import type { Member, Peer, Phase } from './member-state.ts';
import type { Body } from './messages.ts';
import { note, postNow } from './outbox.ts';

export type Leading = Extract<Phase, { phase: 'leading' }>;

/** Everybody the active speaks to: voters, write set, controllers that join or come back, watches that may be seated. */
export function addPeers(m: Member, charter: Charter, peers: Map<string, Peer>): void {
  const controllers = m.roster.controllers.map((one) => one.node);
  const watches = [m.roster.watch, ...m.roster.spares].flatMap((one) => (one ? [one.node] : []));
  for (const node of [...votersOf(charter).map((one) => one.node), ...writersOf(charter), ...controllers, ...watches]) {
    if (node === m.self.node || peers.has(node)) continue;
    const journal = controllers.includes(node) || writersOf(charter).includes(node);
    peers.set(
      node,
      freshPeer(m, node, m.stores.get(node) ?? '', journal ? true : watches.includes(node) ? false : null),
    );
  }
}

const freshPeer = (m: Member, node: string, store: string, keepsJournal: boolean | null): Peer => ({
  store,
  keepsJournal,
  next: endOf(m.journal).index + 1,
  match: 0,
  confirmed: 0,
  round: 0,
  heardAt: m.heard.get(node) ?? Number.NEGATIVE_INFINITY,
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
    peer = freshPeer(m, node, store, journal);
    leading.peers.set(node, peer);
  }
  peer.heardAt = m.now;
  return peer;
}

/** Nothing leaves while a save hangs, whatever asks for it: who is heard is not replaced (L6). */
export function sendTo(m: Member, leading: Leading, node: string, peer: Peer): void {
  if (m.disk.stalled) return;
  peer.sentAt = m.now;
  const { charter, round } = leading;
  if (peer.keepsJournal !== true) {
    return postNow(m, node, { kind: 'confirm', charter, index: m.synced, round }); // only what is synced (P13)
  }
  if (peer.match < peer.next - 1 && m.now - peer.progressAt > m.timing.roundMs) {
    peer.progressAt = m.now; // what was sent was lost, or its answer: begin again from what is known
    if (peer.match > 0) peer.next = peer.match + 1;
  }
  peer.next = Math.min(peer.next, endOf(m.journal).index + 1);
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
  postNow(m, node, { kind: 'confirm', charter, index: m.synced, round }); // a heartbeat meanwhile
  if (peer.reading) return;
  peer.reading = true;
  m.out.push({ effect: 'readEntries', to: node, from: peer.next, count: m.timing.batchEntriesMax });
}

function offer(m: Member, leading: Leading, node: string, peer: Peer): void {
  const lately = m.now - peer.offered < 4 * m.timing.roundMs;
  if (!lately) peer.offered = m.now;
  // One of before what is known to be equal would lead it back there (P32).
  if (m.snapshot === null || m.snapshot.index < Math.max(m.dropped, peer.match)) {
    if (!lately) m.out.push({ effect: 'wantSnapshot' });
    return;
  }
  postNow(m, node, { kind: 'snapshotOffered', charter: leading.charter, at: m.snapshot, round: leading.round });
  if (lately) return;
  note(m, 'snapshot', `${node} is far behind and gets a snapshot at entry ${m.snapshot.index}.`);
}

export function onEntriesRead(m: Member, to: string, previous: Position, entries: StoredEntry[]): void {
  if (m.phase.phase !== 'leading') return;
  const peer = m.phase.peers.get(to);
  if (!peer?.reading) return;
  peer.reading = false;
  if (entries.length === 0 || peer.next !== previous.index + 1) return; // disk dropped them meanwhile
  const last = entries.at(-1)!.index;
  if (examine(previous, entries, last, m.craft.chainOf).verdict !== 'whole') {
    // Nobody can be helped from here with entries; the state in memory is whole, so a snapshot can (P17).
    m.dropped = Math.max(m.dropped, last);
    note(m, 'damaged', `Entries of its journal between ${previous.index} and ${last + 1} can't be read any more.`);
    return offer(m, m.phase, to, peer);
  }
  sendEntries(m, m.phase, to, peer, previous, entries);
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
  const text = voterText({ node, store: peer.store });
  if (leading.charter.writeSet.includes(text)) {
    peer.next = (body.marks[0]?.index ?? 0) + 1; // it was equal when it joined the write set (P6): it only lacks what came later
    return sendTo(m, leading, node, peer);
  }
  const oldest = body.marks.at(-1)?.index ?? -1;
  const known = Math.max(equal?.index ?? 0, peer.match);
  const parted = !equal && oldest > known && oldest >= m.journal.base.index; // farther back than it can cut
  const tried = peer.next - 1 === oldest;
  if (parted) return offer(m, leading, node, peer);
  if (equal || known > 0) peer.next = known + 1;
  // Nothing is known to be equal: a copy is safe, kept beside what it replaces.
  else if (oldest < m.dropped || tried) return offer(m, leading, node, peer);
  else peer.next = Math.max(oldest, 0) + 1; // the follower will see whether it is equal there
  peer.progressAt = m.now;
  sendTo(m, leading, node, peer);
}
