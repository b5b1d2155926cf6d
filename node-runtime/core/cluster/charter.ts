/**
 * Charters and who must agree to them.
 *
 * A charter says who is active, who must hold every entry, and who votes. Its
 * quorum is a majority of each of its voter sets (one set, or two while seats
 * change). Does not decide when to propose one: `ask.ts` does.
 *
 * A member of the write set is named with its memory, `node#store`: a node
 * that lost its folder must not lead by the name alone (P5, P33). The founding
 * charter may name the bare node, which then is the voter of that name.
 *
 * Rules: PROTOCOL section 2, P5, P7 (decided by a quorum of itself), P32.
 */
import type { Charter, Voter } from '../../contract/facts.ts';
import { compareTerms, foundingTerm } from './terms.ts';

/** A voter is a node with the memory it votes from: another store is another voter (P33). */
export const voterText = (voter: Voter): string => `${voter.node}#${voter.store}`;

/** Do these voters make a quorum of the charter? `got` holds {@link voterText}s. */
export function isQuorum(charter: Charter, got: ReadonlySet<string>): boolean {
  return charter.voters.every((set) => {
    const agreeing = set.filter((voter) => got.has(voterText(voter))).length;
    return agreeing * 2 > set.length;
  });
}

/** `init` makes a cluster of one: its own active, solo, the only voter. */
export function foundingCharter(self: Voter, at: number): Charter {
  return {
    term: foundingTerm(self.node),
    follows: null,
    active: self.node,
    writeSet: [self.node],
    voters: [[self]],
    reason: 'founded',
    at,
  };
}

/** P5: is this memory in the charter's write set? */
export const holds = (charter: Charter, self: Voter): boolean =>
  charter.writeSet.includes(voterText(self)) ||
  (charter.writeSet.includes(self.node) && votersOf(charter).some((voter) => voterText(voter) === voterText(self)));

export const votersOf = (charter: Charter): Voter[] => charter.voters.flat();

export const writersOf = (charter: Charter): string[] => charter.writeSet.map((text) => text.split('#')[0]!);

export const isPaired = (charter: Charter): boolean => charter.writeSet.length > 1;

/** The voter set that stays: the second of two while seats change (P8). */
export const lastSet = (charter: Charter): Voter[] => charter.voters.at(-1)!;

/** P32: eras are opened by claims. Two of one era by different claims stand against each other. */
export function compareLineages(mine: Charter, theirs: Charter): 'same' | 'newer' | 'older' | 'conflict' {
  const [own, other] = [mine.lineage?.era ?? 0, theirs.lineage?.era ?? 0];
  if (own !== other) return other > own ? 'newer' : 'older';
  return mine.lineage?.claim === theirs.lineage?.claim ? 'same' : 'conflict';
}

/** The newer of two charters: by era of lineage, then by term. */
export function newerOf(a: Charter, b: Charter): Charter {
  const order = compareLineages(a, b);
  if (order === 'newer') return b;
  return order === 'same' && compareTerms(b.term, a.term) > 0 ? b : a;
}

/** What a node holds that has not joined yet: no voters, so never a quorum, and no write set (P33). */
export const noCharter: Charter = {
  term: { era: 0, number: 0, node: '' },
  follows: null,
  active: '',
  writeSet: [],
  voters: [[]],
  reason: 'has not joined yet',
  at: 0,
};
