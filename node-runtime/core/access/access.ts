/**
 * People and programs: who may sign in, with what, as what.
 *
 * Holds hashes only: never a password, never the secret of a token. Sessions
 * and sign-in links are tokens with another `use`; they end with the person
 * they belong to. When something was last used is kept to the hour; exactly
 * only the node knows that saw it. Who may what in a sandbox is kept here and
 * decided in `rights.ts`; whose session is whose in `sessions.ts`.
 *
 * Promise: a cluster that has an administrator keeps one.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Entry, Fact } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import type { RightsEntry, Role, Token, TokenScope, User } from '../../contract/model.ts';
import { applyToRights, type Rights } from './rights.ts';

export type TokenUse = 'token' | 'session' | 'link';
export type KnownUser = {
  name: string;
  role: Role;
  passwordHash: string;
  createdAt: number;
  lastSignInAt?: number;
};
export type KnownToken = {
  id: string;
  use: TokenUse;
  label: string;
  /** Of a session of a person, the person's present role counts instead. */
  role: Role;
  /** The person it belongs to; absent for programs and for links of the desktop. */
  user?: string;
  hash: string;
  createdAt: number;
  createdBy: string;
  expiresAt?: number;
  /** Of a program: it can do nothing but this. */
  scope?: TokenScope;
  /** To the hour. */
  lastUsedAt?: number;
  /** Of a session: from where it was opened, and with what, in words. */
  from?: string;
  program?: string;
};
export type Access = {
  users: Map<string, KnownUser>;
  tokens: Map<string, KnownToken>;
  /** Of sandboxes by name, also of some that were removed. */
  rights: Rights;
  /** hash → id of a token; only for speed, never saved. */
  ids: Map<string, string>;
};
export type Decision = { facts: Fact[] } | Refusal;

export const emptyAccess = (): Access => ({
  users: new Map(),
  tokens: new Map(),
  rights: new Map(),
  ids: new Map(),
});

// ------------------------------------------------------------------ apply

/** Folds one entry in, in place. Entries about other things change nothing. */
export function applyToAccess(state: Access, entry: Entry): void {
  const fact = entry.fact;
  applyToRights(state.rights, entry);
  switch (fact.kind) {
    case 'userCreated': {
      const { kind, ...user } = fact;
      state.users.set(fact.name, { ...user, createdAt: entry.at });
      break;
    }
    case 'userChanged':
      userChanged(state, fact);
      break;
    case 'userRemoved':
      state.users.delete(fact.name);
      for (const token of ownedBy(state, fact.name)) forget(state, token);
      break;
    case 'tokenCreated': {
      forgetEnded(state, entry.at);
      const { kind, ...token } = fact;
      keep(state, { ...token, createdAt: entry.at, createdBy: entry.by });
      if (fact.use === 'session') signedIn(state, fact.user, entry.at);
      break;
    }
    case 'tokenRemoved': {
      const token = state.tokens.get(fact.id);
      if (token) forget(state, token);
      break;
    }
    case 'tokensUsed':
      for (const { id, at } of fact.used) used(state, id, at);
      break;
    case 'sessionsEnded':
      for (const id of fact.ids) {
        const token = state.tokens.get(id);
        if (token) forget(state, token);
      }
      break;
  }
}

function used(state: Access, id: string, at: number): void {
  const token = state.tokens.get(id);
  if (token) state.tokens.set(id, { ...token, lastUsedAt: Math.max(at, token.lastUsedAt ?? 0) });
}

function signedIn(state: Access, name: string | undefined, at: number): void {
  const user = name === undefined ? undefined : state.users.get(name);
  if (user) state.users.set(user.name, { ...user, lastSignInAt: at });
}

function userChanged(state: Access, fact: Extract<Fact, { kind: 'userChanged' }>): void {
  const user = state.users.get(fact.name);
  if (!user) return;
  const role = fact.role ?? user.role;
  state.users.set(fact.name, { ...user, role, passwordHash: fact.passwordHash ?? user.passwordHash });
}

