/**
 * Giving the lead away on purpose: switch-over, parking, orderly stop.
 *
 * The active first stops taking entries and waits until the standby is equal.
 * Then either the standby asks, and the two promises are a quorum without the
 * watch, or the active proposes a charter in which nobody acts.
 *
 * Promise: nothing is lost by it; if it does not come about, the active goes
 * on by itself in a new term.
 * Rules: P24, P26, P27, L6.
 */
import type { Charter } from '../../contract/facts.ts';
import { ask } from './ask.ts';
import { holds, lastSet } from './charter.ts';
import { giveUp, isUnready, newestKnown, otherController } from './knowledge.ts';
import type { Member, Wish } from './member-state.ts';
import { answer, note, post } from './outbox.ts';
import type { Leading } from './replication.ts';
import { isHeard, standbyOf } from './seats.ts';
import { drain } from './suspicion.ts';
import { sameTerm } from './terms.ts';

/** P26: refused with the reason, or begun; answered when the active stops acting. */
export function onSwitchOver(m: Member, id: number): void {
  const why = m.phase.phase === 'leading' ? objectionToSwitch(m, m.phase) : 'this node is not active';
  if (why || m.phase.phase !== 'leading') return void answer(m, id, false, why ?? '');
  m.phase.draining = { goal: 'handOver', since: m.now, told: false, id };
  drain(m, m.phase);
}

function objectionToSwitch(m: Member, leading: Leading): string | null {
  const standby = standbyOf(m, leading.charter);
  if (!leading.acting) return 'the active is not ready yet';
  if (!standby) return 'there is no standby in step';
  if (!isHeard(m, leading, standby)) return `${standby} can't be reached`;
  if (isUnready(m, standby)) return `${standby} does not have the contents of all files yet`;
  if (leading.charter.voters.length > 1) return 'a change of seats is under way';
  if (leading.draining) return 'another change is under way';
  if (!lastSet(leading.charter).some((voter) => voter.node === standby))
    return `${standby} has no vote: it needs a watch`;
  return null;
}

/** The active asks its standby to take over (P26), or says that it can't write (L6). */
export function onTakeOver(m: Member, from: string, term: Member['decided']): void {
  if (m.phase.phase !== 'quiet' || m.followed?.active !== from || !sameTerm(m.followed.term, term)) return;
  ask(m, { why: `${from} hands over` });
}

export function onCannotWrite(m: Member, from: string): void {
  if (m.phase.phase === 'leading') {
    const peer = m.phase.peers.get(from);
    if (peer) peer.heardAt = Number.NEGATIVE_INFINITY; // as silent as it will be (P18)
    note(m, 'cannotWrite', `${from} can't write to its disk.`);
  } else if (m.followed?.active === from) {
    m.heardActiveAt = Number.NEGATIVE_INFINITY;
    m.retryAt = 0;
    note(m, 'cannotWrite', `${from} can't write to its disk and gives up the lead.`);
  }
}

export function onLeaving(m: Member, from: string): void {
  const isNew = !m.leaving.has(from);
  m.leaving.set(from, m.now);
  if (!isNew || m.phase.phase !== 'leading') return;
  m.phase.changeTriedAt = Number.NEGATIVE_INFINITY;
  const seated = lastSet(m.phase.charter).some((voter) => voter.node === from);
  if (seated && from !== otherController(m)?.node)
    note(m, 'watchLeft', `${from} leaves: no fail-over until it is back or another has its seat.`); // P24
}

/** P27: everybody stops, on purpose. */
export function onPark(m: Member, id: number, by: string, why: string): void {
  if (m.phase.phase !== 'leading' || !m.phase.acting) return void answer(m, id, false, 'this node is not active');
  if (m.phase.draining) return void answer(m, id, false, 'another change is under way');
  m.phase.draining = { goal: { why: 'parked', parked: { by, why } }, since: m.now, told: true, id };
  drain(m, m.phase);
}

/** P5, P27: who may go on from a parking: a voter of the last set that has all entries. */
export const mayActivate = (parked: Charter): string[] =>
  lastSet(parked)
    .filter((voter) => holds(parked, voter))
    .map((voter) => voter.node);

/** P27: a person ends a parking, at a controller that may. */
export function onActivate(m: Member, id: number, by: string): void {
  const newest = newestKnown(m);
  if (!newest.parked) return void answer(m, id, false, 'nothing is parked');
  const able = mayActivate(newest);
  if (!able.includes(m.self.node) || !holds(newest, m.self)) {
    const why = holds(newest, m.self) ? 'has no vote' : 'may lack entries';
    return void answer(m, id, false, `this node ${why}: ${able.join(' or ')} can be activated`);
  }
  answer(m, id, true, 'asks for a new term');
  giveUp(m, 'a person activates this node');
  ask(m, { why: `activated by ${by}`, unpark: true });
}

/** An orderly stop (P24, P27): an active hands over or parks, everybody else says that it leaves. */
export function onLeave(m: Member, id: number, wish: Extract<Wish, { wish: 'leave' }>): void {
  if (m.phase.phase === 'leading') {
    const switches = wish.onShutdown === 'handOver' && objectionToSwitch(m, m.phase) === null;
    return switches ? onSwitchOver(m, id) : onPark(m, id, m.self.node, wish.why);
  }
  if (m.followed) post(m, m.followed.active, { kind: 'leaving' });
  answer(m, id, true, 'said that it leaves');
}
