/**
 * What one member of the cluster knows, and what goes in and out of it.
 *
 * `Member` is owned by the caller and changed in place by `memberStep`. It
 * runs ahead of the disk; what may leave before the disk has it, and what not,
 * is decided in `outbox.ts` alone.
 *
 * Leaves out: what entries mean, workers, addresses, certificates.
 */
import type { Charter, Claim, Lineage, Loss, StoredEntry, Term, Voter } from '../../contract/facts.ts';
import type { ChainOf, Position, Tail } from '../journal/tail.ts';
import type { Body, Mark, Message } from './messages.ts';
import type { Register } from './register.ts';
import type { Timing } from './timing.ts';

/** Pure functions of the application and the host. */
export type Craft = {
  chainOf: ChainOf;
  /** Text of the first entry of a term (P9). */
  activationText(charter: Charter, loss: Loss | null): string;
};

/** Who belongs to the cluster, from its committed entries. The core never guesses it from charters. */
export type Roster = {
  /** At most two that lead or follow; more are ignored until a place is free. */
  controllers: Voter[];
  watch: Voter | null;
  /** Best first (P23). */
  spares: Voter[];
  /** Nodes that hold all entries and not yet all contents of files: never paired with, never asked to take over. */
  unready?: string[];
};

/** Why a term is asked for, and what the charter is to be. */
export type Purpose = {
  why: string;
  /** Without the other controller, although it may be there. */
  solo?: boolean;
  voters?: Voter[];
  parked?: { by: string; why: string };
  /** A person says that this node leaves a parking of the other. */
  unpark?: boolean;
  claim?: Claim;
};

export type Promised = { accepted: Charter; end: Position | null; mark: Mark | null };

export type Peer = {
  store: string;
  keepsJournal: boolean | null;
  /** Next index to send; last index known to be on its disk and equal to ours. */
  next: number;
  match: number;
  confirmed: number;
  /** Newest round it answered. */
  round: number;
  heardAt: number;
  sentAt: number;
  /** When what was sent last was answered or sent anew. */
  progressAt: number;
  reading: boolean;
  offered: number;
};

export type Phase =
  /** Follows, or waits. */
  | { phase: 'quiet' }
  /** Prechecks (P19). `also` holds those whose journal is longer. */
  | { phase: 'sounding'; since: number; yes: Map<string, Promised>; no: boolean; purpose: Purpose }
  | {
      phase: 'asking';
      term: Term;
      purpose: Purpose;
      since: number;
      sentAt: number;
      save: number;
      promises: Map<string, Promised>;
      asked: Set<string>;
    }
  | {
      phase: 'proposing';
      charter: Charter;
      follows: Charter;
      purpose: Purpose;
      since: number;
      sentAt: number;
      /** Number of the save of the own acceptance; null while an era's claim waits for the others (P29). */
      save: number | null;
      accepted: Set<string>;
      loss: Loss | null;
    }
  | {
      phase: 'leading';
      charter: Charter;
      since: number;
      /** Index of the activation entry; acting once it is committed (P9). */
      activation: number;
      acting: boolean;
      peers: Map<string, Peer>;
      round: number;
      /** Voters' newest answers: when a quorum last confirmed, for the note "unconfirmed". */
      confirmedAt: number;
      /** No new entries are taken until the standby is equal; then this happens (P17, P26). */
      draining: { goal: Purpose | 'handOver'; since: number; told: boolean; id: number | null } | null;
      changeTriedAt: number;
      reads: { id: number; round: number }[];
    };

