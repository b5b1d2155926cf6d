/**
 * Where people are signed in: whose session is whose, and ending them.
 *
 * A session of a person belongs to that person. One that came of a one-time
 * link belongs to whoever made the link, and whoever uses it may see and end
 * only itself: the link was given to a guest, not the account.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Role, SignedIn } from '../../contract/model.ts';
import { type Access, type Decision, isOver, type KnownToken } from './access.ts';

/** Sessions of everybody, of a person (with those of the links they made), or a single one. */
export type Whose = 'all' | { by: string } | { session: string };

/** What somebody may list and end without being an administrator; null: they have no sessions. */
export function ownOf(state: Access, asker: { by: string; credential?: string }): Whose | null {
  const shown = asker.credential === undefined ? undefined : state.tokens.get(asker.credential);
  if (shown?.use === 'token') return null;
  if (shown && shown.user === undefined) return { session: shown.id };
  return { by: asker.by };
}

const ownerOf = (token: KnownToken): string => (token.user === undefined ? token.createdBy : `user:${token.user}`);

function sessionsOf(state: Access, whose: Whose): KnownToken[] {
  const isMeant = (token: KnownToken): boolean =>
    whose === 'all' || ('by' in whose ? ownerOf(token) === whose.by : token.id === whose.session);
  return [...state.tokens.values()].filter((token) => token.use === 'session' && isMeant(token));
}

/** `session`: only that one, which has to be among them. `keep`: all but that one. */
export function decideEndSessions(state: Access, wish: { whose: Whose; session?: string; keep?: string }): Decision {
  const { whose, session, keep } = wish;
  const ids = sessionsOf(state, whose)
    .map((token) => token.id)
    .filter((id) => id !== keep && (session === undefined || id === session));
  if (session !== undefined && ids.length === 0) return unknownSession(session);
  return { facts: ids.length === 0 ? [] : [{ kind: 'sessionsEnded', ids }] };
}

const unknownSession = (id: string): Refusal => refuse('session_unknown', `There is no session ${id}.`);

const time = (ms: number): string => new Date(ms).toISOString();

/** Newest first; when each was last seen is for the shell to add. */
export const sessionViews = (state: Access, whose: Whose, now: number, thisOne: string | undefined): SignedIn[] =>
  sessionsOf(state, whose)
    .filter((token) => !isOver(token, now))
    .map((token) => viewOf(token, state, thisOne))
    .sort((a, b) => (a.since < b.since ? 1 : -1));

function viewOf(token: KnownToken, state: Access, thisOne: string | undefined): SignedIn {
  const role: Role = (token.user === undefined ? undefined : state.users.get(token.user)?.role) ?? token.role;
  return {
    id: token.id,
    who: token.user ?? personOf(token.createdBy),
    role,
    byLink: token.user === undefined,
    since: time(token.createdAt),
    expiresAt: time(token.expiresAt ?? token.createdAt),
    ...(token.from === undefined ? {} : { from: token.from }),
    ...(token.program === undefined ? {} : { program: token.program }),
    thisOne: token.id === thisOne,
  };
}

const personOf = (by: string): string => (by.startsWith('user:') ? by.slice(5) : by);
