/**
 * What the runner does about an attempt's output while it grows.
 *
 * It measures, notes when which offset was reached (`times`), and cuts what is
 * too long. Processes write into the file themselves, so between two looks it
 * may be longer than allowed; readers never show that part. The number of lines
 * in `times` grows with the logarithm of the attempt's length, not with it.
 */
import { appendFileSync, existsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const lineMsMin = 100;
/** A line for each five-thousandth of the time so far: 50,000 lines in a month. */
const lineShare = 5_000;

export type Growth = { bytes: number; cut: boolean; notedBytes: number; notedAt: number };

export const freshGrowth = (): Growth => ({ bytes: 0, cut: false, notedBytes: 0, notedAt: 0 });

/** For an attempt that another runner has watched before. */
export const knownGrowth = (folder: string): Growth => ({ ...freshGrowth(), cut: existsSync(join(folder, 'cut')) });

export type Look = { outputBytesMax: number; startedAt: number; now: number; final: boolean };

/** Looks at the output once; `now` and `startedAt` are wall time in ms. */
export function measureOutput(folder: string, growth: Growth, look: Look): void {
  const path = join(folder, 'output');
  growth.bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (growth.bytes > look.outputBytesMax) {
    // Marked first: what is missing must never look complete.
    if (!growth.cut) writeFileSync(join(folder, 'cut'), '');
    growth.cut = true;
    truncateSync(path, look.outputBytesMax);
    growth.bytes = look.outputBytesMax;
  }
  const due = look.final || look.now - growth.notedAt >= Math.max(lineMsMin, (look.now - look.startedAt) / lineShare);
  if (growth.bytes === growth.notedBytes || !due) return;
  appendFileSync(join(folder, 'times'), `${growth.bytes} ${Math.round(look.now)}\n`);
  growth.notedBytes = growth.bytes;
  growth.notedAt = look.now;
}
