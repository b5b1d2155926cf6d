/**
 * Files of a local sandbox: a directory of this node, changed in place.
 *
 * There are no versions. Each change is told to the journal after it was made,
 * for the audit and so that other consoles see it. What checking found in a
 * job file is remembered by its etag, so listing a folder reads each only once.
 */

import { type Refusal, refuse } from '../contract/errors.ts';
import type { Fact } from '../contract/facts.ts';
import { limits } from '../contract/limits.ts';
import type { Entry, JobCheck } from '../contract/model.ts';
import type { SandboxRecord } from '../core/sandboxes/sandboxes.ts';
import { checkJobText, isJobPath } from '../io/files/job-text.ts';
import type { LocalFolder } from '../io/files/local-folder.ts';
import type { Asking, Files } from './files.ts';
import { localFolder } from './local-sandboxes.ts';
import { isRefusal, type Parts } from './parts.ts';

type Act = Extract<Fact, { kind: 'localFilesChanged' }>['act'];

const CHECKS_KEPT = 5_000;
const checks = new Map<string, JobCheck>();

export async function localFiles(parts: Parts, record: SandboxRecord): Promise<Files | Refusal> {
  const opened = await localFolder(record);
  if (isRefusal(opened)) return opened;
  const folder: LocalFolder = opened;

  async function withCheck(entry: Entry): Promise<Entry> {
    if (entry.kind !== 'file' || !isJobPath(entry.path) || entry.bytes > limits.jobFileBytesMax) return entry;
    const name = `${record.name}\n${entry.path}\n${entry.etag}`;
    const known = checks.get(name);
    if (known) return { ...entry, job: known };
    const read = await folder.readText(entry.path, limits.jobFileBytesMax);
    if ('code' in read) return entry; // gone since it was listed
    const { check } = checkJobText(entry.path, read.text);
    if (checks.size >= CHECKS_KEPT) checks.delete(checks.keys().next().value!);
    checks.set(name, check);
    return { ...entry, job: check };
  }

  /** Tells the journal what was done. The directory has it already, so a refusal there changes nothing. */
  async function told<T extends Entry | null>(
    asking: Asking,
    act: Act,
    paths: string[],
    done: T | Refusal,
  ): Promise<T | Refusal> {
    if (isRefusal(done)) return done;
    await parts.loop.ask(asking.caller.by, null, { wish: 'noteLocalChange', sandbox: record.name, act, paths });
    return (done === null ? done : await withCheck(done)) as T;
  }

  return {
    async list(path, cursor, limit) {
      const page = await folder.list(path, cursor, limit);
      if ('code' in page) return page;
      const { unlisted: _, ...rest } = page;
      return { ...rest, revision: record.revision, entries: await Promise.all(page.entries.map(withCheck)) };
    },
    async search(text, limit) {
      const found = await folder.search(text, limit);
      return { ...found, entries: await Promise.all(found.entries.map(withCheck)) };
    },
    async open(path, version) {
      if (version !== undefined) return noVersions(record);
      const file = await folder.openFile(path);
      return 'code' in file ? file : { bytes: file.bytes, etag: file.etag, stream: (range) => file.stream(range) };
    },
    async write(asking, path, source, guard) {
      return told(
        asking,
        'write',
        [path],
        await folder.write(path, source, { bytesMax: limits.fileBytesMax, ...guard }),
      );
    },
    async completeUpload(asking, upload) {
      let path = '';
      const done = await parts.uploads.completeInto(
        upload,
        { sandbox: record.name, by: asking.caller.by },
        (source, ask) => {
          path = ask.path;
          return folder.write(ask.path, source, {
            bytesMax: limits.fileBytesMax,
            ...(ask.ifMatch === undefined ? {} : { ifMatch: ask.ifMatch }),
            ...(ask.ifAbsent === undefined ? {} : { ifAbsent: ask.ifAbsent }),
            ...(ask.executable === undefined ? {} : { executable: ask.executable }),
          });
        },
      );
      return told(asking, 'write', [path], done);
    },
    async remove(asking, path) {
      return told(asking, 'remove', [path], await folder.remove(path, asking.caller.by, Date.now()));
    },
    async makeFolder(asking, path) {
      return told(asking, 'folder', [path], await folder.makeFolder(path));
    },
    async move(asking, path, to) {
      return told(asking, 'move', [path, to], await folder.move(path, to));
    },
    async copy(asking, path, to) {
      return told(asking, 'copy', [to], await folder.copy(path, to));
    },
    async restore(asking, path, version) {
      return told(asking, 'restore', [path], await folder.restore(path, version));
    },
    versions: async () => noVersions(record),
    trash: async () => (await folder.trash()).items,
    async zip(path) {
      const entry = await folder.entryAt(path);
      if ('code' in entry) return entry;
      return entry.kind === 'file' ? refuse('not_a_folder', `"${path}" is a file.`) : folder.zipItems(path);
    },
  };
}

const noVersions = (record: SandboxRecord): Refusal =>
  refuse('version_unknown', `"${record.name}" is local: its files have no versions.`);
