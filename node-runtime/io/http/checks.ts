/**
 * Everything that is judged about a request before its handler sees it: who
 * asks, may they, and has what they ask the shape of the route table.
 *
 * Each step gives its part or a refusal; the order is fixed, so that a
 * stranger learns nothing about addresses and bodies but that they must sign
 * in. Whether the things named exist is the handler's to say.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { z } from 'zod';
import { type Problem, type Refusal, refuse } from '../../contract/errors.ts';
import type { Route, RouteName } from '../../contract/routes.ts';
import { matchPath, splitTarget } from './addresses.ts';
import { sessionIn } from './answers.ts';
import { type Asked, atLeast, type Caller, type Identify, isRefusal, type Shown } from './asked.ts';
import { guardSlowBody, type HeldBody, readJson } from './bodies.ts';
import type { Bounds } from './bounds.ts';
import { type Door, mayUseCookie } from './gate.ts';

const NOBODY: Caller = { by: 'nobody', name: 'nobody', role: 'nobody', kind: 'nobody' };
export const DESKTOP: Caller = { by: 'desktop', name: 'desktop', role: 'admin', kind: 'desktop' };
const PROBLEMS_MAX = 20;

/**
 * The caller, if they may use the route. An address for nobody asks for no
 * credential and looks at none. `from.caller`: whom a
 * member names.
 */
export async function checkCaller(
  route: Route,
  door: Door,
  identify: Identify,
  request: IncomingMessage,
  from: { caller: Caller | null; address: string },
): Promise<Caller | Refusal> {
  if (door.kind === 'private') return DESKTOP;
  if (route.role === 'nobody') return NOBODY;
  const caller = from.caller ?? (await identified(identify, request, from.address));
  if (isRefusal(caller) || atLeast(caller.role, route.role)) return caller;
  return caller.role === 'nobody'
    ? refuse('sign_in_needed', 'This can only be asked by people who have signed in and by programs with a token.')
    : refuse('role_missing', `This needs the role ${route.role}; ${caller.name} has the role ${caller.role}.`);
}

async function identified(identify: Identify, request: IncomingMessage, address: string): Promise<Caller | Refusal> {
  const shown = shownBy(request);
  if (isRefusal(shown)) return shown;
  return shown.bearer || shown.session ? identify(shown, address) : NOBODY;
}

function shownBy(request: IncomingMessage): Shown | Refusal {
  const authorization = request.headers.authorization;
  if (authorization !== undefined) {
    const bearer = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
    return bearer ? { bearer } : refuse('token_invalid', 'The Authorization header is not of the form "Bearer TOKEN".');
  }
  const session = mayUseCookie(request) ? sessionIn(request.headers.cookie) : undefined;
  return session ? { session } : {};
}

/** As above, from the headers of a request that may go on to another node; what can't be read is nothing. */
export function shownIn(headers: Record<string, string>): Shown {
  const bearer = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(headers['authorization'] ?? '')?.[1];
  if (bearer) return { bearer };
  const session = sessionIn(headers['cookie']);
  return session ? { session } : {};
}

export const addressOf = (request: IncomingMessage): string =>
  request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? 'local';

/** What the handler gets, apart from the caller. */
export async function checkAsked(
  route: Route,
  request: IncomingMessage,
  bounds: Bounds,
  held: HeldBody,
): Promise<Pick<Asked<RouteName>, 'params' | 'query' | 'body' | 'key' | 'requestHash'> | Refusal> {
  const key = route.change ? keyOf(request, bounds) : null;
  if (key !== null && typeof key === 'object') return key;
  const target = splitTarget(request.url ?? '');
  const params = shaped(route.params, matchPath(route.path, target.path) ?? {}, 'address');
  if (isRefusal(params)) return params;
  const given = queryOf(target.query);
  const query = isRefusal(given) ? given : shaped(route.query, given, 'query');
  if (isRefusal(query)) return query;
  const body = await bodyOf(route, request, bounds, held);
  if (isRefusal(body)) return body;
  const hash = createHash('sha256').update(`${route.method}\n${target.path}\n${target.query}\n${body.text}`);
  return { params: params.value, query: query.value, body: body.value, key, requestHash: hash.digest('hex') } as never;
}

function keyOf(request: IncomingMessage, bounds: Bounds): string | null | Refusal {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && /^[\x21-\x7e]+$/.test(key) && key.length <= bounds.idempotencyKeyCharsMax) return key;
  return refuse(
    'bad_request',
    `The Idempotency-Key has to be 1 to ${bounds.idempotencyKeyCharsMax} printable characters without blanks.`,
  );
}

function queryOf(text: string): Record<string, string> | Refusal {
  const pairs = [...new URLSearchParams(text)];
  const twice = pairs.find(([name], at) => pairs.findIndex(([other]) => other === name) !== at);
  if (twice) return refuse('bad_request', `The query has ${JSON.stringify(twice[0].slice(0, 64))} more than once.`);
  return Object.fromEntries(pairs);
}

async function bodyOf(
  route: Route,
  request: IncomingMessage,
  bounds: Bounds,
  held: HeldBody,
): Promise<(Shaped & { text: string }) | Refusal> {
  if (held.taken) throw new Error('broken promise: a request whose body was passed on is answered here');
  if (route.body === 'bytes') {
    if (held.whole) return { value: Readable.from([held.whole], { objectMode: false }), text: '' };
    guardSlowBody(request, bounds);
    return { value: bytesOf(request), text: '' };
  }
  const json = await readJson(request, bounds, held.whole);
  if (isRefusal(json)) return json;
  if (route.body === null) return noBody(json.value) ?? { value: undefined, text: '' };
  const body = shaped(route.body, json.value, 'body');
  return isRefusal(body) ? body : { ...body, text: json.text };
}

/** `{}` is what careful clients send to say "nothing". */
function noBody(value: unknown): Refusal | null {
  const isNothing =
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
  return isNothing ? null : refuse('bad_request', 'No body is read at this address.');
}

/** A handler that stops reading must not take the connection down with it: the answer still has to go out. */
const bytesOf = (request: IncomingMessage): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>,
});

type Shaped = { value: unknown };

function shaped(schema: z.ZodType, value: unknown, where: 'address' | 'query' | 'body'): Shaped | Refusal {
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  const problems = result.error.issues.slice(0, PROBLEMS_MAX).map(
    (issue): Problem => ({
      path: issue.path.reduce<string>(
        (path, step) => (typeof step === 'number' ? `${path}[${step}]` : `${path}.${String(step).slice(0, 64)}`),
        where,
      ),
      sentence: issue.message.slice(0, 300),
    }),
  );
  const first = problems[0]!;
  return refuse('bad_request', `${first.path}: ${first.sentence}`, problems);
}
