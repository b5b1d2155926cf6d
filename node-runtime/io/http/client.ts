/**
 * Asks a node over HTTP, typed by the route table: for tests now, for other
 * nodes later.
 *
 * A node is reached by its private socket or by an address with a pinned
 * certificate. The pin is compared before a single byte of the request is
 * sent, so a token is never shown to the wrong machine. No retries: who asks
 * knows whether asking twice is safe.
 */
import { createHash, type X509Certificate } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request as send } from 'node:http';
import { isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { limits } from '../../contract/limits.ts';
import type { ProblemDetails } from '../../contract/model.ts';
import {
  type AnswerOf,
  type BodyOf,
  type Params,
  type Query,
  type Route,
  type RouteName,
  routes,
} from '../../contract/routes.ts';
import { writePath } from './addresses.ts';

/** `fingerprint`: hex sha-256 of the node's certificate or of the authority that signed it. */
export type NodeTarget = { socketPath: string } | { url: string; fingerprint: string; token?: string };

export type AskedOfNode<N extends RouteName> = {
  params?: Params<N>;
  query?: { [K in keyof Query<N>]?: Query<N>[K] | undefined };
  body?: BodyOf<N> | Uint8Array;
  key?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};
export type AnswerOfNode<N extends RouteName> =
  | { ok: true; status: number; headers: IncomingMessage['headers']; body: AnswerOf<N>; stream: null }
  /** Media answers come as a stream that the caller has to read or destroy. */
  | { ok: true; status: number; headers: IncomingMessage['headers']; body: null; stream: IncomingMessage }
  | { ok: false; status: number; headers: IncomingMessage['headers']; problem: ProblemDetails };

/** Rejects when the node can't be reached, shows another certificate, or answers what is no answer of ours. */
export async function callNode<N extends RouteName>(
  target: NodeTarget,
  name: N,
  asked: AskedOfNode<N> = {},
): Promise<AnswerOfNode<N>> {
  const route: Route = routes[name];
  const answer = await exchange(target, route, asked as AskedOfNode<RouteName>);
  const { statusCode: status = 0, headers } = answer;
  if (status >= 400) return { ok: false, status, headers, problem: JSON.parse(await textOf(answer)) };
  if (route.answer && !('safeParse' in route.answer)) return { ok: true, status, headers, body: null, stream: answer };
  const text = await textOf(answer);
  return { ok: true, status, headers, body: (text === '' ? undefined : JSON.parse(text)) as AnswerOf<N>, stream: null };
}

async function exchange(target: NodeTarget, route: Route, asked: AskedOfNode<RouteName>): Promise<IncomingMessage> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(asked.query ?? {}))
    if (value !== undefined) query.set(name, String(value));
  const path = writePath(route.path, (asked.params ?? {}) as Record<string, string>);
  const headers: Record<string, string> = { ...asked.headers };
  if (asked.key !== undefined) headers['idempotency-key'] = asked.key;
  if (route.body !== null)
    headers['content-type'] ??= route.body === 'bytes' ? 'application/octet-stream' : 'application/json';
  if ('url' in target && target.token) headers['authorization'] = `Bearer ${target.token}`;
  const common = {
    method: route.method,
    path: query.size > 0 ? `${path}?${query}` : path,
    ...(asked.signal ? { signal: asked.signal } : {}),
  };
  if ('socketPath' in target) {
    return answerTo(
      send({ ...common, headers: { host: 'localhost', ...headers }, socketPath: target.socketPath, agent: false }),
      asked.body,
    );
  }
  const socket = await connectPinned(target, asked.signal);
  const host = new URL(target.url).host;
  return answerTo(send({ ...common, headers: { host, ...headers }, createConnection: () => socket }), asked.body);
}

async function answerTo(request: ClientRequest, body: unknown): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((done, failed) => request.once('response', done).once('error', failed));
  answered.catch(() => {}); // awaited below, after the body
  request.setTimeout(limits.requestTimeoutMs, () => request.destroy(new Error('the node did not answer in time')));
  if (body instanceof Uint8Array) request.end(body);
  else if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body) {
    for await (const piece of body as AsyncIterable<Uint8Array>) if (!request.write(piece)) await drained(request);
    request.end();
  } else request.end(body === undefined ? undefined : JSON.stringify(body));
  const answer = await answered;
  request.setTimeout(0); // a followed log or event stream may be silent for long
  return answer;
}

const drained = (request: ClientRequest): Promise<void> =>
  new Promise((done) => {
    request.once('drain', done).once('close', done);
  });

async function connectPinned(target: { url: string; fingerprint: string }, signal?: AbortSignal): Promise<TLSSocket> {
  const { hostname, port } = new URL(target.url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connectTls({
    ...{ host, port: Number(port || 443), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] },
    ...(isIP(host) ? {} : { servername: host }),
  });
  const stop = (): void => void socket.destroy(new Error('given up'));
  signal?.addEventListener('abort', stop, { once: true });
  socket.setTimeout(limits.requestTimeoutMs, stop);
  try {
    await new Promise<void>((done, failed) => socket.once('secureConnect', done).once('error', failed));
  } finally {
    signal?.removeEventListener('abort', stop);
    socket.setTimeout(0);
  }
  if (isPinned(socket, target.fingerprint.toLowerCase().replaceAll(':', ''))) return socket;
  socket.destroy();
  throw new Error(`${target.url} shows another certificate than the one that is trusted.`);
}

/** The node's own certificate, or one that the pinned authority signed for this time. */
function isPinned(socket: TLSSocket, fingerprint: string): boolean {
  const peer = socket.getPeerX509Certificate();
  if (!peer) return false;
  if (hexOf(peer) === fingerprint) return true;
  const authority = peer.issuerCertificate;
  if (!authority) return false;
  const now = Date.now();
  const inTime = Date.parse(peer.validFrom) <= now && now <= Date.parse(peer.validTo);
  return hexOf(authority) === fingerprint && authority.ca && peer.verify(authority.publicKey) && inTime;
}

const hexOf = (cert: X509Certificate): string => createHash('sha256').update(cert.raw).digest('hex');

async function textOf(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}
