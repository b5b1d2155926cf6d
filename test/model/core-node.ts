/**
 * One node of the explorer: the real core with its disk, as a value.
 *
 * A node is never changed: a step copies it, lets `memberStep` (or the very
 * function that a tick would have called) run on the copy, and carries out the
 * effects as a host does. There is no clock: it is always the same moment, and
 * what waits for silence may happen whenever the explorer says so.
 *
 * Checks here: P29 (nobody promises who hears that the lost one is alive), P32
 * (an older era yields on contact).
 */
import type { Charter } from '../../node-runtime/contract/facts.ts';
import { ask, carryOn } from '../../node-runtime/core/cluster/ask.ts';
import { compareLineages, votersOf } from '../../node-runtime/core/cluster/charter.ts';
import { newestKnown } from '../../node-runtime/core/cluster/knowledge.ts';
import { heartbeat } from '../../node-runtime/core/cluster/leading.ts';
import { memberStep } from '../../node-runtime/core/cluster/member.ts';
import type { Effect, Event, Member } from '../../node-runtime/core/cluster/member-state.ts';
import type { Body } from '../../node-runtime/core/cluster/messages.ts';
import { drain } from '../../node-runtime/core/cluster/suspicion.ts';
import { compareTerms, termText } from '../../node-runtime/core/cluster/terms.ts';
import { carryOut, reach } from './core-effects.ts';
import { broken } from './core-law.ts';
import { settle } from './core-sameness.ts';
import { LONG_AGO, leadOf, type MemberNode, NOW, type Outcome, type Setting } from './core-setting.ts';
import { begin, renew } from './core-waking.ts';

/** Collections of the member itself are copied, whatever they are called; what they hold is never changed in place. */
function copyMember(m: Member): Member {
  const copy = { ...m };
  const fields = copy as Record<string, unknown>;
  for (const [name, value] of Object.entries(m) as [string, unknown][]) {
    if (value instanceof Map) fields[name] = new Map(value);
    else if (value instanceof Set) fields[name] = new Set(value);
    else if (Array.isArray(value)) fields[name] = [...value];
  }
  copy.journal = { base: m.journal.base, entries: [...m.journal.entries] };
  copy.disk = { ...m.disk, givenAt: [...m.disk.givenAt], ends: m.disk.ends.map((end) => ({ ...end })) };
  copy.phase = copyPhase(m.phase);
  return copy;
}

function copyPhase(phase: Member['phase']): Member['phase'] {
  switch (phase.phase) {
    case 'quiet':
      return phase;
    case 'sounding':
      return { ...phase, yes: new Map(phase.yes) };
    case 'asking':
      return {
        ...phase,
        promises: new Map(phase.promises),
        asked: new Set(phase.asked),
        purpose: { ...phase.purpose },
      };
    case 'proposing':
      return {
        ...phase,
        accepted: new Set(phase.accepted),
        charter: { ...phase.charter },
        purpose: { ...phase.purpose },
      };
    case 'leading':
      return {
        ...phase,
        peers: new Map([...phase.peers].map(([name, peer]) => [name, { ...peer }])),
        draining: phase.draining && { ...phase.draining },
        reads: [...phase.reads],
      };
  }
}

const copyNode = (node: MemberNode): MemberNode => ({
  ...node,
  member: copyMember(node.member),
  pending: [...node.pending],
  shown: [...node.shown],
});

/** Lets `does` happen at a copy of the node. */
export function atCopy(
  node: MemberNode,
  setting: Setting,
  does: (copy: MemberNode, outcome: Outcome, run: (effects: Effect[], lead: Charter | null) => void) => void,
): { node: MemberNode; outcome: Outcome } {
  const copy = copyNode(node);
  const outcome: Outcome = { sends: [], seen: [], told: [] };
  const before = copy.member.committed;
  does(copy, outcome, (effects, lead) => {
    setting.bend?.after?.(copy.member, copy);
    effects.push(...copy.member.out.splice(0));
    carryOut(copy, effects, lead, before, outcome, setting);
  });
  const parked =
    node.member.phase.phase === 'proposing' && node.member.phase.charter.parked ? node.member.phase.charter : null;
  if (parked && copy.member.phase.phase === 'quiet' && compareTerms(copy.member.decided, parked.term) === 0)
    outcome.seen.push({ seen: 'parkingKnown', term: parked.term });
  settle(copy, setting);
  return { node: copy, outcome };
}

/** An event comes to the core. */
export function step(node: MemberNode, event: Event, setting: Setting): { node: MemberNode; outcome: Outcome } {
  return atCopy(node, setting, (copy, outcome, run) => {
    const lead = leadOf(copy.member);
    const alive = event.event === 'received' ? heardLost(copy.member, event.message.body) : null;
    const { promised } = copy.member.register;
    const bent = setting.bend?.before?.(copy.member, event, copy) ?? event;
    run(memberStep(copy.member, bent), lead);
    if (alive && compareTerms(copy.member.register.promised, promised) > 0)
      broken('P29', `${copy.name} promises for a claim and ${alive}, declared lost, is alive`);
    if (event.event === 'received') yields(copy, lead, event.message.body, outcome);
  });
}

/** P29, S14: whom a question declares lost although it was heard here. */
function heardLost(m: Member, body: Body): string | null {
  if (body.kind !== 'ask' || !body.claim || body.claim.chosen) return null;
  return body.claim.lost.find((text) => isHeard(m, text)) ?? null;
}

