/**
 * How a node of the explorer is started from its disk, also from a fresh one.
 *
 * Rules: P10, P33.
 */
import type { Term } from '../../node-runtime/contract/facts.ts';
import { noCharter } from '../../node-runtime/core/cluster/charter.ts';
import { wakeMember } from '../../node-runtime/core/cluster/member.ts';
import type { Member } from '../../node-runtime/core/cluster/member-state.ts';
import { emptyRegister } from '../../node-runtime/core/cluster/register.ts';
import { termText } from '../../node-runtime/core/cluster/terms.ts';
import { timings } from '../../node-runtime/core/cluster/timing.ts';
import { type Disk, type MemberNode, NOW, type Setting } from './core-setting.ts';

const start = { index: 0, term: noCharter.term, chain: '0' };
const chainOf = (previous: string, term: Term, _index: number, text: string): string =>
  `${previous}>${termText(term)}:${text}`;

export function wake(name: string, disk: Disk, keepsJournal: boolean, life: number, setting: Setting): Member {
  const member = wakeMember({
    register: disk.register,
    keepsJournal,
    journal: { base: start, entries: [...disk.entries] },
    snapshot: null,
    dropped: 0,
    mark: disk.mark,
    roster: setting.roster,
    timing: timings.lan,
    craft: { chainOf, activationText: () => 'active' },
    incarnation: `${name}.${life}`,
    now: NOW,
  });
  if (setting.memory === '') for (const { node, store } of setting.voters) member.stores.set(node, store);
  return member;
}

/** What was on its way to the disk is lost, and what was in memory. */
export function begin(copy: MemberNode, disk: Disk, keepsJournal: boolean, setting: Setting): void {
  copy.pending = [];
  copy.disk = disk;
  copy.life += 1;
  copy.member = wake(copy.name, copy.disk, keepsJournal, setting.claims ? copy.life : 0, setting);
  setting.bend?.woken?.(copy.member);
}

/** P33: the folder is a new one, and so is its memory. */
export function renew(copy: MemberNode, setting: Setting): void {
  const { register } = copy.disk;
  const store = `${register.store}'`;
  const fresh: Disk = {
    register: emptyRegister(register.cluster, { node: copy.name, store }),
    entries: [],
    mark: null,
  };
  setting.bend?.wiped?.(copy.disk, fresh);
  const { keepsJournal } = copy.member;
  begin(copy, fresh, keepsJournal, setting);
}
