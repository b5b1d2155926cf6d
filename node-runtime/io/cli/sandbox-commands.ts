/**
 * Commands about sandboxes: list, make, fetch, bring, remove, look back.
 *
 * Files go both ways by the modules upload and download; here is what they are
 * called and what is said about it. Removing a file moves it to the trash;
 * removing a whole sandbox has to be said in so many words.
 */
import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import type { Entry, FileVersion, Right, RightsEntry, Sandbox } from '../../contract/model.ts';
import type { BodyOf } from '../../contract/routes.ts';
import type { NodeClient } from './client.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { Failure, fileFailure, misused } from './failure.ts';
import { entryOf } from './rights-words.ts';
import { type SandboxPlace, sandboxPlace, within } from './sandbox-path.ts';
import type { Column } from './table.ts';
import type { Progress } from './upload.ts';
import { counted, momentInWords, plain, sizeInWords } from './words.ts';

const ok = exitCodes.ok.code;

export async function list(context: Context, target: string | undefined): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    if (target === undefined) {
      const { sandboxes } = await client.ask('sandboxes');
      if (context.json) context.document({ sandboxes });
      else context.rows(sandboxColumns, sandboxes, 'No sandboxes. Make one: binnacle sandbox create NAME');
      return ok;
    }
    const { sandbox, path } = sandboxPlace(target);
    const { entriesOf } = await import('./download.ts');
    const entries: Entry[] = [];
    for await (const entry of entriesOf(client, sandbox, path)) entries.push(entry);
    if (context.json) context.document({ sandbox, path, entries });
    else context.rows(entryColumns, entries, 'Nothing is in this folder.');
    return ok;
  });
}

const sandboxColumns: Column<Sandbox>[] = [
  { title: 'SANDBOX', cell: (each) => each.name },
  { title: 'KIND', cell: (each) => each.kind },
  { title: 'FILES', cell: (each) => each.files.toLocaleString('en-GB'), right: true },
  { title: 'SIZE', cell: (each) => sizeInWords(each.bytes), right: true },
  { title: 'NODE', cell: (each) => each.node ?? '' },
  { title: 'DIRECTORY', cell: (each) => each.directory ?? '', shrinks: true },
  { title: 'DESCRIPTION', cell: (each) => each.description, shrinks: true },
];

const entryColumns: Column<Entry>[] = [
  { title: 'NAME', cell: (each) => (each.kind === 'folder' ? `${each.name}/` : each.name), shrinks: true },
  { title: 'SIZE', cell: (each) => (each.kind === 'folder' ? '' : sizeInWords(each.bytes)), right: true },
  { title: 'CHANGED', cell: (each) => momentInWords(each.changedAt) },
  { title: 'BY', cell: (each) => each.changedBy ?? '' },
  { title: 'VERSION', cell: (each) => (each.version === undefined ? '' : String(each.version)), right: true },
  { title: 'JOB', cell: jobOf, colour: (each) => (each.job && !each.job.ok ? 'red' : undefined) },
];

function jobOf({ job }: Entry): string {
  if (!job) return '';
  if (!job.ok) return counted(job.problems.length, 'mistake');
  return job.format === 'script' ? 'script' : counted(job.tasks, 'task');
}

type CreateOptions = { kind?: string; directory?: string; description?: string; on?: string };

export async function create(context: Context, name: string, options: CreateOptions): Promise<number> {
  const kind = options.kind ?? (options.directory === undefined ? 'shared' : 'local');
  if (kind !== 'shared' && kind !== 'local' && kind !== 'partitioned') {
    throw misused(`"${kind}" is no kind of sandbox.`, 'Kinds: shared, local, partitioned.');
  }
  if (options.directory !== undefined && !isAbsolute(options.directory)) {
    throw misused(`The directory is a path on the node, so it has to be absolute; "${options.directory}" is not.`);
  }
  const body: BodyOf<'sandboxCreate'> = { name, kind };
  if (options.directory !== undefined) body.directory = options.directory;
  if (options.description !== undefined) body.description = options.description;
  if (options.on !== undefined) body.node = options.on;
  return withNode(context, 'offline', async (client) => {
    const made = await client.ask('sandboxCreate', { body });
    if (context.json) context.document(made);
    else context.say(`Sandbox ${plain(made.name)} was made (${made.kind}).`);
    return ok;
  });
}

