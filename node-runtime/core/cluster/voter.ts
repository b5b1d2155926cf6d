/**
 * What a voter answers: promises, prechecks, acceptances.
 *
 * Controllers and watches answer alike; a controller adds where its journal
 * ends. A voter judges nobody's journal: the asker proves its right from the
 * promises it collects.
 *
 * Promise: every answer leaves after the save it speaks of (P1), and after a
 * promise nothing lower is promised, accepted, confirmed, followed or acted in.
 * Rules: P1, P3, P7, P19, P29, L2.
 */
import type { Charter, Claim, Term, Voter } from '../../contract/facts.ts';
import { endOf, positionOf } from '../journal/tail.ts';
import { compareLineages, voterText } from './charter.ts';
import { bowTo, isAlive, learnCharter, learnTerm } from './knowledge.ts';
import { quorumHears } from './leading.ts';
import type { Member } from './member-state.ts';
import type { Body } from './messages.ts';
import { post, saveRegister } from './outbox.ts';
import { compareTerms } from './terms.ts';

export function onAsk(m: Member, from: string, { term, precheck, claim }: Extract<Body, { kind: 'ask' }>): void {
  const why = claim ? alive(m, claim) : precheck ? objection(m, from) : null;
  if (why) return refuse(m, from, 'ask', term, why);
  if (precheck) {
    if (compareTerms(term, m.register.promised) <= 0) return refuse(m, from, 'ask', term, 'promised a newer term');
    return promised(m, from, term, true);
  }
  learnTerm(m, term);
  const order = compareTerms(term, m.register.promised);
  if (order < 0) return refuse(m, from, 'ask', term, 'promised a newer term');
  if (order === 0 && compareTerms(m.register.accepted.term, term) >= 0) return; // an old question, long answered
  if (order > 0) {
    bowTo(m, term, `${from} asks for a newer term`);
    saveRegister(m, { promised: term });
    m.heardActiveAt = Math.max(m.heardActiveAt, m.now - m.timing.suspectMs + m.timing.roundMs); // let it try
  }
  promised(m, from, term, false);
}

function promised(m: Member, to: string, term: Term, precheck: boolean): void {
  const end = m.keepsJournal ? positionOf(endOf(m.journal)) : null;
  post(m, to, { kind: 'promised', term, precheck, accepted: m.register.accepted, end, mark: m.mark });
}

export function refuse(m: Member, to: string, what: Body['kind'], term: Term, why: string): void {
  const { promised, accepted } = m.register;
  post(m, to, { kind: 'refused', what, term, promised, accepted, why });
}

/** P19, L2: a voter says no while it still hears the active, or is one that is heard. */
function objection(m: Member, from: string): string | null {
  if (m.phase.phase === 'leading') return quorumHears(m, m.phase) ? 'is active itself' : null;
  if (m.followed?.active === from) return null;
  return m.now - m.heardActiveAt < m.timing.supportMs && m.followed ? `still hears ${m.followed.active}` : null;
}

/** P29: a declared node that was heard so lately is alive. */
function alive(m: Member, claim: Claim): string | null {
  if (claim.chosen) return null;
  const self = voterText(m.self);
  const found = claim.lost.find((text) => text === self || isAlive(m, text));
  return found ? `${found.split('#')[0]} is declared lost, but alive` : null;
}

export function onPropose(m: Member, from: string, charter: Charter): void {
  const { promised, accepted } = m.register;
  if (!mayFollow(m, charter)) return refuse(m, from, 'propose', charter.term, 'leads an older era');
  if (compareTerms(promised, charter.term) > 0) {
    return refuse(m, from, 'propose', charter.term, 'promised a newer term');
  }
  if (compareTerms(accepted.term, charter.term) < 0) {
    bowTo(m, charter.term, `${from} proposes a newer charter`);
    accept(m, charter);
  }
  post(m, from, { kind: 'accepted', term: charter.term });
}

function accept(m: Member, charter: Charter): void {
  // P31, P32: a person gave up what only this journal may hold; what it thought committed may be cut.
  if (m.register.accepted.lastClaim !== charter.lastClaim) m.committed = 0;
  saveRegister(m, { promised: charter.term, accepted: charter });
}

/** P32: nothing of an older era, or of one that stands against the own, is accepted or followed. */
export function mayFollow(m: Member, charter: Charter): boolean {
  return learnCharter(m, charter) && ['same', 'newer'].includes(compareLineages(m.register.accepted, charter));
}

/** Adopts a charter learnt from its active: taking a higher term is a promise, saved with what follows (P11, P15). */
export function adopt(m: Member, charter: Charter): void {
  const { promised, accepted } = m.register;
  bowTo(m, charter.term, `${charter.active} leads`);
  if (compareTerms(promised, charter.term) < 0 || compareTerms(accepted.term, charter.term) < 0) {
    accept(m, charter);
  }
  if (m.phase.phase !== 'quiet' && m.phase.phase !== 'leading') m.phase = { phase: 'quiet' };
  m.heardActiveAt = m.now;
  if (m.followed === null || compareTerms(m.followed.term, charter.term) < 0) m.followed = charter;
  if (compareTerms(charter.term, m.decided) > 0) m.decided = charter.term;
}

export const sameVoter = (a: Voter, b: Voter): boolean => a.node === b.node && a.store === b.store;
