/**
 * The hash chain over the journal, and the text forms that go into it.
 *
 * Pure. Each entry's chain covers the one before it, so equal index, term and
 * chain mean equal journals up to there (PROTOCOL sections 2 and 4, P16). The
 * caller makes the chain of new entries; the journal checks it when it appends
 * and when it reads. The form of the hashed text may never change.
 */
import { hash } from 'node:crypto';
import type { StoredEntry, Term } from '../../contract/facts.ts';

/** The chain before the first entry. */
export const chainStart = '0'.repeat(64);

export const termText = (term: Term): string => `${term.era}.${term.number}.${term.node}`;

/** hex sha-256 over previous chain, term, index and text, one a line. */
export const chainOf = (previousChain: string, term: Term, index: number, text: string): string =>
  hash('sha256', `${previousChain}\n${termText(term)}\n${index}\n${text}`, 'hex');

export const follows = (previous: { index: number; chain: string }, entry: StoredEntry): boolean =>
  entry.index === previous.index + 1 && entry.chain === chainOf(previous.chain, entry.term, entry.index, entry.text);
