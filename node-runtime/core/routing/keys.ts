/**
 * Idempotency keys: the same key with the same request gets the same answer,
 * with another request a refusal, also after a restart (P36).
 *
 * A key is committed in the entry that did the work and kept for seven days;
 * where there are very many, the oldest go earlier (`limits`).
 * Keys of different callers are different keys.
 */

import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Entry, KeptAnswer } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';

/** In order of age, oldest first (a Map keeps insertion order). */
export type Keys = Map<string, KeptAnswer & { at: number }>;

const nameOf = (by: string, key: string): string => `${by}\n${key}`;

/** The kept answer, a refusal when the key meant something else, or null when it is new. */
export function answerOf(keys: Keys, by: string, key: string, request: string): KeptAnswer | Refusal | null {
  const kept = keys.get(nameOf(by, key));
  if (!kept) return null;
  if (kept.request === request) return kept;
  return refuse('key_reused', 'The key was used before for a request with another address or body.');
}

/** Folds an entry: remembers its key, forgets those older than seven days. */
export function applyToKeys(keys: Keys, entry: Entry): void {
  if (entry.key) keys.set(nameOf(entry.key.by, entry.key.key), { ...entry.key, at: entry.at });
  for (const [name, kept] of keys) {
    if (entry.at - kept.at <= limits.idempotencyKeepMs && keys.size <= limits.idempotencyKeysMax) break;
    keys.delete(name);
  }
}

export const saveKeys = (keys: Keys): unknown => [...keys.entries()];
export const loadKeys = (value: unknown): Keys => new Map(value as [string, KeptAnswer & { at: number }][]);
