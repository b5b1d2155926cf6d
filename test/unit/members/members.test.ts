/** P31: a confirmed loss, seen by what it leaves in the journal. */
import { expect, it } from 'vitest';
import type { Charter, Entry, Fact } from '../../../node-runtime/contract/facts.ts';
import { foundingCharter } from '../../../node-runtime/core/cluster/charter.ts';
import { applyToMembers, emptyMembers, loadMembers, saveMembers } from '../../../node-runtime/core/members/members.ts';

const founding = foundingCharter({ node: 'n-1', store: 's1' }, 0);
const entry = (index: number, fact: Fact): Entry => ({
  ...{ term: founding.term, index, at: 0, by: 'node', via: 'atlas', fact },
});
const activated = (number: number, more: Partial<Charter>): Fact => ({
  kind: 'activated',
  charter: { ...founding, term: { era: 1, number, node: 'n-1' }, ...more },
});

it('workers are to be read after a claim whose own charter was decided and never acted, and once', () => {
  const members = emptyMembers();
  const apply = (index: number, fact: Fact): boolean => applyToMembers(members, entry(index, fact));
  apply(1, { kind: 'clusterFounded', cluster: 'c-1', name: 'lab', node: 'n-1', nodeName: 'atlas' });
  apply(2, activated(1, {}));
  expect(members).toMatchObject({ unread: null, claimed: null });
  apply(3, activated(3, { lastClaim: 'claim-1' }));
  const claimed = { claim: 'claim-1', term: { era: 1, number: 3, node: 'n-1' } };
  expect(members).toMatchObject({ unread: { since: 3, workers: ['n-1'] }, claimed });
  members.unread = null;
  apply(9, activated(4, { lastClaim: 'claim-1' }));
  expect(members).toMatchObject({ unread: null, claimed });
  expect(loadMembers(JSON.parse(JSON.stringify(saveMembers(members))))).toEqual(members);
});
