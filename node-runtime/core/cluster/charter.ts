/**
 * Charters and who must agree to them.
 *
 * A charter says who is active, who must hold every entry, and who votes. Its
 * quorum is a majority of each of its voter sets (one set, or two while seats
 * change). Does not decide when to propose one: `controller.ts` does.
 *
 * Rules: PROTOCOL section 2, P7 (decided by a quorum of itself).
 */
import type { Charter, Voter } from '../../contract/facts.ts';
import { foundingTerm } from './terms.ts';

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
