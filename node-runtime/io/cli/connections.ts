/**
 * Connections to one node, and the proof that it is the right one.
 *
 * With a fingerprint, of the node's certificate or of the authority that signed
 * it: what is shown is compared as soon as the handshake is done, and only then is the connection handed to the request. Until that
 * moment not one byte of the request, so no token either, has been sent. The
 * handshake itself proves that the other side holds the certificate's key.
 * With an authority: the usual check, names included.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { Agent as PlainAgent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import type { Address } from './find-node.ts';

const connectMs = 10_000;

export const wrongFingerprint = 'BINNACLE_WRONG_FINGERPRINT';

/** `code` is {@link wrongFingerprint}; `seen` is what the node showed. */
export class WrongFingerprint extends Error {
  readonly code = wrongFingerprint;
  readonly seen: string;

  constructor(seen: string) {
    super('the certificate has another fingerprint');
    this.seen = seen;
  }
}

type Created = (fault: Error | null, stream: Duplex) => void;

class PinnedAgent extends TlsAgent {
  readonly #fingerprint: string;
  readonly #unproven = new Set<TLSSocket>();

  constructor(fingerprint: string) {
    // No cached sessions: a resumed one would skip the certificate.
    super({ keepAlive: true, maxCachedSessions: 0 });
    this.#fingerprint = fingerprint;
  }

  override createConnection(options: ConnectionOptions, created?: Created): undefined {
    const servername = options.host && !isIP(options.host) ? options.host : '';
    // Judged below, by fingerprint alone: a node's own authority is known to no system.
    const socket = connect({ ...options, servername, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    this.#unproven.add(socket);
    socket.once('close', () => this.#unproven.delete(socket));
    socket.setTimeout(connectMs, () => socket.destroy(timedOut()));
    const failed = (fault: Error): void => created?.(fault, socket);
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      const shown = socket.getPeerCertificate(true);
      if (!isBy(shown, this.#fingerprint)) return void socket.destroy(new WrongFingerprint(hashOf(shown.raw)));
      this.#unproven.delete(socket);
      socket.setTimeout(0);
      socket.removeListener('error', failed);
      created?.(null, socket);
    });
  }

  override destroy(): void {
    for (const socket of this.#unproven) socket.destroy();
    super.destroy();
  }
}

const timedOut = (): Error => Object.assign(new Error('the connection was not made in time'), { code: 'ETIMEDOUT' });

const hashOf = (raw: Buffer | undefined): string => (raw ? createHash('sha256').update(raw).digest('hex') : '');

/** Is it the certificate of this fingerprint, or one that is valid now and signed by the authority of this fingerprint? */
function isBy({ raw, issuerCertificate }: DetailedPeerCertificate, fingerprint: string): boolean {
  if (hashOf(raw) === fingerprint) return true;
  if (!raw || !issuerCertificate?.raw || hashOf(issuerCertificate.raw) !== fingerprint) return false;
  const [own, issuer] = [new X509Certificate(raw), new X509Certificate(issuerCertificate.raw)];
  const now = Date.now();
  const isNow = Date.parse(own.validFrom) <= now && now <= Date.parse(own.validTo);
  return issuer.ca && isNow && own.verify(issuer.publicKey);
}

export type Connections = {
  baseUrl: string;
  socketPath: string | null;
  http: PlainAgent;
  https: TlsAgent;
  close(): void;
};

/** Nothing is connected yet; `close` ends what is open so that the process can end. */
export function connectionsTo(address: Address): Connections {
  const http = new PlainAgent({ keepAlive: true });
  const https = 'url' in address ? agentFor(address.trust) : new TlsAgent();
  return {
    baseUrl: 'url' in address ? address.url : 'http://localhost',
    socketPath: 'url' in address ? null : address.socketPath,
    http,
    https,
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

const agentFor = (trust: { fingerprint: string } | { authority: string }): TlsAgent =>
  'fingerprint' in trust
    ? new PinnedAgent(trust.fingerprint)
    : new TlsAgent({ keepAlive: true, ca: trust.authority, rejectUnauthorized: true });
