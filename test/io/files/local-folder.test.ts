/** A directory of the node as a sandbox: worked on as it is, and never left. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { Entry, TrashItem } from '../../../node-runtime/contract/model.ts';
import { type LocalFolder, openLocalFolder } from '../../../node-runtime/io/files/local-folder.ts';
import { type Hold, Root } from '../../../node-runtime/io/files/local-places.ts';
import { zipItems } from '../../../node-runtime/io/files/zip.ts';
import { afterThis, broken, freshFolder, given, rules, source, textOf } from './support.ts';

const holds: Hold[] = process.platform === 'linux' ? ['descriptors', 'names'] : ['names'];
const any = { bytesMax: 1e9 };

describe.each(holds)('a local folder held by %s', (hold) => {
  let base: string;
  let inside: string;
  let outside: string;
  let folder: LocalFolder;
  beforeEach(async () => {
    base = realpathSync(freshFolder());
    inside = join(base, 'inside');
    outside = join(base, 'outside');
    mkdirSync(inside);
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret');
    folder = given(await openLocalFolder({ directory: inside, rules, hold }));
  });
  const names = async (path = '') => given(await folder.list(path)).entries.map((each) => each.name);
  const text = async (path: string) => textOf(given(await folder.openFile(path)).stream());
  const openDescriptors = () => readdirSync('/proc/self/fd').length;

  it('is opened only where a directory is, and never over the data of the node', async () => {
    const open = (directory: string, forbidden: string[] = []) =>
      openLocalFolder({ directory, rules, forbidden, hold });
    for (const wrong of ['relative', join(base, 'none'), join(outside, 'secret')]) {
      expect(await open(wrong), wrong).toMatchObject({ code: 'bad_request' });
    }
    mkdirSync(join(inside, 'data'));
    symlinkSync(join(inside, 'data'), join(base, 'link-to-data'));
    for (const overlapping of [inside, join(inside, 'data'), base, '/', join(base, 'link-to-data')]) {
      expect(await open(overlapping, [join(inside, 'data')]), overlapping).toMatchObject({ code: 'bad_request' });
    }
    mkdirSync(join(inside, 'data2'));
    expect(await open(join(inside, 'data2'), [join(inside, 'data')])).not.toHaveProperty('code');
  });

  it('writes files whole, with the folders above them, and reads them back', async () => {
    const entry = Entry.parse(given(await folder.write('a/b/größe.txt', source('hello ', 'world'), any)));
    expect(entry).toMatchObject({ path: 'a/b/größe.txt', kind: 'file', bytes: 11, executable: false });
    expect(await text('a/b/größe.txt')).toBe('hello world');
    const file = given(await folder.openFile('a/b/größe.txt'));
    expect([file.bytes, file.etag]).toEqual([11, entry.etag]);
    expect(await textOf(file.stream({ start: 6, end: 7 }))).toBe('wo');
    await folder.write('empty', source(), any);
    expect(await text('empty')).toBe('');
    expect(await names('a/b')).toEqual(['größe.txt']);
    expect(await folder.readText('a/b/größe.txt', 11)).toEqual({ text: 'hello world', executable: false });
    expect(await folder.readText('a/b/größe.txt', 10)).toMatchObject({ code: 'body_too_large' });
  });

  it('keeps the mode of a file that it replaces, and sets what is asked', async () => {
    await folder.write('run', source('1'), { ...any, executable: true });
    expect(statSync(join(inside, 'run')).mode & 0o777).toBe(0o755);
    chmodSync(join(inside, 'run'), 0o750);
    await folder.write('run', source('2'), any);
    expect(statSync(join(inside, 'run')).mode & 0o777).toBe(0o750);
    await folder.write('run', source('3'), { ...any, executable: false });
    expect(statSync(join(inside, 'run')).mode & 0o777).toBe(0o640);
  });

  it('guards writes by etag, by absence and by size', async () => {
    const first = given(await folder.write('a', source('1'), { ...any, ifAbsent: true }));
    expect(await folder.write('a', source('2'), { ...any, ifAbsent: true })).toMatchObject({ code: 'file_exists' });
    const second = given(await folder.write('a', source('2'), { ...any, ifMatch: first.etag! }));
    expect(second.etag).not.toBe(first.etag);
    expect(await folder.write('a', source('3'), { ...any, ifMatch: first.etag! })).toMatchObject({
      code: 'file_changed',
    });
    expect(await folder.write('b', source('3'), { ...any, ifMatch: '*' })).toMatchObject({ code: 'file_changed' });
    expect(await folder.write('a', source('12', '345'), { bytesMax: 4 })).toMatchObject({ code: 'body_too_large' });
    await expect(folder.write('a', broken('half'), any)).rejects.toThrow();
    expect([await text('a'), readdirSync(inside)]).toEqual(['2', ['a']]);
  });

  it('does not lose what came into being or changed while bytes were on the way', async () => {
    async function* slow(then: () => void): AsyncGenerator<Uint8Array> {
      yield Buffer.from('mine');
      then();
    }
    const path = join(inside, 'a');
    const theirs = slow(() => writeFileSync(path, 'theirs'));
    expect(await folder.write('a', theirs, { ...any, ifAbsent: true })).toMatchObject({ code: 'file_exists' });
    const { etag } = given(await folder.entryAt('a'));
    const newer = slow(() => writeFileSync(path, 'theirs, newer'));
    expect(await folder.write('a', newer, { ...any, ifMatch: etag! })).toMatchObject({ code: 'file_changed' });
    expect(readFileSync(path, 'utf8')).toBe('theirs, newer');
  });

  it('lists folders first, then by name without case, page by page', async () => {
    for (const name of ['b', 'C', 'a.txt', 'a', 'z']) writeFileSync(join(inside, name), 'x');
    for (const name of ['zz', 'Mm']) mkdirSync(join(inside, name));
    const first = given(await folder.list('', undefined, 3));
    expect(first).toMatchObject({ total: 7, unlisted: 0, entries: [{ name: 'Mm' }, { name: 'zz' }, { name: 'a' }] });
    writeFileSync(join(inside, 'aa'), 'x');
    const second = given(await folder.list('', first.cursor, 3));
    expect(second.entries.map((each) => each.name)).toEqual(['a.txt', 'aa', 'b']);
    const third = given(await folder.list('', second.cursor, 3));
    expect(third.entries.map((each) => each.name)).toEqual(['C', 'z']);
    expect(third).not.toHaveProperty('cursor');
    expect(await folder.list('a')).toMatchObject({ code: 'not_a_folder' });
    expect(await folder.list('none')).toMatchObject({ code: 'file_unknown' });
  });

  it('refuses every path trick', async () => {
    for (const path of [
      '../outside/secret',
      '/etc/passwd',
      'a/../../outside/secret',
      'a\0',
      '.binnacle-trash/1/item',
      'C:a',
    ]) {
      const refused = { code: 'path_refused' };
      expect(await folder.openFile(path)).toMatchObject(refused);
      expect(await folder.write(path, source('x'), any)).toMatchObject(refused);
      expect(await folder.list(path)).toMatchObject(refused);
      expect(await folder.entryAt(path)).toMatchObject(refused);
      expect(await folder.makeFolder(path)).toMatchObject(refused);
      expect(await folder.remove(path, 'ada', 1)).toMatchObject(refused);
      expect(await folder.move(path, 'x')).toMatchObject(refused);
      expect(await folder.move('x', path)).toMatchObject(
        expect.objectContaining({ code: expect.stringMatching(/path_refused|file_unknown/) }),
      );
      expect(await folder.copy(path, 'x')).toMatchObject(refused);
      expect(await folder.restore(path, 1)).toMatchObject(refused);
    }
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  it('refuses links that lead out, in the middle and at the end, absolute and relative', async () => {
    symlinkSync(outside, join(inside, 'out'));
    symlinkSync('../outside', join(inside, 'out2'));
    symlinkSync(join(outside, 'secret'), join(inside, 'file'));
    symlinkSync('/proc/self/environ', join(inside, 'environ'));
    symlinkSync('loop', join(inside, 'loop'));
    symlinkSync('nowhere', join(inside, 'dangling'));
    for (const path of ['out/secret', 'out2/secret', 'file', 'environ', 'loop', 'loop/x']) {
      expect(await folder.openFile(path), path).toMatchObject({ code: 'path_refused' });
      expect(await folder.write(path, source('x'), any), path).toMatchObject({ code: 'path_refused' });
    }
    for (const path of ['out', 'out2']) {
      expect(await folder.list(path)).toMatchObject({ code: 'path_refused' });
      expect(await folder.write(`${path}/new/file`, source('x'), any)).toMatchObject({ code: 'path_refused' });
      expect(await folder.makeFolder(`${path}/new`)).toMatchObject({ code: 'path_refused' });
      expect(await folder.remove(`${path}/secret`, 'ada', 1)).toMatchObject({ code: 'path_refused' });
    }
    expect(await folder.openFile('dangling')).toMatchObject({ code: 'file_unknown' });
    expect(await folder.write('dangling', source('x'), any)).toMatchObject({ code: 'path_refused' });
    expect(given(await folder.list(''))).toMatchObject({ entries: [], unlisted: 6 });
    expect(readdirSync(outside)).toEqual(['secret']);
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
  });

  it('reads through links that stay inside, and never writes through them', async () => {
    await folder.write('real/file', source('content'), any);
    symlinkSync('real', join(inside, 'link'));
    symlinkSync('real/file', join(inside, 'linked-file'));
    expect(await names()).toEqual(['link', 'real', 'linked-file']);
    expect([await text('link/file'), await text('linked-file')]).toEqual(['content', 'content']);
    expect(await names('link')).toEqual(['file']);
    for (const path of ['link/file', 'linked-file', 'link/new']) {
      expect(await folder.write(path, source('x'), any)).toMatchObject({ code: 'path_refused' });
    }
    await folder.remove('linked-file', 'ada', 1);
    expect([await text('real/file'), await names()]).toEqual(['content', ['link', 'real']]);
  });

  it('does not read its own hidden things through a link', async () => {
    await folder.write('a', source('thrown away'), any);
    await folder.remove('a', 'ada', 5);
    symlinkSync('.binnacle-trash/5/item', join(inside, 'peek'));
    symlinkSync('.binnacle-trash', join(inside, 'peeks'));
    expect(await folder.openFile('peek')).toMatchObject({ code: 'path_refused' });
    expect(await folder.list('peeks')).toMatchObject({ code: 'path_refused' });
  });

  it('refuses pipes, sockets and devices, at once and without opening them', async () => {
    execFileSync('mkfifo', [join(inside, 'pipe')]);
    const server = createServer().listen(join(inside, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    afterThis(() => server.close());
    symlinkSync('pipe', join(inside, 'to-pipe'));
    for (const path of ['pipe', 'socket', 'to-pipe']) {
      expect(await folder.openFile(path), path).toMatchObject({ code: 'path_refused' });
      expect(await folder.write(path, source('x'), any), path).toMatchObject({ code: 'path_refused' });
    }
    expect(given(await folder.list(''))).toMatchObject({ entries: [], unlisted: 3 });
  });

  it('counts names that it cannot name instead of listing them', async () => {
    for (const name of ['a:b', 'nul', 'cafe\u0301', 'ok']) writeFileSync(join(inside, name), 'x');
    writeFileSync(join(inside, '.binnacle-temp-x'), 'x');
    expect(given(await folder.list(''))).toMatchObject({ total: 1, unlisted: 3, entries: [{ name: 'ok' }] });
  });

  it('moves and copies without replacing, and not into itself', async () => {
    await folder.write('a/b/c', source('c'), { ...any, executable: true });
    await folder.write('x', source('x'), any);
    expect(await folder.move('a', 'a/b/d')).toMatchObject({ code: 'path_refused' });
    expect(await folder.copy('a', 'a/b/d')).toMatchObject({ code: 'path_refused' });
    expect(await folder.move('x', 'a/b/c')).toMatchObject({ code: 'file_exists' });
    expect(await folder.copy('x', 'a/b/c')).toMatchObject({ code: 'file_exists' });
    expect(await folder.move('none', 'y')).toMatchObject({ code: 'file_unknown' });
    expect(await folder.move('x', 'x/y')).toMatchObject({ code: 'path_refused' });
    expect(given(await folder.move('x', 'new/y'))).toMatchObject({ path: 'new/y', kind: 'file' });
    expect(given(await folder.copy('a', 'new/a'))).toMatchObject({ path: 'new/a', kind: 'folder' });
    expect(given(await folder.move('a', 'moved'))).toMatchObject({ kind: 'folder' });
    expect([await names(), await names('new'), await text('new/a/b/c')]).toEqual([['moved', 'new'], ['a', 'y'], 'c']);
    expect(given(await folder.entryAt('new/a/b/c')).executable).toBe(true);
    expect(given(await folder.move('new', 'New')).path).toBe('New');
  });

  it('does not take two names of one file for one name', async () => {
    writeFileSync(join(inside, 'a'), 'x');
    linkSync(join(inside, 'a'), join(inside, 'b'));
    expect(await folder.move('a', 'b')).toMatchObject({ code: 'file_exists' });
  });

  it('moves what is removed to the trash, and gives it back', async () => {
    await folder.write('a/b', source('first'), any);
    await folder.write('a/c', source('c'), any);
    expect(await folder.remove('a/b', 'user:ada', 1000)).toBeNull();
    await folder.write('a/b', source('second'), any);
    expect(await folder.remove('a', 'user:ada', 1000)).toBeNull();
    expect(await folder.remove('a', 'user:ada', 1000)).toMatchObject({ code: 'file_unknown' });
    expect(await names()).toEqual([]);
    const { items, total } = await folder.trash();
    for (const item of items) TrashItem.parse(item);
    expect(total).toBe(2);
    expect(items).toMatchObject([
      { path: 'a', version: 1001, removedBy: 'user:ada' },
      { path: 'a/b', bytes: 5, version: 1000 },
    ]);
    expect(await folder.restore('a/b', 1001)).toMatchObject({ code: 'version_unknown' });
    expect(await folder.restore('a/b', 77)).toMatchObject({ code: 'version_unknown' });
    expect(given(await folder.restore('a/b', 1000))).toMatchObject({ bytes: 5 });
    expect(await folder.restore('a', 1001)).toMatchObject({ code: 'file_exists' });
    await folder.move('a', 'elsewhere');
    given(await folder.restore('a', 1001));
    expect([await text('a/b'), await text('a/c'), await text('elsewhere/b')]).toEqual(['second', 'c', 'first']);
    expect((await folder.trash()).total).toBe(0);
  });

  it('is not fooled by things put into its trash', async () => {
    await folder.write('a', source('a'), any);
    await folder.remove('a', 'ada', 10);
    const trash = join(inside, '.binnacle-trash');
    mkdirSync(join(trash, '11'));
    symlinkSync(join(outside, 'secret'), join(trash, '11', 'what.json'));
    symlinkSync(outside, join(trash, '12'));
    mkdirSync(join(trash, '13'));
    writeFileSync(join(trash, '13', 'what.json'), '{"path":7}');
    writeFileSync(join(trash, 'note.txt'), 'x');
    expect((await folder.trash()).items).toMatchObject([{ path: 'a', version: 10 }]);
    expect(await folder.restore('b', 12)).toMatchObject({ code: 'version_unknown' });
    expect(existsSync(join(outside, 'what.json'))).toBe(false);
  });

  it('walks, measures, searches and zips what is inside', async () => {
    await folder.write('src/Main.ts', source('main'), { ...any, executable: true });
    await folder.write('src/deep/other.ts', source('other'), any);
    await folder.makeFolder('src/leer');
    symlinkSync('..', join(inside, 'src/deep/circle'));
    symlinkSync('../../outside', join(inside, 'src/out'));
    symlinkSync('src', join(inside, 'link'));
    expect(await folder.measure()).toEqual({ files: 2, bytes: 9, whole: true });
    expect(await folder.search('MAIN', 10)).toMatchObject({ more: false, entries: [{ path: 'src/Main.ts' }] });
    expect(await folder.search('ts', 1)).toMatchObject({ more: true });
    for (const path of ['src', 'link']) {
      const items = given(await zipItems(folder.zipItems(path)));
      const read = await Promise.all(
        items.map(async (each) => [each.path, each.open ? await textOf(await each.open()) : null]),
      );
      expect(Object.fromEntries(read)).toEqual({
        'Main.ts': 'main',
        'deep/': null,
        'deep/other.ts': 'other',
        'leer/': null,
      });
      expect(items.find((each) => each.path === 'Main.ts')).toMatchObject({ executable: true, bytes: 4 });
    }
  });

  it('sweeps away temporary files of long dead writers', async () => {
    const [old, fresh] = ['.binnacle-temp-old', '.binnacle-temp-fresh'].map((name) => join(inside, name));
    for (const file of [old!, fresh!]) writeFileSync(file, 'half');
    const longAgo = new Date(Date.now() - limits.uploadIdleMs - 60_000);
    utimesSync(old!, longAgo, longAgo);
    await folder.list('');
    expect(readdirSync(inside)).toEqual(['.binnacle-temp-fresh']);
  });

  it('says so when its directory is gone, or has become a link to elsewhere', async () => {
    execFileSync('rm', ['-r', inside]);
    expect(await folder.list('')).toMatchObject({ code: 'file_unknown', detail: expect.stringContaining('directory') });
    symlinkSync(outside, inside);
    expect(await folder.list('')).toMatchObject({ code: 'path_refused' });
    expect(await folder.openFile('secret')).toMatchObject({ code: 'path_refused' });
    expect(await folder.write('new', source('x'), any)).toMatchObject({ code: 'path_refused' });
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  it.skipIf(process.platform !== 'linux')('leaves no file open', async () => {
    await folder.write('a/b', source('x'), any);
    symlinkSync(outside, join(inside, 'out'));
    const work = async () => {
      await text('a/b');
      await given(await folder.openFile('a/b')).close();
      for (const path of ['a', 'a/b', 'out', 'out/x', 'none', 'a/b/c', '']) {
        await folder.list(path);
        await folder.entryAt(path);
        const opened = await folder.openFile(path);
        if (!('code' in opened)) await opened.close();
        await folder.write(`${path}/new`, source('x'), any);
        await folder.copy(path, 'copy');
        await folder.remove('copy', 'ada', 1);
      }
      await folder.trash();
      await folder.measure();
    };
    await work();
    const before = openDescriptors();
    for (let i = 0; i < 5; i++) await work();
    expect(openDescriptors()).toBe(before);
  });
});

describe('a root', () => {
  it('does not take a neighbour with a longer name for its own', () => {
    const root = new Root('/srv/lab', 'names');
    expect(
      ['/srv/lab', '/srv/lab/a', '/srv/laboratory/a', '/srv', '/srv/lab/.binnacle-trash'].map((at) => root.holds(at)),
    ).toEqual([true, true, false, false, false]);
  });
});
