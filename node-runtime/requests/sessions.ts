/**
 * Requests about where people are signed in: list, end one, end all.
 *
 * Everybody sees and ends their own; administrators those of a person, or
 * all. When a session was last seen is memory of the node that answers. That
 * open streams end with their session is seen to by the server.
 */
import { type Refusal, refuse } from '../contract/errors.ts';
import type { SignedIn } from '../contract/model.ts';
import { type Access, userNamed } from '../core/access/access.ts';
import { ownOf, sessionViews, type Whose } from '../core/access/sessions.ts';
import type { Caller, Handlers } from '../io/http/asked.ts';
import { lastUse } from './identify.ts';
import type { Parts } from './parts.ts';
import { seesEverything } from './rights.ts';
import { replied, wish } from './wish.ts';

type SessionRoutes = 'sessions' | 'sessionEnd' | 'sessionsEnd';
type Wanted = { user?: string | undefined; all?: '1' | undefined };

export function sessionHandlers(parts: Parts): Pick<Handlers, SessionRoutes> {
  const { loop } = parts;

  /** With what the token of a program has: no session at all. */
  const noSessions: Whose = { session: '' };

  function whoseOf(access: Access, caller: Caller, { user, all }: Wanted): Whose | Refusal {
    const isAdmin = seesEverything(caller);
    if (user !== undefined && !(isAdmin || caller.by === `user:${user}`)) return notYours(caller);
    if (all && !isAdmin) return notYours(caller);
    if (all) return 'all';
    if (user === undefined || !isAdmin) return ownOf(access, caller) ?? noSessions;
    return userNamed(access, user)
      ? { by: `user:${user}` }
      : refuse('user_unknown', `There is no person named ${user}.`);
  }

  const seen = (one: SignedIn): SignedIn => {
    const at = lastUse(parts, one.id);
    return at === undefined ? one : { ...one, lastSeenAt: new Date(at).toISOString() };
  };

  return {
    async sessions({ caller, query }) {
      const found = await loop.read(({ access }) => {
        const whose = whoseOf(access, caller, query);
        return isWhose(whose) ? sessionViews(access, whose, Date.now(), caller.credential) : whose;
      });
      return 'code' in found ? found : { body: { sessions: found.map(seen) } };
    },

    async sessionEnd(asked) {
      const { caller, params } = asked;
      const whose = seesEverything(caller) ? 'all' : (ownOf(loop.state.replicated.access, caller) ?? noSessions);
      const done = replied<'sessionEnd'>(
        await wish(parts, asked, { wish: 'endSessions', whose, session: params.session }),
      );
      return 'code' in done || params.session !== caller.credential ? done : { ...done, setSession: 'clear' };
    },

    async sessionsEnd(asked) {
      const { caller, query } = asked;
      const whose = whoseOf(loop.state.replicated.access, caller, query);
      if (!isWhose(whose)) return whose;
      const keep = query.others && caller.credential !== undefined ? { keep: caller.credential } : {};
      const done = replied<'sessionsEnd'>(await wish(parts, asked, { wish: 'endSessions', whose, ...keep }));
      const isOut = !query.others && caller.kind === 'person' && isAmong(caller, whose);
      return 'code' in done || !isOut ? done : { ...done, setSession: 'clear' };
    },
  };
}

const isWhose = (value: Whose | Refusal): value is Whose => typeof value === 'string' || !('code' in value);

const isAmong = (caller: Caller, whose: Whose): boolean =>
  whose === 'all' || ('by' in whose ? whose.by === caller.by : whose.session === caller.credential);

const notYours = (caller: Caller): Refusal =>
  refuse('role_missing', `Sessions of others are for administrators; ${caller.name} has the role ${caller.role}.`);
