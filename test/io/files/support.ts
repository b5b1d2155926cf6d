/** Temporary folders that go away, streams of known bytes, children that are killed, and deadlines for states. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Refusal } from '../../../node-runtime/contract/errors.ts';
import { etagMatches } from '../../../node-runtime/core/sandboxes/etags.ts';
import { checkPath } from '../../../node-runtime/core/sandboxes/paths.ts';

export const rules = { checkPath, etagMatches };

/** A fresh folder for one test. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'binnacle-files-'));
  afterThis(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const endings: (() => void)[] = [];
export const afterThis = (end: () => void): void => void endings.push(end);
afterEach(() => {
  for (const end of endings.splice(0).reverse()) end();
});

/** A child running this module text in Node; killed at the end of the test at the latest. */
export function child(script: string, ...argv: string[]): ChildProcess {
  const made = spawn(process.execPath, ['--input-type=module', '-e', script, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  afterThis(() => made.kill('SIGKILL'));
  return made;
}

export const ended = (made: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (made.exitCode !== null || made.signalCode !== null) resolve();
    else made.once('exit', () => resolve());
  });

/** Polls for a state, up to ten seconds. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`Waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export async function* source(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

/** Gives its parts, then breaks as a lost connection does. */
export async function* broken(...parts: string[]): AsyncGenerator<Uint8Array> {
  yield* source(...parts);
  throw new Error('connection lost');
}

export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

/** The value, or a failed test that shows the refusal. */
export function given<T extends object>(value: T): Exclude<T, Refusal> {
  if ('code' in value) throw new Error(JSON.stringify(value));
  return value as Exclude<T, Refusal>;
}
