/**
 * Until when attempts with a lease may live on this machine, as the runner knows it.
 *
 * Counted on the machine's clock that counts sleep, so that a lease is over
 * after a sleep too. Only grows. Kept in `attempts/.lease`, without a sync and
 * at most once a second: a runner that is started again and the keeper know it
 * from there. What another boot of the machine has written counts as over.
 * Leaves out what is done when it is over.
 *
 * Promise: what the file says was granted; it may be up to a second old, never
 * ahead. The line is overwritten in place, since a full disk has no room for
 * another file, and begins and ends with the same number: a reader that sees
 * two different ones has read it half written and looks again.
 * Rules: P35.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { limits } from '../../contract/limits.ts';
import { readIfThere } from './attempt-folder.ts';

/** What `/proc/uptime` shows, so that a shell reads the same clock. */
export const uptimeMs = (): number => uptime() * 1000;

export const leaseFile = (dataDir: string): string => join(dataDir, 'attempts', '.lease');

/** `heardAtMs`: when an active controller was heard last, on the same clock. */
type Granted = { endsAtMs: number; heardAtMs: number };

const digits = 15;
const never: Granted = { endsAtMs: Number.NEGATIVE_INFINITY, heardAtMs: Number.NaN };

export class Lease {
  #file: string;
  #boot: string;
  #granted: Granted;
  /** By performance.now(). */
  #keptAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(dataDir: string, boot: string) {
    this.#file = leaseFile(dataDir);
    this.#boot = boot;
    this.#granted = readGranted(readIfThere(this.#file) ?? '', boot) ?? never;
  }

  renew(endsAtMs: number, heardAtMs: number): void {
    if (!(endsAtMs > this.#granted.endsAtMs)) return;
    this.#granted = { endsAtMs, heardAtMs };
    const waitMs = this.#keptAt + limits.leaseKeptEveryMs - performance.now();
    if (waitMs <= 0) this.#keep();
    else this.#timer ??= setTimeout(() => this.#keep(), waitMs);
  }

  isOver(): boolean {
    return uptimeMs() >= this.#granted.endsAtMs;
  }

  /** What is left of the time in which attempts are asked to end, before they are killed. */
  graceMs(): number {
    if (this.#granted === never) return limits.leaseGraceMs;
    const left = this.#granted.endsAtMs + limits.leaseGraceMs - uptimeMs();
    return Math.max(0, Math.min(limits.leaseGraceMs, left));
  }

  /** For how long no active controller was heard; null: unknown. */
  silentMs(): number | null {
    return this.#granted === never ? null : uptimeMs() - this.#granted.heardAtMs;
  }

  #keep(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#keptAt = performance.now();
    try {
      overwrite(this.#file, lineOf(this.#granted, this.#boot));
    } catch (problem) {
      // Known here all the same. Who has only the file ends attempts too early, never too late.
      if ((problem as NodeJS.ErrnoException).code === undefined) throw problem;
    }
  }
}

/** Always of one length. */
function lineOf({ endsAtMs, heardAtMs }: Granted, boot: string): string {
  const ends = Math.floor(endsAtMs).toString().padStart(digits);
  return `${ends} ${Math.floor(heardAtMs).toString().padStart(digits)} ${boot} ${ends}\n`;
}

function overwrite(path: string, line: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    writeSync(file, line, 0);
  } finally {
    closeSync(file);
  }
}

function readGranted(text: string, boot: string): Granted | null {
  const [ends = '', heard = '', ofBoot = '', again = ''] = text.trim().split(/\s+/);
  if (!/^\d+$/.test(ends) || ends !== again || ofBoot !== boot) return null;
  return { endsAtMs: Number(ends), heardAtMs: Number(heard) };
}