function keep(state: Access, token: KnownToken): void {
  state.tokens.set(token.id, token);
  state.ids.set(token.hash, token.id);
}

function forget(state: Access, token: KnownToken): void {
  state.tokens.delete(token.id);
  state.ids.delete(token.hash);
}

/** Ended sessions and links make room. Tokens of programs stay listed, so that people see why one fails. */
function forgetEnded(state: Access, at: number): void {
  for (const token of state.tokens.values()) {
    if (token.use !== 'token' && isOver(token, at)) forget(state, token);
  }
}

export const isOver = (token: KnownToken, now: number): boolean =>
  token.expiresAt !== undefined && token.expiresAt <= now;

const ownedBy = (state: Access, user: string): KnownToken[] =>
  [...state.tokens.values()].filter((token) => token.user === user);

// ----------------------------------------------------------------- decide

export function decideCreateUser(state: Access, wish: { name: string; role: Role; passwordHash: string }): Decision {
  if (state.users.has(wish.name)) return refuse('user_exists', `There is already a person named ${wish.name}.`);
  if (state.users.size >= limits.usersMax) {
    return refuse('limit_reached', `There are ${limits.usersMax} people, the most a cluster keeps.`);
  }
  const { name, role, passwordHash } = wish;
  return { facts: [{ kind: 'userCreated', name, role, passwordHash }] };
}

/**
 * A new password ends the sessions of that person, so that whoever knew the
 * old one is out; `keepSession` (a token id) spares the one it was asked from.
 */
export function decideChangeUser(
  state: Access,
  wish: { name: string; role?: Role; passwordHash?: string; keepSession?: string },
): Decision {
  const user = state.users.get(wish.name);
  if (!user) return unknownUser(wish.name);
  if (wish.role && wish.role !== 'admin' && isLastAdmin(state, user)) return lastAdmin(wish.name);
  const changed: Fact = {
    kind: 'userChanged',
    name: wish.name,
    ...(wish.role ? { role: wish.role } : {}),
    ...(wish.passwordHash ? { passwordHash: wish.passwordHash } : {}),
  };
  const ended = wish.passwordHash ? ownedBy(state, wish.name).filter((token) => token.id !== wish.keepSession) : [];
  return { facts: [changed, ...ended.map((token): Fact => ({ kind: 'tokenRemoved', id: token.id }))] };
}

/** Their sessions end with them: `apply` forgets these. Tokens they made for programs stay. */
export function decideRemoveUser(state: Access, name: string): Decision {
  const user = state.users.get(name);
  if (!user) return unknownUser(name);
  if (isLastAdmin(state, user)) return lastAdmin(name);
  return { facts: [{ kind: 'userRemoved', name }] };
}

export type NewToken = Omit<KnownToken, 'createdAt' | 'createdBy'>;

/**
 * For tokens of programs, sessions and links alike. A full table refuses new
 * tokens, but never locks people out: a session takes the place of the oldest
 * session instead. `id` and `hash` are fresh and random, from the shell.
 */
