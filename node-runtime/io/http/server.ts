/**
 * The HTTP server of a node, on one door: routes, checks, answers.
 *
 * Every address comes from the route table. A request passes the gate (host,
 * origin, target), is told who asks, checked against the table and handed to
 * its handler; whatever happens, the answer is JSON of the table, a stream, or
 * problem details. What the handlers do, and who people are, is given from
 * outside. A fault of ours is logged under a reference and never shown.
 */
import { randomBytes } from 'node:crypto';
import {
  createServer as createPlain,
  type IncomingMessage,
  type Server as NodeServer,
  type ServerResponse,
} from 'node:http';
import { createServer as createTls, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { errors, type Refusal, refuse } from '../../contract/errors.ts';
import { type Route, type RouteName, routes } from '../../contract/routes.ts';
import { methodsAt, patternOf, routeNames, splitTarget } from './addresses.ts';
import {
  type Answer,
  interfaceHeaders,
  jsonAnswer,
  problemAnswer,
  type Refused,
  rawAnswer,
  sessionCookie,
} from './answers.ts';
import { type Asked, type Handlers, type Identify, isRefusal, type Log, type Reply, type Success } from './asked.ts';
import { ClientGone, drain, type HeldBody } from './bodies.ts';
import { type Bounds, boundsWith } from './bounds.ts';
import { addressOf, checkAsked, checkCaller, DESKTOP } from './checks.ts';
import {
  type Delegate,
  delegatedOf,
  endingWith,
  headersOfAnswer,
  type PassedAnswer,
  type PeerWord,
  readPeerWord,
} from './delegation.ts';
import { type Door, isInterface, passGate } from './gate.ts';
import { askInner, INNER_PREFIX, type Inner, type InnerAnswer } from './inner.ts';
import { makePages } from './pages.ts';
import { answerSetup, isSetup, type SetupHandlers } from './setup-door.ts';
import { makeThrottle, type Throttle } from './throttle.ts';

export type ServerOptions = {
  handlers: Handlers;
  identify: Identify;
  door: Door;
  /** Asked first about every request of the API: is it ours to answer? Without it all are. */
  delegate?: Delegate;
  /** Addresses of members, on the peer door. */
  inner?: Inner;
  /** How the node of this computer is reached, on the private door of the desktop program. */
  setup?: SetupHandlers;
  /** Does who was let in to an answer that goes on still hold? Asked again and again; else it is ended. */
  stillMay?: (name: RouteName, asked: Asked<RouteName>) => Promise<boolean>;
  /** Shared by the doors of a node, so that a second door is no second chance. */
  throttle?: Throttle;
  /** Folder of the built console, or none. */
  pages: string | null;
  log: Log;
  /** Smaller bounds, for tests. */
  limits?: Partial<Bounds>;
};
export type Listening = { port: number };
export type HttpServer = {
  /** Port 0 takes any free one; a path is a socket of the private door. Rejects when it can't listen. */
  listen(where: { host: string; port: number } | { path: string }): Promise<Listening>;
  /** The peer door: a connection of a member, whose identity was proved. */
  accept(socket: TLSSocket, node: string): void;
  /** Takes no more requests, ends endless answers, lets the others finish for a while, then closes all. */
  close(): Promise<void>;
  /** A renewed certificate, for connections from now on. */
  useCertificate(renewed: { key: string; cert: string }): void;
};

type Loose = Success<RouteName>;

const HOSTS_LISTED_MS = 1_000;

export function buildServer(options: ServerOptions): HttpServer {
  const bounds = boundsWith(options.limits);
  const { log } = options;
  const door = rememberingHosts(options.door);
  const throttle = options.throttle ?? makeThrottle(bounds.signInTriesPerMinute, bounds.signInKeptMax);
  const pages = makePages(options.pages);
  const sockets = new Set<Socket>();
  const endless = new Set<AbortController>();
  /** Answers that go on and were made here: whether who asked still may. */
  const watched = new Map<AbortController, () => Promise<boolean>>();
  const busy = new WeakMap<Socket, number>();
  /** The members at the other ends, on the peer door. */
  const members = new WeakMap<Socket, string>();
  let closing = false;
  /** Remembered: a server that closes forgets it, and still answers. */
  let port = 0;
  let server: NodeServer | TlsServer;

  // ---------------------------------------------------------------- asking

  async function ask(
    name: RouteName,
    request: IncomingMessage,
    reply: FastifyReply,
    left: AbortController,
  ): Promise<Refused | Loose | { answer: PassedAnswer }> {
    if (closing) return refuse('stopping', 'This node is stopping.');
    const from = peerWord(request);
    if (isRefusal(from)) return from;
    const held: HeldBody = { whole: null, taken: false };
    if (!options.delegate) return askHere(name, request, left, from, held);
    const given = await options.delegate(delegatedOf(name, door, request, from, held, bounds, left.signal));
    if (isRefusal(given) || 'answer' in given) return given;
    reply.headers(given.headers ?? {});
    return askHere(name, request, left, from, held);
  }

  async function askHere(
    name: RouteName,
    request: IncomingMessage,
    left: AbortController,
    from: PeerWord,
    held: HeldBody,
  ): Promise<Refused | Loose> {
    const route: Route = routes[name];
    const caller = await checkCaller(route, door, options.identify, request, from);
    if (isRefusal(caller)) return caller;
    const parts = await checkAsked(route, request, bounds, held);
    if (isRefusal(parts)) return parts;
    const { address, through: via } = from;
    const tooOften = slowDown(name, parts.body, address);
    if (tooOften) return tooOften;
    const secure = door.kind !== 'private';
    const head = request.method === 'HEAD';
    const came = { address, ...(via === null ? {} : { via }), secure };
    const asked = { ...parts, ...came, caller, headers: headersOf(request), head, signal: left.signal };
    const handler = options.handlers[name] as (asked: Asked<RouteName>) => Reply<RouteName> | Promise<Reply<RouteName>>;
    const reply = await handler(asked as Asked<RouteName>);
    const { stillMay } = options;
    if (stillMay && !isRefusal(reply) && reply.endless)
      watched.set(left, () => stillMay(name, asked as Asked<RouteName>));
    return reply;
  }

  /** A stream that was opened would outlive the session it was opened with. */
  async function lookAtWatched(): Promise<void> {
    for (const [left, stillMay] of watched) {
      const holds = await stillMay().catch((fault: unknown) => {
        log.error({ err: fault }, 'It could not be seen whether an open stream may go on; it is ended.');
        return false;
      });
      if (!holds) left.abort();
    }
  }

  /** What is known of a request by the door it came through. */
  function peerWord(request: IncomingMessage): PeerWord | Refusal {
    const address = addressOf(request);
    if (door.kind === 'peer') return readPeerWord(request, memberAt(request), address);
    return { caller: door.kind === 'private' ? DESKTOP : null, hops: 0, via: null, address, through: null };
  }

  function memberAt({ socket }: IncomingMessage): string {
    const node = members.get(socket);
    if (node === undefined) throw new Error('broken promise: a request of no member on the peer door');
    return node;
  }

  function slowDown(name: RouteName, body: unknown, address: string): Refused | null {
    if (name !== 'signIn' && name !== 'signInByLink' && name !== 'join' && name !== 'joinAsk') return null;
    const who = name === 'signIn' ? { address, name: (body as { name: string }).name } : { address };
    const waitMs = throttle.try(who, performance.now());
    if (waitMs === 0) return null;
    const seconds = Math.ceil(waitMs / 1_000);
    const next = `the next one is possible in ${seconds === 1 ? 'a second' : `${seconds} seconds`}`;
    return { ...refuse('too_many', `Too many tries from there or with that name; ${next}.`), retryAfterMs: waitMs };
  }

  async function serve(name: RouteName, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const left = leavingOf(reply);
    let result: Refused | Loose | { answer: PassedAnswer };
    try {
      result = await ask(name, request.raw, reply, left);
    } catch (fault) {
      result = faultOf(fault, `${request.method} ${routes[name].path}`, left.signal);
    }
    if (!(await drain(request.raw, bounds))) reply.header('connection', 'close');
    if (isRefusal(result)) return refuseWith(reply, result, request.raw);
    const isEndless = 'answer' in result ? result.answer.endless : result.endless;
    if (isEndless) endless.add(left);
    if (closing) left.abort();
    if ('answer' in result) return passOn(reply, request.raw, result.answer, left.signal);
    return succeed(reply, name, request.raw, result);
  }

  /** Aborted when the client leaves before its answer is complete. */
  function leavingOf(reply: FastifyReply): AbortController {
    const left = new AbortController();
    reply.raw.once('close', () => {
      endless.delete(left);
      watched.delete(left);
      if (!reply.raw.writableFinished) left.abort();
    });
    return left;
  }

  async function serveInner(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const left = leavingOf(reply);
    const raw = request.raw;
    const held: HeldBody = { whole: null, taken: false };
    let result: Refused | InnerAnswer;
    try {
      result = closing
        ? refuse('stopping', 'This node is stopping.')
        : await askInner(options.inner ?? {}, raw, memberAt(raw), held, bounds, left.signal);
    } catch (fault) {
      result = faultOf(fault, `${raw.method} ${splitTarget(raw.url ?? '').path}`, left.signal);
    }
    // An answer may be made of the body that is still coming; what nobody read of it goes afterwards.
    if (held.taken) reply.raw.once('finish', () => raw.resume());
    else if (!(await drain(raw, bounds))) reply.header('connection', 'close');
    if (isRefusal(result)) return refuseWith(reply, result, raw);
    if (closing) reply.header('connection', 'close');
    reply.code(result.status).headers({ ...interfaceHeaders, ...result.headers });
    if (raw.method !== 'HEAD' || !(result.body instanceof Readable)) return reply.send(result.body);
    result.body.destroy();
    return reply.send();
  }

  function faultOf(fault: unknown, where: string, left: AbortSignal): Refusal {
    if (fault instanceof ClientGone || left.aborted) return refuse('bad_request', 'The client left.');
    const reference = randomBytes(4).toString('hex');
    log.error({ err: fault, reference }, `A fault while answering ${where}`);
    return refuse('internal', `What happened is in the log of this node under the reference ${reference}.`);
  }

  // ------------------------------------------------------------- answering

  function refuseWith(reply: FastifyReply, refused: Refused, request: IncomingMessage): FastifyReply {
    const answer = problemAnswer(refused);
    // A session that has ended need not be shown again.
    if (answer.status === 401 && request.headers.cookie && door.kind !== 'private') {
      answer.headers['set-cookie'] = sessionCookie('clear', Date.now());
    }
    return write(reply, answer);
  }

  function write(reply: FastifyReply, { status, headers, text }: Answer): FastifyReply {
    if (closing) reply.header('connection', 'close');
    return reply
      .code(status)
      .headers(headers)
      .send(text === '' ? undefined : text);
  }

  function succeed(reply: FastifyReply, name: RouteName, request: IncomingMessage, result: Loose): FastifyReply {
    const route: Route = routes[name];
    const status = result.status ?? route.status;
    if (status >= 400) throw new Error(`broken promise: ${name} answered ${status} without a refusal`);
    if (closing) reply.header('connection', 'close');
    if (result.setSession && door.kind !== 'private') {
      reply.header('set-cookie', sessionCookie(result.setSession, Date.now()));
    }
    const { body } = result;
    if (body instanceof Readable) return stream(reply, route, status, request, result, body);
    if (typeof body === 'string' || Buffer.isBuffer(body) || body === undefined || body === null) {
      const type = body === undefined || body === null ? {} : { 'content-type': mediaOf(route) };
      const headers = { ...interfaceHeaders, ...type, ...result.headers };
      return reply
        .code(status)
        .headers(headers)
        .send(body ?? undefined);
    }
    const cached = route.method === 'GET' && isJson(route) ? request.headers['if-none-match'] : undefined;
    const answer = jsonAnswer(status, body, cached);
    if (answer.status !== 304 && !isJson(route)) answer.headers['content-type'] = mediaOf(route);
    return write(reply, { ...answer, headers: { ...answer.headers, ...result.headers } });
  }

  function stream(
    reply: FastifyReply,
    route: Route,
    status: number,
    request: IncomingMessage,
    result: Loose,
    body: Readable,
  ): FastifyReply {
    reply.code(status).headers({ ...interfaceHeaders, 'content-type': mediaOf(route), ...result.headers });
    body.once('error', (fault) => {
      if (!reply.raw.destroyed) log.error({ err: fault }, `An answer of ${route.method} ${route.path} broke off`);
    });
    if (request.method !== 'HEAD') return reply.send(body);
    body.destroy();
    return reply.send();
  }

  /** Another node's answer, as it comes. */
  function passOn(
    reply: FastifyReply,
    request: IncomingMessage,
    answer: PassedAnswer,
    left: AbortSignal,
  ): FastifyReply {
    if (closing) reply.header('connection', 'close');
    reply.code(answer.status).headers(headersOfAnswer(answer, door));
    const { body } = answer;
    if (!(body instanceof Readable)) return reply.send(body ?? undefined);
    body.on('error', (fault) => {
      if (!reply.raw.destroyed && !left.aborted) log.warn({ err: fault }, 'An answer of another node broke off');
    });
    if (request.method !== 'HEAD') return reply.send(answer.endless ? endingWith(body, left) : body);
    body.destroy();
    return reply.send();
  }

  // -------------------------------------------------------- other addresses

  async function elsewhere(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { path } = splitTarget(request.raw.url ?? '');
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    if (isReading && !isInterface(path)) {
      const page = await pages.find(path, request.headers['if-none-match']);
      if (page)
        return reply
          .code(page.status)
          .headers(page.headers)
          .send(page.bytes ?? undefined);
    }
    if (!(await drain(request.raw, bounds))) reply.header('connection', 'close');
    const allow = methodsAt(path);
    const refused: Refused =
      allow.length > 0
        ? { ...refuse('method_not_allowed', `${request.method} is not used at this address.`), allow }
        : refuse('not_found', `There is nothing at ${path.slice(0, 200)}.`);
    return refuseWith(reply, refused, request.raw);
  }

  /** Faults outside of a handler: what fastify itself refuses, or ours. */
  function failed(fault: Error & { code?: string }, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (fault.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
      return refuseWith(reply, refuse('media_type', 'The Content-Type cannot be read.'), request.raw);
    }
    if (fault.code?.startsWith('FST_ERR_BAD_URL')) {
      return refuseWith(
        reply,
        refuse('bad_request', 'The path holds a percent sequence that is no UTF-8.'),
        request.raw,
      );
    }
    return refuseWith(reply, faultOf(fault, request.method, new AbortController().signal), request.raw);
  }

  // ------------------------------------------------------------ connections

  /** Before fastify: nothing of a request is looked at until it has passed the gate. */
  function enter(handle: (request: IncomingMessage, response: ServerResponse) => void): typeof handle {
    return (request, response) => {
      const { socket } = request;
      busy.set(socket, (busy.get(socket) ?? 0) + 1);
      response.once('close', () => busy.set(socket, busy.get(socket)! - 1));
      const refusal = passGate(door, port, request);
      const { setup } = options;
      if (!refusal && setup && door.kind === 'private' && isSetup(splitTarget(request.url ?? '').path))
        return void answerSetup(setup, request, response, { bounds, log });
      if (!refusal) return handle(request, response);
      void drain(request, bounds).then((whole) => {
        const { status, headers, text } = problemAnswer(refusal);
        if (!whole || closing) response.setHeader('connection', 'close');
        response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text);
      });
    };
  }

  function makeServer(handle: (request: IncomingMessage, response: ServerResponse) => void): NodeServer | TlsServer {
    const http = {
      maxHeaderSize: bounds.headerBytesMax,
      headersTimeout: bounds.headersTimeoutMs,
      // Bodies have their own deadlines (bodies.ts): a large file may take its time.
      requestTimeout: 0,
      keepAliveTimeout: bounds.keepAliveMs,
      connectionsCheckingInterval: Math.min(5_000, bounds.headersTimeoutMs),
      requireHostHeader: false, // the gate refuses in our own words
      keepAlive: true,
      keepAliveInitialDelay: bounds.eventHeartbeatMs,
    };
    server =
      door.kind === 'public'
        ? createTls(
            {
              ...http,
              ...{ key: door.key, cert: door.cert, minVersion: 'TLSv1.2', handshakeTimeout: bounds.headersTimeoutMs },
            },
            enter(handle),
          )
        : createPlain(http, enter(handle));
    server.maxConnections = bounds.connectionsMax;
    server.maxHeadersCount = 0; // bounded by bytes; counting would silently leave some out
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    return server;
  }

  const allClosed = (): Promise<unknown> =>
    Promise.all([...sockets].map((socket) => new Promise<void>((done) => socket.once('close', () => done()))));

  /** A server that is given its connections doesn't know which of them are idle. */
  function closeIdle(): void {
    if (door.kind !== 'peer') return server.closeIdleConnections();
    for (const socket of sockets) if ((busy.get(socket) ?? 0) === 0) socket.destroy();
  }

  /** What is no HTTP, too large or too slow before it became a request. */
  function onBroken(fault: Error & { code?: string }, socket: Socket): void {
    if (fault.code === 'ECONNRESET' || !socket.writable || (busy.get(socket) ?? 0) > 0) return void socket.destroy();
    const refusal = brokenRefusal(fault.code);
    socket.end(rawAnswer(problemAnswer(refusal), errors[refusal.code].title), () => socket.destroySoon());
  }

  const app: FastifyInstance = fastify({
    logger: false,
    serverFactory: (handle) => makeServer(handle),
    clientErrorHandler: onBroken as never,
    frameworkErrors: (fault, request, reply) => void failed(fault, request as FastifyRequest, reply as FastifyReply),
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: bounds.headerBytesMax },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null)); // bodies are read in checks.ts
  app.setErrorHandler(failed);
  app.setNotFoundHandler(elsewhere);
  for (const name of routeNames) {
    const { method, path } = routes[name];
    app.route({
      method: method === 'GET' ? ['GET', 'HEAD'] : method,
      url: patternOf(path),
      handler: (request, reply) => serve(name, request, reply),
    });
  }
  if (door.kind === 'peer') {
    const method = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];
    app.route({ method, url: `${INNER_PREFIX}*`, handler: serveInner });
  }
  const ready = app.ready();
  let looking = false;
  const look = setInterval(() => {
    if (looking || watched.size === 0) return;
    looking = true;
    void lookAtWatched().finally(() => (looking = false));
  }, bounds.sessionLookMs).unref();

  return {
    async listen(where) {
      if (door.kind === 'peer') throw new Error('broken promise: the peer door is given its connections');
      await ready;
      await new Promise<void>((done, failed) => {
        server.once('error', failed);
        server.listen(where, () => {
          server.off('error', failed);
          done();
        });
      });
      port = (server.address() as AddressInfo | null)?.port ?? 0;
      return { port };
    },
    accept(socket, node) {
      if (door.kind !== 'peer') throw new Error('broken promise: only the peer door is given connections');
      members.set(socket, node);
      socket.on('error', () => {}); // before the server looks after it
      void ready.then(() => {
        if (closing) socket.destroy();
        else server.emit('connection', socket);
      });
    },
    async close() {
      if (closing) return;
      closing = true;
      clearInterval(look);
      await ready;
      const closed = new Promise<void>((done) => (server.listening ? server.close(() => done()) : done()));
      for (const left of endless) left.abort();
      const idle = setInterval(closeIdle, 50);
      const over = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, bounds.closeGraceMs);
      await closed;
      if (door.kind === 'peer') await allClosed();
      clearInterval(idle);
      clearTimeout(over);
      await app.close();
    },
    useCertificate(renewed) {
      if (!('setSecureContext' in server)) throw new Error(`broken promise: the ${door.kind} door has no certificate`);
      server.setSecureContext({ ...renewed, minVersion: 'TLSv1.2' });
    },
  };
}

