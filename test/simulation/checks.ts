/**
 * The invariants of the protocol, looked at from above after every step.
 *
 * Sees what no member can: all disks, all messages, everything ever committed.
 * A claim may excuse the loss of committed entries, but only of those that
 * its activation named, or of any when it said that none can be excluded.
 */
import type { Charter, Loss, StoredEntry, Term } from '../../node-runtime/contract/facts.ts';
import { holds, isQuorum, votersOf, voterText } from '../../node-runtime/core/cluster/charter.ts';
import type { Body } from '../../node-runtime/core/cluster/messages.ts';
import type { Register } from '../../node-runtime/core/cluster/register.ts';
import { compareTerms, termText } from '../../node-runtime/core/cluster/terms.ts';
import type { Disk } from './disk.ts';

export class Violation extends Error {}

const lineageOf = (charter: Charter): string => charter.lineage?.claim ?? '';

type Activation = { charter: Charter; chains: string[]; loss: Loss | null };

export type Checks = ReturnType<typeof newChecks>;

export function newChecks(count: (what: string) => void) {
  const charters = new Map<string, Charter>();
  const acceptors = new Map<string, Set<string>>();
  const decided = new Map<string, Charter>();
  const activations = new Map<string, Activation>();
  /** Chain of every committed entry by index (place 0 is index 1), per lineage of eras. */
  const committed = new Map<string, string[]>([['', []]]);
  /** chains of entries a claim excused, per lineage */
  const lost = new Map<string, Set<string>>();
  const confirmations = new Map<string, number>();
  const chainAt = new Map<string, string>();
  const registers = new Map<string, { promised: Term; accepted: Term; saves: number }>();
  const claims = new Map<string, string>();

  const fail = (invariant: string, words: string): never => {
    throw new Violation(`${invariant}: ${words}`);
  };
  const list = (lineage: string): string[] => {
    const known = committed.get(lineage);
    return known ?? fail('I1', `the era of claim ${lineage} has no beginning`);
  };
  const excused = (lineage: string, chain: string): boolean => lost.get(lineage)?.has(chain) === true;

  function follows(newer: Charter, older: Charter): boolean {
    for (let one: Charter | undefined = newer; one && compareTerms(one.term, older.term) >= 0; ) {
      if (compareTerms(one.term, older.term) === 0) return true;
      one = one.follows ? charters.get(termText(one.follows)) : undefined;
    }
    return false;
  }

  function isDecided(charter: Charter): void {
    const name = termText(charter.term);
    decided.set(name, charter);
    for (const other of decided.values()) {
      if (other === charter || lineageOf(other) !== lineageOf(charter)) continue;
      const [older, newer] = compareTerms(other.term, charter.term) < 0 ? [other, charter] : [charter, other];
      if (!follows(newer, older)) {
        fail(
          'I1',
          `charters ${termText(older.term)} and ${termText(newer.term)} are both decided, neither follows the other`,
        );
      }
    }
    const before = charter.follows && charters.get(termText(charter.follows));
    const inSet = before && votersOf(charter).some((voter) => voter.node === charter.active && holds(before, voter));
    if (before && !charter.claim && !inSet) {
      fail('I3', `${charter.active} leads ${name} and was not in the write set of ${termText(before.term)}`);
    }
    if (charter.claim) {
      const first = claims.get(charter.claim.id);
      if (first && first !== name) fail('I14', `claim ${charter.claim.id} was used for ${first} and ${name}`);
      claims.set(charter.claim.id, name);
      count('claims that acted');
    }
    if (charter.voters.length > 1) count('joint changes of seats');
    if (charter.writeSet.length > 1) count('charters paired');
    if (charter.parked) count('parkings');
  }

  return {
    committed,
    decided,
    activations,
    isExcused: excused,
    lineageOf,

    /** A register is on disk: I9, I1, I3, I14. */
    registerSaved(register: Register): void {
      const { store, promised, accepted, saves } = register;
      const before = registers.get(store);
      if (before && (compareTerms(promised, before.promised) < 0 || compareTerms(accepted.term, before.accepted) < 0)) {
        fail('I9', `${register.node}#${store} forgot ${termText(before.promised)}`);
      }
      registers.set(store, { promised, accepted: accepted.term, saves });
      const name = termText(accepted.term);
      const known = charters.get(name);
      if (known && JSON.stringify(known) !== JSON.stringify(accepted)) fail('I2', `two charters of term ${name}`);
      if (!known) charters.set(name, accepted);
      const got = acceptors.get(name) ?? new Set();
      acceptors.set(name, got.add(`${register.node}#${store}`));
      if (!decided.has(name) && votersOf(accepted).length > 0 && isQuorum(accepted, got)) isDecided(accepted);
    },
    /** An image was put back: what that store said before is not on its disk any more. */
    forget: (store: string): void => void registers.delete(store),

    entriesSaved(entries: StoredEntry[], before: StoredEntry | undefined): void {
      let previous = before?.chain ?? '0';
      for (const { term, index, chain } of entries) {
        const name = `${termText(term)}:${index}`;
        const both = `${previous}>${chain}`;
        const known = chainAt.get(name);
        if (known !== undefined && known !== both) fail('I8', `entry ${name} is two entries`);
        chainAt.set(name, both);
        previous = chain;
      }
    },

    /** I13: what is cut was not committed, unless a claim gave it up. */
    entriesCut(register: Register, cut: StoredEntry[], copied: boolean): void {
      if (cut.length === 0) return;
      count('quarantines');
      const known = list(lineageOf(register.accepted));
      // A copy from the active may end before the own journal did: the rest comes again. Only outside the write set.
      if (copied && !holds(register.accepted, register)) return count('journals copied anew');
      for (const entry of cut) {
        if (known[entry.index - 1] === entry.chain)
          fail('I13', `committed entry ${entry.index} was cut at ${register.node}`);
      }
    },

    /** I4: what a message says of its sender is on the sender's disk. */
    messageLeaves(node: string, disk: Disk, body: Body): void {
      const { promised, accepted, store } = disk.register;
      const says = (isTrue: boolean, what: string): void => {
        if (!isTrue) fail('I4', `${node} says ${body.kind} and ${what} is not on its disk`);
      };
      if (body.kind === 'promised') {
        if (!body.precheck) says(compareTerms(promised, body.term) >= 0, 'the promise');
        const { end } = body;
        if (
          end &&
          end.index > 0 &&
          !body.precheck &&
          compareTerms(promised, body.term) === 0 &&
          compareTerms(accepted.term, body.term) < 0
        ) {
          says(disk.entries[end.index - 1]?.chain === end.chain, 'the end of its journal');
        }
      }
      if (body.kind === 'ask' && !body.precheck) says(compareTerms(promised, body.term) >= 0, 'its own promise');
      if (body.kind === 'accepted')
        says(compareTerms(promised, body.term) >= 0 && compareTerms(accepted.term, body.term) >= 0, 'the charter');
      if (body.kind === 'confirm' && compareTerms(promised, body.charter.term) === 0)
        says(disk.entries.length >= body.index, 'the position');
      if (body.kind === 'appended' || body.kind === 'confirmed') {
        says(compareTerms(promised, body.term) >= 0, 'the promise');
        if (body.kind === 'appended' && compareTerms(promised, body.term) === 0)
          says(disk.entries.length >= body.index, 'the entry');
        const name = `${termText(body.term)}|${node}#${store}`;
        confirmations.set(name, Math.max(confirmations.get(name) ?? 0, body.index));
        if (body.kind === 'appended')
          confirmations.set(`disk|${name}`, Math.max(confirmations.get(`disk|${name}`) ?? 0, body.index));
      }
    },

    /** I2, I6: the journal of a new active holds every committed entry; a claim may name exceptions. */
    activated(node: string, disk: Disk, charter: Charter, loss: Loss | null): void {
      const name = termText(charter.term);
      if (charter.term.node !== node || activations.has(name))
        fail('I2', `${node} activates ${name}, which is not free`);
      if (!decided.has(name)) fail('P9', `${name} is activated and not decided`);
      let before = charter.follows && charters.get(termText(charter.follows));
      // A claim's charter may have been accepted by some and never have begun its era.
      while (before && !committed.has(lineageOf(before)))
        before = before.follows && charters.get(termText(before.follows));
      const from = before ? lineageOf(before) : '';
      const own = lineageOf(charter);
      const parent = list(from);
      const chains = disk.entries.map((entry) => entry.chain);
      const kept = parent.filter((chain, place) => chains[place] === chain);
      const missing = parent.length - kept.length;
      // A late activation of an older term can commit nothing, so it need not hold what newer ones committed.
      const late = [...activations.values()].some(
        (one) => lineageOf(one.charter) === own && compareTerms(one.charter.term, charter.term) > 0,
      );
      if (missing > 0 && !late) {
        if (!loss) fail('I6', `${node} activates ${name} without committed entry ${kept.length + 1}`);
        parent.slice(kept.length).forEach((chain, place) => {
          const index = kept.length + place + 1;
          if (!excuses(loss!, index))
            fail(
              'I6',
              `the claim of ${name} (${JSON.stringify(loss)}) does not name committed entry ${index}, which ${node} lacks`,
            );
          lost.set(own, (lost.get(own) ?? new Set()).add(chain));
        });
        count('committed entries a claim gave up');
      }
      if ((loss && !late) || !committed.has(own)) committed.set(own, kept);
      activations.set(name, { charter, chains, loss });
      count('activations');
    },

    /** I5, I6, I7: one journal of committed entries, each with both signatures. */
    committedBy(node: string, store: string, disk: Disk, charter: Charter, from: number, to: number): void {
      const own = lineageOf(charter);
      const known = list(own);
      const name = termText(charter.term);
      if (disk.entries.length < to) fail('I5', `${node} commits ${to} in ${name} before its own disk has it`);
      const self = `${node}#${store}`;
      for (const writer of charter.writeSet) {
        if (writer === self || writer === node) continue;
        if ((confirmations.get(`disk|${name}|${writer}`) ?? 0) < to)
          fail('I5', `${to} is committed in ${name} and not on ${writer}`);
      }
      const got = new Set(
        votersOf(charter)
          .map(voterText)
          .filter((text) => text === self || (confirmations.get(`${name}|${text}`) ?? 0) >= to),
      );
      if (!isQuorum(charter, got)) fail('I5', `${to} is committed in ${name} without a quorum`);
      for (let index = Math.min(from, known.length + 1); index <= to; index++) {
        const chain = disk.entries[index - 1]!.chain;
        const there = known[index - 1];
        if (there === chain) continue;
        if (there !== undefined && !gaveUp(charter, index))
          fail('I7', `${name} commits entry ${index}, where another is committed`);
        for (const { charter: newer, chains, loss } of activations.values()) {
          if (lineageOf(newer) !== own || compareTerms(newer.term, charter.term) <= 0) continue;
          if (chains[index - 1] !== chain && !excusesLate(newer, charter, index, loss)) {
            fail('I7', `${name} commits entry ${index}, which the active of ${termText(newer.term)} lacks`);
          }
        }
        if (gaveUp(charter, index)) lost.set(own, (lost.get(own) ?? new Set()).add(chain));
        else if (index === known.length + 1) known.push(chain);
        else if (there === undefined) fail('I7', `${name} commits entry ${index} after a gap`);
      }
    },

    fail,
  };

  function excuses(loss: Loss, index: number): boolean {
    if (loss.certain === 'cannot be excluded') return true;
    return loss.certain === 'at most' && index >= loss.from && index <= loss.upTo!;
  }
  /** An older active, alive after all, may still learn that something was committed before the claim. */
  function gaveUp(charter: Charter, index: number): boolean {
    return [...activations.values()].some(
      ({ charter: newer, loss }) =>
        loss !== null &&
        lineageOf(newer) === lineageOf(charter) &&
        compareTerms(newer.term, charter.term) > 0 &&
        excuses(loss, index),
    );
  }
  function excusesLate(newer: Charter, older: Charter, index: number, own: Loss | null): boolean {
    if (own !== null && excuses(own, index)) return true;
    for (let one: Charter | undefined = newer; one && compareTerms(one.term, older.term) > 0; ) {
      const loss = activations.get(termText(one.term))?.loss;
      if (loss && excuses(loss, index)) return true;
      one = one.follows ? charters.get(termText(one.follows)) : undefined;
    }
    return false;
  }
}
