/** Rights as they are typed on the command line. */
import { describe, expect, it } from 'vitest';
import { entryOf, rightsInLetters, scopeOf } from '../../../node-runtime/io/cli/rights-words.ts';

describe('rights as they are typed', () => {
  it.each([
    ['everyone:r', { who: 'everyone', may: ['read'] }],
    ['user:ops:xwr', { who: 'user:ops', may: ['read', 'write', 'execute'] }],
    ['token:4f1c22aa90be:rx', { who: 'token:4f1c22aa90be', may: ['read', 'execute'] }],
    ['user:eva:-', { who: 'user:eva', may: [] }],
  ])('%s is read', (text, entry) => {
    expect(entryOf(text)).toEqual(entry);
  });

  it.each(['everyone', 'everyone:', 'everyone:q', 'ops:r', 'user:ops', ':r', 'everyone:rwxr', ''])(
    '%j is refused with how it is written',
    (text) => {
      expect(() => entryOf(text)).toThrow(/is no name with rights|is neither everyone/);
    },
  );

  it('of a token name sandboxes, and need r', () => {
    expect(scopeOf(['lab:rx'])).toEqual({ sandboxes: [{ name: 'lab', may: ['read', 'execute'] }] });
    expect(() => scopeOf(['lab:x'])).toThrow('without r');
    expect(rightsInLetters(['execute', 'read'])).toBe('rx');
    expect(rightsInLetters([])).toBe('-');
  });
});
