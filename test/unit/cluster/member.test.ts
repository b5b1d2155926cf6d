/** One member, event by event: what leaves it, and when. Whole clusters are in `test/simulation`. */
import { describe, expect, it } from 'vitest';
import type { Charter, StoredEntry, Term, Voter } from '../../../node-runtime/contract/facts.ts';
import { foundingCharter, noCharter } from '../../../node-runtime/core/cluster/charter.ts';
import { lossOf } from '../../../node-runtime/core/cluster/loss.ts';
import { memberStep, type Waking, wakeMember } from '../../../node-runtime/core/cluster/member.ts';
import type { Effect, Event, Member } from '../../../node-runtime/core/cluster/member-state.ts';
import type { Body, Message } from '../../../node-runtime/core/cluster/messages.ts';
import { emptyRegister, foundingRegister, type Saver } from '../../../node-runtime/core/cluster/register.ts';
import { timings } from '../../../node-runtime/core/cluster/timing.ts';
import { simChain } from '../../simulation/world.ts';

const [a, b, w] = ['ctl-a', 'ctl-b', 'deck'].map((node, place) => ({ node, store: `s${place}` })) as [
  Voter,
  Voter,
  Voter,
];
const alone = foundingCharter(a, 0);
const three: Charter = { ...alone, writeSet: ['ctl-a#s0', 'ctl-b#s1'], voters: [[a, b, w]] };
const term = (number: number, node = 'ctl-a'): Term => ({ era: 0, number, node });

function waking(self: Voter, charter: Charter, more: Partial<Waking> = {}): Waking {
  return {
    register: foundingRegister('lab', self, charter),
    keepsJournal: self !== w,
    journal: { base: { index: 0, term: noCharter.term, chain: '0' }, entries: [] },
    snapshot: null,
    dropped: 0,
    mark: null,
    roster: { controllers: [a, b], watch: w, spares: [] },
    timing: timings.lan,
    craft: { chainOf: simChain, activationText: () => 'activated' },
    incarnation: 'one',
    now: 0,
    ...more,
  };
}

/** A member with a clock, whose disk saves when it is told to. */
function driven(self: Voter, charter: Charter, more: Partial<Waking> = {}) {
  const m: Member = wakeMember(waking(self, charter, more));
  let now = 0;
  const step = (event: Event extends infer E ? (E extends Event ? Omit<E, 'now'> : never) : never): Effect[] =>
    memberStep(m, { ...event, now } as Event);
  return {
    m,
    /** Ticks of 50 ms until then. */
    wait(ms: number): Effect[] {
      const seen: Effect[] = [];
      for (const end = now + ms; now < end; ) {
        now += 50;
        seen.push(...step({ event: 'ticked', wall: now, random: 0.5 }));
      }
      return seen;
    },
    saved: (): Effect[] => step({ event: 'saved', save: m.disk.given }),
    receives: (from: Voter, body: Body, more: Partial<Message> = {}): Effect[] =>
      step({
        event: 'received',
        from: from.node,
        message: {
          version: 1,
          cluster: 'lab',
          store: from.store,
          keepsJournal: from !== w,
          saves: 1,
          saver: '',
          seen: null,
          body,
          ...more,
        },
      }),
    step,
  };
}

const bodies = (effects: Effect[]): Body[] =>
  effects.flatMap((one) => (one.effect === 'send' ? [one.message.body] : []));
const kinds = (effects: Effect[]): string[] => bodies(effects).map((body) => body.kind);
const names = (effects: Effect[]): string[] => effects.map((one) => one.effect);
const promised = (number: number, more: Partial<Extract<Body, { kind: 'promised' }>> = {}): Body => ({
  kind: 'promised',
  term: term(number),
  precheck: false,
  accepted: three,
  end: { index: 0, term: noCharter.term, chain: '0' },
  mark: null,
  ...more,
});

const entry = (index: number, number: number, text: string, previous: string): StoredEntry => ({
  index,
  term: term(number),
  text,
  chain: simChain(previous, term(number), index, text),
});

/** Asks for term 1 by its own precheck: the promise of the term is on its disk. */
function asking() {
  const one = driven(a, three);
  one.wait(800);
  one.receives(w, promised(1, { precheck: true, end: null }));
  one.saved();
  return one;
}

