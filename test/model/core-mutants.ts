/**
 * The protocol with one rule broken, each from outside: messages, state and
 * the disk's answers are bent around the real core.
 *
 * An exploration that lets one of these pass proves nothing. Each is looked
 * for where it can do harm; the bounds are the smallest that show it.
 */
import type { Charter } from '../../node-runtime/contract/facts.ts';
import { compareLineages, votersOf, voterText } from '../../node-runtime/core/cluster/charter.ts';
import { newestKnown, selfText } from '../../node-runtime/core/cluster/knowledge.ts';
import { activate } from '../../node-runtime/core/cluster/leading.ts';
import { evidenceOf } from '../../node-runtime/core/cluster/loss.ts';
import type { Event, Member } from '../../node-runtime/core/cluster/member-state.ts';
import type { Body } from '../../node-runtime/core/cluster/messages.ts';
import { compareTerms } from '../../node-runtime/core/cluster/terms.ts';
import { endOf } from '../../node-runtime/core/journal/tail.ts';
import type { Bounds } from './core-acts.ts';
import type { Bend } from './core-setting.ts';

export type Mutant = { rule: string; configuration: string; bounds: Bounds; bend: Bend };

/** Bends messages of one kind on their way in. */
const bends =
  <K extends Body['kind']>(
    kind: K,
    bend: (m: Member, body: Extract<Body, { kind: K }>) => Body,
  ): NonNullable<Bend['before']> =>
  (m, event): Event => {
    if (event.event !== 'received' || event.message.body.kind !== kind) return event;
    const body = bend(m, event.message.body as Extract<Body, { kind: K }>);
    return { ...event, message: { ...event.message, body } };
  };

/** Bends the charter that a message carries. */
const bendsCharters =
  (bend: (m: Member, charter: Charter) => Charter | null): NonNullable<Bend['before']> =>
  (m, event): Event => {
    if (event.event !== 'received') return event;
    const { body } = event.message;
    const charter = 'charter' in body ? body.charter : 'accepted' in body ? body.accepted : null;
    const bent = charter && bend(m, charter);
    if (charter === bent) return event;
    if (bent === null) return { event: 'rosterKnown', now: event.now, roster: m.roster }; // not heard at all
    const changed = 'charter' in body ? { ...body, charter: bent } : { ...body, accepted: bent };
    return { ...event, message: { ...event.message, body: changed as Body } };
  };

const freshens =
  (also: (m: Member) => void): NonNullable<Bend['before']> =>
  (m, event): Event => {
    if (event.event !== 'wished' || event.wish.wish !== 'claim') return event;
    also(m);
    const { claim } = event.wish;
    const fresh = { ...claim, evidence: evidenceOf(m), newest: newestKnown(m).term, incarnation: m.incarnation };
    return { ...event, wish: { wish: 'claim', claim: fresh } };
  };

const hasAnotherEra = (m: Member, charter: Charter, order: 'newer' | 'conflict'): boolean =>
  m.phase.phase === 'leading' && votersOf(charter).length > 0 && compareLineages(m.phase.charter, charter) === order;

