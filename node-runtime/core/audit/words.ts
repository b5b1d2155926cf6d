/** What all sentences of the audit are made with. */
import type { Entry, Fact } from '../../contract/facts.ts';
import type { AuditArea, AuditRow } from '../../contract/model.ts';
import type { Replicated } from '../replicated.ts';

export type Change = AuditRow['changes'][number];
export type Told = {
  area: AuditArea;
  act: string;
  subject: string;
  sentence: string;
  changes?: (Change | null)[];
  /** Who it was, where the entry was written by a node for somebody. */
  by?: string;
};
export type Of<K extends Fact['kind']> = Extract<Fact, { kind: K }>;

export const nameOf = (state: Replicated, node: string): string => state.members.nodes.get(node)?.name ?? node;

/** Sentences of the protocol name nodes by id. */
export const withNames = (state: Replicated, words: string): string =>
  words.replace(/\bn-[0-9a-f]{10}\b/g, (node) => nameOf(state, node));

export const dutiesText = (duties: string[]): string => duties.join(' and ') || 'no duty';
export const yesNo = (value: boolean | undefined): string | undefined =>
  value === undefined ? undefined : value ? 'yes' : 'no';
export const textOf = (value: unknown): string | undefined =>
  value === undefined || value === '' ? undefined : Array.isArray(value) ? value.join(', ') : String(value);
export const wordsOf = (changes: (Change | null)[]): string =>
  changes.flatMap((change) => (change ? [change.what] : [])).join(', ') || 'nothing';

/** Null where nothing is to be said: it is as it was. */
export function changed(what: string, before: string | undefined, after: string | undefined): Change | null {
  if (before === after) return null;
  return { what, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

/** As people call somebody. A token by its label, since its id says nothing in a year. */
export function whoOf(state: Pick<Replicated, 'access'>, { by, via }: Pick<Entry, 'by' | 'via'>): string {
  if (by.startsWith('user:')) return by.slice(5);
  if (by.startsWith('token:')) {
    const id = by.slice(6);
    const label = state.access.tokens.get(id)?.label;
    return label ? `token ${label}` : `token ${id}`;
  }
  if (by === 'desktop') return `desktop of ${via}`;
  return by === 'node' ? 'the cluster' : by;
}
