/**
 * A real server on a free port or a private socket, with handlers that only
 * say what they were given. People and tokens are a small table.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { refuse } from '../../../node-runtime/contract/errors.ts';
import type { ProblemDetails } from '../../../node-runtime/contract/model.ts';
import { type RouteName, routes } from '../../../node-runtime/contract/routes.ts';
import type { Asked, Caller, Handlers, Identify, Reply } from '../../../node-runtime/io/http/asked.ts';
import { buildServer, type HttpServer, type ServerOptions } from '../../../node-runtime/io/http/server.ts';
import { type Identity, makeIdentity, serverCertificate } from '../../../node-runtime/io/trust/identity.ts';

export const names = Object.keys(routes) as RouteName[];
export type Handler = (asked: Asked<RouteName>) => Reply<RouteName> | Promise<Reply<RouteName>>;

/** Every route says its name and what it was asked, unless something else is given. */
export function handlersWith(own: { [N in RouteName]?: Handlers[N] } = {}): Handlers {
  const saying =
    (name: RouteName): Handler =>
    (asked) => {
      const said = { route: name, params: asked.params, query: asked.query, key: asked.key, by: asked.caller.by };
      const { answer, status } = routes[name];
      if (answer === null) return status === 204 ? {} : { body: said as never };
      return { body: ('safeParse' in answer ? said : JSON.stringify(said)) as never };
    };
  return Object.fromEntries(names.map((name) => [name, own[name] ?? saying(name)])) as unknown as Handlers;
}

export const callers: Record<'viewer' | 'operator' | 'admin', Caller> = {
  viewer: { by: 'token:v', name: 'viewer', role: 'viewer', kind: 'program', credential: 'v' },
  operator: { by: 'token:o', name: 'operator', role: 'operator', kind: 'program', credential: 'o' },
  admin: { by: 'token:a', name: 'admin', role: 'admin', kind: 'program', credential: 'a' },
};

export const identify: Identify = ({ bearer, session }) => {
  const shown = bearer ?? session?.replace('session-', '') ?? '';
  if (shown === 'expired') return refuse('token_invalid', 'This token has expired.');
  return callers[shown as 'viewer'] ?? refuse(bearer ? 'token_invalid' : 'sign_in_needed', 'Unknown or removed.');
};

export type Logged = { fields: Record<string, unknown>; message: string };
let made: Promise<Identity> | undefined;
export const identity = (): Promise<Identity> => {
  made ??= makeIdentity({
    clusterName: 'harbour',
    clusterId: 'c-1',
    nodeName: 'ctl-a',
    nodeId: 'n-a',
    hosts: ['localhost', '127.0.0.1', '::1', 'ctl-a.lab'],
  });
  return made;
};

export type OpenDoor = {
  server: HttpServer;
  port: number;
  socketPath: string | null;
  logged: Logged[];
  close(): Promise<void>;
};
type Wanted = Partial<
  Pick<ServerOptions, 'handlers' | 'identify' | 'pages' | 'limits' | 'delegate' | 'inner' | 'throttle' | 'stillMay'>
> & {
  hosts?: string[];
};

export async function publicDoor(wanted: Wanted = {}): Promise<OpenDoor> {
  const { key, cert } = serverCertificate(await identity());
  const hosts = wanted.hosts ?? ['localhost', '127.0.0.1', '::1', 'ctl-a.lab'];
  return open({ kind: 'public', key, cert, hosts: () => hosts }, wanted, null);
}

export async function privateDoor(wanted: Wanted = {}): Promise<OpenDoor> {
  const folder = await mkdtemp(join(tmpdir(), 'bn-'));
  const door = await open({ kind: 'private' }, wanted, join(folder, 's'));
  return {
    ...door,
    async close() {
      await door.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function open(door: ServerOptions['door'], wanted: Wanted, socketPath: string | null): Promise<OpenDoor> {
  const logged: Logged[] = [];
  const keep = (fields: object, message: string): void => void logged.push({ fields: { ...fields }, message });
  const server = buildServer({
    handlers: wanted.handlers ?? handlersWith(),
    identify: wanted.identify ?? identify,
    door,
    pages: wanted.pages ?? null,
    log: { info: keep, warn: keep, error: keep },
    limits: { closeGraceMs: 1_000, ...wanted.limits },
    ...(wanted.delegate ? { delegate: wanted.delegate } : {}),
    ...(wanted.inner ? { inner: wanted.inner } : {}),
    ...(wanted.throttle ? { throttle: wanted.throttle } : {}),
    ...(wanted.stillMay ? { stillMay: wanted.stillMay } : {}),
  });
  const { port } = await server.listen(socketPath ? { path: socketPath } : { host: '127.0.0.1', port: 0 });
  return { server, port, socketPath, logged, close: () => server.close() };
}

export type Got = {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  bytes: Buffer;
  json: Record<string, never>;
};
export type Ask = {
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array;
  token?: string;
};

/** One request on a connection of its own, as it stands: nothing is added but Host, length and the token. */
export function ask(door: OpenDoor, { method = 'GET', path = '/', headers = {}, body, token }: Ask): Promise<Got> {
  const all = {
    ...(door.socketPath ? { host: 'localhost' } : { host: `localhost:${door.port}` }),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...headers,
  };
  const send = door.socketPath ? plain : secure;
  const where = door.socketPath
    ? { socketPath: door.socketPath }
    : { host: '127.0.0.1', port: door.port, rejectUnauthorized: false };
  return new Promise((done, failed) => {
    const request = send({ ...where, method, path, headers: all, agent: false }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece)).on('error', failed);
      answer.on('end', () => {
        const bytes = Buffer.concat(pieces);
        const text = bytes.toString('utf8');
        const isJson = /json/.test(answer.headers['content-type'] ?? '') && text !== '';
        const json = isJson ? JSON.parse(text) : {};
        done({ status: answer.statusCode ?? 0, headers: answer.headers, text, bytes, json });
      });
    });
    request.on('error', failed);
    if (body !== undefined) request.setHeader('content-length', Buffer.byteLength(body));
    request.end(body);
  });
}

