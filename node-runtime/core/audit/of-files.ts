/** Sandboxes and their files: as rows of the audit. */
import type { FileChange } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import type { RightsEntry } from '../../contract/model.ts';
import type { Replicated } from '../replicated.ts';
import { type Change, changed, nameOf, type Of, type Told } from './words.ts';

const HASH_SHOWN = 12;

type OfFiles = Of<'sandboxCreated' | 'sandboxRemoved' | 'sandboxRightsChanged' | 'filesChanged' | 'localFilesChanged'>;

const rightsText = (rights: RightsEntry[] | null): string =>
  rights === null ? 'as the role' : rights.map(({ who, may }) => `${who}: ${may.join(', ')}`).join('; ') || 'nobody';

export function ofFiles(state: Replicated, fact: OfFiles, who: string): Told {
  const told = (act: string, subject: string, sentence: string, changes: (Change | null)[]): Told => ({
    ...{ area: 'files', act, subject, sentence, changes },
  });
  switch (fact.kind) {
    case 'sandboxCreated': {
      const { name, storage, node, directory, description } = fact;
      const place = node === undefined ? null : { what: 'lies on', after: nameOf(state, node) };
      return told('sandboxCreated', name, `${who} made the sandbox ${name}`, [
        { what: 'kind', after: storage === 'kept' ? 'shared' : 'local' },
        place,
        directory === undefined ? null : { what: 'directory', after: directory },
        description === '' ? null : { what: 'description', after: description },
      ]);
    }
    case 'sandboxRemoved': {
      const known = state.sandboxes.get(fact.name);
      const files = known?.storage === 'kept' ? { what: 'files', before: String(known.tree.files) } : null;
      const description = known?.description ? { what: 'description', before: known.description } : null;
      return told('sandboxRemoved', fact.name, `${who} removed the sandbox ${fact.name}`, [files, description]);
    }
    case 'sandboxRightsChanged': {
      const before = rightsText(state.access.rights.get(fact.name) ?? null);
      const sentence = `${who} said who may do what in ${fact.name}`;
      return told('sandboxRightsChanged', fact.name, sentence, [changed('rights', before, rightsText(fact.rights))]);
    }
    case 'filesChanged': {
      // Those beyond what is listed are only counted: an entry may hold thousands.
      const changes = fact.changes.map((change, place) =>
        place < limits.auditChangesMax ? fileChange(state, fact.sandbox, change) : { what: change.path },
      );
      const [first] = fact.changes;
      const done = fact.changes.length === 1 && first ? fileWords(first) : `changed ${fact.changes.length} paths`;
      return told('filesChanged', fact.sandbox, `${who} ${done} in ${fact.sandbox}`, changes);
    }
    case 'localFilesChanged': {
      const done = `${localWords[fact.act]} ${fact.paths.join(' → ')}`;
      const changes = fact.paths.map((path) => ({ what: path }));
      return told('localFilesChanged', fact.sandbox, `${who} ${done} in ${fact.sandbox}`, changes);
    }
  }
}

const localWords: Record<Of<'localFilesChanged'>['act'], string> = {
  write: 'wrote',
  folder: 'made the folder',
  remove: 'removed',
  move: 'moved',
  copy: 'copied',
  restore: 'restored',
};

function fileWords(change: FileChange): string {
  switch (change.op) {
    case 'put':
      return `wrote ${change.path}`;
    case 'folder':
      return `made the folder ${change.path}`;
    case 'remove':
      return `removed ${change.path}`;
    case 'move':
      return `moved ${change.path} to ${change.to}`;
    case 'copy':
      return `copied ${change.path} to ${change.to}`;
    case 'restore':
      return `restored version ${change.version} of ${change.path}`;
  }
}

/** A content by its version, the beginning of its hash, and its size: enough to find it again. */
function fileChange(state: Replicated, sandbox: string, change: FileChange): Change {
  const tree = state.sandboxes.get(sandbox)?.tree;
  const known = tree?.latest(change.path);
  const isFolder = tree?.kindAt(change.path) === 'folder';
  const there = isFolder
    ? 'folder'
    : known && !known.removed
      ? `version ${known.version}, ${contentText(known)}`
      : null;
  const before = there === null ? {} : { before: there };
  const what = change.path;
  switch (change.op) {
    case 'put':
      return { what, ...before, after: contentText(change) };
    case 'folder':
      return { what, after: 'folder' };
    case 'remove':
      return { what, ...before };
    case 'move':
      return { what, ...before, after: `moved to ${change.to}` };
    case 'copy':
      return { what: change.to, after: `copy of ${what}${there === null ? '' : `, ${there}`}` };
    case 'restore': {
      const old = tree?.numbered(what, change.version);
      return { what, ...before, after: `as version ${change.version}${old ? `, ${contentText(old)}` : ''}` };
    }
  }
}

const contentText = ({ hash, bytes }: { hash: string; bytes: number }): string =>
  `${hash.slice(0, HASH_SHOWN)}, ${bytes} bytes`;
