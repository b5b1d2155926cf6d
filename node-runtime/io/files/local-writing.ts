/**
 * New bytes for a file of a directory: written beside it under a reserved
 * name, synced, and given to the caller to rename. What a killed program left
 * of this is swept away when its folder is read a day later.
 */
import { randomUUID } from 'node:crypto';
import { type BigIntStats, constants, type Dirent } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';
import type { Source } from './blobs.ts';
import { writeWhole } from './durable.ts';
import { leaves, type Place, RESERVED, statsAt } from './local-places.ts';

const TEMPORARY = `${RESERVED}-temp-`;

export const temporaryName = (): string => TEMPORARY + randomUUID();

/** Keeps who may read and write; `executable` undefined keeps that too. */
export function modeOf(before: BigIntStats | null, executable: boolean | undefined): number {
  const mode = before ? Number(before.mode & 0o777n) : 0o644;
  if (executable === undefined) return mode;
  // who may read may run
  return executable ? mode | ((mode & 0o444) >> 2) : mode & ~0o111;
}

/** Nothing is written before the new file is known to lie inside. */
export async function writeTemporary(
  place: Place,
  name: string,
  source: Source,
  ask: { bytesMax: number; mode: number },
): Promise<Refusal | null> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
  const handle = await open(place.at(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    if (!(await place.isOwn(handle, name))) return leaves('this folder');
    let bytes = 0;
    for await (const chunk of source) {
      if (bytes + chunk.length > ask.bytesMax) return refuse('body_too_large', `More than ${ask.bytesMax} bytes came.`);
      await writeWhole(handle, chunk, bytes);
      bytes += chunk.length;
    }
    await handle.chmod(ask.mode);
    await handle.sync();
    return null;
  } finally {
    await handle.close();
  }
}

/** Left by a program that was killed while it wrote here. */
export async function sweepTemporary(place: Place, found: Dirent[]): Promise<void> {
  for (const each of found) {
    if (!each.isFile() || !each.name.startsWith(TEMPORARY)) continue;
    const stats = await statsAt(place, each.name);
    if (stats && Date.now() - Number(stats.mtimeMs) > limits.uploadIdleMs) {
      // where it cannot be removed it stays: reading a folder must not fail for it
      await rm(place.at(each.name), { force: true }).catch(() => undefined);
    }
  }
}
