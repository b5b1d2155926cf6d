/** People and tokens: what is decided, what a fact does, and that equal facts give equal states. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fact } from '../../../node-runtime/contract/facts.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';
import type { Role } from '../../../node-runtime/contract/model.ts';
import {
  type Access,
  applyToAccess,
  credentialOf,
  type Decision,
  decideChangeUser,
  decideCreateToken,
  decideCreateUser,
  decideRemoveToken,
  decideRemoveUser,
  decideUseLink,
  emptyAccess,
  loadAccess,
  saveAccess,
  type TokenUse,
  tokenView,
  tokenViews,
  userNamed,
  userView,
  userViews,
  usesToNote,
} from '../../../node-runtime/core/access/access.ts';

const term = { era: 1, number: 1, node: 'ctl-a' };
let index = 0;
function apply(state: Access, facts: Fact[], at = 1_000): void {
  for (const fact of facts) applyToAccess(state, { term, index: ++index, at, by: 'user:ops', via: 'ctl-a', fact });
}
function done(state: Access, decision: Decision, at = 1_000): Fact[] {
  if ('code' in decision) throw new Error(`${decision.code}: ${decision.detail}`);
  apply(state, decision.facts, at);
  return decision.facts;
}
const codeOf = (decision: object): string | null => ('code' in decision ? (decision.code as string) : null);

const addUser = (state: Access, name: string, role: Role = 'viewer') =>
  done(state, decideCreateUser(state, { name, role, passwordHash: `hash of ${name}` }));
type Made = { use?: TokenUse; role?: Role; user?: string; expiresAt?: number; at?: number };
const addToken = (state: Access, id: string, { at = 1_000, use = 'token', role = 'operator', ...rest }: Made = {}) =>
  done(
    state,
    decideCreateToken(state, { id, use, role, label: `label ${id}`, hash: `hash of ${id}`, ...rest }, at),
    at,
  );

function crew(): Access {
  const state = emptyAccess();
  addUser(state, 'ada', 'admin');
  addUser(state, 'ops', 'operator');
  return state;
}

describe('people', () => {
  test('are added, shown without their hash, and found by name', () => {
    const state = crew();
    expect(userViews(state)).toEqual([
      { name: 'ada', role: 'admin', createdAt: '1970-01-01T00:00:01.000Z' },
      { name: 'ops', role: 'operator', createdAt: '1970-01-01T00:00:01.000Z' },
    ]);
    expect(userNamed(state, 'ops')?.passwordHash).toBe('hash of ops');
    expect(JSON.stringify(userView(state, 'ops'))).not.toContain('hash');
  });

  test('have names of their own', () => {
    expect(codeOf(decideCreateUser(crew(), { name: 'ops', role: 'viewer', passwordHash: 'x' }))).toBe('user_exists');
  });

  test('are bounded in number', () => {
    const state = emptyAccess();
    for (let count = 0; count < limits.usersMax; count++) addUser(state, `u${count}`);
    expect(codeOf(decideCreateUser(state, { name: 'more', role: 'viewer', passwordHash: 'x' }))).toBe('limit_reached');
  });

  test('get another role or password, each without the other', () => {
    const state = crew();
    done(state, decideChangeUser(state, { name: 'ops', role: 'viewer' }));
    expect(userNamed(state, 'ops')).toMatchObject({ role: 'viewer', passwordHash: 'hash of ops' });
    done(state, decideChangeUser(state, { name: 'ops', passwordHash: 'new' }));
    expect(userNamed(state, 'ops')).toMatchObject({ role: 'viewer', passwordHash: 'new' });
  });

  test('who are not there cannot be changed or removed', () => {
    expect(codeOf(decideChangeUser(crew(), { name: 'eve', role: 'admin' }))).toBe('user_unknown');
    expect(codeOf(decideRemoveUser(crew(), 'eve'))).toBe('user_unknown');
  });

  test('the last administrator is neither removed nor made less', () => {
    const state = crew();
    expect(codeOf(decideRemoveUser(state, 'ada'))).toBe('last_admin');
    expect(codeOf(decideChangeUser(state, { name: 'ada', role: 'operator' }))).toBe('last_admin');
    expect(codeOf(decideChangeUser(state, { name: 'ada', role: 'admin', passwordHash: 'new' }))).toBeNull();
    addUser(state, 'bob', 'admin');
    done(state, decideRemoveUser(state, 'ada'));
    expect(codeOf(decideRemoveUser(state, 'bob'))).toBe('last_admin');
  });
});

describe('sessions', () => {
  const open = (state: Access, id: string, user: string, expiresAt = 5_000) =>
    addToken(state, id, { use: 'session', user, expiresAt });
  const holder = (state: Access, id: string, now = 2_000) => credentialOf(state, `hash of ${id}`, 'session', now);

  test('stand for their person until they end', () => {
    const state = crew();
    open(state, 's1', 'ops');
    const expected = { id: 's1', by: 'user:ops', name: 'ops', role: 'operator', kind: 'person', expiresAt: 5_000 };
    expect(holder(state, 's1')).toEqual(expected);
    expect(holder(state, 's1', 4_999)).toEqual(expected);
    expect(codeOf(holder(state, 's1', 5_000))).toBe('sign_in_needed');
    expect(codeOf(holder(state, 'unknown'))).toBe('sign_in_needed');
  });

  test('follow the role of their person at once', () => {
    const state = crew();
    open(state, 's1', 'ops');
    done(state, decideChangeUser(state, { name: 'ops', role: 'viewer' }));
    expect(holder(state, 's1')).toMatchObject({ role: 'viewer' });
  });

  test('end with their person, those of others go on', () => {
    const state = crew();
    open(state, 's1', 'ops');
    open(state, 's2', 'ada');
    addToken(state, 'l1', { use: 'link', user: 'ops' });
    done(state, decideRemoveUser(state, 'ops'));
    expect(codeOf(holder(state, 's1'))).toBe('sign_in_needed');
    expect(codeOf(holder(state, 's2'))).toBeNull();
    expect([...state.tokens.keys()]).toEqual(['s2']);
    addUser(state, 'ops', 'admin');
    expect(codeOf(holder(state, 's1'))).toBe('sign_in_needed');
  });

  test('end when the password is changed, but for the one it was changed from', () => {
    const state = crew();
    for (const id of ['s1', 's2']) open(state, id, 'ops');
    open(state, 's3', 'ada');
    done(state, decideChangeUser(state, { name: 'ops', passwordHash: 'new', keepSession: 's2' }));
    expect([...state.tokens.keys()]).toEqual(['s2', 's3']);
  });

  test('are not made for people who are not there', () => {
    const wish = { id: 's', use: 'session' as const, role: 'admin' as const, label: '', hash: 'h', user: 'eve' };
    expect(codeOf(decideCreateToken(crew(), wish, 1))).toBe('user_unknown');
  });

  test('that have ended are forgotten when others are made', () => {
    const state = crew();
    open(state, 's1', 'ops', 2_000);
    addToken(state, 's2', { use: 'session', user: 'ops', expiresAt: 9_000, at: 2_000 });
    expect([...state.tokens.keys()]).toEqual(['s2']);
  });
});

describe('tokens', () => {
  const holder = (state: Access, id: string, now = 2_000) => credentialOf(state, `hash of ${id}`, 'token', now);

  test('stand for a program of their role', () => {
    const state = crew();
    addToken(state, 't1');
    expect(holder(state, 't1')).toEqual({
      id: 't1',
      by: 'token:t1',
      name: 'label t1',
      role: 'operator',
      kind: 'program',
    });
  });

  test('expire, are removed, and say so', () => {
    const state = crew();
    addToken(state, 't1', { expiresAt: 3_000 });
    addToken(state, 't2');
    expect(codeOf(holder(state, 't1', 3_000))).toBe('token_invalid');
    done(state, decideRemoveToken(state, 't2'));
    expect(codeOf(holder(state, 't2'))).toBe('token_invalid');
    expect(codeOf(decideRemoveToken(state, 't2'))).toBe('token_unknown');
  });

  test('are no sessions, and sessions and links are no tokens', () => {
    const state = crew();
    addToken(state, 't1');
    addToken(state, 's1', { use: 'session', user: 'ada' });
    addToken(state, 'l1', { use: 'link' });
    expect(codeOf(credentialOf(state, 'hash of t1', 'session', 2_000))).toBe('sign_in_needed');
    expect(codeOf(holder(state, 's1'))).toBe('token_invalid');
    expect(codeOf(holder(state, 'l1'))).toBe('token_invalid');
    expect(codeOf(credentialOf(state, 'hash of l1', 'session', 2_000))).toBe('sign_in_needed');
  });

  test('of programs are listed, without their hash; sessions and links are not', () => {
    const state = crew();
    addToken(state, 't1', { expiresAt: 3_000 });
    addToken(state, 's1', { use: 'session', user: 'ops' });
    expect(tokenViews(state)).toEqual([tokenView(state, 't1')]);
    expect(tokenView(state, 't1')).toEqual({
      ...{ id: 't1', label: 'label t1', role: 'operator', createdBy: 'user:ops' },
      ...{ createdAt: '1970-01-01T00:00:01.000Z', expiresAt: '1970-01-01T00:00:03.000Z' },
    });
  });

  test('stay when the person who made them is removed', () => {
    const state = crew();
    addToken(state, 't1');
    done(state, decideRemoveUser(state, 'ops'));
    expect(codeOf(holder(state, 't1'))).toBeNull();
  });

  test('are bounded in number; people are not locked out by that', () => {
    const state = crew();
    addToken(state, 's1', { use: 'session', user: 'ops' });
    for (let count = 1; count < limits.tokensMax; count++) addToken(state, `t${count}`);
    const wish = { id: 'more', role: 'viewer' as const, label: '', hash: 'h' };
    expect(codeOf(decideCreateToken(state, { ...wish, use: 'token' }, 1_000))).toBe('limit_reached');
    addToken(state, 's2', { use: 'session', user: 'ada' });
    expect([state.tokens.has('s1'), state.tokens.has('s2'), state.tokens.size]).toEqual([
      false,
      true,
      limits.tokensMax,
    ]);
  });

  test('with an id or secret that is taken are our own mistake', () => {
    const state = crew();
    addToken(state, 't1');
    const wish = { use: 'token' as const, role: 'viewer' as const, label: '' };
    expect(() => decideCreateToken(state, { ...wish, id: 't1', hash: 'other' }, 1)).toThrow(/broken promise/);
    expect(() => decideCreateToken(state, { ...wish, id: 'other', hash: 'hash of t1' }, 1)).toThrow(/broken promise/);
  });
});

describe('sign-in links', () => {
  const session = { id: 's1', hash: 'hash of s1', expiresAt: 9_000 };
  const use = (state: Access, now = 2_000) => decideUseLink(state, 'hash of l1', session, now);

  test('become a session once', () => {
    const state = crew();
    addToken(state, 'l1', { use: 'link', role: 'admin', expiresAt: 3_000 });
    expect(done(state, use(state)).map((fact) => fact.kind)).toEqual(['tokenRemoved', 'tokenCreated']);
    expect(credentialOf(state, 'hash of s1', 'session', 4_000)).toEqual({
      ...{ id: 's1', by: 'user:ops', name: 'label l1', role: 'admin', kind: 'person', expiresAt: 9_000 },
    });
    expect(codeOf(decideUseLink(state, 'hash of l1', { ...session, id: 's2', hash: 'x' }, 2_000))).toBe(
      'token_invalid',
    );
  });

  test('of a person become a session of that person', () => {
    const state = crew();
    addToken(state, 'l1', { use: 'link', user: 'ops', role: 'viewer' });
    done(state, use(state));
    expect(credentialOf(state, 'hash of s1', 'session', 4_000)).toMatchObject({ by: 'user:ops', role: 'operator' });
  });

  test('that are too old, unknown or no links are refused', () => {
    const state = crew();
    expect(codeOf(use(state))).toBe('token_invalid');
    addToken(state, 'l1', { use: 'link', expiresAt: 2_000 });
    expect(codeOf(use(state, 2_000))).toBe('token_invalid');
    addToken(state, 't1');
    expect(codeOf(decideUseLink(state, 'hash of t1', session, 2_000))).toBe('token_invalid');
  });
});

describe('the state', () => {
  const names = fc.constantFrom('ada', 'bob', 'eve');
  const roles = fc.constantFrom<Role>('viewer', 'operator', 'admin');
  const wishes = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), name: names, role: roles }),
    fc.record({ kind: fc.constant('change' as const), name: names, role: roles, password: fc.boolean() }),
    fc.record({ kind: fc.constant('remove' as const), name: names }),
    fc.record({
      kind: fc.constant('token' as const),
      use: fc.constantFrom<TokenUse>('token', 'session', 'link'),
      name: names,
      live: fc.nat(3_000),
    }),
    fc.record({ kind: fc.constant('removeToken' as const), at: fc.nat(30) }),
    fc.record({ kind: fc.constant('link' as const), at: fc.nat(30) }),
  );

  test('keeps an administrator, no ownerless session, and comes back from a snapshot, whatever is wished', () => {
    fc.assert(
      fc.property(fc.array(wishes, { maxLength: 40 }), (list) => {
        const state = crew();
        const copy = emptyAccess();
        apply(copy, [{ kind: 'userCreated', name: 'ada', role: 'admin', passwordHash: 'hash of ada' }]);
        apply(copy, [{ kind: 'userCreated', name: 'ops', role: 'operator', passwordHash: 'hash of ops' }]);
        for (const [step, wish] of list.entries()) {
          const now = 1_000 + step * 500;
          const decision = decideOne(state, wish, step, now);
          if ('code' in decision) continue;
          apply(state, decision.facts, now);
          apply(copy, decision.facts, now);
          expect(userViews(state).some((user) => user.role === 'admin')).toBe(true);
          for (const token of state.tokens.values()) {
            if (token.user !== undefined) expect(state.users.has(token.user)).toBe(true);
            expect(state.ids.get(token.hash)).toBe(token.id);
          }
          expect(state.ids.size).toBe(state.tokens.size);
        }
        expect(copy).toEqual(state);
        expect(loadAccess(JSON.parse(JSON.stringify(saveAccess(state))))).toEqual(state);
      }),
      { numRuns: 300 },
    );
  });

  type Wished = typeof wishes extends fc.Arbitrary<infer W> ? W : never;
  function decideOne(state: Access, wish: Wished, step: number, now: number): Decision {
    const fresh = { id: `t${step}`, hash: `h${step}` };
    switch (wish.kind) {
      case 'add':
        return decideCreateUser(state, { name: wish.name, role: wish.role, passwordHash: 'p' });
      case 'change':
        return decideChangeUser(state, {
          name: wish.name,
          role: wish.role,
          ...(wish.password ? { passwordHash: 'q' } : {}),
        });
      case 'remove':
        return decideRemoveUser(state, wish.name);
      case 'token': {
        const owner = wish.use === 'token' ? {} : { user: wish.name };
        return decideCreateToken(
          state,
          { ...fresh, ...owner, use: wish.use, role: 'viewer', label: '', expiresAt: now + wish.live },
          now,
        );
      }
      case 'removeToken':
        return decideRemoveToken(state, `t${wish.at}`);
      case 'link':
        return decideUseLink(state, `h${wish.at}`, { ...fresh, expiresAt: now + 1_000 }, now);
    }
  }

  test('is not changed by deciding', () => {
    const state = crew();
    addToken(state, 'l1', { use: 'link' });
    const before = JSON.stringify(saveAccess(state));
    decideRemoveUser(state, 'ops');
    decideUseLink(state, 'hash of l1', { id: 's', hash: 'h', expiresAt: 9 }, 1);
    decideChangeUser(state, { name: 'ops', passwordHash: 'x' });
    expect(JSON.stringify(saveAccess(state))).toBe(before);
  });

  test('is left alone by facts about other things', () => {
    const state = crew();
    const before = JSON.stringify(saveAccess(state));
    apply(state, [
      { kind: 'sandboxRemoved', name: 'data' },
      { kind: 'cancelAsked', run: 'r-1' },
    ]);
    expect(JSON.stringify(saveAccess(state))).toBe(before);
  });
});

describe('the last use of a token', () => {
  const hour = limits.lastUseKeptMs;

  test('is news once an hour, for tokens that are there, and so many at a time', () => {
    const state = crew();
    for (const id of ['t1', 't2']) addToken(state, id);
    expect(
      usesToNote(
        state,
        new Map([
          ['t1', 5_000],
          ['gone', 5_000],
        ]),
      ),
    ).toEqual([{ id: 't1', at: 5_000 }]);
    apply(state, [{ kind: 'tokensUsed', used: [{ id: 't1', at: 5_000 }] }]);
    expect(usesToNote(state, new Map([['t1', 5_000 + hour - 1]]))).toEqual([]);
    expect(
      usesToNote(
        state,
        new Map([
          ['t1', 5_000 + hour],
          ['t2', 1],
        ]),
      ),
    ).toHaveLength(2);
    const many = Array.from({ length: 1_000 }, (_, n): [string, number] => [`t${1 + (n % 2)}`, hour * 10]);
    expect(usesToNote(state, many)).toHaveLength(limits.lastUsesPerEntryMax);
  });

  test('is shown, never goes back, and is kept in snapshots', () => {
    const state = crew();
    addToken(state, 't1');
    apply(state, [
      {
        kind: 'tokensUsed',
        used: [
          { id: 't1', at: 9_000 },
          { id: 'gone', at: 1 },
        ],
      },
    ]);
    apply(state, [{ kind: 'tokensUsed', used: [{ id: 't1', at: 8_000 }] }]);
    expect(tokenView(state, 't1').lastUsedAt).toBe('1970-01-01T00:00:09.000Z');
    expect(loadAccess(JSON.parse(JSON.stringify(saveAccess(state))))).toEqual(state);
  });
});
