/**
 * A confirmed loss: what a claim must still be true of when it acts, who has
 * to agree, and what the new active may lack.
 *
 * Used only where the other rules can't go on. The statement of a person is
 * bound to what was shown, used once, and dies with the first sign that it is
 * wrong. It never overrides a voter that is there: all that are not declared
 * lost must promise and accept.
 *
 * Rules: P28, P29, P30, P32.
 */
import type { Charter, Claim, Loss, Voter } from '../../contract/facts.ts';
import { endOf } from '../journal/tail.ts';
import { holds, isPaired, isQuorum, votersOf, voterText } from './charter.ts';
import { isAlive, newestKnown } from './knowledge.ts';
import { quorumHears } from './leading.ts';
import type { Member, Promised } from './member-state.ts';
import { sameTerm, termText } from './terms.ts';

/** P29: the voters of the newest charter that are not declared lost. */
export const survivors = (newest: Charter, claim: Claim): Voter[] =>
  votersOf(newest).filter((voter) => !claim.lost.includes(voterText(voter)));

/** P29: no majority is left, so a new era begins with the candidate as its only voter. */
export const opensEra = (_m: Member, newest: Charter, claim: Claim): boolean =>
  claim.chosen === true || !isQuorum(newest, new Set(survivors(newest, claim).map(voterText)));

/** P28: what a person is shown, and what the claim is bound to. Times are left out: only what it says counts. */
export function evidenceOf(m: Member): string {
  const newest = newestKnown(m);
  const heard = votersOf(newest)
    .filter((voter) => voter.node !== m.self.node)
    .map(voterText)
    .filter((text) => isAlive(m, text));
  return `newest ${termText(newest.term)}; highest term ${termText(m.highest)}; heard ${[...new Set(heard)].sort().join(' ') || 'nobody'}`;
}

/** P28: why a claim may not be begun, or null. */
export function objectionToClaim(m: Member, claim: Claim): string | null {
  if (!m.keepsJournal) return 'only a controller can lead';
  if (claim.cluster !== m.register.cluster) return 'it is of another cluster';
  if (claim.candidate !== m.self.node || claim.incarnation !== m.incarnation) return 'it was made for another process';
  if (m.claimsUsed.has(claim.id)) return 'it was used';
  if (claim.evidence !== evidenceOf(m)) return 'what is known has changed: look again';
  if (m.conflict && !claim.chosen) return 'two eras stand against each other: choose one';
  const newest = newestKnown(m);
  if (m.phase.phase === 'leading' && quorumHears(m, m.phase)) return 'it is active';
  return claimDies(m, claim, newest);
}

/** P28, I14: what ends a claim on its way, or null. */
export function claimDies(m: Member, claim: Claim, newest: Charter, proposed?: Charter): string | null {
  const known = newestKnown(m);
  const own = proposed !== undefined && sameTerm(known.term, proposed.term); // it hears of its own proposal
  if (m.wall > claim.expiresAt) return 'it expired';
  if (!sameTerm(claim.newest, newest.term) || !(own || sameTerm(claim.newest, known.term)))
    return 'a newer charter appeared';
  if (claim.chosen) return null;
  const alive = claim.lost.find((text) => isAlive(m, text));
  return alive ? `${alive.split('#')[0]} is declared lost, but alive` : null;
}

/**
 * P30: what may be missing. Exact only where the charter's every commit needed
 * the word of a watch that promised and was not restarted in that term.
 */
export function lossOf(m: Member, newest: Charter, claim: Claim, promises: Map<string, Promised>): Loss {
  const end = endOf(m.journal);
  // An own tail of an older term may stand where the lost active had other entries: only what is known to be
  // committed is surely common; and not even that when a claim that this node never followed gave some of it up.
  const known = newest.lastClaim === m.register.accepted.lastClaim ? Math.min(m.committed, end.index) : 0;
  const common = sameTerm(end.term, newest.term) ? end.index : known;
  const from = common + 1;
  const proven = claim.proof && newest.writeSet.includes(claim.proof.voter);
  if (proven && claim.proof!.end.chain === end.chain) return { from, upTo: end.index, certain: 'none' };
  if (proven) return { from, upTo: Math.max(claim.proof!.end.index, end.index), certain: 'at most' }; // it acts no more
  const got = new Set(promises.keys());
  if (isQuorum(newest, got) && holds(newest, m.self)) return { from, upTo: end.index, certain: 'none' };
  if (isQuorum(newest, got) && !isPaired(newest)) {
    const marks = [...promises.values()].flatMap(({ mark }) =>
      mark && sameTerm(mark.term, newest.term) ? [mark] : [],
    );
    const mark = marks.length === 1 ? marks[0] : undefined;
    if (mark?.exact && newest.voters.length === 1 && newest.voters[0]!.length === 3) {
      return { from, upTo: Math.max(mark.index, end.index), certain: 'at most' };
    }
  }
  return { from, upTo: null, certain: 'cannot be excluded' };
}

/**
 * P30: a second claim does not make good what the first one gave up and never
 * listed: the worse of both is said.
 */
export function bothLosses(loss: Loss, unlisted: Loss | undefined): Loss {
  if (!unlisted) return loss;
  const worst =
    [loss, unlisted].find((one) => one.certain === 'cannot be excluded') ??
    [loss, unlisted].find((one) => one.certain === 'at most') ??
    loss;
  const upTo = loss.upTo === null || unlisted.upTo === null ? null : Math.max(loss.upTo, unlisted.upTo);
  return { from: Math.min(loss.from, unlisted.from), upTo, certain: worst.certain };
}
