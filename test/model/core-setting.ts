/**
 * What a node of the explorer is, what a configuration fixes for all nodes,
 * and what a step may do outside of the node.
 *
 * There is no clock: it is always the same moment, `NOW`, or long ago.
 */
import type { Charter, Claim, StoredEntry, Term, Voter } from '../../node-runtime/contract/facts.ts';
import type { Fence, FenceEvent, Worker } from '../../node-runtime/core/cluster/fence.ts';
import type { Effect, Event, Member, Roster } from '../../node-runtime/core/cluster/member-state.ts';
import type { Mark, Message } from '../../node-runtime/core/cluster/messages.ts';
import type { Register } from '../../node-runtime/core/cluster/register.ts';
import type { Seen } from './core-law.ts';

export const CLUSTER = 'lab';
/** The one moment there is. */
export const NOW = 1_000_000;
export const LONG_AGO = Number.NEGATIVE_INFINITY;

export type Disk = { register: Register; entries: StoredEntry[]; mark: Mark | null };
export type Save = Extract<Effect, { save: number }>;

/** A claim as it was shown to a person, with what the candidate knew then. */
export type Shown = { claim: Claim; knew: string; taken: boolean };

export type MemberNode = {
  name: string;
  member: Member;
  disk: Disk;
  /** Given to the disk and not on it yet, in order. */
  pending: Save[];
  life: number;
  shown: Shown[];
  /** An older state of the disk that may be put back. */
  image: Disk | null;
};

/** What a configuration fixes for all its nodes. */
export type Setting = {
  roster: Roster;
  voters: Voter[];
  /** Who was heard lately matters: for claims, and for waiting for the other controller. */
  hearing: boolean;
  /** People may confirm losses: then it matters which process a node is (P28). */
  claims: boolean;
  /** Whose counts of saves matter (P34); nobody's: ''. */
  memory: string;
  /** Changes of seats or hand-overs matter: who is followed, what is known to be decided. */
  following: boolean;
  workers: string[];
  bend?: Bend | undefined;
};

/** What a mutant may touch, from outside. */
export type Bend = {
  before?(m: Member, event: Event, node: MemberNode): Event;
  after?(m: Member, node: MemberNode): void;
  /** This save is told to be done at once. */
  lies?(node: MemberNode, save: Save): boolean;
  /** After a new start. */
  woken?(m: Member): void;
  wiped?(before: Disk, after: Disk): void;
  worker?: {
    before?(worker: Worker, event: FenceEvent): FenceEvent;
    lies?: boolean;
    wakes?(worker: Worker, saved: Fence): void;
  };
};

/** What a step did outside of the node. */
export type Outcome = { sends: { to: string; message: Message | Order }[]; seen: Seen[]; told: string[] };
/** What an active says to a worker. */
export type Order = Extract<FenceEvent, { term: Term }>;

export const leadOf = (m: Member): Charter | null => (m.phase.phase === 'leading' ? m.phase.charter : null);
