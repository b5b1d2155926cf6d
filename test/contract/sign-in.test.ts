/** Guessing passwords: tries are counted per address and per name. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../node-runtime/contract/limits.ts';
import { makeThrottle } from '../../node-runtime/io/http/throttle.ts';
import { askJson, type OpenDoor, problemOf, publicDoor } from './support/doors.ts';

describe('the throttle', () => {
  const tries = (
    count: number,
    made: (at: number) => { address: string; name?: string },
    throttle = makeThrottle(10, 100),
  ) => {
    const waits = Array.from({ length: count }, (_, at) => throttle.try(made(at), at));
    return { throttle, waits };
  };

  test('lets so many tries pass, then says how long to wait', () => {
    const { throttle, waits } = tries(11, () => ({ address: '10.0.0.1', name: 'ops' }));
    expect(waits.slice(0, 10)).toEqual(Array(10).fill(0));
    expect(waits[10]).toBe(60_000 - 10);
    expect(throttle.try({ address: '10.0.0.1', name: 'ops' }, 59_999)).toBe(1);
    expect(throttle.try({ address: '10.0.0.1', name: 'ops' }, 60_000)).toBe(0);
  });

  test('one address cannot try many names', () => {
    expect(tries(11, (at) => ({ address: '10.0.0.1', name: `n${at}` })).waits.at(-1)).toBeGreaterThan(0);
  });

  test('many addresses cannot try one name', () => {
    expect(tries(11, (at) => ({ address: `10.0.0.${at}`, name: 'ops' })).waits.at(-1)).toBeGreaterThan(0);
  });

  test('other people at other addresses are not held up', () => {
    const { throttle } = tries(20, () => ({ address: '10.0.0.1', name: 'ops' }));
    expect(throttle.try({ address: '10.0.0.2', name: 'eva' }, 30)).toBe(0);
  });

  test('a refused try does not count: waiting is enough', () => {
    const { throttle } = tries(1_000, () => ({ address: '10.0.0.1' }));
    expect(throttle.try({ address: '10.0.0.1' }, 60_000)).toBe(0);
  });

  test.each([
    ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', true],
    ['2001:db8::1', '2001:db8:0:0:9::2', true],
    ['2001:db8:0:1::1', '2001:db8:0:2::1', false],
    ['::1', '::2', true],
  ])('%s and %s count as one network: %s', (one, other, same) => {
    const { throttle } = tries(10, () => ({ address: one }));
    expect(throttle.try({ address: other }, 10) > 0).toBe(same);
  });

  test('a flood of other names from other addresses does not let a name go that is held up', () => {
    const throttle = makeThrottle(10, 100);
    tries(10, (at) => ({ address: `10.0.0.${at}`, name: 'ops' }), throttle);
    tries(1_000, (at) => ({ address: `10.9.${at >> 8}.${at & 255}`, name: `n${at}` }), throttle);
    expect(throttle.try({ address: '10.0.1.1', name: 'ops' }, 1_100)).toBeGreaterThan(0);
  });

  test('what it remembers is bounded', () => {
    const { throttle } = tries(100_000, (at) => ({ address: `a${at}`, name: `n${at}` }), makeThrottle(10, 100));
    expect(throttle.try({ address: 'a0' }, 100_000)).toBe(0);
  });
});

describe('over HTTP', () => {
  let open: OpenDoor;
  beforeAll(async () => {
    open = await publicDoor();
  });
  afterAll(() => open.close());

  test('after too many tries the next one waits, and is told how long', async () => {
    const body = { name: 'ops', password: 'a long password' };
    for (let made = 0; made < limits.signInTriesPerMinute; made++) {
      expect((await askJson(open, 'POST', '/api/v1/session', body)).status).toBe(200);
    }
    for (const [path, asked] of [
      ['/api/v1/session', body],
      ['/api/v1/session/link', { code: 'x' }],
    ] as const) {
      const got = await askJson(open, 'POST', path, asked);
      expect([got.status, problemOf(got).code]).toEqual([429, 'too_many']);
      const seconds = Number(got.headers['retry-after']);
      expect(seconds).toBeGreaterThan(30);
      expect(problemOf(got).detail).toMatch(/the next one is possible in \d\d seconds\.$/);
    }
  });

  test('a second door of the same node is no second chance', async () => {
    const throttle = makeThrottle(10, 100);
    const [one, other] = [await publicDoor({ throttle }), await publicDoor({ throttle })];
    const body = { name: 'ops', password: 'a long password' };
    for (let made = 0; made < 10; made++) await askJson(one, 'POST', '/api/v1/session', body);
    expect((await askJson(other, 'POST', '/api/v1/session', body)).status).toBe(429);
    await one.close();
    await other.close();
  });
});
