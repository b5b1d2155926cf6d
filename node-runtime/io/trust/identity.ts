/**
 * Who a node is: its cluster's authority, its own certificate and key.
 *
 * A cluster is its own authority: no internet, no one else's trust. Only
 * controllers keep the authority's key; a worker or a watch has a certificate
 * that a controller signed for it, on a request that proves that it holds the
 * key. A certificate is renewed before it ends, when the node gets new
 * addresses, and when another authority takes the place of the one that signed
 * it; until all have followed, both are trusted. A node's key stays. How
 * certificates are made is `certificates.ts`, keeping them on
 * disk `identity-store.ts`.
 *
 * Promise: the key of a node never leaves it.
 */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import type { NodeTrust } from '../../contract/facts.ts';
import {
  type Certified,
  canonical,
  hostsIn,
  makeAuthority,
  makeNodeCertificate,
  makeRequest,
  type Named,
  nodeIdOf,
  publicKeyHash,
  signAgain,
  signRequest,
  wellFormed,
} from './certificates.ts';
import { isSecretsKey, makeSecretsKey } from './sealing.ts';

/** The certificate of the cluster's authority; its key only where a controller is. */
export type Authority = { cert: string; key?: string };
export type Identity = {
  clusterName: string;
  clusterId: string;
  nodeName: string;
  nodeId: string;
  /** The one that signed this node's certificate. */
  authority: Authority;
  /** Trusted as well, while the authority is changed. */
  others?: Authority[];
  /** Made here to be the next one; no other node knows it yet. */
  next?: Certified;
  node: Certified;
  /** Of the secrets (sealing.ts); only where a controller is, as of version 0.1. */
  secretsKey?: string;
  /** Of the node's certificate: lower-case hex sha-256. Changes when it is renewed. */
  fingerprint: string;
  /** Of the authority's certificate. */
  authorityFingerprint: string;
};
export type IdentityParts = Omit<Identity, 'fingerprint' | 'authorityFingerprint'>;

const RENEW_MS = 30 * 86_400_000;

/** A new authority and a node's certificate by it. `hosts` are names and addresses; {@link machineHosts} gives them. */
export async function makeIdentity(asked: {
  clusterName: string;
  clusterId: string;
  nodeName: string;
  nodeId: string;
  hosts: string[];
}): Promise<Identity> {
  const authority = await makeAuthority(asked.clusterName);
  const node = await makeNodeCertificate(authority, asked);
  return identityFrom({ ...asked, authority, node, secretsKey: makeSecretsKey() });
}

/**
 * Puts together what belongs together, also for a node that has joined.
 * Throws a sentence when it doesn't fit: a key of another certificate, a
 * certificate of another authority or node.
 */
export function identityFrom(parts: IdentityParts): Identity {
  const { clusterName, clusterId, nodeName, nodeId, authority, others = [], next, node, secretsKey } = parts;
  for (const text of [clusterName, clusterId, nodeName, nodeId]) {
    if (typeof text !== 'string' || text === '') throw new Error('A name or an id of the identity is missing.');
  }
  const authorityCert = new X509Certificate(authority.cert);
  const nodeCert = new X509Certificate(node.cert);
  for (const one of [authority, ...others, ...(next ? [next] : [])]) {
    const cert = new X509Certificate(one.cert);
    if (!cert.ca) throw new Error('The certificate of an authority is that of a node.');
    if (one.key !== undefined) fits('authority', cert, one.key);
  }
  fits('node', nodeCert, node.key);
  if (!nodeCert.verify(authorityCert.publicKey)) throw new Error('The certificate is not by this authority.');
  if (nodeIdOf(nodeCert) !== nodeId) throw new Error('The certificate is that of another node.');
  if (secretsKey !== undefined && !isSecretsKey(secretsKey)) throw new Error('The key of the secrets is damaged.');
  return {
    ...{ clusterName, clusterId, nodeName, nodeId },
    authority: bare(authority),
    ...(others.length > 0 && { others: others.map(bare) }),
    ...(next && { next: { cert: next.cert, key: next.key } }),
    node: { cert: node.cert, key: node.key },
    ...(secretsKey === undefined ? {} : { secretsKey }),
    fingerprint: fingerprintOf(node.cert),
    authorityFingerprint: fingerprintOf(authority.cert),
  };
}

const bare = ({ cert, key }: Authority): Authority => (key === undefined ? { cert } : { cert, key });

function fits(name: string, cert: X509Certificate, key: string): void {
  if (!cert.checkPrivateKey(createPrivateKey(key))) throw new Error(`The key of the ${name} does not fit.`);
}

// -------------------------------------------------------------- authorities

/** All that this node trusts, the one that signed its own certificate first. */
export const authoritiesOf = ({ authority, others = [] }: Pick<Identity, 'authority' | 'others'>): Authority[] => [
  authority,
  ...others,
];

/** By the fingerprint of its certificate; only a trusted one. */
export const authorityNamed = (identity: Identity, fingerprint: string): Authority | undefined =>
  authoritiesOf(identity).find((one) => fingerprintOf(one.cert) === fingerprint);

