/**
 * All that one node can do next by itself, by number: saves, tries, what
 * people tell it, its end and new start. What comes to it is in
 * `core-world.ts`.
 *
 * Checks here: I14 (a claim acts once, and not after its evidence changed).
 */
import type { Claim } from '../../node-runtime/contract/facts.ts';
import { newestKnown } from '../../node-runtime/core/cluster/knowledge.ts';
import { isTaking } from '../../node-runtime/core/cluster/leading.ts';
import { evidenceOf } from '../../node-runtime/core/cluster/loss.ts';
import type { Member, Wish } from '../../node-runtime/core/cluster/member-state.ts';
import { broken } from './core-law.ts';
import {
  atCopy,
  crash,
  hearsNothing,
  heartbeats,
  isHeard,
  losesPatience,
  mayTry,
  putBack,
  saveOne,
  step,
  tries,
  wipe,
} from './core-node.ts';
import { CLUSTER, type MemberNode, NOW, type Outcome, type Setting } from './core-setting.ts';
import { crashWorker, endAttempt, runningAttempt, saveFence, type WorkerNode } from './core-worker.ts';

export type AnyNode = { kind: 'member'; node: MemberNode } | { kind: 'worker'; node: WorkerNode };

/** Steps of a node by number; deliveries follow from `DELIVER` on, two for each letter. */
export const steps = {
  save: 1,
  try: 2,
  heartbeat: 3,
  propose: 4,
  silence: 5,
  impatience: 6,
  park: 7,
  activate: 8,
  switchOver: 9,
  putBack: 10,
  wipe: 11,
  choose: 12,
  end: 13,
  crash: 16,
  show: 24,
  confirm: 32,
} as const;
export const DELIVER = 64;

/** How often something may happen; `what node` bounds it for that node alone. */
export type Bounds = Record<string, number>;

export type Given = {
  setting: Setting;
  nodes: AnyNode[];
  bounds: Bounds;
  /** Whom a candidate may declare lost, by candidate. */
  lost: Record<string, string[][]>;
  /** What may be proposed, one after the other. */
  entries: string[];
};

type Acted = { node: MemberNode; outcome: Outcome };

