/**
 * The text of a job file, wherever its sandbox keeps it, with the revision
 * that a run of it pins. Files larger than a job file may be are refused.
 */
import { type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import { fileAt } from '../core/sandboxes/listing.ts';
import { sandboxNamed } from '../core/sandboxes/sandboxes.ts';
import { localFolder } from './local-sandboxes.ts';
import type { Parts } from './parts.ts';

export type JobSource = { text: string; executable: boolean; revision: number | null };

export async function readJobSource(parts: Parts, sandbox: string, path: string): Promise<JobSource | Refusal> {
  const record = await parts.loop.read((state) => sandboxNamed(state.sandboxes, sandbox));
  if ('code' in record) return record;
  const tooLarge = refuse(
    'not_launchable',
    `${path} is larger than a job file may be (${limits.jobFileBytesMax} bytes).`,
  );
  if (record.storage === 'local') {
    const folder = await localFolder(record);
    if ('code' in folder) return folder;
    const read = await folder.readText(path, limits.jobFileBytesMax);
    if ('code' in read) return read.code === 'body_too_large' ? tooLarge : read;
    return { text: read.text, executable: read.executable, revision: null };
  }
  // One look gives file and revision together: what is read is what will be pinned.
  const { revision } = record;
  const file = fileAt(record, path);
  if ('code' in file) return file;
  if (file.bytes > limits.jobFileBytesMax) return tooLarge;
  return { text: (await collect(parts.blobs.read(file.hash))).toString('utf8'), executable: file.executable, revision };
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
