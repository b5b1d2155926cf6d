/**
 * A node for tests of the command line: answers the routes a test gives it.
 *
 * Typed and checked by the contract in both directions: a request that the
 * route table would not read is refused, and so is an answer that no node could
 * give. It also refuses a change without an Idempotency-Key, and keeps what
 * was asked, so that a test can say what reached it.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type ErrorCode, errors, type Problem } from '../../../node-runtime/contract/errors.ts';
import {
  type AnswerOf,
  type Params,
  type Query,
  type RouteName,
  routes,
} from '../../../node-runtime/contract/routes.ts';
import { runCommandLine } from '../../../node-runtime/io/cli/command-line.ts';
import type { LocalActs, TerminalInput } from '../../../node-runtime/io/cli/outside.ts';

export type Ask<N extends RouteName> = {
  params: Params<N>;
  query: Query<N>;
  body: Record<string, unknown>;
  bytes: Buffer;
  request: IncomingMessage;
  response: ServerResponse;
};
/** The handler has written the response itself. */
export const written = Symbol('written');
export type Answers = {
  [N in RouteName]?: (
    ask: Ask<N>,
  ) => AnswerOf<N> | typeof written | Refused | Promise<AnswerOf<N> | typeof written | Refused>;
};

export class Refused {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly problems: Problem[];
  constructor(code: ErrorCode, detail: string, problems: Problem[] = []) {
    this.code = code;
    this.detail = detail;
    this.problems = problems;
  }
}

export type Seen = { route: string; url: string; key: string | undefined; authorization: string | undefined };
export type FakeNode = {
  seen: Seen[];
  /** Bytes of requests that came through, after any handshake. */
  bytesIn: () => number;
  connections: () => number;
  /** Connections that are open now. */
  open: () => number;
  /** The data folder whose `running.json` names it, or for TLS its address. */
  data: string;
  socketPath: string;
  url: string;
  [Symbol.asyncDispose](): Promise<void>;
};

const patterns = (Object.keys(routes) as RouteName[]).map((name) => ({
  name,
  route: routes[name],
  pattern: new RegExp(
    `^${routes[name].path
      .replaceAll('.', '\\.')
      .replace(/\{(\w+)\*\}/g, '(?<$1>.+)')
      .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`,
  ),
}));

export async function fakeNode(answers: Answers, tls?: { key: string; cert: string }): Promise<FakeNode> {
  const data = await mkdtemp(join(tmpdir(), 'binnacle-cli-'));
  const socketPath = join(data, 'node.sock');
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let bytesIn = 0;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    answer(answers, seen, request, response).catch((fault: unknown) => {
      refuse(response, new Refused('internal', `the test's node: ${String(fault)}`));
    });
  };
  const server: Server = tls ? createTlsServer(tls, onRequest) : createServer(onRequest);
  server.on('connection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket: Socket) => socket.on('data', (bytes: Buffer) => (bytesIn += bytes.length)));
  await new Promise<void>((done) => (tls ? server.listen(0, '127.0.0.1', done) : server.listen(socketPath, done)));
  const url = tls ? `https://127.0.0.1:${(server.address() as AddressInfo).port}` : '';
  await writeRunning(data, { pid: process.pid, socketPath });
  return {
    seen,
    data,
    socketPath,
    url,
    connections: () => connections,
    open: () => sockets.size,
    bytesIn: () => bytesIn,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
      await rm(data, { recursive: true, force: true });
    },
  };
}

export const writeRunning = (data: string, running: { pid: number; socketPath: string }): Promise<void> =>
  writeFile(
    join(data, 'running.json'),
    JSON.stringify({ ...running, url: null, fingerprint: 'ab'.repeat(32), name: 'ctl-a' }),
  );

async function answer(
  answers: Answers,
  seen: Seen[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://node');
  const found = patterns.find(({ route, pattern }) => route.method === request.method && pattern.test(url.pathname));
  const key = request.headers['idempotency-key'] as string | undefined;
  seen.push({
    route: found?.name ?? 'none',
    url: request.url ?? '',
    key,
    authorization: request.headers.authorization,
  });
  if (!found) return refuse(response, new Refused('not_found', url.pathname));
  if (found.route.change && !key) return refuse(response, new Refused('bad_request', 'a change without a key'));
  const handler = answers[found.name] as ((ask: Ask<RouteName>) => unknown) | undefined;
  if (!handler) return refuse(response, new Refused('not_found', `the test did not expect ${found.name}`));
  const bytes = await bytesOf(request);
  const isBytes = found.route.body === 'bytes' || found.route.body === null;
  const given = await handler({
    params: found.route.params.parse(decoded(found.pattern.exec(url.pathname)?.groups ?? {})) as never,
    query: found.route.query.parse(Object.fromEntries(url.searchParams)) as never,
    body: isBytes
      ? {}
      : ((found.route.body as { parse(x: unknown): unknown }).parse(JSON.parse(bytes.toString())) as never),
    bytes,
    request,
    response,
  });
  if (given === written) return;
  if (given instanceof Refused) return refuse(response, given);
  const schema = found.route.answer as { parse?(x: unknown): unknown } | null;
  schema?.parse?.(given);
  response.writeHead(found.route.status, { 'content-type': 'application/json' });
  response.end(schema ? JSON.stringify(given) : undefined);
}

const decoded = (groups: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function refuse(response: ServerResponse, { code, detail, problems }: Refused): void {
  const { status, title, next } = errors[code];
  const problem = {
    type: `/errors/${code}`,
    title,
    status,
    code,
    detail,
    next,
    ...(problems.length > 0 ? { problems } : {}),
  };
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify(problem));
}

export type Ran = { code: number; out: string; err: string };
export type RunWith = {
  env?: Record<string, string>;
  acts?: Partial<LocalActs>;
  stdin?: TerminalInput;
  isTty?: boolean;
  /** Called with each piece of stdout as it comes. */
  heard?: (text: string) => void;
};

/** Runs a command line in this process and keeps what it printed. */
export async function binnacle(
  argv: string[],
  { env = {}, acts = {}, stdin, isTty = false, heard }: RunWith = {},
): Promise<Ran> {
  const ran = { out: '', err: '' };
  const code = await runCommandLine(argv, acts as LocalActs, {
    out: (text) => {
      ran.out += text;
      heard?.(text);
    },
    err: (text) => {
      ran.err += text;
    },
    isTty,
    columns: 100,
    env: { HOME: '/nonexistent', ...env },
    stdin: stdin ?? (new PassThrough() as TerminalInput),
    version: '1.2.3',
  });
  return { code, ...ran };
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