export function newActs({ setting, lost, entries }: Given) {
  function memberOptions(node: MemberNode): number[] {
    const { member: m, pending, shown } = node;
    const { phase } = m;
    const found: number[] = [];
    if (pending.length > 0) found.push(steps.save);
    for (let reached = 0; reached <= Math.min(pending.length, 7); reached++) found.push(steps.crash + reached);
    if (node.image) found.push(steps.putBack);
    found.push(steps.wipe);
    if (!m.keepsJournal) return setting.hearing && m.heard.size > 0 ? [...found, steps.silence] : found;
    if (mayTry(node)) found.push(steps.try);
    if (newestKnown(m).parked) found.push(steps.activate);
    if (setting.hearing && (m.heard.size > 0 || phase.phase === 'leading')) found.push(steps.silence);
    if (phase.phase === 'leading') {
      found.push(steps.heartbeat);
      if (isTaking(m)) found.push(steps.propose);
      if (phase.draining) found.push(steps.impatience);
      if (phase.acting && !phase.draining) found.push(steps.park, steps.switchOver);
    }
    if (m.conflict) found.push(steps.choose);
    else (lost[node.name] ?? []).forEach((_, place) => void found.push(steps.show + place));
    shown.forEach((_, place) => void found.push(steps.confirm + place));
    return found;
  }

  function workerOptions(node: WorkerNode): number[] {
    const { pending } = node;
    const crashes = pending.map((_, reached) => steps.crash + reached + 1);
    const ends = runningAttempt(node) ? [steps.end] : [];
    return [...(pending.length > 0 ? [steps.save] : []), ...ends, steps.crash, ...crashes];
  }

  function actOfWorker(node: WorkerNode, code: number): { node: WorkerNode; outcome: Outcome } {
    if (code === steps.end) return endAttempt(node, setting);
    return code === steps.save ? saveFence(node, setting) : crashWorker(node, code - steps.crash, setting);
  }

  function nextEntry({ member: { journal } }: MemberNode): string {
    const isThere = (text: string): boolean => journal.entries.some((entry) => entry.text === text);
    return entries.find((text) => !isThere(text)) ?? entries.at(-1)!;
  }

  function act(node: MemberNode, code: number): Acted {
    switch (code) {
      case steps.save:
        return saveOne(node, setting);
      case steps.try:
        return tries(node, setting);
      case steps.heartbeat:
        return heartbeats(node, setting);
      case steps.propose:
        return step(node, { event: 'proposed', now: NOW, texts: [nextEntry(node)] }, setting);
      case steps.silence:
        return hearsNothing(node, setting);
      case steps.impatience:
        return losesPatience(node, setting);
      case steps.park:
        return wishes(node, { wish: 'park', by: 'a person', why: '' });
      case steps.activate:
        return activates(node);
      case steps.switchOver:
        return wishes(node, { wish: 'switchOver' });
      case steps.putBack:
        return putBack(node, setting);
      case steps.wipe:
        return wipe(node, setting);
      case steps.choose:
        return show(node, null);
    }
    if (code >= steps.confirm) return confirm(node, code - steps.confirm);
    if (code >= steps.show) return show(node, lost[node.name]![code - steps.show]!);
    return crash(node, code - steps.crash, setting);
  }

  // ------------------------------------------------------------- people

  const wishes = (node: MemberNode, wish: Wish) => step(node, { event: 'wished', now: NOW, id: 0, wish }, setting);

  function activates(node: MemberNode): Acted {
    const after = wishes(node, { wish: 'activate', by: 'a person' });
    const { phase } = after.node.member;
    if (phase.phase === 'asking' && after.outcome.told[0] === 'yes')
      after.outcome.seen.push({ seen: 'activateWished', term: phase.term });
    return after;
  }

  /** What a person is shown before a loss is confirmed. Without names: a choice between two eras. */
  function show(node: MemberNode, declared: string[] | null): Acted {
    return atCopy(node, setting, (copy) => {
      const m = copy.member;
      const claim: Claim = {
        id: `${copy.name}${copy.shown.length}`,
        cluster: CLUSTER,
        lost:
          declared ?? setting.voters.filter((one) => one.node !== copy.name).map((one) => `${one.node}#${one.store}`),
        candidate: copy.name,
        incarnation: m.incarnation,
        newest: newestKnown(m).term,
        evidence: evidenceOf(m),
        by: '',
        statement: '',
        at: 0,
        expiresAt: 1,
        ...(declared === null && { chosen: true }),
      };
      copy.shown.push({ claim, knew: knows(m), taken: false });
    });
  }

  /** P28: what the explorer holds for evidence, read by itself: the newest charter, the highest term, the process. */
  const knows = (m: Member): string => JSON.stringify([newestKnown(m).term, m.highest, m.incarnation]);

  function confirm(node: MemberNode, place: number): Acted {
    const { claim, knew, taken } = node.shown[place]!;
    const alive = claim.chosen ? undefined : claim.lost.find((text) => isHeard(node.member, text));
    const isChanged = knows(node.member) !== knew;
    const after = wishes(node, { wish: 'claim', claim });
    if (after.outcome.told[0] !== 'yes') return after;
    if (taken) broken('I14', `claim ${claim.id} is taken a second time`);
    if (isChanged) broken('I14', `claim ${claim.id} acts after its evidence changed`);
    if (alive) broken('I14', `claim ${claim.id} acts and ${alive} is alive`);
    after.outcome.seen.unshift({ seen: 'claimTaken', id: claim.id, lost: claim.lost });
    after.node.shown = after.node.shown.map((one, at) => (at === place ? { ...one, taken: true } : one));
    return after;
  }

  return { memberOptions, workerOptions, act, actOfWorker, nextEntry };
}
