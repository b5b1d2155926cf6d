/**
 * The first look at every request: may it have come from a page, and from
 * which? Before any routing, cookie or body.
 *
 * A page of another site can make a browser send requests to this node, and by
 * DNS tricks even under a name of its own. So the Host header has to be one of
 * ours, and what a foreign page sends is refused. Signing in is judged later.
 *
 * Promise: a browser's cookie counts only for pages of this very origin.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type Refusal, refuse } from '../../contract/errors.ts';
import { hasDotSegment, splitTarget } from './addresses.ts';

export type Door =
  /** A socket that only this user reaches: the caller is the desktop. */
  | { kind: 'private' }
  /** HTTPS. `hosts` gives names and addresses this node answers to, a port only where it differs from the listener's. */
  | { kind: 'public'; key: string; cert: string; hosts(): string[] }
  /** Connections of members, given one by one: mutual TLS stands for Host and Origin. */
  | { kind: 'peer' };

const PRIVATE_HOSTS = ['localhost', 'binnacle', 'console'];
const PRIVATE_ORIGIN = 'app://console';
const HTTPS_PORT = 443;

/** Null when the request may go on. `port` is the listener's own. */
export function passGate(door: Door, port: number, request: IncomingMessage): Refusal | null {
  const refusal = checkTarget(request.url ?? '');
  if (refusal || door.kind === 'peer') return refusal;
  forgetPeerHeaders(request);
  return (
    checkHost(door, port, request) ??
    (door.kind === 'private' ? checkPrivateOrigin(request) : checkPublicOrigin(request))
  );
}

/** What members tell each other about a request: nobody else may say it. */
function forgetPeerHeaders(request: IncomingMessage): void {
  for (const name of Object.keys(request.headers)) {
    if (name.startsWith('binnacle-')) delete request.headers[name];
  }
}

function checkTarget(target: string): Refusal | null {
  if (!/^\/[\x21-\x7e]*$/.test(target) || target.includes('#')) {
    return refuse('bad_request', 'The request target has to be a path that begins with a slash.');
  }
  if (hasDotSegment(splitTarget(target).path)) {
    return refuse('path_refused', 'The path holds a segment "." or "..".');
  }
  return null;
}

function checkHost(door: Exclude<Door, { kind: 'peer' }>, port: number, request: IncomingMessage): Refusal | null {
  const given = request.headersDistinct['host'] ?? [];
  if (given.length > 1) return refuse('bad_request', 'The request has more than one Host header.');
  const host = given[0];
  if (host === undefined || host === '') {
    // Load balancers ask this way, and the answer tells nothing.
    const path = splitTarget(request.url ?? '').path;
    if (path === '/healthz' || path === '/readyz') return null;
    return refuse('host_refused', 'The request has no Host header.');
  }
  const ours =
    door.kind === 'private'
      ? PRIVATE_HOSTS.includes(host)
      : door.hosts().some((known) => isSameHost(withPort(known, port), withPort(host, HTTPS_PORT)));
  return ours ? null : refuse('host_refused', `This node is not known as ${host.slice(0, 100)}.`);
}

const isSameHost = (one: string | null, other: string | null): boolean => one !== null && one === other;

/** `name:port` in one way of writing; null for what is no host. */
function withPort(host: string, otherwise: number): string | null {
  const bare = isIP(host) === 6 ? `[${host}]` : host;
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:[\]/@?#\s]+)(?::(\d{1,5}))?$/.exec(bare);
  if (!found) return null;
  const name = found[1]!.toLowerCase().replace(/\.$/, '');
  return `${sameAddress(name)}:${Number(found[2] ?? otherwise)}`;
}

const sameAddress = (name: string): string =>
  name.startsWith('[') && isIP(name.slice(1, -1)) === 6 ? new URL(`http://${name}`).hostname : name;

function checkPrivateOrigin(request: IncomingMessage): Refusal | null {
  const origin = request.headers.origin;
  if (origin !== undefined && origin !== PRIVATE_ORIGIN) return foreign(origin);
  return isForeignSite(request) ? foreign('another site') : null;
}

function checkPublicOrigin(request: IncomingMessage): Refusal | null {
  const origin = request.headers.origin;
  if (isReading(request)) {
    const path = splitTarget(request.url ?? '').path;
    // A link on another site may lead to the console, but not into its interface.
    return isForeignSite(request) && isInterface(path) ? foreign('another site') : null;
  }
  if (origin !== undefined && origin !== ownOrigin(request)) return foreign(origin);
  return isForeignSite(request) ? foreign('another site') : null;
}

/** A cookie sent along with a foreign Origin is not looked at. */
export const mayUseCookie = (request: IncomingMessage): boolean =>
  request.headers.origin === undefined || request.headers.origin === ownOrigin(request);

/** The Host header was checked before, so it is one of ours. */
const ownOrigin = (request: IncomingMessage): string => `https://${request.headers.host?.toLowerCase()}`;

const isReading = (request: IncomingMessage): boolean => request.method === 'GET' || request.method === 'HEAD';

/** Another port of the same machine is "same-site" too, and not ours. */
const isForeignSite = (request: IncomingMessage): boolean =>
  !['none', 'same-origin', undefined].includes(request.headers['sec-fetch-site'] as string | undefined);

export const isInterface = (path: string): boolean =>
  path === '/metrics' || path === '/api' || path.startsWith('/api/') || path === '/healthz' || path === '/readyz';

const foreign = (from: string): Refusal =>
  refuse('origin_refused', `The request was made by a page of ${from === 'null' ? 'no origin' : from.slice(0, 100)}.`);
