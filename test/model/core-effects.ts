/**
 * What a host does with the effects of the core: saves, letters, orders to
 * workers; and what the law hears of them.
 *
 * Checks here what one disk can show: I4 (nothing is said that is not on it),
 * I9 (nothing is forgotten), I5 as far as the own disk goes.
 */
import type { Charter, StoredEntry } from '../../node-runtime/contract/facts.ts';
import { voterText } from '../../node-runtime/core/cluster/charter.ts';
import { memberStep } from '../../node-runtime/core/cluster/member.ts';
import type { Effect } from '../../node-runtime/core/cluster/member-state.ts';
import type { Message } from '../../node-runtime/core/cluster/messages.ts';
import type { Register } from '../../node-runtime/core/cluster/register.ts';
import { compareTerms, termText } from '../../node-runtime/core/cluster/terms.ts';
import { broken } from './core-law.ts';
import { CLUSTER, leadOf, type MemberNode, NOW, type Outcome, type Save, type Setting } from './core-setting.ts';
import { renew } from './core-waking.ts';

/** I9: promised and accepted terms of a store never go back. */
function remembers(name: string, before: Register, after: Register): void {
  const back = compareTerms(after.promised, before.promised) < 0;
  if (back || compareTerms(after.accepted.term, before.accepted.term) < 0)
    broken('I9', `${name} forgets ${termText(back ? before.promised : before.accepted.term)}`);
}

/** What was given to the disk is on it. */
export function reach(copy: MemberNode, save: Save, outcome: Outcome): void {
  const { disk } = copy;
  const voter = voterText(disk.register);
  switch (save.effect) {
    case 'saveRegister': {
      const before = disk.register;
      remembers(copy.name, before, save.register);
      copy.disk = { ...disk, register: save.register };
      const { promised, accepted } = save.register;
      if (compareTerms(promised, before.promised) !== 0) outcome.seen.push({ seen: 'promised', voter, term: promised });
      if (compareTerms(accepted.term, before.accepted.term) !== 0)
        outcome.seen.push({ seen: 'accepted', voter, charter: accepted });
      return;
    }
    case 'saveMark':
      copy.disk = { ...disk, mark: save.mark };
      return;
    case 'appendEntries':
      copy.disk = { ...disk, entries: [...disk.entries, ...save.entries] };
      return;
    case 'cutToQuarantine': {
      const chains = disk.entries.slice(save.after).map((entry) => entry.chain);
      if (chains.length > 0)
        outcome.seen.push({ seen: 'cut', voter, charter: disk.register.accepted, first: save.after + 1, chains });
      copy.disk = { ...disk, entries: disk.entries.slice(0, save.after) };
      return;
    }
    case 'installSnapshot':
      throw new Error('the explorer has no snapshots: its journals are short');
  }
}

/** Carries out the effects of a step in order; `before` is the charter it led under when the step began. */
export function carryOut(
  copy: MemberNode,
  effects: Effect[],
  before: Charter | null,
  committed: number,
  outcome: Outcome,
  setting: Setting,
): void {
  let lead = before;
  for (const effect of effects) {
    switch (effect.effect) {
      case 'saveRegister':
      case 'appendEntries':
      case 'cutToQuarantine':
      case 'installSnapshot':
      case 'saveMark':
        copy.pending.push(effect);
        if (setting.bend?.lies?.(copy, effect))
          carryOut(
            copy,
            memberStep(copy.member, { event: 'saved', now: NOW, save: effect.save }),
            lead,
            committed,
            outcome,
            setting,
          );
        break;
      case 'send':
        speak(copy, effect.to, effect.message, outcome, setting);
        break;
      case 'becameActive': {
        const chains = copy.disk.entries.map((entry) => entry.chain);
        outcome.seen.push({ seen: 'activated', node: copy.name, charter: effect.charter, loss: effect.loss, chains });
        break;
      }
      case 'stoppedActing':
        if (lead) outcome.seen.push({ seen: 'stopped', term: lead.term });
        lead = null;
        break;
      case 'committed':
        commits(copy, lead ?? leadOf(copy.member), committed, effect.index, outcome, setting);
        break;
      case 'beganActing':
        greet(copy, effect.charter, outcome, setting);
        break;
      case 'answered':
        outcome.told.push(effect.ok ? 'yes' : `no: ${effect.words}`);
        break;
      case 'renewStore':
        outcome.told.push('old image');
        renew(copy, setting);
        return;
      case 'wantSnapshot':
      case 'fetchSnapshot':
      case 'readEntries':
      case 'reload':
        throw new Error(`the explorer does not carry out ${effect.effect}`);
    }
  }
}

