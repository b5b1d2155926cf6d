/** How another authority takes the place of the one that signs: each step waits for all who have to follow. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { AuthorityCertificate, Entry, Fact } from '../../../node-runtime/contract/facts.ts';
import { foundingCharter } from '../../../node-runtime/core/cluster/charter.ts';
import {
  type Authorities,
  applyToAuthorities,
  awaited,
  decideRotate,
  type Follower,
  nextStep,
} from '../../../node-runtime/core/members/authority.ts';
import {
  applyToMembers,
  authorityStep,
  decideTold,
  emptyMembers,
  loadMembers,
  type Members,
  notFollowed,
  saveMembers,
} from '../../../node-runtime/core/members/members.ts';

const founding = foundingCharter({ node: 'n-1', store: 's1' }, 0);
const entry = (fact: Fact, index = 1): Entry => ({
  ...{ term: founding.term, index, at: 7, by: 'user:ada', via: 'atlas', fact },
});
const cert = (name: string): AuthorityCertificate => ({ fingerprint: name, cert: `PEM of ${name}` });
const added = (before = 'old', next = 'new'): Authorities | null =>
  applyToAuthorities(null, entry({ kind: 'authorityAdded', before: cert(before), next: cert(next) }));
const follower = (id: string, issuer: string, authorities: string[], keeps: string[] = [], isController = false) => ({
  ...{ id, isController, trust: { issuer, authorities, keeps } },
});

it('begins with both trusted and the old one signing', () => {
  expect(added()).toEqual({
    ...{ trusted: [cert('old'), cert('new')], issuing: 'old', step: 'added', at: 7, by: 'user:ada' },
  });
});

it('waits for those who do not trust the new one, have not told, or are controllers without its key', () => {
  const both = ['old', 'new'];
  const members: Follower[] = [
    follower('n-1', 'old', both, both, true),
    follower('n-2', 'old', both, ['old'], true),
    follower('n-3', 'old', ['old']),
    follower('n-4', 'old', both),
    { id: 'n-5', isController: false },
  ];
  expect(awaited(added(), members)).toEqual(['n-2', 'n-3', 'n-5']);
  expect(nextStep(added(), members)).toEqual([]);
  expect(nextStep(added(), [members[0]!, members[3]!])).toEqual([{ kind: 'authorityTurned' }]);
});

it('lets the old one go when all have a certificate by the new one', () => {
  const turned = applyToAuthorities(added(), entry({ kind: 'authorityTurned' }));
  expect(turned).toMatchObject({ issuing: 'new', step: 'turned' });
  const [late, done] = [follower('n-1', 'old', ['old', 'new']), follower('n-2', 'new', ['new', 'old'])];
  expect(awaited(turned, [late, done])).toEqual(['n-1']);
  expect(nextStep(turned, [done])).toEqual([{ kind: 'authoritySettled' }]);
  const settled = applyToAuthorities(turned, entry({ kind: 'authoritySettled' }));
  expect(settled).toMatchObject({ trusted: [cert('new')], issuing: 'new', step: 'settled' });
  expect([awaited(settled, [late]), nextStep(settled, [late])]).toEqual([[], []]);
});

it('may be begun anew until the new one signs, then only when it is over', () => {
  expect(decideRotate(null, cert('old'), cert('new'))).toMatchObject({ facts: [{ kind: 'authorityAdded' }] });
  expect(decideRotate(added(), cert('old'), cert('newer'))).toMatchObject({ facts: [{ kind: 'authorityAdded' }] });
  const turned = applyToAuthorities(added(), entry({ kind: 'authorityTurned' }));
  expect(decideRotate(turned, cert('new'), cert('newer'))).toMatchObject({ code: 'authority_changing' });
  const settled = applyToAuthorities(turned, entry({ kind: 'authoritySettled' }));
  expect(decideRotate(settled, cert('old'), cert('newer'))).toMatchObject({ code: 'authority_changing' });
  expect(decideRotate(settled, cert('new'), cert('newer'))).toMatchObject({ facts: [{ kind: 'authorityAdded' }] });
});

/** A cluster of three, told of by its entries alone. */
function cluster(): { members: Members; apply: (fact: Fact) => void } {
  const members = emptyMembers();
  let index = 0;
  const apply = (fact: Fact): void => void applyToMembers(members, entry(fact, ++index));
  apply({ kind: 'clusterFounded', cluster: 'c-1', name: 'lab', node: 'n-1', nodeName: 'atlas' });
  for (const node of ['n-2', 'n-3'])
    apply({
      ...{ kind: 'nodeJoined', node, store: `s-${node}`, name: node, duties: ['worker'], addresses: [], slots: 1 },
      ...{ speaks: 1, program: '1', invite: '', key: `key of ${node}` },
    });
  return { members, apply };
}

