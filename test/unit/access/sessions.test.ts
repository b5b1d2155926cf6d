/** Where people are signed in: whose is whose, what ending does, and what is shown. */
import { describe, expect, test } from 'vitest';
import type { Fact } from '../../../node-runtime/contract/facts.ts';
import {
  applyToAccess,
  credentialNow,
  credentialOf,
  emptyAccess,
  userView,
} from '../../../node-runtime/core/access/access.ts';
import { programInWords } from '../../../node-runtime/core/access/program-words.ts';
import { decideEndSessions, ownOf, sessionViews, type Whose } from '../../../node-runtime/core/access/sessions.ts';

const term = { era: 1, number: 1, node: 'ctl-a' };
let index = 0;
type State = ReturnType<typeof emptyAccess>;
function apply(state: State, fact: Fact, by = 'user:ops', at = 1_000 + index): void {
  applyToAccess(state, { term, index: ++index, at, by, via: 'ctl-a', fact });
}
const session = (id: string, user?: string): Fact => ({
  ...{ kind: 'tokenCreated', id, use: 'session', label: id, role: 'operator', hash: `hash of ${id}`, expiresAt: 1e6 },
  ...(user ? { user, from: '10.0.0.7', program: 'Firefox on Linux' } : {}),
});
function crew(): State {
  const state = emptyAccess();
  for (const name of ['ops', 'eva']) apply(state, { kind: 'userCreated', name, role: 'operator', passwordHash: 'x' });
  apply(state, session('a1', 'ops'));
  apply(state, session('a2', 'ops'));
  apply(state, session('b1', 'eva'), 'user:eva');
  apply(state, session('g1'), 'user:ops'); // a guest, by a link that ops made
  apply(state, { kind: 'tokenCreated', id: 'c1', use: 'token', label: 'ci', role: 'admin', hash: 'hash of c1' });
  return state;
}
const ids = (state: State, whose: Whose, now = 2_000) =>
  sessionViews(state, whose, now, 'a2')
    .map(({ id }) => id)
    .sort();
function end(state: State, wish: Parameters<typeof decideEndSessions>[1]) {
  const decision = decideEndSessions(state, wish);
  if ('code' in decision) return decision.code;
  for (const fact of decision.facts) apply(state, fact);
  return decision.facts;
}

describe('sessions', () => {
  test('of a person are theirs and those of the links they made', () => {
    const state = crew();
    expect(ids(state, ownOf(state, { by: 'user:ops', credential: 'a1' })!)).toEqual(['a1', 'a2', 'g1']);
    expect(ids(state, ownOf(state, { by: 'user:eva', credential: 'b1' })!)).toEqual(['b1']);
    expect(ids(state, 'all')).toEqual(['a1', 'a2', 'b1', 'g1']);
  });

  test('of a guest by a link are that one only', () => {
    const state = crew();
    expect(ids(state, ownOf(state, { by: 'user:ops', credential: 'g1' })!)).toEqual(['g1']);
  });

  test('of a program there are none', () => {
    expect(ownOf(crew(), { by: 'token:c1', credential: 'c1' })).toBeNull();
  });

  test('are shown with where and what from, without their hash, and none that are over', () => {
    const state = crew();
    const [one] = sessionViews(state, { session: 'a2' }, 2_000, 'a2');
    expect(one).toMatchObject({
      who: 'ops',
      from: '10.0.0.7',
      program: 'Firefox on Linux',
      thisOne: true,
      byLink: false,
    });
    expect(JSON.stringify(sessionViews(state, 'all', 2_000, undefined))).not.toContain('hash');
    expect(ids(state, 'all', 1e6)).toEqual([]);
  });

  test('that are ended are of no use at once', () => {
    const state = crew();
    expect(end(state, { whose: { by: 'user:ops' }, session: 'a1' })).toEqual([{ kind: 'sessionsEnded', ids: ['a1'] }]);
    expect(credentialOf(state, 'hash of a1', 'session', 2_000)).toMatchObject({ code: 'sign_in_needed' });
    expect(credentialNow(state, 'a1', 2_000)).toBeNull();
    expect(credentialNow(state, 'a2', 2_000)).toMatchObject({ by: 'user:ops' });
  });

  test('of others are not there for who may not end them, nor are tokens of programs', () => {
    const state = crew();
    expect(end(state, { whose: { by: 'user:eva' }, session: 'a1' })).toBe('session_unknown');
    expect(end(state, { whose: 'all', session: 'c1' })).toBe('session_unknown');
    expect(credentialOf(state, 'hash of c1', 'token', 2_000)).toMatchObject({ by: 'token:c1' });
  });

  test('end all, or all but this one', () => {
    const state = crew();
    expect(end(state, { whose: { by: 'user:ops' }, keep: 'a2' })).toEqual([
      { kind: 'sessionsEnded', ids: ['a1', 'g1'] },
    ]);
    expect(ids(state, 'all')).toEqual(['a2', 'b1']);
    end(state, { whose: 'all' });
    expect(ids(state, 'all')).toEqual([]);
    expect(end(state, { whose: 'all' })).toEqual([]);
  });

  test('hold no more when their time is over, or their person is gone', () => {
    const state = crew();
    expect(credentialNow(state, 'b1', 1e6)).toBeNull();
    apply(state, { kind: 'userRemoved', name: 'eva' });
    expect(credentialNow(state, 'b1', 2_000)).toBeNull();
  });

  test('say when a person signed in last, also when they are over', () => {
    const state = crew();
    const { lastSignInAt } = userView(state, 'eva');
    expect(lastSignInAt).toMatch(/^1970-01-01T00:00:01/);
    end(state, { whose: 'all' });
    expect(userView(state, 'eva').lastSignInAt).toBe(lastSignInAt);
  });
});

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'Chrome on Windows',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0',
    'Edge on Windows',
  ],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
    'Safari on macOS',
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
    'Safari on an iPhone',
  ],
  [
    'Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36',
    'Chrome on Android',
  ],
  [
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Binnacle/0.1 Chrome/140.0 Electron/45.0 Safari/537.36',
    'a desktop program on Linux',
  ],
  ['curl/8.14.1', 'curl'],
  ['python-requests/2.32', 'python-requests'],
  ['<script>alert(1)</script>', null],
  ['', null],
  [undefined, null],
  [`${'A'.repeat(500)}`, 'A'.repeat(31)],
])('%s is said as %s', (said, words) => {
  expect(programInWords(said)).toBe(words);
});