function leading() {
  const one = asking();
  one.receives(b, promised(1));
  one.saved();
  one.receives(b, { kind: 'accepted', term: term(1) });
  one.saved();
  return one;
}

describe('a voter', () => {
  it('P1, P3: saves its promise before it answers, and then follows nothing lower', () => {
    const { receives, saved } = driven(w, three);
    expect(kinds(receives(b, { kind: 'ask', term: term(3, 'ctl-b'), precheck: false }))).toEqual([]);
    expect(kinds(saved())).toEqual(['promised']);
    expect(kinds(receives(a, { kind: 'ask', term: term(2), precheck: false }))).toEqual(['refused']);
    expect(kinds(receives(a, { kind: 'propose', charter: { ...three, term: term(2) } }))).toEqual(['refused']);
    expect(kinds(receives(a, { kind: 'confirm', charter: { ...three, term: term(2) }, index: 1, round: 1 }))).toEqual([
      'refused',
    ]);
  });

  it('P7: accepts a charter it may accept, saved first', () => {
    const { receives, saved, m } = driven(w, three);
    expect(names(receives(b, { kind: 'propose', charter: { ...three, term: term(4, 'ctl-b') } }))).toEqual([
      'saveRegister',
    ]);
    expect(kinds(saved())).toEqual(['accepted']);
    expect(m.register.accepted.term.number).toBe(4);
  });

  it('P19, L2: says no to a precheck while it hears the active', () => {
    const { receives, saved, wait } = driven(w, three);
    receives(a, { kind: 'confirm', charter: { ...three, term: term(1) }, index: 0, round: 1 });
    saved();
    const precheck: Body = { kind: 'ask', term: term(2, 'ctl-b'), precheck: true };
    expect(bodies(receives(b, precheck))).toMatchObject([{ kind: 'refused', why: 'still hears ctl-a' }]);
    wait(700);
    expect(kinds(receives(b, precheck))).toEqual(['promised']);
  });

  it('P33, P34: with an old folder it takes a new store, and has no vote', () => {
    const { receives, m } = driven(w, three);
    const seen = { store: 's2', savers: [{ incarnation: 'two', saves: 9 }] };
    expect(names(receives(a, { kind: 'ask', term: term(5), precheck: false }, { seen }))).toEqual([
      'note',
      'renewStore',
    ]);
    expect(m.retired).toBe(true);
  });

  it('P34: also when it was saved again before it met who knew it later', () => {
    const register = { ...foundingRegister('lab', w, three), saves: 4, savers: [{ incarnation: 'zero', saves: 4 }] };
    const { receives, m } = driven(w, three, { register });
    receives(b, { kind: 'ask', term: term(5, 'ctl-b'), precheck: false });
    receives(b, { kind: 'ask', term: term(6, 'ctl-b'), precheck: false });
    expect(m.register).toMatchObject({ saves: 6, savers: [{ saves: 4 }, { incarnation: 'one', saves: 6 }] });
    const reminded = (...savers: Saver[]): Effect[] =>
      receives(a, { kind: 'reminded' }, { seen: { store: 's2', savers } });
    reminded({ incarnation: 'zero', saves: 4 }, { incarnation: 'one', saves: 6 });
    expect(m.retired).toBe(false);
    expect(names(reminded({ incarnation: 'zero', saves: 5 }))).toContain('renewStore');
  });

  it('P34: an announcement of another process is answered, so that the sender can tell whether its folder is old', () => {
    const { receives } = driven(w, three);
    const announced: Body = { kind: 'confirmed', term: term(1), index: 0, round: 0 };
    expect(kinds(receives(a, announced, { saves: 5, saver: 'first' }))).toEqual([]);
    expect(kinds(receives(a, announced, { saves: 5, saver: 'first' }))).toEqual([]);
    expect(receives(a, announced, { saves: 4, saver: 'before' })).toMatchObject([
      {
        effect: 'send',
        message: { body: { kind: 'reminded' }, seen: { savers: [{ saves: 5 }, { incarnation: 'before', saves: 4 }] } },
      },
    ]);
  });

  it('P33: a folder that is new leads nothing and asks nobody', () => {
    const { wait, m } = driven({ node: 'ctl-a', store: 'new' }, three, {
      register: emptyRegister('lab', { node: 'ctl-a', store: 'new' }),
    });
    expect(kinds(wait(5_000)).filter((kind) => kind === 'ask')).toEqual([]);
    expect(m.phase.phase).toBe('quiet');
  });
});

