/**
 * Who is at the other end of a connection between nodes.
 *
 * A peer is the node whose id stands in a certificate that this cluster's
 * authority signed, and nothing else: no address, no host name, no word of its
 * own. How an id stands in a certificate is known to `io/trust`, which hands
 * in the reader. Whether that node is a member is judged by `peers.ts`.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';

/** The part of a node's identity that a connection needs; fits `Identity` of io/trust. */
export type PeerIdentity = {
  nodeId: string;
  authority: { cert: string };
  /** Trusted as well, while the authority is changed. */
  others?: { cert: string }[];
  node: { cert: string; key: string };
};
export type NodeIdOf = (cert: X509Certificate) => string | null;

export const FRAMED = 'binnacle/1';
export const HTTP = 'http/1.1';
export type Protocol = typeof FRAMED | typeof HTTP;

const trustedBy = ({ authority, others = [] }: PeerIdentity): string[] => [authority, ...others].map((one) => one.cert);

/** Only the cluster's own authority is trusted, not those of the system, and only TLS 1.3. */
export const contextOptions = (identity: PeerIdentity): SecureContextOptions => ({
  ca: trustedBy(identity),
  cert: identity.node.cert,
  key: identity.node.key,
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
});

export const contextOf = (identity: PeerIdentity): SecureContext => createSecureContext(contextOptions(identity));

/**
 * The node id at the other end, once the handshake is over; else a sentence.
 * A resumed session is refused: its certificate was checked some other time.
 */
export function provedNode(socket: TLSSocket, nodeIdOf: NodeIdOf): { node: string; key: string } | { why: string } {
  if (!socket.authorized) return { why: String(socket.authorizationError ?? 'it showed no certificate') };
  if (socket.isSessionReused()) return { why: 'it resumed an old session' };
  const cert = socket.getPeerX509Certificate();
  const node = cert ? nodeIdOf(cert) : null;
  return node === null ? { why: 'its certificate names no node' } : { node, key: keyIn(cert!) };
}

/** Hex sha-256 of its public key. */
const keyIn = (cert: X509Certificate): string =>
  createHash('sha256')
    .update(cert.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');

/** Was one side of this connection proved by an authority that is trusted no more? */
export function isOutdated(socket: TLSSocket, identity: PeerIdentity): boolean {
  const isByNone = (cert: X509Certificate | undefined): boolean =>
    cert !== undefined && !trustedBy(identity).some((one) => cert.verify(new X509Certificate(one).publicKey));
  return isByNone(socket.getPeerX509Certificate()) || isByNone(socket.getX509Certificate());
}

/** In place of the check of host names: the certificate has to be that of `node`, for the key that it is known by. */
export const checkNode =
  (node: string, key: string | undefined, nodeIdOf: NodeIdOf) =>
  (_host: string, shown: { raw: Buffer }): Error | undefined => {
    const cert = new X509Certificate(shown.raw);
    const found = nodeIdOf(cert);
    if (found !== node) return new WrongNode(node, found);
    return key === undefined || keyIn(cert) === key ? undefined : new WrongKey(node);
  };

/** A certificate by the authority that names this node, for a key that is not its own. */
export class WrongKey extends Error {
  override name = 'WrongKey';
  constructor(node: string) {
    super(`Somebody shows a certificate of ${node} with another key than the one that ${node} joined with.`);
  }
}

/** Another node answered than the one that was called. */
export class WrongNode extends Error {
  override name = 'WrongNode';
  readonly found: string | null;
  constructor(wanted: string, found: string | null) {
    super(`${found ?? 'A certificate without a node'} answered where ${wanted} was called.`);
    this.found = found;
  }
}
