/**
 * Save, then send (P1): the one place that knows what has to wait for what.
 *
 * Everything for the disk gets a number and is saved in that order. A message
 * given by `post` leaves when all that was given to the disk before it is
 * saved, so it may speak of anything the member knows. `postNow` is for
 * messages that speak only of older things: entries on their way to the
 * standby before the active's own sync (P12), heartbeats, "I can't write".
 *
 * Promise: whatever a member has said about itself is on its disk (I4).
 */
import type { Charter, StoredEntry, Term } from '../../contract/facts.ts';
import { add, cut, endOf, type Position, type Tail, trim } from '../journal/tail.ts';
import type { Effect, Member } from './member-state.ts';
import type { Body } from './messages.ts';
import { saverOf, savers, withSaver } from './register.ts';

function nextSave(m: Member): number {
  m.disk.givenAt.push(m.now);
  return ++m.disk.given;
}

export function saveRegister(m: Member, change: { promised?: Term; accepted?: Charter }): void {
  const version = m.enabled > 1 && { version: m.enabled };
  const saves = m.register.saves + 1;
  const known = withSaver(m.register.savers, { incarnation: m.incarnation, saves }, savers.ownMax);
  m.register = { ...m.register, ...change, ...version, saves, savers: known };
  const save = nextSave(m);
  m.registerSaves.push({ save, saves });
  m.out.push({ effect: 'saveRegister', register: m.register, save });
}

export function append(m: Member, entries: StoredEntry[]): void {
  if (entries.length === 0) return;
  add(m.journal, entries);
  trim(m.journal, m.timing.tailEntriesMax);
  const save = nextSave(m);
  m.disk.ends.push({ save, index: endOf(m.journal).index });
  m.out.push({ effect: 'appendEntries', entries, save });
}

/** P15: what is cut is kept, in quarantine, in the same transaction. */
export function cutToQuarantine(m: Member, after: number, reason: string): void {
  if (after < m.committed) throw new Error(`broken promise: entry ${after + 1} is committed and would be cut (I13)`);
  cut(m.journal, after);
  m.synced = Math.min(m.synced, after);
  const save = nextSave(m);
  for (const end of m.disk.ends) end.index = Math.min(end.index, after);
  m.out.push({ effect: 'cutToQuarantine', after, reason, save });
}

/** P17: a snapshot takes the place of the journal; what was not known to be committed goes to quarantine. */
export function installSnapshot(m: Member, at: Position): void {
  const save = nextSave(m);
  const tail: Tail = { base: at, entries: [] };
  m.journal = tail;
  m.synced = 0;
  m.disk.ends = [{ save, index: at.index }];
  m.out.push({ effect: 'installSnapshot', at, keep: m.committed, save });
  m.snapshot = at;
  m.dropped = at.index;
}

export function saveMark(m: Member): void {
  if (m.mark) m.out.push({ effect: 'saveMark', mark: m.mark, save: nextSave(m) });
}

export function post(m: Member, to: string, body: Body): void {
  if (to === m.self.node) return;
  if (m.disk.done >= m.disk.given) leave(m, to, body);
  else m.held.push({ save: m.disk.given, to, body });
}

export function postNow(m: Member, to: string, body: Body): void {
  if (to !== m.self.node) leave(m, to, body);
}

function leave(m: Member, to: string, body: Body): void {
  const store = m.stores.get(to) ?? knownStore(m, to);
  const theirs = store === undefined ? undefined : m.register.seen?.[store];
  const seen = store === undefined || theirs === undefined ? null : { store, savers: theirs };
  const { cluster, store: own } = m.register;
  const message = { version: m.enabled, speaks: m.speaks, cluster, store: own, keepsJournal: m.keepsJournal };
  const saves = m.registerSaved;
  const saver = saverOf(m.register, saves)?.incarnation ?? '';
  m.out.push({ effect: 'send', to, message: { ...message, saves, saver, seen, body } });
}

/** After a start nothing was heard yet; what the charter says of its memory is enough to tell it that it is old (P34). */
const knownStore = (m: Member, node: string): string | undefined =>
  m.register.accepted.voters.flat().find((voter) => voter.node === node)?.store;

/** All saves up to this one are on disk: what waited for them leaves. */
export function savesDone(m: Member, save: number): void {
  m.disk.givenAt.splice(0, save - m.disk.done);
  m.disk.done = save;
  while (m.registerSaves.length > 0 && m.registerSaves[0]!.save <= save) {
    m.registerSaved = m.registerSaves.shift()!.saves;
  }
  while (m.disk.ends.length > 0 && m.disk.ends[0]!.save <= save) {
    m.synced = Math.max(m.synced, m.disk.ends.shift()!.index);
  }
  let count = 0;
  while (count < m.held.length && m.held[count]!.save <= save) count++;
  for (const { to, body } of m.held.splice(0, count)) leave(m, to, body);
}

/** Says what it waits for or what happened; the same thing only once in a row (L3). */
export function note(m: Member, code: string, words: string): void {
  if (m.noted === code + words) return;
  m.noted = code + words;
  m.out.push({ effect: 'note', code, words });
}

export const answer = (m: Member, id: number, ok: boolean, words: string): number =>
  m.out.push({ effect: 'answered', id, ok, words } satisfies Effect);