describe('a controller', () => {
  it('P4: proposes nothing without promises of a quorum of the newest charter it hears of', () => {
    const { m, receives } = asking();
    expect(m.phase.phase).toBe('asking');
    const joint: Charter = {
      ...three,
      term: term(0, 'ctl-b'),
      voters: [
        [a, b, w],
        [b, { node: 'x', store: 'x' }, w],
      ],
    };
    receives(w, promised(1, { accepted: joint, end: null }));
    expect(m.phase.phase, 'one of two sets only').toBe('asking');
    expect(m.phase.phase === 'asking' && m.phase.asked.has('x'), 'it asks those it did not know').toBe(true);
  });

  it('P5: does not lead when it is not in the newest write set, and says whom it waits for', () => {
    const { m, receives } = asking();
    const solo: Charter = { ...three, term: term(0, 'ctl-b'), active: 'ctl-b', writeSet: ['ctl-b#s1'] };
    const effects = receives(w, promised(1, { accepted: solo, end: null }));
    expect(m.phase.phase).toBe('quiet');
    expect(effects).toContainEqual({
      effect: 'note',
      code: 'stale',
      words: 'This node may lack entries: it waits for ctl-b.',
    });
  });

  it('P6: pairs with the other only when both journals end alike', () => {
    const one = asking();
    one.receives(b, promised(1));
    expect(one.m.phase).toMatchObject({ phase: 'proposing', charter: { writeSet: ['ctl-a#s0', 'ctl-b#s1'] } });
    const two = asking();
    two.receives(b, promised(1, { end: { index: 1, term: term(0), chain: 'other' } }));
    two.wait(400);
    expect(two.m.phase).toMatchObject({ phase: 'proposing', charter: { writeSet: ['ctl-a#s0'] } });
  });

  it('P9, P13, P14: acts only when its activation is on both disks and confirmed', () => {
    const { m, receives, step } = leading();
    expect(m.phase).toMatchObject({ phase: 'leading', acting: false });
    expect(step({ event: 'proposed', texts: ['x'] })).toEqual([{ effect: 'notTaken', texts: ['x'] }]);
    expect(names(receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 }))).toEqual([
      'committed',
      'beganActing',
    ]);
  });

  it('P10: leads nothing after a restart, though its charter says that it is active', () => {
    const { m } = driven(a, { ...three, term: term(7) });
    expect(m.phase.phase).toBe('quiet');
  });

  it('P11: stops at once when it hears of a newer promise', () => {
    const { m, receives } = leading();
    const body: Body = {
      kind: 'refused',
      what: 'append',
      term: term(1),
      promised: term(9, 'ctl-b'),
      accepted: three,
      why: '',
    };
    expect(names(receives(b, body))).toContain('stoppedActing');
    expect(m.phase.phase).toBe('quiet');
  });

  it('P12, P13: sends entries before its own sync, and the watch only what it has synced', () => {
    const { receives, step } = leading();
    receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 });
    const effects = step({ event: 'proposed', texts: ['x'] });
    expect(names(effects)).toEqual(['appendEntries', 'send']);
    expect(bodies(effects)).toMatchObject([{ kind: 'append', entries: [{ text: 'x' }] }]);
  });

  it('P15, P16: cuts what conflicts into quarantine, and applies what the active calls committed', () => {
    const first = entry(1, 1, 'one', '0');
    const own = entry(2, 1, 'mine', first.chain);
    const theirs = entry(2, 2, 'theirs', first.chain);
    const { receives, saved, m } = driven(b, three, {
      journal: { base: { index: 0, term: noCharter.term, chain: '0' }, entries: [first, own] },
    });
    const effects = receives(a, {
      kind: 'append',
      charter: { ...three, term: term(2) },
      previous: { index: 1, term: term(1), chain: first.chain },
      entries: [theirs],
      committed: 1,
      round: 3,
    });
    expect(names(effects)).toEqual(['saveRegister', 'cutToQuarantine', 'note', 'appendEntries', 'committed']);
    expect(m.committed).toBe(1);
    expect(bodies(saved())).toEqual([{ kind: 'appended', term: term(2), index: 2, round: 3 }]);
  });

  describe('after a confirmed loss', () => {
    const one = entry(1, 1, 'one', '0');
    const two = entry(2, 1, 'two', one.chain);
    const given = entry(3, 1, 'given up', two.chain);
    const place = ({ index, term, chain }: StoredEntry) => ({ index, term, chain });
    const claimed: Charter = {
      ...{ term: { era: 1, number: 1, node: 'ctl-a' }, follows: term(1), active: 'ctl-a', writeSet: ['ctl-a#s0'] },
      ...{ voters: [[a]], lineage: { era: 1, claim: 'c' }, lastClaim: 'c', reason: 'loss confirmed', at: 0 },
    };
    const base = { index: 0, term: noCharter.term, chain: '0' };

    it('P30: takes nothing for common when a claim that it never followed gave up some of it', () => {
      const claim = {
        ...{ id: 'd', cluster: 'lab', lost: ['ctl-b#s1'], candidate: 'ctl-a', incarnation: 'one', newest: term(3) },
        ...{ evidence: '', by: 'ops', statement: '', at: 0, expiresAt: 1 },
      };
      const m = wakeMember(waking(a, three, { journal: { base, entries: [one, two] }, committed: 2 }));
      expect(m.committed).toBe(2);
      const newest = { ...three, term: term(3, 'ctl-b'), active: 'ctl-b', writeSet: ['ctl-b#s1'] };
      expect(lossOf(m, newest, claim, new Map()).from).toBe(3);
      expect(lossOf(m, { ...newest, lastClaim: 'c' }, claim, new Map()).from).toBe(1);
    });

    it('P17, P32: takes an older snapshot of the active for its own, which holds what was given up', () => {
      const { receives, step, saved, m } = driven(b, three, {
        journal: { base, entries: [one, two, given] },
        snapshot: place(given),
        dropped: 2,
        register: foundingRegister('lab', b, claimed),
      });
      const offered: Body = { kind: 'snapshotOffered', charter: claimed, at: place(two), round: 1 };
      expect(names(receives(a, offered))).toContain('fetchSnapshot');
      expect(names(step({ event: 'snapshotFetched', at: place(two) }))).toEqual(['installSnapshot', 'committed']);
      expect(m).toMatchObject({ committed: 2, snapshot: place(two), journal: { base: place(two), entries: [] } });
      expect(bodies(saved())).toMatchObject([{ kind: 'appended', index: 2 }]);
    });

    it('P17, P32: asks for a newer snapshot when one would lead it back behind what it knows to be committed', () => {
      const { receives, m } = driven(b, three, {
        journal: { base, entries: [one, two, given] },
        snapshot: place(given),
        register: foundingRegister('lab', b, claimed),
      });
      m.committed = 2;
      const offered: Body = { kind: 'snapshotOffered', charter: claimed, at: place(one), round: 1 };
      expect(bodies(receives(a, offered))).toMatchObject([{ kind: 'appended', index: 2 }]);
    });
  });

  it('P17: offers a snapshot to who parts from it farther back than can be cut, and a newer one than what is equal', () => {
    const { receives, step, saved, m } = leading();
    receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 });
    step({ event: 'proposed', texts: ['x', 'y'] });
    saved();
    const c = { node: 'ctl-c', store: 's3' };
    m.roster = { ...m.roster, controllers: [a, b, c] };
    const { phase } = m;
    if (phase.phase !== 'leading') throw new Error('leads');
    phase.peers.set('ctl-c', { ...phase.peers.get('ctl-b')!, store: 's3', match: 2, next: 4 });
    const parted: Body = { kind: 'mismatch', term: term(1), marks: [entry(3, 9, 'other', '?')], round: 1 };
    expect(names(receives(c, parted))).toEqual(['wantSnapshot']);
    const [first] = m.journal.entries;
    step({ event: 'snapshotKept', at: { index: 1, term: first!.term, chain: first!.chain }, dropped: 0 });
    expect(bodies(receives(c, parted))).toEqual([]);
    const second = m.journal.entries[1]!;
    step({ event: 'snapshotKept', at: { index: 2, term: second.term, chain: second.chain }, dropped: 0 });
    expect(bodies(receives(c, parted))).toMatchObject([{ kind: 'snapshotOffered', at: { index: 2 } }]);
  });

  it('P32, P35: takes a higher term when a worker obeys one of an older lineage, and only then', () => {
    const { receives, step, m } = leading();
    receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 });
    step({ event: 'fenced', term: term(9, 'ctl-b'), lineage: null });
    expect(m.phase.phase).toBe('leading');
    if (m.phase.phase !== 'leading') throw new Error('leads');
    m.phase.charter = { ...m.phase.charter, lineage: { era: 1, claim: 'c' } };
    step({ event: 'fenced', term: term(9, 'ctl-b'), lineage: null });
    expect(m.phase).toMatchObject({ phase: 'asking', term: { number: 10, node: 'ctl-a' } });
  });

  it('P18, P24: goes on alone when the standby leaves before the term began to act', () => {
    const { m, receives, wait } = leading();
    receives(b, { kind: 'leaving' });
    wait(100);
    expect(m.phase).toMatchObject({ phase: 'asking', purpose: { why: 'ctl-b is silent' } });
  });

  it('L6: says nothing while a save hangs, also when a read asks for a confirmation', () => {
    const { receives, step, wait } = leading();
    receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 });
    step({ event: 'proposed', texts: ['x'] });
    for (let times = 0; times < 22; times++) {
      wait(50);
      receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 });
    }
    expect(names(step({ event: 'wished', id: 7, wish: { wish: 'confirmRead' } }))).toEqual([]);
  });

  it('P18: goes on alone when the standby is silent, and not because it says that it hears nobody', () => {
    const { m, receives, wait } = leading();
    receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 });
    for (let times = 0; times < 16; times++) {
      wait(50);
      receives(b, { kind: 'confirmed', term: term(1), index: 0, round: 0 });
      receives(w, { kind: 'confirmed', term: term(1), index: 0, round: 1 });
    }
    expect(m.phase).toMatchObject({ phase: 'asking', purpose: { why: 'ctl-b is silent' } });
  });

  it('P36: answers a fresh read when a quorum has confirmed its term since it was asked for', () => {
    const { receives, step } = leading();
    receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 });
    expect(names(step({ event: 'wished', id: 7, wish: { wish: 'confirmRead' } }))).not.toContain('answered');
    expect(names(receives(b, { kind: 'appended', term: term(1), index: 1, round: 1 }))).not.toContain('answered');
    expect(receives(w, { kind: 'confirmed', term: term(1), index: 1, round: 2 })).toContainEqual({
      effect: 'answered',
      id: 7,
      ok: true,
      words: 'confirmed',
    });
  });
});

