/**
 * Who belongs to the cluster: nodes, what each is there for, invites.
 *
 * Folded from committed facts, the same on every controller. Who leads and who
 * votes is not here: that is the charter's (`core/cluster`). From this the
 * active reads the roster: which controllers, which watch, which spares there
 * are to choose from.
 *
 * Promise: a duty the cluster can't do without is not taken away; a removed
 * node is no member from that entry on.
 * Rules: P21 to P25 (the roster), P31 (workers that have to be read), P33.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Charter, Duty, Entry, Fact, NodeTrust, Term, Voter } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import { lastSet, writersOf } from '../cluster/charter.ts';
import type { Roster } from '../cluster/member-state.ts';
import { type Authorities, applyToAuthorities, awaited, type Follower, nextStep } from './authority.ts';

export type Member = {
  id: string;
  name: string;
  /** The memory it votes from; another one is another voter (P33). '' until it has told. */
  store: string;
  duties: Duty[];
  addresses: string[];
  slots: number;
  speaks: number;
  program: string;
  drained: boolean;
  /** Of its public key; absent until it has told. It never changes. */
  key?: string;
  trust?: NodeTrust;
};
export type Invite = { id: string; hash: string; duties: Duty[]; expiresAt: number };
export type Members = {
  nodes: Map<string, Member>;
  invites: Map<string, Invite>;
  /** Ids of nodes that were removed: they are told so, and never come back under that id. */
  removed: string[];
  appointed: string | null;
  /** Protocol version that may be written. */
  version: number;
  authorities: Authorities | null;
  /** After a confirmed loss: workers whose attempts have not been read yet, and the entry of that claim (P31). */
  unread: { since: number; workers: string[] } | null;
  /**
   * The newest confirmed loss, and the first term that acted after it: what was placed before that may have ended, and
   * been forgotten, in what was given up.
   */
  claimed: { claim: string; term: Term } | null;
};
export type Decision = { facts: Fact[] } | Refusal;

const REMOVED_KEPT = 1_000;

export const emptyMembers = (): Members => ({
  nodes: new Map(),
  invites: new Map(),
  removed: [],
  appointed: null,
  version: 1,
  authorities: null,
  unread: null,
  claimed: null,
});

const founder = (id: string, name: string): Member => ({
  id,
  name,
  store: '',
  duties: ['controller', 'worker'],
  addresses: [],
  slots: 0,
  speaks: 1,
  program: '',
  drained: false,
});

// ------------------------------------------------------------------ apply

/** P31: seen by `lastClaim`, because the charter that the claim made may have been decided and never have acted. */
function claimHeard(state: Members, { lastClaim, term }: Charter, index: number): void {
  if (lastClaim === undefined || lastClaim === state.claimed?.claim) return;
  state.unread = { since: index, workers: workersOf(state).map((one) => one.id) };
  state.claimed = { claim: lastClaim, term };
}

/** @returns whether who belongs to the cluster, or what for, is another now */
export function applyToMembers(state: Members, entry: Entry): boolean {
  const fact = entry.fact;
  switch (fact.kind) {
    case 'clusterFounded':
      state.nodes.set(fact.node, founder(fact.node, fact.nodeName));
      return true;
    case 'activated':
      claimHeard(state, fact.charter, entry.index);
      return false;
    case 'nodeJoined': {
      const { kind, node, invite, ...rest } = fact;
      state.nodes.set(node, { id: node, ...rest, drained: false });
      state.invites.delete(invite);
      return true;
    }
    case 'nodeChanged': {
      const { kind, node, ...changed } = fact;
      return change(state, node, changed);
    }
    case 'dutiesChanged':
      return change(state, fact.node, { duties: fact.duties });
    case 'nodeDrained':
      return change(state, fact.node, { drained: fact.drained });
    case 'watchAppointed':
      state.appointed = fact.node;
      return true;
    case 'nodeRemoved':
      state.nodes.delete(fact.node);
      state.removed = [...state.removed, fact.node].slice(-REMOVED_KEPT);
      if (state.appointed === fact.node) state.appointed = null;
      read(state, fact.node);
      return true;
    case 'workerRead':
      read(state, fact.node);
      return false;
    case 'inviteMade': {
      const { kind, ...invite } = fact;
      for (const [id, { expiresAt }] of state.invites) if (expiresAt < entry.at) state.invites.delete(id);
      state.invites.set(invite.id, invite);
      return false;
    }
    case 'inviteRemoved':
      state.invites.delete(fact.id);
      return false;
    case 'authorityAdded':
    case 'authorityTurned':
    case 'authoritySettled':
      state.authorities = applyToAuthorities(state.authorities, entry);
      // A code names the authority that its node shows: by now that is another.
      if (fact.kind === 'authorityTurned') state.invites.clear();
      return true;
    case 'versionEnabled':
      state.version = fact.version;
      return true;
    default:
      return false;
  }
}

