/**
 * The folder a run works in, `DATA/work/RUN/`, shared by its tasks on this worker.
 *
 * Laid out from immutable blobs in a hidden folder beside it and then renamed,
 * so it is there completely or not at all, however a crash falls. Blobs are
 * copied (by reference where the file system can), never linked: a job that
 * writes into its files must not reach the blob. Paths are checked once more;
 * since all is written below a folder that nobody else knows yet, there is no
 * symbolic link to follow. Nothing is synced: a run does not survive its machine.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { limits } from '../../contract/limits.ts';
import { assertPlainName, type OrderFile } from './orders.ts';

const copiesAtOnce = 8;

export const runFolder = (dataDir: string, run: string): string => {
  assertPlainName(run);
  return join(dataDir, 'work', run);
};

/** True for a relative path of plain names; '' is not one. */
export function staysInside(path: string): boolean {
  if (path === '' || path.length > limits.pathBytesMax || path.includes('\0') || path.includes('\\')) return false;
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}

/** Makes the run's folder unless it is there. Throws with a sentence when a file cannot be laid out. */
export async function layOut(dataDir: string, run: string, files: OrderFile[]): Promise<string> {
  const folder = runFolder(dataDir, run);
  if (await isFolder(folder)) return folder;
  const refused = files.find((file) => !staysInside(file.path));
  if (refused) throw new Error(`The path "${refused.path}" leads out of the run's folder.`);
  const draft = join(dataDir, 'work', `.${run}.${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(draft, { mode: 0o700 });
    await fill(draft, files);
    await rename(draft, folder);
  } catch (problem) {
    await rm(draft, { recursive: true, force: true });
    throw problem;
  }
  return folder;
}

async function fill(draft: string, files: OrderFile[]): Promise<void> {
  const folders = new Set(files.map((file) => dirname(file.path)));
  for (const folder of folders) if (folder !== '.') await mkdir(join(draft, folder), { recursive: true });
  let next = 0;
  const copySome = async () => {
    for (let file = files[next++]; file !== undefined; file = files[next++]) {
      const target = join(draft, file.path);
      await copyFile(file.source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await chmod(target, file.executable ? 0o755 : 0o644);
    }
  };
  await Promise.all(Array.from({ length: Math.min(copiesAtOnce, files.length) }, copySome));
}

/** Removes a run's folder; renamed first, so a crash in the middle never leaves half of it to be used. */
export async function sweepRun(dataDir: string, run: string): Promise<void> {
  const gone = join(dataDir, 'work', `.gone.${run}.${randomBytes(6).toString('hex')}`);
  try {
    await rename(runFolder(dataDir, run), gone);
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw problem;
  }
  await rm(gone, { recursive: true, force: true });
}

/** Removes what crashes left half made or half removed. Only while no other runner is there. */
export async function sweepDrafts(dataDir: string): Promise<void> {
  const work = join(dataDir, 'work');
  for (const name of await readdir(work)) {
    if (name.startsWith('.')) await rm(join(work, name), { recursive: true, force: true });
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