export async function remove(context: Context, target: string, options: { whole?: boolean }): Promise<number> {
  const { sandbox, path } = sandboxPlace(target);
  if (path === '' && !options.whole) {
    throw misused(
      `This would remove the whole sandbox "${sandbox}" with its files and their history.`,
      'If that is meant, add --whole. A single file is named like box/path.',
    );
  }
  return withNode(context, 'offline', async (client) => {
    if (path === '') await client.ask('sandboxRemove', { params: { sandbox } });
    else await client.ask('fileRemove', { params: { sandbox, path } });
    if (context.json) context.document({ removed: target });
    else context.say(path === '' ? `Sandbox ${sandbox} was removed.` : `${plain(target)} is in the trash.`);
    return ok;
  });
}

/** Shows who may what; `set` replaces the whole list, `clear` leaves it to the roles again. */
export async function rights(
  context: Context,
  sandbox: string,
  options: { set?: string[]; clear?: boolean },
): Promise<number> {
  const { set = [], clear } = options;
  if (clear && set.length > 0) throw misused('Either --set or --clear, not both.');
  const wanted = clear ? null : set.map(entryOf);
  return withNode(context, 'offline', async (client) => {
    const params = { sandbox };
    const isChange = clear || set.length > 0;
    const found = isChange
      ? await client.ask('sandboxRights', { params, body: { rights: wanted } })
      : await client.ask('sandbox', { params });
    if (context.json) context.document({ sandbox, rights: found.rights ?? null });
    else if (found.rights) context.rows(rightsColumns, found.rights, 'Nobody but administrators.');
    else if (found.may && found.may.length < 3)
      context.say(`You may ${found.may.join(' and ')} in ${plain(sandbox)}. Administrators see who else may what.`);
    else context.say(`${plain(sandbox)} has no rights of its own: everybody may what they may by role.`);
    return ok;
  });
}

const yes = (each: RightsEntry, right: Right): string => (each.may.includes(right) ? 'yes' : 'no');
const rightsColumns: Column<RightsEntry>[] = [
  { title: 'WHO', cell: (each) => each.who },
  { title: 'READ', cell: (each) => yes(each, 'read') },
  { title: 'WRITE', cell: (each) => yes(each, 'write') },
  { title: 'EXECUTE', cell: (each) => yes(each, 'execute') },
];

export async function history(context: Context, target: string): Promise<number> {
  const { sandbox, path } = aFile(target);
  return withNode(context, 'offline', async (client) => {
    const { versions } = await client.ask('versions', { params: { sandbox, path } });
    if (context.json) context.document({ versions });
    else context.rows(versionColumns, versions, 'This file has no history.');
    return ok;
  });
}

const versionColumns: Column<FileVersion>[] = [
  { title: 'VERSION', cell: (each) => String(each.version), right: true },
  { title: 'AT', cell: (each) => momentInWords(each.at) },
  { title: 'BY', cell: (each) => each.by },
  { title: 'SIZE', cell: (each) => (each.removed ? '' : sizeInWords(each.bytes)), right: true },
  { title: '', cell: (each) => (each.removed ? 'removed' : each.current ? 'current' : '') },
];

export async function restore(context: Context, target: string, version: number): Promise<number> {
  const { sandbox, path } = aFile(target);
  return withNode(context, 'offline', async (client) => {
    const entry = await client.ask('restore', { params: { sandbox }, body: { path, version } });
    if (context.json) context.document(entry);
    else
      context.say(`${plain(target)} is again as in version ${version}; that is now version ${entry.version ?? '?'}.`);
    return ok;
  });
}

function aFile(target: string): SandboxPlace {
  const place = sandboxPlace(target);
  if (place.path === '') throw misused(`"${target}" names a sandbox, not a file.`, 'Write it like box/path.');
  return place;
}

export async function get(
  context: Context,
  target: string,
  local: string | undefined,
  options: { recursive?: boolean; version?: number },
): Promise<number> {
  const { sandbox, path } = options.recursive ? sandboxPlace(target) : aFile(target);
  const name = basename(path) || sandbox;
  return withNode(context, 'offline', async (client) => {
    const { download, downloadFolder, downloadText } = await import('./download.ts');
    const of = { sandbox, path, ...(options.version === undefined ? {} : { version: options.version }) };
    if (local === '-') {
      const decoder = new TextDecoder();
      await downloadText(client, of, (bytes) => context.terminal.out(decoder.decode(bytes, { stream: true })));
      context.terminal.out(decoder.decode());
      return ok;
    }
    const place = await placeFor(local, name);
    if (options.recursive) {
      const made = await downloadFolder(client, of, place, (entry) => progressOf(context, entry.path));
      if (context.json) context.document({ folder: place, files: made });
      else context.say(`${counted(made.length, 'file')} in ${place}`);
      return ok;
    }
    const bytes = await download(client, of, place, progressOf(context, name));
    if (context.json) context.document({ file: place, bytes });
    else context.say(`${plain(target)} -> ${place} (${sizeInWords(bytes)})`);
    return ok;
  });
}