export type Member = {
  readonly self: Voter;
  readonly keepsJournal: boolean;
  readonly timing: Timing;
  readonly craft: Craft;
  /** Names this process among all that ever ran here (P28). */
  readonly incarnation: string;

  /** As it will be when everything given to the disk is saved. */
  register: Register;
  /** `register.saves` on disk. */
  registerSaved: number;
  journal: Tail;
  /** Entries up to here are on this node's disk. */
  synced: number;
  committed: number;
  /** Newest snapshot, and the last index that can't be read from disk any more. */
  snapshot: Position | null;
  dropped: number;
  mark: Mark | null;
  markSavedAt: number;

  disk: { given: number; done: number; givenAt: number[]; ends: { save: number; index: number }[]; stalled: boolean };
  registerSaves: { save: number; saves: number }[];
  /** What leaves when a save is done (P1). */
  held: { save: number; to: string; body: Body }[];
  out: Effect[];

  now: number;
  wall: number;
  random: number;
  lastTick: number | null;
  heard: Map<string, number>;
  stores: Map<string, string>;
  heardActiveAt: number;
  /** The charter whose active this node follows: known to be decided. */
  followed: Charter | null;
  /** Newest term known to be decided (P8). */
  decided: Term;
  /** Newest charter heard of, perhaps only accepted somewhere (P11). */
  rumour: Charter;
  /** Highest term heard of. */
  highest: Term;
  retryAt: number;
  /** Was started, or told by a person, after the parking: may leave it (P27). */
  mayUnpark: boolean;
  conflict: Charter | null;
  claimsUsed: Set<string>;
  leaving: Map<string, number>;
  /** Newest version this release reads, and the one that is in use (section 13). */
  readonly speaks: number;
  enabled: number;
  /** What others said that they can read. */
  spoken: Map<string, number>;
  /** Whose messages are not taken, and the version that was said to be the reason: said once. */
  unread: Map<string, number>;
  /** Stands still until it can read this version: nothing is lost, an upgrade helps. */
  needs: { version: number; from: string } | null;
  roster: Roster;
  phase: Phase;
  /** After a start nobody leads before then, not even the only voter: others may know that this folder is old (P34). */
  listensUntil: number;
  announcedAt: number;
  retired: boolean;
  noted: string;
};

export type Wish =
  | { wish: 'switchOver' }
  | { wish: 'park'; by: string; why: string }
  | { wish: 'activate'; by: string }
  | { wish: 'leave'; onShutdown: 'handOver' | 'park'; why: string }
  | { wish: 'claim'; claim: Claim }
  /** A person reads this node's parking code: it promises the claim's term and never acts below it (section 9). */
  | { wish: 'parkingCode'; term: Term }
  /** Fresh reads: answered when a quorum has confirmed the term once since now (P36). */
  | { wish: 'confirmRead' };

export type Event = { now: number } & (
  | { event: 'ticked'; wall: number; random: number }
  | { event: 'received'; from: string; message: Message }
  | { event: 'saved'; save: number }
  | { event: 'saveFailed' }
  | { event: 'entriesRead'; to: string; previous: Position; entries: StoredEntry[] }
  | { event: 'snapshotKept'; at: Position; dropped: number }
  | { event: 'snapshotFetched'; at: Position }
  | { event: 'rosterKnown'; roster: Roster }
  | { event: 'wished'; id: number; wish: Wish }
  | { event: 'proposed'; texts: string[] }
  /** A worker obeys this term already, of that lineage (P35). */
  | { event: 'fenced'; term: Term; lineage: Lineage | null }
  /** A committed entry says that all can read this version (section 13). */
  | { event: 'versionEnabled'; version: number }
);

/** Effects with a `save` are carried out in the order of that number; `saved` reports that all up to one are on disk. */
export type Effect =
  | { effect: 'saveRegister'; register: Register; save: number }
  | { effect: 'appendEntries'; entries: StoredEntry[]; save: number }
  | { effect: 'cutToQuarantine'; after: number; reason: string; save: number }
  /** The snapshot fetched at this position takes the place of the journal; entries after `keep` go to quarantine. */
  | { effect: 'installSnapshot'; at: Position; keep: number; save: number }
  | { effect: 'saveMark'; mark: Mark; save: number }
  /** A follower can only be helped by a snapshot and there is none: make one of what is committed. */
  | { effect: 'wantSnapshot' }
  | { effect: 'fetchSnapshot'; from: string; at: Position }
  | { effect: 'readEntries'; to: string; from: number; count: number }
  | { effect: 'send'; to: string; message: Message }
  /** Decided; its activation entry is appended and not yet committed. */
  | { effect: 'becameActive'; charter: Charter; loss: Loss | null }
  /** The activation is committed: answers and starts may begin (P9). */
  | { effect: 'beganActing'; charter: Charter }
  | { effect: 'stoppedActing'; why: string }
  /** It does not act, or takes no entries now: what was proposed is not in the journal. */
  | { effect: 'notTaken'; texts: string[] }
  | { effect: 'committed'; index: number }
  | { effect: 'answered'; id: number; ok: boolean; words: string; end?: Position }
  /** What it waits for or what happened, for people (L3). */
  | { effect: 'note'; code: string; words: string }
  /** This folder is an old image: make a new store, wake anew without a vote (P34). */
  | { effect: 'renewStore' }
  /** What is in memory is not on disk: wake anew from disk (P10). */
  | { effect: 'reload' };
