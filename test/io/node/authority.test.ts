/**
 * Another authority takes the place of the one that signs, on a cluster of
 * real processes that goes on working; and a key is nobody else's.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuthorityStand, Cluster, Run } from '../../../node-runtime/contract/model.ts';
import type { IdentityParts } from '../../../node-runtime/io/trust/identity.ts';
import { binnacle, eventually, hasEnded, RealNode, refusalOf } from '../../support/real-node.ts';

const door = ['--listen', '127.0.0.1:0'];
const address = '/api/v1/cluster/authority';
let a: RealNode;
let b: RealNode;
let watch: RealNode;
let worker: RealNode;
const all = () => [a, b, watch, worker];

const identityOf = (node: RealNode): IdentityParts =>
  JSON.parse(readFileSync(path.join(node.data, 'trust', 'identity.json'), 'utf8'));
const fingerprintOf = (cert: string): string =>
  createHash('sha256').update(new X509Certificate(cert).raw).digest('hex');
const issuerOf = (node: RealNode): string => fingerprintOf(identityOf(node).authority.cert);
const stand = (node: RealNode): Promise<AuthorityStand> => node.must('GET', address);
const view = (node: RealNode): Promise<Cluster> => node.must('GET', '/api/v1/cluster');
const settled = (node: RealNode): Promise<AuthorityStand> =>
  eventually(
    'the change is over',
    async () => {
      const now = await stand(node).catch(() => null);
      return now?.step === 'settled' && now.since ? now : null;
    },
    40_000,
  );

/** It acts, and answers what is asked of it. */
const leads = (node: RealNode): Promise<boolean> =>
  eventually('it leads', async () => {
    const seen = await view(node).catch(() => null);
    return seen?.fresh === true && seen.thisNode.roles.includes('active');
  });

/** What the door for people shows: fingerprints of its own certificate and of the authority's. */
function shownAt(node: RealNode): Promise<string[]> {
  const url = new URL(node.running()!.url!);
  return new Promise((done, failed) => {
    const socket = connect({ host: '127.0.0.1', port: Number(url.port), rejectUnauthorized: false }, () => {
      const { raw, issuerCertificate } = socket.getPeerCertificate(true);
      socket.destroy();
      done([raw, issuerCertificate.raw].map((one) => createHash('sha256').update(one).digest('hex')));
    });
    socket.on('error', failed);
  });
}

beforeAll(async () => {
  a = await RealNode.found();
  await a.start(door);
  b = await RealNode.join(a, 'borea', ['controller']);
  watch = await RealNode.join(a, 'deck', ['watch']);
  worker = await RealNode.join(a, 'bench', ['worker']);
  await Promise.all([b, watch, worker].map((node) => node.start(door)));
  // All seats are taken and the change of them is over: from here on the term stays.
  await eventually('three voters', async () => (await view(a)).charter?.voters.flat().length === 3, 40_000);
}, 120_000);

afterAll(async () => {
  for (const node of all()) await node?.remove();
});

