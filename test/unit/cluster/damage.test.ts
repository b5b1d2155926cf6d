/** S34: what can't be read of a journal, and who may be copied anew. */
import { describe, expect, it } from 'vitest';
import { foundingCharter, noCharter } from '../../../node-runtime/core/cluster/charter.ts';
import { canBeCopiedAnew } from '../../../node-runtime/core/cluster/memory.ts';
import { foundingRegister } from '../../../node-runtime/core/cluster/register.ts';
import { examine } from '../../../node-runtime/core/journal/tail.ts';
import { simChain } from '../../simulation/world.ts';

const base = { index: 0, term: noCharter.term, chain: '0' };
const term = { era: 0, number: 1, node: 'ctl-a' };
function journal(count: number) {
  let chain = base.chain;
  return [...Array(count).keys()].map((place) => {
    chain = simChain(chain, term, place + 1, `entry ${place}`);
    return { index: place + 1, term, text: `entry ${place}`, chain };
  });
}
const flipped = (count: number, index: number) =>
  journal(count).map((one) => (one.index === index ? { ...one, text: 'flipped' } : one));

describe('a journal', () => {
  it('is whole when every entry continues the chain', () => {
    expect(examine(base, journal(5), 5, simChain)).toEqual({ verdict: 'whole', good: 5 });
  });
  it('is torn where it breaks after what was reported as saved', () => {
    expect(examine(base, flipped(5, 5), 4, simChain)).toEqual({ verdict: 'torn', good: 4 });
  });
  it('is damaged where it breaks in what was reported as saved, at the end too', () => {
    expect(examine(base, flipped(5, 3), 5, simChain)).toEqual({ verdict: 'damaged', good: 2 });
    expect(examine(base, flipped(5, 5), 5, simChain)).toEqual({ verdict: 'damaged', good: 4 });
    expect(examine(base, journal(4), 5, simChain), 'an entry is missing').toEqual({ verdict: 'damaged', good: 4 });
  });
  it('may be thrown away for a copy only by a node that was not the only one to write', () => {
    const self = { node: 'ctl-a', store: 's1' };
    const alone = foundingCharter(self, 0);
    expect(canBeCopiedAnew(foundingRegister('lab', self, alone))).toBe(false);
    expect(canBeCopiedAnew(foundingRegister('lab', self, { ...alone, writeSet: ['ctl-a#s1', 'ctl-b#s2'] }))).toBe(true);
  });
});
