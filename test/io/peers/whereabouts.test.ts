/** Where nodes were last met: what one says of itself goes before what others say of it. */
import { expect, it } from 'vitest';
import type { Directory } from '../../../node-runtime/contract/peer-messages.ts';
import { makeWhereabouts } from '../../../node-runtime/whereabouts.ts';

const directory = {
  ...{ era: 0, position: 1, clusterName: 'lab' },
  nodes: [
    { id: 'a', name: 'atlas', duties: [], addresses: ['old:1'] },
    { id: 'b', name: 'borea', duties: [], addresses: [] },
  ],
} as Directory;

it('an old word of another node does not take the place of a newer one', () => {
  const where = makeWhereabouts();
  expect(where.told('a', ['new:2'])).toBe(true);
  expect(where.heard([{ node: 'a', addresses: ['old:1'] }])).toBe(true);
  expect(where.membersOf(directory, 'b')).toEqual([{ node: 'a', addresses: ['new:2', 'old:1'] }]);
  expect(where.told('a', ['new:2'])).toBe(false);
  expect(where.heard([{ node: 'a', addresses: ['old:1', 'new:2'] }])).toBe(false);
});

it('only what a node said itself is passed on, so that old words die out', () => {
  const where = makeWhereabouts();
  where.heard([{ node: 'a', addresses: ['somewhere:3'] }]);
  where.told('b', ['there:4']);
  expect(where.hints('c', ['here:5']).nodes).toEqual([
    { node: 'b', addresses: ['there:4'] },
    { node: 'c', addresses: ['here:5'] },
  ]);
});

it('keeps few of what it only heard', () => {
  const where = makeWhereabouts();
  for (let place = 0; place < 50; place++) where.heard([{ node: 'b', addresses: [`x:${place}`] }]);
  expect(where.membersOf(directory, 'a')[0]?.addresses).toEqual(['x:49', 'x:48', 'x:47', 'x:46']);
});