describe('a change of the authority', () => {
  it('gives every node a new certificate while work goes on, and lets the old one go', {
    timeout: 90_000,
  }, async () => {
    await a.must('POST', '/api/v1/sandboxes', { name: 'lab', kind: 'shared' });
    await a.put('lab', 'tick.sh', '#!/bin/sh\nfor i in $(seq 40); do echo $i; sleep 0.1; done\n');
    const old = issuerOf(a);
    const before = await view(a);
    expect(await stand(watch)).toMatchObject({ fingerprint: old, step: 'settled', waitsFor: [] });
    const keys = all().map((node) => identityOf(node).node.key);
    const invited = await binnacle(['invite', '--role', 'worker', '--json', '--data', a.data]);
    const run = await worker.launch('lab', 'tick.sh');

    // All the while somebody writes.
    let written = 0;
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await watch.must('PUT', '/api/v1/sandboxes/lab/files/count.txt', Buffer.from(String(++written)));
      }
    })();
    const begun = await binnacle(['authority', 'rotate', '--yes', '--json', '--data', worker.data]);
    expect([begun.code, begun.err]).toEqual([0, '']);
    const now = await settled(watch);
    isOver = true;
    await writing;
    expect(written).toBeGreaterThan(5);

    expect(now.fingerprint).not.toBe(old);
    for (const node of all()) {
      await eventually('only the new one is trusted', () => {
        const { authority, others } = identityOf(node);
        return fingerprintOf(authority.cert) === now.fingerprint && (others ?? []).length === 0;
      });
      expect(await shownAt(node)).toEqual([fingerprintOf(identityOf(node).node.cert), now.fingerprint]);
    }
    expect(all().map((node) => identityOf(node).node.key)).toEqual(keys);
    expect(all().map((node) => identityOf(node).authority.key !== undefined)).toEqual([true, true, false, false]);
    const after = await view(b);
    expect([after.term, after.survives.lossOf.length, after.state]).toEqual([before.term, 3, 'working']);
    expect(await worker.until(run.id, hasEnded)).toMatchObject({ state: 'succeeded' });
    expect(await watch.output(run.id, 'script')).toContain('40\n');
    const { out } = await binnacle(['authority', 'show', '--data', b.data]);
    expect(out).toContain('All nodes trust this authority, and no other.');
    // An invite of before names an authority that is no more.
    const { code } = JSON.parse(invited.out) as { code: string };
    const late = await binnacle(['join', code, '--data', path.join(a.data, 'late'), '--name', 'late']);
    expect([late.code === 0, late.err]).toEqual([false, expect.stringContaining('its authority was changed since')]);
  });

  it('lets a new node in, a fail-over happen and nodes come back as before', { timeout: 90_000 }, async () => {
    const late = await RealNode.join(a, 'late', ['worker']);
    await late.start(door);
    expect(issuerOf(late)).toBe((await stand(a)).fingerprint);
    await a.must('DELETE', '/api/v1/nodes/late');
    await late.remove();
    await a.kill();
    await leads(b);
    await a.start(door);
    await eventually('three voters', async () => (await view(b)).survives.lossOf.length === 3, 40_000);
  });

  it('waits for a node that is away, says so, and goes on when it is back', { timeout: 90_000 }, async () => {
    const old = issuerOf(b);
    await worker.kill();
    await b.must('POST', `${address}/rotate`);
    await eventually('all others have followed', async () => (await stand(b)).waitsFor.join() === 'bench');
    await new Promise((next) => setTimeout(next, 1_500));
    expect(await stand(a)).toMatchObject({
      ...{ step: 'added', fingerprint: old, waitsFor: ['bench'] },
      sentence: 'All nodes learn to trust the new authority; bench not yet.',
    });
    await worker.start(door);
    expect((await settled(a)).fingerprint).not.toBe(old);
    expect(await a.must<Run>('POST', '/api/v1/runs', { sandbox: 'lab', path: 'tick.sh' })).toMatchObject({
      name: 'tick.sh',
    });
  });

  it('goes on without a node that is removed while it is away', { timeout: 90_000 }, async () => {
    const gone = await RealNode.join(b, 'gone', ['worker']);
    await gone.start(door);
    await gone.kill();
    const old = (await stand(b)).fingerprint;
    await b.must('POST', `${address}/rotate`);
    await eventually('it is waited for', async () => (await stand(b)).waitsFor.join() === 'gone');
    await b.must('DELETE', '/api/v1/nodes/gone');
    expect((await settled(b)).fingerprint).not.toBe(old);
    await gone.remove();
  });

  it('survives a fail-over in the middle, and a second wish for it', { timeout: 120_000 }, async () => {
    await worker.kill(); // so that it stands still
    await b.must('POST', `${address}/rotate`);
    await eventually('both controllers keep the key', async () => (await stand(b)).waitsFor.join() === 'bench');
    await b.kill();
    await leads(a);
    await b.start(door);
    await a.must('POST', `${address}/rotate`); // another one takes the place of the first
    await worker.start(door);
    const now = await settled(a);
    for (const node of all()) await eventually('it has followed', () => issuerOf(node) === now.fingerprint);
    expect(existsSync(path.join(a.data, 'trust', 'identity.json'))).toBe(true);
    expect(identityOf(a).next).toBeUndefined();
  });

  it('is for administrators alone', async () => {
    const made = await binnacle(['token', 'create', '--role', 'operator', '--data', a.data]);
    const headers = { authorization: `Bearer ${made.out.trim()}` };
    const got = await fetchFrom(a, '/api/v1/cluster/authority/rotate', headers);
    expect(refusalOf(got)).toBe('403 role_missing');
  });
});

/** Over the door for people, known by the fingerprint of the authority. */
async function fetchFrom(node: RealNode, target: string, headers: Record<string, string>) {
  const { request } = await import('node:https');
  const url = new URL(node.running()!.url!);
  return new Promise<{ status: number; text: string }>((done, failed) => {
    const asked = request(
      { host: '127.0.0.1', port: url.port, path: target, method: 'POST', headers, rejectUnauthorized: false },
      (answer) => {
        let text = '';
        answer.on('data', (part) => (text += part)).on('end', () => done({ status: answer.statusCode!, text }));
      },
    );
    asked.on('error', failed);
    asked.end();
  });
}