function change(state: Members, node: string, changed: Partial<Member>): boolean {
  const known = state.nodes.get(node);
  if (known) state.nodes.set(node, { ...known, ...changed });
  return known !== undefined;
}

function read(state: Members, worker: string): void {
  if (!state.unread) return;
  const workers = state.unread.workers.filter((one) => one !== worker);
  state.unread = workers.length > 0 ? { ...state.unread, workers } : null;
}

// ------------------------------------------------------------------ looks

export const workersOf = (state: Members): Member[] =>
  [...state.nodes.values()].filter((one) => one.duties.includes('worker'));

/** By id, or by a name that only one node has. */
export function memberNamed(state: Members, text: string): Member | null {
  const byId = state.nodes.get(text);
  if (byId) return byId;
  const named = [...state.nodes.values()].filter((one) => one.name === text);
  return named.length === 1 ? named[0]! : null;
}

const voterOf = ({ id, store }: Member): Voter => ({ node: id, store });

/**
 * The nodes to choose from. At most two controllers count, those of the
 * charter first; more wait for a free place. A watch that was appointed comes
 * first, then the seated one, then `better` decides (P23).
 */
export function rosterOf(state: Members, charter: Charter | null, better: (node: string) => number = () => 0): Roster {
  const known = [...state.nodes.values()].filter((one) => one.store !== '');
  const seated = new Set(charter ? [...writersOf(charter), ...lastSet(charter).map((voter) => voter.node)] : []);
  const rank = (one: Member) => (one.id === charter?.active ? 0 : seated.has(one.id) ? 1 : 2);
  const controllers = known.filter((one) => one.duties.includes('controller')).sort((a, b) => rank(a) - rank(b));
  const watches = known
    .filter((one) => one.duties.includes('watch') && !one.duties.includes('controller'))
    .sort(
      (a, b) =>
        first(b) - first(a) || Number(seated.has(b.id)) - Number(seated.has(a.id)) || better(b.id) - better(a.id),
    );
  function first(one: Member): number {
    return one.id === state.appointed ? 1 : 0;
  }
  const [watch, ...spares] = watches.map(voterOf);
  return { controllers: controllers.slice(0, 2).map(voterOf), watch: watch ?? null, spares };
}

// ----------------------------------------------------------------- decide

export type Joining = Omit<Extract<Fact, { kind: 'nodeJoined' }>, 'kind' | 'duties' | 'invite'> & { hash: string };

/** An invite is used once; the same node asking again with it gets the same answer by its key. */
export function decideJoin(state: Members, { hash, ...joining }: Joining, now: number): Decision {
  const invite = [...state.invites.values()].find((one) => one.hash === hash);
  if (!invite || invite.expiresAt < now)
    return refuse('invite_invalid', 'The code is unknown, was used, or its time is over.');
  if (state.nodes.size >= limits.nodesMax)
    return refuse('limit_reached', `A cluster has at most ${limits.nodesMax} nodes.`);
  if (state.nodes.has(joining.node) || state.removed.includes(joining.node))
    return refuse('invite_invalid', 'A node of this id is known already.');
  if ([...state.nodes.values()].some((one) => one.name === joining.name))
    return refuse('name_taken', `A node called ${joining.name} is in the cluster already.`);
  return { facts: [{ kind: 'nodeJoined', ...joining, duties: invite.duties, invite: invite.id }] };
}

export function decideInvite(state: Members, invite: Invite): Decision {
  if (state.invites.size >= limits.invitesMax)
    return refuse('limit_reached', `There are ${limits.invitesMax} open invites.`);
  return { facts: [{ kind: 'inviteMade', ...invite }] };
}

