/**
 * A request that may be another node's to answer: what the shell is shown of
 * it, and how another node's answer goes out as if it were ours.
 *
 * Whose it is, is decided in the core and carried out by the shell; here it is
 * only held still: nothing of the body is read before somebody asks for it,
 * and it can be read once, either here or by the other node. What members tell
 * each other about a request stands in headers that only the peer door
 * believes.
 */
import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { z } from 'zod';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { Role, TokenScope } from '../../contract/model.ts';
import { type Route, type RouteName, routes } from '../../contract/routes.ts';
import { interfaceHeaders, type Refused } from './answers.ts';
import type { Caller } from './asked.ts';
import { guardSlowBody, type HeldBody, readWhole, streamOf } from './bodies.ts';
import type { Bounds } from './bounds.ts';
import { type Door, mayUseCookie } from './gate.ts';

export type Delegated = {
  name: RouteName;
  door: Door['kind'];
  method: string;
  /** Path and query as they came. */
  target: string;
  /** Those that mean something to another node. A cookie only when its page is one of ours. */
  headers: Record<string, string>;
  /** Known here already: the desktop, or whom a member names. Null: a token or cookie, or nobody, has to be looked at. */
  caller: Caller | null;
  /** How many nodes have passed it on. */
  hops: number;
  /** The member that passed it on. */
  via: string | null;
  /** Of who asked first. */
  address: string;
  /** Name of the node to which it came first; null: to this one. */
  through: string | null;
  /** It alters state. */
  change: boolean;
  /** The whole body, bounded; may be asked for again, also by the handler here. */
  body(): Promise<Buffer | Refusal>;
  /** The body as it comes, of any length; then it cannot be answered here any more. */
  stream(): Readable;
  /** Aborted when the client left, or when an endless answer has to end. */
  signal: AbortSignal;
};
export type PassedAnswer = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable | Buffer | null;
  /** Goes on until somebody leaves: ended in order when the server stops. */
  endless?: boolean;
};
export type Delegation =
  /** Answered here, with these headers added. */
  { mine: true; headers?: Record<string, string> } | { answer: PassedAnswer } | Refused;
export type Delegate = (asked: Delegated) => Promise<Delegation>;

// ------------------------------------------------------------ the request

const PASSED = [
  ...['authorization', 'cookie', 'content-type', 'content-length', 'idempotency-key', 'if-match', 'if-none-match'],
  ...['if-range', 'range', 'last-event-id', 'accept', 'accept-encoding', 'user-agent'],
] as const;

export function delegatedOf(
  name: RouteName,
  door: Door,
  request: IncomingMessage,
  from: PeerWord,
  held: HeldBody,
  bounds: Bounds,
  signal: AbortSignal,
): Delegated {
  const route: Route = routes[name];
  const max = route.body === 'bytes' ? bounds.chunkBytesMax : bounds.jsonBodyBytesMax;
  return {
    ...{ name, door: door.kind, method: request.method ?? route.method, target: request.url ?? '' },
    ...{ headers: passedHeaders(request), caller: from.caller, hops: from.hops, via: from.via },
    ...{ address: from.address, through: from.through, change: route.change, signal },
    async body() {
      if (held.taken) throw new Error('broken promise: a body that was taken as a stream is asked for');
      if (held.whole) return held.whole;
      const found = await readWhole(request, max, bounds.requestTimeoutMs);
      if (Buffer.isBuffer(found)) held.whole = found;
      return found;
    },
    stream() {
      if (held.whole) return Readable.from([held.whole], { objectMode: false });
      if (held.taken) throw new Error('broken promise: a body is taken twice');
      held.taken = true;
      guardSlowBody(request, bounds);
      return streamOf(request);
    },
  };
}

function passedHeaders(request: IncomingMessage): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of PASSED) {
    const value = request.headers[name];
    if (typeof value !== 'string' || (name === 'cookie' && !mayUseCookie(request))) continue;
    kept[name] = value;
  }
  return kept;
}

// ------------------------------------------------- what members tell each other

const CALLER = 'binnacle-caller';
const HOPS = 'binnacle-hops';
const ADDRESS = 'binnacle-address';
const THROUGH = 'binnacle-through';

