/**
 * The protocol with one rule broken, each from outside: messages, state and
 * the disk's answers are bent around the real core.
 *
 * A simulation that lets one of these pass proves nothing. `build/simulate.ts
 * --mutants` prints which check found each of them, and after how many seeds.
 */
import type { Voter } from '../../node-runtime/contract/facts.ts';
import { isQuorum, lastSet, newerOf, noCharter, votersOf, voterText } from '../../node-runtime/core/cluster/charter.ts';
import { selfText } from '../../node-runtime/core/cluster/knowledge.ts';
import { activate } from '../../node-runtime/core/cluster/leading.ts';
import type { Event, Member } from '../../node-runtime/core/cluster/member-state.ts';
import type { Body } from '../../node-runtime/core/cluster/messages.ts';
import type { Register } from '../../node-runtime/core/cluster/register.ts';
import { compareTerms } from '../../node-runtime/core/cluster/terms.ts';
import { endOf } from '../../node-runtime/core/journal/tail.ts';
import type { Mutation } from './world.ts';

/** Bends messages of one kind on their way in. */
function bends<K extends Body['kind']>(
  kind: K,
  bend: (m: Member, body: Extract<Body, { kind: K }>) => Body,
): NonNullable<Mutation['beforeStep']> {
  return (m, event): Event => {
    if (event.event !== 'received' || event.message.body.kind !== kind) return event;
    return { ...event, message: { ...event.message, body: bend(m, event.message.body as Extract<Body, { kind: K }>) } };
  };
}

/** Bends the state after each step. */
const warps =
  (warp: (m: Member) => void): NonNullable<Mutation['afterStep']> =>
  (m, _event, effects) => {
    warp(m);
    return effects;
  };

