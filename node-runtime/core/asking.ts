/**
 * What people and programs ask of the active: wishes become entries, reads
 * wait until a quorum has confirmed the term.
 *
 * A wish that comes while no entries are taken (a hand-over, a change of
 * seats) waits; when this node stops acting it is sent back, and the node it
 * came to asks the next active under the same key.
 *
 * Rules: P14, P36.
 */
import { refuse } from '../contract/errors.ts';
import type { Entry, KeptAnswer } from '../contract/facts.ts';
import { limits } from '../contract/limits.ts';
import { answerTo } from './answers.ts';
import type { Event as MemberEvent } from './cluster/member-state.ts';
import type { Asked, Effect, Reply } from './effects.ts';
import { append, termTaken, whenCommitted } from './folding.ts';
import * as jobs from './jobs/jobs.ts';
import { isActive, type NodeState, whyIdle } from './node-state.ts';
import { answerOf, applyToKeys } from './routing/keys.ts';
import { decide } from './wishes.ts';

export function asked(state: NodeState, one: Asked, now: number): void {
  const isComing = state.member.phase.phase === 'leading';
  // What can't be confirmed is not begun: it would only wait, and might be cut.
  const idle = isComing && !isActive(state) ? null : whyIdle(state);
  if (idle) return answerNow(state, one.id, idle);
  if (!isActive(state) || termTaken(state) === null || state.waiting.length > 0) {
    if (state.waiting.length < limits.wishesWaitingMax) state.waiting.push(one);
    else answerNow(state, one.id, refuse('too_many', `${limits.wishesWaitingMax} requests wait at this node.`));
    return;
  }
  decideOne(state, one, now);
}

/** Entries are taken (again): those that waited come first, in their order. */
export function askWaiting(state: NodeState, now: number): void {
  while (state.waiting.length > 0 && termTaken(state) !== null) decideOne(state, state.waiting.shift()!, now);
}

/** It does not act any more: they were not decided, so the next active may. */
export function answerWaiting(state: NodeState): void {
  for (const { id } of state.waiting.splice(0))
    answerNow(
      state,
      id,
      state.diskFull
        ? refuse('disk_full', `The disk of ${state.self.name} is full.`)
        : refuse('not_active', `${state.self.name} handed over before this was decided.`),
    );
}

const answerNow = (state: NodeState, id: number, reply: Reply): void =>
  void state.out.push({ effect: 'answer', id, reply });

function decideOne(state: NodeState, { id, by, via, from, key, wish, random }: Asked, now: number): void {
  const kept = key ? answerOf(state.replicated.keys, by, key.key, key.request) : null;
  if (kept) return answerWhenCommitted(state, id, 'code' in kept ? kept : repeated(state, kept));
  const decision = decide(state.replicated, wish, { now, index: state.replicated.index + 1, random });
  if ('code' in decision) return answerWhenCommitted(state, id, decision);
  const entries = append(state, decision.facts, now, { by, via, ...(from === undefined ? {} : { from }) });
  const reply = answerTo(state.replicated, wish, decision.names?.run);
  if (key && entries[0] && 'status' in reply) {
    const run = wish.wish === 'launch' ? decision.names?.run : 'run' in wish ? wish.run : undefined;
    const { status, body } = reply;
    keepAnswer(state, entries[0], { by, ...key, status, ...(run ? { answer: null, run } : { answer: body }) });
  }
  answerWhenCommitted(state, id, reply);
}

/** P36: the key and its answer are committed in the entry that did the work, not after it. */
function keepAnswer(state: NodeState, entry: Entry, kept: KeptAnswer): void {
  entry.key = kept;
  applyToKeys(state.replicated.keys, entry);
}

/** A run is not kept twice: the key leads to it, and is answered with it as it is now. */
function repeated(state: NodeState, { status, answer, run }: KeptAnswer): Reply {
  return { status, body: run === undefined ? answer : (jobs.runOf(state.replicated.jobs, run) ?? { id: run }) };
}

/** Even a refusal was read from a state that may run ahead of the disk: it leaves when that is committed. */
function answerWhenCommitted(state: NodeState, id: number, reply: Reply): void {
  whenCommitted(state, { effect: 'answer', id, reply } satisfies Effect);
}

/** P36: a fresh read waits until a quorum has confirmed the term once since it was asked for. */
export function readAsked(
  state: NodeState,
  id: number,
  now: number,
  toMember: (state: NodeState, event: MemberEvent) => void,
): void {
  if (!isActive(state)) return void state.out.push({ effect: 'allowRead', id, allowed: false });
  toMember(state, { event: 'wished', id: -id, wish: { wish: 'confirmRead' }, now });
}