export function isHeard(m: Member, voter: string): boolean {
  const [node = '', store] = voter.split('#');
  return m.heard.has(node) && m.stores.get(node) === store;
}

/** P32: whoever hears of a newer era, or of one that stands against its own, acts no longer in it. */
function yields(node: MemberNode, lead: Charter | null, body: Body, outcome: Outcome): void {
  const heard = 'charter' in body ? body.charter : 'accepted' in body ? body.accepted : null;
  if (!lead || !heard || votersOf(heard).length === 0) return;
  const order = compareLineages(lead, heard);
  const still = leadOf(node.member);
  if ((order === 'newer' || order === 'conflict') && still && compareTerms(still.term, lead.term) === 0)
    broken('P32', `${node.name} hears of ${termText(heard.term)} and goes on in ${termText(lead.term)}`);
  if (order === 'newer') outcome.told.push('an older era yields');
  if (order === 'conflict') outcome.told.push('two eras stop on contact');
}

/** The first save that is on its way reaches the disk, and the core hears of it. */
export function saveOne(node: MemberNode, setting: Setting): { node: MemberNode; outcome: Outcome } {
  return atCopy(node, setting, (copy, outcome, run) => {
    const save = copy.pending.shift()!;
    reach(copy, save, outcome);
    const lead = leadOf(copy.member);
    const done =
      save.save <= copy.member.disk.done ? [] : memberStep(copy.member, { event: 'saved', now: NOW, save: save.save });
    run(done, lead);
  });
}

/** The power fails when so many saves have reached the disk; the node is started again at once. */
export function crash(node: MemberNode, reached: number, setting: Setting): { node: MemberNode; outcome: Outcome } {
  return atCopy(node, setting, (copy, outcome, run) => {
    const lead = leadOf(copy.member);
    for (const save of copy.pending.splice(0, reached)) reach(copy, save, outcome);
    if (lead) outcome.seen.push({ seen: 'stopped', term: lead.term });
    begin(copy, copy.disk, copy.member.keepsJournal, setting);
    const { accepted } = copy.disk.register;
    if (accepted.parked && accepted.active === copy.name) outcome.seen.push({ seen: 'restarted', term: accepted.term });
    run(copy.member.out.splice(0), null);
  });
}

/** An older image of the folder is put back, or the folder is lost: then its memory is another one (P33). */
export function putBack(node: MemberNode, setting: Setting): { node: MemberNode; outcome: Outcome } {
  return atCopy(node, setting, (copy, outcome) => {
    const lead = leadOf(copy.member);
    if (lead) outcome.seen.push({ seen: 'stopped', term: lead.term });
    begin(copy, copy.image!, copy.member.keepsJournal, setting);
    copy.image = null;
  });
}

export function wipe(node: MemberNode, setting: Setting): { node: MemberNode; outcome: Outcome } {
  return atCopy(node, setting, (copy, outcome) => {
    const lead = leadOf(copy.member);
    if (lead) outcome.seen.push({ seen: 'stopped', term: lead.term });
    renew(copy, setting);
  });
}

// ------------------------------------------------------------- what a tick would try

/** P2, P18, P19: silence makes it ask. Before it asks it only waits for an answer that changes nothing. */
export const tries = (node: MemberNode, setting: Setting): { node: MemberNode; outcome: Outcome } =>
  atCopy(node, setting, (copy, _outcome, run) => {
    const lead = leadOf(copy.member);
    ask(copy.member, { why: '' });
    run(copy.member.out.splice(0), lead);
  });

/** May silence make it ask? The conditions of `suspect`, without those of time. */
export function mayTry({ member: m }: MemberNode): boolean {
  if (!m.keepsJournal || m.retired) return false;
  if (m.phase.phase === 'leading') return true;
  const newest = newestKnown(m);
  if (m.phase.phase !== 'quiet' || m.conflict || votersOf(newest).length === 0) return false;
  return !newest.parked || (newest.active === m.self.node && m.mayUnpark);
}

export const heartbeats = (node: MemberNode, setting: Setting): { node: MemberNode; outcome: Outcome } =>
  atCopy(node, setting, (copy, _outcome, run) => {
    const { phase } = copy.member;
    if (phase.phase === 'leading') for (const peer of phase.peers.values()) peer.sentAt = LONG_AGO;
    heartbeat(copy.member);
    run(copy.member.out.splice(0), leadOf(copy.member));
  });

/** What it waits for with patience (the standby to be equal) has lasted too long. */
export const losesPatience = (node: MemberNode, setting: Setting): { node: MemberNode; outcome: Outcome } =>
  atCopy(node, setting, (copy, _outcome, run) => {
    const lead = leadOf(copy.member);
    if (copy.member.phase.phase === 'leading' && copy.member.phase.draining) {
      copy.member.phase.draining.since = LONG_AGO;
      drain(copy.member, copy.member.phase);
    }
    run(copy.member.out.splice(0), lead);
  });

/** Nothing was heard for so long that everybody may be dead. */
export const hearsNothing = (node: MemberNode, setting: Setting): { node: MemberNode; outcome: Outcome } =>
  atCopy(node, setting, (copy, _outcome, run) => {
    const lead = leadOf(copy.member);
    copy.member.heard.clear();
    const { phase } = copy.member;
    if (phase.phase === 'leading') for (const peer of phase.peers.values()) peer.heardAt = LONG_AGO;
    if (phase.phase === 'asking') phase.since = LONG_AGO;
    carryOn(copy.member);
    run(copy.member.out.splice(0), lead);
  });
