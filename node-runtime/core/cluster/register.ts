/**
 * The register: the one small record every voter keeps, and the two answers it
 * may give to a change of the charter.
 *
 * A voter promises at most once upwards and accepts nothing below its promise.
 * Saving is the shell's work and comes before the answer leaves (P1): these
 * functions only return the register that has to be saved first.
 *
 * Rules: P1, P3, P7, P33.
 */
import type { Charter, Term, Voter } from '../../contract/facts.ts';
import { noCharter } from './charter.ts';
import { compareTerms } from './terms.ts';

export type Register = {
  cluster: string;
  node: string;
  /** Made with the data folder; a lost or copied folder is another voter (P33). */
  store: string;
  promised: Term;
  accepted: Charter;
  /** Count of saves: shows others that a folder is an old image (P34). */
  saves: number;
  /** Highest count of saves seen of each other store (P34). */
  seen?: Record<string, number>;
};

export const voterOf = (register: Register): Voter => ({ node: register.node, store: register.store });

/** P3: a voter whose promise is lower promises; else null, and it refuses. */
export function promise(register: Register, term: Term): Register | null {
  if (compareTerms(register.promised, term) >= 0) return null;
  return { ...register, promised: term, saves: register.saves + 1 };
}

/** P7: accepts a charter unless it has promised something newer. */
export function accept(register: Register, charter: Charter): Register | null {
  if (compareTerms(register.promised, charter.term) > 0) return null;
  return { ...register, promised: charter.term, accepted: charter, saves: register.saves + 1 };
}

/** A register for a new cluster: the founding charter, promised and accepted. */
export const foundingRegister = (cluster: string, self: Voter, charter: Charter): Register => ({
  cluster,
  node: self.node,
  store: self.store,
  promised: charter.term,
  accepted: charter,
  saves: 1,
});

/** The register of a node that joins, or whose folder is new: it has a memory from now on, and no seat (P33). */
export const emptyRegister = (cluster: string, self: Voter): Register => ({
  cluster,
  node: self.node,
  store: self.store,
  promised: noCharter.term,
  accepted: noCharter,
  saves: 1,
});
