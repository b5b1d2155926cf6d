/** What people may do to the files of a kept sandbox, and what they see afterwards. */
import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { Entry, FileVersion, Sandbox, TrashItem } from '../../../node-runtime/contract/model.ts';
import {
  fileAt,
  listFolder,
  manifestAt,
  searchPaths,
  trashOf,
  versionsOf,
} from '../../../node-runtime/core/sandboxes/listing.ts';
import {
  applyToSandboxes,
  decideChanges,
  decideCreateSandbox,
  decideRemoveSandbox,
  emptySandboxes,
  entryAt,
  sandboxView,
} from '../../../node-runtime/core/sandboxes/sandboxes.ts';
import { entry, hashOf, Lab, put } from './support.ts';

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});
const names = (path = '') => {
  const page = listFolder(lab.record, path);
  return 'code' in page ? page.code : page.entries.map((each) => each.name);
};

describe('sandboxes', () => {
  it('are made once, with a plain name', () => {
    const ask = { name: 'lab', storage: 'kept' as const, description: '' };
    expect(decideCreateSandbox(lab.state, ask)).toMatchObject({ code: 'sandbox_exists' });
    for (const name of ['', 'Lab', 'a/b', '..', 'nul', 'a.', '-a', 'x'.repeat(49)]) {
      expect(decideCreateSandbox(lab.state, { ...ask, name }), name).toMatchObject({ code: 'bad_request' });
    }
  });

  it('of the local kind need a node and a directory', () => {
    const ask = { name: 'bench', storage: 'local' as const, description: 'd' };
    expect(decideCreateSandbox(lab.state, ask)).toMatchObject({ code: 'bad_request' });
    expect(lab.take(decideCreateSandbox(lab.state, { ...ask, node: 'n1', directory: '/srv/bench' }))).toBe('done');
    const view = sandboxView(lab.state.get('bench')!, { files: 3, bytes: 12 });
    expect(Sandbox.parse(view)).toMatchObject({
      kind: 'local',
      node: 'n1',
      directory: '/srv/bench',
      files: 3,
      bytes: 12,
    });
    expect(decideChanges(lab.state, 'bench', [put('a')])).toMatchObject({ code: 'sandbox_kind' });
  });

  it('stop being made at the limit', () => {
    for (let i = 1; i < limits.sandboxesMax; i++) {
      lab.take(decideCreateSandbox(lab.state, { name: `s${i}`, storage: 'kept', description: '' }));
    }
    const decided = decideCreateSandbox(lab.state, { name: 'more', storage: 'kept', description: '' });
    expect(decided).toMatchObject({ code: 'limit_reached' });
  });

  it('are not removed while runs use them, and not twice', () => {
    expect(decideRemoveSandbox(lab.state, 'lab', true)).toMatchObject({ code: 'sandbox_in_use' });
    expect(lab.take(decideRemoveSandbox(lab.state, 'lab', false))).toBe('done');
    expect(decideRemoveSandbox(lab.state, 'lab', false)).toMatchObject({ code: 'sandbox_unknown' });
    expect(decideChanges(lab.state, 'lab', [put('a')])).toMatchObject({ code: 'sandbox_unknown' });
  });

  it('count files and bytes as they are now', () => {
    lab.change([put('a', 5), put('b/c', 7)]);
    lab.change([put('a', 6)]);
    expect(Sandbox.parse(sandboxView(lab.record))).toMatchObject({
      files: 2,
      bytes: 13,
      revision: 2,
      createdBy: 'user:ada',
    });
    lab.change({ op: 'remove', path: 'b' });
    expect(sandboxView(lab.record)).toMatchObject({ files: 1, bytes: 6, revision: 3 });
  });
});

