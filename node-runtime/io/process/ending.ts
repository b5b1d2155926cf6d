/**
 * How what became of a wrapper is told as the end of an attempt.
 *
 * Pure but for the look at a program that could not be run. A stop that was
 * asked for outweighs the exit code, because the code then only says how the
 * job took it. What nobody can know is called unknown, never failed.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { AttemptEnd } from '../../contract/facts.ts';
import type { Stop } from './attempt-folder.ts';
import type { AttemptOrder } from './orders.ts';

export type Outcome =
  | { kind: 'code'; code: number; at: number }
  /** The wrapper itself was killed: no code, but it is seen that it ended. */
  | { kind: 'killed'; signal: string; at: number }
  | { kind: 'cannotStart'; detail: string; at: number }
  | { kind: 'lost'; detail: string; at: number };

type Told = Pick<AttemptEnd, 'state' | 'cause' | 'exitCode' | 'signal' | 'detail'>;

const signalNames = new Map(Object.entries(osConstants.signals).map(([name, number]) => [number, name]));

/** A shell's exit code above 128 stands for the signal that ended the command. */
export const signalOfCode = (code: number): string | null =>
  code > 128 ? (signalNames.get(code - 128) ?? null) : null;

export function tellEnd(
  outcome: Outcome,
  stop: Stop | null,
  order: Pick<AttemptOrder, 'command'> | null,
  timeoutMs: number | null,
  notStartable: string | null,
): Told {
  if (stop !== null) return tellStopped(outcome, stop, timeoutMs);
  if (outcome.kind === 'cannotStart') return { state: 'failed', cause: 'cannot_start', detail: outcome.detail };
  if (outcome.kind === 'lost') return { state: 'unknown', cause: 'lost', detail: outcome.detail };
  if (outcome.kind === 'killed') {
    const detail = `The processes of this attempt were ended from outside by ${outcome.signal}.`;
    return { state: 'failed', cause: 'signal', signal: outcome.signal, detail };
  }
  const { code } = outcome;
  if (code === 0) return { state: 'succeeded', cause: 'exit', exitCode: 0 };
  if (notStartable !== null) return { state: 'failed', cause: 'cannot_start', exitCode: code, detail: notStartable };
  const signal = signalOfCode(code);
  if (signal !== null) return { state: 'failed', cause: 'signal', exitCode: code, signal };
  const detail = order && 'shell' in order.command ? shellHint(code) : undefined;
  return { state: 'failed', cause: 'exit', exitCode: code, ...(detail ? { detail } : {}) };
}

function tellStopped(outcome: Outcome, { cause, silentMs }: Stop, timeoutMs: number | null): Told {
  const how: Partial<Told> = {};
  if (outcome.kind === 'killed') how.signal = outcome.signal;
  if (outcome.kind === 'cannotStart') how.detail = 'Stopped before it began.';
  if (outcome.kind === 'code') {
    how.exitCode = outcome.code;
    const signal = signalOfCode(outcome.code);
    if (signal !== null) how.signal = signal;
  }
  if (cause === 'cancelled') return { state: 'cancelled', cause: 'cancelled', ...how };
  if (cause === 'lease') {
    const what = outcome.kind === 'cannotStart' ? 'Not begun' : 'Ended';
    const silence = silentMs === null ? '' : ` for ${Math.floor(silentMs / 1000)} s`;
    const detail = `${what} because no active controller was heard${silence}; it may be started elsewhere.`;
    return { state: 'failed', cause: 'lost', ...how, detail };
  }
  const after = timeoutMs === null ? 'its time' : `${timeoutMs / 1000} s`;
  return { state: 'failed', cause: 'timeout', ...how, detail: `Stopped because it had not ended after ${after}.` };
}

function shellHint(code: number): string | undefined {
  if (code === 127) return 'A command in the script was not found (exit code 127).';
  if (code === 126) return 'A command in the script may not be executed (exit code 126).';
  return undefined;
}

/**
 * A shell says 127 or 126 when it could not run the program, but programs may
 * end with these codes too. Looks which it was; null: the program did run.
 */
export function whyNotStartable(program: string, directory: string, searchPath: string): string | null {
  const place = findProgram(program, directory, searchPath);
  if (place === null) return `The program "${program}" was not found.`;
  if (!mayExecute(place)) return `"${program}" is there but may not be executed.`;
  const interpreter = interpreterOf(place);
  if (interpreter !== null && !isThere(interpreter)) {
    return `"${program}" needs the interpreter "${interpreter}", which was not found.`;
  }
  return null;
}

function findProgram(program: string, directory: string, searchPath: string): string | null {
  if (program.includes('/')) {
    const place = resolve(directory, program);
    return isThere(place) ? place : null;
  }
  const places = searchPath
    .split(delimiter)
    .map((folder) => join(isAbsolute(folder) ? folder : resolve(directory, folder), program));
  return places.find(mayExecute) ?? places.find(isThere) ?? null;
}

const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

function mayExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function interpreterOf(path: string): string | null {
  const first = Buffer.alloc(256);
  const file = openSync(path, 'r');
  try {
    const bytes = readSync(file, first);
    return /^#!\s*(\S+)/.exec(first.toString('latin1', 0, bytes))?.[1] ?? null;
  } finally {
    closeSync(file);
  }
}
