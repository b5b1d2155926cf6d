/**
 * What goes into the core and what comes out: events past, effects imperative.
 *
 * All of it is data, so a run of a node can be written down and played again.
 * The shell (`node.ts`) carries out the effects of a step in this order,
 * always: save, then send, then answer, then start. An effect that depends on
 * a committed entry is only given out once it is committed.
 */

import type { Refusal } from '../contract/errors.ts';
import type { AttemptEnd, Entry, Term } from '../contract/facts.ts';
import type { LiveEvent, Run } from '../contract/model.ts';
import type { Register } from './cluster/register.ts';
import type { AttemptOrder } from './jobs/order.ts';
import type { AttemptName } from './jobs/state.ts';
import type { Wish } from './wishes.ts';

export type Asked = {
  /** Names the answer; the shell's own counter. */
  id: number;
  by: string;
  via: string;
  key: { key: string; request: string } | null;
  wish: Wish;
};

export type { AttemptName };
export type AttemptKnown = AttemptName & ({ state: 'running' } | { state: 'ended'; end: AttemptEnd });

export type Event =
  | { event: 'ticked'; now: number }
  | { event: 'registerSaved'; now: number }
  /** A save failed in a way that may pass (the disk is full). Nothing of it was kept. */
  | { event: 'saveFailed'; now: number }
  /** Entries up to this index are on this node's disk. */
  | { event: 'synced'; index: number; now: number }
  | { event: 'asked'; asked: Asked; now: number; random: string }
  /** The worker obeys this term and tells which attempts it knows (P35). */
  | { event: 'workerGreeted'; node: string; slots: number; attempts: AttemptKnown[]; now: number; random: number }
  | { event: 'attemptStarted'; name: AttemptName; at: number; now: number }
  | { event: 'attemptEnded'; name: AttemptName; end: AttemptEnd; now: number; random: number };

/** What a worker needs to start an attempt, in the term it is sent in (P35). */
export type Order = AttemptOrder & { term: Term };

export type Reply = { status: number; body: unknown } | Refusal;

export type Effect =
  | { effect: 'saveRegister'; register: Register }
  | { effect: 'append'; entries: Entry[] }
  | { effect: 'saveSnapshot'; index: number; term: Term; text: string }
  | { effect: 'fileRuns'; runs: Run[] }
  | { effect: 'answer'; id: number; reply: Reply }
  | { effect: 'publish'; events: LiveEvent[] }
  | { effect: 'greetWorkers'; term: Term }
  | { effect: 'startAttempt'; order: Order }
  | { effect: 'stopAttempt'; name: AttemptName; node: string }
  | { effect: 'forgetAttempt'; name: AttemptName; node: string }
  | { effect: 'sweepRun'; run: string }
  /** Acting was given up: read the state again from what is on disk, then tick. */
  | { effect: 'reload' };