/** Listing the interfaces of a machine takes longer than answering: it is done once a second at most. */
function rememberingHosts(door: Door): Door {
  if (door.kind !== 'public') return door;
  let hosts: string[] = [];
  let listedAt = Number.NEGATIVE_INFINITY;
  return {
    ...door,
    hosts() {
      if (performance.now() - listedAt > HOSTS_LISTED_MS) {
        listedAt = performance.now();
        hosts = door.hosts();
      }
      return hosts;
    },
  };
}

function brokenRefusal(code: string | undefined): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') return refuse('headers_too_large', 'The headers of the request are too large.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refuse('request_timeout', 'The request did not arrive in time.');
  return refuse('bad_request', 'What was sent is not HTTP.');
}

function headersOf(request: IncomingMessage): Asked<RouteName>['headers'] {
  const { headers } = request;
  const lastEventId = headers['last-event-id'];
  return {
    ...(headers['if-match'] === undefined ? {} : { ifMatch: headers['if-match'] }),
    ...(headers['if-none-match'] === undefined ? {} : { ifNoneMatch: headers['if-none-match'] }),
    ...(headers.range === undefined ? {} : { range: headers.range }),
    ...(typeof headers['if-range'] === 'string' ? { ifRange: headers['if-range'] } : {}),
    ...(typeof lastEventId === 'string' ? { lastEventId } : {}),
    ...(headers['user-agent'] === undefined ? {} : { userAgent: headers['user-agent'] }),
  };
}

const isJson = (route: Route): boolean => route.answer !== null && 'safeParse' in route.answer;

function mediaOf(route: Route): string {
  if (route.answer === null || 'safeParse' in route.answer) return 'application/json; charset=utf-8';
  return route.answer.media === 'text/plain' ? 'text/plain; charset=utf-8' : route.answer.media;
}