/** P35: the active greets the workers in its term and orders what its journal says is to be started or forgotten. */
function greet(copy: MemberNode, charter: Charter, outcome: Outcome, setting: Setting): void {
  const lineage = charter.lineage ?? null;
  for (const to of setting.workers)
    outcome.sends.push({ to, message: { event: 'greeted', cluster: CLUSTER, term: charter.term, lineage, number: 0 } });
  const entries = copy.disk.entries.slice(0, copy.member.committed);
  const ended = new Set(
    entries.map(({ text }) => text.replace(/^end /, 'start ')).filter((_, at) => entries[at]!.text.startsWith('end ')),
  );
  for (const entry of entries) if (!ended.has(entry.text)) order(charter, entry, outcome, setting);
}

/** The place of an entry in the journal is the number of the order that follows from it. */
function order(charter: Charter, { text, index }: StoredEntry, outcome: Outcome, setting: Setting): void {
  const [what, attempt = ''] = text.split(' ');
  const event = what === 'start' ? 'startAsked' : what === 'end' ? 'forgotten' : null;
  if (!event) return;
  const lineage = charter.lineage ?? null;
  for (const to of setting.workers)
    outcome.sends.push({
      to,
      message: { event, cluster: CLUSTER, term: charter.term, lineage, number: index, attempt },
    });
}

function commits(
  copy: MemberNode,
  lead: Charter | null,
  before: number,
  index: number,
  outcome: Outcome,
  setting: Setting,
): void {
  const voter = voterText(copy.disk.register);
  if (lead) {
    if (copy.disk.entries.length < index) broken('I5', `${copy.name} commits ${index} before its own disk has it`);
    const chains = copy.disk.entries.slice(before, index).map((entry) => entry.chain);
    outcome.seen.push({ seen: 'committed', voter, charter: lead, from: before + 1, chains });
    const { phase } = copy.member;
    const acts = phase.phase === 'leading' && phase.acting && phase.activation <= before;
    if (acts) for (const entry of copy.disk.entries.slice(before, index)) order(lead, entry, outcome, setting);
    return;
  }
  const { journal, register } = copy.member;
  const chains = journal.entries.slice(before, index).map((entry) => entry.chain);
  outcome.seen.push({ seen: 'applied', voter, charter: register.accepted, from: before + 1, chains });
}

/** I4: what a message says of its sender is on the sender's disk. */
function speak(copy: MemberNode, to: string, message: Message, outcome: Outcome, setting: Setting): void {
  const { body } = message;
  const { promised, accepted } = copy.disk.register;
  const says = (isTrue: boolean, what: string): void => {
    if (!isTrue) broken('I4', `${copy.name} says ${body.kind} and ${what} is not on its disk`);
  };
  if ((body.kind === 'promised' || body.kind === 'ask') && !body.precheck)
    says(compareTerms(promised, body.term) >= 0, 'the promise');
  if (body.kind === 'promised' && body.end && body.end.index > 0 && compareTerms(promised, body.term) === 0)
    if (compareTerms(accepted.term, body.term) < 0)
      says(copy.disk.entries[body.end.index - 1]?.chain === body.end.chain, 'the end of its journal');
  if (body.kind === 'accepted') says(compareTerms(accepted.term, body.term) >= 0, 'the charter');
  if (body.kind === 'appended' || body.kind === 'confirmed') {
    says(compareTerms(promised, body.term) >= 0, 'the promise');
    const onDisk = body.kind === 'appended';
    if (compareTerms(promised, body.term) === 0) {
      if (onDisk) says(copy.disk.entries.length >= body.index, 'the entry');
      const voter = voterText(copy.disk.register);
      outcome.seen.push({ seen: 'confirmed', term: body.term, voter, index: body.index, onDisk });
    }
  }
  const saves = copy.name === setting.memory ? message.saves : 0;
  const seen = to === setting.memory ? message.seen : null;
  outcome.sends.push({ to, message: { ...message, saves, seen } });
}
