/**
 * A node that asks to join, with real processes: six words on both screens,
 * a person who says yes or no, and somebody in between whom the words betray.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Cluster, JoinRequest, Node } from '../../../node-runtime/contract/model.ts';
import { makeAuthority, makeNodeCertificate } from '../../../node-runtime/io/trust/certificates.ts';
import { binnacle, eventually, main, RealNode } from '../../support/real-node.ts';

const door = ['--listen', '127.0.0.1:0'];
const folders: string[] = [];
let member: RealNode;
let worker: RealNode;

/** A node that asks, and its screen. */
function asks(address: string, name: string) {
  const data = mkdtempSync(path.join(tmpdir(), 'binnacle-asking-'));
  folders.push(data);
  const child: ChildProcess = spawn(process.execPath, [
    ...[main, 'join', address, '--ask', '--name', name, '--data', data, '--json'],
  ]);
  const screen = { out: '', err: '' };
  child.stdout!.on('data', (text) => (screen.out += text));
  child.stderr!.on('data', (text) => (screen.err += text));
  const ended = once(child, 'close') as Promise<[number]>;
  return {
    data,
    ended,
    words: () =>
      eventually(`words on its screen`, () => {
        if (child.exitCode !== null) throw new Error(`it ended: ${screen.err}`);
        const [line, rest] = screen.out.split('\n');
        return rest === undefined ? null : (JSON.parse(line!) as { words: string[] }).words;
      }),
    err: () => screen.err,
    kill: () => child.kill('SIGKILL'),
  };
}

const addressOf = (node: RealNode): string => {
  const { url } = JSON.parse(readFileSync(path.join(node.data, 'running.json'), 'utf8')) as { url: string };
  return new URL(url).host;
};

const waiting = (node: RealNode, name: string): Promise<JoinRequest> =>
  eventually('it is on the list', async () => {
    const { requests } = await node.must<{ requests: JoinRequest[] }>('GET', '/api/v1/join-requests');
    return requests.find((one) => one.name === name && one.state === 'waiting') ?? null;
  });

beforeAll(async () => {
  member = await RealNode.found();
  await member.start(door);
  worker = await RealNode.join(member, 'bench', ['worker']);
  await worker.start(door);
}, 60_000);

afterAll(async () => {
  await worker?.remove();
  await member?.remove();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

it('lets a node in whose six words a person has compared, asked at any member', { timeout: 60_000 }, async () => {
  const asking = asks(addressOf(worker), 'borea');
  const words = await asking.words();
  const one = await waiting(member, 'borea');
  expect(one.words).toEqual(words);
  const listed = await binnacle(['requests', 'list', '--data', worker.data]);
  expect(listed.out).toContain(words.join(' '));
  const args = ['requests', 'approve', one.id, '--role', 'controller,worker', '--yes', '--data', worker.data];
  const approved = await binnacle(args);
  expect([approved.code, approved.err]).toEqual([0, '']);
  expect(await asking.ended).toEqual([0, null]);
  const joined = new RealNode(asking.data);
  await joined.start(door);
  const { nodes } = await joined.must<{ nodes: Node[] }>('GET', '/api/v1/nodes');
  expect(nodes.find((node) => node.name === 'borea')?.duties).toEqual(['controller', 'worker']);
  await joined.stop();
});

it('tells a node that a person said no, and the journal who', { timeout: 30_000 }, async () => {
  const asking = asks(addressOf(member), 'stranger');
  await asking.words();
  const one = await waiting(worker, 'stranger');
  expect((await binnacle(['requests', 'refuse', one.id, '--data', worker.data])).code).toBe(0);
  const [code] = await asking.ended;
  expect(code).not.toBe(0);
  expect(asking.err()).toContain('said no');
  const { happened } = await member.must<Cluster>('GET', '/api/v1/cluster');
  expect(happened.map((one) => one.text).join('\n')).toMatch(/stranger, which asked from .*, was not let in by/);
});

it('shows other words when somebody stands between the node and the cluster', { timeout: 30_000 }, async () => {
  const real = addressOf(member);
  const authority = await makeAuthority('test-lab');
  const own = await makeNodeCertificate(authority, { nodeName: 'atlas', nodeId: 'n-0000000000', hosts: ['127.0.0.1'] });
  // Passes on every word as it comes, both ways.
  const between = createServer({ cert: `${own.cert}\n${authority.cert}`, key: own.key }, (from, to) => {
    const on = request(
      `https://${real}${from.url}`,
      { method: from.method, headers: { ...from.headers, host: real }, rejectUnauthorized: false },
      (answer) => {
        to.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(to);
      },
    );
    from.pipe(on);
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  const asking = asks(`127.0.0.1:${(between.address() as AddressInfo).port}`, 'deceived');
  try {
    const words = await asking.words();
    const one = await waiting(member, 'deceived');
    expect(one.words).toHaveLength(6);
    expect(one.words).not.toEqual(words);
  } finally {
    asking.kill();
    between.close();
    between.closeAllConnections();
  }
});
