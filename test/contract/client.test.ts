/** Asking a node: typed answers, refusals as values, and a token that only the right node ever sees. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callNode } from '../../node-runtime/io/http/client.ts';
import { makeIdentity, serverCertificate } from '../../node-runtime/io/trust/identity.ts';
import { handlersWith, identity, type OpenDoor, privateDoor, publicDoor } from './support/doors.ts';

const handlers = handlersWith({
  async fileWrite(asked) {
    let bytes = 0;
    for await (const piece of asked.body) bytes += piece.length;
    return { body: { path: asked.params.path, bytes } as never };
  },
  fileRead: (asked) => ({ body: Buffer.from(asked.params.path) }),
});
let open: OpenDoor;
let own: OpenDoor;
let url: string;
let node: string;
let authority: string;
beforeAll(async () => {
  open = await publicDoor({ handlers });
  own = await privateDoor({ handlers });
  url = `https://127.0.0.1:${open.port}`;
  ({ fingerprint: node, authorityFingerprint: authority } = await identity());
});
afterAll(async () => {
  await open.close();
  await own.close();
});

test('an answer of the private door', async () => {
  const answer = await callNode({ socketPath: own.socketPath! }, 'cluster');
  expect(answer).toMatchObject({ ok: true, status: 200, body: { route: 'cluster', by: 'desktop' } });
});

describe('over HTTPS', () => {
  test.each(['the node', 'the authority', 'the node, with colons'])('pinned by %s', async (which) => {
    const colons = node.toUpperCase().replace(/..(?!$)/g, '$&:');
    const fingerprint = { 'the node': node, 'the authority': authority }[which] ?? colons;
    const answer = await callNode({ url, fingerprint, token: 'viewer' }, 'cluster');
    expect(answer).toMatchObject({ ok: true, body: { by: 'token:v' } });
  });

  test('a refusal is a value', async () => {
    const answer = await callNode({ url, fingerprint: node, token: 'viewer' }, 'userRemove', {
      params: { user: 'ops' },
    });
    expect(answer).toMatchObject({ ok: false, status: 403, problem: { code: 'role_missing' } });
  });

  test('an address written here is read there as it was', async () => {
    const path = 'a b/ü%2F?#/c;d';
    const params = { sandbox: 'data', path };
    const target = { url, fingerprint: node, token: 'admin' };
    const body = Buffer.alloc(3_000_000, 7);
    const written = await callNode(target, 'fileWrite', { params, body, key: 'k' });
    expect(written).toMatchObject({ ok: true, body: { path, bytes: body.length } });
    const read = await callNode(target, 'fileRead', { params });
    if (!read.ok || read.stream === null) throw new Error('no stream');
    const pieces: Buffer[] = [];
    for await (const piece of read.stream) pieces.push(piece as Buffer);
    expect(Buffer.concat(pieces).toString()).toBe(path);
  });

  test.each(['0'.repeat(64), ''])('another pin %j is refused', async (fingerprint) => {
    await expect(callNode({ url, fingerprint, token: 'viewer' }, 'cluster')).rejects.toThrow(/another certificate/);
  });

  test('a machine with another certificate never sees a byte of the request', async () => {
    const other = await makeIdentity({ clusterName: 'other', nodeName: 'x', hosts: ['127.0.0.1'] });
    // It sends the true authority's certificate along, which does not make its own one true.
    const cert = `${other.node.cert}\n${(await identity()).authority.cert}`;
    let bytes = 0;
    const impostor = createServer({ key: other.node.key, cert }, (socket) => {
      socket.on('data', (data) => (bytes += data.length)).on('error', () => {});
    });
    await new Promise<void>((done) => impostor.listen(0, '127.0.0.1', done));
    const target = { url: `https://127.0.0.1:${(impostor.address() as AddressInfo).port}`, token: 'admin' };
    for (const fingerprint of [node, authority]) {
      await expect(callNode({ ...target, fingerprint }, 'cluster')).rejects.toThrow(/another certificate/);
    }
    await new Promise((done) => impostor.close(done));
    expect(bytes).toBe(0);
    expect(serverCertificate(other).cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  test('a node that is not there rejects', async () => {
    await expect(callNode({ url: 'https://127.0.0.1:1', fingerprint: node }, 'cluster')).rejects.toThrow(
      /ECONNREFUSED/,
    );
  });
});
