/**
 * Who is not let in, one by one, each refused with its code: by a real cluster,
 * at the doors that are open to the network.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import path from 'node:path';
import { connect, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster, Evidence } from '../../../node-runtime/contract/model.ts';
import {
  type Identity,
  type IdentityParts,
  identityFrom,
  makeIdentity,
  makeJoinRequest,
  signJoinRequest,
} from '../../../node-runtime/io/trust/identity.ts';
import { FalseClock, falseClockLibrary, removeClockRemains } from '../../support/false-clock.ts';
import { binnacle, eventually, RealNode, refusalOf } from '../../support/real-node.ts';

const noClock = falseClockLibrary() ? null : ' (skipped: libfaketime is missing, package faketime)';

const door = ['--listen', '127.0.0.1:0', '--peers', '127.0.0.1:0'];
let a: RealNode;
let worker: RealNode;
beforeAll(async () => {
  a = await RealNode.found();
  await a.start(door);
  worker = await RealNode.join(a, 'bench', ['worker']);
  await worker.start(door);
}, 60_000);
afterAll(async () => {
  for (const node of [a, worker]) await node?.remove();
});

const identityOf = (node: RealNode): Identity =>
  identityFrom(JSON.parse(readFileSync(path.join(node.data, 'trust', 'identity.json'), 'utf8')) as IdentityParts);

type Got = { status: number; text: string };
function asked(options: RequestOptions, body?: unknown): Promise<Got> {
  const text = body === undefined ? '' : JSON.stringify(body);
  return new Promise((done, failed) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const one = request(
      { host: '127.0.0.1', rejectUnauthorized: false, ...options, headers: { ...headers, ...options.headers } },
      (answer) => {
        let heard = '';
        answer.on('data', (part) => (heard += part)).on('end', () => done({ status: answer.statusCode!, text: heard }));
        answer.on('error', failed);
      },
    );
    one.on('error', failed);
    one.end(text);
  });
}
/** Each from an address of its own: tries to join are limited, which is shown elsewhere. */
let asking = 1;
const portOf = (url: string): number => Number(new URL(url).port);
const atDoor = (target: string, body: unknown, headers: Record<string, string> = {}): Promise<Got> =>
  asked(
    { port: portOf(a.running()!.url!), path: target, method: 'POST', headers, localAddress: `127.0.2.${++asking}` },
    body,
  );

/** Where atlas listens for other nodes. */
async function peersPort(): Promise<number> {
  const { nodes } = await a.must<{ nodes: { name: string; id: string }[] }>('GET', '/api/v1/nodes');
  const { id } = nodes.find((one) => one.name === 'atlas')!;
  const known = JSON.parse(readFileSync(path.join(worker.data, 'trust', 'members.json'), 'utf8')) as {
    nodes: { id: string; addresses: string[] }[];
  };
  return Number(/:(\d+)$/.exec(known.nodes.find((one) => one.id === id)!.addresses[0]!)![1]);
}

/** A connection to the door of nodes with these papers; null when it is cut before anything is said. */
async function knock(papers: SecureContextOptions, protocol = 'http/1.1'): Promise<TLSSocket | null> {
  const socket = connect({
    ...{ host: '127.0.0.1', port: await peersPort(), rejectUnauthorized: false, ALPNProtocols: [protocol] },
    ...{ minVersion: 'TLSv1.3' as const, ...papers },
  });
  socket.on('error', () => {});
  await new Promise((done) => socket.once('secureConnect', done).once('close', done));
  // A server that refuses a certificate says so only after the client's handshake is done.
  await new Promise((done) => setTimeout(done, 150));
  return socket.destroyed || socket.readyState !== 'open' ? null : socket;
}
const papersOf = ({ node }: Identity): SecureContextOptions => ({ cert: node.cert, key: node.key });

/** What `binnacle join` sends. */
async function joining(secret: string, name: string) {
  const { request: certificateRequest } = await makeJoinRequest();
  const hex = (length: number) => Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join('');
  return {
    ...{ secret, node: `n-${hex(10)}`, store: hex(32), name, request: certificateRequest, addresses: [], hosts: [] },
    ...{ slots: 1, speaks: 1, program: '0.1.0' },
  };
}
async function invited(...more: string[]): Promise<string> {
  const made = await binnacle(['invite', '--role', 'worker', '--json', '--data', a.data, ...more]);
  return (JSON.parse(made.out) as { code: string }).code;
}
const secretOf = (code: string): string => /\/([a-z2-9]{20})\./.exec(code)![1]!;

