/**
 * The standby takes the active's entries; the watch its positions.
 *
 * A follower cuts only what conflicts, and what is cut goes to quarantine. It
 * answers what is on its disk, and applies what the active says is committed.
 *
 * Promise: entries of a lower term than the promised one are never taken, and
 * an answer leaves after the sync of all it speaks of.
 * Rules: P1, P11, P13, P15, P16, P17, P32.
 */
import type { StoredEntry } from '../../contract/facts.ts';
import { at, endOf, marksOf, type Position, positionOf, samePosition } from '../journal/tail.ts';
import { holds } from './charter.ts';
import type { Member } from './member-state.ts';
import type { Body } from './messages.ts';
import { append, cutToQuarantine, installSnapshot, note, post } from './outbox.ts';
import { compareTerms, sameTerm } from './terms.ts';
import { adopt, mayFollow, refuse } from './voter.ts';

type Led = Extract<Body, { kind: 'append' | 'confirm' | 'snapshotOffered' }>;

/** Takes the sender for the active of its term, or refuses it. */
function isLed(m: Member, from: string, body: Led): boolean {
  const { term } = body.charter;
  const order = mayFollow(m, body.charter) ? compareTerms(m.register.promised, term) : 1;
  if (order > 0) {
    refuse(m, from, body.kind, term, 'promised a newer term');
    return false;
  }
  if (m.phase.phase === 'leading' && sameTerm(m.phase.charter.term, term))
    throw new Error('broken promise: two actives in a term (I2)');
  adopt(m, body.charter);
  return true;
}

export function onConfirm(m: Member, from: string, body: Extract<Body, { kind: 'confirm' }>): void {
  if (!isLed(m, from, body)) return;
  const { term } = body.charter;
  if (!m.keepsJournal) {
    const before = m.mark;
    const same = before !== null && sameTerm(before.term, term);
    // P30: exact from the first confirmation in a term on; after a restart only from the next term on.
    m.mark = { term, index: same ? Math.max(before.index, body.index) : body.index, exact: same ? before.exact : true };
  }
  // A controller that gets no entries confirms nothing: the answer tells the active what it is.
  post(m, from, { kind: 'confirmed', term, index: m.keepsJournal ? 0 : body.index, round: body.round });
}

export function onAppend(m: Member, from: string, body: Extract<Body, { kind: 'append' }>): void {
  if (!isLed(m, from, body)) return;
  const { charter, previous, entries, round } = body;
  const term = charter.term;
  if (!m.keepsJournal) return post(m, from, { kind: 'confirmed', term, index: 0, round });
  const own = at(m.journal, previous.index);
  const base = m.journal.base.index;
  const older = previous.index < base && previous.index + entries.length >= base;
  if (!older && (own === null || !samePosition(own, previous))) return mismatch(m, from, body);
  const matched = previous.index + entries.length;
  if (!take(m, previous, entries)) return mismatch(m, from, body);
  post(m, from, { kind: 'appended', term, index: matched, round });
  commit(m, Math.min(body.committed, matched));
}

function mismatch(m: Member, to: string, { charter, entries, round }: Extract<Body, { kind: 'append' }>): void {
  const first = entries.find((entry) => !samePlace(m, entry));
  const floor = first && partsBelowSnapshot(m, first) ? (m.snapshot?.index ?? 0) : 0;
  const marks = marksOf(m.journal).filter((mark) => mark.index >= floor);
  post(m, to, { kind: 'mismatch', term: charter.term, marks: marks.length > 0 ? marks : [endMark(m)], round });
}

const endMark = (m: Member): Position => positionOf(endOf(m.journal));

const samePlace = (m: Member, entry: StoredEntry): boolean => {
  const own = at(m.journal, entry.index);
  return own !== null && samePosition(own, entry);
};

/**
 * After a confirmed loss a journal may part from the active's below its own
 * snapshot (P32). What the snapshot holds can't be cut out of it: another
 * snapshot takes its place (P17), so no marks are shown that could be met.
 */
const partsBelowSnapshot = (m: Member, first: StoredEntry): boolean =>
  first.index <= endOf(m.journal).index && first.index <= (m.snapshot?.index ?? 0);

/** P15: skips what is equal, cuts from the first conflict on, appends the rest. False: they part below the tail. */
function take(m: Member, previous: Position, entries: StoredEntry[]): boolean {
  const { base } = m.journal;
  const known = previous.index < base.index ? base : at(m.journal, previous.index)!;
  const newer: StoredEntry[] = [];
  for (const entry of entries) {
    if (entry.index < base.index) continue;
    const own = at(m.journal, entry.index);
    if (own !== null && newer.length === 0 && samePosition(own, entry)) continue;
    if (entry.index <= base.index) return false;
    newer.push(entry);
  }
  const first = newer[0];
  if (!first) return true;
  if (first.index <= known.index || partsBelowSnapshot(m, first)) return false;
  checkChain(m, newer);
  if (endOf(m.journal).index >= first.index) {
    const count = endOf(m.journal).index - first.index + 1;
    cutToQuarantine(m, first.index - 1, 'the active of a newer term has other entries');
    note(
      m,
      'quarantine',
      `${count} entries from ${first.index} on were not in the active's journal: they are in quarantine.`,
    );
  }
  append(m, newer);
  return true;
}

/** P16: what comes over the network is one unbroken chain with the own journal, or nothing of it is taken. */
function checkChain(m: Member, entries: StoredEntry[]): void {
  let chain = at(m.journal, entries[0]!.index - 1)!.chain;
  for (const { term, index, text, chain: claimed } of entries) {
    chain = m.craft.chainOf(chain, term, index, text);
    if (chain !== claimed) throw new Error(`broken promise: entry ${index} does not continue the chain (P16)`);
  }
}

/** P16: only what the active reports as committed is applied. */
function commit(m: Member, index: number): void {
  if (index <= m.committed) return;
  m.committed = index;
  m.out.push({ effect: 'committed', index });
}

export function onSnapshotOffered(m: Member, from: string, body: Extract<Body, { kind: 'snapshotOffered' }>): void {
  if (!isLed(m, from, body)) return;
  if (!m.keepsJournal) return;
  const { charter, round } = body;
  const own = at(m.journal, body.at.index);
  const isWhole = ownSnapshotStands(m);
  if (isWhole && own !== null && samePosition(own, body.at)) {
    return post(m, from, { kind: 'appended', term: charter.term, index: own.index, round }); // has it: entries will do
  }
  if (holds(charter, m.self)) return; // in the write set: what it holds may be held nowhere else
  if (!isWhole && m.committed > body.at.index) {
    return post(m, from, { kind: 'appended', term: charter.term, index: m.committed, round }); // a newer one, please
  }
  m.out.push({ effect: 'fetchSnapshot', from, at: body.at });
}

/**
 * Is all that the own snapshot holds known to be committed? Not after a
 * confirmed loss, until the active says so: it may hold what was given up, and
 * then an older one of the active takes its place (P32).
 */
const ownSnapshotStands = (m: Member): boolean => m.committed >= (m.snapshot?.index ?? 0);

/** P17: the snapshot is here and belongs to the active that is followed. */
export function onSnapshotFetched(m: Member, position: Position): void {
  if (m.phase.phase !== 'quiet' || m.followed === null) return;
  const { term, active } = m.followed;
  if (compareTerms(m.register.promised, term) > 0 || holds(m.followed, m.self)) return;
  if (m.committed > position.index || (m.committed === position.index && ownSnapshotStands(m))) return;
  installSnapshot(m, positionOf(position));
  commit(m, position.index);
  post(m, active, { kind: 'appended', term, index: position.index, round: 0 });
}
