/**
 * Certificates of a cluster and of a node in it.
 *
 * A cluster is its own authority: no internet, no one else's trust. A node's
 * certificate names every host and address it answers to and is renewed before
 * it ends or when the node gets new addresses; its key stays, the authority
 * stays, so who trusts the authority notices nothing. Keeping them on disk is
 * `identity-store.ts`.
 *
 * Promise: a certificate made here passes the checks of Node, browsers and
 * openssl; keys never leave this node.
 */
import 'reflect-metadata'; // @peculiar/x509 needs it loaded first
import { createHash, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { domainToASCII } from 'node:url';
import * as x509 from '@peculiar/x509';

/** Certificate and PKCS#8 key, both PEM. */
export type Certified = { cert: string; key: string };
export type Identity = {
  clusterName: string;
  nodeName: string;
  authority: Certified;
  node: Certified;
  /** Of the node's certificate: lower-case hex sha-256. Changes when it is renewed. */
  fingerprint: string;
  /** Of the authority's certificate: never changes. */
  authorityFingerprint: string;
};

const DAY_MS = 86_400_000;
const AUTHORITY_MS = 20 * 365 * DAY_MS;
/** Some systems refuse longer ones. */
const NODE_MS = 397 * DAY_MS;
const RENEW_MS = 30 * DAY_MS;
/** Machines without internet may disagree about the time. */
const EARLIER_MS = DAY_MS;
const NAME_CHARS_MAX = 64;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A new authority and a node's certificate by it. `hosts` are names and addresses; {@link machineHosts} gives them. */
export async function makeIdentity(asked: {
  clusterName: string;
  nodeName: string;
  hosts: string[];
}): Promise<Identity> {
  const keys = await makeKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...validity(AUTHORITY_MS),
      name: [{ CN: [cut(`${asked.clusterName} authority`)] }, { O: ['Binnacle'] }],
      serialNumber: serial(),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const by = { cert: authority.toString('pem'), key: await pemOf(keys.privateKey) };
  const nodeKeys = await makeKeys();
  const cert = await signNode(by, nodeKeys.publicKey, asked);
  return identityOf(asked, by, { cert, key: await pemOf(nodeKeys.privateKey) });
}

/** What is kept, put together; the fingerprints are computed anew. */
export const identityOf = (
  names: { clusterName: string; nodeName: string },
  authority: Certified,
  node: Certified,
): Identity => ({
  ...{ clusterName: names.clusterName, nodeName: names.nodeName, authority, node },
  fingerprint: fingerprintOf(node.cert),
  authorityFingerprint: fingerprintOf(authority.cert),
});

/**
 * A new certificate for the same node key when the present one ends within 30
 * days or lacks one of `hosts`; null when it is still right. `now` in ms.
 */
export async function renewIfNeeded(identity: Identity, hosts: string[], now: number): Promise<Identity | null> {
  const present = namesIn(identity.node.cert);
  const missing = wellFormed(hosts).some((host) => !present.includes(canonical(host)));
  if (!missing && certificateEnd(identity) - now > RENEW_MS) return null;
  const publicKey = new x509.X509Certificate(identity.node.cert).publicKey;
  const cert = await signNode(identity.authority, publicKey, { nodeName: identity.nodeName, hosts }, now);
  return identityOf(identity, identity.authority, { cert, key: identity.node.key });
}

/** When the node's certificate ends, in ms since 1970. */
export const certificateEnd = (identity: Identity): number =>
  Date.parse(new X509Certificate(identity.node.cert).validTo);

/** Names and addresses by which this machine may be called now: what a certificate should hold. */
export function machineHosts(): string[] {
  const name = hostname().toLowerCase();
  const addresses = Object.values(networkInterfaces())
    .flatMap((one) => one ?? [])
    .map((one) => one.address)
    .filter((address) => !address.toLowerCase().startsWith('fe80:')); // no browser can be given a zone
  const local = name.endsWith('.local') ? [] : [`${name.split('.')[0]}.local`];
  return wellFormed(['localhost', '127.0.0.1', '::1', name, ...local, ...addresses]);
}

/**
 * What a Host header may say: all that the certificate names, the machine's
 * present addresses, and the address it listens on unless that means "all".
 */
export function hostsOf(identity: Identity, listen: string): string[] {
  const everywhere = ['0.0.0.0', '::', ''];
  const own = everywhere.includes(listen) ? [] : [canonical(listen)];
  return [...new Set([...namesIn(identity.node.cert), ...machineHosts(), ...own])];
}

/** For a TLS server: its certificate followed by the authority's, and the key. */
export const serverCertificate = (identity: Identity): Certified => ({
  cert: `${identity.node.cert.trim()}\n${identity.authority.cert.trim()}\n`,
  key: identity.node.key,
});

/** Lower-case hex sha-256 of the DER of a PEM certificate. */
export const fingerprintOf = (cert: string): string =>
  createHash('sha256').update(new X509Certificate(cert).raw).digest('hex');

async function signNode(
  by: Certified,
  publicKey: x509.PublicKeyType,
  of: { nodeName: string; hosts: string[] },
  now = Date.now(),
): Promise<string> {
  const authority = new x509.X509Certificate(by.cert);
  const signingKey = await privateKeyOf(by.key);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...validity(NODE_MS, now),
      subject: [{ CN: [cut(of.nodeName)] }, { O: ['Binnacle'] }],
      issuer: authority.subjectName,
      serialNumber: serial(),
      publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension(
          wellFormed(of.hosts).map((host) => ({ type: isIP(host) ? ('ip' as const) : ('dns' as const), value: host })),
        ),
        await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return certificate.toString('pem');
}

const makeKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

const privateKeyOf = (pem: string): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), algorithm, false, ['sign']);

const validity = (ms: number, now = Date.now()) => ({
  notBefore: new Date(now - EARLIER_MS),
  notAfter: new Date(now + ms),
});

/** 16 bytes, positive and without a leading zero byte, as DER wants it. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const cut = (name: string): string => [...name].slice(0, NAME_CHARS_MAX).join('');

/** Host names as certificates and Host headers write them; what can be neither name nor address is left out. */
function wellFormed(hosts: string[]): string[] {
  const written = hosts.map((host) => (isIP(host) ? canonical(host) : domainToASCII(host)));
  return [...new Set(written.filter((host) => isIP(host) || /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/.test(host)))];
}

/** One way of writing an address: `::1`, not `0:0:0:0:0:0:0:1`. */
const canonical = (host: string): string =>
  isIP(host) === 6 ? new URL(`http://[${host.split('%')[0]}]`).hostname.slice(1, -1) : host.toLowerCase();

/** The host names and addresses that a certificate holds. */
function namesIn(cert: string): string[] {
  const alternative = new X509Certificate(cert).subjectAltName ?? '';
  return alternative
    .split(', ')
    .map((one) => canonical(one.replace(/^(DNS|IP Address):/, '')))
    .filter((one) => one !== '');
}
