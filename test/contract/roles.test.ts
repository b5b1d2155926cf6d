/** Who may ask what: every route with every role, on both doors. Made from the route table, so no route can be missed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { routes } from '../../node-runtime/contract/routes.ts';
import { ask, askRoute, codeIn, names, type OpenDoor, privateDoor, problemOf, publicDoor } from './support/doors.ts';

const roles = ['nobody', 'viewer', 'operator', 'admin'] as const;
const isAllowed = (role: (typeof roles)[number], needed: (typeof roles)[number]): boolean =>
  roles.indexOf(role) >= roles.indexOf(needed);

let open: OpenDoor;
let own: OpenDoor;
beforeAll(async () => {
  // The table signs in more often than a person may.
  open = await publicDoor({ limits: { signInTriesPerMinute: 1_000 } });
  own = await privateDoor();
});
afterAll(async () => {
  await open.close();
  await own.close();
});

describe('the public door', () => {
  const table = names.flatMap((name) => roles.map((role) => ({ name, role, needed: routes[name].role })));
  test.each(table)('$name asked by $role (needs $needed)', async ({ name, role, needed }) => {
    const got = await askRoute(open, name, role === 'nobody' ? {} : { token: role });
    if (isAllowed(role, needed)) {
      expect(got.status).toBe(routes[name].status);
    } else {
      const code = role === 'nobody' ? 'sign_in_needed' : 'role_missing';
      expect(problemOf(got).code).toBe(code);
      expect(got.status).toBe(role === 'nobody' ? 401 : 403);
      expect(got.headers['www-authenticate']).toBe(role === 'nobody' ? 'Bearer' : undefined);
    }
  });

  // `join` asks for the secret of an invite, in its body.
  test('the table knows routes that must never be open', () => {
    const open = names.filter((name) => routes[name].role === 'nobody');
    expect(open.sort()).toEqual([
      ...['healthz', 'jobFileSchema', 'join', 'joinAnswer', 'joinAsk', 'joinShow', 'joinWithdraw', 'openapi'],
      ...['readyz', 'signIn', 'signInByLink'],
    ]);
  });

  test.each([
    ['a wrong token', 'Bearer nonsense'],
    ['an expired token', 'Bearer expired'],
    ['a token without its scheme', 'viewer'],
    ['another scheme', 'Basic dmlld2VyOnZpZXdlcg=='],
    ['an empty token', 'Bearer '],
  ])('%s is refused', async (_what, authorization) => {
    const got = await ask(open, { path: '/api/v1/cluster', headers: { authorization } });
    expect([got.status, problemOf(got).code]).toEqual([401, 'token_invalid']);
  });

  test('a wrong token is refused before the body is looked at', async () => {
    const got = await ask(open, { method: 'POST', path: '/api/v1/runs', token: 'wrong', body: 'not json' });
    expect(problemOf(got).code).toBe('token_invalid');
  });

  test('a token decides, whatever cookie comes with it', async () => {
    const headers = { cookie: '__Host-binnacle=session-admin' };
    const got = await askRoute(open, 'userCreate', { token: 'viewer', headers });
    expect(problemOf(got).code).toBe('role_missing');
  });

  test('a fault while finding out who asks is no way in', async () => {
    const door = await publicDoor({
      identify: () => {
        throw new Error('table gone');
      },
    });
    const got = await ask(door, { path: '/api/v1/cluster', token: 'admin' });
    expect([got.status, problemOf(got).code]).toEqual([500, 'internal']);
    expect(got.text).not.toContain('table gone');
    await door.close();
  });
});

describe('the private door', () => {
  test.each(names)('%s is allowed to the desktop', async (name) => {
    const got = await askRoute(own, name);
    expect(got.status).toBe(routes[name].status);
  });

  test('the caller is the desktop, whatever credential is shown', async () => {
    const got = await ask(own, { path: '/api/v1/cluster', token: 'viewer' });
    expect(got.json['by']).toBe('desktop');
    expect(codeIn(got.text)).toBeUndefined();
  });
});

describe('what a route needs in a sandbox', () => {
  const namesOf = (name: (typeof names)[number]): string[] => {
    const { path, body } = routes[name];
    const inBody = body !== null && body !== 'bytes' && 'shape' in body && 'sandbox' in (body.shape as object);
    return [...path.matchAll(/\{(sandbox|run)\}/g)].map(([, word]) => word!).concat(inBody ? ['body'] : []);
  };

  test.each(names)('%s says it, if it is about a sandbox or a run, and only then', (name) => {
    expect(routes[name].needs !== null).toBe(namesOf(name).length > 0);
  });

  test.each(names.filter((name) => routes[name].needs !== null))('%s needs what fits its role', (name) => {
    const { role, needs } = routes[name];
    const least = { read: 'viewer', write: 'operator', execute: 'operator', administer: 'admin' } as const;
    expect(role).toBe(least[needs!]);
  });
});
