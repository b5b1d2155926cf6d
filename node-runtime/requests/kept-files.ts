/**
 * Files of a sandbox that the cluster keeps: contents as blobs named by their
 * hash, the manifest in the journal.
 *
 * A write is: bytes to a blob (synced), the text checked if it is a job file,
 * then one wish. Until that is committed nobody sees the file; after it
 * everybody does, whole.
 */

import { type Refusal, refuse } from '../contract/errors.ts';
import type { FileChange, JobCheck } from '../contract/facts.ts';
import { limits } from '../contract/limits.ts';
import type { Entry } from '../contract/model.ts';
import { keptEtag } from '../core/sandboxes/etags.ts';
import { fileAt, listFolder, searchPaths, trashOf, versionsOf } from '../core/sandboxes/listing.ts';
import { checkPath } from '../core/sandboxes/paths.ts';
import { entryAt, type SandboxRecord, sandboxNamed } from '../core/sandboxes/sandboxes.ts';
import { below } from '../core/sandboxes/tree.ts';
import { keptZipItem, type ZipItem } from '../io/files/zip.ts';
import type { Asking, Files, Guard } from './files.ts';
import { collect, HEAD_BYTES } from './job-source.ts';
import { checkJobText, isJobFilePath, isJobPath, isScriptText } from './job-text.ts';
import type { Parts } from './parts.ts';
import { isRefusal, wish } from './wish.ts';

type Content = { hash: string; bytes: number };

export function keptFiles(parts: Parts, sandbox: string): Files {
  const { blobs, uploads, loop } = parts;

  /** As it is now: bytes may take long to come, and a disk that was full may have made the state anew meanwhile. */
  const read = <T>(look: (record: SandboxRecord) => T | Refusal): Promise<T | Refusal> =>
    loop.read((state) => {
      const now = sandboxNamed(state.sandboxes, sandbox);
      return 'code' in now ? now : look(now);
    });
  /** Only to carry over what a change does not name: it need not be committed. */
  const latest = (path: string) => {
    const now = sandboxNamed(loop.state.replicated.sandboxes, sandbox);
    return 'code' in now ? now : fileAt(now, path);
  };

  async function change(
    asking: Asking,
    changes: FileChange[],
    guard?: Guard & { path: string },
    content = '',
  ): Promise<Entry | null | Refusal> {
    const reply = await wish(
      parts,
      asking,
      { wish: 'changeFiles', sandbox, changes, ...(guard ? { guard } : {}) },
      content,
    );
    return 'code' in reply ? reply : (reply.body as Entry | null);
  }
  const changed = async (asking: Asking, changes: FileChange[]) => (await change(asking, changes)) as Entry | Refusal;

  /** What checking finds, for job files and scripts; null for other files. */
  async function checkOf(path: string, { hash, bytes }: Content): Promise<JobCheck | null> {
    if (bytes === 0) return isJobPath(path) ? checkJobText(path, '').check : null;
    // Of a job file one byte more than it may have, so that the check says so; of others what tells a script.
    const end = Math.min(bytes - 1, isJobFilePath(path) ? limits.jobFileBytesMax : HEAD_BYTES - 1);
    const text = (await collect(blobs.read(hash, { start: 0, end }))).toString('utf8');
    return isJobPath(path) || isScriptText(text) ? checkJobText(path, text).check : null;
  }

  /** `told` tells requests with one key apart whose body is bytes. */
  async function put(
    asking: Asking,
    path: string,
    content: Content,
    guard: Guard,
    told: string,
  ): Promise<Entry | Refusal> {
    const job = await checkOf(path, content);
    const before = latest(path);
    const executable = guard.executable ?? (!('code' in before) && before.executable);
    const { executable: _, ...rest } = guard;
    const change_: FileChange = { op: 'put', path, ...content, executable, ...(job ? { job } : {}) };
    return (await change(asking, [change_], { path, ...rest }, told)) as Entry | Refusal;
  }

  /** A file that gets another name may become a job file, or stop being one: then it is checked under the new name. */
  async function renamed(asking: Asking, op: 'move' | 'copy', path: string, to: string): Promise<Entry | Refusal> {
    const changes: FileChange[] = [{ op, path, to }];
    const file = latest(path);
    if (!('code' in file) && typeof checkPath(to) === 'string' && isJobPath(path) !== isJobPath(to)) {
      const { hash, bytes, executable } = file;
      const job = await checkOf(to, { hash, bytes });
      changes.push({ op: 'put', path: to, hash, bytes, executable, ...(job ? { job } : {}) });
    }
    return changed(asking, changes);
  }

  return {
    list: (path, cursor, limit) => read((record) => listFolder(record, path, cursor, limit)),
    search: (text, limit) => read((record) => searchPaths(record, text, limit)),

    async open(path, version) {
      const file = await read((record) => fileAt(record, path, version === undefined ? {} : { version }));
      if (isRefusal(file)) return file;
      const lack = await blobs.lackOf(file);
      if (lack) return lack;
      return {
        bytes: file.bytes,
        etag: keptEtag(file.version, file.hash),
        stream: (range) => blobs.read(file.hash, range),
      };
    },

    async write(asking, path, source, guard) {
      const checked = checkPath(path);
      if (typeof checked !== 'string') return checked;
      const content = await blobs.store(source, { bytesMax: limits.fileBytesMax });
      return 'code' in content ? content : put(asking, path, content, guard, content.hash);
    },

    async completeUpload(asking, upload) {
      const complete = await uploads.complete(upload, { sandbox, by: asking.caller.by });
      if ('code' in complete) return complete;
      const { path, ifMatch, ifAbsent, executable } = complete.ask;
      const guard: Guard = {
        ...(ifMatch === undefined ? {} : { ifMatch }),
        ...(ifAbsent === undefined ? {} : { ifAbsent }),
        ...(executable === undefined ? {} : { executable }),
      };
      const done = await put(asking, path, complete.content, guard, '');
      if (!isRefusal(done)) await uploads.forget(upload);
      return done;
    },

    async remove(asking, path) {
      const done = await change(asking, [{ op: 'remove', path }]);
      return isRefusal(done) ? done : null;
    },

    makeFolder: (asking, path) => changed(asking, [{ op: 'folder', path }]),
    move: (asking, path, to) => renamed(asking, 'move', path, to),
    copy: (asking, path, to) => renamed(asking, 'copy', path, to),
    restore: (asking, path, version) => changed(asking, [{ op: 'restore', path, version }]),
    versions: (path) => read((record) => versionsOf(record, path)),
    trash: () => read((record) => trashOf(record).items),

    zip: (path) =>
      read((record) => {
        const entry = entryAt(record, path);
        if ('code' in entry) return entry;
        if (entry.kind === 'file') return refuse('not_a_folder', `"${path}" is a file.`);
        const cut = path === '' ? 0 : path.length + 1;
        const items: ZipItem[] = [];
        for (const [full, kind] of below(record.tree, path)) {
          if (full === path) continue;
          const latest = kind === 'file' ? record.tree.latest(full)! : null;
          items.push(keptZipItem(blobs, { path: full.slice(cut), at: latest?.at ?? record.createdAt, file: latest }));
        }
        return items;
      }),
  };
}
