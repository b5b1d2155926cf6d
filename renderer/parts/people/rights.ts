/**
 * Rights in a sandbox, in words, and what a change of the list would mean for
 * whom. The node decides who may what; this only explains.
 */
import type { Right, RightsEntry, Role, Token, User } from '../../../node-runtime/contract/model.ts';
import { plural } from '../../kit/words.ts';

export const allRights: readonly Right[] = ['read', 'write', 'execute'];
/** Heads of columns. */
export const rightVerbs: Record<Right, string> = { read: 'Look', write: 'Change files', execute: 'Launch' };
const verbs: Record<Right, string> = { read: 'read', write: 'change files', execute: 'launch' };

/** ['read', 'write'] → "read and change files". */
export function sayRights(may: readonly Right[]): string {
  const words = allRights.filter((right) => may.includes(right)).map((right) => verbs[right]);
  return words.length < 2 ? (words[0] ?? 'nothing') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** Nothing is done without looking: who may not look may nothing, who may anything may look. */
export function ticked(may: readonly Right[], right: Right, on: boolean): Right[] {
  if (!on) return right === 'read' ? [] : may.filter((one) => one !== right);
  return allRights.filter((one) => one === 'read' || one === right || may.includes(one));
}

/** A name in the list, as people say it; `long`: as a choice, where it stands alone. */
export function sayListed(who: string, tokens: readonly Token[], long = false): string {
  if (who === 'everyone') return 'Everyone';
  if (who.startsWith('user:')) return who.slice(5);
  const token = tokens.find(({ id }) => id === who.slice(6));
  const label = token?.label || who.slice(6);
  return long ? `${label} (token)` : `token ${label}`;
}

export function roleOf(who: string, users: readonly User[], tokens: readonly Token[]): Role | undefined {
  return who.startsWith('user:')
    ? users.find(({ name }) => name === who.slice(5))?.role
    : tokens.find(({ id }) => id === who.slice(6))?.role;
}

/** Those who look at it by this list, of people and programs that are no administrators. */
function readersOf(list: readonly RightsEntry[] | null, users: readonly User[], tokens: readonly Token[]): string[] {
  const all = [
    ...users.filter(({ role }) => role !== 'admin').map(({ name }) => `user:${name}`),
    ...tokens.filter(({ role, scope }) => role !== 'admin' && !scope).map(({ id }) => `token:${id}`),
  ];
  const reads = (who: string): boolean =>
    list === null ||
    list.some((entry) => (entry.who === 'everyone' || entry.who === who) && entry.may.includes('read'));
  return all.filter(reads);
}

const NAMED_MAX = 4;

/** What a person has to know before the list is saved; null: nobody loses sight of it. */
export function meaningOf(
  sandbox: string,
  before: readonly RightsEntry[] | null,
  after: readonly RightsEntry[] | null,
  users: readonly User[],
  tokens: readonly Token[],
): { tone: 'alarm' | 'warn'; title: string; text: string } | null {
  if (after && !after.some((entry) => entry.may.includes('read'))) {
    return {
      tone: 'alarm',
      title: `Nobody but administrators will see ${sandbox}`,
      text: 'Its files and its runs vanish for everybody else, also for those who work with it now. Runs go on.',
    };
  }
  const still = new Set(readersOf(after, users, tokens));
  const lost = readersOf(before, users, tokens).filter((who) => !still.has(who));
  if (lost.length === 0) return null;
  const named = lost.slice(0, NAMED_MAX).map((who) => sayListed(who, tokens));
  const more = lost.length - named.length;
  const names = more > 0 ? `${named.join(', ')} and ${more} more` : sayList(named);
  return {
    tone: 'warn',
    title: `${plural(lost.length, 'person or program', 'people and programs')} will no longer see ${sandbox}`,
    text: `${names}: not in lists, not by name, nor any of its runs. What they launched goes on.`,
  };
}

const sayList = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
