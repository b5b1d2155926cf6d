/**
 * The first start of a desktop program's node, over its private socket: it is
 * founded, joins by a code, or asks; what does not come about leaves the folder
 * as it was; who may reach it is kept, and changed later.
 */
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as secure } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JoinRequest, Node } from '../../../node-runtime/contract/model.ts';
import type { Setup } from '../../../node-runtime/contract/setup.ts';
import { type Hosted, hostNode } from '../../../node-runtime/hosted-node.ts';
import { forkRunner } from '../../../node-runtime/io/process/fork-runner.ts';
import { binnacle, eventually, RealNode } from '../../support/real-node.ts';

type Got = { status: number; json: Record<string, never> & { code?: string; detail?: string } };
type Open = { data: string; ask(method: string, path: string, body?: object): Promise<Got>; stop(): Promise<void> };

const folders: string[] = [];
const opened: Open[] = [];
let member: RealNode;

function ask(socketPath: string, method: string, at: string, body?: object): Promise<Got> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((done, failed) => {
    const headers = { host: 'localhost', ...(text === undefined ? {} : { 'content-type': 'application/json' }) };
    const asking = request({ socketPath, method, path: at, headers, agent: false }, (answer) => {
      let all = '';
      answer.on('data', (piece) => (all += piece));
      answer.on('end', () => done({ status: answer.statusCode!, json: all.startsWith('{') ? JSON.parse(all) : {} }));
    });
    asking.on('error', failed);
    asking.end(text);
  });
}

function publicly(address: string, method: string): Promise<number> {
  return new Promise((done, failed) => {
    const at = `https://${address}/api/v1/setup`;
    const asking = secure(at, { method, rejectUnauthorized: false, agent: false }, (answer) => {
      answer.resume();
      done(answer.statusCode!);
    });
    asking.on('error', failed);
    asking.end();
  });
}

async function open(data = mkdtempSync(path.join(tmpdir(), 'bn-first-'))): Promise<Open> {
  const socketDirectory = mkdtempSync(path.join(tmpdir(), 'bn-s-'));
  folders.push(data, socketDirectory);
  let ready = (): void => undefined;
  const isReady = new Promise<void>((done) => (ready = done));
  const hosted: Hosted = hostNode({
    ...{ data, socketDirectory, name: 'first', example: false, onReady: () => ready() },
    host: { kind: 'desktop', startRunner: () => forkRunner() },
  });
  const ran = hosted.run();
  await Promise.race([isReady, ran]);
  const socketPath = path.join(socketDirectory, 'node.sock');
  const one: Open = {
    data,
    ask: (method, at, body) => ask(socketPath, method, at, body),
    async stop() {
      await hosted.stop();
      await ran;
    },
  };
  opened.push(one);
  return one;
}

const state = async (at: Open): Promise<Setup> => (await at.ask('GET', '/api/v1/setup')).json as unknown as Setup;
const step = (at: Open, wanted: Setup['step']): Promise<Setup> =>
  eventually(`it is ${wanted}`, async () => {
    const now = await state(at).catch(() => null); // between two servers nobody answers
    return now?.step === wanted ? now : null;
  });
const failed = (at: Open): Promise<Setup> =>
  eventually('it failed', async () => {
    const now = await state(at);
    return now.failure ? now : null;
  });
const post = (at: Open, what: string, body: object) => at.ask('POST', `/api/v1/setup/${what}`, body);
const left = (at: Open): string[] => readdirSync(at.data);
const doorOf = (node: RealNode): string => new URL(node.running()!.url!).host;
const requests = async (): Promise<JoinRequest[]> =>
  (await member.must<{ requests: JoinRequest[] }>('GET', '/api/v1/join-requests')).requests;
const invite = async (...duties: string[]): Promise<string> =>
  (await member.must<{ code: string }>('POST', '/api/v1/invites', { duties })).code;

