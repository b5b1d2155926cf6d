/**
 * The text of a job file, wherever its sandbox keeps it, with the revision
 * that a run of it pins. Of a script only the beginning is read: its first
 * line says by what it is run.
 */
import { type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import { isActive } from '../core/node-state.ts';
import { fileAt } from '../core/sandboxes/listing.ts';
import { sandboxNamed } from '../core/sandboxes/sandboxes.ts';
import { askPeer } from './ask-peer.ts';
import { isJobFilePath } from './job-text.ts';
import { localFolder } from './local-sandboxes.ts';
import type { Parts } from './parts.ts';

/** `node`: only there may it run, since its sandbox lies there. */
export type JobSource = { text: string; executable: boolean; revision: number | null; node?: string };

/** Enough for the first line of a script. */
export const HEAD_BYTES = 4096;

/**
 * @param forWish what is read goes into a wish of this same node: it need not be confirmed by itself, because the wish
 * is only committed if nobody has replaced this node in the meantime
 */
export async function readJobSource(
  parts: Parts,
  sandbox: string,
  path: string,
  forWish = false,
): Promise<JobSource | Refusal> {
  const record = await (forWish ? latest(parts, sandbox) : parts.sandbox(sandbox));
  if ('code' in record) return record;
  if (record.storage === 'local') {
    if (record.node !== parts.loop.state.self.node) {
      const query = new URLSearchParams({ sandbox, path });
      return askPeer<JobSource>(parts, record.node!, `source?${query}`);
    }
    const folder = await localFolder(record);
    if ('code' in folder) return folder;
    const file = await folder.openFile(path);
    if ('code' in file) return file;
    const stream = file.stream(partOf(path, file.bytes));
    try {
      if (isTooLarge(path, file.bytes)) return tooLarge(path);
      const text = (await collect(stream)).toString('utf8');
      return { text, executable: file.entry.executable === true, revision: null, node: record.node! };
    } finally {
      stream.destroy();
    }
  }
  // One look gives file and revision together: what is read is what will be pinned.
  const { revision } = record;
  const file = fileAt(record, path);
  if ('code' in file) return file;
  if (isTooLarge(path, file.bytes)) return tooLarge(path);
  const lack = await parts.blobs.lackOf(file);
  if (lack) return lack;
  const text = (await collect(parts.blobs.read(file.hash, partOf(path, file.bytes)))).toString('utf8');
  return { text, executable: file.executable, revision };
}

const latest = (parts: Parts, sandbox: string) =>
  isActive(parts.loop.state) ? sandboxNamed(parts.loop.state.replicated.sandboxes, sandbox) : parts.sandbox(sandbox);

const isTooLarge = (path: string, bytes: number): boolean => isJobFilePath(path) && bytes > limits.jobFileBytesMax;
const tooLarge = (path: string): Refusal =>
  refuse('not_launchable', `${path} is larger than a job file may be (${limits.jobFileBytesMax} bytes).`);

/** Undefined: all of it. */
const partOf = (path: string, bytes: number): { start: number; end: number } | undefined =>
  isJobFilePath(path) || bytes <= HEAD_BYTES ? undefined : { start: 0, end: HEAD_BYTES - 1 };

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
