/**
 * What a handler is given and what it gives back; who may be asking.
 *
 * Types only, with two small readers. By the time a handler sees an `Asked`,
 * the caller is known and allowed, and params, query and JSON body have the
 * shape of the route table. What the words mean (does this sandbox exist, is
 * this path inside it) is the handler's to judge.
 */
import type { Readable } from 'node:stream';
import type { Refusal } from '../../contract/errors.ts';
import type { Role, Session, TokenScope } from '../../contract/model.ts';
import type { AnswerOf, BodyOf, Params, Query, RouteName } from '../../contract/routes.ts';

export type Caller = {
  /** As in the audit log: `user:NAME`, `token:ID`, `desktop`, `nobody`. */
  by: string;
  name: string;
  role: 'nobody' | Role;
  kind: 'person' | 'program' | 'desktop' | 'nobody';
  /** Id of the token or session that was shown. */
  credential?: string;
  /** ms since 1970 */
  expiresAt?: number;
  /** Of a token that is limited to sandboxes. */
  scope?: TokenScope;
};

export type Asked<N extends RouteName> = {
  caller: Caller;
  params: Params<N>;
  query: Query<N>;
  /** Of 'bytes' routes a stream, not yet read and of any length. */
  body: BodyOf<N>;
  /** The Idempotency-Key of a route that changes something. */
  key: string | null;
  headers: {
    ifMatch?: string;
    ifNoneMatch?: string;
    range?: string;
    ifRange?: string;
    lastEventId?: string;
    userAgent?: string;
  };
  /** Hex sha-256 of method, path, query and JSON body: equal for equal requests. */
  requestHash: string;
  /** HEAD: headers are enough; a body would be thrown away. */
  head: boolean;
  /** Of the other side; `local` on the private door. */
  address: string;
  /** Name of the node to which it came first, where that is not this one. */
  via?: string;
  /** Came over TLS. */
  secure: boolean;
  /** Aborted when the other side left, or when the server stops and an endless answer has to end. */
  signal: AbortSignal;
};

export type Success<N extends RouteName> = {
  /** Instead of the status of the route table. What is no success is a {@link Refusal}. */
  status?: 200 | 201 | 204 | 206 | 304;
  /** Lower-case names. They win over the server's own. */
  headers?: Record<string, string>;
  body?: AnswerOf<N> | Readable | Buffer | string;
  /** Sets or clears the session cookie of a browser. */
  setSession?: { code: string; expiresAt: number } | 'clear';
  /** The body is a stream that goes on until somebody leaves: ended first when the server stops. */
  endless?: true;
};
export type Reply<N extends RouteName> = Refusal | Success<N>;
export type Handlers = { [N in RouteName]: (asked: Asked<N>) => Promise<Reply<N>> | Reply<N> };

/** What a request showed; the server takes only one of them. */
export type Shown = { bearer?: string; session?: string };
export type Identify = (shown: Shown, address: string) => Promise<Caller | Refusal> | Caller | Refusal;

/** Fits pino, and a test's list. */
export type Log = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

export const isRefusal = (value: object): value is Refusal => 'code' in value && 'detail' in value;

const ranks = { nobody: 0, viewer: 1, operator: 2, admin: 3 } as const;

export const atLeast = (role: Caller['role'], needed: Caller['role']): boolean => ranks[role] >= ranks[needed];

/** The `session` answer for a caller. Only for somebody: `nobody` has no session. */
export function sessionOf(caller: Caller): Session {
  if (caller.role === 'nobody' || caller.kind === 'nobody') throw new Error('broken promise: nobody has no session');
  const { name, role, kind, scope } = caller;
  return {
    ...{ name, role, kind },
    ...(caller.expiresAt === undefined ? {} : { expiresAt: new Date(caller.expiresAt).toISOString() }),
    may: {
      change: atLeast(role, 'operator'),
      launch: atLeast(role, 'operator'),
      administer: atLeast(role, 'admin') && !scope,
    },
    ...(scope ? { scope } : {}),
  };
}
