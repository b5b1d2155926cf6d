/**
 * Writing so that it stays written: whole buffers, synced files and folders,
 * and a full disk told apart from every other failure.
 *
 * A rename is only durable once its folder is synced; Windows has no way to
 * sync a folder and does not need it. Nothing here retries: a sync that failed
 * is thrown, because the kernel may have dropped the bytes already.
 */
import { type FileHandle, link, lstat, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/** No room is left on the disk, or in the quota. Nothing half written is left behind. */
export class DiskFull extends Error {
  override name = 'DiskFull';
}

/** A failure of the world in our words; a full disk by its own type. */
export function worldFailure(sentence: string, cause: unknown): Error {
  if (cause instanceof DiskFull) return cause;
  const isFull = hasCode(cause, 'ENOSPC') || hasCode(cause, 'EDQUOT');
  return isFull ? new DiskFull(`${sentence}: the disk is full`, { cause }) : new Error(sentence, { cause });
}

export const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

/** The whole buffer at that place; a short write goes on where it stopped. */
export async function writeWhole(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A small file, replaced at once and whole. Durable against a crash of the machine after `syncFolder`. */
export async function replaceText(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw worldFailure(`${dirname(file)} cannot be written`, cause);
  }
}

/** Fails with EEXIST rather than replace a file. Folders, and disks without hard links, are looked at first. */
export async function moveWithoutReplacing(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (cause) {
    if (!hasCode(cause, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw cause;
    const isThere = await lstat(to).then(
      () => true,
      () => false,
    );
    if (isThere) throw Object.assign(new Error(`${to} exists`, { cause }), { code: 'EEXIST' });
    await rename(from, to);
    return;
  }
  await unlink(from);
}
