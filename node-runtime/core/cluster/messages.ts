/**
 * What members say to each other.
 *
 * Plain data; the transport adds who sent it and proves it. Every message says
 * which memory it comes from (`store`), how often that was saved, and what the
 * sender knows of the receiver's (P34), so an old folder is found out by the
 * first message it gets. Versions: section 13.
 */
import type { Charter, Claim, StoredEntry, Term } from '../../contract/facts.ts';
import type { Position } from '../journal/tail.ts';
import type { Saver } from './register.ts';

/** The newest version this release reads; it reads the one before as well (section 13). */
export const PROTOCOL_VERSION = 1;

/** The last position a watch confirmed; `exact` unless it was restarted meanwhile (P30). */
export type Mark = { term: Term; index: number; exact: boolean };

export type Body =
  // Changing the charter. A precheck is the same question with nothing saved (P19).
  | { kind: 'ask'; term: Term; precheck: boolean; claim?: Claim }
  | { kind: 'promised'; term: Term; precheck: boolean; accepted: Charter; end: Position | null; mark: Mark | null }
  | { kind: 'propose'; charter: Charter }
  | { kind: 'accepted'; term: Term }
  /** `promised` and `accepted` tell whom to ask; they decide nothing (P11). */
  | { kind: 'refused'; what: Body['kind']; term: Term; promised: Term; accepted: Charter; why: string }
  // Writing. `round` comes back in the answer: it dates the confirmation (P36).
  | { kind: 'append'; charter: Charter; previous: Position; entries: StoredEntry[]; committed: number; round: number }
  | { kind: 'appended'; term: Term; index: number; round: number }
  | { kind: 'mismatch'; term: Term; marks: Position[]; round: number }
  | { kind: 'confirm'; charter: Charter; index: number; round: number }
  | { kind: 'confirmed'; term: Term; index: number; round: number }
  | { kind: 'snapshotOffered'; charter: Charter; at: Position; round: number }
  /** Says only what every message says: what its sender has seen of the receiver's memory (P34). */
  | { kind: 'reminded' }
  // Courtesies: they make things quicker, never right.
  | { kind: 'takeOver'; term: Term }
  | { kind: 'cannotWrite' }
  | { kind: 'leaving' };

export type Message = {
  /** The version in use, enabled by a committed entry. */
  version: number;
  /** The newest version the sender can read; absent: `version`. */
  speaks?: number;
  cluster: string;
  store: string;
  /** Keeps a journal: a controller. Else a watch. */
  keepsJournal: boolean;
  /** Saves of the sender's register that are on its disk. */
  saves: number;
  /** The process that made the last of them (P34). */
  saver: string;
  /** The receiver's memory as the sender has seen it. */
  seen: { store: string; savers: Saver[] } | null;
  body: Body;
};
