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

/** A process that saved a register, and the number of the last save it is known to have made. */
export type Saver = { incarnation: string; saves: number };

/** Savers that a register remembers of itself, and of each other. */
export const savers = { ownMax: 16, seenMax: 4 };

const founder: Saver[] = [{ incarnation: '', saves: 1 }];

export type Register = {
  cluster: string;
  node: string;
  /** Made with the data folder; a lost or copied folder is another voter (P33). */
  store: string;
  promised: Term;
  accepted: Charter;
  /** Count of saves: shows others that a folder is an old image (P34). */
  saves: number;
  /** Which processes made these saves, the newest last; those long ago are left out. */
  savers: Saver[];
  /** What was seen of each other store: its last savers (P34). */
  seen?: Record<string, Saver[]>;
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
  savers: founder,
});

/** The register of a node that joins, or whose folder is new: it has a memory from now on, and no seat (P33). */
export const emptyRegister = (cluster: string, self: Voter): Register => ({
  cluster,
  node: self.node,
  store: self.store,
  promised: noCharter.term,
  accepted: noCharter,
  saves: 1,
  savers: founder,
});

/** The process that made this save, as far as the register remembers. */
export const saverOf = ({ savers }: Register, saves: number): Saver | undefined =>
  savers.find((saver) => saver.saves >= saves);

/** Adds what is newly known of a process; the oldest of more than `max` is forgotten. */
export function withSaver(known: Saver[], saver: Saver, max: number): Saver[] {
  const before = known.find((one) => one.incarnation === saver.incarnation);
  if ((before?.saves ?? 0) >= saver.saves) return known;
  return [...known.filter((one) => one !== before), saver].slice(-max);
}

/**
 * P34: has somebody seen a save that this register does not hold? It may be
 * one of a higher number, or one of a number that was used again by a process
 * which began from an old image: then it was made by another process.
 */
export function lacks(register: Register, seen: Saver): boolean {
  if (seen.saves > register.saves) return true;
  const own = saverOf(register, seen.saves);
  const isForgotten = own === register.savers[0] && register.savers.length === savers.ownMax;
  return own?.incarnation !== seen.incarnation && !isForgotten;
}