export const mutants: Record<string, () => Mutation> = {
  'answers before its register is saved': () => ({
    rule: 'P1',
    lies: (_node, effect) => effect.effect === 'saveRegister',
  }),

  'a watch forgets at a crash': () => {
    const first = new Map<string, Register>();
    return {
      rule: 'P1, P33',
      onWake: (node) => void (first.has(node.name) || first.set(node.name, node.disk.register)),
      onCrash(node) {
        if (node.keepsJournal) return;
        const { promised, accepted } = first.get(node.name)!;
        node.disk.register = { ...node.disk.register, promised, accepted };
      },
    };
  },

  'a voter obeys terms below its promise': () => ({
    rule: 'P3, P15',
    beforeStep(m, event) {
      if (event.event !== 'received') return event;
      const { body } = event.message;
      const lower = 'charter' in body && compareTerms(body.charter.term, m.register.promised) < 0;
      if (lower) m.register = { ...m.register, promised: noCharter.term, accepted: { ...noCharter } };
      return event;
    },
  }),

  'asks nobody for promises': () => ({
    rule: 'P4',
    afterStep: warps((m) => {
      if (m.phase.phase !== 'asking' || m.phase.purpose.claim) return;
      for (const voter of votersOf(m.register.accepted)) {
        if (!m.phase.promises.has(voterText(voter)))
          m.phase.promises.set(voterText(voter), { accepted: m.register.accepted, end: null, mark: null });
      }
    }),
  }),

  'follows its own charter, not the newest': () => ({
    rule: 'P4',
    beforeStep: bends('promised', (m, body) => ({ ...body, accepted: m.register.accepted })),
  }),

  'leads without being in the write set': () => ({
    rule: 'P5',
    beforeStep: bends('promised', (m, body) => ({
      ...body,
      accepted: { ...body.accepted, writeSet: [...body.accepted.writeSet, selfText(m)] },
    })),
  }),

  'pairs with unequal journals': () => ({
    rule: 'P6',
    beforeStep: bends('promised', (m, body) => ({ ...body, end: body.end && endOf(m.journal) })),
  }),

  'counts one majority of two': () => ({
    rule: 'P7, P8',
    afterStep: warps((m) => {
      const { phase } = m;
      const forge = (
        charter: { voters: Voter[][] },
        has: (text: string) => boolean,
        add: (text: string) => void,
      ): void => {
        if (charter.voters.length < 2) return;
        const got = new Set(
          votersOf(charter as never)
            .map(voterText)
            .filter(has),
        );
        if (!isQuorum({ ...(charter as never as typeof noCharter), voters: [lastSet(charter as never)] }, got)) return;
        for (const voter of charter.voters[0]!) if (!has(voterText(voter))) add(voterText(voter));
      };
      if (phase.phase === 'proposing')
        forge(
          phase.charter,
          (text) => phase.accepted.has(text) || text === selfText(m),
          (text) => phase.accepted.add(text),
        );
      if (phase.phase !== 'asking') return;
      const newest = [...phase.promises.values()].map((one) => one.accepted).reduce(newerOf, noCharter);
      forge(
        newest,
        (text) => phase.promises.has(text),
        (text) => phase.promises.set(text, { accepted: newest, end: null, mark: null }),
      );
    }),
  }),

  'activates before it is decided': () => ({
    rule: 'P9',
    afterStep: warps((m) => {
      if (m.phase.phase === 'proposing')
        for (const voter of votersOf(m.phase.charter)) m.phase.accepted.add(voterText(voter));
    }),
  }),

  'changes seats in one step': () => ({
    rule: 'P8',
    mood: 'moving',
    afterStep: warps((m) => {
      if (m.phase.phase === 'proposing' && m.phase.charter.voters.length === 2) m.phase.charter.voters.shift();
    }),
  }),

  'takes the second step too early': () => ({
    rule: 'P8',
    mood: 'moving',
    beforeStep(m, event) {
      if (m.phase.phase === 'asking') {
        m.decided = [...m.phase.promises.values()].map((one) => one.accepted).reduce(newerOf, noCharter).term;
        if (event.event === 'received' && event.message.body.kind === 'promised')
          m.decided = newerOf(
            { ...noCharter, term: m.decided },
            { ...noCharter, term: event.message.body.accepted.term },
          ).term;
      }
      return event;
    },
  }),

  'resumes its term after a restart': () => ({
    rule: 'P10',
    onWake(node) {
      const { accepted } = node.disk.register;
      if (accepted.active === node.name && accepted.term.number > 0 && !accepted.parked)
        activate(node.member, accepted, null);
    },
  }),

  'commits without the standby': () => ({
    rule: 'P13',
    beforeStep(m, event) {
      if (m.phase.phase === 'leading')
        for (const peer of m.phase.peers.values())
          if (peer.keepsJournal && m.synced > peer.match) peer.match = m.synced;
      return event;
    },
  }),

  'commits without confirmation': () => ({
    rule: 'P13',
    beforeStep(m, event) {
      if (m.phase.phase === 'leading')
        for (const peer of m.phase.peers.values()) if (!peer.keepsJournal) peer.confirmed = m.synced;
      return event;
    },
  }),

  'commits before its own sync': () => ({
    rule: 'P13',
    lies: (node, effect) => effect.effect === 'appendEntries' && node.member.phase.phase === 'leading',
  }),

  'the standby answers before its sync': () => ({
    rule: 'P15',
    lies: (node, effect) => effect.effect === 'appendEntries' && node.member.phase.phase !== 'leading',
  }),

  'cuts what it knows to be committed': () => ({
    rule: 'P15, P16',
    beforeStep(m, event) {
      if (
        event.event === 'received' &&
        event.message.body.kind === 'append' &&
        m.journal.entries.length > 1 &&
        m.random < 0.05
      ) {
        m.committed = 0;
        const last = m.journal.entries.at(-1)!;
        m.journal.entries[m.journal.entries.length - 1] = {
          ...last,
          term: { ...last.term, number: last.term.number - 1, node: 'nobody' },
        };
      }
      return event;
    },
  }),

  'a lost disk keeps its seat': () => {
    const first = new Map<string, string>();
    return {
      rule: 'P33',
      onWake(node) {
        const store = first.get(node.name) ?? node.disk.register.store;
        first.set(node.name, store);
        if (node.member.register.store === store) return;
        node.disk.register = { ...node.disk.register, store };
        node.member.register = { ...node.member.register, store };
        Object.assign(node.member.self, { store });
      },
    };
  },

  'an old image keeps its vote': () => ({
    rule: 'P34',
    beforeStep: (_m, event) =>
      event.event === 'received' ? { ...event, message: { ...event.message, seen: null } } : event,
  }),

  'nobody reminds an old image': () => ({
    rule: 'P34',
    mood: 'disks',
    beforeStep: (_m, event) => (event.event === 'received' && event.message.body.kind === 'reminded' ? null : event),
  }),

  'a claim names no loss': () => ({
    rule: 'P30',
    afterStep: warps((m) => {
      if (m.phase.phase === 'proposing' && m.phase.loss) m.phase.loss = { from: 1, upTo: 0, certain: 'none' };
    }),
  }),

  'a claim asks nobody that is left': () => ({
    rule: 'P29',
    afterStep: warps((m) => {
      if (m.phase.phase === 'asking' && m.phase.purpose.claim)
        m.phase.purpose.claim = {
          ...m.phase.purpose.claim,
          chosen: false,
          lost: votersOf(newerOf(m.register.accepted, m.rumour))
            .map(voterText)
            .filter((text) => text !== selfText(m)),
        };
      if (m.phase.phase === 'proposing' && m.phase.purpose.claim)
        for (const voter of votersOf(m.phase.charter)) m.phase.accepted.add(voterText(voter));
    }),
  }),

  'a worker ignores its fence': () => ({
    rule: 'P35',
    fence: (worker, event) =>
      event.event === 'saved'
        ? event
        : { ...event, term: worker.worker.fence.term, lineage: worker.worker.fence.lineage },
  }),

  'a worker forgets what it started': () => ({
    rule: 'P35',
    fence(worker, event) {
      if (event.event === 'startAsked') delete worker.worker.fence.attempts[event.attempt];
      return event;
    },
  }),

  'a forgotten attempt is ordered anew': () => ({
    rule: 'P35',
    mood: 'workers',
    fence: (_worker, event) => (event.event === 'startAsked' ? { ...event, number: Number.POSITIVE_INFINITY } : event),
  }),

  'an outcome is forgotten before it is committed': () => ({ rule: 'P35', forgetsEarly: true }),

  'a silent worker is not given time for its clock': () => ({
    rule: 'P35, lease',
    mood: 'workers',
    timing: { workerDriftPct: 0, workerEndMs: 0 },
  }),

  'a new active does not count from its beginning': () => ({
    rule: 'P35, lease',
    mood: 'workers',
    forgetsItsBeginning: true,
  }),

  'a worker renews its lease by hearing alone': () => ({
    rule: 'P35, lease',
    mood: 'workers',
    grantedAt: (_granted, now) => now,
  }),

  'a lease is granted without a quorum': () => ({ rule: 'P35, lease', mood: 'workers', grantsUnconfirmed: true }),

  'a worker ends nothing when its lease is over': () => ({ rule: 'P35, lease', mood: 'workers', endsNothing: true }),

  'an order with a lease is good for ever': () => ({
    rule: 'P35, lease',
    mood: 'workers',
    fence(_worker, event) {
      if (event.event !== 'startAsked') return event;
      const { until: _gone, ...order } = event;
      return order;
    },
  }),

  'tasks of before a claim start at once': () => ({ rule: 'P31', mood: 'claims', startsUnread: true }),

  'a claim that never acted is not seen': () => ({ rule: 'P31', mood: 'claims', seesActingClaimsOnly: true }),

  'attempts unknown to the journal are not adopted': () => ({ rule: 'P31', mood: 'claims', adoptsNothing: true }),

  'what a claim may have forgotten is ordered again': () => ({ rule: 'P31', mood: 'claims', ordersForgotten: true }),

  'a key that was used acts again': () => ({ rule: 'P36', repeatsKeys: true }),

  'a read is answered unconfirmed': () => ({
    rule: 'P36',
    beforeStep(m, event) {
      const reads = event.event === 'wished' && event.wish.wish === 'confirmRead';
      if (reads && m.phase.phase === 'leading')
        for (const peer of m.phase.peers.values()) peer.round = m.phase.round + 1;
      return event;
    },
  }),

  'speaks its newest version at once': () => ({
    rule: 'section 13',
    mood: 'upgrades',
    afterStep: (m, _event, effects) =>
      effects.map((one) => (one.effect === 'send' ? { ...one, message: { ...one.message, version: m.speaks } } : one)),
  }),

  'enables what not all can read': () => ({ rule: 'section 13', mood: 'upgrades', enablesAlone: true }),

  'acts on what it can not read': () => ({
    rule: 'section 13',
    mood: 'upgrades',
    beforeStep: (m, event) =>
      event.event === 'received' ? { ...event, message: { ...event.message, version: m.enabled } } : event,
  }),

  'the only voter leads without listening': () => ({
    rule: 'P34, decision 0008',
    mood: 'disks',
    onWake(node) {
      node.member.listensUntil = 0;
    },
  }),

  'a damaged journal is taken for whole': () => ({ rule: 'P33, S34', mood: 'disks', takesJournalForWhole: true }),
};
