/** Rights in words at the console, and what a change of a list would mean for whom. */
import { describe, expect, it } from 'vitest';
import type { RightsEntry, Token, User } from '../../../node-runtime/contract/model.ts';
import { meaningOf, sayListed, sayRights, ticked } from '../../../renderer/parts/people/rights.ts';

const user = (name: string, role: User['role']): User => ({ name, role, createdAt: '2026-01-01T00:00:00Z' });
const users = [user('ada', 'admin'), ...['mara', 'eva', 'tom', 'kim', 'lea'].map((name) => user(name, 'operator'))];
const tokens: Token[] = [
  { id: 'ab12', label: 'line 4', role: 'operator', createdAt: '', createdBy: 'user:ada' },
  {
    ...{ id: 'cd34', label: 'bound', role: 'operator', createdAt: '', createdBy: 'user:ada' },
    scope: { sandboxes: [{ name: 'lab', may: ['read'] }] },
  },
];
const everyone: RightsEntry = { who: 'everyone', may: ['read'] };
const meaning = (before: RightsEntry[] | null, after: RightsEntry[] | null) =>
  meaningOf('lab', before, after, users, tokens);

describe('rights in words', () => {
  it('are said in one order, and without any as nothing', () => {
    expect([sayRights(['execute', 'read']), sayRights(['read', 'write', 'execute']), sayRights([])]).toEqual([
      'read and launch',
      'read, change files and launch',
      'nothing',
    ]);
  });
  it('name people and programs as people call them', () => {
    expect(['everyone', 'user:mara', 'token:ab12', 'token:ffff'].map((who) => sayListed(who, tokens))).toEqual([
      'Everyone',
      'mara',
      'token line 4',
      'token ffff',
    ]);
  });
  it('hang together: nothing is done without looking', () => {
    expect(ticked(['read', 'write'], 'read', false)).toEqual([]);
    expect(ticked([], 'execute', true)).toEqual(['read', 'execute']);
    expect(ticked(['read', 'write', 'execute'], 'write', false)).toEqual(['read', 'execute']);
  });
});

describe('a change of a list', () => {
  it('is no danger while nobody loses sight', () => {
    expect(meaning(null, [everyone])).toBeNull();
    expect(meaning([], [everyone])).toBeNull();
    expect(meaning([everyone], null)).toBeNull();
  });
  it('says who will no longer see it, administrators and limited tokens left out', () => {
    const said = meaning([everyone], [{ who: 'user:mara', may: ['read'] }]);
    expect(said?.tone).toBe('warn');
    expect(said?.title).toBe('5 people and programs will no longer see lab');
    expect(said?.text).toMatch(/^eva, tom, kim, lea and 1 more:/);
    const one = meaning(
      [everyone],
      ['mara', 'tom', 'kim', 'lea'].map((name) => ({ who: `user:${name}`, may: ['read'] })),
    );
    expect(one?.text).toMatch(/^eva and token line 4:/);
  });
  it('is an alarm when it shuts everybody out', () => {
    for (const list of [[], [{ who: 'everyone', may: [] }]] as RightsEntry[][])
      expect(meaning([everyone], list)).toMatchObject({ tone: 'alarm', title: expect.stringContaining('Nobody but') });
  });
});
