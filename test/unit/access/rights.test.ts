/** Who may what in a sandbox: every case of the rule as a table, what never may be as a property, and how lists change. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fact } from '../../../node-runtime/contract/facts.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';
import type { Right, RightsEntry, TokenScope } from '../../../node-runtime/contract/model.ts';
import {
  applyToAccess,
  emptyAccess,
  isThere,
  loadAccess,
  saveAccess,
} from '../../../node-runtime/core/access/access.ts';
import {
  type Asker,
  decideRights,
  mayIn,
  rightsIn,
  sees,
  seesAll,
  visibleTo,
} from '../../../node-runtime/core/access/rights.ts';

const letters = { r: 'read', w: 'write', x: 'execute' } as const;
const may = (text: string): Right[] => [...text].map((letter) => letters[letter as 'r']);
const list = (...of: string[]): RightsEntry[] =>
  of.map((one) => {
    const at = one.lastIndexOf(':');
    return { who: one.slice(0, at), may: may(one.slice(at + 1)) };
  });
const scoped = (...of: string[]): TokenScope => ({
  sandboxes: of.map((one) => ({ name: one.split(':')[0]!, may: may(one.split(':')[1]!) })),
});
const short = (rights: Right[]): string => rights.map((right) => (right === 'execute' ? 'x' : right[0])).join('');

const viewer: Asker = { by: 'user:vic', role: 'viewer' };
const operator: Asker = { by: 'user:ops', role: 'operator' };
const admin: Asker = { by: 'user:ada', role: 'admin' };
const program: Asker = { by: 'token:ab12', role: 'operator' };
const nobody: Asker = { by: 'nobody', role: 'nobody' };
const limited = (asker: Asker, ...of: string[]): Asker => ({ ...asker, scope: scoped(...of) });

describe('what somebody may do in a sandbox', () => {
  const table: [what: string, asker: Asker, rights: RightsEntry[] | null, gives: string][] = [
    ['without a list the role decides: a viewer reads', viewer, null, 'r'],
    ['without a list the role decides: an operator does all', operator, null, 'rwx'],
    ['without a list the role decides: an administrator does all', admin, null, 'rwx'],
    ['nobody may nothing', nobody, null, ''],
    ['nobody is not everyone', nobody, list('everyone:rwx'), ''],
    ['an empty list is not none: it gives nothing', operator, list(), ''],
    ['an empty list does not shut out administrators', admin, list(), 'rwx'],
    ['everyone may read', operator, list('everyone:r'), 'r'],
    ['a viewer never writes, whatever the list says', viewer, list('everyone:rwx', 'user:vic:rwx'), 'r'],
    ['an entry of one person is not of another', operator, list('user:eva:rwx'), ''],
    ['an entry by name gives what it says', operator, list('user:ops:rw'), 'rw'],
    ['entries that fit add up', operator, list('everyone:r', 'user:ops:x'), 'rx'],
    ['a token is named by its id', program, list('token:ab12:rx'), 'rx'],
    ['a token is no person of that name', { by: 'token:ops', role: 'operator' }, list('user:ops:rwx'), ''],
    ['a person is no token of that id', { by: 'user:ab12', role: 'operator' }, list('token:ab12:rwx'), ''],
    ['without reading nothing else counts', operator, list('user:ops:wx'), ''],
    ['an administrator passes the list over', admin, list('user:ops:rwx'), 'rwx'],
    ['the desktop of a node is an administrator', { by: 'desktop', role: 'admin' }, list('user:ops:r'), 'rwx'],
    [
      'a guest by a link has no more than the role of the link',
      { by: 'user:ops', role: 'viewer' },
      list('user:ops:rwx'),
      'r',
    ],
    ['a limit takes away', limited(program, 'data:r'), null, 'r'],
    ['a limit adds nothing to the role', limited({ ...program, role: 'viewer' }, 'data:rwx'), null, 'r'],
    ['a limit adds nothing to the list', limited(program, 'data:rwx'), list('everyone:r'), 'r'],
    ['a limit on another sandbox gives nothing here', limited(program, 'other:rwx'), null, ''],
    ['an administrator with a limit has the limit', limited({ ...program, role: 'admin' }, 'data:rx'), list(), 'rx'],
    ['a limit that is said in two parts adds up', limited(program, 'data:r', 'data:x'), null, 'rx'],
    ['a limit without reading gives nothing', limited(program, 'data:x'), null, ''],
  ];
  test.each(table)('%s', (_what, asker, rights, gives) => {
    expect(short(rightsIn(asker, 'data', rights))).toBe(gives);
  });

  const anyRights = fc.subarray<Right>(['read', 'write', 'execute']);
  const anyWho = fc.constantFrom('everyone', 'user:vic', 'user:ops', 'user:ada', 'token:ab12');
  const anyList = fc.option(fc.array(fc.record({ who: anyWho, may: anyRights }), { maxLength: 4 }));
  const anyScope = fc.option(
    fc.array(fc.record({ name: fc.constantFrom('data', 'other'), may: anyRights }), { minLength: 1, maxLength: 3 }),
    { nil: undefined },
  );
  const anyAsker = fc
    .record({
      by: fc.constantFrom('user:vic', 'user:ops', 'token:ab12', 'desktop', 'nobody'),
      role: fc.constantFrom('nobody', 'viewer', 'operator', 'admin'),
      sandboxes: anyScope,
    })
    .map(({ by, role, sandboxes }): Asker => ({ by, role, ...(sandboxes ? { scope: { sandboxes } } : {}) }));

  test('never exceeds the role, nor the limit of a token; nothing is there without reading', () => {
    fc.assert(
      fc.property(anyAsker, anyList, (asker, rights) => {
        const got = rightsIn(asker, 'data', rights);
        const byRole = rightsIn({ by: asker.by, role: asker.role }, 'data', null);
        for (const right of got) {
          expect(byRole).toContain(right);
          if (asker.scope)
            expect(asker.scope.sandboxes.some((one) => one.name === 'data' && one.may.includes(right))).toBe(true);
        }
        expect(got.length === 0 || got.includes('read')).toBe(true);
        if (asker.role === 'admin' && !asker.scope) expect(got).toEqual(['read', 'write', 'execute']);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a longer list never takes away, a limit never adds', () => {
    fc.assert(
      fc.property(anyAsker, anyList, anyWho, anyRights, (asker, rights, who, more) => {
        const before = rightsIn(asker, 'data', rights);
        if (rights) {
          for (const right of before) expect(rightsIn(asker, 'data', [...rights, { who, may: more }])).toContain(right);
        }
        const { scope: _, ...free } = asker;
        for (const right of before) expect(rightsIn(free, 'data', rights)).toContain(right);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the sandboxes that somebody sees', () => {
  const rights = new Map([
    ['open', list('everyone:r')],
    ['pay', list('user:eva:rwx')],
    ['gone', list()],
  ]);
  test('are all but those whose list does not let them read', () => {
    expect(visibleTo(rights, operator)).toEqual({ except: ['pay', 'gone'] });
    expect(visibleTo(rights, admin)).toEqual({ except: [] });
    expect(seesAll(visibleTo(rights, admin))).toBe(true);
    expect(seesAll(visibleTo(rights, operator))).toBe(false);
  });
  test('are only those of its limit, for a token that has one', () => {
    expect(visibleTo(rights, limited(program, 'open:r', 'pay:r', 'free:rw', 'free:x'))).toEqual({
      only: ['open', 'free'],
    });
    expect(seesAll(visibleTo(new Map(), limited(program, 'data:r')))).toBe(false);
  });
  test('are the same, asked one by one', () => {
    for (const asker of [viewer, operator, admin, limited(program, 'open:r', 'free:r')]) {
      const isSeen = sees(visibleTo(rights, asker));
      for (const name of ['open', 'pay', 'gone', 'free', 'new'])
        expect([name, isSeen(name)]).toEqual([name, mayIn(rights, asker, name, 'read')]);
    }
  });
});

describe('lists of rights', () => {
  const term = { era: 1, number: 1, node: 'ctl-a' };
  let index = 0;
  const crew = () => {
    const state = emptyAccess();
    for (const name of ['ops', 'eva']) apply(state, { kind: 'userCreated', name, role: 'operator', passwordHash: 'x' });
    apply(state, { kind: 'tokenCreated', id: 'ab12', use: 'token', label: 'ci', role: 'operator', hash: 'h' });
    apply(state, {
      kind: 'tokenCreated',
      id: 'ee',
      use: 'session',
      label: 's',
      role: 'operator',
      hash: 'i',
      user: 'ops',
    });
    return state;
  };
  function apply(state: ReturnType<typeof emptyAccess>, fact: Fact): void {
    applyToAccess(state, { term, index: ++index, at: 1_000, by: 'user:ada', via: 'ctl-a', fact });
  }
  function change(state: ReturnType<typeof emptyAccess>, name: string, rights: RightsEntry[] | null) {
    const decision = decideRights(state.rights, { name, rights }, (who) => isThere(state, who));
    if ('code' in decision) return decision.code;
    for (const fact of decision.facts) apply(state, fact);
    return decision.facts.length;
  }

  test('are kept by name, and stay when the sandbox is removed: its runs stay too', () => {
    const state = crew();
    expect(change(state, 'pay', list('user:eva:xr'))).toBe(1);
    expect(state.rights.get('pay')).toEqual([{ who: 'user:eva', may: ['read', 'execute'] }]);
    apply(state, { kind: 'sandboxRemoved', name: 'pay' });
    expect(mayIn(state.rights, operator, 'pay', 'read')).toBe(false);
    expect(change(state, 'pay', null)).toBe(1);
    expect(change(state, 'pay', null)).toBe(0);
    expect(mayIn(state.rights, operator, 'pay', 'read')).toBe(true);
  });

  test('lose who is removed, and an emptied list is not none', () => {
    const state = crew();
    change(state, 'pay', list('user:eva:rwx'));
    change(state, 'lab', list('token:ab12:r', 'user:eva:r', 'everyone:r'));
    apply(state, { kind: 'userRemoved', name: 'eva' });
    expect(state.rights.get('pay')).toEqual([]);
    apply(state, { kind: 'tokenRemoved', id: 'ab12' });
    expect(state.rights.get('lab')).toEqual(list('everyone:r'));
    apply(state, { kind: 'userCreated', name: 'eva', role: 'operator', passwordHash: 'y' });
    expect(rightsIn({ by: 'user:eva', role: 'operator' }, 'pay', state.rights.get('pay')!)).toEqual([]);
  });

  test.each([
    ['a stranger', list('user:mallory:r'), 'user_unknown'],
    ['a token that is not there', list('token:ffff:r'), 'token_unknown'],
    ['a session, which is no program', list('token:ee:r'), 'token_unknown'],
    ['somebody twice', list('user:eva:r', 'user:eva:w'), 'bad_request'],
  ])('do not take %s', (_what, rights, code) => {
    expect(change(crew(), 'pay', rights)).toBe(code);
  });

  test('are bounded in number', () => {
    const state = crew();
    for (let at = 0; at < limits.rightsListsMax; at++) change(state, `s${at}`, []);
    expect(change(state, 'one-more', [])).toBe('limit_reached');
    expect(change(state, 's7', list('everyone:r'))).toBe(1);
  });

  test('are in the snapshot, and an older snapshot has none', () => {
    const state = crew();
    change(state, 'pay', list('user:eva:r'));
    const saved = JSON.parse(JSON.stringify(saveAccess(state)));
    expect(loadAccess(saved)).toEqual(state);
    delete saved.rights;
    expect(loadAccess(saved).rights.size).toBe(0);
  });
});
