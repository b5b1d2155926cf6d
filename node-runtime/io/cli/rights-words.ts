/**
 * Rights as they are typed and printed: `r`, `w` and `x` for read, write and
 * execute, after the name they are of: `everyone:r`, `user:ops:rwx`, `lab:rx`.
 */
import type { Right, RightsEntry, TokenScope } from '../../contract/model.ts';
import { misused } from './failure.ts';

const letters: [letter: string, right: Right][] = [
  ['r', 'read'],
  ['w', 'write'],
  ['x', 'execute'],
];
const HOW = 'Rights are letters: r to read, w to change files, x to launch and cancel; - for nothing.';

export const rightsInLetters = (may: readonly Right[]): string =>
  letters.flatMap(([letter, right]) => (may.includes(right) ? [letter] : [])).join('') || '-';

/** `NAME:rwx` in its two parts; throws what was mistyped. */
function typed(text: string): { name: string; may: Right[] } {
  const at = text.lastIndexOf(':');
  const [name, rights] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || !/^([rwx]{1,3}|-)$/.test(rights)) throw misused(`"${text}" is no name with rights after it.`, HOW);
  return { name, may: letters.flatMap(([letter, right]) => (rights.includes(letter) ? [right] : [])) };
}

/** `everyone:r`, `user:NAME:rwx`, `token:ID:rx`. */
export function entryOf(text: string): RightsEntry {
  const { name, may } = typed(text);
  if (name !== 'everyone' && !/^(user|token):./.test(name))
    throw misused(`"${name}" is neither everyone nor user:NAME nor token:ID.`, HOW);
  return { who: name, may };
}

/** `NAME:rx` of each sandbox that a token is limited to. */
export function scopeOf(texts: readonly string[]): TokenScope {
  const sandboxes = texts.map((text) => {
    const { name, may } = typed(text);
    if (!may.includes('read')) throw misused(`"${text}" gives nothing: without r no other right counts.`, HOW);
    return { name, may };
  });
  return { sandboxes };
}
