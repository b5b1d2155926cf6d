import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../node-runtime/contract/facts.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { answerOf, applyToKeys, type Keys, loadKeys, saveKeys } from '../../../node-runtime/core/routing/keys.ts';

const entry = (index: number, at: number, key?: Entry['key']): Entry => ({
  term: { era: 0, number: 1, node: 'a' },
  index,
  at,
  by: 'user:ops',
  via: 'atlas',
  ...(key ? { key } : {}),
  fact: { kind: 'cancelAsked', run: 'r-1' },
});
const kept = (key: string) => ({ key, by: 'user:ops', request: 'h1', status: 201, answer: { id: 'r-1' } });

describe('idempotency keys (P36)', () => {
  it('give the same request the same answer, another request a refusal, another caller nothing', () => {
    const keys: Keys = new Map();
    applyToKeys(keys, entry(1, 0, kept('k')));
    expect(answerOf(keys, 'user:ops', 'k', 'h1')).toMatchObject({ status: 201, answer: { id: 'r-1' } });
    expect(answerOf(keys, 'user:ops', 'k', 'h2')).toMatchObject({ code: 'key_reused' });
    expect(answerOf(keys, 'user:eve', 'k', 'h1')).toBeNull();
    expect(answerOf(keys, 'user:ops', 'other', 'h1')).toBeNull();
  });

  it('are kept for seven days, through a snapshot, and not longer', () => {
    let keys: Keys = new Map();
    applyToKeys(keys, entry(1, 0, kept('old')));
    applyToKeys(keys, entry(2, 1000, kept('new')));
    keys = loadKeys(JSON.parse(JSON.stringify(saveKeys(keys))));
    applyToKeys(keys, entry(3, limits.idempotencyKeepMs));
    expect(answerOf(keys, 'user:ops', 'old', 'h1')).not.toBeNull();
    applyToKeys(keys, entry(4, limits.idempotencyKeepMs + 1));
    expect(answerOf(keys, 'user:ops', 'old', 'h1')).toBeNull();
    expect(answerOf(keys, 'user:ops', 'new', 'h1')).not.toBeNull();
  });
});
