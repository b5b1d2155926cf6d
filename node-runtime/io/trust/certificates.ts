/**
 * How certificates of a cluster are made and what they say.
 *
 * A certificate of a node names its hosts, for browsers and people, and its
 * node id as the URI `urn:binnacle:node:<id>`, for other nodes. Who may have
 * one is not judged here: that is `identity.ts` and who calls it.
 *
 * Promise: what is made here passes the checks of Node, browsers and openssl,
 * and a node id is read only from where the authority wrote it.
 */
import 'reflect-metadata'; // @peculiar/x509 needs it loaded first
import { createHash, createPrivateKey, createPublicKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import * as x509 from '@peculiar/x509';

/** Certificate and PKCS#8 key, both PEM. */
export type Certified = { cert: string; key: string };
/** What a node's certificate says about it. */
export type Named = { nodeName: string; nodeId: string; hosts: string[] };

const DAY_MS = 86_400_000;
const AUTHORITY_MS = 20 * 365 * DAY_MS;
/** Some systems refuse longer ones. */
const NODE_MS = 397 * DAY_MS;
/** Machines without internet may disagree about the time. */
const EARLIER_MS = DAY_MS;
const NAME_CHARS_MAX = 64;
const REQUEST_CHARS_MAX = 8_192;
const NODE_URI = 'urn:binnacle:node:';
const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A new authority, by its own key. */
export async function makeAuthority(clusterName: string): Promise<Certified> {
  const keys = await makeKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...validity(AUTHORITY_MS),
      name: [{ CN: [cut(`${clusterName} authority`)] }, { O: ['Binnacle'] }],
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
  return { cert: authority.toString('pem'), key: await pemOf(keys.privateKey) };
}

/** Hex sha-256 of a public key (SPKI): of a certificate, or of a PKCS#10 request in PEM. Throws when it is neither. */
export function publicKeyHash(of: X509Certificate | string): string {
  const spki =
    typeof of === 'string'
      ? Buffer.from(readRequest(of).publicKey.rawData)
      : of.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

/** A new key for a node and its certificate. */
export async function makeNodeCertificate(by: Certified, of: Named): Promise<Certified> {
  const keys = await makeKeys();
  return { cert: await signNode(by, keys.publicKey, of), key: await pemOf(keys.privateKey) };
}

/** Another certificate for the key of one. */
export const signAgain = (by: Certified, cert: string, of: Named, now: number): Promise<string> =>
  signNode(by, new x509.X509Certificate(cert).publicKey, of, now);

async function signNode(by: Certified, publicKey: x509.PublicKeyType, of: Named, now = Date.now()): Promise<string> {
  if (!NODE_ID.test(of.nodeId)) throw new Error(`broken promise: ${JSON.stringify(of.nodeId)} can be no node id`);
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
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: `${NODE_URI}${of.nodeId}` },
          ...wellFormed(of.hosts).map((host) => ({
            type: isIP(host) ? ('ip' as const) : ('dns' as const),
            value: host,
          })),
        ]),
        await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return certificate.toString('pem');
}

// --------------------------------------------------------------- requests

/** A PKCS#10 request for a key, signed by it; for a new key when none is given. */
export async function makeRequest(present?: string): Promise<{ key: string; request: string }> {
  const keys = present === undefined ? await makeKeys() : await keysOf(present);
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    { name: [{ O: ['Binnacle'] }], keys, signingAlgorithm: algorithm },
    webcrypto,
  );
  return { key: present ?? (await pemOf(keys.privateKey)), request: `${request.toString('pem')}\n` };
}

/** The certificate for a request. Throws a sentence when the request is none, or not signed by the key in it. */
export async function signRequest(by: Certified, requestPem: string, of: Named): Promise<string> {
  const request = readRequest(requestPem);
  const own = await request.verify(webcrypto).catch(() => false);
  if (!own) throw new Error('The request to join is not signed by the key it shows.');
  return signNode(by, request.publicKey, of);
}

function readRequest(pem: string): x509.Pkcs10CertificateRequest {
  const isPem = /^-----BEGIN CERTIFICATE REQUEST-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE REQUEST-----\s*$/;
  if (pem.length > REQUEST_CHARS_MAX || !isPem.test(pem)) throw new Error('The request to join is no PKCS#10 in PEM.');
  let request: x509.Pkcs10CertificateRequest;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw new Error('The request to join cannot be read.', { cause });
  }
  const { name, namedCurve } = request.publicKey.algorithm as { name?: string; namedCurve?: string };
  if (name !== algorithm.name || namedCurve !== algorithm.namedCurve) {
    throw new Error('The request to join has a key of another kind than P-256.');
  }
  return request;
}

// ------------------------------------------------------------------- keys

const makeKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

async function keysOf(pem: string): Promise<webcrypto.CryptoKeyPair> {
  const spki = createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'der' });
  const publicKey = await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
  return { publicKey, privateKey: await privateKeyOf(pem) };
}

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

// ------------------------------------------------------------------ names

/**
 * The node id that a certificate carries; null when it carries none or not
 * exactly one. Whether the authority signed it is for the caller to know.
 */
export function nodeIdOf(cert: X509Certificate): string | null {
  const names = namesOf(cert).filter((name) => name.startsWith('URI:'));
  const id = names.length === 1 && names[0]!.startsWith(`URI:${NODE_URI}`) ? names[0]!.slice(4 + NODE_URI.length) : '';
  return NODE_ID.test(id) ? id : null;
}

/** The host names and addresses that a certificate holds. */
export const hostsIn = (cert: string): string[] =>
  namesOf(new X509Certificate(cert))
    .map((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1])
    .filter((host) => host !== undefined)
    .map(canonical);

/** A name with a quote in it could pretend to be several: we never write one, so such a certificate names nobody. */
function namesOf(cert: X509Certificate): string[] {
  const names = cert.subjectAltName ?? '';
  return names.includes('"') ? [] : names.split(', ');
}

/** Host names as certificates and Host headers write them; what can be neither name nor address is left out. */
export function wellFormed(hosts: string[]): string[] {
  const written = hosts.map((host) => (isIP(host) ? canonical(host) : domainToASCII(host)));
  return [...new Set(written.filter((host) => isIP(host) || /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/.test(host)))];
}

/** One way of writing an address: `::1`, not `0:0:0:0:0:0:0:1`. */
export const canonical = (host: string): string =>
  isIP(host) === 6 ? new URL(`http://[${host.split('%')[0]}]`).hostname.slice(1, -1) : host.toLowerCase();
