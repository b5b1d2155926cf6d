/**
 * A client of one node: asks by the name of a route, answers with its type.
 *
 * Every change carries an Idempotency-Key and is sent again under the same key
 * while the node cannot be reached, so it is done once or the caller is told
 * that it is not known. Reads are not repeated here. A refusal becomes a
 * Failure with the node's own document; nothing of an answer is believed to be
 * more than its type says.
 */
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { errors } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';
import type { ProblemDetails } from '../../contract/model.ts';
import type { AnswerOf, BodyOf, Params, Query, RouteName } from '../../contract/routes.ts';
import { routes } from '../../contract/routes.ts';
import { type Connections, connectionsTo, WrongFingerprint } from './connections.ts';
import { Failure, interrupted, misused } from './failure.ts';
import type { Address } from './find-node.ts';

export type Asked<N extends RouteName> = {
  params?: Params<N>;
  query?: Partial<Query<N>>;
  /** Bytes go as they are, all else as JSON. */
  body?: BodyOf<N> extends AsyncIterable<Uint8Array> ? Uint8Array : BodyOf<N>;
  headers?: Record<string, string>;
  /** Chosen by the caller, so that a later command can repeat the same change. */
  key?: string;
  /** What to do when it is not known whether the change was made, given its key. */
  again?(key: string): string;
};

export type Opened = { status: number; header(name: string): string | undefined; body: Readable };

export type NodeClient = {
  name: string;
  signal: AbortSignal;
  /** How long a change is repeated while nobody answers, in ms. */
  retryMs: number;
  ask<N extends RouteName>(route: N, asked?: Asked<N>): Promise<AnswerOf<N>>;
  /** For answers that are streams; one try, without a limit of time once it has begun. */
  open<N extends RouteName>(route: N, asked?: Asked<N>): Promise<Opened>;
  close(): void;
};

type Options = { name: string; signal: AbortSignal; retryMs: number; onRetry(sentence: string): void };

const firstPauseMs = 100;
const pauseMsMax = 2_000;
const problemBytesMax = 1024 ** 2;

export function openClient(address: Address, options: Options): NodeClient {
  const connections = connectionsTo(address);
  const http = httpOver(connections, 'url' in address ? address.token : null, options.signal);
  const send = <N extends RouteName>(route: N, asked: Asked<N>, key: string | undefined, timeoutMs: number) =>
    sendOnce(http, options, route, asked, key, timeoutMs);
  return {
    name: options.name,
    signal: options.signal,
    retryMs: options.retryMs,
    async ask(route, asked = {}) {
      const key = routes[route].change ? (asked.key ?? randomUUID()) : undefined;
      const once = async () => {
        const answer = await send(route, asked, key, limits.requestTimeoutMs);
        return jsonOf(options, answer);
      };
      const answer = key === undefined ? await once() : await repeat(once, key, options, asked.again);
      return answer as AnswerOf<typeof route>;
    },
    async open(route, asked = {}) {
      const answer = await send(route, asked, undefined, 0);
      return {
        status: answer.status,
        header: (name) => headerOf(answer, name),
        body: answer.data,
      };
    },
    close: () => connections.close(),
  };
}

function httpOver(connections: Connections, token: string | null, signal: AbortSignal): AxiosInstance {
  return axios.create({
    baseURL: connections.baseUrl,
    ...(connections.socketPath === null ? {} : { socketPath: connections.socketPath }),
    httpAgent: connections.http,
    httpsAgent: connections.https,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), 'user-agent': 'binnacle' },
    responseType: 'stream',
    validateStatus: () => true,
    // A token is sent to the node that was proven, never on to another address.
    maxRedirects: 0,
    proxy: false,
    decompress: false,
    maxBodyLength: Number.POSITIVE_INFINITY,
    maxContentLength: Number.POSITIVE_INFINITY,
    signal,
  });
}

async function sendOnce<N extends RouteName>(
  http: AxiosInstance,
  options: Options,
  name: N,
  asked: Asked<N>,
  key: string | undefined,
  timeoutMs: number,
): Promise<AxiosResponse<Readable>> {
  const route = routes[name];
  const bytes = asked.body instanceof Uint8Array;
  try {
    const answer = await http.request<Readable>({
      method: route.method,
      url: pathOf(route.path, (asked.params ?? {}) as Record<string, string>, asked.query),
      data: asked.body === undefined ? undefined : bytes ? asked.body : JSON.stringify(asked.body),
      timeout: timeoutMs,
      headers: {
        'accept-encoding': 'identity',
        ...(asked.body === undefined
          ? {}
          : { 'content-type': bytes ? 'application/octet-stream' : 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...asked.headers,
      },
    });
    if (answer.status < 200 || answer.status > 299) throw await refusalOf(options.name, answer);
    return answer;
  } catch (fault) {
    throw fault instanceof Failure ? fault : connectionFailure(options, fault);
  }
}

/** Fills a route's path. A segment that a URL would swallow is refused before anything is sent. */
export function pathOf(path: string, params: Record<string, string>, query: object = {}): string {
  const filled = path.replace(/\{(\w+)(\*?)\}/g, (_, name: string, rest: string) => {
    const parts = rest ? (params[name] ?? '').split('/') : [params[name] ?? ''];
    for (const part of parts) {
      if (part === '' || part === '.' || part === '..')
        throw misused(`"${params[name]}" is not a path inside a sandbox.`);
    }
    return parts.map(encodeURIComponent).join('/');
  });
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size > 0 ? `${filled}?${search}` : filled;
}

async function repeat<T>(
  once: () => Promise<T>,
  key: string,
  options: Options,
  again: ((key: string) => string) | undefined,
): Promise<T> {
  const until = Date.now() + options.retryMs;
  let sent = false;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return await once();
    } catch (fault) {
      if (!(fault instanceof Failure) || !mayPass(fault)) throw fault;
      sent ||= !neverSent(fault);
      if (Date.now() + pauseMs > until) throw sent ? notKnown(fault, key, again) : fault;
      if (pauseMs === firstPauseMs) {
        options.onRetry(`${fault.message} Trying again for up to ${Math.round(options.retryMs / 1000)} s.`);
      }
      await wait(pauseMs, undefined, { signal: options.signal }).catch(() => Promise.reject(interrupted()));
    }
  }
}