export const mutants: Record<string, Mutant> = {
  'a claim is taken twice': {
    rule: 'P28',
    configuration: 'claim-kept',
    bounds: { claims: 1 },
    bend: {
      before: (m, event, node) =>
        m.claimsUsed.size === 0 ? event : freshens(() => m.claimsUsed.clear())(m, event, node),
    },
  },

  'a claim acts although its evidence changed': {
    rule: 'P28',
    configuration: 'claim-kept',
    bounds: { claims: 1, entries: 1, heartbeats: 1 },
    bend: { before: freshens(() => {}) },
  },

  'a claim outlives the process it was made for': {
    rule: 'P28',
    configuration: 'claim-kept',
    bounds: { claims: 1, crashes: 1 },
    bend: { before: freshens(() => {}) },
  },

  'a claim asks nobody that is left': {
    rule: 'P29',
    configuration: 'claim-kept',
    bounds: { claims: 1 },
    bend: {
      after(m) {
        const { phase } = m;
        if (phase.phase !== 'asking' || !phase.purpose.claim) return;
        const lost = votersOf(newestKnown(m)).map(voterText);
        phase.purpose.claim = { ...phase.purpose.claim, lost: lost.filter((text) => text !== selfText(m)) };
      },
    },
  },

  'a voter promises although it hears who was declared lost': {
    rule: 'P29',
    configuration: 'claim-kept',
    bounds: { claims: 1, heartbeats: 1 },
    bend: {
      before(m, event) {
        if (event.event === 'received' && event.message.body.kind === 'ask') m.heard.clear();
        return event;
      },
    },
  },

  'a claim names no loss': {
    rule: 'P30',
    configuration: 'claim-kept',
    bounds: { claims: 2 },
    bend: {
      after(m) {
        if (m.phase.phase === 'proposing' && m.phase.loss) m.phase.loss = { from: 1, upTo: 0, certain: 'none' };
      },
    },
  },

  'leads without being in the write set': {
    rule: 'P5',
    configuration: 'claim-kept',
    bounds: { 'tries B': 1 },
    bend: {
      before: bends('promised', (m, body) => ({
        ...body,
        accepted: { ...body.accepted, writeSet: [...body.accepted.writeSet, selfText(m)] },
      })),
    },
  },

  'an older era does not yield': {
    rule: 'P32',
    configuration: 'claim-era',
    bounds: { claims: 1 },
    bend: { before: bendsCharters((m, charter) => (hasAnotherEra(m, charter, 'newer') ? null : charter)) },
  },

  'two eras go on beside each other': {
    rule: 'P32',
    configuration: 'two-claims',
    bounds: { 'claims A': 1, 'claims B': 1 },
    bend: { before: bendsCharters((m, charter) => (hasAnotherEra(m, charter, 'conflict') ? null : charter)) },
  },

  'eras are not told apart': {
    rule: 'P32',
    configuration: 'claim-era',
    bounds: { claims: 1, 'tries A': 1, entries: 1 },
    bend: {
      before: bendsCharters((m, { lineage: _, ...charter }) => {
        const own = m.register.accepted.lineage;
        return own ? { ...charter, lineage: own } : charter;
      }),
    },
  },

  'a parking is left by the other controller': {
    rule: 'P27',
    configuration: 'parking',
    bounds: { parkings: 1, 'tries B': 1 },
    bend: { before: bends('promised', (_m, body) => ({ ...body, accepted: unparked(body.accepted) })) },
  },

  'a parking is left without a new start': {
    rule: 'P27',
    configuration: 'parking',
    bounds: { parkings: 1, 'tries A': 1 },
    bend: {
      after(m) {
        m.mayUnpark = true;
      },
    },
  },

  'a lost disk keeps its seat': {
    rule: 'P33',
    configuration: 'old-image',
    bounds: { 'wipes W': 1, tries: 2 },
    bend: {
      wiped(before, after) {
        const { store, saves, savers } = before.register;
        after.register = { ...after.register, store, saves, savers };
      },
    },
  },

  'an old image keeps its vote': {
    rule: 'P34',
    configuration: 'old-image',
    bounds: { images: 1, tries: 2 },
    bend: {
      before: (_m, event) =>
        event.event === 'received' ? { ...event, message: { ...event.message, seen: null } } : event,
    },
  },

  'a worker obeys a lower term': {
    rule: 'P35',
    configuration: 'workers',
    bounds: { 'tries B': 1, entries: 1 },
    bend: {
      worker: {
        before: (worker, event) =>
          'term' in event && compareTerms(event.term, worker.fence.term) < 0
            ? { ...event, term: worker.fence.term }
            : event,
      },
    },
  },

  'a worker starts before its save': {
    rule: 'P35',
    configuration: 'workers',
    bounds: { entries: 1 },
    bend: { worker: { lies: true } },
  },

  'a worker forgets what it started': {
    rule: 'P35',
    configuration: 'workers',
    bounds: { 'tries B': 1, entries: 1 },
    bend: {
      worker: {
        before(worker, event) {
          if (event.event === 'startAsked') delete worker.fence.attempts[event.attempt];
          return event;
        },
      },
    },
  },

  'a worker that was killed starts again what it had begun': {
    rule: 'P35',
    configuration: 'workers',
    bounds: { 'tries B': 1, entries: 1, 'crashes bench': 1 },
    bend: {
      worker: {
        wakes(worker, saved) {
          for (const [id, one] of Object.entries(saved.attempts)) worker.fence.attempts[id] = { ...one };
        },
      },
    },
  },

  'a worker takes a start that was overtaken by its forgetting': {
    rule: 'P35',
    configuration: 'workers',
    bounds: { entries: 2, twice: 1 },
    bend: {
      worker: { before: (_worker, event) => (event.event === 'startAsked' ? { ...event, number: 1_000 } : event) },
    },
  },

  'answers before its register is saved': {
    rule: 'P1',
    configuration: 'claim-kept',
    bounds: { claims: 1 },
    bend: { lies: (_node, save) => save.effect === 'saveRegister' },
  },

  'a voter obeys terms below its promise': {
    rule: 'P3',
    configuration: 'claim-kept',
    bounds: { claims: 2, entries: 1 },
    bend: {
      before(m, event) {
        if (event.event !== 'received') return event;
        const { body } = event.message;
        if ('charter' in body && compareTerms(body.charter.term, m.register.promised) < 0)
          m.register = { ...m.register, promised: body.charter.term };
        return event;
      },
    },
  },

  'pairs with unequal journals': {
    rule: 'P6',
    configuration: 'claim-again',
    bounds: { 'tries A': 1, 'tries B': 1 },
    bend: { before: bends('promised', (m, body) => ({ ...body, end: body.end && endOf(m.journal) })) },
  },

  'follows its own charter, not the newest': {
    rule: 'P4',
    configuration: 'old-image',
    bounds: { tries: 2 },
    bend: { before: bends('promised', (m, body) => ({ ...body, accepted: m.register.accepted })) },
  },

  'resumes its term after a restart': {
    rule: 'P10',
    configuration: 'parking',
    bounds: { crashes: 1 },
    bend: {
      woken(m) {
        const { accepted } = m.register;
        if (accepted.active === m.self.node && accepted.term.number > 0 && !accepted.parked)
          activate(m, accepted, null);
      },
    },
  },

  'commits without confirmation': {
    rule: 'P13',
    configuration: 'claim-kept',
    bounds: { entries: 1 },
    bend: {
      before(m, event) {
        if (m.phase.phase === 'leading')
          for (const peer of m.phase.peers.values()) if (!peer.keepsJournal) peer.confirmed = m.synced;
        return event;
      },
    },
  },

  'the standby answers before its sync': {
    rule: 'P15',
    configuration: 'claim-era',
    bounds: { entries: 1 },
    bend: { lies: (node, save) => save.effect === 'appendEntries' && node.member.phase.phase !== 'leading' },
  },
};

const unparked = ({ parked: _, ...charter }: Charter): Charter => charter;
