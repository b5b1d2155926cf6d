/**
 * Requests about sandboxes and the files in them.
 *
 * Finds the sandbox, takes the face of its kind (`kept-files`, `local-files`),
 * and speaks HTTP: ranges, ETags, guards, uploads, zips. What a path may be is
 * checked below, by the core's one rule.
 */
import path from 'node:path';
import { type Refusal, refuse } from '../contract/errors.ts';
import type { Sandbox } from '../contract/model.ts';
import { type Rights, rightsIn, sees } from '../core/access/rights.ts';
import { memberNamed } from '../core/members/members.ts';
import { checkPath } from '../core/sandboxes/paths.ts';
import { type SandboxRecord, sandboxView, takenSandbox } from '../core/sandboxes/sandboxes.ts';
import { disposition, fileHeaders } from '../io/files/media.ts';
import { zipItems, zipStream } from '../io/files/zip.ts';
import { matches } from '../io/http/answers.ts';
import type { Caller, Handlers } from '../io/http/asked.ts';
import { askPeer } from './ask-peer.ts';
import { nameOf } from './cluster-words.ts';
import { type Files, type Guard, readRange } from './files.ts';
import { keptFiles } from './kept-files.ts';
import { localFiles } from './local-files.ts';
import { makeLocalDirectory } from './local-sandboxes.ts';
import type { ListedSandbox, Parts } from './parts.ts';
import { rightsShown, visibleHere } from './rights.ts';
import { isRefusal, replied, wish } from './wish.ts';

type SandboxRoutes =
  | 'sandboxes'
  | 'sandboxCreate'
  | 'sandbox'
  | 'sandboxRemove'
  | 'sandboxRights'
  | 'entries'
  | 'search'
  | 'fileRead'
  | 'fileWrite'
  | 'fileRemove'
  | 'folderCreate'
  | 'move'
  | 'copy'
  | 'versions'
  | 'restore'
  | 'trash'
  | 'zip'
  | 'uploadCreate'
  | 'upload'
  | 'uploadChunk'
  | 'uploadComplete'
  | 'uploadCancel';

const SEARCH_MAX = 200;