export type NodeChange = { duties?: Duty[]; drained?: boolean; watch?: true };

export function decideChange(state: Members, charter: Charter | null, name: string, asked: NodeChange): Decision {
  const member = memberNamed(state, name);
  if (!member) return unknownNode(name);
  const facts: Fact[] = [];
  if (asked.duties && [...asked.duties].sort().join() !== [...member.duties].sort().join()) {
    const loses = member.duties.includes('controller') && !asked.duties.includes('controller');
    const refusal = loses ? mayLose(charter, member) : null;
    if (refusal) return refusal;
    facts.push({ kind: 'dutiesChanged', node: member.id, duties: [...new Set(asked.duties)] });
  }
  if (asked.watch) {
    const duties = asked.duties ?? member.duties;
    if (duties.includes('controller'))
      return refuse('duties_refused', `${member.name} is a controller; a watch must be another node.`);
    if (!duties.includes('watch')) facts.push({ kind: 'dutiesChanged', node: member.id, duties: [...duties, 'watch'] });
    if (state.appointed !== member.id) facts.push({ kind: 'watchAppointed', node: member.id });
  }
  if (asked.drained !== undefined && asked.drained !== member.drained)
    facts.push({ kind: 'nodeDrained', node: member.id, drained: asked.drained });
  return { facts };
}

/** @param holds a local sandbox or an unfinished attempt that lies on it, in words, or null */
export function decideRemove(state: Members, charter: Charter | null, name: string, holds: string | null): Decision {
  const member = memberNamed(state, name);
  if (!member) return unknownNode(name);
  const refusal = mayLose(charter, member);
  if (refusal) return refusal;
  if (holds) return refuse('duties_refused', `${member.name} ${holds}.`);
  return { facts: [{ kind: 'nodeRemoved', node: member.id }] };
}

/** The active can't take itself out: it hands over first. */
const mayLose = (charter: Charter | null, member: Member): Refusal | null =>
  charter?.active === member.id
    ? refuse('duties_refused', `${member.name} is active. Hand over first: binnacle switch-over.`)
    : null;

const unknownNode = (name: string): Refusal => refuse('node_unknown', `There is no node ${name.slice(0, 64)}.`);

const followers = (state: Members): Follower[] =>
  [...state.nodes.values()].map(({ id, duties, trust }) => ({
    ...{ id, isController: duties.includes('controller') },
    ...(trust && { trust }),
  }));

/** Members that the change of the authority waits for. */
export const notFollowed = (state: Members): string[] => awaited(state.authorities, followers(state));

export const authorityStep = (state: Members): Fact[] => nextStep(state.authorities, followers(state));

/** What a node says of itself; facts only where it is not what is known. Its key is taken once. */
export function decideTold(
  state: Members,
  node: string,
  told: Omit<Extract<Fact, { kind: 'nodeChanged' }>, 'kind' | 'node'>,
): Fact[] {
  const known = state.nodes.get(node);
  if (!known) return [];
  const { key, ...rest } = told;
  const news = known.key === undefined && key !== undefined ? { ...rest, key } : rest;
  const changed = Object.fromEntries(
    Object.entries(news).filter(
      ([name, value]) => JSON.stringify(known[name as keyof Member]) !== JSON.stringify(value),
    ),
  );
  return Object.keys(changed).length > 0 ? [{ kind: 'nodeChanged', node, ...changed }] : [];
}

// ------------------------------------------------------------------- save

/** Always in the same order, so that equal states give equal texts. */
export const saveMembers = (state: Members): unknown => {
  const { nodes, invites, removed, appointed, version, authorities, unread, claimed } = state;
  return {
    ...{ nodes: [...nodes.values()], invites: [...invites.values()] },
    ...{ removed, appointed, version, authorities, unread, claimed },
  };
};

export function loadMembers(saved: unknown): Members {
  const { nodes, invites, ...rest } = saved as Omit<Members, 'nodes' | 'invites'> & {
    nodes: Member[];
    invites: Invite[];
  };
  return {
    ...rest,
    claimed: rest.claimed ?? null,
    authorities: rest.authorities ?? null,
    nodes: new Map(nodes.map((one) => [one.id, one])),
    invites: new Map(invites.map((one) => [one.id, one])),
  };
}
