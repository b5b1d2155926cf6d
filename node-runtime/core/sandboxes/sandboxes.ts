/**
 * The sandboxes of the cluster: which there are, and every kept file's history.
 *
 * *Decide* turns what is asked into facts or refuses it and changes nothing;
 * *apply* folds a committed fact in and refuses nothing. Contents lie
 * elsewhere (io/files), named by hash. Of a local sandbox only the name and
 * place are known here: its directory speaks for itself.
 *
 * Every version stays for as long as its sandbox, so a run can read the
 * revision it pinned whatever is edited, moved or removed afterwards.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Fact, FileChange, Entry as JournalEntry } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import type { Entry, Sandbox } from '../../contract/model.ts';
import { carryOut, refusalOf } from './changes.ts';
import { etagMatches, keptEtag } from './etags.ts';
import { Folder } from './folder.ts';
import { entryOf } from './listing.ts';
import { checkPath, folderOf, nameOf, utf8Bytes } from './paths.ts';
import { Draft, KeptTree, type KeptVersion, must } from './tree.ts';

export type SandboxRecord = {
  name: string;
  storage: 'kept' | 'local';
  node?: string;
  directory?: string;
  description: string;
  createdAt: number;
  createdBy: string;
  /** Grows by one with every `filesChanged`. */
  revision: number;
  /** Empty for a local sandbox. */
  tree: KeptTree;
};
export type Sandboxes = Map<string, SandboxRecord>;
export type SandboxAsk = {
  name: string;
  storage: 'kept' | 'local';
  description: string;
  node?: string;
  directory?: string;
};
export type Guard = { path: string; ifMatch?: string; ifAbsent?: boolean };
export type Decided = { facts: Fact[] } | Refusal;

export const emptySandboxes = (): Sandboxes => new Map();

/** The sandbox, or `sandbox_unknown`. */
export function sandboxNamed(state: Sandboxes, name: string): SandboxRecord | Refusal {
  return state.get(name) ?? unknownSandbox(name);
}

/** Also said of one that is there, to who may not know of it. */
export const unknownSandbox = (name: string): Refusal => refuse('sandbox_unknown', `There is no sandbox "${name}".`);

export const takenSandbox = (name: string): Refusal =>
  refuse('sandbox_exists', `There is a sandbox "${name}" already.`);

// ------------------------------------------------------------------ decide

/** A local one comes with `node` and `directory`, both chosen and checked by the shell. */
export function decideCreateSandbox(state: Sandboxes, ask: SandboxAsk): Decided {
  const { name, storage, description, node, directory } = ask;
  const isName = /^[a-z0-9][a-z0-9._-]*$/.test(name) && name.length <= limits.sandboxNameCharsMax;
  if (!isName || typeof checkPath(name) !== 'string') {
    return refuse('bad_request', `"${name}" cannot be the name of a sandbox.`);
  }
  if (state.has(name)) return takenSandbox(name);
  if (state.size >= limits.sandboxesMax) {
    return refuse('limit_reached', `There are ${limits.sandboxesMax} sandboxes, and no more are possible.`);
  }
  if (storage === 'kept') return { facts: [{ kind: 'sandboxCreated', name, storage, description }] };
  if (node === undefined || directory === undefined) {
    return refuse('bad_request', 'A local sandbox needs a node and a directory on it.');
  }
  return { facts: [{ kind: 'sandboxCreated', name, storage, node, directory, description }] };
}

export function decideRemoveSandbox(state: Sandboxes, name: string, inUse: boolean): Decided {
  if (!state.has(name)) return unknownSandbox(name);
  if (inUse) return refuse('sandbox_in_use', `Runs of "${name}" have not ended.`);
  return { facts: [{ kind: 'sandboxRemoved', name }] };
}

/** All of the changes, in their order, as one fact and one revision; or none of them. */
export function decideChanges(state: Sandboxes, sandbox: string, changes: FileChange[], guard?: Guard): Decided {
  const record = sandboxNamed(state, sandbox);
  if ('code' in record) return record;
  if (record.storage !== 'kept') {
    return refuse('sandbox_kind', `"${sandbox}" is local: its files change in its directory, without versions.`);
  }
  const refusal = refusalOfSize(changes) ?? (guard ? refusalOfGuard(record.tree, guard) : null);
  if (refusal) return refusal;
  const refused = refusalOfChanges(record, changes);
  return refused ?? { facts: [{ kind: 'filesChanged', sandbox, changes }] };
}

function refusalOfSize(changes: FileChange[]): Refusal | null {
  if (changes.length === 0) return refuse('bad_request', 'No change is named.');
  if (changes.length > limits.changesPerEntryMax) {
    return refuse('limit_reached', `At most ${limits.changesPerEntryMax} changes are possible at once.`);
  }
  // the entry around the changes is small; a quarter is left for it
  if (utf8Bytes(JSON.stringify(changes)) > limits.entryBytesMax * 0.75) {
    return refuse('limit_reached', 'These changes are too many for one entry of the journal; make them in parts.');
  }
  return null;
}

