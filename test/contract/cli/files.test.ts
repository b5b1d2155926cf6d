/** Files to and from a sandbox: whole or not at all, on with what was sent when something breaks. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Upload } from '../../../node-runtime/contract/model.ts';
import { type Answers, binnacle, fakeNode, Refused, sha256, written } from './fake-node.ts';
import { madeEntry } from './made-up.ts';

const chunk = 64 * 1024;
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'binnacle-cli-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Keeps uploads as a node does, and fails where a test says. */
class Uploads {
  readonly files = new Map<string, { bytes: Buffer; executable: boolean }>();
  readonly open = new Map<string, { told: Upload; hash: string; executable: boolean; kept: Buffer }>();
  chunks = 0;
  cancelled = 0;
  /** Called before a chunk is kept: `lost` breaks the connection before, `unheard` after keeping it. */
  trouble: (chunk: number) => 'lost' | 'unheard' | undefined = () => undefined;

  answers(): Answers {
    return {
      uploadCreate: ({ body, params }) => {
        const { path, bytes, hash, executable } = body as {
          path: string;
          bytes: number;
          hash: string;
          executable: boolean;
        };
        const id = `u-${this.open.size + 1}`;
        const expiresAt = '2030-01-01T00:00:00.000Z';
        const told = { id, sandbox: params.sandbox, path, bytes, offset: 0, chunkBytesMax: chunk, expiresAt };
        this.open.set(id, { told, hash, executable, kept: Buffer.alloc(0) });
        return told;
      },
      upload: ({ params }) => this.open.get(params.upload)?.told ?? new Refused('upload_unknown', params.upload),
      uploadChunk: ({ params, query, bytes, request }) => {
        this.chunks += 1;
        const upload = this.open.get(params.upload);
        if (!upload) return new Refused('upload_unknown', params.upload);
        if (query.offset !== upload.kept.length)
          return new Refused('upload_offset', `It stands at ${upload.kept.length}.`);
        const trouble = this.trouble(this.chunks);
        if (trouble !== 'lost') {
          upload.kept = Buffer.concat([upload.kept, bytes]);
          upload.told = { ...upload.told, offset: upload.kept.length };
        }
        if (trouble) request.socket.destroy();
        return upload.told;
      },
      uploadComplete: ({ params }) => {
        const upload = this.open.get(params.upload);
        if (!upload) return new Refused('upload_unknown', params.upload);
        if (sha256(upload.kept) !== upload.hash) return new Refused('checksum_mismatch', 'The bytes differ.');
        this.files.set(upload.told.path, { bytes: upload.kept, executable: upload.executable });
        return madeEntry({ path: upload.told.path, bytes: upload.kept.length });
      },
      uploadCancel: () => {
        this.cancelled += 1;
        return undefined as never;
      },
    };
  }
}

