/**
 * What a node knows: its membership, the state its journal adds up to, and
 * what waits for what. Owned by the caller, changed in place by `step`.
 */
import { type Refusal, refuse } from '../contract/errors.ts';
import type { Entry, Term } from '../contract/facts.ts';
import type { Told } from '../contract/peer-messages.ts';
import type { Leases } from './cluster/lease.ts';
import type { Member } from './cluster/member-state.ts';
import type { Asked, Effect } from './effects.ts';
import type { Held } from './journal/commit.ts';
import type { Replicated } from './replicated.ts';

/** A worker as this active has heard of it in its term. */
export type WorkerSeen = {
  /** By `mono`; when this active began to act, for one that was not heard since. */
  heardAt: number;
  /** Its attempts were read in this term: it may be given work (P35). */
  greeted: boolean;
  slots: number;
  greetedAt: number;
};

export type NodeState = {
  readonly self: { node: string; name: string };
  member: Member;
  replicated: Replicated;
  /** Entries up to here are known to be committed, also over wakings: what a reader was shown is not taken back (P36). */
  known: number;
  /** The state no longer follows the journal and is being read anew. */
  rebuilding: boolean;
  held: Held<Effect>;
  /** Entries of this step that are not in the journal yet. */
  proposed: Entry[];
  /** Wishes that wait until entries are taken again (a hand-over, a seat change, a full tail). */
  waiting: Asked[];
  workers: Map<string, WorkerSeen>;
  leases: Leases;
  /** Number of the last order sent in this term. */
  orders: number;
  /** node → what it last said of itself, and when (`mono`). */
  told: Map<string, { told: Told; at: number }>;
  /** What this node says of itself; null until the shell has told. */
  ownTold: Told | null;
  /** Who leads, as far as this node has heard. */
  lead: { node: string; term: Term; heardAt: number } | null;
  /** Since when it acts, or does not (`mono`). */
  actingSince: number | null;
  idleSince: number;
  /** When it last was confirmed by a quorum (`mono`). */
  confirmedAt: number;
  diskFull: boolean;
  /** Last entry that changed who belongs to the cluster; the members and the roster are told when it is committed. */
  membersAt: number;
  membersTold: number;
  rosterTold: string;
  /** Index of the newest snapshot, made or being made. */
  snapshot: number;
  /** A snapshot is made when so many entries came since the last one. */
  readonly snapshotEvery: number;
  renewedAt: number;
  toldAt: number;
  out: Effect[];
};

/** Acts: its activation is committed, it answers and starts (P9). */
export const isActive = (state: NodeState): boolean =>
  state.member.phase.phase === 'leading' && state.member.phase.acting && !state.rebuilding;

/** Acts, and a quorum has said so a moment ago: what it says is fresh, and what it takes can be committed (P13, P36). */
export function isConfirmed(state: NodeState): boolean {
  const { phase, now, timing } = state.member;
  return isActive(state) && phase.phase === 'leading' && now - phase.confirmedAt < 2 * timing.suspectMs;
}

/** What any wish is answered with while this node does not act; null while it does. */
export function whyIdle(state: NodeState): Refusal | null {
  if (isConfirmed(state)) return null;
  const { name } = state.self;
  if (isActive(state)) return refuse('no_active', `${name} leads, but too few of the others confirm it.`);
  if (state.diskFull) return refuse('disk_full', `The disk of ${name} is full.`);
  const { phase } = state.member.phase;
  return phase === 'leading' || phase === 'asking' || phase === 'proposing'
    ? refuse('starting', `${name} is about to become active.`)
    : refuse('not_active', `${name} is not active.`);
}
