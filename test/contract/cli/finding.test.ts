/** How a node is found, and that nothing is told to a wrong one. */
import { createHash, webcrypto } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { makeIdentity, serverCertificate } from '../../../node-runtime/io/trust/identity.ts';
import { binnacle, fakeNode, Refused, writeRunning } from './fake-node.ts';
import { madeCluster, madeNode, madeRun } from './made-up.ts';

const answers = { cluster: () => madeCluster(), nodes: () => ({ nodes: [madeNode()] }) };

/** A certificate of its own, for 127.0.0.1. */
async function certificate(): Promise<{ cert: string; key: string; fingerprint: string }> {
  const subtle = webcrypto.subtle;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  x509.cryptoProvider.set(webcrypto as never);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=ctl-a',
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    keys: keys as never,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const key = Buffer.from(await subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    cert: made.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
    fingerprint: createHash('sha256').update(Buffer.from(made.rawData)).digest('hex'),
  };
}

describe('a node by address', () => {
  it('is asked with the token when its fingerprint is the one expected', async () => {
    const tls = await certificate();
    await using node = await fakeNode(answers, tls);
    const colons = tls.fingerprint.toUpperCase().replace(/..(?!$)/g, '$&:');
    const ran = await binnacle(['status', '--json', '--url', node.url, '--fingerprint', colons], {
      env: { BINNACLE_TOKEN: 'secret-token' },
    });
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(ran.out)).toEqual(madeCluster());
    expect(node.seen.map((each) => each.authorization)).toEqual(['Bearer secret-token']);
    expect(node.bytesIn()).toBeGreaterThan(0);
  });

  it('is known by the fingerprint of the authority that signed its certificate, and not by that of another', async () => {
    const identity = await makeIdentity({
      ...{ clusterName: 'lab', clusterId: 'c-1', nodeName: 'ctl-a', nodeId: 'n-a', hosts: ['127.0.0.1'] },
    });
    const other = await makeIdentity({
      ...{ clusterName: 'lab', clusterId: 'c-1', nodeName: 'ctl-a', nodeId: 'n-a', hosts: ['127.0.0.1'] },
    });
    // One that shows the certificate of an authority that did not sign its own.
    const posing = { cert: `${other.node.cert}\n${identity.authority.cert}`, key: other.node.key };
    await using node = await fakeNode(answers, serverCertificate(identity));
    await using poser = await fakeNode(answers, posing);
    const pin = ['--token', 'secret', '--fingerprint', identity.authorityFingerprint];
    expect(await binnacle(['status', '--url', node.url, ...pin])).toMatchObject({ code: 0, err: '' });
    expect(await binnacle(['status', '--url', poser.url, ...pin])).toMatchObject({ code: 4 });
    await expect.poll(poser.open, { timeout: 5000 }).toBe(0);
    expect([poser.seen, poser.bytesIn()]).toEqual([[], 0]);
  });

  it('gets not one byte of a request when its fingerprint is another', async () => {
    const tls = await certificate();
    await using node = await fakeNode(answers, tls);
    const ran = await binnacle(['status', '--url', node.url, '--token', 'secret', '--fingerprint', 'ab'.repeat(32)]);
    expect(ran.code).toBe(4);
    expect(ran.err).toContain(tls.fingerprint);
    expect(ran.err).toContain('Nothing was sent');
    expect(node.connections()).toBe(1);
    // Only when the connection is over can nothing more arrive.
    await expect.poll(node.open, { timeout: 5000 }).toBe(0);
    expect(node.seen).toEqual([]);
    expect(node.bytesIn()).toBe(0);
  });

  it('is not tried again for a change when its fingerprint is wrong', async () => {
    await using node = await fakeNode(answers, await certificate());
    const pin = ['--url', node.url, '--token', 'secret', '--fingerprint', 'ab'.repeat(32)];
    const ran = await binnacle(['cancel', 'r-42', ...pin]);
    expect(ran.code).toBe(4);
    expect(node.connections()).toBe(1);
  });

  it('is checked by an authority when one is given, and refused when another signed it', async () => {
    const [right, wrong] = [await certificate(), await certificate()];
    await using node = await fakeNode(answers, right);
    const file = join(node.data, 'ca.pem');
    await writeFile(file, right.cert);
    const asked = ['status', '--json', '--url', node.url, '--token', 'secret', '--ca', file];
    expect((await binnacle(asked)).code).toBe(0);
    await writeFile(file, wrong.cert);
    const refused = await binnacle(asked);
    expect(refused.code).toBe(4);
    expect(refused.err).toContain('cannot be trusted');
    expect(node.seen).toHaveLength(1);
  });

  it('is refused before anything is sent when nothing says how to know it', async () => {
    const ran = await binnacle(['status', '--url', 'https://127.0.0.1:1', '--token', 'secret']);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain('--fingerprint');
  });

  it('is refused without encryption', async () => {
    const ran = await binnacle(['status', '--url', 'http://127.0.0.1:1', '--token', 'secret']);
    expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('https://') });
  });

  it('that nobody listens at is said to be unreachable', async () => {
    const pin = ['--fingerprint', 'ab'.repeat(32)];
    const ran = await binnacle(['status', '--url', 'https://127.0.0.1:1', '--token', 'secret', ...pin]);
    expect(ran).toMatchObject({ code: 4, err: expect.stringContaining('nobody listens there') });
  });
});