describe('sandbox put', () => {
  it('goes on where the node stands after chunks broke, and the file arrives whole', async () => {
    const uploads = new Uploads();
    // The second is lost on the way; the answer to the fourth is.
    uploads.trouble = (n) => (n === 2 ? 'lost' : n === 4 ? 'unheard' : undefined);
    await using node = await fakeNode(uploads.answers());
    const bytes = randomBytes(5 * chunk + 123);
    await writeFile(join(folder, 'big.bin'), bytes);
    const ran = await binnacle(['sandbox', 'put', join(folder, 'big.bin'), 'lab/in/', '--data', node.data]);
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(uploads.files.get('in/big.bin')?.bytes.equals(bytes)).toBe(true);
    expect(uploads.chunks).toBe(7);
    expect(uploads.open.size).toBe(1);
  });

  it('says so and gives 4 when no byte gets through for long enough', async () => {
    const uploads = new Uploads();
    uploads.trouble = () => 'lost';
    await using node = await fakeNode(uploads.answers());
    await writeFile(join(folder, 'a.bin'), 'abc');
    const ran = await binnacle([
      'sandbox',
      'put',
      join(folder, 'a.bin'),
      'lab/',
      '--retry-for',
      '1',
      '--data',
      node.data,
    ]);
    expect(ran).toMatchObject({ code: 4, out: '', err: expect.stringContaining('do not get through') });
  });

  it('gives up an upload that the node refuses', async () => {
    const uploads = new Uploads();
    await using node = await fakeNode({
      ...uploads.answers(),
      uploadComplete: () => new Refused('file_exists', 'a.bin is there already.'),
    });
    await writeFile(join(folder, 'a.bin'), 'abc');
    const asked = ['sandbox', 'put', '--no-replace', join(folder, 'a.bin'), 'lab/x.bin', '--data', node.data];
    expect((await binnacle(asked)).code).toBe(3);
    expect(uploads.cancelled).toBe(1);
  });

  it('takes a folder with all in it, empty ones too, but no links', async () => {
    const uploads = new Uploads();
    const made: unknown[] = [];
    await using node = await fakeNode({
      ...uploads.answers(),
      folderCreate: ({ body }) => {
        made.push(body['path']);
        return madeEntry({ kind: 'folder', path: String(body['path']) });
      },
    });
    await mkdir(join(folder, 'jobs/deep/empty'), { recursive: true });
    await writeFile(join(folder, 'jobs/run.sh'), '#!/bin/sh\n');
    await chmod(join(folder, 'jobs/run.sh'), 0o755);
    await writeFile(join(folder, 'jobs/deep/zero'), '');
    await symlink('/etc/passwd', join(folder, 'jobs/link'));
    expect((await binnacle(['sandbox', 'put', join(folder, 'jobs'), 'lab/', '--data', node.data])).code).toBe(2);
    const ran = await binnacle(['sandbox', 'put', '-r', join(folder, 'jobs'), 'lab/', '--data', node.data]);
    expect(ran.code).toBe(0);
    expect(ran.err).toContain('link is left out');
    expect([...uploads.files.keys()].sort()).toEqual(['jobs/deep/zero', 'jobs/run.sh']);
    expect(uploads.files.get('jobs/run.sh')?.executable).toBe(process.platform !== 'win32');
    expect(made).toEqual(['jobs/deep/empty']);
  });

  it('says which mistakes a job file has that was kept', async () => {
    const uploads = new Uploads();
    const problems = [{ path: 'tasks', line: 2, column: 1, sentence: 'There are no tasks.' }];
    await using node = await fakeNode({
      ...uploads.answers(),
      uploadComplete: () => madeEntry({ path: 'a.job.yaml', job: { format: 'job', ok: false, tasks: 0, problems } }),
    });
    await writeFile(join(folder, 'a.job.yaml'), 'name: a\n');
    const ran = await binnacle(['sandbox', 'put', join(folder, 'a.job.yaml'), 'lab/', '--data', node.data]);
    expect(ran).toMatchObject({ code: 0, err: expect.stringContaining('line 2, column 1: There are no tasks.') });
  });

  it('names a file that is not there, before a node is asked', async () => {
    const ran = await binnacle(['sandbox', 'put', join(folder, 'none'), 'lab/', '--data', '/nowhere']);
    expect(ran).toMatchObject({ code: 7, err: expect.stringContaining('does not exist') });
  });
});