it('keeps the key a node joined with, whatever it says later', () => {
  const { members, apply } = cluster();
  expect(decideTold(members, 'n-2', { key: 'another' })).toEqual([]);
  expect(decideTold(members, 'n-1', { key: 'its own' })).toEqual([
    { kind: 'nodeChanged', node: 'n-1', key: 'its own' },
  ]);
  apply({ kind: 'nodeChanged', node: 'n-1', key: 'its own' });
  expect(decideTold(members, 'n-1', { key: 'another' })).toEqual([]);
});

it('ends open invites when another authority signs, and is kept in snapshots', () => {
  const { members, apply } = cluster();
  apply({ kind: 'inviteMade', id: 'i', hash: 'h', duties: ['worker'], expiresAt: 10 });
  apply({ kind: 'authorityAdded', before: cert('old'), next: cert('new') });
  expect(members.invites.size).toBe(1);
  apply({ kind: 'authorityTurned' });
  expect(members.invites.size).toBe(0);
  expect(loadMembers(JSON.parse(JSON.stringify(saveMembers(members))))).toEqual(members);
});

it('no longer waits for a node that was removed', () => {
  const { members, apply } = cluster();
  apply({ kind: 'authorityAdded', before: cert('old'), next: cert('new') });
  const trust = { issuer: 'old', authorities: ['old', 'new'], keeps: ['old', 'new'] };
  for (const node of ['n-1', 'n-2']) apply({ kind: 'nodeChanged', node, trust });
  expect([notFollowed(members), authorityStep(members)]).toEqual([['n-3'], []]);
  apply({ kind: 'nodeRemoved', node: 'n-3' });
  expect(authorityStep(members)).toEqual([{ kind: 'authorityTurned' }]);
});

it('no member is shown a certificate by an authority that it does not trust, in whatever order they follow', () => {
  const names = ['n-1', 'n-2', 'n-3'];
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...names), fc.boolean()), { maxLength: 60 }), (acts) => {
      const { members, apply } = cluster();
      apply({ kind: 'authorityAdded', before: cert('old'), next: cert('new') });
      const nodes = new Map(names.map((name) => [name, { issuer: 'old', trusts: ['old'] }]));
      for (const [name, renews] of acts) {
        const node = nodes.get(name)!;
        const { trusted, issuing } = members.authorities!;
        // It follows what the cluster says, in one of the two things that it does about it.
        if (renews && node.trusts.includes(issuing)) node.issuer = issuing;
        else node.trusts = [...new Set([...trusted.map((one) => one.fingerprint), node.issuer])];
        apply({
          ...{ kind: 'nodeChanged', node: name },
          trust: { issuer: node.issuer, authorities: node.trusts, keeps: node.trusts },
        });
        for (const fact of authorityStep(members)) apply(fact);
        for (const one of nodes.values())
          for (const other of nodes.values()) expect(one.trusts, JSON.stringify([...nodes])).toContain(other.issuer);
      }
    }),
  );
});
