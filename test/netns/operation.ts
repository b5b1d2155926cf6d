/**
 * One operation of a client, as it is recorded: what was asked, when it was
 * called and answered, and how it ended. A history is a list of these.
 *
 * All times are of the machine's monotonic clock, which is one for every
 * process on it, so operations of different clients can be compared.
 */
export type Kind = 'launch' | 'cancel' | 'write' | 'readRun' | 'readFile' | 'readCluster';

/**
 * `ok`: answered with success. `refused`: certainly not done, since no try of
 * it could have been. `unknown`: may have been done once, or may still be.
 */
export type Outcome = 'ok' | 'refused' | 'unknown';

export type Operation = {
  client: number;
  kind: Kind;
  /** Idempotency key of a change; its own name for a read. */
  key: string;
  calledAt: number;
  /** When the try that was answered was sent. */
  triedAt: number;
  /** Null when it is not known how it ended. */
  returnedAt: number | null;
  outcome: Outcome;
  tries: number;
  /** The node that answered, or the last one asked. */
  node: string;
  status: number | null;
  /** Code of a refusal, or what broke the connection. */
  why: string | null;
  /** `binnacle-position`, `binnacle-term` and `binnacle-read`, as answered. */
  position: number | null;
  term: string | null;
  freshness: string | null;
  run: string | null;
  path: string | null;
  /** Written or read. Each write of a file carries a number one higher than the one before. */
  number: number | null;
  /** Reads: was it there? */
  found: boolean | null;
};

export const isChange = (kind: Kind): boolean => kind === 'launch' || kind === 'cancel' || kind === 'write';

/** Milliseconds of the machine's monotonic clock. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Terms compare by era, number, node. */
export function compareTerms(one: string, other: string): number {
  const [a, b] = [one, other].map((text) => /^(\d+)\.(\d+)\.(.*)$/.exec(text));
  if (!a || !b) throw new Error(`no terms: ${one}, ${other}`);
  return Number(a[1]) - Number(b[1]) || Number(a[2]) - Number(b[2]) || (a[3]! < b[3]! ? -1 : a[3]! > b[3]! ? 1 : 0);
}