export const askJson = (door: OpenDoor, method: string, path: string, body: unknown, token = 'admin'): Promise<Got> =>
  ask(door, { method, path, token, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** Bytes as they are over a fresh connection; what comes back until it closes. */
export function raw(door: OpenDoor, text: string | Uint8Array): Promise<string> {
  return new Promise((done, failed) => {
    const socket = door.socketPath
      ? connectPlain(door.socketPath)
      : connectTls({ host: '127.0.0.1', port: door.port, rejectUnauthorized: false });
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('error', (fault: NodeJS.ErrnoException) =>
      pieces.length > 0 || fault.code === 'ECONNRESET' ? null : failed(fault),
    );
    socket.on('close', () => done(Buffer.concat(pieces).toString('utf8')));
    socket.write(text);
  });
}

export const rawGet = (door: OpenDoor, target: string, more = ''): Promise<string> =>
  raw(
    door,
    `GET ${target} HTTP/1.1\r\nHost: ${door.socketPath ? 'localhost' : `localhost:${door.port}`}\r\nAuthorization: Bearer admin\r\n${more}Connection: close\r\n\r\n`,
  );

export const codeIn = (answer: string): string | undefined => /"code":"(\w+)"/.exec(answer)?.[1];

export const problemOf = (got: Got): ProblemDetails => got.json as unknown as ProblemDetails;

/** A path of a route with values that fit its shapes. */
export const pathOf = (name: RouteName): string =>
  routes[name].path
    .replace('{sandbox}', 'data')
    .replace('{path*}', 'in/a.txt')
    .replace('{run}', 'r-1')
    .replace('{task}', 'build')
    .replace('{upload}', 'u1')
    .replace('{user}', 'ops')
    .replace('{token}', 't1')
    .replace('{session}', 's1')
    .replace('{node}', 'n-b')
    .replace('{name}', 'DB_PASSWORD')
    .concat(queries[name] ?? '');

const queries: { [N in RouteName]?: string } = {
  search: '?text=a',
  launchForm: '?path=a.sh',
  uploadChunk: '?offset=0',
};

/** A JSON body that fits each route that takes one. */
export const bodies: { [N in RouteName]?: unknown } = {
  signIn: { name: 'ops', password: 'a long password' },
  signInByLink: { code: 'x' },
  signInLink: {},
  userCreate: { name: 'ops', role: 'viewer', password: 'a long password' },
  userChange: { role: 'viewer' },
  tokenCreate: { role: 'viewer' },
  sandboxCreate: { name: 'data', kind: 'shared' },
  sandboxRights: { rights: [{ who: 'everyone', may: ['read'] }] },
  folderCreate: { path: 'a' },
  move: { path: 'a', to: 'b' },
  copy: { path: 'a', to: 'b' },
  restore: { path: 'a', version: 1 },
  uploadCreate: { path: 'a', bytes: 1 },
  check: { path: 'a.sh', text: '' },
  launch: { sandbox: 'data', path: 'a.sh' },
  decideTask: { decision: 'again' },
  secretSave: { value: 'hunter2 hunter2' },
  nodeChange: { drained: true },
  invite: { duties: ['worker'] },
  join: {
    ...{ secret: 's', node: 'n-0123456789', store: '0'.repeat(32), name: 'deck-17', request: 'x', addresses: [] },
    ...{ hosts: [], slots: 1, speaks: 1, program: '0.1.0' },
  },
  joinAsk: { name: 'deck-17', program: '0.1.0', commitment: '0'.repeat(64) },
  joinShow: { ticket: 't', number: '0'.repeat(64) },
  joinAnswer: { ticket: 't' },
  joinWithdraw: { ticket: 't' },
  joinApprove: { duties: ['worker'] },
  park: { why: 'new memory' },
  recover: { evidence: 'e', lost: [], statement: 'it is off' },
  parkingCode: { term: '0.3.n-0123456789' },
};

/** A request to a route that is right in everything but, perhaps, who asks. */
export function askRoute(door: OpenDoor, name: RouteName, more: Ask = {}): Promise<Got> {
  const { method, body } = routes[name];
  const json = body !== null && body !== 'bytes';
  const sent = json ? JSON.stringify(bodies[name]) : body === 'bytes' ? Buffer.from([0, 255, 10]) : undefined;
  return ask(door, {
    method,
    path: pathOf(name),
    ...(sent === undefined ? {} : { body: sent }),
    ...more,
    headers: { ...(json ? { 'content-type': 'application/json' } : {}), ...more.headers },
  });
}

/** Waits until something is so; fails with the words given after the deadline. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not in ${ms} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}
