/**
 * Answers the setup routes on the private socket, and is the whole server
 * there while this computer has no node.
 *
 * The same gate, checks and answers as for the large table. Whoever reaches the
 * socket is the user of this computer; no other door knows these routes.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Route } from '../../contract/routes.ts';
import { type Setup, type SetupBodyOf, type SetupRouteName, setupRoutes } from '../../contract/setup.ts';
import { splitTarget } from './addresses.ts';
import { type Answer, interfaceHeaders, jsonAnswer, problemAnswer, type Refused } from './answers.ts';
import { isRefusal, type Log } from './asked.ts';
import { ClientGone, drain } from './bodies.ts';
import { type Bounds, boundsWith } from './bounds.ts';
import { checkAsked } from './checks.ts';
import { passGate } from './gate.ts';

export type SetupReply = Refusal | { body: Setup };
export type SetupHandlers = {
  [N in SetupRouteName]: (body: SetupBodyOf<N>) => Promise<SetupReply> | SetupReply;
};

const BEGIN = '/api/v1/setup';
const names = Object.keys(setupRoutes) as SetupRouteName[];

export const isSetup = (path: string): boolean => path === BEGIN || path.startsWith(`${BEGIN}/`);

/** Answers a request of these routes that has passed the gate. */
export async function answerSetup(
  handlers: SetupHandlers,
  request: IncomingMessage,
  response: ServerResponse,
  { bounds, log }: { bounds: Bounds; log: Log },
): Promise<void> {
  let answer: Answer;
  try {
    const result = await ask(handlers, request, bounds);
    answer = isRefusal(result) ? problemAnswer(result) : jsonAnswer(200, result.body, undefined);
  } catch (fault) {
    answer = problemAnswer(faultOf(fault, request, log));
  }
  await write(request, response, answer, bounds);
}

async function ask(
  handlers: SetupHandlers,
  request: IncomingMessage,
  bounds: Bounds,
): Promise<Refused | { body: Setup }> {
  const { path } = splitTarget(request.url ?? '');
  const here = names.filter((name) => setupRoutes[name].path === path);
  if (here.length === 0) return refuse('not_found', `There is nothing at ${path.slice(0, 200)}.`);
  const name = here.find((one) => setupRoutes[one].method === request.method);
  if (name === undefined)
    return {
      ...refuse('method_not_allowed', `${request.method} is not used at this address.`),
      allow: here.map((one) => setupRoutes[one].method),
    };
  const asked = await checkAsked(setupRoutes[name] as Route, request, bounds, { whole: null, taken: false });
  if (isRefusal(asked)) return asked;
  return (handlers[name] as (body: unknown) => Promise<SetupReply> | SetupReply)(asked.body);
}

function faultOf(fault: unknown, { method, url }: IncomingMessage, log: Log): Refusal {
  if (fault instanceof ClientGone) return refuse('bad_request', 'The client left.');
  const reference = randomBytes(4).toString('hex');
  log.error({ err: fault, reference }, `A fault while answering ${method} ${url}`);
  return refuse('internal', `What happened is in the log of this node under the reference ${reference}.`);
}

async function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, text }: Answer,
  bounds: Bounds,
): Promise<void> {
  if (!(await drain(request, bounds))) response.setHeader('connection', 'close');
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text);
}

/** The private socket of a computer that has no node: these routes, and for everything else the word that there is none. */
export async function openSetupDoor(options: {
  path: string;
  handlers: SetupHandlers;
  log: Log;
}): Promise<{ close(): Promise<void> }> {
  const bounds = boundsWith();
  const { handlers, log } = options;
  const sockets = new Set<Socket>();
  const server: Server = createServer(
    {
      ...{ maxHeaderSize: bounds.headerBytesMax, headersTimeout: bounds.headersTimeoutMs, requestTimeout: 0 },
      ...{ keepAliveTimeout: bounds.keepAliveMs, requireHostHeader: false },
    },
    (request, response) => {
      const refusal = passGate({ kind: 'private' }, 0, request);
      const { path } = splitTarget(request.url ?? '');
      if (refusal) return void write(request, response, problemAnswer(refusal), bounds);
      if (isSetup(path)) return void answerSetup(handlers, request, response, { bounds, log });
      if (path === '/healthz')
        return void response.writeHead(200, { ...interfaceHeaders, 'content-type': 'text/plain' }).end('ok\n');
      void write(request, response, problemAnswer(refuse('no_node', 'There is no node in this folder yet.')), bounds);
    },
  );
  server.maxConnections = bounds.connectionsMax;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen({ path: options.path }, () => done());
  });
  return {
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      const over = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, bounds.closeGraceMs);
      server.closeIdleConnections();
      await closed;
      clearTimeout(over);
    },
  };
}
