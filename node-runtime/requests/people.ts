/**
 * Requests about who may do what: sign-in, sessions, people, tokens.
 *
 * Passwords are hashed here, off the loop, before the core sees a wish;
 * secrets are made here and leave once, in the answer. The core keeps hashes
 * only.
 */
import { randomBytes } from 'node:crypto';
import { type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import type { Role, Session, Token } from '../contract/model.ts';
import { creatorOf, tokenViews, userNamed, userViews } from '../core/access/access.ts';
import { programInWords } from '../core/access/program-words.ts';
import { type Asked, type Caller, type Handlers, sessionOf } from '../io/http/asked.ts';
import { hashPassword, verifyPassword } from '../io/trust/passwords.ts';
import { makeToken, parseToken } from '../io/trust/tokens.ts';
import type { Origin } from '../node.ts';
import { identify, lastUse } from './identify.ts';
import type { Parts } from './parts.ts';
import { isRefusal, originOf, replied, wish } from './wish.ts';

type PeopleRoutes =
  | 'signIn'
  | 'signInByLink'
  | 'session'
  | 'signOut'
  | 'signInLink'
  | 'users'
  | 'userCreate'
  | 'userChange'
  | 'userRemove'
  | 'tokens'
  | 'tokenCreate'
  | 'tokenRemove';

/** From where and with what a session was opened, so that people know it again. */
type Opened = { from: string; program?: string };

function openedBy({ address, headers }: Pick<Asked<'signIn'>, 'address' | 'headers'>): Opened {
  const program = programInWords(headers.userAgent);
  return { from: address, ...(program === null ? {} : { program }) };
}

const newId = (): string => randomBytes(6).toString('hex');

/** The code of a link that signs in once, within some minutes. */
export async function makeSignInLink(
  parts: Parts,
  by: Pick<Caller, 'by' | 'name' | 'kind'>,
  role: Role,
  origin: Origin = { from: 'this computer' },
): Promise<{ code: string; expiresAt: string } | Refusal> {
  const id = newId();
  const { secret, hash } = makeToken(id);
  const expiresAt = Date.now() + limits.signInLinkMs;
  const label = by.kind === 'desktop' ? 'this computer' : by.name;
  const link = { wish: 'createToken', id, use: 'link', label, role, hash, expiresAt } as const;
  const made = await parts.loop.ask(by.by, null, link, origin);
  return 'code' in made ? made : { code: secret, expiresAt: new Date(expiresAt).toISOString() };
}

export function peopleHandlers(parts: Parts): Pick<Handlers, PeopleRoutes> {
  const { loop } = parts;

  /** A session for a person who has just proved to be one. */
  async function openSession(name: string, role: Role, origin: Origin, opened: Opened) {
    const id = newId();
    const { secret, hash } = makeToken(id);
    const expiresAt = Date.now() + limits.sessionMs;
    const session = {
      wish: 'createToken',
      id,
      use: 'session',
      label: name,
      role,
      user: name,
      hash,
      expiresAt,
      ...opened,
    } as const;
    const made = await loop.ask(`user:${name}`, null, session, origin);
    if ('code' in made) return made;
    return {
      body: sessionOf({ by: `user:${name}`, name, role, kind: 'person', expiresAt }),
      setSession: { code: secret, expiresAt },
    };
  }

  return {
    async signIn(asked) {
      const { body } = asked;
      const user = await loop.read((state) => userNamed(state.access, body.name) ?? null);
      const fits = await verifyPassword(body.password, user?.passwordHash ?? null);
      if (isRefusal(fits)) return fits;
      if (!fits || !user) return refuse('sign_in_failed', 'Name and password do not match.');
      return openSession(user.name, user.role, originOf(asked), openedBy(asked));
    },

    async signInByLink(asked) {
      const link = parseToken(asked.body.code);
      if (!link) return refuse('token_invalid', 'This is not a sign-in link.');
      const id = newId();
      const { secret, hash } = makeToken(id);
      const expiresAt = Date.now() + limits.sessionMs;
      const by = await loop.read((state) => creatorOf(state.access, link.hash) ?? 'nobody');
      const opened = { id, hash, expiresAt, ...openedBy(asked) };
      const made = await loop.ask(by, null, { wish: 'useLink', hash: link.hash, session: opened }, originOf(asked));
      if ('code' in made) return made;
      const caller = await identify(parts, { session: secret });
      if ('code' in caller) return caller;
      return { body: sessionOf(caller), setSession: { code: secret, expiresAt } };
    },

    session: ({ caller }) => ({ body: sessionOf(caller) satisfies Session }),

    async signOut(asked) {
      const { caller } = asked;
      if (caller.kind === 'person' && caller.credential) {
        const done = await loop.ask(caller.by, null, { wish: 'removeToken', id: caller.credential }, originOf(asked));
        if ('code' in done && done.code !== 'token_unknown') return done;
      }
      return { status: 204, setSession: 'clear' };
    },

    async signInLink(asked) {
      const made = await makeSignInLink(parts, asked.caller, asked.body.role ?? 'admin', originOf(asked));
      return 'detail' in made ? made : { status: 201, body: made };
    },

    async users() {
      return { body: { users: await loop.read((state) => userViews(state.access)) } };
    },

    async userCreate(asked) {
      const { name, role, password } = asked.body;
      const passwordHash = await hashPassword(password);
      if (typeof passwordHash !== 'string') return passwordHash;
      return replied(await wish(parts, asked, { wish: 'createUser', name, role, passwordHash }));
    },

    async userChange(asked) {
      const { role, password } = asked.body;
      const passwordHash = password === undefined ? undefined : await hashPassword(password);
      if (isRefusal(passwordHash)) return passwordHash;
      // A new password ends the sessions of that person, but not the one it was changed from.
      const own = asked.caller.by === `user:${asked.params.user}` ? asked.caller.credential : undefined;
      const change = {
        ...(role ? { role } : {}),
        ...(passwordHash ? { passwordHash } : {}),
        ...(own ? { keepSession: own } : {}),
      };
      return replied(await wish(parts, asked, { wish: 'changeUser', name: asked.params.user, ...change }));
    },

    async userRemove(asked) {
      return replied(await wish(parts, asked, { wish: 'removeUser', name: asked.params.user }));
    },

    async tokens() {
      const tokens = await loop.read((state) => tokenViews(state.access));
      const withUse = (one: Token): Token => {
        const at = lastUse(parts, one.id);
        return at === undefined ? one : { ...one, lastUsedAt: new Date(at).toISOString() };
      };
      return { body: { tokens: tokens.map(withUse) } };
    },

    async tokenCreate(asked) {
      const { caller, body } = asked;
      const id = newId();
      const { secret, hash } = makeToken(id);
      const expiry =
        body.expiresInDays === undefined ? {} : { expiresAt: Date.now() + body.expiresInDays * 86_400_000 };
      const { label = '', role, scope } = body;
      const token = { id, use: 'token', label, role, hash, ...expiry, ...(scope ? { scope } : {}) } as const;
      const made = await loop.ask(caller.by, null, { wish: 'createToken', ...token }, originOf(asked));
      if ('code' in made) return made;
      return { status: 201, body: { ...(made.body as object), secret } as never };
    },

    async tokenRemove(asked) {
      return replied(await wish(parts, asked, { wish: 'removeToken', id: asked.params.token }));
    },
  };
}
