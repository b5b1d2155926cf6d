/**
 * Who may what in which sandbox: the one place that says yes or no.
 *
 * Three things are asked, and each can only take away: what the role can ever
 * do, what the list of the sandbox gives (where it has one), and what the
 * token is limited to (where it is). Administrators pass the list over, since
 * they can change it. Who may not read may nothing: to them the sandbox is one
 * that does not exist.
 *
 * Lists are kept by the name of the sandbox and stay when it is removed: its
 * runs stay too, and a new one of that name would open them to everybody.
 *
 * Promise: rights never exceed the role nor the scope of a token; an empty
 * list gives nothing, it is not the same as none.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Entry, Fact } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import type { Right, RightsEntry, Role, TokenScope } from '../../contract/model.ts';

/** Who asks, as far as rights go by it. `by` is as in the audit log. */
export type Asker = { by: string; role: 'nobody' | Role; scope?: TokenScope };
/** name of a sandbox → its list; one that is not in it has none. */
export type Rights = Map<string, RightsEntry[]>;

const EVERYTHING: readonly Right[] = ['read', 'write', 'execute'];
const roleMay: Record<Asker['role'], readonly Right[]> = {
  nobody: [],
  viewer: ['read'],
  operator: EVERYTHING,
  admin: EVERYTHING,
};

/** What somebody may do in a sandbox, in the order read, write, execute. `list`: of that sandbox, or null. */
export function rightsIn(asker: Asker, sandbox: string, list: readonly RightsEntry[] | null): Right[] {
  const isListed = (right: Right): boolean =>
    list === null || asker.role === 'admin' || list.some(({ who, may }) => isMeant(who, asker) && may.includes(right));
  const may = roleMay[asker.role].filter((right) => isListed(right) && isInScope(asker.scope, sandbox, right));
  return may.includes('read') ? may : [];
}

const isMeant = (who: string, { by, role }: Asker): boolean => (who === 'everyone' ? role !== 'nobody' : who === by);

const isInScope = (scope: TokenScope | undefined, sandbox: string, right: Right): boolean =>
  scope === undefined || scope.sandboxes.some(({ name, may }) => name === sandbox && may.includes(right));

export const mayIn = (rights: Rights, asker: Asker, sandbox: string, right: Right): boolean =>
  rightsIn(asker, sandbox, rights.get(sandbox) ?? null).includes(right);

/** Whose sandboxes somebody sees: only these, or all except these. */
export type Visible = { only: string[] } | { except: string[] };

export function visibleTo(rights: Rights, asker: Asker): Visible {
  const isSeen = (name: string): boolean => mayIn(rights, asker, name, 'read');
  if (asker.scope) return { only: [...new Set(asker.scope.sandboxes.map(({ name }) => name))].filter(isSeen) };
  return { except: [...rights.keys()].filter((name) => !isSeen(name)) };
}

/** Sees every sandbox there is or was: nothing has to be looked through for them. */
export const seesAll = (visible: Visible): boolean => 'except' in visible && visible.except.length === 0;

export function sees(visible: Visible): (sandbox: string) => boolean {
  if ('only' in visible) return (sandbox) => visible.only.includes(sandbox);
  if (visible.except.length === 0) return () => true;
  const hidden = new Set(visible.except);
  return (sandbox) => !hidden.has(sandbox);
}

// ----------------------------------------------------------------- decide

/** `isKnown`: is that person, or that token of a program, there? */
export function decideRights(
  state: Rights,
  wish: { name: string; rights: RightsEntry[] | null },
  isKnown: (who: string) => boolean,
): { facts: Fact[] } | Refusal {
  const { name, rights } = wish;
  if (rights === null) return { facts: state.has(name) ? [{ kind: 'sandboxRightsChanged', name, rights }] : [] };
  if (!state.has(name) && state.size >= limits.rightsListsMax) {
    return refuse('limit_reached', `${limits.rightsListsMax} names of sandboxes have rights of their own.`);
  }
  const twice = rights.find(({ who }, at) => rights.findIndex((other) => other.who === who) !== at);
  if (twice) return refuse('bad_request', `The rights name ${twice.who} twice.`);
  const stranger = rights.find(({ who }) => who !== 'everyone' && !isKnown(who));
  if (stranger) return unknownWho(stranger.who);
  return { facts: [{ kind: 'sandboxRightsChanged', name, rights: rights.map(inOrder) }] };
}

const inOrder = ({ who, may }: RightsEntry): RightsEntry => ({
  who,
  may: EVERYTHING.filter((right) => may.includes(right)),
});

const unknownWho = (who: string): Refusal =>
  who.startsWith('user:')
    ? refuse('user_unknown', `There is no person named ${who.slice(5)}.`)
    : refuse('token_unknown', `There is no token ${who.slice(6)} of a program.`);

// ------------------------------------------------------------------ apply

/** Whoever is removed vanishes from all lists: another one of that name begins with nothing. */
export function applyToRights(state: Rights, { fact }: Entry): void {
  if (fact.kind === 'sandboxRightsChanged') {
    if (fact.rights === null) state.delete(fact.name);
    else state.set(fact.name, fact.rights);
  } else if (fact.kind === 'userRemoved') forgetWho(state, `user:${fact.name}`);
  else if (fact.kind === 'tokenRemoved') forgetWho(state, `token:${fact.id}`);
}

function forgetWho(state: Rights, who: string): void {
  for (const [name, list] of state) {
    if (list.some((entry) => entry.who === who))
      state.set(
        name,
        list.filter((entry) => entry.who !== who),
      );
  }
}