beforeAll(async () => {
  member = await RealNode.found();
  await member.start(['--listen', '127.0.0.1:0']);
}, 60_000);
afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop();
});
afterAll(async () => {
  await member?.remove();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('a computer without a node', () => {
  it('says so to whoever asks for one, and suggests names', async () => {
    const it = await open();
    const got = await it.ask('GET', '/api/v1/session');
    expect([got.status, got.json.code]).toEqual([409, 'no_node']);
    expect((await it.ask('GET', '/healthz')).status).toBe(200);
    const now = await state(it);
    expect(now).toMatchObject({ step: 'choosing', reach: { open: false, addresses: [] } });
    expect(now.suggested.name).toMatch(/^first(-\d+)?$/);
    expect(left(it)).toEqual([]);
  });

  it.each([
    ['an address that is none', 'GET', '/api/v1/setup/nothing', undefined, 404, 'not_found'],
    ['another method', 'DELETE', '/api/v1/setup', undefined, 405, 'method_not_allowed'],
    ['no name', 'POST', '/api/v1/setup/found', { cluster: 'lab', name: ' ', open: false }, 400, 'bad_request'],
    [
      'a control character',
      'POST',
      '/api/v1/setup/found',
      { cluster: 'l\nb', name: 'a', open: false },
      400,
      'bad_request',
    ],
    [
      'a long name',
      'POST',
      '/api/v1/setup/found',
      { cluster: 'l'.repeat(49), name: 'a', open: false },
      400,
      'bad_request',
    ],
    ['no code', 'POST', '/api/v1/setup/join', { code: 'nonsense', name: 'a' }, 403, 'invite_invalid'],
    ['a long code', 'POST', '/api/v1/setup/join', { code: 'c'.repeat(2_000), name: 'a' }, 400, 'bad_request'],
    ['no address', 'POST', '/api/v1/setup/ask', { address: 'a b', name: 'a' }, 400, 'bad_request'],
    ['a node to reach', 'PUT', '/api/v1/setup/reach', { open: true }, 409, 'no_node'],
  ] as const)('refuses %s and stays as it is', async (_what, method, at, body, status, code) => {
    const it = await open();
    const got = await it.ask(method, at, body);
    expect([got.status, got.json.code]).toEqual([status, code]);
    expect((await state(it)).step).toBe('choosing');
    expect(left(it)).toEqual([]);
  });

  it('founds a cluster, and its node takes over the same socket', { timeout: 60_000 }, async () => {
    const it = await open();
    const answer = await post(it, 'found', { cluster: 'bench lab', name: 'borea', open: false });
    expect(answer.json).toMatchObject({ step: 'founding' });
    expect((await post(it, 'found', { cluster: 'other', name: 'b', open: false })).json.code).toMatch(
      /setup_busy|has_node/,
    );
    await step(it, 'done');
    const { nodes } = (await it.ask('GET', '/api/v1/nodes')).json as unknown as { nodes: Node[] };
    expect(nodes.map((one) => one.name)).toEqual(['borea']);
    for (const [what, body] of [
      ['found', { cluster: 'a', name: 'a', open: false }],
      ['join', { code: await invite('worker'), name: 'a' }],
      ['ask', { address: doorOf(member), name: 'a' }],
    ] as const) {
      const again = await post(it, what, body);
      expect([again.status, again.json.code]).toEqual([409, 'has_node']);
    }
  });

  it('puts a half-made journal aside', { timeout: 60_000 }, async () => {
    const it = await open();
    const half = path.join(it.data, 'journal');
    rmSync(half, { recursive: true, force: true });
    writeFileSync(half, 'not a journal');
    await post(it, 'found', { cluster: 'lab', name: 'borea', open: false });
    await step(it, 'done');
    const aside = left(it).find((name) => name.startsWith('journal.aside-'));
    expect(readFileSync(path.join(it.data, aside!), 'utf8')).toBe('not a journal');
  });
});

describe('joining', () => {
  it('by a link, once; the second time says what is the matter and leaves the folder clean', {
    timeout: 90_000,
  }, async () => {
    const code = await invite('worker');
    const it = await open();
    await post(it, 'join', { code: `binnacle://join/${code}`, name: 'by-link' });
    await step(it, 'done');
    const { nodes } = await member.must<{ nodes: Node[] }>('GET', '/api/v1/nodes');
    expect(nodes.find((one) => one.name === 'by-link')?.duties).toEqual(['worker']);
    // Others reach it from now on.
    expect((await state(it)).reach.open).toBe(true);

    const late = await open();
    await post(late, 'join', { code, name: 'late' });
    const { failure } = await failed(late);
    expect(failure).toMatchObject({
      way: 'join',
      code: 'invite_invalid',
      sentence: expect.stringContaining('was used'),
    });
    expect(failure!.next).toContain('Invite a node');
    expect(left(late)).toEqual([]);
    // And another try may do better.
    await post(late, 'join', { code: await invite('worker'), name: 'late' });
    await step(late, 'done');
  });

  it('by asking: the same words here and there, and a yes', { timeout: 60_000 }, async () => {
    const it = await open();
    await post(it, 'ask', { address: doorOf(member), name: 'asks' });
    const { asked } = await step(it, 'waiting');
    const [one] = (await requests()).filter(({ name }) => name === 'asks');
    expect(one!.words).toEqual(asked!.words);
    expect(asked).toMatchObject({ clusterName: 'test-lab', address: doorOf(member), expiresAt: one!.expiresAt });
    await member.must('POST', `/api/v1/join-requests/${one!.id}/approve`, { duties: ['worker'] });
    await step(it, 'done');
  });

  it('a no, and a name that is taken, are said', { timeout: 60_000 }, async () => {
    const it = await open();
    await post(it, 'ask', { address: doorOf(member), name: 'unwanted' });
    await step(it, 'waiting');
    const [one] = (await requests()).filter(({ name }) => name === 'unwanted');
    await member.must('POST', `/api/v1/join-requests/${one!.id}/refuse`);
    expect((await failed(it)).failure).toMatchObject({ way: 'ask', sentence: 'A person at the cluster said no.' });
    await post(it, 'ask', { address: doorOf(member), name: 'atlas' });
    expect((await failed(it)).failure).toMatchObject({
      code: 'name_taken',
      next: expect.stringContaining('another name'),
    });
    expect(left(it)).toEqual([]);
  });

  it('is withdrawn when it is cancelled, and gone from the screen of the member', { timeout: 60_000 }, async () => {
    const it = await open();
    await post(it, 'ask', { address: doorOf(member), name: 'undecided' });
    await step(it, 'waiting');
    expect((await requests()).some(({ name }) => name === 'undecided')).toBe(true);
    const after = await post(it, 'cancel', {});
    expect(after.json).toMatchObject({ step: 'choosing' });
    expect(after.json).not.toHaveProperty('failure');
    expect((await requests()).some(({ name }) => name === 'undecided')).toBe(false);
    expect(left(it)).toEqual([]);
  });

  it('at an address where nobody is, or somebody else, says so', { timeout: 60_000 }, async () => {
    const it = await open();
    const nobody = createServer().listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const { port } = nobody.address() as AddressInfo;
    nobody.close();
    await post(it, 'ask', { address: `127.0.0.1:${port}`, name: 'lost' });
    const { failure } = await failed(it);
    expect(failure).toMatchObject({ way: 'ask', sentence: expect.stringContaining(`127.0.0.1:${port}`) });
    expect(left(it)).toEqual([]);
  });

  it('waits through a break of the connection, and says when the request is known no longer', {
    timeout: 60_000,
  }, async () => {
    const other = await RealNode.found();
    try {
      await other.start(['--listen', '127.0.0.1:0']);
      const address = doorOf(other);
      const it = await open();
      await post(it, 'ask', { address, name: 'waits' });
      await step(it, 'waiting');
      await other.stop();
      await new Promise((done) => setTimeout(done, 1_500));
      expect((await state(it)).step).toBe('waiting');
      await other.start(['--listen', address]);
      expect((await failed(it)).failure).toMatchObject({
        code: 'join_request_unknown',
        sentence: expect.stringContaining('The request has ended'),
      });
    } finally {
      await other.remove();
    }
  });

  it('is left at once while nobody answers', { timeout: 30_000 }, async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const it = await open();
    await post(it, 'ask', { address: `127.0.0.1:${(silent.address() as AddressInfo).port}`, name: 'patient' });
    expect((await state(it)).step).toBe('asking');
    const begun = performance.now();
    expect((await post(it, 'cancel', {})).json).toMatchObject({ step: 'choosing' });
    expect(performance.now() - begun).toBeLessThan(3_000);
    silent.close();
  });
});

describe('who may reach it', () => {
  it('is chosen at the founding, changed later, and kept with its ports', { timeout: 90_000 }, async () => {
    const it = await open();
    await post(it, 'found', { cluster: 'lab', name: 'borea', open: true });
    const { reach } = await step(it, 'done');
    expect(reach.open).toBe(true);
    expect(reach.addresses.length).toBeGreaterThan(0);
    const kept = JSON.parse(readFileSync(path.join(it.data, 'reach.json'), 'utf8'));
    expect(kept).toMatchObject({ open: true, door: Number(/:(\d+)$/.exec(reach.addresses[0]!)![1]) });

    // Nobody in the network can ask how this computer is set up, nor change it.
    for (const method of ['GET', 'POST'] as const) expect(await publicly(reach.addresses[0]!, method)).toBe(404);

    expect((await it.ask('PUT', '/api/v1/setup/reach', { open: false })).status).toBe(200);
    const shut = await eventually('it is closed', async () => {
      const now = await state(it).catch(() => null);
      return now?.step === 'done' && now.reach.addresses.length === 0 ? now : null;
    });
    expect(shut.reach.open).toBe(false);
    const refused = await it.ask('POST', '/api/v1/invites', { duties: ['worker'] });
    expect(refused.json.detail).toContain('open to this computer only');

    await it.ask('PUT', '/api/v1/setup/reach', { open: true });
    await eventually('it is open again, where it was', async () => {
      const now = await state(it).catch(() => null);
      return now?.reach.addresses.join() === reach.addresses.join();
    });
    await it.stop();
    opened.splice(opened.indexOf(it), 1);
    const next = await open(it.data);
    expect((await state(next)).reach).toEqual(reach);
    expect((await binnacle(['status', '--data', it.data])).out).toContain('borea');
  });
});
