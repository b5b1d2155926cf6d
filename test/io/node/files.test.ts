/**
 * Files of both kinds of sandbox, asked of a real node as the console asks:
 * what is kept, what is refused with which code, and what survives a kill.
 * Both kinds share one node; what differs between them has its own tests.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Entry, FileVersion, Sandbox, TrashItem, Upload } from '../../../node-runtime/contract/model.ts';
import { type Answer, RealNode, refusalOf } from '../../support/real-node.ts';

let node: RealNode;
let outside: string;
const base = '/api/v1/sandboxes';

beforeAll(async () => {
  node = await (await RealNode.found()).start();
  outside = mkdtempSync(path.join(tmpdir(), 'binnacle-outside-'));
  mkdirSync(path.join(outside, 'given'));
  await node.must('POST', base, { name: 'kept', kind: 'shared', description: 'for tests' });
  await node.must('POST', base, { name: 'own', kind: 'local' });
  await node.must('POST', base, { name: 'given', kind: 'local', directory: path.join(outside, 'given') });
});
afterAll(async () => {
  await node?.remove();
  rmSync(outside, { recursive: true, force: true });
});

const put = (sandbox: string, file: string, text: string | Uint8Array, headers: Record<string, string> = {}) =>
  node.ask(
    'PUT',
    `${base}/${sandbox}/files/${encodeURI(file)}`,
    typeof text === 'string' ? Buffer.from(text) : text,
    headers,
  );
const read = (sandbox: string, file: string, headers: Record<string, string> = {}, query = '') =>
  node.ask('GET', `${base}/${sandbox}/files/${encodeURI(file)}${query}`, undefined, headers);
const post = (sandbox: string, what: string, body: unknown, headers: Record<string, string> = {}) =>
  node.ask('POST', `${base}/${sandbox}/${what}`, body, headers);
const remove = (sandbox: string, file: string) => node.ask('DELETE', `${base}/${sandbox}/files/${file}`);
const entries = async (sandbox: string, folder = ''): Promise<Entry[]> =>
  (await node.must<{ entries: Entry[] }>('GET', `${base}/${sandbox}/entries?path=${encodeURIComponent(folder)}`))
    .entries;
const names = async (sandbox: string, folder = ''): Promise<string[]> =>
  (await entries(sandbox, folder)).map((entry) => entry.name + (entry.kind === 'folder' ? '/' : ''));
const entryIn = (answer: Answer): Entry => answer.json();
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.each(['kept', 'own', 'given'])('files of the sandbox "%s"', (sandbox) => {
  it('are written with the folders above them, listed, and read back whole', async () => {
    const made = await put(sandbox, 'notes/2024/day one.txt', 'first\n');
    expect(refusalOf(made)).toBe('200');
    expect(entryIn(made)).toMatchObject({
      path: 'notes/2024/day one.txt',
      name: 'day one.txt',
      kind: 'file',
      bytes: 6,
    });
    expect(await names(sandbox)).toEqual(['notes/']);
    expect(await names(sandbox, 'notes')).toEqual(['2024/']);
    const got = await read(sandbox, 'notes/2024/day one.txt');
    expect([got.text, got.headers['etag'], got.headers['content-length']]).toEqual([
      'first\n',
      entryIn(made).etag,
      '6',
    ]);
    expect(got.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(got.headers['x-content-type-options']).toBe('nosniff');
    const empty = await put(sandbox, 'empty', '');
    expect(entryIn(empty).bytes).toBe(0);
    expect((await read(sandbox, 'empty')).text).toBe('');
  });

  it('are guarded: If-Match of an older state is a conflict, If-None-Match: * makes only what is not there', async () => {
    const first = entryIn(await put(sandbox, 'guarded.txt', 'one', { 'if-none-match': '*' }));
    expect(refusalOf(await put(sandbox, 'guarded.txt', 'again', { 'if-none-match': '*' }))).toBe('409 file_exists');
    const second = entryIn(await put(sandbox, 'guarded.txt', 'two!', { 'if-match': first.etag! }));
    expect(second.etag).not.toBe(first.etag);
    expect(refusalOf(await put(sandbox, 'guarded.txt', 'lost', { 'if-match': first.etag! }))).toBe('412 file_changed');
    expect(refusalOf(await put(sandbox, 'gone.txt', 'x', { 'if-match': first.etag! }))).toBe('412 file_changed');
    expect((await read(sandbox, 'guarded.txt')).text).toBe('two!');
  });

  it('are read in parts, by HEAD, and not again when nothing changed', async () => {
    await put(sandbox, 'digits.bin', '0123456789');
    const part = async (range: string) => {
      const answer = await read(sandbox, 'digits.bin', { range });
      return [answer.status, answer.status < 300 ? answer.text : refusalOf(answer), answer.headers['content-range']];
    };
    expect(await part('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await part('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await part('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await part('bytes=8-99')).toEqual([206, '89', 'bytes 8-9/10']);
    expect((await part('bytes=10-')).slice(0, 2)).toEqual([416, '416 range_invalid']);
    expect((await part('bytes=-0')).slice(0, 2)).toEqual([416, '416 range_invalid']);
    expect((await part('bytes=4-2')).slice(0, 2)).toEqual([416, '416 range_invalid']);
    // what is no range of bytes is passed over, as HTTP wants it
    expect((await part('lines=1-2')).slice(0, 2)).toEqual([200, '0123456789']);
    const head = await node.ask('HEAD', `${base}/${sandbox}/files/digits.bin`);
    expect([head.status, head.headers['content-length'], head.text]).toEqual([200, '10', '']);
    const same = await read(sandbox, 'digits.bin', { 'if-none-match': head.headers['etag']! });
    expect([same.status, same.text, same.headers['etag']]).toEqual([304, '', head.headers['etag']]);
    // a range is given only of the state it was asked of
    const etag = head.headers['etag']!;
    expect((await read(sandbox, 'digits.bin', { range: 'bytes=0-1', 'if-range': etag })).text).toBe('01');
    expect((await read(sandbox, 'digits.bin', { range: 'bytes=0-1', 'if-range': '"older"' })).text).toBe('0123456789');
  });

  it('are moved, copied and removed, with whole folders, and never over something else', async () => {
    expect(refusalOf(await post(sandbox, 'folders', { path: 'a/b' }))).toBe('201');
    expect(refusalOf(await post(sandbox, 'folders', { path: 'a/b' }))).toBe('409 file_exists');
    await put(sandbox, 'a/b/x.txt', 'x');
    await put(sandbox, 'a/y.txt', 'y');
    const moved = await post(sandbox, 'moves', { path: 'a/b', to: 'c/d' });
    expect([refusalOf(moved), entryIn(moved).path]).toEqual(['200', 'c/d']);
    const copied = await post(sandbox, 'copies', { path: 'c', to: 'e' });
    expect([refusalOf(copied), entryIn(copied).path]).toEqual(['201', 'e']);
    expect((await read(sandbox, 'e/d/x.txt')).text).toBe('x');
    expect((await read(sandbox, 'c/d/x.txt')).text).toBe('x');
    expect(refusalOf(await read(sandbox, 'a/b/x.txt'))).toBe('404 file_unknown');
    expect(refusalOf(await post(sandbox, 'moves', { path: 'a/y.txt', to: 'e/d/x.txt' }))).toBe('409 file_exists');
    expect(refusalOf(await post(sandbox, 'moves', { path: 'e', to: 'e/d/f' }))).toBe('400 path_refused');
    expect(refusalOf(await post(sandbox, 'moves', { path: 'nothing', to: 'f' }))).toBe('404 file_unknown');
    expect(refusalOf(await post(sandbox, 'copies', { path: 'a/y.txt', to: 'c/d/x.txt' }))).toBe('409 file_exists');
    expect(refusalOf(await read(sandbox, 'c'))).toBe('409 not_a_file');
    expect(refusalOf(await node.ask('GET', `${base}/${sandbox}/entries?path=a/y.txt`))).toBe('409 not_a_folder');
    expect(refusalOf(await remove(sandbox, 'c'))).toBe('204');
    expect(refusalOf(await remove(sandbox, 'c'))).toBe('404 file_unknown');
    expect(refusalOf(await read(sandbox, 'c/d/x.txt'))).toBe('404 file_unknown');
    expect(await names(sandbox)).toEqual(expect.arrayContaining(['a/', 'e/']));
    expect(await names(sandbox)).not.toContain('c/');
  });

  it('that were deleted are found in the trash and come back', async () => {
    await put(sandbox, 'precious.txt', 'gold');
    expect(refusalOf(await remove(sandbox, 'precious.txt'))).toBe('204');
    const { items } = await node.must<{ items: TrashItem[] }>('GET', `${base}/${sandbox}/trash`);
    const item = items.find((one) => one.path === 'precious.txt')!;
    expect(item).toMatchObject({ bytes: 4, removedBy: 'desktop' });
    const back = await post(sandbox, 'restores', { path: 'precious.txt', version: item.version });
    expect([refusalOf(back), entryIn(back).path]).toEqual(['200', 'precious.txt']);
    expect((await read(sandbox, 'precious.txt')).text).toBe('gold');
    const after = await node.must<{ items: TrashItem[] }>('GET', `${base}/${sandbox}/trash`);
    expect(after.items.map((one) => one.path)).not.toContain('precious.txt');
  });

  it('that are wrong job files are kept and shown with line and column', async () => {
    const wrong = 'name: Wrong\ntasks:\n  one:\n    run: echo 1\n  two:\n    needs: [onne]\n    run: echo 2\n';
    const answer = await put(sandbox, 'wrong.job.yaml', wrong);
    expect(refusalOf(answer)).toBe('200');
    const told = entryIn(answer).job!;
    expect(told).toMatchObject({ format: 'job', ok: false, problems: [{ line: 6, column: 13 }] });
    expect(told.problems[0]!.hint).toContain('one');
    expect((await entries(sandbox)).find((entry) => entry.path === 'wrong.job.yaml')?.job).toEqual(told);
    expect((await read(sandbox, 'wrong.job.yaml')).text).toBe(wrong);
    const mended = await put(sandbox, 'wrong.job.yaml', wrong.replace('onne', 'one'));
    expect(entryIn(mended).job).toMatchObject({ ok: true, tasks: 2, name: 'Wrong', problems: [] });
  });

  it('that become job files by a new name, or stop being ones, are checked under it', async () => {
    await put(sandbox, 'plan.txt', 'tasks:\n  one: { run: echo 1 }\n');
    const moved = entryIn(await post(sandbox, 'moves', { path: 'plan.txt', to: 'plan.job.yaml' }));
    expect(moved).toMatchObject({ path: 'plan.job.yaml', job: { ok: true, tasks: 1 } });
    const copied = entryIn(await post(sandbox, 'copies', { path: 'plan.job.yaml', to: 'plan.copy.yaml' }));
    expect(copied.job).toBeUndefined();
    await put(sandbox, 'prose.txt', 'tasks: [');
    expect(entryIn(await post(sandbox, 'moves', { path: 'prose.txt', to: 'prose.job.json' })).job?.ok).toBe(false);
  });

  it('are found by a part of their path', async () => {
    await put(sandbox, 'deep/er/Needle-42.csv', '1');
    const found = await node.must<{ entries: Entry[]; more: boolean }>('GET', `${base}/${sandbox}/search?text=needle`);
    expect([found.entries.map((entry) => entry.path), found.more]).toEqual([['deep/er/Needle-42.csv'], false]);
    const none = await node.must<{ entries: Entry[] }>('GET', `${base}/${sandbox}/search?text=no-such-thing`);
    expect(none.entries).toEqual([]);
  });

  it('are given as one zip that a stranger can read', async () => {
    await put(sandbox, 'pack/sub/grüße.txt', 'hällo'.repeat(1000));
    await node.must('PUT', `${base}/${sandbox}/files/pack/run.sh?executable=1`, Buffer.from('#!/bin/sh\necho hi\n'));
    const zip = await node.ask('GET', `${base}/${sandbox}/zip?path=pack`);
    expect([zip.status, zip.headers['content-type']]).toEqual([200, 'application/zip']);
    expect(zip.headers['content-disposition']).toContain('pack.zip');
    const file = path.join(outside, `${sandbox}.zip`);
    writeFileSync(file, zip.bytes);
    const told = await promisify(execFile)('python3', [
      '-c',
      'import json,sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n' +
        'print(json.dumps([[i.filename, i.file_size, bool((i.external_attr>>16)&0o100)] for i in z.infolist() if not i.is_dir()]))',
      file,
    ]);
    expect((JSON.parse(told.stdout) as unknown[]).sort()).toEqual([
      ['run.sh', 18, true],
      ['sub/grüße.txt', 6000, false],
    ]);
    expect(refusalOf(await node.ask('GET', `${base}/${sandbox}/zip?path=pack/run.sh`))).toBe('409 not_a_folder');
  });

  it('are uploaded in chunks; an upload goes on after the node was killed in the middle of it', async () => {
    const whole = randomBytes(3_000_000);
    const ask = { path: 'up/large.bin', bytes: whole.length, hash: sha256(whole), ifAbsent: true };
    const upload = (await post(sandbox, 'uploads', ask)).json() as Upload;
    const at = `${base}/${sandbox}/uploads/${upload.id}`;
    expect(upload).toMatchObject({ offset: 0, bytes: whole.length });
    const chunk = (from: number, to: number) => node.ask('PUT', `${at}?offset=${from}`, whole.subarray(from, to));
    expect(((await chunk(0, 1_000_000)).json() as Upload).offset).toBe(1_000_000);
    expect(refusalOf(await chunk(2_000_000, 2_100_000))).toBe('409 upload_offset');
    expect(refusalOf(await node.ask('POST', `${at}/complete`))).toBe('409 upload_incomplete');

    const dying = chunk(1_000_000, 2_900_000).catch(() => null);
    await node.kill();
    await dying;
    await node.start();

    let { offset } = await node.must<Upload>('GET', at);
    expect(offset).toBeGreaterThanOrEqual(1_000_000); // what was acknowledged is there
    while (offset < whole.length) offset = ((await chunk(offset, offset + 900_000)).json() as Upload).offset;
    const key = { 'idempotency-key': randomUUID() };
    const done = await node.ask('POST', `${at}/complete`, undefined, key);
    expect([refusalOf(done), entryIn(done).bytes]).toEqual(['200', whole.length]);
    expect(sha256((await read(sandbox, 'up/large.bin')).bytes)).toBe(sha256(whole));
    // the answer got lost and the client asks again: the same answer, though the upload is over
    const again = await node.ask('POST', `${at}/complete`, undefined, key);
    expect([again.status, again.text]).toEqual([done.status, done.text]);
    expect(refusalOf(await node.ask('GET', at))).toBe('404 upload_unknown');
  });

  it('whose uploaded bytes do not fit their checksum are not made visible', async () => {
    const upload = (
      await post(sandbox, 'uploads', { path: 'bad.bin', bytes: 4, hash: sha256(Buffer.from('good')) })
    ).json() as Upload;
    const at = `${base}/${sandbox}/uploads/${upload.id}`;
    await node.must('PUT', `${at}?offset=0`, Buffer.from('evil'));
    expect(refusalOf(await node.ask('POST', `${at}/complete`))).toBe('422 checksum_mismatch');
    expect(refusalOf(await read(sandbox, 'bad.bin'))).toBe('404 file_unknown');
    await node.must('PUT', `${at}?offset=0`, Buffer.from('good'));
    expect(refusalOf(await node.ask('POST', `${at}/complete`))).toBe('200');
    const other = (await post(sandbox, 'uploads', { path: 'given-up.bin', bytes: 4 })).json() as Upload;
    expect(refusalOf(await node.ask('DELETE', `${base}/${sandbox}/uploads/${other.id}`))).toBe('204');
    expect(refusalOf(await node.ask('GET', `${base}/${sandbox}/uploads/${other.id}`))).toBe('404 upload_unknown');
  });

  it('are changed once for one key: the same answer again, another request is refused', async () => {
    const key = () => ({ 'idempotency-key': randomUUID() });
    const forFolder = key();
    const made = await post(sandbox, 'folders', { path: 'once' }, forFolder);
    const forMove = key();
    await put(sandbox, 'to-move.txt', 'm');
    const moved = await post(sandbox, 'moves', { path: 'to-move.txt', to: 'moved.txt' }, forMove);
    const forPut = key();
    const written = await put(sandbox, 'once.txt', 'bytes of one request', forPut);
    const again = async () => {
      const answers = [
        await post(sandbox, 'folders', { path: 'once' }, forFolder),
        await post(sandbox, 'moves', { path: 'to-move.txt', to: 'moved.txt' }, forMove),
        await put(sandbox, 'once.txt', 'bytes of one request', forPut),
      ];
      expect(answers.map((one) => [one.status, one.text])).toEqual(
        [made, moved, written].map((one) => [one.status, one.text]),
      );
      expect(refusalOf(await post(sandbox, 'folders', { path: 'twice' }, forFolder))).toBe('422 key_reused');
      expect(refusalOf(await put(sandbox, 'once.txt', 'other bytes', forPut))).toBe('422 key_reused');
      expect((await read(sandbox, 'once.txt')).text).toBe('bytes of one request');
    };
    await again();
    await node.kill();
    await node.start();
    await again();
  });
});

describe('a kept sandbox', () => {
  it('keeps every version of a file, reads and restores older ones, also of a deleted file', async () => {
    for (const text of ['one', 'two', 'three']) await put('kept', 'story.txt', text);
    const versions = async () =>
      (await node.must<{ versions: FileVersion[] }>('GET', `${base}/kept/versions/story.txt`)).versions;
    expect((await versions()).map((one) => [one.version, one.bytes, one.current])).toEqual([
      [3, 5, true],
      [2, 3, false],
      [1, 3, false],
    ]);
    expect((await read('kept', 'story.txt', {}, '?version=1')).text).toBe('one');
    expect(refusalOf(await read('kept', 'story.txt', {}, '?version=9'))).toBe('404 version_unknown');
    const back = entryIn(await post('kept', 'restores', { path: 'story.txt', version: 2 }));
    expect([back.version, (await read('kept', 'story.txt')).text]).toEqual([4, 'two']);
    await remove('kept', 'story.txt');
    expect((await versions())[0]).toMatchObject({ version: 5, removed: true, current: false });
    await node.must('POST', `${base}/kept/restores`, { path: 'story.txt', version: 1 });
    expect((await read('kept', 'story.txt')).text).toBe('one');
    expect(refusalOf(await post('kept', 'restores', { path: 'story.txt', version: 77 }))).toBe('404 version_unknown');
  });

  it('checks a restored version again when it is a job file', async () => {
    await put('kept', 'r.job.yaml', 'tasks: [');
    await put('kept', 'r.job.yaml', 'tasks:\n  a: { run: echo a }\n');
    expect(entryIn(await post('kept', 'restores', { path: 'r.job.yaml', version: 1 })).job?.ok).toBe(false);
    expect(entryIn(await post('kept', 'restores', { path: 'r.job.yaml', version: 2 })).job?.ok).toBe(true);
  });

  it('refuses names that differ only in case, so that it can be carried to any system', async () => {
    await put('kept', 'Case/one.txt', '1');
    expect(refusalOf(await put('kept', 'case/one.txt', '2'))).toBe('409 file_exists');
  });

  it('pages through large folders without losing or doubling', async () => {
    await Promise.all(Array.from({ length: 25 }, (_, at) => put('kept', `many/${at}.txt`, String(at))));
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await node.must<{ entries: Entry[]; total: number; cursor?: string }>(
        'GET',
        `${base}/kept/entries?path=many&limit=10${cursor}`,
      );
      expect(page.total).toBe(25);
      seen.push(...page.entries.map((entry) => entry.name));
      cursor = page.cursor ? `&cursor=${encodeURIComponent(page.cursor)}` : '';
    } while (cursor);
    expect([seen.length, new Set(seen).size]).toEqual([25, 25]);
  });

  it('is removed by an administrator, and its name can be taken again', async () => {
    await node.must('POST', base, { name: 'brief', kind: 'shared' });
    expect(refusalOf(await node.ask('POST', base, { name: 'brief', kind: 'shared' }))).toBe('409 sandbox_exists');
    expect(refusalOf(await node.ask('DELETE', `${base}/brief`))).toBe('204');
    expect(refusalOf(await node.ask('GET', `${base}/brief`))).toBe('404 sandbox_unknown');
    expect(refusalOf(await put('brief', 'x', 'x'))).toBe('404 sandbox_unknown');
    await node.must('POST', base, { name: 'brief', kind: 'shared' });
    expect(await names('brief')).toEqual([]);
  });
});

describe('a local sandbox', () => {
  it('works in the directory it was given, or in one of its own in the data folder', async () => {
    await put('given', 'here.txt', 'seen from outside');
    expect(readFileSync(path.join(outside, 'given', 'here.txt'), 'utf8')).toBe('seen from outside');
    writeFileSync(path.join(outside, 'given', 'there.txt'), 'written outside');
    expect((await read('given', 'there.txt')).text).toBe('written outside');
    await put('own', 'mine.txt', 'm');
    expect(existsSync(path.join(node.data, 'sandboxes', 'own', 'mine.txt'))).toBe(true);
    const given = await node.must<Sandbox>('GET', `${base}/given`);
    expect(given).toMatchObject({ kind: 'local', directory: path.join(outside, 'given') });
    expect(given.files).toBeGreaterThan(1);
  });

  it('sees that a file was changed outside, and refuses to save over it', async () => {
    const etag = entryIn(await put('given', 'edited.txt', 'mine')).etag!;
    writeFileSync(path.join(outside, 'given', 'edited.txt'), 'theirs!');
    expect(refusalOf(await put('given', 'edited.txt', 'mine again', { 'if-match': etag }))).toBe('412 file_changed');
    expect((await read('given', 'edited.txt')).text).toBe('theirs!');
  });

  it('does not follow links out of its directory, for reading or for writing', async () => {
    writeFileSync(path.join(outside, 'secret.txt'), 'secret');
    symlinkSync(path.join(outside, 'secret.txt'), path.join(outside, 'given', 'link.txt'));
    symlinkSync(outside, path.join(outside, 'given', 'linked'));
    expect(refusalOf(await read('given', 'link.txt'))).toBe('400 path_refused');
    expect(refusalOf(await read('given', 'linked/secret.txt'))).toBe('400 path_refused');
    expect((await put('given', 'linked/new.txt', 'x')).status).toBeGreaterThanOrEqual(400);
    expect((await post('given', 'copies', { path: 'link.txt', to: 'stolen.txt' })).status).toBeGreaterThanOrEqual(400);
    expect((await post('given', 'moves', { path: 'here.txt', to: 'linked/h.txt' })).status).toBeGreaterThanOrEqual(400);
    await put('given', 'link.txt', 'replaced'); // replaces the link at most, never what it names
    expect(readFileSync(path.join(outside, 'secret.txt'), 'utf8')).toBe('secret');
    expect(existsSync(path.join(outside, 'new.txt'))).toBe(false);
    const zip = await node.ask('GET', `${base}/given/zip`);
    expect(zip.bytes.includes('secret.txt')).toBe(false);
  });

  it('is refused for a directory that is not there, not absolute, or overlaps the data of the node', async () => {
    const open = async (directory: string) =>
      refusalOf(await node.ask('POST', base, { name: 'evil', kind: 'local', directory }));
    expect(await open(path.join(outside, 'nowhere'))).toBe('400 bad_request');
    expect(await open('relative/way')).toBe('400 bad_request');
    expect(await open(path.join(outside, 'secret.txt'))).toBe('400 bad_request');
    expect(await open(node.data)).toBe('400 bad_request');
    expect(await open(path.join(node.data, 'journal'))).toBe('400 bad_request');
    expect(await open(path.dirname(node.data))).toBe('400 bad_request');
    expect(await open('/')).toBe('400 bad_request');
    symlinkSync(node.data, path.join(outside, 'by-link'));
    expect(await open(path.join(outside, 'by-link'))).toBe('400 bad_request');
    expect(refusalOf(await node.ask('GET', `${base}/evil`))).toBe('404 sandbox_unknown');
  });

  it('leaves its directory alone when it is removed', async () => {
    const directory = path.join(outside, 'left');
    mkdirSync(directory);
    await node.must('POST', base, { name: 'leaving', kind: 'local', directory });
    await put('leaving', 'stays.txt', 's');
    expect(refusalOf(await node.ask('DELETE', `${base}/leaving`))).toBe('204');
    expect(readFileSync(path.join(directory, 'stays.txt'), 'utf8')).toBe('s');
  });

  it('says what is the matter when its directory is gone', async () => {
    const directory = path.join(outside, 'vanishing');
    mkdirSync(directory);
    await node.must('POST', base, { name: 'vanished', kind: 'local', directory });
    rmSync(directory, { recursive: true });
    const answer = await node.ask('GET', `${base}/vanished/entries`);
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).toContain('vanishing');
    expect((await node.ask('GET', base)).status).toBe(200); // the list of sandboxes still comes
  });

  it('has no versions, and says so', async () => {
    expect(refusalOf(await node.ask('GET', `${base}/own/versions/mine.txt`))).toBe('404 version_unknown');
    expect(refusalOf(await read('own', 'mine.txt', {}, '?version=1'))).toBe('404 version_unknown');
  });
});
