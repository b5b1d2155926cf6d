/**
 * The folder of an attempt, `DATA/attempts/ATTEMPT/`: what is in it and what it proves.
 *
 *   claim-K          file: wrapper K ran or runs the job; ends with the job's exit code.
 *                    Folder: voided, wrapper K never will run it
 *   ended            how it ended, by the runner, where no wrapper could say
 *   stopped-because  cancelled, timeout or lease, written before the first signal;
 *                    lease with the seconds for which no active was heard, if known
 *   output, times, cut   see output.ts
 *   script           the shell text, while needed
 *   pipe, masking    of one with secrets: what its job writes into, who reads that (start-masker.ts)
 *
 * Promise (P35, start once): an attempt is free to start only after its next
 * claim was voided here, exclusively, and never again once a wrapper claimed it
 * or `ended` is there. Nothing is synced: after another boot of the machine the absence
 * of a file proves nothing, and callers must not conclude from it.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttemptEnd } from '../../contract/facts.ts';
import { assertPlainName, type StopCause } from './orders.ts';
import { type Claim, readClaim } from './wrapper.ts';

export type FolderState =
  | { kind: 'ended'; end: AttemptEnd }
  | { kind: 'exited'; code: number; at: number; claim: Claim; claimedAt: number }
  | { kind: 'claimed'; claim: Claim | null; claimedAt: number }
  /** `next` is the first claim that nobody has made. */
  | { kind: 'unclaimed'; next: number };

export function attemptFolder(dataDir: string, attempt: string): string {
  assertPlainName(attempt);
  return join(dataDir, 'attempts', attempt);
}

const codeOf = (problem: unknown): string | undefined => (problem as NodeJS.ErrnoException).code;

/** Makes the folder; false when it was there. */
export function makeFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (problem) {
    if (codeOf(problem) === 'EEXIST') return false;
    throw problem;
  }
}

export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (problem) {
    if (codeOf(problem) === 'ENOENT') return null;
    throw problem;
  }
}

export function readFolder(folder: string): FolderState {
  const ended = readIfThere(join(folder, 'ended'));
  if (ended?.endsWith('\n')) return { kind: 'ended', end: JSON.parse(ended) as AttemptEnd };
  let next = 1;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const match = /^claim-(\d+)$/.exec(entry.name);
    if (match && entry.isFile()) return readClaimed(join(folder, entry.name));
    if (match) next = Math.max(next, Number(match[1]) + 1);
  }
  return { kind: 'unclaimed', next };
}

function readClaimed(path: string): FolderState {
  const claim = readClaim(readFileSync(path, 'utf8'));
  const { birthtimeMs, mtimeMs } = statSync(path);
  const claimedAt = birthtimeMs || mtimeMs; // some file systems keep no time of birth
  if (claim === null || claim.exitCode === null) return { kind: 'claimed', claim, claimedAt };
  return { kind: 'exited', claim, claimedAt, code: claim.exitCode, at: mtimeMs };
}

/** How the job ended, once its wrapper has completely said so. */
export function readExit(folder: string): { code: number; at: number } | null {
  const state = readFolder(folder);
  return state.kind === 'exited' ? { code: state.code, at: state.at } : null;
}

/**
 * Takes claim `number` for nobody. True: no wrapper of that number will ever
 * run the job. False: a wrapper was faster. A folder cannot be half made, so
 * a crash in here leaves no doubt.
 */
export function voidClaim(folder: string, number: number): boolean {
  try {
    mkdirSync(join(folder, `claim-${number}`));
    return true;
  } catch (problem) {
    if (codeOf(problem) === 'EEXIST') return false;
    throw problem;
  }
}

/** Why it is stopped; `silentMs`: for how long no active controller was heard, where that is known. */
export type Stop = { cause: StopCause; silentMs: number | null };

export function writeStop(folder: string, { cause, silentMs }: Stop): void {
  const seconds = silentMs === null ? '' : ` ${Math.floor(silentMs / 1000)}`;
  writeFileSync(join(folder, 'stopped-because'), `${cause}${seconds}\n`);
}

export function readStop(folder: string): Stop | null {
  const text = readIfThere(join(folder, 'stopped-because')) ?? '';
  const match = /^(cancelled|timeout|lease)(?: (\d+))?\n$/.exec(text);
  if (!match) return null;
  return { cause: match[1] as StopCause, silentMs: match[2] === undefined ? null : Number(match[2]) * 1000 };
}

export function writeEnded(folder: string, end: AttemptEnd): void {
  writeFileSync(join(folder, 'ended'), `${JSON.stringify(end)}\n`);
}

/** Removes what was needed to run. The output stays, and the claim, which proves for good that the attempt ended. */
export function forgetFolder(folder: string): void {
  try {
    unlinkSync(join(folder, 'script'));
  } catch (problem) {
    if (codeOf(problem) !== 'ENOENT') throw problem;
  }
}
