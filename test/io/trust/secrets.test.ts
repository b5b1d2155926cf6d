/** Passwords and tokens: they fit or they don't, nothing stored opens a door, and guessing is bounded. */
import { createHash, scryptSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { hashPassword, verifyPassword } from '../../../node-runtime/io/trust/passwords.ts';
import { makeToken, parseToken } from '../../../node-runtime/io/trust/tokens.ts';

const hashed = async (password: string): Promise<string> => {
  const hash = await hashPassword(password);
  if (typeof hash !== 'string') throw new Error(hash.detail);
  return hash;
};

describe('passwords', () => {
  test('fit what was stored, others do not', async () => {
    const stored = await hashed('correct horse');
    expect(stored).toMatch(/^scrypt\$17\$8\$1\$[A-Za-z0-9_-]{22}\$[A-Za-z0-9_-]{43}$/);
    expect(await verifyPassword('correct horse', stored)).toBe(true);
    expect(await verifyPassword('correct horsf', stored)).toBe(false);
    expect(await verifyPassword('', stored)).toBe(false);
  });

  test('are stored as plain scrypt, so that another program could check them', async () => {
    const [, , , , salt, hash] = (await hashed('correct horse')).split('$');
    const again = scryptSync('correct horse', Buffer.from(salt!, 'base64url'), 32, {
      N: 2 ** 17,
      r: 8,
      p: 1,
      maxmem: 2 ** 28,
    });
    expect(again.toString('base64url')).toBe(hash);
  });

  test('that are equal are stored differently', async () => {
    expect(await hashed('correct horse')).not.toBe(await hashed('correct horse'));
  });

  test('written on another keyboard still fit', async () => {
    expect(await verifyPassword('pa\u0073\u0308wort', await hashed('pa\u0073\u0308wort'.normalize('NFC')))).toBe(true);
    expect(await verifyPassword('caf\u00e9 noir', await hashed('cafe\u0301 noir'))).toBe(true);
  });

  test('of nobody never fit, and cost the same work', async () => {
    const stored = await hashed('correct horse');
    const cost = async (against: string | null): Promise<number> => {
      const start = process.cpuUsage().user;
      expect(await verifyPassword('wrong horse', against)).toBe(false);
      return process.cpuUsage(undefined).user - start;
    };
    const [known, unknown] = [await cost(stored), await cost(null)];
    expect(unknown / known).toBeGreaterThan(0.4);
    expect(unknown / known).toBeLessThan(2.5);
  });

  test.each(['', 'plain', 'scrypt$17$8$1$short$short', `scrypt$40$8$1$${'a'.repeat(22)}$${'a'.repeat(43)}`])(
    'a stored hash %j that cannot be read is a fault, not a yes',
    async (stored) => {
      await expect(verifyPassword('x', stored)).rejects.toThrow(/stored password hash/);
    },
  );

  test('more at once than the bound are refused, the others are answered, and later ones again', async () => {
    const max = limits.passwordHashesAtOnce + limits.passwordHashesWaitingMax;
    // Small ones, so that the queue is tried and not the machine.
    const stored = `scrypt$10$8$1$${'a'.repeat(22)}$${'a'.repeat(43)}`;
    const results = await Promise.all(Array.from({ length: max + 3 }, () => verifyPassword('x', stored)));
    expect(results.filter((one) => one === false)).toHaveLength(max);
    expect(results.slice(max)).toEqual(Array(3).fill(expect.objectContaining({ code: 'too_many' })));
    expect(await verifyPassword('x', stored)).toBe(false);
  });
});

describe('tokens', () => {
  test('show their id; only a hash of them is kept', () => {
    const { secret, hash } = makeToken('k3f9');
    expect(secret).toMatch(/^bnc_k3f9_[A-Za-z0-9_-]{43}$/);
    expect(hash).toBe(createHash('sha256').update(secret).digest('hex'));
    expect(parseToken(secret)).toEqual({ id: 'k3f9', hash });
  });

  test('are never made twice', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => makeToken('a').secret)).size).toBe(1_000);
  });

  test.each([
    '',
    'bnc',
    'bnc_a_short',
    `xnc_a_${'a'.repeat(43)}`,
    `bnc__${'a'.repeat(43)}`,
    `bnc_a_${'a'.repeat(44)}`,
    `bnc_a_${'a'.repeat(43)}\n`,
  ])('%j is no token', (text) => {
    expect(parseToken(text)).toBeNull();
  });

  test.each(['', 'a_b', 'a b', 'ä', 'x'.repeat(65)])('%j can be no id', (id) => {
    expect(() => makeToken(id)).toThrow(/broken promise/);
  });
});
