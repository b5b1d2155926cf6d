/**
 * HTTP requests to one node, over connections that prove it is that node.
 *
 * Connections are kept for the next request. An answer streams; who stops
 * reading stops the sender. A request that fails says whether it may have
 * reached the node: only what certainly did not may be sent elsewhere without
 * an idempotency key.
 */
import type { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type Dispatcher, Pool } from 'undici';
import type { Bounds } from './bounds.ts';

export type PeerAsked = {
  method: string;
  /** Path and query. */
  path: string;
  headers?: Record<string, string>;
  body?: Buffer | Readable;
  signal?: AbortSignal;
  /** How long the answer may not begin, counted anew while the body is being sent. */
  headersTimeoutMs?: number;
};
export type PeerAnswer = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** To be read to its end or destroyed. */
  body: Readable;
};

/** A node did not answer a request. */
export class PeerUnreachable extends Error {
  override name = 'PeerUnreachable';
  readonly node: string;
  /** The request may have reached the node, and may have been carried out. */
  readonly sent: boolean;
  constructor(node: string, sent: boolean, cause: unknown) {
    super(`${node} did not answer: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.node = node;
    this.sent = sent;
  }
}

/** They belong to one connection, or undici writes them itself. */
const OWN_HEADERS = ['connection', 'expect', 'host', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

export class PeerRequests {
  readonly #node: string;
  readonly #bounds: Bounds;
  readonly #pool: Pool;
  readonly #asking: Dispatcher;

  constructor(node: string, dial: () => Promise<TLSSocket>, bounds: Bounds) {
    this.#node = node;
    this.#bounds = bounds;
    this.#pool = new Pool('https://peer', {
      connections: bounds.peerHttpConnectionsMax,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: bounds.peerKeepAliveMs,
      bodyTimeout: 0, // a followed log may be silent for hours; whether the node lives is seen elsewhere
      connect: (_options, callback) => {
        dial().then(
          (socket) => callback(null, socket),
          (fault: Error) => callback(fault, null),
        );
      },
    });
    this.#asking = this.#pool.compose(
      (dispatch) => (options, handler) =>
        dispatch(options, telling(handler, (options as typeof options & Begun).begun)),
    );
  }

  /** Rejects with {@link PeerUnreachable}. */
  async request(asked: PeerAsked): Promise<PeerAnswer> {
    const waitMs = asked.headersTimeoutMs ?? this.#bounds.peerHeadersMs;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error('It had no time for the request.')), waitMs);
    let sent = false;
    const options: Dispatcher.RequestOptions & Begun = {
      method: asked.method as Dispatcher.HttpMethod,
      path: asked.path,
      headers: headersFor(asked),
      body: asked.body ?? null,
      signal: asked.signal ? AbortSignal.any([asked.signal, late.signal]) : late.signal,
      headersTimeout: waitMs,
      begun: () => {
        sent = true;
        clearTimeout(timer);
      },
    };
    try {
      const { statusCode, headers, body } = await this.#asking.request(options);
      body.on('error', () => {}); // who reads it is told; nobody else has to be
      return { status: statusCode, headers, body };
    } catch (cause) {
      throw new PeerUnreachable(this.#node, sent, cause);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is under way goes on to its end; nothing new is taken. */
  retire(): void {
    void this.#pool.close();
  }

  /** What is under way breaks off. */
  destroy(why: string): void {
    void this.#pool.destroy(new Error(why));
  }
}

type Begun = { begun: () => void };

/** Tells when the first byte of a request is about to be written. */
const telling = (to: Dispatcher.DispatchHandler, begun: () => void): Dispatcher.DispatchHandler => ({
  onRequestStart(controller, context) {
    begun();
    to.onRequestStart?.(controller, context);
  },
  onRequestUpgrade: (controller, status, headers, socket) => to.onRequestUpgrade?.(controller, status, headers, socket),
  onResponseStart: (controller, status, headers, message) => to.onResponseStart?.(controller, status, headers, message),
  onResponseData: (controller, piece) => to.onResponseData?.(controller, piece),
  onResponseEnd: (controller, trailers) => to.onResponseEnd?.(controller, trailers),
  onResponseError: (controller, fault) => to.onResponseError?.(controller, fault),
});

/** The length is kept for a stream; of a buffer it is known. */
function headersFor({ headers = {}, body }: PeerAsked): Record<string, string> {
  const isStream = body !== undefined && !Buffer.isBuffer(body);
  const kept = Object.entries(headers).filter(([name]) => {
    const lower = name.toLowerCase();
    return !OWN_HEADERS.includes(lower) && (lower !== 'content-length' || isStream);
  });
  return Object.fromEntries(kept);
}
