/** P35: whom a worker obeys, and that an attempt starts once. */
import { describe, expect, it } from 'vitest';
import type { Term } from '../../../node-runtime/contract/facts.ts';
import {
  type FenceEffect,
  type FenceEvent,
  fenceStep,
  freshFence,
  type Worker,
  wakeWorker,
} from '../../../node-runtime/core/cluster/fence.ts';

const term = (number: number, node = 'ctl-a'): Term => ({ era: 0, number, node });
const lead = (number: number) => ({ cluster: 'lab', term: term(number), lineage: null });
const start = (attempt: string, termNumber: number, more: { number?: number; until?: number; now?: number } = {}) =>
  ({ event: 'startAsked', attempt, ...lead(termNumber), ...more }) satisfies FenceEvent;
const names = (effects: FenceEffect[]): string[] => effects.map((one) => one.effect);

/** Steps, and tells at once that all is saved. */
function saved(worker: Worker, event: FenceEvent, now?: number): FenceEffect[] {
  const effects = fenceStep(worker, event);
  const saves = effects.filter((one) => one.effect === 'saveFence').length;
  for (let place = 0; place < saves; place++)
    effects.push(...fenceStep(worker, { event: 'saved', ...(now !== undefined && { now }) }));
  return effects;
}
const fresh = (): Worker => wakeWorker(freshFence('lab'));

describe('a worker', () => {
  it('saves a higher term before it obeys, and refuses a lower one afterwards', () => {
    const worker = fresh();
    expect(names(fenceStep(worker, { event: 'greeted', ...lead(2) }))).toEqual(['saveFence']);
    expect(names(fenceStep(worker, { event: 'saved' }))).toEqual(['tellAttempts']);
    expect(names(fenceStep(worker, { event: 'greeted', ...lead(1) }))).toEqual(['refuse']);
  });

  it('names what has to be saved, and only that', () => {
    const worker = fresh();
    const changes = (event: FenceEvent) =>
      saved(worker, event).flatMap((one) => (one.effect === 'saveFence' ? [one.changed] : []));
    expect(changes({ event: 'greeted', ...lead(1) })).toEqual([{ fence: true, attempts: [] }]);
    expect(changes(start('x', 1))).toEqual([{ fence: false, attempts: ['x'] }]);
    expect(changes(start('x', 1))).toEqual([]);
    expect(changes(start('y', 2))).toEqual([{ fence: true, attempts: ['y'] }]);
    expect(changes({ event: 'ended', attempt: 'x' })).toEqual([{ fence: false, attempts: ['x'] }]);
    expect(changes({ event: 'forgotten', attempt: 'x', number: 4, ...lead(2) })).toEqual([
      { fence: true, attempts: ['x'] },
    ]);
    expect(Object.keys(worker.fence.attempts)).toEqual(['y']);
  });

  it('starts an attempt once, also when it is asked again while it is being saved', () => {
    const worker = fresh();
    expect(names(fenceStep(worker, start('x', 1)))).toEqual(['saveFence']);
    expect(names(fenceStep(worker, start('x', 1)))).toEqual([]);
    expect(names(fenceStep(worker, { event: 'saved' }))).toEqual(['start', 'tellAttempts', 'tellAttempts']);
  });

  it('does not start again what it was told to forget, when an older order comes late', () => {
    const worker = fresh();
    saved(worker, start('x', 1, { number: 3 }));
    saved(worker, { event: 'ended', attempt: 'x' });
    saved(worker, { event: 'forgotten', attempt: 'x', number: 7, ...lead(1) });
    expect(names(saved(worker, start('x', 1, { number: 5 })))).toEqual(['refuse']);
    const again = wakeWorker(structuredClone(worker.fence));
    expect(names(saved(again, start('x', 1, { number: 5 }))), 'also after a restart').toEqual(['refuse']);
    expect(names(saved(worker, start('y', 1, { number: 8 })))).toContain('start');
  });

  it('starts nothing whose lease is over, before the save or after it', () => {
    const worker = fresh();
    expect(names(saved(worker, start('x', 1, { until: 100, now: 100 })))).toEqual(['refuse']);
    expect(names(saved(worker, start('x', 1, { until: 100, now: 50 }), 120))).toEqual([
      'saveFence',
      'notStarted',
      'tellAttempts',
    ]);
    expect(worker.fence.attempts['x']?.state).toBe('ended');
    expect(names(saved(worker, start('y', 1, { until: 300, now: 150 }), 160))).toContain('start');
  });

  it('P32: obeys no older lineage whatever its term, and a newer one after who had only heard of its era', () => {
    const worker = fresh();
    const of = (number: number, era: number, claim: string): FenceEvent => ({
      ...{ event: 'greeted', cluster: 'lab', term: { era: 4, number, node: 'ctl-a' }, lineage: { era, claim } },
    });
    expect(names(saved(worker, of(3, 3, 'older')))).toEqual(['saveFence', 'tellAttempts']);
    expect(names(saved(worker, of(5, 4, 'one')))).toEqual(['saveFence', 'tellAttempts']);
    expect(saved(worker, of(6, 4, 'other'))).toMatchObject([
      { effect: 'refuse', why: 'another claim of this era is obeyed here' },
    ]);
    expect(saved(worker, of(9, 3, 'older'))).toMatchObject([{ effect: 'refuse', why: 'a newer era is obeyed here' }]);
    expect(names(saved(worker, of(9, 5, 'chosen')))).toEqual(['saveFence', 'tellAttempts']);
  });

  it('tells that an attempt never started when a newer term came between its save and its start', () => {
    const worker = fresh();
    fenceStep(worker, start('x', 1));
    fenceStep(worker, { event: 'greeted', ...lead(2) });
    fenceStep(worker, { event: 'saved' });
    expect(names(fenceStep(worker, { event: 'saved' }))).toEqual(['notStarted', 'refuse', 'tellAttempts']);
  });
});
