/**
 * What goes into the core and what comes out: events past, effects imperative.
 *
 * All of it is data, so a run of a node can be written down and played again.
 * The shell (`node.ts`) carries out the effects of a step in this order,
 * always: save, then send, then answer, then start. An effect that depends on
 * a committed entry is only given out once it is committed.
 */

import type { Refusal } from '../contract/errors.ts';
import type { AttemptEnd, StoredEntry, Term } from '../contract/facts.ts';
import type { AuditRow, LiveEvent, Run } from '../contract/model.ts';
import type { Directory, PeerMessage } from '../contract/peer-messages.ts';
import type { Effect as MemberEffect, Wish as MemberWish } from './cluster/member-state.ts';
import type { AttemptOrder } from './jobs/order.ts';
import type { AttemptName } from './jobs/state.ts';
import type { Position } from './journal/tail.ts';
import type { Replicated } from './replicated.ts';
import type { Wish } from './wishes.ts';

export type Asked = {
  /** Names the answer; the shell's own counter. */
  id: number;
  by: string;
  via: string;
  /** Where the request came from. */
  from?: string;
  key: { key: string; request: string } | null;
  wish: Wish;
  /** Letters and digits, fresh for this wish. */
  random: string;
};

export type { AttemptName, MemberWish };
export type AttemptKnown = AttemptName &
  ({ state: 'running'; at: number | null } | { state: 'ended'; end: AttemptEnd });

/** `now` is wall time in ms, shown and never compared for safety; `mono` counts sleep and never goes back. */
export type Clock = { now: number; mono: number; random: number };

export type Event = Clock &
  (
    | { event: 'ticked' }
    | { event: 'peerHeard'; from: string; message: PeerMessage }
    | { event: 'peerConnected'; node: string }
    /** All that was given to the disk up to this save is on it. */
    | { event: 'saved'; save: number }
    /** A save failed in a way that may pass (the disk is full). Nothing of it was kept. */
    | { event: 'saveFailed' }
    | { event: 'entriesRead'; to: string; previous: Position; entries: StoredEntry[] }
    | { event: 'snapshotKept'; at: Position; dropped: number }
    | { event: 'snapshotFetched'; at: Position }
    /** The state was read anew from disk, as it is there. */
    | { event: 'rebuilt'; replicated: Replicated }
    | { event: 'asked'; asked: Asked[] }
    /** Fresh reads wait to be allowed (P36). */
    | { event: 'readAsked'; id: number }
    | { event: 'wished'; id: number; wish: MemberWish }
    /** This node says of itself what others should know; also how it ranks as a watch. */
    | { event: 'toldSelf'; told: Extract<PeerMessage, { kind: 'told' }> }
  );

/** What a worker needs to start an attempt, in the term it is sent in (P35). */
export type Order = AttemptOrder & { term: Term; directory: string | null };

export type Reply = { status: number; body: unknown } | Refusal;

type FromMember = Extract<
  MemberEffect,
  {
    effect:
      | 'saveRegister'
      | 'appendEntries'
      | 'cutToQuarantine'
      | 'installSnapshot'
      | 'saveMark'
      | 'fetchSnapshot'
      | 'readEntries'
      | 'note'
      | 'renewStore'
      | 'reload';
  }
>;

export type Effect =
  | FromMember
  | { effect: 'saveSnapshot'; index: number; term: Term; text: string }
  | { effect: 'fileRuns'; runs: Run[] }
  /** An entry that somebody will ask about: who did what. */
  | { effect: 'audit'; row: AuditRow }
  | { effect: 'send'; to: string; message: PeerMessage }
  | { effect: 'answer'; id: number; reply: Reply }
  /** A fresh read may look now, or may not: this node does not act. */
  | { effect: 'allowRead'; id: number; allowed: boolean }
  | { effect: 'granted'; id: number; ok: boolean; words: string; end?: Position }
  | { effect: 'publish'; events: LiveEvent[] }
  /** Who belongs to the cluster is another now. */
  | { effect: 'useDirectory'; directory: Directory }
  /** An attempt on another node has ended: its output is copied here, since this node keeps the journal. */
  | { effect: 'copyOutput'; attempt: AttemptName; node: string; outputBytes: number }
  /** Entries speak of these contents of files: they have to be here. */
  | { effect: 'expectContents'; hashes: string[] }
  /** Entries that the state was made of were cut, or a snapshot took its place: read it anew from disk. */
  | { effect: 'rebuild' };
