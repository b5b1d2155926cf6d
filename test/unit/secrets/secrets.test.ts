/** Secrets as the journal keeps them: saved, renewed, removed, bounded; given to one node and one attempt only. */
import { describe, expect, it } from 'vitest';
import type { Entry, Fact, Plan } from '../../../node-runtime/contract/facts.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { secretsOfAttempt } from '../../../node-runtime/core/jobs/jobs.ts';
import {
  applyEntry,
  emptyReplicated,
  loadReplicated,
  type Replicated,
  saveReplicated,
} from '../../../node-runtime/core/replicated.ts';
import { lackOfSecrets, nextVersion, secretViews } from '../../../node-runtime/core/secrets/secrets.ts';
import { decide, type Wish } from '../../../node-runtime/core/wishes.ts';

const term = { era: 0, number: 1, node: 'n-a' };
function apply(state: Replicated, fact: Fact): void {
  const entry: Entry = { term, index: state.index + 1, at: 1_000 + state.index, by: 'user:ada', via: 'atlas', fact };
  applyEntry(state, entry);
}
const decided = (state: Replicated, wish: Wish) =>
  decide(state, wish, { now: 1_000, index: state.index + 1, random: 'abcd' });
function done(state: Replicated, wish: Wish): void {
  const decision = decided(state, wish);
  if ('code' in decision) throw new Error(decision.detail);
  for (const fact of decision.facts) apply(state, fact);
}
const save = (name: string, version = 1, more: { description?: string } = {}) =>
  ({ wish: 'saveSecret', name, version, sealed: `sealed ${name} ${version}`, ...more }) as const;
const codeOf = (decision: object): unknown => ('code' in decision ? decision.code : 'taken');

describe('a secret', () => {
  it('counts its versions, keeps its description, and is shown without its sealed text', () => {
    const state = emptyReplicated();
    done(state, save('DB', 1, { description: 'of the lab' }));
    done(state, save('DB', nextVersion(state.secrets, 'DB')));
    done(state, save('API'));
    const views = secretViews(state.secrets, new Map([['DB', ['r-1']]]));
    expect(views.map(({ name, version, runs }) => [name, version, runs])).toEqual([
      ['API', 1, []],
      ['DB', 2, ['r-1']],
    ]);
    expect(views[1]).toMatchObject({ description: 'of the lab', savedBy: 'user:ada' });
    expect(JSON.stringify(views)).not.toContain('sealed');
    done(state, save('DB', 3, { description: '' }));
    expect(secretViews(state.secrets, new Map())[1]).not.toHaveProperty('description');
  });

  it('sealed for another version than the next is not taken: somebody was faster', () => {
    const state = emptyReplicated();
    done(state, save('DB'));
    expect(codeOf(decided(state, save('DB', 1)))).toBe('too_many');
    expect(codeOf(decided(state, save('DB', 3)))).toBe('too_many');
  });

  it('that is removed is gone, and refused with the name that was meant', () => {
    const state = emptyReplicated();
    done(state, save('DB_PASSWORD'));
    expect(decided(state, { wish: 'removeSecret', name: 'DB_PASSWORT' })).toMatchObject({
      ...{ code: 'secret_unknown', detail: 'There is no secret DB_PASSWORT. Did you mean DB_PASSWORD?' },
    });
    done(state, { wish: 'removeSecret', name: 'DB_PASSWORD' });
    expect(lackOfSecrets(state.secrets, ['DB_PASSWORD', 'X'])?.detail).toContain('DB_PASSWORD, X');
  });

  it('is one of 200 at most', () => {
    const state = emptyReplicated();
    for (let count = 0; count < limits.secretsMax; count++) done(state, save(`S${count}`));
    expect(codeOf(decided(state, save('ONE_MORE')))).toBe('limit_reached');
    expect(codeOf(decided(state, save('S7', 2)))).toBe('taken');
  });

  it('is in snapshots; those of older versions have none', () => {
    const state = emptyReplicated();
    done(state, save('DB', 1, { description: 'of the lab' }));
    const text = saveReplicated(state);
    expect(saveReplicated(loadReplicated(text))).toBe(text);
    const { secrets: _, ...old } = JSON.parse(text);
    expect(loadReplicated(JSON.stringify(old)).secrets.size).toBe(0);
  });

  it('is told of in what happened, by name', () => {
    const state = emptyReplicated();
    done(state, save('DB'));
    done(state, save('DB', 2));
    done(state, { wish: 'removeSecret', name: 'DB' });
    expect(state.happened.map((one) => one.text)).toEqual([
      'Secret DB was saved by ada',
      'Secret DB has a new value, saved by ada',
      'Secret DB was removed by ada',
    ]);
  });
});

describe('a run that names secrets', () => {
  const plan: Plan = {
    name: 'job',
    format: 'job',
    tasks: [{ PGPASSWORD: 'DB' }, undefined].map((secrets, at) => ({
      ...{ id: `t${at}`, name: `t${at}`, needs: [], finally: false, run: { shell: 'true' }, environment: {} },
      ...{ workingDirectory: '', timeoutMs: null, attemptsMax: 2, retryDelayMs: 0, retryBackoff: 1 },
      ...{ continueOnError: false, ...(secrets ? { secrets } : {}) },
    })),
  };
  const launch = { wish: 'launch', sandbox: 'lab', path: 'x.job.yaml', revision: 0, parameters: {}, plan } as const;
  function lab(): Replicated {
    const state = emptyReplicated();
    apply(state, { kind: 'sandboxCreated', name: 'lab', storage: 'kept', description: '' });
    return state;
  }

  it('is launched when there are all, and refused when one is missing', () => {
    const state = lab();
    expect(decided(state, launch)).toMatchObject({ code: 'secret_unknown', detail: 'There is no secret DB.' });
    done(state, save('DB'));
    expect(codeOf(decided(state, launch))).toBe('taken');
  });

  it('gives what a task names to the node of its living attempt, and to no other node, attempt or task', () => {
    const state = lab();
    done(state, save('DB'));
    done(state, launch);
    const run = [...state.jobs.runs.keys()][0]!;
    const given = (node: string, task: string, number: number) =>
      secretsOfAttempt(state.jobs, node, { run, task, number });
    expect(given('n-b', 't0', 1)).toBeNull();
    apply(state, { kind: 'attemptPlaced', run, task: 't0', number: 1, node: 'n-b' });
    apply(state, { kind: 'attemptPlaced', run, task: 't1', number: 1, node: 'n-c' });
    expect(given('n-b', 't0', 1)).toEqual({ PGPASSWORD: 'DB' });
    expect(given('n-c', 't1', 1)).toEqual({});
    for (const [node, task, number] of [
      ['n-c', 't0', 1],
      ['n-b', 't1', 1],
      ['n-b', 't0', 2],
      ['n-b', 't9', 1],
    ] as const)
      expect(given(node, task, number)).toBeNull();
    expect(secretsOfAttempt(state.jobs, 'n-b', { run: 'r-0', task: 't0', number: 1 })).toBeNull();
    const end = { at: 1, state: 'failed', cause: 'exit', exitCode: 1, outputBytes: 0, outputCut: false } as const;
    apply(state, { kind: 'attemptEnded', run, task: 't0', number: 1, end, retryAt: 2 });
    expect(given('n-b', 't0', 1)).toBeNull();
    apply(state, { kind: 'attemptPlaced', run, task: 't0', number: 2, node: 'n-c' });
    expect([given('n-b', 't0', 2), given('n-c', 't0', 2)]).toEqual([null, { PGPASSWORD: 'DB' }]);
  });
});