describe('sandbox get', () => {
  it('goes on where it broke while the file is the same', async () => {
    const bytes = randomBytes(300_000);
    const ranges: (string | undefined)[] = [];
    await using node = await fakeNode({
      fileRead: ({ request, response }) => {
        ranges.push(request.headers.range);
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(from > 0 ? 206 : 200, { etag: '"v1"', 'content-length': bytes.length - from });
        if (ranges.length > 1) response.end(bytes.subarray(from));
        else response.write(bytes.subarray(0, 100_000), () => response.destroy());
        return written;
      },
    });
    const local = join(folder, 'out.bin');
    const ran = await binnacle(['sandbox', 'get', 'lab/out.bin', local, '--data', node.data]);
    expect(ran.code).toBe(0);
    expect((await readFile(local)).equals(bytes)).toBe(true);
    expect(ranges[0]).toBeUndefined();
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    expect(await readdir(folder)).toEqual(['out.bin']);
  });

  it('begins again when the file was changed meanwhile', async () => {
    const versions = [Buffer.alloc(200_000, 'a'), Buffer.alloc(150_000, 'b')];
    let asked = 0;
    await using node = await fakeNode({
      fileRead: ({ request, response }) => {
        asked += 1;
        const bytes = versions[asked === 1 ? 0 : 1] as Buffer;
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(from > 0 ? 206 : 200, {
          etag: `"v${asked === 1 ? 1 : 2}"`,
          'content-length': bytes.length - from,
        });
        if (asked > 1) response.end(bytes.subarray(from));
        else response.write(bytes.subarray(0, 100_000), () => response.destroy());
        return written;
      },
    });
    const local = join(folder, 'out.bin');
    expect((await binnacle(['sandbox', 'get', 'lab/out.bin', local, '--data', node.data])).code).toBe(0);
    expect((await readFile(local)).equals(versions[1] as Buffer)).toBe(true);
  });

  it('leaves nothing behind when the node refuses', async () => {
    await using node = await fakeNode({ fileRead: () => new Refused('file_unknown', 'There is no out.bin in lab.') });
    const ran = await binnacle(['sandbox', 'get', 'lab/out.bin', join(folder, 'out.bin'), '--data', node.data]);
    expect(ran.code).toBe(3);
    expect(await readdir(folder)).toEqual([]);
  });

  it('fetches a folder with all in it, page after page', async () => {
    const file = (path: string) => madeEntry({ path, name: path.split('/').at(-1) ?? '' });
    await using node = await fakeNode({
      entries: ({ query }) => {
        const page = { path: query.path, revision: 1, total: 2 };
        if (query.path === 'out/sub') return { ...page, entries: [file('out/sub/c.txt')] };
        if (query.cursor === '2') return { ...page, entries: [file('out/b.txt')] };
        const sub = madeEntry({ kind: 'folder', path: 'out/sub', name: 'sub' });
        return { ...page, entries: [sub, file('out/a.txt')], cursor: '2' };
      },
      fileRead: ({ params, response }) => {
        response.end(params.path);
        return written;
      },
    });
    const ran = await binnacle(['sandbox', 'get', '-r', 'lab/out', join(folder, 'here'), '--data', node.data]);
    expect(ran.code).toBe(0);
    const found = await readdir(join(folder, 'here'), { recursive: true });
    expect(found.sort()).toEqual(['a.txt', 'b.txt', 'sub', join('sub', 'c.txt')]);
    expect(await readFile(join(folder, 'here/sub/c.txt'), 'utf8')).toBe('out/sub/c.txt');
  });

  it('never writes outside the folder asked for, whatever names a node tells', async () => {
    await using node = await fakeNode({
      entries: ({ query }) => ({
        path: query.path,
        revision: 1,
        total: 1,
        entries: [madeEntry({ path: '../../evil' })],
      }),
      fileRead: ({ response }) => {
        response.end('evil');
        return written;
      },
    });
    const ran = await binnacle(['sandbox', 'get', '-r', 'lab', join(folder, 'a/b/'), '--data', node.data]);
    expect(ran.code).toBe(7);
    expect(node.seen.some((each) => each.route === 'fileRead')).toBe(false);
  });

  it('refuses a path that a URL would swallow', async () => {
    await using node = await fakeNode({});
    const ran = await binnacle(['sandbox', 'get', 'lab/a/../../../users', '-', '--data', node.data]);
    expect(ran.code).toBe(2);
    expect(node.seen).toEqual([]);
  });

  it('prints an older version to stdout', async () => {
    await using node = await fakeNode({
      fileRead: ({ query, params, response }) => {
        response.end(`${params.path} v${query.version}`);
        return written;
      },
    });
    const ran = await binnacle(['sandbox', 'get', 'lab/a b/ü.txt', '-', '--version', '3', '--data', node.data]);
    expect(ran).toEqual({ code: 0, out: 'a b/ü.txt v3', err: '' });
  });
});

describe('other sandbox commands', () => {
  it('rm moves a file to the trash, but a whole sandbox only when that is said', async () => {
    const removed: string[] = [];
    await using node = await fakeNode({
      fileRemove: ({ params }) => removed.push(`${params.sandbox}/${params.path}`) as never,
      sandboxRemove: ({ params }) => removed.push(params.sandbox) as never,
    });
    expect((await binnacle(['sandbox', 'rm', 'lab/a.txt', '--data', node.data])).code).toBe(0);
    expect((await binnacle(['sandbox', 'rm', 'lab/', '--data', node.data])).code).toBe(2);
    expect(removed).toEqual(['lab/a.txt']);
    expect((await binnacle(['sandbox', 'rm', 'lab', '--whole', '--data', node.data])).code).toBe(0);
    expect(removed).toEqual(['lab/a.txt', 'lab']);
  });

  it('create with a directory makes a local sandbox of it', async () => {
    let sent: unknown;
    await using node = await fakeNode({
      sandboxCreate: ({ body }) => {
        sent = body;
        const at = '2026-03-04T09:22:31.000Z';
        return {
          name: 'plc',
          kind: 'local',
          description: '',
          revision: 1,
          files: 0,
          bytes: 0,
          createdAt: at,
          createdBy: 'x',
        };
      },
    });
    const asked = ['sandbox', 'create', 'plc', '--directory', folder, '--data', node.data];
    expect(await binnacle(asked)).toMatchObject({ code: 0, out: 'Sandbox plc was made (local).\n' });
    expect(sent).toEqual({ name: 'plc', kind: 'local', directory: folder });
    expect((await binnacle(['sandbox', 'create', 'plc', '--directory', 'here', '--data', node.data])).code).toBe(2);
  });

  it('restore takes --version as its own option', async () => {
    let sent: unknown;
    await using node = await fakeNode({
      restore: ({ body }) => {
        sent = body;
        return madeEntry({ version: 5 });
      },
    });
    const ran = await binnacle(['sandbox', 'restore', 'lab/a.txt', '--version', '3', '--data', node.data]);
    expect(ran.code).toBe(0);
    expect(sent).toEqual({ path: 'a.txt', version: 3 });
  });
});
