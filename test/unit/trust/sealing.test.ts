import { describe, expect, it } from 'vitest';
import {
  isSecretsKey,
  keyedHash,
  keyIdOf,
  makeSecretsKey,
  openSealed,
  seal,
  sealedBy,
} from '../../../node-runtime/io/trust/sealing.ts';

const key = makeSecretsKey();
const of = { cluster: 'c-1', name: 'DB_PASSWORD', version: 3 };

describe('a sealed secret', () => {
  it('opens under its key, for what it was sealed for, and shows nothing of the value', () => {
    const sealed = seal(key, 'hunter2 für alle', of);
    expect(openSealed(key, sealed, of)).toBe('hunter2 für alle');
    expect(sealed).not.toContain('hunter2');
    expect(sealedBy(sealed)).toBe(keyIdOf(key));
  });

  it('is another text each time', () => {
    expect(seal(key, 'the same', of)).not.toBe(seal(key, 'the same', of));
  });

  it.each([
    ['another cluster', { ...of, cluster: 'c-2' }],
    ['another name', { ...of, name: 'DB_PASSWORD2' }],
    ['another version', { ...of, version: 4 }],
  ])('does not open for %s', (_, other) => {
    expect(openSealed(key, seal(key, 'hunter2', of), other)).toBeNull();
  });

  it('does not open under another key, changed in any letter, or cut', () => {
    const sealed = seal(key, 'hunter2', of);
    expect(openSealed(makeSecretsKey(), sealed, of)).toBeNull();
    for (let at = 0; at < sealed.length; at++) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
      // The last letter may hold bits that belong to no byte.
      if (at < sealed.length - 1) expect(openSealed(key, changed, of), String(at)).toBeNull();
      expect(openSealed(key, sealed.slice(0, at), of)).toBeNull();
    }
    expect(openSealed(key, '', of)).toBeNull();
  });
});

describe('the key of the secrets', () => {
  it('is 256 random bits, and named by a number that does not tell it', () => {
    expect(isSecretsKey(key)).toBe(true);
    expect(makeSecretsKey()).not.toBe(key);
    expect(key).not.toContain(keyIdOf(key));
    for (const wrong of ['', 'ab', `${key}0`, key.toUpperCase().replace(/\d/g, 'A'), null])
      expect(isSecretsKey(wrong)).toBe(false);
  });

  it('makes hashes that are equal for equal texts and of no use without it', () => {
    expect(keyedHash(key, 'a')).toBe(keyedHash(key, 'a'));
    expect(keyedHash(key, 'a')).not.toBe(keyedHash(key, 'b'));
    expect(keyedHash(key, 'a')).not.toBe(keyedHash(makeSecretsKey(), 'a'));
  });
});
