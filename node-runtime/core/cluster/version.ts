/**
 * Which version of the protocol is spoken, and who can't read it.
 *
 * A release reads its own version and the one before. What is written is the
 * version that a committed entry has enabled, so neighbouring releases work
 * together, and going back one release works until the newer was enabled.
 * Whoever meets what it can't read stops following, keeps all it has, and says
 * which version is needed; a newer release goes on from there.
 *
 * Cluster, store, saves and versions of a message are read by every release.
 * Rules: section 13.
 */
import type { Charter } from '../../contract/facts.ts';
import { votersOf, writersOf } from './charter.ts';
import { giveUp, newestKnown } from './knowledge.ts';
import type { Event, Member } from './member-state.ts';
import type { Message } from './messages.ts';
import { answer, note, saveRegister } from './outbox.ts';
import { sameTerm } from './terms.ts';

/** A charter says in which version it was written, from the second on. */
export const versionOf = (charter: Charter & { version?: number }): number => charter.version ?? 1;

/** Its own version and the one before; what is kept of older times is read as well. */
const reads = (speaks: number, version: number): boolean => version === speaks || version === speaks - 1;

/** What the members of the cluster have said that they can read; null: nothing yet. */
export type Spoken = { node: string; speaks: number | null }[];

/**
 * To which version the cluster may go now, one at a time, and for whom it has
 * to wait before it can use what the newest of its members can. All voters,
 * controllers, watches and workers belong into the list.
 */
export function enableable(members: Spoken, enabled: number): { version: number | null; waitsFor: string[] } {
  const newest = Math.max(enabled, ...members.map((one) => one.speaks ?? enabled));
  if (newest === enabled) return { version: null, waitsFor: [] };
  const waitsFor = members.filter((one) => (one.speaks ?? 0) <= enabled).map((one) => one.node);
  return { version: waitsFor.length === 0 ? enabled + 1 : null, waitsFor };
}

/** What this member has heard of all that vote, hold entries or may be seated; workers are added by the shell. */
export function spokenTo(m: Member): Spoken {
  const { controllers, watch, spares } = m.roster;
  const newest = newestKnown(m);
  const seated = [...votersOf(newest), ...controllers, ...(watch ? [watch] : []), ...spares].map((one) => one.node);
  return [...new Set([...seated, ...writersOf(newest)])].map((node) => ({
    node,
    speaks: node === m.self.node ? m.speaks : (m.spoken.get(node) ?? null),
  }));
}

/** May the contents of this message be read? If not, this node or its sender needs another release. */
export function isSpoken(m: Member, from: string, { version, speaks, body }: Message): boolean {
  m.spoken.set(from, speaks ?? version);
  const charters = [...('charter' in body ? [body.charter] : []), ...('accepted' in body ? [body.accepted] : [])];
  const written = Math.max(version, ...charters.map(versionOf));
  const canRead = written <= m.speaks && reads(m.speaks, version);
  if (canRead && (speaks ?? version) >= m.enabled) {
    m.unread.delete(from);
    return true;
  }
  const reason = canRead || !reads(m.speaks, version) ? version : written;
  const isNew = m.unread.get(from) !== reason;
  m.unread.set(from, reason);
  if (written > m.speaks) needs(m, reason, from, isNew);
  // It is the other that needs an upgrade, or has not heard yet what the cluster uses: no reason to wait for it.
  else if (isNew)
    note(m, 'versionOld', `${from} ${whatItKnows(version, speaks ?? version)}; the cluster uses ${m.enabled}.`);
  return false;
}

/** An active that is confirmed goes on; everybody else waits for an upgrade, or for an active it can read. */
function needs(m: Member, version: number, from: string, isNew: boolean): void {
  if (isNew) note(m, 'version', `${from} speaks version ${version} of the protocol, ${whatIsRead(m)}`);
  const known = spokenTo(m).some((one) => one.node === from) || votersOf(newestKnown(m)).length === 0;
  if (m.phase.phase === 'leading' || !known) return;
  m.needs = { version, from };
  if (m.phase.phase !== 'quiet') giveUp(m, 'can not read what the others say');
}

const whatItKnows = (version: number, speaks: number): string =>
  speaks > version ? `still speaks version ${version}` : `reads up to version ${speaks}`;

const whatIsRead = (m: Member): string =>
  `this node reads ${m.speaks > 1 ? `${m.speaks - 1} and ${m.speaks}` : '1'}. It keeps what it has and goes on after an upgrade.`;

/**
 * What the active uses is enabled: its followers use it too, and know it after
 * a restart. So is what a voter uses: one that alone may lead has to learn it
 * from those who could not read it otherwise.
 */
export function learnVersion(m: Member, from: string, { version, body }: Message): void {
  let enabled = Math.max(m.enabled, versionOf(m.register.accepted));
  const led = m.followed?.active === from && 'charter' in body && sameTerm(m.followed.term, body.charter.term);
  if (led) m.needs = null;
  if (led || votersOf(newestKnown(m)).some((voter) => voter.node === from)) enabled = Math.max(enabled, version);
  if (enabled === m.enabled) return;
  m.enabled = enabled;
  saveRegister(m, {});
}

/** A committed entry enabled this version. */
export function onVersionEnabled(m: Member, version: number): void {
  m.enabled = Math.max(m.enabled, version);
  if (isHalted(m)) halt(m);
}

/** The cluster has gone to a version that this release can't read, or had not come to one yet. */
export const isHalted = (m: Member): boolean => !reads(m.speaks, Math.max(m.enabled, versionOf(m.register.accepted)));

export function halt(m: Member): void {
  m.needs = { version: m.enabled, from: m.self.node };
  if (m.phase.phase !== 'quiet') giveUp(m, `version ${m.enabled} of the protocol is needed`);
  note(m, 'version', `The cluster uses version ${m.enabled} of the protocol, ${whatIsRead(m)}`);
}

/** Nothing is changed by a halted node, so that an upgrade finds all as it was. */
export function stepHalted(m: Member, event: Event): void {
  if (event.event === 'ticked') halt(m);
  if (event.event === 'wished') answer(m, event.id, false, `needs version ${m.enabled} of the protocol`);
  if (event.event === 'proposed') m.out.push({ effect: 'notTaken', texts: event.texts });
}