function refusalOfGuard(tree: KeptTree, guard: Guard): Refusal | null {
  const kind = tree.kindAt(guard.path);
  if (guard.ifAbsent && kind !== null) return refuse('file_exists', `There is a ${kind} "${guard.path}" already.`);
  if (guard.ifMatch === undefined) return null;
  if (kind === 'folder') return refuse('not_a_file', `"${guard.path}" is a folder.`);
  const latest = tree.latest(guard.path);
  if (!latest || kind === null) return refuse('file_changed', `"${guard.path}" is no longer there.`);
  if (etagMatches(guard.ifMatch, keptEtag(latest.version, latest.hash))) return null;
  return refuse('file_changed', `"${guard.path}" is at version ${latest.version} now, saved by ${latest.by}.`);
}

function refusalOfChanges(record: SandboxRecord, changes: FileChange[]): Refusal | null {
  // a single change, the usual case, needs no draft
  if (changes.length === 1) return refusalOf(record.tree, changes[0]!);
  const draft = new Draft(record.tree);
  for (const change of changes) {
    const refusal = refusalOf(draft, change);
    if (refusal) return refusal;
    carryOut(draft, change, { revision: record.revision + 1, at: 0, by: '' });
  }
  return null;
}

// ------------------------------------------------------------------- apply

/** Folds a committed entry in; kinds of others are passed over. */
export function applyToSandboxes(state: Sandboxes, entry: JournalEntry): void {
  const { fact, at, by } = entry;
  if (fact.kind === 'sandboxCreated') {
    must(!state.has(fact.name), `the sandbox ${fact.name} is made a second time`);
    const { name, storage, description, node, directory } = fact;
    const place = { ...(node === undefined ? {} : { node }), ...(directory === undefined ? {} : { directory }) };
    const made = { name, storage, ...place, description, createdAt: at, createdBy: by };
    state.set(name, { ...made, revision: 0, tree: new KeptTree(at, by) });
  } else if (fact.kind === 'sandboxRemoved') {
    must(state.delete(fact.name), `the unknown sandbox ${fact.name} is removed`);
  } else if (fact.kind === 'filesChanged') {
    const record = state.get(fact.sandbox);
    must(record && record.storage === 'kept', `files of ${fact.sandbox} change, which is no kept sandbox`);
    record.revision += 1;
    for (const change of fact.changes) carryOut(record.tree, change, { revision: record.revision, at, by });
  }
}

// ------------------------------------------------------------------- views

/** `measured` is what the shell found in the directory of a local sandbox. */
export function sandboxView(record: SandboxRecord, measured?: { files: number; bytes: number }): Sandbox {
  const { name, node, directory, description, revision, createdBy } = record;
  return {
    name,
    kind: record.storage === 'kept' ? 'shared' : 'local',
    ...(node === undefined ? {} : { node }),
    ...(directory === undefined ? {} : { directory }),
    description,
    revision,
    files: measured?.files ?? record.tree.files,
    bytes: measured?.bytes ?? record.tree.bytes,
    createdAt: new Date(record.createdAt).toISOString(),
    createdBy,
  };
}

/** The file or folder at a path (`''` is the top); `file_unknown`, `path_refused`. */
export function entryAt(record: SandboxRecord, path: string): Entry | Refusal {
  const checked = checkPath(path, { allowTop: true });
  if (typeof checked !== 'string') return checked;
  const kind = record.tree.kindAt(path);
  return kind ? entryOf(record.tree, path, kind) : refuse('file_unknown', `There is no file or folder "${path}".`);
}

// ---------------------------------------------------------------- snapshot

type SavedRecord = Omit<SandboxRecord, 'tree'> & {
  folders: [path: string, at: number, by: string][];
  files: [path: string, versions: KeptVersion[]][];
};

/** Plain data for JSON; {@link loadSandboxes} makes the same state of it. */
export function saveSandboxes(state: Sandboxes): unknown {
  const sandboxes = Array.from(state.values(), ({ tree, ...rest }): SavedRecord => {
    const folders = Array.from(tree.folders, ([path, { at, by }]): [string, number, string] => [path, at, by]);
    return { ...rest, folders, files: [...tree.histories] };
  });
  return { version: 1, sandboxes };
}

/** Reads {@link saveSandboxes} back, also after JSON. Throws a plain sentence for a version it cannot read. */
export function loadSandboxes(value: unknown): Sandboxes {
  const saved = value as { version: number; sandboxes: SavedRecord[] };
  if (saved.version !== 1) throw new Error(`The saved sandboxes have version ${saved.version}; this program reads 1.`);
  return new Map(
    saved.sandboxes.map(({ folders, files, ...rest }) => [rest.name, { ...rest, tree: treeOf(folders, files) }]),
  );
}

function treeOf(folders: SavedRecord['folders'], files: SavedRecord['files']): KeptTree {
  const tree = new KeptTree(0, '');
  for (const [path, at, by] of folders) tree.folders.set(path, new Folder(at, by));
  for (const path of tree.folders.keys()) if (path !== '') nameInFolder(tree, path, 'folder');
  for (const [path, versions] of files) {
    tree.histories.set(path, [...versions]);
    const latest = versions.at(-1);
    must(latest, `${path} was saved without a version`);
    if (!latest.removed) {
      tree.files += 1;
      tree.bytes += latest.bytes;
      nameInFolder(tree, path, 'file');
    } else if (latest.movedTo === undefined) tree.trash.add(path);
  }
  return tree;
}

function nameInFolder(tree: KeptTree, path: string, kind: 'file' | 'folder'): void {
  const folder = tree.folders.get(folderOf(path));
  must(folder, `${path} was saved without its folder`);
  folder.set(nameOf(path), kind);
}
