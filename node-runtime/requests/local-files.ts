/**
 * Files of a local sandbox: a directory of this node, changed in place.
 *
 * There are no versions. Each change is told to the journal after it was made,
 * for the audit and so that other consoles see it. What checking found in a
 * job file is remembered by its etag, so listing a folder reads each only once.
 */

import { createHash, type Hash } from 'node:crypto';
import { type Refusal, refuse } from '../contract/errors.ts';
import type { Fact } from '../contract/facts.ts';
import { limits } from '../contract/limits.ts';
import type { Entry, JobCheck } from '../contract/model.ts';
import type { SandboxRecord } from '../core/sandboxes/sandboxes.ts';
import type { LocalFolder } from '../io/files/local-folder.ts';
import { leaderOf, whyNobody } from './cluster-words.ts';
import type { Asking, Files, Source } from './files.ts';
import { checkJobText, isJobFilePath, isJobPath } from './job-text.ts';
import { localFolder } from './local-sandboxes.ts';
import type { Parts } from './parts.ts';
import { answeredBefore, isKeyUsed, isRefusal, wish } from './wish.ts';

type Act = Extract<Fact, { kind: 'localFilesChanged' }>['act'];

const CHECKS_KEPT = 5_000;
const checks = new Map<string, JobCheck>();

export async function localFiles(parts: Parts, record: SandboxRecord): Promise<Files | Refusal> {
  const opened = await localFolder(record);
  if (isRefusal(opened)) return opened;
  const folder: LocalFolder = opened;

  async function withCheck(entry: Entry): Promise<Entry> {
    if (entry.kind !== 'file' || !isJobPath(entry.path)) return entry;
    const name = `${record.name}\n${entry.path}\n${entry.etag}`;
    const known = checks.get(name);
    if (known) return { ...entry, job: known };
    // Of a script nothing has to be read: its name says enough.
    const read = isJobFilePath(entry.path) ? await folder.readText(entry.path, limits.jobFileBytesMax) : { text: '' };
    if ('code' in read && read.code !== 'body_too_large') return entry; // gone since it was listed
    const { check } = checkJobText(entry.path, 'text' in read ? read.text : 'x'.repeat(limits.jobFileBytesMax + 1));
    if (checks.size >= CHECKS_KEPT) checks.delete(checks.keys().next().value!);
    checks.set(name, check);
    return { ...entry, job: check };
  }

  /**
   * Changes the directory, then tells the journal what was done, with the answer for the same key (P36). While
   * nothing can be told nothing is changed; a refusal after that comes too late and changes nothing.
   */
  async function changed<T extends Entry | null>(
    asking: Asking,
    { act, paths, content }: { act: Act; paths: string[]; content?: () => string },
    work: () => Promise<T | Refusal>,
  ): Promise<T | Refusal> {
    if (!leaderOf(parts)) return whyNobody(parts);
    const done = await work();
    if (isRefusal(done)) return done;
    const body = done === null ? null : await withCheck(done);
    const answer = { status: body === null ? 204 : act === 'folder' || act === 'copy' ? 201 : 200, body };
    await wish(parts, asking, { wish: 'noteLocalChange', sandbox: record.name, act, paths, answer }, content?.());
    return body as T;
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
      const hash = createHash('sha256');
      const bytes = hashed(source, hash);
      if (await isKeyUsed(parts, asking)) {
        for await (const _ of bytes); // which request it was is told by its bytes
        const before = await answeredBefore(parts, asking, hash.digest('hex'));
        if (before) return 'code' in before ? before : (before.body as Entry);
        return refuse('key_reused', 'The key was used before.');
      }
      return changed(asking, { act: 'write', paths: [path], content: () => hash.digest('hex') }, () =>
        folder.write(path, bytes, { bytesMax: limits.fileBytesMax, ...guard }),
      );
    },
    async completeUpload(asking, upload) {
      const who = { sandbox: record.name, by: asking.caller.by };
      // Told before the upload is forgotten: a client that asks again finds one or the other.
      return parts.uploads.completeInto(upload, who, (source, { path, ifMatch, ifAbsent, executable }) =>
        changed(asking, { act: 'write', paths: [path] }, () =>
          folder.write(path, source, {
            bytesMax: limits.fileBytesMax,
            ...(ifMatch === undefined ? {} : { ifMatch }),
            ...(ifAbsent === undefined ? {} : { ifAbsent }),
            ...(executable === undefined ? {} : { executable }),
          }),
        ),
      );
    },
    remove: (asking, path) =>
      changed(asking, { act: 'remove', paths: [path] }, () => folder.remove(path, asking.caller.by, Date.now())),
    makeFolder: (asking, path) => changed(asking, { act: 'folder', paths: [path] }, () => folder.makeFolder(path)),
    move: (asking, path, to) => changed(asking, { act: 'move', paths: [path, to] }, () => folder.move(path, to)),
    copy: (asking, path, to) => changed(asking, { act: 'copy', paths: [to] }, () => folder.copy(path, to)),
    restore: (asking, path, version) =>
      changed(asking, { act: 'restore', paths: [path] }, () => folder.restore(path, version)),
    versions: async () => noVersions(record),
    trash: async () => (await folder.trash()).items,
    async zip(path) {
      const entry = await folder.entryAt(path);
      if ('code' in entry) return entry;
      return entry.kind === 'file' ? refuse('not_a_folder', `"${path}" is a file.`) : folder.zipItems(path);
    },
  };
}

async function* hashed(source: Source, hash: Hash): Source {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

const noVersions = (record: SandboxRecord): Refusal =>
  refuse('version_unknown', `"${record.name}" is local: its files have no versions.`);