function notKnown(fault: Failure, key: string, again: ((key: string) => string) | undefined): Failure {
  const next = again?.(key) ?? 'Look whether it was done before you repeat the command.';
  return new Failure(fault.exit, `${fault.message} It is not known whether this was done.`, {
    next,
    cause: fault,
    ...(fault.problem ? { problem: fault.problem } : {}),
  });
}

/** A fail-over, a start or an agreement that is on its way: over in a moment, by itself. */
const passing = new Set([
  'starting',
  'stopping',
  'no_active',
  'not_active',
  'hops_exceeded',
  'unknown_outcome',
  'too_many',
]);

/** Can the same request succeed a little later, with nobody doing anything? */
export function mayPass(failure: Failure): boolean {
  if (failure.exit === 'unreachable') return !isDistrust(failure.cause);
  return failure.exit === 'refused' && passing.has(failure.code ?? '');
}

const rootOf = (fault: unknown): { code?: string; message?: string } => {
  let root = fault as { code?: string; message?: string; cause?: unknown };
  while (root?.cause instanceof Error) root = root.cause as typeof root;
  return root ?? {};
};

const distrusted = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT)/;
function isDistrust(fault: unknown): boolean {
  const root = rootOf(fault);
  return root instanceof WrongFingerprint || distrusted.test(root.code ?? '');
}

const notConnected = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const neverSent = (fault: Failure): boolean =>
  fault.exit === 'unreachable' ? notConnected.has(rootOf(fault).code ?? '') : fault.code !== 'unknown_outcome';

const sentences: Record<string, string> = {
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'it is not running',
  ENOTFOUND: 'that name is not known',
  EAI_AGAIN: 'the name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no network to it',
  ETIMEDOUT: 'it does not answer',
  ECONNABORTED: 'it does not answer',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ERR_BAD_RESPONSE: 'the connection broke',
};

/** What a broken or impossible connection means, in words. */
export function connectionFailure(options: { name: string; signal: AbortSignal }, fault: unknown): Failure {
  if (options.signal.aborted) return interrupted();
  const root = rootOf(fault);
  if (root instanceof WrongFingerprint) {
    return new Failure('unreachable', `${options.name} is not the node expected: its fingerprint is ${root.seen}.`, {
      next: 'Nothing was sent. Compare it with what "binnacle status" shows on that node before you use it.',
      cause: fault,
    });
  }
  if (isDistrust(fault)) {
    return new Failure('unreachable', `The certificate of ${options.name} cannot be trusted (${root.code}).`, {
      next: 'Nothing was sent. Use the authority that signed it, or --fingerprint.',
      cause: fault,
    });
  }
  const why = sentences[root.code ?? ''] ?? root.message ?? 'the connection failed';
  return new Failure('unreachable', `${options.name} cannot be reached: ${why}.`, {
    next: 'Check that the node runs and that the address is right.',
    cause: fault,
  });
}

async function bytesOf(body: Readable, bytesMax = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > bytesMax) break;
  }
  return Buffer.concat(parts);
}

async function jsonOf(options: Options, answer: AxiosResponse<Readable>): Promise<unknown> {
  const bytes = await bytesOf(answer.data).catch((fault) => Promise.reject(connectionFailure(options, fault)));
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (fault) {
    throw notUnderstood(options.name, answer.status, fault);
  }
}

const headerOf = (answer: AxiosResponse, name: string): string | undefined => {
  const value: unknown = answer.headers[name];
  return typeof value === 'string' ? value : undefined;
};

const notUnderstood = (name: string, status: number, cause?: unknown): Failure =>
  new Failure('refused', `The answer of ${name} was not understood (status ${status}).`, {
    next: 'Check that the address is that of a Binnacle node.',
    cause,
  });

async function refusalOf(name: string, answer: AxiosResponse<Readable>): Promise<Failure> {
  const text = (await bytesOf(answer.data, problemBytesMax)).toString('utf8');
  try {
    const problem = JSON.parse(text) as ProblemDetails;
    if (typeof problem.code === 'string' && typeof problem.detail === 'string') {
      const next = problem.next ?? errors[problem.code as keyof typeof errors]?.next;
      return new Failure('refused', problem.detail || problem.title, { problem, ...(next ? { next } : {}) });
    }
  } catch {
    // Not a problem document: said below.
  }
  return notUnderstood(name, answer.status);
}
