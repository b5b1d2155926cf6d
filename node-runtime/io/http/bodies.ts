/**
 * Request bodies: JSON is read whole and bounded, bytes are handed on.
 *
 * A body that nobody wants is let run out for a moment before the answer is
 * sent, because an answer to a client that is still sending gets lost when the
 * connection closes. What does not end soon ends with its connection.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Bounds } from './bounds.ts';

export type JsonBody = { text: string; value: unknown };
/** A body that is read at most once. When it was `taken` as a stream, it cannot be had here any more. */
export type HeldBody = { whole: Buffer | null; taken: boolean };

/**
 * Empty text and undefined when there is no body. Refuses what is too large,
 * too slow, of another type, no JSON. `whole` is the body when it was read before.
 */
export async function readJson(
  request: IncomingMessage,
  bounds: Bounds,
  whole: Buffer | null = null,
): Promise<JsonBody | Refusal> {
  if (!hasBody(request)) return { text: '', value: undefined };
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json') {
    return refuse('media_type', type ? `${type.slice(0, 100)} was sent.` : 'The body has no Content-Type.');
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return refuse('media_type', 'Compressed bodies are not read here.');
  }
  const bytes = whole ?? (await readWhole(request, bounds.jsonBodyBytesMax, bounds.requestTimeoutMs));
  return Buffer.isBuffer(bytes) ? parse(bytes) : bytes;
}

/** The whole body of a request, or why not. */
export async function readWhole(request: IncomingMessage, max: number, ms: number): Promise<Buffer | Refusal> {
  if (!hasBody(request)) return Buffer.alloc(0);
  const tooLarge = refuse('body_too_large', `The body is larger than ${max} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > max) return tooLarge;
  const bytes = await collect(request, max, ms);
  if (bytes === 'too large') return tooLarge;
  return bytes === 'too slow' ? refuse('request_timeout', 'The body did not arrive in time.') : bytes;
}

/** Who breaks off reading it must not take the client's connection down: an answer still has to go out. */
export const streamOf = (request: IncomingMessage): Readable =>
  hasBody(request)
    ? Readable.from(request.iterator({ destroyOnReturn: false }), { objectMode: false, highWaterMark: 64 * 1024 })
    : Readable.from([], { objectMode: false });

export const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;

function parse(bytes: Buffer): JsonBody | Refusal {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch (fault) {
    const why = fault instanceof SyntaxError ? fault.message.slice(0, 200) : 'it is no UTF-8';
    return refuse('bad_request', `The body is not JSON: ${why}.`);
  }
}

/** Ends without destroying the request: an answer still has to go out on its connection. */
function collect(request: IncomingMessage, max: number, ms: number): Promise<Buffer | 'too large' | 'too slow'> {
  return new Promise((done, failed) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => end('too slow'), ms);
    const onData = (piece: Buffer): void => {
      bytes += piece.length;
      if (bytes > max) end('too large');
      else pieces.push(piece);
    };
    const onEnd = (): void => end(Buffer.concat(pieces, bytes));
    const onGone = (): void => {
      stop();
      failed(new ClientGone());
    };
    const stop = (): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone).pause();
      request.on('error', () => {}); // it may break later; nobody waits for it any more
    };
    const end = (result: Buffer | 'too large' | 'too slow'): void => {
      stop();
      done(result);
    };
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

/** The other side left in the middle of its request. There is nobody to answer. */
export class ClientGone extends Error {
  constructor() {
    super('the client left before its request was complete');
  }
}

/**
 * Guards a body that a handler reads as a stream: a client that sends nothing
 * for `requestTimeoutMs` is cut off. There is no bound on the whole, since a
 * large file on a slow line is no attack.
 */
export function guardSlowBody(request: IncomingMessage, bounds: Bounds): void {
  const socket = request.socket;
  const onIdle = (): void => void request.destroy(new Error('the client stopped sending its body'));
  const stop = (): void => {
    request.off('end', stop).off('close', stop);
    socket.setTimeout(0).off('timeout', onIdle);
  };
  request.on('end', stop).on('close', stop);
  socket.setTimeout(bounds.requestTimeoutMs).on('timeout', onIdle);
}

/** Lets the rest of a body come in, within bounds. False: it goes on, so the connection has to be closed. */
export function drain(request: IncomingMessage, bounds: Bounds): Promise<boolean> {
  if (request.complete || request.destroyed) return Promise.resolve(true);
  if (!hasBody(request)) return Promise.resolve(true);
  if (Number(request.headers['content-length'] ?? 0) > 2 * bounds.chunkBytesMax) return Promise.resolve(false);
  return new Promise((done) => {
    let bytes = 0;
    const timer = setTimeout(() => end(false), bounds.closeGraceMs);
    const onData = (piece: Buffer): void => {
      bytes += piece.length;
      if (bytes > 2 * bounds.chunkBytesMax) end(false);
    };
    const whole = (): void => end(true);
    const end = (complete: boolean): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', whole).off('error', whole).off('close', whole);
      request.on('error', () => {});
      done(complete);
    };
    request.on('data', onData).on('end', whole).on('error', whole).on('close', whole);
    request.resume();
  });
}
