/** The first screen's steps, and what a new node is suggested to be there for. */
import { describe, expect, it } from 'vitest';
import type { Duty } from '../../../node-runtime/contract/facts.ts';
import type { Discovered } from '../../../node-runtime/contract/model.ts';
import { mistakeInDuties, suggestDuties } from '../../../renderer/flows/duties.ts';
import { nearbyOf, sayProgress, sayWhoSays } from '../../../renderer/flows/setup.ts';

const heard = (cluster: string, name: string, role = 'worker', addresses = [`${name}:7400`]): Discovered => ({
  ...{ cluster, clusterName: `lab ${cluster}`, node: `n-${name}`, name, role, addresses },
  ...{ via: 'mdns', seenAt: '2030-01-02T03:04:05.000Z', relation: 'other' },
});

describe('clusters nearby', () => {
  it('are there once, and are asked at a controller first', () => {
    const found = nearbyOf([heard('b', 'bench'), heard('a', 'quay'), heard('b', 'atlas', 'controller')]);
    expect(found.map(({ name }) => name)).toEqual(['lab a', 'lab b']);
    expect(found[1]).toMatchObject({ nodes: ['atlas', 'bench'], address: 'atlas:7400,bench:7400' });
  });
  it('leave out typed addresses and nodes that cannot be asked', () => {
    expect(nearbyOf([heard('', 'typed'), heard('a', 'mute', 'worker', [])])).toEqual([]);
  });
  it('are not asked at endlessly many addresses', () => {
    const many = Array.from({ length: 30 }, (_, n) => heard('a', `n${n}`));
    expect(nearbyOf(many)[0]!.address.split(',')).toHaveLength(8);
  });
  it('say who says so', () => {
    expect(sayWhoSays(['a'])).toBe('a says so');
    expect(sayWhoSays(['a', 'b'])).toBe('a and b say so');
    expect(sayWhoSays(['a', 'b', 'c'])).toBe('a and 2 more say so');
  });
});

it('progress is said while there is only to wait', () => {
  expect((['founding', 'joining', 'asking', 'starting', 'done'] as const).every((step) => sayProgress(step))).toBe(
    true,
  );
  expect([sayProgress('choosing'), sayProgress('waiting')]).toEqual([null, null]);
});

describe('what a new node is suggested for', () => {
  const of = (...duties: Duty[][]) => suggestDuties(duties.map((each) => ({ duties: each })));
  it('is what the cluster lacks most: a second controller, a watch, then workers', () => {
    expect(of(['controller', 'worker']).duties).toEqual(['controller']);
    expect(of(['controller', 'worker'], ['controller']).duties).toEqual(['watch']);
    expect(of(['controller', 'worker'], ['controller'], ['watch']).duties).toEqual(['worker']);
    expect(of(['controller'], ['worker'], ['worker']).duties).toEqual(['controller']);
  });
  it('makes sense, and says why', () => {
    for (const one of [of([]), of(['controller'], ['controller']), of(['controller'], ['controller'], ['watch'])]) {
      expect(mistakeInDuties(new Set(one.duties))).toBeNull();
      expect(one.why).toMatch(/^Suggested because .+\.$/);
    }
  });
});