describe('with an invite', () => {
  it('in the first moment of a cluster: the answer says where the founder is reached', {
    timeout: 30_000,
  }, async () => {
    const founder = await RealNode.found();
    try {
      await founder.start(door, {}, 'alive');
      const invite = () => founder.ask('POST', '/api/v1/invites', { duties: ['worker'] });
      const made = await eventually('it leads', async () => {
        const one = await invite();
        return one.status === 201 && one;
      });
      const { code } = made.json() as { code: string };
      const got = await asked(
        { port: portOf(founder.running()!.url!), path: '/api/v1/join', method: 'POST' },
        await joining(secretOf(code), 'early'),
      );
      const { members } = JSON.parse(got.text) as { members: { name: string; addresses: string[] }[] };
      const { addresses } = members.find((one) => one.name === 'atlas')!;
      expect(addresses).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
    } finally {
      await founder.remove();
    }
  });

  it('a wrong authority: the new node turns away before it sends the secret', async () => {
    const code = await invited();
    const other = code.slice(0, -2) + (code.endsWith('00') ? '11' : '00');
    const ran = await binnacle(['join', other, '--data', path.join(a.data, 'x1'), '--name', 'x1', '--json']);
    expect([ran.code === 0, ran.err]).toEqual([false, expect.stringContaining('of another cluster than the code')]);
    // So the code is still good.
    expect((await atDoor('/api/v1/join', await joining(secretOf(code), 'x1'))).status).toBe(201);
  });

  it('a secret that nobody made: invite_invalid', async () => {
    expect(refusalOf(await atDoor('/api/v1/join', await joining('a'.repeat(20), 'x2')))).toBe('403 invite_invalid');
  });

  it.skipIf(noClock)(`one whose time is over: invite_invalid${noClock ?? ''}`, { timeout: 60_000 }, async () => {
    const secret = secretOf(await invited('--expires', '1'));
    await a.stop();
    const clock = new FalseClock(path.join(a.data, 'clock'), { monotonicToo: false });
    clock.set(61);
    try {
      await a.start(door, clock.environment);
      expect(refusalOf(await atDoor('/api/v1/join', await joining(secret, 'x7')))).toBe('403 invite_invalid');
      // It was the time, not the clock: a new one is good.
      const fresh = secretOf(await invited('--expires', '1'));
      expect((await atDoor('/api/v1/join', await joining(fresh, 'x8'))).status).toBe(201);
    } finally {
      await a.stop();
      await a.start(door);
      removeClockRemains();
    }
  });

  it('a used one, by another node: invite_invalid', async () => {
    const secret = secretOf(await invited());
    expect((await atDoor('/api/v1/join', await joining(secret, 'x3'))).status).toBe(201);
    expect(refusalOf(await atDoor('/api/v1/join', await joining(secret, 'x4')))).toBe('403 invite_invalid');
  });

  it('a replay: the same answer until the node has come in, then invite_invalid', { timeout: 30_000 }, async () => {
    const body = await joining(secretOf(await invited()), 'x5');
    const first = await atDoor('/api/v1/join', body);
    const again = await atDoor('/api/v1/join', body);
    expect([first.status, again.status]).toEqual([201, 201]);
    // The same key, and no key of the authority: it is of use to nobody but the node that holds the key.
    const certificates = [first, again].map((one) => new X509Certificate(JSON.parse(one.text).certificate));
    expect(certificates[1]!.publicKey.equals(certificates[0]!.publicKey)).toBe(true);
    expect(JSON.parse(again.text)).not.toHaveProperty('authorityKey');
    const late = await RealNode.join(a, 'late', ['worker']);
    await late.start(door);
    const isIn = async () =>
      (await a.must<{ nodes: { name: string; reachable: boolean }[] }>('GET', '/api/v1/nodes')).nodes;
    await eventually('it has come in', async () => (await isIn()).find((one) => one.name === 'late')?.reachable);
    await late.remove();
    await a.must('DELETE', '/api/v1/nodes/late');
    const { node } = body;
    await a.must('DELETE', `/api/v1/nodes/${node}`);
    expect(refusalOf(await atDoor('/api/v1/join', { ...body, node: 'n-0123456789' }))).toBe('403 invite_invalid');
  });

  it('after it has come in, the very same request gets no answer again', { timeout: 30_000 }, async () => {
    // A node that joins by hand, so that its request is known here.
    const secret = secretOf(await invited());
    const body = await joining(secret, 'x6');
    const { key, request: own } = await makeJoinRequest();
    const answer = JSON.parse((await atDoor('/api/v1/join', { ...body, request: own })).text) as {
      certificate: string;
    };
    const socket = await knock({ cert: answer.certificate, key }, 'binnacle/1');
    const { trust, key: hash } = { trust: { issuer: 'a'.repeat(64), authorities: [], keeps: [] }, key: 'b'.repeat(64) };
    const told = {
      ...{ kind: 'told', store: body.store, name: 'x6', addresses: [], slots: 1, speaks: 1, program: '0.1.0', trust },
      ...{ load: { cpuPercent: 0, memoryFreeBytes: 0, memoryBytes: 0, diskFreeBytes: 0 }, tasksRunning: 0, key: hash },
      ...{ platform: '', startedAt: 0, watchRank: 0, blobsMissing: 0, committed: 0, clock: 0 },
    };
    const text = Buffer.from(JSON.stringify({ message: told }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    socket!.write(Buffer.concat([length, text]));
    const again = () => atDoor('/api/v1/join', { ...body, request: own });
    await eventually('it is refused', async () => {
      await new Promise((done) => setTimeout(done, 200));
      return refusalOf(await again()) === '403 invite_invalid';
    });
    socket!.destroy();
    await a.must('DELETE', `/api/v1/nodes/${body.node}`);
  });
});

describe('with a certificate', () => {
  it('of another authority: cut in the handshake', async () => {
    const { nodeId } = identityOf(worker);
    const foreign = await makeIdentity({
      ...{ clusterName: 'test-lab', clusterId: 'c-1', nodeName: 'bench', nodeId, hosts: ['127.0.0.1'] },
    });
    expect(await knock(papersOf(foreign))).toBeNull();
    expect(await knock(papersOf(identityOf(worker)))).not.toBeNull();
  });

  it('copied from a member, with another key: the copy can prove nothing', async () => {
    const { key } = await makeJoinRequest();
    await expect(knock({ cert: identityOf(worker).node.cert, key })).rejects.toThrow(/key values mismatch/);
  });

  it('made for a member with the key of the authority itself: cut, and said in the log', async () => {
    const [own, victim] = [identityOf(a), identityOf(worker)];
    const { key, request: forged } = await makeJoinRequest();
    const of = { nodeId: victim.nodeId, nodeName: 'bench', hosts: ['127.0.0.1'] };
    const cert = await signJoinRequest(own.authority, forged, of);
    expect(await knock({ cert, key })).toBeNull();
    expect(a.log).toContain('with another key than the one');
  });

  it('to be renewed for another key than the one it joined with: certificate_refused', async () => {
    const papers = papersOf(identityOf(worker));
    const { request: other } = await makeJoinRequest();
    const { request: right } = await makeJoinRequest(identityOf(worker).node.key);
    const renew = async (wanted: string) =>
      asked(
        {
          port: await peersPort(),
          path: '/peer/v1/renew',
          method: 'POST',
          ...papers,
          ALPNProtocols: ['http/1.1'],
        } as RequestOptions,
        { request: wanted, hosts: ['127.0.0.1'] },
      );
    expect(refusalOf(await renew(other))).toBe('403 certificate_refused');
    expect((await renew(right)).status).toBe(200);
  });

  it('of a worker that asks for the key of the authority: role_missing', async () => {
    const port = await peersPort();
    const got = await asked({
      ...{ port, path: '/peer/v1/authority', method: 'GET', ...papersOf(identityOf(worker)) },
      ...({ ALPNProtocols: ['http/1.1'] } as RequestOptions),
    });
    expect(refusalOf(got)).toBe('403 role_missing');
  });
});

describe('with a role or none', () => {
  it('without signing in: sign_in_needed; with too small a role: role_missing', async () => {
    expect(refusalOf(await atDoor('/api/v1/invites', { duties: ['worker'] }))).toBe('401 sign_in_needed');
    const made = await binnacle(['token', 'create', '--role', 'operator', '--data', a.data]);
    const headers = { authorization: `Bearer ${made.out.trim()}` };
    expect(refusalOf(await atDoor('/api/v1/invites', { duties: ['worker'] }, headers))).toBe('403 role_missing');
  });
});

describe('a node that was removed', () => {
  it('is cut on a connection that it keeps alive, and hears node_removed', { timeout: 60_000 }, async () => {
    const extra = await RealNode.join(a, 'extra', ['worker']);
    await extra.start(door);
    // One more of its own, kept alive by whoever has its folder.
    const kept = (await knock(papersOf(identityOf(extra))))!;
    const ask = () => kept.write('GET /peer/v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n');
    const answered = new Promise<string>((done) => kept.once('data', (data) => done(String(data))));
    ask();
    expect(await answered).toMatch(/^HTTP\/1\.1 200/);
    const gone = new Promise<void>((done) => kept.once('close', () => done()));
    const at = performance.now();
    await a.must('DELETE', '/api/v1/nodes/extra');
    await gone;
    expect(performance.now() - at).toBeLessThan(1_000);
    expect(await knock(papersOf(identityOf(extra)))).toBeNull();
    await eventually('it knows', async () => refusalOf(await extra.ask('GET', '/api/v1/runs')) === '403 node_removed');
    const cluster = await extra.must<Cluster>('GET', '/api/v1/cluster');
    expect(cluster.waitsFor[0]?.what).toBe('extra was removed from the cluster test-lab: no other node listens to it.');
    await extra.remove();
  });

  it('can confirm no loss, though it hears nobody', { timeout: 90_000 }, async () => {
    const second = await RealNode.join(a, 'second', ['controller']);
    await second.start(door);
    const mode = async () => (await a.must<Cluster>('GET', '/api/v1/cluster')).mode;
    await eventually('it stands by', async () => (await mode()) === 'paired', 40_000);
    await a.must('DELETE', '/api/v1/nodes/second');
    await eventually('it knows', async () => {
      const { possible, why } = await second.must<Evidence>('GET', '/api/v1/cluster/recovery');
      return !possible && why.includes('was removed from the cluster');
    });
    const confirmed = await second.ask('POST', '/api/v1/cluster/recovery', {
      ...{ evidence: 'x', lost: [], statement: 'atlas is gone' },
    });
    expect(refusalOf(confirmed)).toBe('403 node_removed');
    expect((await second.must<Cluster>('GET', '/api/v1/cluster')).recovery).toBe(false);
    await second.remove();
  });
});
