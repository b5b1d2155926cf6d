/**
 * What nodes say of themselves, and who belongs to the cluster.
 *
 * Each node tells whoever leads how it is; the active enters into the journal
 * what is worth it (a new address, a new memory). Members and roster follow
 * from committed entries, and reach the nodes that keep no journal as a
 * directory.
 *
 * Rules: P16 (only what is committed), P23 (the best spare), P33.
 */
import type { Term } from '../contract/facts.ts';
import type { Directory, Told } from '../contract/peer-messages.ts';
import { writersOf } from './cluster/charter.ts';
import type { Event as MemberEvent, Roster } from './cluster/member-state.ts';
import { compareTerms } from './cluster/terms.ts';
import { enableable } from './cluster/version.ts';
import type { Clock } from './effects.ts';
import { append, termTaken } from './folding.ts';
import { authorityStep, decideTold, rosterOf } from './members/members.ts';
import { isActive, type NodeState } from './node-state.ts';
import { greetAgain } from './workers.ts';

const TELL_MS = 1_000;
/** Told so lately: it is there. */
const HERE_MS = 3_500;

/** Once a second to whoever leads. */
export function tellOthers(state: NodeState, clock: Clock): void {
  const { phase, followed } = state.member;
  const self = state.self.node;
  if (phase.phase === 'leading') noteLead(state, self, phase.charter.term, clock.mono);
  else if (followed) noteLead(state, followed.active, followed.term, state.member.heardActiveAt);
  if (!state.ownTold || clock.mono - state.toldAt < TELL_MS) return;
  state.toldAt = clock.mono;
  // The leader tells itself the same way: its own worker is heard like any other.
  if (state.lead) state.out.push({ effect: 'send', to: state.lead.node, message: state.ownTold });
}

/** Of two that say they lead the newer term is believed; the same one is renewed. */
export function noteLead(state: NodeState, node: string, term: Term, mono: number): void {
  const { lead } = state;
  const order = lead ? compareTerms(term, lead.term) : 1;
  if (order < 0) return;
  if (order > 0) state.toldAt = Number.NEGATIVE_INFINITY; // tell it at once
  state.lead = { node, term, heardAt: Math.max(mono, order === 0 && lead ? lead.heardAt : mono) };
}

export function heardTold(state: NodeState, node: string, told: Told, { now, mono }: Clock): void {
  state.told.set(node, { told, at: mono });
  const seen = state.workers.get(node);
  if (seen) seen.slots = told.slots;
  if (!isActive(state) || termTaken(state) === null) return;
  const { store, name, addresses, slots, speaks, program, key, trust } = told;
  const said = { store, name, addresses, slots, speaks, program, ...(key && { key }), ...(trust && { trust }) };
  append(state, decideTold(state.replicated.members, node, said), now);
}

/** The change of the authority goes on when the last one has followed, or was removed. */
export function turnAuthority(state: NodeState, { now }: Clock): void {
  append(state, authorityStep(state.replicated.members), now);
}

/** Section 13: when all voters and workers can read a newer version, it is used from a committed entry on. */
export function raiseVersion(state: NodeState, { now }: Clock): void {
  const { nodes, version } = state.replicated.members;
  const spoken = [...nodes.values()].map(({ id, speaks }) => ({ node: id, speaks }));
  const next = enableable(spoken, version).version;
  if (next !== null) append(state, [{ kind: 'versionEnabled', version: next }], now);
}

export function connected(state: NodeState, node: string): void {
  if (state.ownTold && state.lead?.node === node && node !== state.self.node)
    state.out.push({ effect: 'send', to: node, message: state.ownTold });
  const term = termTaken(state);
  if (!term || !isActive(state)) return;
  greetAgain(state, node, term);
  if (node !== state.self.node && state.membersAt <= state.member.committed)
    state.out.push({ effect: 'send', to: node, message: { kind: 'directory', directory: directoryOf(state) } });
}

export function directoryOf({ replicated }: NodeState): Directory {
  const { members } = replicated;
  const nodes = [...members.nodes.values()].map(({ id, name, duties, addresses, key }) => ({
    ...{ id, name, duties, addresses },
    ...(key && { key }),
  }));
  const era = replicated.charter?.lineage?.era ?? 0;
  const { trusted, issuing } = members.authorities ?? {};
  return {
    ...{ era, position: replicated.index, clusterName: replicated.cluster?.name ?? '', nodes },
    ...(trusted && issuing && { authorities: { trusted: trusted.map((one) => one.cert), issuing } }),
  };
}

/**
 * When the entries that say so are committed: the doors know the members, the member knows the roster. After a start
 * nothing is known to be committed: the doors keep what they knew last, which may be newer than the state that was read
 * (else this node could forget those it needs); the member begins with what was read, for want of better.
 */
export function useMembers(
  state: NodeState,
  { mono }: Clock,
  toMember: (state: NodeState, event: MemberEvent) => void,
): void {
  if (!state.member.keepsJournal || state.rebuilding || state.replicated.cluster === null) return;
  const isCommitted = state.membersAt <= state.member.committed;
  if (isCommitted && state.membersAt !== state.membersTold && !isYetToJoin(state)) {
    state.membersTold = state.membersAt;
    const directory = directoryOf(state);
    state.out.push({ effect: 'useDirectory', directory });
    if (isActive(state))
      // Also to controllers: one that was promoted keeps no journal yet to read it from.
      for (const { id } of state.replicated.members.nodes.values())
        if (id !== state.self.node)
          state.out.push({ effect: 'send', to: id, message: { kind: 'directory', directory } });
  }
  if (!isCommitted && state.rosterTold !== '') return;
  const { version } = state.replicated.members;
  if (version > state.member.enabled) toMember(state, { event: 'versionEnabled', version, now: mono });
  const roster = rosterNow(state, mono);
  const text = JSON.stringify(roster);
  if (text === state.rosterTold) return;
  state.rosterTold = text;
  toMember(state, { event: 'rosterKnown', roster, now: mono });
}

/** A controller that catches up has not come to the entry that let it in: those before it don't speak of it. */
const isYetToJoin = ({ self, replicated: { members } }: NodeState): boolean =>
  !members.nodes.has(self.node) && !members.removed.includes(self.node);

function rosterNow(state: NodeState, mono: number): Roster {
  const { members } = state.replicated;
  const charter = state.member.register.accepted;
  const isHere = (node: string): boolean => mono - (state.told.get(node)?.at ?? Number.NEGATIVE_INFINITY) < HERE_MS;
  const roster = rosterOf(members, charter, (node) => state.told.get(node)?.told.watchRank ?? 0);
  // A watch that was appointed and is there takes the seat from whoever has it.
  const appointed = roster.watch && roster.watch.node === members.appointed && isHere(roster.watch.node);
  const spares = appointed ? [] : roster.spares;
  const unready = roster.controllers.map((one) => one.node).filter((node) => lacksContents(state, node));
  return { ...roster, spares, ...(unready.length > 0 && { unready }) };
}

/** Does it lack contents of files? Of one that has not told yet: only a member of the write set surely has all. */
function lacksContents(state: NodeState, node: string): boolean {
  if (node === state.self.node) return false;
  const said = state.told.get(node)?.told;
  return said ? said.blobsMissing > 0 : !writersOf(state.member.register.accepted).includes(node);
}
