/**
 * How answers leave: problem details, JSON with an ETag, cookies, and the
 * headers that keep a browser from doing anything else with them.
 *
 * Every answer that is no success is `application/problem+json` of one shape,
 * made from the error table. Nothing of our insides (stacks, paths, causes)
 * is ever put into one.
 */
import { createHash } from 'node:crypto';
import { errors, type Refusal } from '../../contract/errors.ts';
import type { ProblemDetails } from '../../contract/model.ts';
import { pagePolicy } from '../../contract/page-policy.ts';

export type Answer = { status: number; headers: Record<string, string>; text: string };
/** A refusal with what only HTTP can say. */
export type Refused = Refusal & { retryAfterMs?: number; allow?: string[] };

export const SESSION_COOKIE = '__Host-binnacle';

/** What lies in a sandbox was written by anybody: no script of it may run in our origin. */
const INTERFACE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'";

/** No HSTS: the certificate is self-made, and a browser would keep people out for good when it changes. */
const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;
export const interfaceHeaders = {
  ...EVERYWHERE,
  'content-security-policy': INTERFACE_POLICY,
  'cache-control': 'no-store',
};
export const pageHeaders = { ...EVERYWHERE, 'content-security-policy': pagePolicy };

const RETRY_AFTER_MS = 1_000;

export function problemOf(refusal: Refusal): ProblemDetails {
  const { status, title, next } = errors[refusal.code];
  return {
    type: `/docs/errors.md#${refusal.code}`,
    ...{ title, status, code: refusal.code, detail: refusal.detail, next },
    ...(refusal.problems ? { problems: refusal.problems } : {}),
  };
}

export function problemAnswer(refused: Refused): Answer {
  const problem = problemOf(refused);
  const { status } = problem;
  const headers: Record<string, string> = {
    ...interfaceHeaders,
    'content-type': 'application/problem+json; charset=utf-8',
  };
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  if (refused.allow) headers['allow'] = refused.allow.join(', ');
  if (status === 429 || status === 503) {
    headers['retry-after'] = String(Math.ceil((refused.retryAfterMs ?? RETRY_AFTER_MS) / 1000));
  }
  return { status, headers, text: JSON.stringify(problem) };
}

/** As it goes over a socket on which HTTP itself has failed. */
export function rawAnswer({ status, headers, text }: Answer, phrase: string): string {
  const all = { ...headers, 'content-length': String(Buffer.byteLength(text)), connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${phrase}\r\n${lines.join('')}\r\n${text}`;
}

/** JSON with a weak ETag over its text; 304 when the client has just that. */
export function jsonAnswer(status: number, value: unknown, ifNoneMatch: string | undefined): Answer {
  const text = JSON.stringify(value);
  const headers: Record<string, string> = { ...interfaceHeaders, 'content-type': 'application/json; charset=utf-8' };
  if (status !== 200) return { status, headers, text };
  const etag = `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  headers['etag'] = etag;
  if (!matches(ifNoneMatch, etag)) return { status, headers, text };
  const { 'content-type': _, ...rest } = headers;
  return { status: 304, headers: rest, text: '' };
}

/** Weak comparison of If-None-Match. */
export function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const opaque = etag.replace(/^W\//, '');
  return ifNoneMatch.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === opaque);
}

export function sessionCookie(session: { code: string; expiresAt: number } | 'clear', nowMs: number): string {
  const rest = 'Path=/; Secure; HttpOnly; SameSite=Strict';
  if (session === 'clear') return `${SESSION_COOKIE}=; Max-Age=0; ${rest}`;
  const seconds = Math.max(0, Math.floor((session.expiresAt - nowMs) / 1000));
  return `${SESSION_COOKIE}=${session.code}; Max-Age=${seconds}; ${rest}`;
}

/** The session of a Cookie header. More than one is a trick: then none. */
export function sessionIn(cookie: string | undefined): string | undefined {
  const found = (cookie ?? '')
    .split(';')
    .map((one) => one.trim())
    .filter((one) => one.startsWith(`${SESSION_COOKIE}=`))
    .map((one) => one.slice(SESSION_COOKIE.length + 1));
  return found.length === 1 && /^[A-Za-z0-9_-]{1,200}$/.test(found[0]!) ? found[0] : undefined;
}
