/** Certificates: by whom they hold, whom they name, when they are renewed, how they survive on disk. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeIdOf } from '../../../node-runtime/io/trust/certificates.ts';
import {
  fingerprintOf,
  hostsOf,
  type Identity,
  identityFrom,
  machineHosts,
  makeIdentity,
  makeJoinRequest,
  needsRenewal,
  renewIfNeeded,
  serverCertificate,
  signJoinRequest,
} from '../../../node-runtime/io/trust/identity.ts';
import { loadIdentity, saveIdentity } from '../../../node-runtime/io/trust/identity-store.ts';

const DAY_MS = 86_400_000;
const hosts = ['localhost', '127.0.0.1', '::1', 'ctl-a.lab'];
const ctlA = { clusterName: 'harbour', clusterId: 'c-1', nodeName: 'ctl-a', nodeId: 'n-a' };
let identity: Identity;
let folder: string;
beforeAll(async () => {
  identity = await makeIdentity({ ...ctlA, hosts });
  folder = await mkdtemp(join(tmpdir(), 'bn-trust-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    return false;
  }
})();

describe('a new identity', () => {
  test('is an authority and a certificate by it', () => {
    const authority = new X509Certificate(identity.authority.cert);
    const node = new X509Certificate(identity.node.cert);
    expect([authority.ca, node.ca]).toEqual([true, false]);
    expect(authority.verify(authority.publicKey)).toBe(true);
    expect(node.verify(authority.publicKey)).toBe(true);
    expect(node.checkIssued(authority)).toBe(true);
    expect(node.subject).toContain('CN=ctl-a');
    expect(node.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });

  test.each(hosts)('names %s', (host) => {
    const node = new X509Certificate(identity.node.cert);
    expect(isIP(host) ? node.checkIP(host) : node.checkHost(host)).toBe(host);
  });

  test('carries the node id where only the authority could write it', async () => {
    expect(nodeIdOf(new X509Certificate(identity.node.cert))).toBe('n-a');
    expect(nodeIdOf(new X509Certificate(identity.authority.cert))).toBeNull();
    const posing = await makeIdentity({
      ...ctlA,
      hosts: ['urn:binnacle:node:n-b', 'a, URI:urn:binnacle:node:n-b', 'URI'],
    });
    expect(nodeIdOf(new X509Certificate(posing.node.cert))).toBe('n-a');
    await expect(makeIdentity({ ...ctlA, nodeId: 'n-a, URI:urn:binnacle:node:n-b', hosts })).rejects.toThrow(/node id/);
  });

  test('names nobody else', () => {
    const node = new X509Certificate(identity.node.cert);
    expect([node.checkHost('evil.example'), node.checkIP('10.0.0.9')]).toEqual([undefined, undefined]);
  });

  test('is valid yesterday already, since clocks disagree, and for a little over a year', () => {
    const node = new X509Certificate(identity.node.cert);
    expect(Date.parse(node.validFrom)).toBeLessThan(Date.now() - DAY_MS / 2);
    const days = (Date.parse(node.validTo) - Date.parse(node.validFrom)) / DAY_MS;
    expect(days).toBeLessThanOrEqual(398);
  });

  test('has two fingerprints as hex', () => {
    expect(identity.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    const colons = new X509Certificate(identity.authority.cert).fingerprint256;
    expect(identity.authorityFingerprint).toBe(colons.replaceAll(':', '').toLowerCase());
    expect(identity.fingerprint).toBe(fingerprintOf(identity.node.cert));
  });

  test('may have names of any letters; what no certificate can hold is left out', async () => {
    const odd = await makeIdentity({
      ...ctlA,
      clusterName: `Küche, O=Evil, ${'x'.repeat(200)}`,
      nodeName: 'näm"e\\+CN=x',
      hosts: ['münchen.lab', 'bad host', '*.lab', '', 'fe80::1%eth0', '0:0:0:0:0:0:0:1', 'UPPER.lab'],
    });
    const names = new X509Certificate(odd.node.cert).subjectAltName;
    expect(names).toContain('DNS:xn--mnchen-3ya.lab');
    expect(names).toContain('DNS:upper.lab');
    expect(names).toContain('IP Address:0:0:0:0:0:0:0:1');
    expect(names).not.toMatch(/\*|bad/);
    expect(hostsOf(odd, '0.0.0.0')).toContain('::1');
  });

  test.runIf(hasOpenssl)('passes the checks of openssl', async () => {
    const authority = join(folder, 'authority.pem');
    const node = join(folder, 'node.pem');
    await writeFile(authority, identity.authority.cert);
    await writeFile(node, identity.node.cert);
    const verify = (...more: string[]) =>
      execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', authority, ...more, node], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    expect(verify('-purpose', 'sslserver', '-verify_hostname', 'ctl-a.lab')).toContain(': OK');
    expect(verify('-purpose', 'sslclient', '-verify_ip', '127.0.0.1')).toContain(': OK');
    expect(() => verify('-verify_hostname', 'evil.example')).toThrow();
    const other = await makeIdentity({ ...ctlA, hosts });
    await writeFile(authority, other.authority.cert);
    expect(() => verify()).toThrow();
  });

  test('serves TLS to a client that trusts the authority, names and all', async () => {
    const server = createServer(serverCertificate(identity), (socket) => socket.end('hello'));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as { port: number };
    const reach = (ca: string, servername: string) =>
      new Promise<string>((done) => {
        const socket = connect({ host: '127.0.0.1', port, ca, servername }, () => done('trusted'));
        socket.on('error', (fault: NodeJS.ErrnoException) => done(fault.code ?? 'fault')).resume();
      });
    expect(await reach(identity.authority.cert, 'ctl-a.lab')).toBe('trusted');
    expect(await reach(identity.authority.cert, 'evil.example')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    const other = await makeIdentity({ ...ctlA, hosts });
    expect(await reach(other.authority.cert, 'ctl-a.lab')).not.toBe('trusted');
    server.close();
  });
});

describe('renewal', () => {
  test('is not needed while the certificate is long valid and names all', async () => {
    expect(await renewIfNeeded(identity, hosts, Date.now())).toBeNull();
    expect(await renewIfNeeded(identity, ['LOCALHOST', '0:0:0:0:0:0:0:1'], Date.now())).toBeNull();
  });

  test('comes 30 days before the end, with the same key and authority', async () => {
    expect(await renewIfNeeded(identity, hosts, Date.now() + 366 * DAY_MS)).toBeNull();
    const now = Date.now() + 368 * DAY_MS;
    const renewed = (await renewIfNeeded(identity, hosts, now))!;
    const cert = new X509Certificate(renewed.node.cert);
    expect(renewed.fingerprint).not.toBe(identity.fingerprint);
    expect([renewed.authorityFingerprint, renewed.node.key]).toEqual([
      identity.authorityFingerprint,
      identity.node.key,
    ]);
    expect(cert.publicKey.equals(new X509Certificate(identity.node.cert).publicKey)).toBe(true);
    expect(cert.verify(new X509Certificate(identity.authority.cert).publicKey)).toBe(true);
    expect(Date.parse(cert.validTo) - now).toBeGreaterThan(390 * DAY_MS);
    expect(await renewIfNeeded(renewed, hosts, now)).toBeNull();
  });

  test('comes when the node has a new address', async () => {
    const renewed = (await renewIfNeeded(identity, [...hosts, '10.1.2.3'], Date.now()))!;
    expect(new X509Certificate(renewed.node.cert).checkIP('10.1.2.3')).toBe('10.1.2.3');
    expect(await renewIfNeeded(renewed, hosts, Date.now())).toBeNull();
  });
});

describe('joining', () => {
  const deck = { nodeName: 'deck-17', nodeId: 'n-17', hosts: ['deck-17.lab', '10.0.0.17'] };

  test('a request gets a certificate that says what the controller decided, for the key that never left', async () => {
    const { key, request } = await makeJoinRequest();
    const cert = await signJoinRequest(identity.authority, request, deck);
    const joined = identityFrom({
      ...{ clusterName: 'harbour', clusterId: 'c-1', nodeName: 'deck-17', nodeId: 'n-17' },
      ...{ authority: { cert: identity.authority.cert }, node: { cert, key } },
    });
    const read = new X509Certificate(cert);
    expect(nodeIdOf(read)).toBe('n-17');
    expect(read.subject).toContain('CN=deck-17');
    expect([read.checkHost('deck-17.lab'), read.checkIP('10.0.0.17')]).toEqual(['deck-17.lab', '10.0.0.17']);
    expect(read.checkIssued(new X509Certificate(identity.authority.cert))).toBe(true);
    expect(joined.authorityFingerprint).toBe(identity.authorityFingerprint);
    expect(request).not.toContain('PRIVATE');
    const dir = await mkdtemp(join(folder, 'joined-'));
    await saveIdentity(dir, joined);
    expect(await loadIdentity(dir)).toEqual(joined);
  });

  test('a request whose signature was not made by its key is refused', async () => {
    const { request } = await makeJoinRequest();
    const der = Buffer.from(request.replace(/-----.*-----|\s/g, ''), 'base64');
    der[der.length - 5]! ^= 1;
    const bent = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(signJoinRequest(identity.authority, bent, deck)).rejects.toThrow(
      'The request to join is not signed by the key it shows.',
    );
  });

  test.each([
    ['', 'nothing'],
    ['hello', 'no PEM'],
    ['-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n', 'no request in it'],
    [`-----BEGIN CERTIFICATE REQUEST-----\n${'A'.repeat(9_000)}\n-----END CERTIFICATE REQUEST-----\n`, 'too long'],
  ])('%j is no request (%s)', async (request) => {
    await expect(signJoinRequest(identity.authority, request, deck)).rejects.toThrow(/^The request to join/);
  });

  test('a node without the authority key signs nothing and asks for its renewal with the key it has', async () => {
    const { key, request } = await makeJoinRequest();
    const cert = await signJoinRequest(identity.authority, request, deck);
    const joined = identityFrom({
      ...identity,
      ...deck,
      authority: { cert: identity.authority.cert },
      node: { cert, key },
    });
    await expect(signJoinRequest(joined.authority, request, deck)).rejects.toThrow(/does not keep the key/);
    const now = Date.now();
    expect(needsRenewal(joined, deck.hosts, now)).toBe(false);
    expect(needsRenewal(joined, ['new.lab'], now)).toBe(true);
    expect(needsRenewal(joined, deck.hosts, now + 368 * DAY_MS)).toBe(true);
    expect(await renewIfNeeded(joined, ['new.lab'], now)).toBeNull();
    const again = await makeJoinRequest(joined.node.key);
    const renewed = await signJoinRequest(identity.authority, again.request, { ...deck, hosts: ['new.lab'] });
    expect(again.key).toBe(key);
    const whole = identityFrom({ ...joined, node: { cert: renewed, key } });
    expect(new X509Certificate(whole.node.cert).checkHost('new.lab')).toBe('new.lab');
  });

  test('what does not belong together is not put together', async () => {
    const { request } = await makeJoinRequest();
    const { key } = await makeJoinRequest();
    const cert = await signJoinRequest(identity.authority, request, deck);
    const put = (more: object) => () => identityFrom({ ...identity, ...deck, ...more });
    expect(put({ node: { cert, key } })).toThrow(/key of the node/);
    expect(put({ node: identity.node })).toThrow(/another node/);
    expect(put({ nodeId: 'n-a', authority: identity.node })).toThrow(/that of a node/);
  });
});

describe('hosts', () => {
  test('of this machine hold its names and the loopback addresses', () => {
    const found = machineHosts();
    const name = hostname().toLowerCase();
    expect(found).toEqual(expect.arrayContaining(['localhost', '127.0.0.1', '::1', name]));
    expect(found.some((host) => host.endsWith('.local'))).toBe(true);
    expect(found.some((host) => host.startsWith('fe80'))).toBe(false);
  });

  test('a node answers to its certificate, its machine and where it listens', () => {
    expect(hostsOf(identity, '0.0.0.0')).toEqual(expect.arrayContaining([...hosts, ...machineHosts()]));
    expect(hostsOf(identity, '10.9.9.9')).toContain('10.9.9.9');
    expect(hostsOf(identity, '::')).not.toContain('::');
  });
});

describe('on disk', () => {
  const fresh = () => mkdtemp(join(folder, 'id-'));

  test('what is saved is loaded again, and only its owner may read it', async () => {
    const dir = join(await fresh(), 'deeper');
    await saveIdentity(dir, identity);
    // Looked at before it is loaded: loading would mend it.
    expect((await stat(join(dir, 'identity.json'))).mode & 0o777).toBe(0o600);
    expect(await loadIdentity(dir)).toEqual(identity);
    expect(await readdir(dir)).toEqual(['identity.json']);
  });

  test('nothing saved is null', async () => {
    expect(await loadIdentity(await fresh())).toBeNull();
    expect(await loadIdentity(join(folder, 'nowhere'))).toBeNull();
  });

  test('a file that others could read is closed to them', async () => {
    const dir = await fresh();
    await saveIdentity(dir, identity);
    await chmod(join(dir, 'identity.json'), 0o644);
    await loadIdentity(dir);
    expect((await stat(join(dir, 'identity.json'))).mode & 0o777).toBe(0o600);
  });

  test('a renewed one replaces the old one whole', async () => {
    const dir = await fresh();
    await saveIdentity(dir, identity);
    const renewed = (await renewIfNeeded(identity, ['new.lab'], Date.now()))!;
    await saveIdentity(dir, renewed);
    expect(await loadIdentity(dir)).toEqual(renewed);
  });

  test('a save that fails leaves the old one and nothing else', async () => {
    const dir = join(folder, 'file');
    await writeFile(dir, 'in the way');
    await expect(saveIdentity(dir, identity)).rejects.toThrow();
    expect(await readFile(dir, 'utf8')).toBe('in the way');
  });

  test.each([
    ['cut short', (text: string) => text.slice(0, 500)],
    ['empty', () => ''],
    ['of another version', (text: string) => text.replace('"version": 1', '"version": 2')],
    ['without a key', (text: string) => text.replace(/"key": "[^"]*"/, '"key": ""')],
    ['of another node', (text: string) => text.replace('"nodeId": "n-a"', '"nodeId": "n-b"')],
    ['without a cluster', (text: string) => text.replace(/"clusterId": "[^"]*",/, '')],
    [
      'with a flipped letter',
      (text: string) => text.replace(/MII(.{40})./, (all) => `${all.slice(0, -1)}${all.endsWith('A') ? 'B' : 'A'}`),
    ],
  ])('a file %s is refused with a sentence, not used', async (_what, damage) => {
    const dir = await fresh();
    await saveIdentity(dir, identity);
    const path = join(dir, 'identity.json');
    await writeFile(path, damage(await readFile(path, 'utf8')));
    await expect(loadIdentity(dir)).rejects.toThrow(/is damaged/);
  });

  test('the key of one node with the certificate of another is refused', async () => {
    const dir = await fresh();
    const other = await makeIdentity({ ...ctlA, nodeName: 'x', hosts });
    await saveIdentity(dir, { ...identity, node: { cert: identity.node.cert, key: other.node.key } });
    await expect(loadIdentity(dir)).rejects.toThrow(/is damaged/);
    await saveIdentity(dir, { ...identity, node: other.node });
    await expect(loadIdentity(dir)).rejects.toThrow(/is damaged/);
  });
});
