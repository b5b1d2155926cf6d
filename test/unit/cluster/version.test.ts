/** Section 13: which version is spoken, who can't read it, and how it goes on. */
import { describe, expect, it } from 'vitest';
import { memberStep } from '../../../node-runtime/core/cluster/member.ts';
import type { Effect, Member } from '../../../node-runtime/core/cluster/member-state.ts';
import type { Message } from '../../../node-runtime/core/cluster/messages.ts';
import { enableable, spokenTo } from '../../../node-runtime/core/cluster/version.ts';
import { newWorld } from '../../simulation/world.ts';

describe('the version to go to', () => {
  const all = (...speaks: (number | null)[]) => speaks.map((one, place) => ({ node: `n${place}`, speaks: one }));

  it('is the next one when everybody reads it', () => {
    expect(enableable(all(2, 2, 2), 1)).toEqual({ version: 2, waitsFor: [] });
  });
  it('is none while nobody reads a newer one', () => {
    expect(enableable(all(1, 1, 1), 1)).toEqual({ version: null, waitsFor: [] });
  });
  it('waits for who is older, and for who has said nothing yet', () => {
    expect(enableable(all(2, 1, null), 1)).toEqual({ version: null, waitsFor: ['n1', 'n2'] });
  });
  it('goes one step at a time', () => {
    expect(enableable(all(4, 3, 3), 2)).toEqual({ version: 3, waitsFor: [] });
  });
  it('never goes back', () => {
    expect(enableable(all(2, 1, 2), 2)).toEqual({ version: null, waitsFor: [] });
  });
});

function formed(speaks: number) {
  const world = newWorld({ seed: 5, preformed: true, small: false, speaks, log: null });
  world.begin();
  world.workers.get('bench-2')!.speaks = 1; // so nothing newer is enabled
  world.run(3_000);
  const [active] = world.acting();
  if (!active) throw new Error('nobody acts');
  const standby = world.node(active.name === 'ctl-a' ? 'ctl-b' : 'ctl-a');
  return { world, active, standby, member: standby.member };
}

const from = (m: Member, message: Partial<Message>): Message => ({
  version: 1,
  speaks: 1,
  cluster: 'lab',
  store: m.register.accepted.voters[0]!.find((one) => one.node === m.followed!.active)!.store,
  keepsJournal: true,
  saves: 1,
  saver: '',
  seen: null,
  body: { kind: 'ask', term: { era: 0, number: 99, node: m.followed!.active }, precheck: false },
  ...message,
});
const kinds = (effects: Effect[]): string[] => effects.map((one) => (one.effect === 'note' ? one.code : one.effect));

describe('a member', () => {
  it('takes nothing from a message in a version it can not read, says which it needs, and stops trying', () => {
    const { member: m } = formed(1);
    const before = structuredClone({ register: m.register, journal: m.journal });
    const message = from(m, { version: 2, speaks: 2 });
    expect(kinds(memberStep(m, { event: 'received', now: m.now, from: m.followed!.active, message }))).toEqual([
      'version',
    ]);
    expect(m.needs).toEqual({ version: 2, from: m.followed!.active });
    expect({ ...m.register, seen: {} }).toEqual({ ...before.register, seen: {} });
    expect(m.journal).toEqual(before.journal);
    const late = [...Array(40).keys()].flatMap((place) =>
      memberStep(m, { event: 'ticked', now: m.now + 50 * (place > 0 ? 1 : 0), wall: 0, random: 0.5 }),
    );
    expect(late.filter((one) => one.effect === 'send' && one.message.body.kind === 'ask')).toEqual([]);
    expect(m.phase.phase).toBe('quiet');
  });

  it('does not read a charter that was written in a newer version, though the message is', () => {
    const { member: m } = formed(1);
    const charter = { ...m.register.accepted, term: { era: 0, number: 9, node: 'ctl-a' }, version: 2 };
    const message = from(m, { body: { kind: 'propose', charter } });
    expect(kinds(memberStep(m, { event: 'received', now: m.now, from: m.followed!.active, message }))).toEqual([
      'version',
    ]);
    expect(m.register.accepted.term.number).toBeLessThan(9);
  });

  it('does not answer who can not read the version that is enabled', () => {
    const { member: m } = formed(2);
    memberStep(m, { event: 'versionEnabled', now: m.now, version: 2 });
    const message = from(m, { version: 1, speaks: 1 });
    expect(kinds(memberStep(m, { event: 'received', now: m.now, from: 'ctl-x', message }))).toEqual(['versionOld']);
    expect(m.needs).toBeNull();
  });

  it('stands still when an entry enables what it can not read: refuses wishes and requests, changes nothing', () => {
    const { world, active } = formed(1);
    const m = active.member;
    const effects = memberStep(m, { event: 'versionEnabled', now: m.now, version: 2 });
    expect(kinds(effects)).toEqual(['stoppedActing', 'version']);
    expect(m.needs?.version).toBe(2);
    expect(memberStep(m, { event: 'proposed', now: m.now, texts: ['x'] })).toEqual([
      { effect: 'notTaken', texts: ['x'] },
    ]);
    const wished = memberStep(m, { event: 'wished', now: m.now, id: 1, wish: { wish: 'confirmRead' } });
    expect(wished).toEqual([{ effect: 'answered', id: 1, ok: false, words: 'needs version 2 of the protocol' }]);
    expect(world.node(active.name).disk.entries.length).toBeGreaterThan(0);
  });

  it('writes the version that is enabled, and says which it reads', () => {
    const { world, active, member: m } = formed(2);
    const sent: Message[] = [];
    const one = (now: number) => {
      for (const effect of memberStep(active.member, { event: 'ticked', now, wall: 0, random: 0 }))
        if (effect.effect === 'send') sent.push(effect.message);
    };
    one(active.member.now + 200);
    expect(sent.map(({ version, speaks }) => [version, speaks])).toContainEqual([1, 2]);
    sent.length = 0;
    memberStep(active.member, { event: 'versionEnabled', now: active.member.now, version: 2 });
    one(active.member.now + 200);
    expect(new Set(sent.map(({ version }) => version))).toEqual(new Set([2]));
    expect(spokenTo(active.member)).toContainEqual({ node: m.self.node, speaks: 2 });
    expect(world.work.enabled).toBe(1);
  });
});

it('a cluster of neighbouring releases changes its active in both directions', () => {
  for (const old of ['ctl-a', 'ctl-b']) {
    const { world } = formed(2);
    const node = world.node(old);
    world.stop(node);
    node.speaks = 1;
    world.start(node);
    world.run(world.now + 4_000);
    const [first] = world.acting();
    if (!first) throw new Error('nobody acts');
    world.wish(first, { wish: 'switchOver' });
    world.run(world.now + 2_000);
    const [second] = world.acting();
    expect(second && second.name !== first.name).toBe(true);
  }
});