export function sandboxHandlers(parts: Parts): Pick<Handlers, SandboxRoutes> {
  const { loop, uploads } = parts;

  const recordOf = parts.sandbox;

  async function filesOf(name: string): Promise<Files | Refusal> {
    const record = await recordOf(name);
    if ('code' in record) return record;
    if (record.storage === 'kept') return keptFiles(parts, name);
    // A blind node is asked itself: what lies in the same place of its own disk is something else.
    if (record.node !== loop.state.self.node)
      return refuse(
        'node_unreachable',
        `${nameOf(parts, record.node!)} holds "${name}", and nobody leads who could ask it.`,
      );
    return localFiles(parts, record);
  }

  /** Runs `act` on the files of a sandbox and gives what it gives as the body. */
  async function on<T>(
    sandbox: string,
    act: (files: Files) => Promise<T | Refusal>,
    status: 200 | 201 = 200,
  ): Promise<Refusal | { status: 200 | 201; body: T }> {
    const files = await filesOf(sandbox);
    if (isRefusal(files)) return files;
    const body = await act(files);
    return isRefusal(body) ? body : { status, body };
  }

  async function viewOf(record: ListedSandbox, caller: Caller): Promise<Sandbox> {
    return { ...(await measuredView(record)), ...rightsShown(caller, record.name, record.rights ?? null) };
  }

  async function measuredView(record: ListedSandbox): Promise<Sandbox> {
    if (record.storage === 'kept') return sandboxView(record);
    if (record.node === loop.state.self.node) return parts.viewOfLocal(record);
    // What lies on another node is measured there; while it is away its place is shown without figures.
    const query = new URLSearchParams({ sandbox: record.name });
    const measured = await askPeer<Sandbox>(parts, record.node!, `measure?${query}`);
    return 'code' in measured ? sandboxView(record) : measured;
  }

  async function directoryOn(node: string, name: string, directory: string | null): Promise<string | Refusal> {
    if (node === loop.state.self.node) return makeLocalDirectory(parts.data, name, directory);
    const made = await askPeer<{ directory: string }>(parts, node, 'makeLocal', { name, directory });
    return 'code' in made ? made : made.directory;
  }

  return {
    async sandboxes({ caller }) {
      const records = await loop.read(({ sandboxes, access }) =>
        [...sandboxes.values()].map((record) => withRights(record, access.rights)),
      );
      const isSeen = sees(visibleHere(parts, caller));
      const seen = records.filter(({ name }) => isSeen(name));
      const sandboxes = await Promise.all(seen.map((record) => viewOf(record, caller)));
      return { body: { sandboxes: sandboxes.sort((a, b) => (a.name < b.name ? -1 : 1)) } };
    },

    async sandboxCreate(asked) {
      const { name, kind, description = '', directory, node: named } = asked.body;
      // Rights stay with a name when its sandbox is removed: who is not among them can't take it.
      const left = loop.state.replicated.access.rights.get(name);
      if (left && rightsIn(asked.caller, name, left).length === 0) return takenSandbox(name);
      if (kind === 'partitioned')
        return refuse('sandbox_kind', 'A partitioned sandbox needs several nodes; this cluster has one.');
      if (kind === 'shared')
        return replied(await wish(parts, asked, { wish: 'createSandbox', name, storage: 'kept', description }));
      if (directory !== undefined && asked.caller.role !== 'admin') {
        return refuse('role_missing', 'Only an administrator may open a directory of the node as a sandbox.');
      }
      const holder = named === undefined ? loop.state.self.node : memberNamed(loop.state.replicated.members, named)?.id;
      if (holder === undefined) return refuse('node_unknown', `There is no node ${named}.`);
      const made = await directoryOn(holder, name, directory ?? null);
      if (typeof made !== 'string') return made;
      const at = { node: holder, directory: made };
      return replied(await wish(parts, asked, { wish: 'createSandbox', name, storage: 'local', description, ...at }));
    },

    async sandbox({ params, caller }) {
      const record = await recordOf(params.sandbox);
      return 'code' in record ? record : { body: await viewOf(record, caller) };
    },

    async sandboxRights(asked) {
      const { params, body } = asked;
      return replied(await wish(parts, asked, { wish: 'changeRights', name: params.sandbox, rights: body.rights }));
    },

    async sandboxRemove(asked) {
      return replied(await wish(parts, asked, { wish: 'removeSandbox', name: asked.params.sandbox }));
    },

    entries: ({ params, query }) => on(params.sandbox, (files) => files.list(query.path, query.cursor, query.limit)),
    search: ({ params, query }) => on(params.sandbox, (files) => files.search(query.text, query.limit ?? SEARCH_MAX)),

    async fileRead({ params, query, headers: given, head }) {
      const files = await filesOf(params.sandbox);
      if (isRefusal(files)) return files;
      const file = await files.open(params.path, query.version);
      if (isRefusal(file)) return file;
      const headers = {
        ...fileHeaders(params.path, query.download === '1'),
        etag: file.etag,
        'accept-ranges': 'bytes',
        'cache-control': 'private, no-cache',
      };
      if (matches(given.ifNoneMatch, file.etag)) return { status: 304, headers };
      // A download that goes on must not be put together of two states of a file.
      const isSame = given.ifRange === undefined || given.ifRange === file.etag;
      const range = readRange(isSame ? given.range : undefined, file.bytes);
      if (isRefusal(range)) return range;
      if (head) return { headers: { ...headers, 'content-length': String(file.bytes) } };
      if (!range) return { headers: { ...headers, 'content-length': String(file.bytes) }, body: file.stream() };
      const { start, end } = range;
      const part = {
        'content-range': `bytes ${start}-${end}/${file.bytes}`,
        'content-length': String(end - start + 1),
      };
      return { status: 206, headers: { ...headers, ...part }, body: file.stream(range) };
    },

    async fileWrite(asked) {
      const { params, query, headers, body } = asked;
      const guard: Guard = {
        ...(headers.ifMatch === undefined ? {} : { ifMatch: headers.ifMatch }),
        ...(headers.ifNoneMatch === '*' ? { ifAbsent: true } : {}),
        ...(query.executable === undefined ? {} : { executable: query.executable === '1' }),
      };
      return on(params.sandbox, (files) => files.write(asked, params.path, body, guard));
    },

    async fileRemove(asked) {
      const done = await on(asked.params.sandbox, (files) => files.remove(asked, asked.params.path));
      return isRefusal(done) ? done : { status: 204 };
    },

    folderCreate: (asked) => on(asked.params.sandbox, (files) => files.makeFolder(asked, asked.body.path), 201),
    move: (asked) => on(asked.params.sandbox, (files) => files.move(asked, asked.body.path, asked.body.to)),
    copy: (asked) => on(asked.params.sandbox, (files) => files.copy(asked, asked.body.path, asked.body.to), 201),

    versions: ({ params }) =>
      on(params.sandbox, async (files) => {
        const versions = await files.versions(params.path);
        return isRefusal(versions) ? versions : { versions };
      }),
    restore: (asked) => on(asked.params.sandbox, (files) => files.restore(asked, asked.body.path, asked.body.version)),
    trash: ({ params }) =>
      on(params.sandbox, async (files) => {
        const items = await files.trash();
        return isRefusal(items) ? items : { items };
      }),

    async zip({ params, query }) {
      const files = await filesOf(params.sandbox);
      if (isRefusal(files)) return files;
      const found = await files.zip(query.path);
      if (isRefusal(found)) return found;
      const items = await zipItems(found);
      if (isRefusal(items)) return items;
      const name = `${query.path === '' ? params.sandbox : path.posix.basename(query.path)}.zip`;
      return {
        headers: { 'content-type': 'application/zip', 'content-disposition': disposition('attachment', name) },
        body: zipStream(items),
      };
    },

    async uploadCreate({ params, body, caller }) {
      const record = await recordOf(params.sandbox);
      if ('code' in record) return record;
      const checked = checkPath(body.path);
      if (typeof checked !== 'string') return checked;
      const upload = await uploads.create({ sandbox: params.sandbox, ...definedOf(body) }, caller.by);
      return isRefusal(upload) ? upload : { status: 201, body: upload };
    },
    upload({ params, caller }) {
      const upload = uploads.status(params.upload, { sandbox: params.sandbox, by: caller.by });
      return isRefusal(upload) ? upload : { body: upload };
    },
    async uploadChunk({ params, query, body, caller }) {
      const upload = await uploads.append(
        params.upload,
        { sandbox: params.sandbox, by: caller.by },
        query.offset,
        body,
      );
      return isRefusal(upload) ? upload : { body: upload };
    },
    uploadComplete: (asked) =>
      on(asked.params.sandbox, (files) => files.completeUpload(asked, asked.params.upload, asked.params.sandbox)),
    async uploadCancel({ params, caller }) {
      return (await uploads.cancel(params.upload, { sandbox: params.sandbox, by: caller.by })) ?? { status: 204 };
    },
  };
}

/** A record with its list, where it has one. */
export function withRights(record: SandboxRecord, rights: Rights): ListedSandbox {
  const list = rights.get(record.name);
  return list ? { ...record, rights: list } : record;
}

/** Without the members that are undefined, as exact optional types want it. */
function definedOf<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}
