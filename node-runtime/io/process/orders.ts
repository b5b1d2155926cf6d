/**
 * What the node and its runner say to each other about attempts.
 *
 * Shapes only, plus the checks of names that become file names. Everything
 * here is plain JSON, so it crosses a forked process and an Electron port
 * alike. All orders are idempotent: a message that may have been lost is sent
 * again, and an attempt that is known is answered with its state (P35).
 */
import assert from 'node:assert/strict';
import type { AttemptEnd } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';

export type OrderFile = {
  /** Relative, `/` between plain names. */
  path: string;
  /** Absolute path of an immutable blob: copied, never linked. */
  source: string;
  executable: boolean;
};

export type AttemptOrder = {
  /** `${run}.${task}.${number}`: letters, digits, dot, underline, dash. Names a folder. */
  attempt: string;
  run: string;
  task: string;
  number: number;
  term: string;
  /** What the run folder holds, laid out once a run; null: work in `directory`. */
  files: OrderFile[] | null;
  /** A local sandbox: work there. */
  directory: string | null;
  /** Relative to the run folder or directory; '' is its top. */
  workingDirectory: string;
  command: { program: string; arguments: string[] } | { shell: string };
  environment: Record<string, string>;
  /** Variable → value: nowhere on a disk, and never in the output. Only of one that is to be started. */
  secrets?: Record<string, string>;
  timeoutMs: number | null;
  stopGraceMs: number;
  outputBytesMax: number;
  /** It may be started again elsewhere, so it is ended when the lease is over (P35). */
  leased: boolean;
};

/** lease: no active controller was heard for so long that it may be started elsewhere. */
export type StopCause = 'cancelled' | 'timeout' | 'lease';

export type AttemptReport = { attempt: string } & (
  | { type: 'started'; at: number }
  | { type: 'ended'; end: AttemptEnd }
);

/** What the node durably remembers of an attempt that has not ended, told at its start. */
export type KnownAttempt = {
  attempt: string;
  order: AttemptOrder | null;
  /** The boot id of the machine when it was saved (`bootId()`). */
  bootId: string;
  /** saved: it may have begun. running: a start was reported. */
  state: 'saved' | 'running';
};

/**
 * watched: it runs, its end will be reported. ended: reported from what its
 * wrapper left. neverStarted: proved, and proved for good: starting is safe.
 * lost: reported as ended with state unknown.
 */
export type Recovered = { attempt: string; found: 'watched' | 'ended' | 'neverStarted' | 'lost' };

export type RunnerSettings = {
  /** Absolute path of the node's data folder. */
  dataDir: string;
  /** Take a cgroup v2 for each attempt where one can be made. */
  cgroups: boolean;
};

export type ToRunner =
  | { type: 'open'; settings: RunnerSettings }
  | { type: 'layout'; run: string; files: OrderFile[] }
  /** `files` is left out here: it goes ahead, once a run, as `layout`. */
  | { type: 'start'; order: AttemptOrder }
  | { type: 'stop'; attempt: string; cause: StopCause }
  /** Until when attempts with a lease may live, and when it was heard: on the machine's clock that counts sleep. */
  | { type: 'lease'; endsAtMs: number; heardAtMs: number }
  | { type: 'recover'; id: number; known: KnownAttempt[] }
  | { type: 'forget'; id: number; attempts: string[] }
  | { type: 'remove'; id: number; attempts: string[] }
  | { type: 'sweep'; id: number; runs: string[] }
  /** The node goes. The runner stays while attempts with a lease live, without a node. */
  | { type: 'close' };

export type FromRunner =
  | { type: 'opened'; pid: number; cgroups: boolean }
  | { type: 'report'; report: AttemptReport }
  | { type: 'recovered'; id: number; list: Recovered[] }
  | { type: 'done'; id: number };

/**
 * The channel between a node and its runner, as the node holds it. It carries
 * plain JSON values in order and may drop what was sent when it breaks; it
 * never doubles and never reorders.
 */
export type Channel = {
  send(message: unknown): void;
  onMessage(hear: (message: unknown) => void): void;
  /** Called once, with a sentence; nothing comes after it. Called at once when it is too late already. */
  onGone(hear: (why: string) => void): void;
  /** Ends the other side at once. */
  stop(): void;
};

const plainName = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

export const isPlainName = (name: string): boolean => plainName.test(name) && name.length <= limits.nameBytesMax - 40;

/** Attempts and runs name folders: anything else in them is our own bug. */
export function assertPlainName(name: string): void {
  assert(isPlainName(name), `not a plain name: ${JSON.stringify(name)}`);
}

export function assertOrder(order: AttemptOrder): void {
  assertPlainName(order.attempt);
  assertPlainName(order.run);
  assert.equal(order.attempt, `${order.run}.${order.task}.${order.number}`);
  assert((order.files === null) !== (order.directory === null), 'an order has files or a directory, one of them');
  assert(order.directory === null || order.directory.startsWith('/'), 'a directory is an absolute path');
  assert(order.timeoutMs === null || order.timeoutMs > 0);
  assert(order.stopGraceMs >= 0 && order.outputBytesMax > 0);
}