describe('a node by its data folder', () => {
  it('is asked through its private socket, without a token', async () => {
    await using node = await fakeNode(answers);
    const ran = await binnacle(['status', '--data', node.data], { env: { BINNACLE_TOKEN: 'for-another-node' } });
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toContain('Working, alone.');
    expect(ran.out).toContain('ab'.repeat(32));
    expect(node.seen.map((each) => each.authorization)).toEqual([undefined, undefined]);
  });

  it.each([
    ['its process is gone', 2 ** 22 - 1],
    ['its process number went to another program', process.pid],
  ])('is started for the command, and stopped, when %s', async (_, pid) => {
    await using node = await fakeNode(answers);
    const stopped: string[] = [];
    const offline = async (data: string) => {
      await writeRunning(data, { pid: process.pid, socketPath: node.socketPath });
      return { socketPath: node.socketPath, stop: async () => void stopped.push(data) };
    };
    const data = await mkdtemp(join(tmpdir(), 'binnacle-cli-'));
    try {
      await writeRunning(data, { pid, socketPath: join(data, 'nobody.sock') });
      const ran = await binnacle(['status', '--data', data], { acts: { offline } });
      expect(ran.code).toBe(0);
      expect(ran.err).toContain('is not running');
      expect(stopped).toEqual([data]);
    } finally {
      await rm(data, { recursive: true });
    }
  });

  it('is stopped again also when it refuses the command', async () => {
    await using node = await fakeNode({ userRemove: () => new Refused('last_admin', 'ada is the last one.') });
    await writeRunning(node.data, { pid: process.pid, socketPath: join(node.data, 'nobody.sock') });
    let stopped = 0;
    const offline = async () => ({ socketPath: node.socketPath, stop: async () => void stopped++ });
    const ran = await binnacle(['user', 'rm', 'ada', '--data', node.data], { acts: { offline } });
    expect(ran.code).toBe(3);
    expect(stopped).toBe(1);
  });

  it('is not started for a command that needs it running', async () => {
    await using node = await fakeNode({ launch: () => madeRun() });
    await writeRunning(node.data, { pid: process.pid, socketPath: join(node.data, 'nobody.sock') });
    const offline = async () => Promise.reject(new Error('must not be called'));
    const ran = await binnacle(['launch', 'lab/a.sh', '--data', node.data], { acts: { offline } });
    expect(ran.code).toBe(4);
    expect(ran.err).toContain('binnacle node --data');
  });

  it('that cannot be opened is said in the words of who tried', async () => {
    await using node = await fakeNode({});
    await rm(join(node.data, 'running.json'));
    const offline = async () =>
      Promise.reject(Object.assign(new Error('This folder holds no node.'), { next: 'Run: binnacle init.' }));
    const ran = await binnacle(['token', 'ls', '--data', node.data], { acts: { offline } });
    expect(ran).toEqual({ code: 4, out: '', err: 'binnacle: This folder holds no node.\nRun: binnacle init.\n' });
  });
});
