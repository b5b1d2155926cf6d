/**
 * Passes a request of the page on to the runtime's private socket and its
 * answer back, both as streams with back-pressure: an event stream delivers
 * line by line, an upload never lies in memory whole, an abort in the page
 * ends the request at the runtime.
 *
 * While the runtime cannot answer it says so: 503, a coded problem, since when.
 * Who asks need not be proven here: only our page reaches this scheme, and only
 * this person's processes reach the socket.
 */
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RuntimeState } from '../host/runtime-state.ts';
import { runtimeProblem } from '../host/runtime-state.ts';

/** What is about the connection, not the request, or would say something wrong at the runtime. */
const notForwarded = new Set([
  ...['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'proxy-authorization', 'expect'],
  ...['host', 'origin', 'referer', 'cookie', 'accept-encoding'],
]);
const notReturned = new Set(['connection', 'keep-alive', 'transfer-encoding', 'set-cookie']);
const withoutBody = new Set([204, 205, 304]);

export type RuntimeDoor = { readonly socketPath: string | null; readonly state: RuntimeState };

function unavailable(state: RuntimeState): Response {
  const problem = runtimeProblem(state);
  const headers = { 'content-type': 'application/problem+json', 'retry-after': '1', 'cache-control': 'no-store' };
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

function headersOut(request: Request): http.OutgoingHttpHeaders {
  const headers: http.OutgoingHttpHeaders = { host: 'localhost' };
  for (const [name, value] of request.headers) if (!notForwarded.has(name)) headers[name] = value;
  return headers;
}

function answerOf(incoming: http.IncomingMessage, method: string): Response {
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct))
    if (!notReturned.has(name)) for (const value of values ?? []) headers.append(name, value);
  const status = incoming.statusCode ?? 502;
  if (method === 'HEAD' || withoutBody.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(incoming) as ReadableStream<Uint8Array>, { status, headers });
}

/** Resolves at the answer's head. Never rejects for a runtime that is gone: that is the 503. */
export function forward(request: Request, runtime: RuntimeDoor): Promise<Response> {
  const { socketPath } = runtime;
  if (!socketPath) return Promise.resolve(unavailable(runtime.state));
  const { pathname, search } = new URL(request.url);
  return new Promise((resolve) => {
    const outgoing = http.request({
      socketPath,
      path: pathname + search,
      method: request.method,
      headers: headersOut(request),
      agent: false, // a fresh connection each: a kept one may die with the runtime just as it is used
    });
    outgoing.on('response', (incoming) => resolve(answerOf(incoming, request.method)));
    outgoing.on('error', () => resolve(unavailable(runtime.state)));
    request.signal.addEventListener('abort', () => outgoing.destroy(), { once: true });
    const body = request.body && Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0]);
    if (!body) outgoing.end();
    // A body that breaks off destroys the request, which answers through 'error' above.
    else pipeline(body, outgoing).catch(() => outgoing.destroy());
  });
}
