/**
 * What a member learns on the side: charters and terms it hears of, who is
 * heard, and what follows for acting at once.
 *
 * A charter from a refusal is only accepted somewhere: it tells whom to ask
 * and is never taken for decided (P11). A charter of a newer era makes a
 * member of the older one yield; two eras of equal rank by different claims
 * stop both until a person chooses (P32).
 */
import type { Charter, Term } from '../../contract/facts.ts';
import { compareLineages, newerOf, voterText } from './charter.ts';
import type { Member, Phase, Roster } from './member-state.ts';
import { answer, note } from './outbox.ts';
import { compareTerms } from './terms.ts';

export const selfText = (m: Member): string => voterText(m.self);

export const heardWithin = (m: Member, node: string, ms: number): boolean =>
  m.now - (m.heard.get(node) ?? Number.NEGATIVE_INFINITY) < ms;

/** Is this voter, with this memory, alive? A node that came back with another store is not the one that was lost. */
export function isAlive(m: Member, voter: string): boolean {
  const [node = '', store] = voter.split('#');
  return heardWithin(m, node, m.timing.declaredDeadMs) && m.stores.get(node) === store;
}

export const otherController = (m: Member): Roster['controllers'][number] | null =>
  m.roster.controllers.find((one) => one.node !== m.self.node) ?? null;

/** Does it lack contents of files that entries speak of? Then it must not come to lead (P17). */
export const isUnready = (m: Member, node: string): boolean => m.roster.unready?.includes(node) === true;

/** The newest charter heard of anywhere, the own accepted one included. */
export const newestKnown = (m: Member): Charter => newerOf(m.register.accepted, m.rumour);

export function learnTerm(m: Member, term: Term): void {
  if (compareTerms(term, m.highest) > 0) m.highest = term;
}

/** Takes in a charter heard of. False: it stands against the own one, and nothing may be done with it (P32). */
export function learnCharter(m: Member, charter: Charter): boolean {
  learnTerm(m, charter.term);
  const order = compareLineages(newestKnown(m), charter);
  if (order === 'conflict') {
    m.conflict = charter;
    stopActing(m, 'two confirmed losses stand against each other');
    m.phase = { phase: 'quiet' };
    note(m, 'conflict', `${charter.active} also leads after a confirmed loss: a person has to choose one of the two.`);
    return false;
  }
  if (order === 'older') return false;
  m.rumour = newerOf(m.rumour, charter);
  if (order === 'newer' && m.register.accepted.lineage?.claim !== charter.lineage?.claim) {
    m.conflict = null;
    stopActing(m, 'a newer era began');
    if (m.phase.phase !== 'quiet' && !('purpose' in m.phase && m.phase.purpose.claim)) giveUp(m, 'a newer era began');
    note(
      m,
      'yielded',
      `${charter.active} leads era ${charter.lineage?.era ?? 0} after a confirmed loss: this node yields and rejoins.`,
    );
  }
  return true;
}

export function stopActing(m: Member, why: string): void {
  if (m.phase.phase !== 'leading') return;
  for (const { id } of m.phase.reads) answer(m, id, false, why);
  if (m.phase.draining?.id != null) answer(m, m.phase.draining.id, m.phase.draining.told, why);
  m.phase = { phase: 'quiet' };
  m.heardActiveAt = m.now;
  m.out.push({ effect: 'stoppedActing', why });
}

/** Leaves whatever attempt is under way; the next one after a random time (P20). */
export function giveUp(m: Member, why: string, waitMs = 0): void {
  stopActing(m, why);
  m.phase = { phase: 'quiet' } satisfies Phase;
  m.retryAt = m.now + waitMs + m.random * m.timing.roundRandomMs;
}

/** P11, P3: acting and asking in a term below this one ends here. */
export function bowTo(m: Member, term: Term, why: string): void {
  const phase = m.phase;
  if (phase.phase === 'quiet') return;
  if (phase.phase === 'sounding') m.phase = { phase: 'quiet' };
  else if (compareTerms(phase.phase === 'asking' ? phase.term : phase.charter.term, term) < 0)
    giveUp(m, why, m.timing.roundMs);
}
