/**
 * The register: the one small record every voter keeps.
 *
 * It is changed by `saveRegister` in `outbox.ts` alone, which counts its saves
 * and holds back every answer that speaks of it until it is saved (P1).
 * Promises and acceptances are decided in `voter.ts` and `ask.ts`.
 *
 * Rules: P1, P3, P33, P34.
 */
import type { Charter, Term, Voter } from '../../contract/facts.ts';
import { noCharter } from './charter.ts';

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
  /** The version known to be enabled when this was saved (section 13); absent: 1. */
  version?: number;
};

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