describe('changes of files', () => {
  it('make the folders above a file, which stay when it goes', () => {
    lab.change(put('a/b/c.txt'));
    lab.change({ op: 'remove', path: 'a/b/c.txt' });
    expect(names('a')).toEqual(['b']);
    expect(names('a/b')).toEqual([]);
  });

  it('refuse a file where a folder is needed, and the other way round', () => {
    lab.change([put('file'), { op: 'folder', path: 'folder' }]);
    expect(lab.change(put('file/x'))).toBe('not_a_folder');
    expect(lab.change(put('file/x/y/z'))).toBe('not_a_folder');
    expect(lab.change({ op: 'folder', path: 'file/x' })).toBe('not_a_folder');
    expect(lab.change(put('folder'))).toBe('not_a_file');
    expect(lab.change({ op: 'folder', path: 'file' })).toBe('file_exists');
    expect(lab.change({ op: 'folder', path: 'folder' })).toBe('file_exists');
    expect(names('file')).toBe('not_a_folder');
  });

  it('refuse names that differ only by case, in every part of the path', () => {
    lab.change(put('Docs/Straße.txt'));
    expect(lab.change(put('docs/other.txt'))).toBe('file_exists');
    expect(lab.change(put('Docs/STRASSE.txt'))).toBe('file_exists');
    expect(lab.change({ op: 'folder', path: 'DOCS' })).toBe('file_exists');
    expect(lab.change([put('new/x'), put('New/y')])).toBe('file_exists');
    expect(lab.change([put('a'), { op: 'copy', path: 'a', to: 'A' }])).toBe('file_exists');
    expect(lab.change([{ op: 'remove', path: 'Docs' }, put('docs/now.txt')])).toBe('done');
    expect(lab.change({ op: 'restore', path: 'Docs/Straße.txt', version: 1 })).toBe('file_exists');
  });

  it('rename a file or folder to another case of its own name', () => {
    lab.change([put('docs/a'), put('readme')]);
    expect(lab.change({ op: 'move', path: 'docs', to: 'Docs' })).toBe('done');
    expect(lab.change({ op: 'move', path: 'readme', to: 'README' })).toBe('done');
    expect(names()).toEqual(['Docs', 'README']);
    expect(lab.change(put('readme'))).toBe('file_exists');
    expect(names('Docs')).toEqual(['a']);
  });

  it('never move or copy a folder into itself', () => {
    lab.change(put('a/b/c'));
    for (const op of ['move', 'copy'] as const) {
      expect(lab.change({ op, path: 'a', to: 'a/b/a' })).toBe('path_refused');
      expect(lab.change({ op, path: 'a', to: 'a' })).toBe('file_exists');
    }
    expect(lab.change({ op: 'move', path: 'a', to: 'ab' })).toBe('done');
  });

  it('never replace what is there by moving or copying', () => {
    lab.change([put('a', 1), put('b', 2)]);
    expect(lab.change({ op: 'move', path: 'a', to: 'b' })).toBe('file_exists');
    expect(lab.change({ op: 'copy', path: 'a', to: 'b' })).toBe('file_exists');
    expect(lab.change({ op: 'move', path: 'none', to: 'c' })).toBe('file_unknown');
  });

  it('leave the history at the old path and begin at the new one', () => {
    lab.change(put('old', 1));
    lab.change(put('old', 2));
    lab.change({ op: 'move', path: 'old', to: 'new' });
    expect(versionsOf(lab.record, 'old')).toMatchObject([
      { version: 3, removed: true, current: false },
      { version: 2, removed: false, current: false },
      { version: 1, removed: false, current: false },
    ]);
    expect(versionsOf(lab.record, 'new')).toMatchObject([{ version: 1, hash: hashOf(2), current: true }]);
    expect(fileAt(lab.record, 'old')).toMatchObject({ code: 'file_unknown', detail: '"old" was moved to "new".' });
    expect(trashOf(lab.record).items).toEqual([]);
  });

  it('are all done or none', () => {
    expect(lab.change([put('a'), put('b'), { op: 'remove', path: 'c' }])).toBe('file_unknown');
    expect(names()).toEqual([]);
    expect(lab.record.revision).toBe(0);
  });

  it('see in one list what came before them in it', () => {
    const done = lab.change([
      { op: 'folder', path: 'in' },
      put('in/x', 1),
      put('in/x', 2),
      { op: 'move', path: 'in', to: 'out' },
      { op: 'copy', path: 'out/x', to: 'y' },
      { op: 'remove', path: 'out' },
      { op: 'restore', path: 'out/x', version: 1 },
      put('in', 9),
    ]);
    expect(done).toBe('done');
    expect(manifestAt(lab.record, 1).map(({ path, bytes }) => `${path} ${bytes}`)).toEqual(['in 9', 'out/x 2', 'y 2']);
    expect(lab.record.revision).toBe(1);
  });

  it('are guarded by what is expected to be there', () => {
    lab.change(put('a', 1));
    const tag = (entryAt(lab.record, 'a') as Entry).etag!;
    expect(tag).toBe(`"v1-${hashOf(1).slice(0, 16)}"`);
    expect(lab.change(put('a', 2), { path: 'a', ifAbsent: true })).toBe('file_exists');
    expect(lab.change(put('a', 2), { path: 'a', ifMatch: '"v9-0"' })).toBe('file_changed');
    expect(lab.change(put('a', 2), { path: 'a', ifMatch: `"other", W/${tag}` })).toBe('done');
    expect(lab.change(put('a', 3), { path: 'a', ifMatch: tag })).toBe('file_changed');
    expect(lab.change(put('a', 3), { path: 'a', ifMatch: '*' })).toBe('done');
    lab.change({ op: 'remove', path: 'a' });
    expect(lab.change(put('a', 4), { path: 'a', ifMatch: '*' })).toBe('file_changed');
    expect(lab.change(put('a', 4), { path: 'a', ifAbsent: true })).toBe('done');
  });

  it('undo a delete from the trash, making folders again', () => {
    lab.change(put('a/b/c', 4));
    lab.change({ op: 'remove', path: 'a' });
    const [item] = trashOf(lab.record).items;
    expect(TrashItem.parse(item)).toMatchObject({ path: 'a/b/c', bytes: 4, version: 1, removedBy: 'user:ada' });
    expect(fileAt(lab.record, 'a/b/c')).toMatchObject({ detail: '"a/b/c" was deleted.' });
    expect(lab.change({ op: 'restore', path: 'a/b/c', version: 2 })).toBe('version_unknown');
    expect(lab.change({ op: 'restore', path: 'a/b/c', version: 7 })).toBe('version_unknown');
    expect(lab.change({ op: 'restore', path: 'a/b/none', version: 1 })).toBe('file_unknown');
    expect(lab.change({ op: 'restore', path: item!.path, version: item!.version })).toBe('done');
    expect(trashOf(lab.record)).toEqual({ items: [], total: 0 });
    expect(fileAt(lab.record, 'a/b/c')).toMatchObject({ version: 3, bytes: 4 });
    for (const version of versionsOf(lab.record, 'a/b/c') as FileVersion[]) FileVersion.parse(version);
  });

  it('make an older version the newest', () => {
    lab.change(put('a', 1));
    lab.change(put('a', 2, { executable: true }));
    lab.change({ op: 'restore', path: 'a', version: 1 });
    expect(fileAt(lab.record, 'a')).toMatchObject({ version: 3, bytes: 1, executable: false });
    expect(fileAt(lab.record, 'a', { version: 2 })).toMatchObject({ bytes: 2, executable: true });
    expect(fileAt(lab.record, 'a', { revision: 2 })).toMatchObject({ bytes: 2 });
    expect(fileAt(lab.record, 'a', { revision: 0 })).toMatchObject({ code: 'file_unknown' });
    expect(fileAt(lab.record, 'a', { version: 4 })).toMatchObject({ code: 'version_unknown' });
  });

  it('carry what was found about a job file only while its ending stays', () => {
    const job = { format: 'job' as const, ok: true, tasks: 1, problems: [] };
    lab.change(put('a.job.yaml', 1, { job }));
    lab.change({ op: 'copy', path: 'a.job.yaml', to: 'b.job.yaml' });
    lab.change({ op: 'copy', path: 'a.job.yaml', to: 'b.txt' });
    expect(Entry.parse(entryAt(lab.record, 'b.job.yaml'))).toMatchObject({ job });
    expect(entryAt(lab.record, 'b.txt')).not.toHaveProperty('job');
  });

  it('are refused with path tricks in any of their paths', () => {
    lab.change(put('a'));
    expect(lab.change(put('../a'))).toBe('path_refused');
    expect(lab.change({ op: 'move', path: 'a', to: '/a' })).toBe('path_refused');
    expect(lab.change({ op: 'remove', path: '' })).toBe('path_refused');
    expect(entryAt(lab.record, '../a')).toMatchObject({ code: 'path_refused' });
    expect(fileAt(lab.record, '')).toMatchObject({ code: 'path_refused' });
    expect(listFolder(lab.record, 'a/../b')).toMatchObject({ code: 'path_refused' });
  });

  it('do not let a moved folder grow paths past their limit', () => {
    const deep = `${'d/'.repeat(40)}f`;
    lab.change([put(deep), { op: 'folder', path: 'e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e/e' }]);
    expect(lab.change({ op: 'move', path: 'd', to: `${'e/'.repeat(25)}d` })).toBe('path_refused');
    expect(lab.change({ op: 'copy', path: 'd', to: `${'e/'.repeat(22)}d` })).toBe('done');
  });

  it('are bounded in number, in bytes, and by what a sandbox holds', () => {
    const many = Array.from({ length: limits.changesPerEntryMax + 1 }, (_, i) => put(`f${i}`));
    expect(lab.change(many)).toBe('limit_reached');
    expect(lab.change([])).toBe('bad_request');
    const long = 'n'.repeat(250);
    expect(lab.change(many.slice(1).map((_, i) => put(`${long}/${long}/${long}/${i}`)))).toBe('limit_reached');
    expect(lab.change(put('huge', limits.fileBytesMax + 1))).toBe('limit_reached');
    lab.change(many.slice(1).map((_, i) => put(`base/${i}`)));
    const copies = Math.floor(limits.filesPerSandboxMax / (limits.changesPerEntryMax + 1)) - 1;
    for (let i = 1; i <= copies; i++) expect(lab.change({ op: 'copy', path: 'base', to: `copy${i}` })).toBe('done');
    expect(lab.change({ op: 'copy', path: 'base', to: 'more' })).toBe('limit_reached');
    expect(lab.record.tree.entries).toBe((copies + 1) * (limits.changesPerEntryMax + 1));
  });
});