export function decideCreateToken(state: Access, wish: NewToken, now: number): Decision {
  if (state.tokens.has(wish.id) || state.ids.has(wish.hash)) throw new Error(`broken promise: token ${wish.id} twice`);
  if (wish.user !== undefined && !state.users.has(wish.user)) return unknownUser(wish.user);
  const { id, use, label, role, hash, user, expiresAt, scope, from, program } = wish;
  const created: Fact = {
    kind: 'tokenCreated',
    ...{ id, use, label, role, hash },
    ...(user === undefined ? {} : { user }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(scope === undefined ? {} : { scope }),
    ...(from === undefined ? {} : { from }),
    ...(program === undefined ? {} : { program }),
  };
  const room = roomFor(state, use, now);
  return 'code' in room ? room : { facts: [...room.facts, created] };
}

function roomFor(state: Access, use: TokenUse, now: number): { facts: Fact[] } | Refusal {
  const kept = [...state.tokens.values()].filter((token) => token.use === 'token' || !isOver(token, now));
  if (kept.length < limits.tokensMax) return { facts: [] };
  const oldest = use === 'session' ? kept.find((token) => token.use === 'session') : undefined;
  if (!oldest) return refuse('limit_reached', `There are ${limits.tokensMax} tokens, the most a cluster keeps.`);
  return { facts: [{ kind: 'tokenRemoved', id: oldest.id }] };
}

export function decideRemoveToken(state: Access, id: string): Decision {
  if (!state.tokens.has(id)) return refuse('token_unknown', `There is no token ${id}.`);
  return { facts: [{ kind: 'tokenRemoved', id }] };
}

/** Turns a one-time link into a session of the same role and person. The link is gone with it. */
export function decideUseLink(
  state: Access,
  hash: string,
  session: { id: string; hash: string; expiresAt: number; from?: string; program?: string },
  now: number,
): Decision {
  const link = tokenOf(state, hash);
  if (link?.use !== 'link' || isOver(link, now)) {
    return refuse('token_invalid', 'This sign-in link was used already, is too old or never was.');
  }
  const { label, role } = link;
  const wish = { ...session, use: 'session' as const, label, role, ...(link.user ? { user: link.user } : {}) };
  const decision = decideCreateToken(state, wish, now);
  if ('code' in decision) return decision;
  return { facts: [{ kind: 'tokenRemoved', id: link.id }, ...decision.facts] };
}

const isLastAdmin = (state: Access, user: KnownUser): boolean =>
  user.role === 'admin' && [...state.users.values()].filter((one) => one.role === 'admin').length === 1;

const unknownUser = (name: string): Refusal => refuse('user_unknown', `There is no person named ${name}.`);
const lastAdmin = (name: string): Refusal =>
  refuse('last_admin', `${name} is the only administrator; the cluster would have none.`);

// ------------------------------------------------------------------- read

/** Who stands behind a secret. `by` is as in the audit log. */
export type Credential = {
  id: string;
  by: string;
  name: string;
  role: Role;
  kind: 'person' | 'program';
  expiresAt?: number;
  scope?: TokenScope;
};

/**
 * Who shows the secret with this hash (hex sha-256), for this use, at this
 * time (ms since 1970)? A session is no bearer token and the other way round.
 * The role of a person is the present one, not that of the sign-in.
 */
export function credentialOf(state: Access, hash: string, use: 'token' | 'session', now: number): Credential | Refusal {
  const token = tokenOf(state, hash);
  if (token?.use !== use) return notValid(use);
  if (isOver(token, now)) return use === 'session' ? signInAgain() : refuse('token_invalid', 'This token has expired.');
  return credentialFor(state, token) ?? notValid(use);
}

/** As {@link credentialOf}, for one that was shown before; null when it is no longer valid. */
export function credentialNow(state: Access, id: string, now: number): Credential | null {
  const token = state.tokens.get(id);
  return token && token.use !== 'link' && !isOver(token, now) ? credentialFor(state, token) : null;
}

/** Null: the person it belongs to is gone. */
function credentialFor(state: Access, token: KnownToken): Credential | null {
  const { use } = token;
  const user = token.user === undefined ? undefined : state.users.get(token.user);
  if (token.user !== undefined && !user) return null;
  return {
    id: token.id,
    // A session from a link of this computer speaks for whoever made the link.
    by: user ? `user:${user.name}` : use === 'session' ? token.createdBy : `token:${token.id}`,
    name: user?.name ?? (token.label || token.id),
    role: user?.role ?? token.role,
    kind: use === 'session' ? 'person' : 'program',
    ...(token.expiresAt === undefined ? {} : { expiresAt: token.expiresAt }),
    ...(token.scope === undefined ? {} : { scope: token.scope }),
  };
}

const notValid = (use: 'token' | 'session'): Refusal =>
  use === 'session' ? signInAgain() : refuse('token_invalid', 'This token is unknown or was removed.');
const signInAgain = (): Refusal => refuse('sign_in_needed', 'This session has ended.');

const tokenOf = (state: Access, hash: string): KnownToken | undefined => {
  const id = state.ids.get(hash);
  return id === undefined ? undefined : state.tokens.get(id);
};

/** Who made the token with this hash, as in the audit log. */
export const creatorOf = (state: Access, hash: string): string | undefined => tokenOf(state, hash)?.createdBy;

/** Is there that person (`user:NAME`), or that token of a program (`token:ID`)? */
export const isThere = (state: Access, who: string): boolean =>
  who.startsWith('user:') ? state.users.has(who.slice(5)) : state.tokens.get(who.slice(6))?.use === 'token';

export const userNamed = (state: Access, name: string): KnownUser | undefined => state.users.get(name);

const time = (ms: number): string => new Date(ms).toISOString();

/** As shown outside. Throws for a name that is not there: the caller has just decided about it. */
export function userView(state: Access, name: string): User {
  const user = state.users.get(name);
  if (!user) throw new Error(`broken promise: no user ${name}`);
  const { lastSignInAt } = user;
  const seen = lastSignInAt === undefined ? {} : { lastSignInAt: time(lastSignInAt) };
  return { name, role: user.role, createdAt: time(user.createdAt), ...seen };
}

/** As {@link userView}, for tokens, sessions and links. Never shows the hash. */
export function tokenView(state: Access, id: string): Token {
  const token = state.tokens.get(id);
  if (!token) throw new Error(`broken promise: no token ${id}`);
  return {
    ...{ id, label: token.label, role: token.role, createdAt: time(token.createdAt), createdBy: token.createdBy },
    ...(token.expiresAt === undefined ? {} : { expiresAt: time(token.expiresAt) }),
    ...(token.scope === undefined ? {} : { scope: token.scope }),
    ...(token.lastUsedAt === undefined ? {} : { lastUsedAt: time(token.lastUsedAt) }),
  };
}

/** Of these uses those that are news here, to the hour: worth an entry. */
export function usesToNote(state: Access, seen: Iterable<[id: string, at: number]>): { id: string; at: number }[] {
  const news: { id: string; at: number }[] = [];
  for (const [id, at] of seen) {
    const token = state.tokens.get(id);
    if (!token || at - (token.lastUsedAt ?? Number.NEGATIVE_INFINITY) < limits.lastUseKeptMs) continue;
    news.push({ id, at });
    if (news.length === limits.lastUsesPerEntryMax) break;
  }
  return news;
}

/** All people, by name. */
export const userViews = (state: Access): User[] => [...state.users.keys()].sort().map((name) => userView(state, name));

/** Tokens of programs, oldest first; sessions and links are not listed. */
export const tokenViews = (state: Access): Token[] =>
  [...state.tokens.values()].filter((token) => token.use === 'token').map((token) => tokenView(state, token.id));

// --------------------------------------------------------------- snapshot

/** Snapshots of older programs have no rights. */
type Saved = { users: KnownUser[]; tokens: KnownToken[]; rights?: [name: string, list: RightsEntry[]][] };

/** Plain JSON, in the order of making, so that equal states save equally. */
export const saveAccess = (state: Access): unknown =>
  ({
    users: [...state.users.values()],
    tokens: [...state.tokens.values()],
    rights: [...state.rights],
  }) satisfies Saved;

export function loadAccess(saved: unknown): Access {
  const { users, tokens, rights = [] } = saved as Saved;
  const state = emptyAccess();
  for (const [name, list] of rights) state.rights.set(name, list);
  for (const user of users) state.users.set(user.name, user);
  for (const token of tokens) keep(state, token);
  return state;
}
