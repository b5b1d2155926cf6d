/**
 * One text for equal nodes: takes out of a node what can make no difference.
 *
 * Saves are counted from the last one that is done, times are one moment, and
 * what a configuration does not look at (who was heard, counts of saves) is
 * forgotten. Everything else of a member counts, also what is added later.
 */
import { noCharter } from '../../node-runtime/core/cluster/charter.ts';
import type { Member } from '../../node-runtime/core/cluster/member-state.ts';
import type { Register } from '../../node-runtime/core/cluster/register.ts';
import { LONG_AGO, type MemberNode, NOW, type Setting } from './core-setting.ts';

/** Takes out of the state what can make no difference, so that equal situations are equal values. */
export function settle(copy: MemberNode, setting: Setting): void {
  const m = copy.member;
  const { done } = m.disk;
  m.out = [];
  Object.assign(m, {
    now: NOW,
    wall: 0,
    random: 0,
    lastTick: NOW,
    heardActiveAt: NOW,
    retryAt: 0,
    noted: '',
    markSavedAt: NOW,
  });
  m.disk = { ...m.disk, given: m.disk.given - done, done: 0, givenAt: m.disk.givenAt.map(() => NOW) };
  m.disk.ends = m.disk.ends.map((end) => ({ ...end, save: end.save - done }));
  m.held = m.held.map((held) => ({ ...held, save: held.save - done }));
  m.registerSaves = m.registerSaves.map((one) => ({ ...one, save: one.save - done }));
  copy.pending = copy.pending.map((save) => ({ ...save, save: save.save - done }));
  m.spoken.clear(); // all speak the same version
  if (!setting.hearing) m.heard.clear();
  if (!setting.following) Object.assign(m, { followed: null, decided: noCharter.term });
  if (setting.memory !== copy.name) forgetCounts(copy);
  if (!setting.claims) copy.life = 0;
  settlePhase(m, done, setting);
}

function forgetCounts(copy: MemberNode): void {
  const m = copy.member;
  const bare = (register: Register): Register =>
    register.saves === 0 ? register : { ...register, saves: 0, savers: [] };
  m.register = bare(m.register);
  m.registerSaved = 0;
  m.registerSaves = m.registerSaves.map((one) => ({ ...one, saves: 0 }));
  copy.disk = { ...copy.disk, register: bare(copy.disk.register) };
  copy.pending = copy.pending.map((save) =>
    save.effect === 'saveRegister' ? { ...save, register: bare(save.register) } : save,
  );
}

function settlePhase(m: Member, done: number, setting: Setting): void {
  const { phase } = m;
  if (phase.phase === 'asking' || phase.phase === 'proposing') {
    phase.sentAt = NOW;
    if (phase.phase === 'proposing' || phase.since !== LONG_AGO) phase.since = NOW;
    if (phase.save !== null) phase.save = Math.max(0, phase.save - done);
  }
  if (phase.phase !== 'leading') return;
  Object.assign(phase, { since: NOW, confirmedAt: NOW, changeTriedAt: NOW });
  if (phase.draining) phase.draining.since = NOW;
  for (const peer of phase.peers.values()) {
    Object.assign(peer, { sentAt: NOW, progressAt: NOW, offered: LONG_AGO });
    if (!setting.hearing) peer.heardAt = NOW;
  }
}

const plain = (_name: string, value: unknown): unknown =>
  value instanceof Map || value instanceof Set ? [...value].sort((a, b) => (String(a) < String(b) ? -1 : 1)) : value;

export function nodeText({ member, disk, pending, life, shown, image }: MemberNode): string {
  const { timing: _t, craft: _c, roster: _r, ...rest } = member;
  return JSON.stringify([rest, disk, pending, life, shown, image !== null], plain);
}