describe('views', () => {
  it('list folders first, then by name without case, page by page while things change', () => {
    lab.change(['b', 'C', 'a.txt', 'a', 'É', 'z'].map((name) => put(name)));
    lab.change([
      { op: 'folder', path: 'zz' },
      { op: 'folder', path: 'Mm' },
    ]);
    expect(names()).toEqual(['Mm', 'zz', 'a', 'a.txt', 'b', 'C', 'z', 'É']);
    const first = listFolder(lab.record, '', undefined, 3);
    expect(first).toMatchObject({ total: 8, revision: 2, entries: [{ name: 'Mm' }, { name: 'zz' }, { name: 'a' }] });
    lab.change([{ op: 'remove', path: 'a' }, put('aa'), put('0')]);
    const next = listFolder(lab.record, '', (first as { cursor: string }).cursor, 3);
    expect(next).toMatchObject({ entries: [{ name: 'a.txt' }, { name: 'aa' }, { name: 'b' }] });
    const last = listFolder(lab.record, '', (next as { cursor: string }).cursor, 3);
    expect(last).toMatchObject({ entries: [{ name: 'C' }, { name: 'z' }, { name: 'É' }] });
    expect(last).not.toHaveProperty('cursor');
    for (const each of (last as { entries: Entry[] }).entries) Entry.parse(each);
  });

  it('find files by a part of their path', () => {
    lab.change([put('Reports/May.csv'), put('reports2/june.csv'), put('x/removed-report')]);
    lab.change({ op: 'remove', path: 'x/removed-report' });
    expect(searchPaths(lab.record, 'rePORT', 10)).toMatchObject({
      more: false,
      entries: [{ path: 'Reports/May.csv' }, { path: 'reports2/june.csv' }],
    });
    expect(searchPaths(lab.record, 'csv', 1)).toMatchObject({ more: true, entries: [{}] });
    expect(searchPaths(lab.record, 'nothing', 5)).toEqual({ more: false, entries: [] });
  });

  it('show a folder as changed when something in it was', () => {
    lab.change(put('a/b'));
    const before = entryAt(lab.record, 'a') as Entry;
    lab.change({ op: 'remove', path: 'a/b' });
    const after = Entry.parse(entryAt(lab.record, 'a'));
    expect(after).toMatchObject({ kind: 'folder', items: 0 });
    expect(after.changedAt > before.changedAt).toBe(true);
    expect(entryAt(lab.record, '')).toMatchObject({ path: '', name: '', kind: 'folder', items: 1 });
  });
});

describe('apply', () => {
  it('passes over facts of others', () => {
    const state = emptySandboxes();
    applyToSandboxes(state, entry({ kind: 'userRemoved', name: 'x' }, 1));
    expect(state.size).toBe(0);
  });

  it.each([
    [{ kind: 'sandboxRemoved' as const, name: 'none' }],
    [{ kind: 'sandboxCreated' as const, name: 'lab', storage: 'kept' as const, description: '' }],
    [{ kind: 'filesChanged' as const, sandbox: 'none', changes: [put('a')] }],
    [{ kind: 'filesChanged' as const, sandbox: 'lab', changes: [{ op: 'remove' as const, path: 'a' }] }],
    [{ kind: 'filesChanged' as const, sandbox: 'lab', changes: [put('a'), put('a/b')] }],
    [{ kind: 'filesChanged' as const, sandbox: 'lab', changes: [{ op: 'restore' as const, path: 'a', version: 1 }] }],
  ])('stops at an impossible fact: %j', (fact) => {
    expect(() => applyToSandboxes(lab.state, entry(fact, 2))).toThrow(/broken promise/);
  });
});