/** What the member that passed a request on says about it. */
export type PeerWord = {
  caller: Caller | null;
  hops: number;
  via: string | null;
  address: string;
  through: string | null;
};

export const SaidCaller = z.strictObject({
  by: z.string().min(1).max(200),
  name: z.string().min(1).max(200),
  role: z.union([Role, z.literal('nobody')]),
  kind: z.enum(['person', 'program', 'desktop', 'nobody']),
  scope: TokenScope.exactOptional(),
});

/** What a member is told of who asks. */
export const saidOf = ({ by, name, role, kind, scope }: Caller): z.infer<typeof SaidCaller> => ({
  ...{ by, name, role, kind },
  ...(scope ? { scope } : {}),
});

/** Only for the peer door: `via` is the member at the other end, `address` that of its connection. */
export function readPeerWord(request: IncomingMessage, via: string, address: string): PeerWord | Refusal {
  const { [CALLER]: said, [HOPS]: hops = '0', [ADDRESS]: from = address, [THROUGH]: named } = request.headers;
  const bad = (name: string): Refusal => refuse('bad_request', `The header ${name} cannot be read.`);
  if (typeof hops !== 'string' || !/^\d{1,3}$/.test(hops)) return bad(HOPS);
  if (typeof from !== 'string' || !/^[\x21-\x7e]{1,100}$/.test(from)) return bad(ADDRESS);
  const caller = said === undefined ? null : callerIn(String(said));
  if (caller === undefined) return bad(CALLER);
  const through = named === undefined ? null : nameIn(String(named));
  return through === undefined ? bad(THROUGH) : { caller, hops: Number(hops), via, address: from, through };
}

/** Names of nodes may hold letters that a header may not. */
function nameIn(text: string): string | undefined {
  if (!/^[\x21-\x7e]{1,600}$/.test(text)) return undefined;
  try {
    const name = decodeURIComponent(text);
    return /^\P{Cc}{1,64}$/u.test(name) ? name : undefined;
  } catch {
    return undefined; // no name was written like this
  }
}

function callerIn(text: string): Caller | undefined {
  try {
    const { success, data } = SaidCaller.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return success ? data : undefined;
  } catch {
    return undefined; // what is no JSON is no caller
  }
}

/** The headers with which a request goes on to another member; `self` is the name of this node. */
export function headersToPass(
  asked: Pick<Delegated, 'headers' | 'hops' | 'address' | 'through'>,
  caller: Caller | null,
  self: string,
) {
  return {
    ...asked.headers,
    [HOPS]: String(asked.hops + 1),
    [ADDRESS]: asked.address,
    [THROUGH]: encodeURIComponent(asked.through ?? self),
    ...(caller ? { [CALLER]: Buffer.from(JSON.stringify(saidOf(caller))).toString('base64url') } : {}),
  };
}

// ------------------------------------------------------------- the answer

const OF_ONE_CONNECTION = [
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'date'],
];

/** Theirs, without what belongs to their connection; ours where they keep a browser from harm. */
export function headersOfAnswer(answer: PassedAnswer, door: Door): Record<string, string | string[]> {
  const named = String(answer.headers['connection'] ?? '')
    .toLowerCase()
    .split(/\s*,\s*/);
  const kept = Object.entries(answer.headers).filter(
    ([name, value]) =>
      value !== undefined &&
      !OF_ONE_CONNECTION.includes(name) &&
      !named.includes(name) &&
      (name !== 'set-cookie' || door.kind !== 'private'),
  ) as [string, string | string[]][];
  const { 'cache-control': caching, ...protecting } = interfaceHeaders;
  return { 'cache-control': caching, ...Object.fromEntries(kept), ...protecting };
}

/** A stream that ends in order when `signal` says so, and breaks off when the other node does. */
export function endingWith(body: Readable, signal: AbortSignal): Readable {
  const through = new PassThrough();
  const end = (fault?: Error | null): void => {
    body.unpipe(through);
    if (signal.aborted) through.end();
    else through.destroy(fault ?? new Error('the other node broke off'));
  };
  body.on('error', end);
  body.once('close', () => {
    if (!body.readableEnded) end();
  });
  signal.addEventListener('abort', () => end(), { once: true });
  if (signal.aborted) end();
  through.once('close', () => body.destroy());
  return body.pipe(through);
}