export const makeNextAuthority = async (identity: Identity): Promise<Identity> =>
  identityFrom({ ...identity, next: await makeAuthority(identity.clusterName) });

/** Trusts just these certificates from now on, and the one that signed its own for as long as it has no other. */
export function trusting(identity: Identity, certs: string[]): Identity {
  const { authority, next, ...rest } = identity;
  const known = [...authoritiesOf(identity), ...(next ? [next] : [])];
  const same = (one: string, other: string): boolean => fingerprintOf(one) === fingerprintOf(other);
  const others = certs
    .filter((cert) => !same(cert, authority.cert))
    .map((cert) => known.find((one) => same(one.cert, cert)) ?? { cert });
  const isStillNext = next && !certs.some((cert) => same(cert, next.cert));
  return identityFrom({ ...rest, authority, others, ...(isStillNext && { next }) });
}

/** With the key of an authority that it trusts. Throws when it doesn't fit. */
export function keepingKey(identity: Identity, fingerprint: string, key: string): Identity {
  const put = (one: Authority): Authority => (fingerprintOf(one.cert) === fingerprint ? { cert: one.cert, key } : one);
  return identityFrom({
    ...identity,
    authority: put(identity.authority),
    others: (identity.others ?? []).map(put),
  });
}

/** With a certificate for its key by another authority that it trusts, or by the same one. */
export function certifiedBy(identity: Identity, authority: Authority, cert: string): Identity {
  const others = authoritiesOf(identity).filter((one) => one.cert !== authority.cert);
  return identityFrom({ ...identity, authority, others, node: { cert, key: identity.node.key } });
}

/** What it says of itself to the others; all by fingerprints. */
export function trustOf(identity: Identity): { key: string; trust: NodeTrust } {
  const known = authoritiesOf(identity);
  return {
    key: publicKeyHash(new X509Certificate(identity.node.cert)),
    trust: {
      issuer: identity.authorityFingerprint,
      authorities: known.map((one) => fingerprintOf(one.cert)),
      keeps: known.filter((one) => one.key !== undefined).map((one) => fingerprintOf(one.cert)),
    },
  };
}

// ---------------------------------------------------------------- joining

/**
 * A new key and a PKCS#10 request for it, both PEM. The request is signed by
 * the key, which proves that who asks holds it. With the `key` of a node that
 * has one already, the request is for its renewal.
 */
export const makeJoinRequest = (key?: string): Promise<{ key: string; request: string }> => makeRequest(key);

/**
 * The certificate for who asked to join. What it says is decided here, by the
 * controller; what the request says about itself is not looked at. Throws a
 * plain sentence when the request is none or its signature is wrong.
 */
export async function signJoinRequest(authority: Authority, requestPem: string, of: Named): Promise<string> {
  if (authority.key === undefined) throw new Error('This node does not keep the key of the authority.');
  return signRequest({ cert: authority.cert, key: authority.key }, requestPem, of);
}

// ---------------------------------------------------------------- renewal

/** Does the node's certificate end within 30 days, or lack one of `hosts`? `now` in ms. */
export function needsRenewal(identity: Identity, hosts: string[], now: number): boolean {
  const present = hostsIn(identity.node.cert);
  const missing = wellFormed(hosts).some((host) => !present.includes(canonical(host)));
  return missing || certificateEnd(identity) - now <= RENEW_MS;
}

/**
 * A new certificate for the same node key when {@link needsRenewal} says so;
 * null when it is still right, or when a controller has to be asked because
 * the authority's key is not kept here.
 */
export async function renewIfNeeded(identity: Identity, hosts: string[], now: number): Promise<Identity | null> {
  const { authority } = identity;
  if (authority.key === undefined || !needsRenewal(identity, hosts, now)) return null;
  return renewBy(identity, { cert: authority.cert, key: authority.key }, hosts, now);
}

/** A new certificate for the same node key by this authority, whose key is here. */
export async function renewBy(identity: Identity, by: Certified, hosts: string[], now: number): Promise<Identity> {
  const { nodeName, nodeId } = identity;
  return certifiedBy(identity, by, await signAgain(by, identity.node.cert, { nodeName, nodeId, hosts }, now));
}

/** When the node's certificate ends, in ms since 1970. */
export const certificateEnd = (identity: Identity): number =>
  Date.parse(new X509Certificate(identity.node.cert).validTo);

// ------------------------------------------------------------------ names

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
  return [...new Set([...hostsIn(identity.node.cert), ...machineHosts(), ...own])];
}

/** For a TLS server: its certificate followed by the authority's, and the key. */
export const serverCertificate = (identity: Identity): Certified => ({
  cert: `${identity.node.cert.trim()}\n${identity.authority.cert.trim()}\n`,
  key: identity.node.key,
});

/** Lower-case hex sha-256 of the DER of a PEM certificate. */
export const fingerprintOf = (cert: string): string =>
  createHash('sha256').update(new X509Certificate(cert).raw).digest('hex');