describe('the only voter of a cluster', () => {
  const roster = { controllers: [a], watch: null, spares: [] };

  it('P34: listens before it leads, since others may know that its folder is old (decision 0008)', () => {
    const { wait, receives, m } = driven(a, alone, { roster });
    expect(names(wait(650))).toEqual([]);
    const seen = { store: 's0', savers: [{ incarnation: 'two', saves: 5 }] };
    expect(names(receives(w, { kind: 'confirmed', term: term(3), index: 0, round: 0 }, { seen }))).toContain(
      'renewStore',
    );
    expect(m.phase.phase).toBe('quiet');
  });

  it('P2, P9, P10: leads in a new term when nobody objects', () => {
    const { wait, saved, m } = driven(a, alone, { roster });
    wait(750);
    saved();
    saved();
    expect(names(saved())).toEqual(['committed', 'beganActing']);
    expect(m.phase).toMatchObject({ phase: 'leading', charter: { term: term(1), follows: term(0) } });
  });

  it('need not listen in the process that has just founded it', () => {
    const { wait, m } = driven(a, alone, { roster, founded: true });
    wait(50);
    expect(m.phase.phase).toBe('asking');
  });
});

it('who hears no active says so to everybody it knows: that finds out old folders (P34)', () => {
  const { wait, saved } = driven(w, three);
  wait(300);
  const effects = [...wait(150), ...saved()];
  const to = effects.flatMap((one) => (one.effect === 'send' ? [one.to] : []));
  expect(new Set(to)).toEqual(new Set(['ctl-a', 'ctl-b']));
  expect(effects.flatMap((one) => (one.effect === 'send' ? [one.message] : []))[0]).toMatchObject({
    body: { kind: 'confirmed', index: 0, round: 0 },
  });
});