/** Into a folder that is there, under its own name; otherwise under the name given. */
async function placeFor(local: string | undefined, name: string): Promise<string> {
  if (local === undefined) return name;
  const found = await stat(local).catch(() => null);
  return found?.isDirectory() || local.endsWith('/') ? join(local, name) : local;
}

type Sent = { file: string; path: string };

export async function put(
  context: Context,
  files: string[],
  target: string,
  options: { recursive?: boolean; replace?: boolean },
): Promise<number> {
  const place = sandboxPlace(target);
  const intoFolder = place.isFolder || files.length > 1;
  // Looked at before a node is: a name mistyped costs nothing.
  const planned: Plan = { files: [], folders: [], left: [] };
  for (const file of files) {
    await plan(planned, file, intoFolder ? within(place.path, basename(file)) : place.path, options.recursive === true);
  }
  return withNode(context, 'offline', async (client) => {
    for (const file of planned.left) context.note(`${file} is left out: only files and folders are sent.`);
    await makeFolders(client, place.sandbox, planned.folders);
    const { upload } = await import('./upload.ts');
    const made: Entry[] = [];
    for (const { file, path } of planned.files) {
      const to = { sandbox: place.sandbox, path, noReplace: options.replace === false };
      const entry = await upload(client, file, to, progressOf(context, file));
      made.push(entry);
      if (!context.json) context.say(`${file} -> ${plain(within(place.sandbox, path))} (${sizeInWords(entry.bytes)})`);
      warnOfMistakes(context, entry);
    }
    if (context.json) context.document({ entries: made });
    return ok;
  });
}

type Plan = { files: Sent[]; folders: string[]; left: string[] };

async function plan(planned: Plan, file: string, path: string, recursive: boolean): Promise<void> {
  const found = await stat(file).catch((fault: unknown) => Promise.reject(fileFailure(file, fault)));
  if (found.isFile()) planned.files.push({ file, path });
  else if (!found.isDirectory()) planned.left.push(file);
  else if (recursive) await planFolder(planned, file, path);
  else throw misused(`${file} is a folder.`, 'Send it with all in it: add -r.');
}

async function planFolder(planned: Plan, folder: string, path: string): Promise<void> {
  const names = await readdir(folder).catch((fault: unknown) => Promise.reject(fileFailure(folder, fault)));
  if (names.length === 0) planned.folders.push(path);
  for (const name of names.sort()) {
    const file = join(folder, name);
    const found = await lstat(file).catch((fault: unknown) => Promise.reject(fileFailure(file, fault)));
    // A link could lead out of the folder that was meant, or round in a circle.
    if (found.isDirectory()) await planFolder(planned, file, within(path, name));
    else if (found.isFile()) planned.files.push({ file, path: within(path, name) });
    else planned.left.push(file);
  }
}

async function makeFolders(client: NodeClient, sandbox: string, folders: string[]): Promise<void> {
  for (const path of folders) {
    await client.ask('folderCreate', { params: { sandbox }, body: { path } }).catch((fault: unknown) => {
      if (!(fault instanceof Failure && fault.code === 'file_exists')) throw fault;
    });
  }
}

function warnOfMistakes(context: Context, entry: Entry): void {
  if (!entry.job || entry.job.ok) return;
  context.note(`${plain(entry.path)} is kept but cannot be launched:`);
  for (const { line, column, sentence, hint } of entry.job.problems) {
    const at = line === undefined ? '' : `line ${line}${column === undefined ? '' : `, column ${column}`}: `;
    context.note(`  ${at}${plain(sentence)}${hint ? ` ${plain(hint)}` : ''}`);
  }
}

const progressEveryMs = 200;

/** One line on a terminal that is written over and taken away at the end; nothing elsewhere. */
function progressOf(context: Context, name: string): Progress {
  const { terminal } = context;
  if (!terminal.isTty || context.json) return () => undefined;
  const began = Date.now();
  let shownAt = began;
  let shown = false;
  return (done, total) => {
    const now = Date.now();
    if (done >= total) {
      if (shown) terminal.err('\r\u001b[K');
      shown = false;
    } else if (now - shownAt >= progressEveryMs) {
      const perSecond = sizeInWords((done * 1000) / Math.max(1, now - began));
      const percent = `${Math.floor((done * 100) / total)} %`;
      const line = `${plain(name)}  ${percent}  ${sizeInWords(done)} of ${sizeInWords(total)}  ${perSecond}/s`;
      terminal.err(`\r\u001b[K${line.slice(0, Math.max(20, terminal.columns - 1))}`);
      shown = true;
      shownAt = now;
    }
  };
}
