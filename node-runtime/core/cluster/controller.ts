/**
 * How a controller comes to act: asks for a new term, proposes a charter,
 * activates when it is decided, and stops acting when its journal fails.
 *
 * This version knows clusters whose only voter is the controller itself: its
 * own promise and acceptance are the quorum. The steps are those of the whole
 * protocol, so other voters add answers here and no new states. It does not
 * write entries: `step.ts` appends the activation entry that it returns.
 *
 * Promise: never acts in a term it has not promised and accepted on disk, and
 * never twice in one (P10).
 * Rules: P2, P3, P4, P5, P6, P7, P9, P10, P33.
 */
import type { Charter } from '../../contract/facts.ts';
import { isQuorum, voterText } from './charter.ts';
import { accept, promise, type Register, voterOf } from './register.ts';
import { nextTerm } from './terms.ts';

export type Controller =
  /** Nothing asked yet, or acting was given up: `retryAt` in ms. */
  | { phase: 'idle'; why: string | null; retryAt: number }
  /** Own promise of a new term is being saved. */
  | { phase: 'asking'; charter: Charter }
  /** Own acceptance of the charter is being saved. */
  | { phase: 'proposing'; charter: Charter }
  /** Decided; the activation entry is not committed yet: nothing is answered (P9). */
  | { phase: 'activating'; charter: Charter; index: number }
  | { phase: 'active'; charter: Charter; since: number }
  /** Another charter or another store is in the way; says what it waits for. */
  | { phase: 'waiting'; why: string; since: number };

export type ControllerStep = { controller: Controller; save?: Register; activate?: Charter };

/** P2 to P6: asks for a term of its own and prepares the charter it will propose. */
export function ask(register: Register, reason: string, now: number): ControllerStep {
  const self = voterOf(register);
  const newest = register.accepted;
  const seated = newest.voters.every((set) => set.some((voter) => voterText(voter) === voterText(self)));
  if (!seated) return waiting('this data folder has no seat in the cluster (its store is new)', now); // P33
  if (!newest.writeSet.includes(self.node)) return waiting('this node is not in the newest write set', now); // P5
  const term = nextTerm(self.node, [register.promised, newest.term]);
  const promised = promise(register, term);
  if (!promised) throw new Error(`broken promise: own term ${term.number} is not above ${register.promised.number}`);
  const charter: Charter = { ...newest, term, follows: newest.term, active: self.node, reason, at: now };
  delete charter.parked;
  return { controller: { phase: 'asking', charter }, save: promised };
}

/** The register was saved: goes on from promise to acceptance to activation (P4, P6, P7, P9). */
export function registerSaved(controller: Controller, register: Register, now: number): ControllerStep {
  const got = new Set([voterText(voterOf(register))]);
  if (controller.phase === 'asking') {
    if (!isQuorum(register.accepted, got)) return waiting('the other voters', now); // P4
    const accepted = accept(register, controller.charter);
    if (!accepted) throw new Error('broken promise: own charter is below own promise');
    return { controller: { phase: 'proposing', charter: controller.charter }, save: accepted };
  }
  if (controller.phase === 'proposing') {
    if (!isQuorum(controller.charter, got)) return waiting('the other voters', now); // P7
    return { controller, activate: controller.charter };
  }
  return { controller };
}

/** Stops acting; tries again from `retryAt` on, in a new term (P10). */
export const giveUp = (why: string, retryAt: number): Controller => ({ phase: 'idle', why, retryAt });

const waiting = (why: string, since: number): ControllerStep => ({ controller: { phase: 'waiting', why, since } });
