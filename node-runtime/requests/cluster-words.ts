/**
 * How the cluster is, in words for people and as data, from what this node
 * knows. Nothing is remembered here.
 */
import { errors, type Refusal, refuse } from '../contract/errors.ts';
import type { Charter } from '../contract/facts.ts';
import type { Cluster, Node } from '../contract/model.ts';
import type { Directory } from '../contract/peer-messages.ts';
import { isPaired, lastSet, votersOf, writersOf } from '../core/cluster/charter.ts';
import { newestKnown } from '../core/cluster/knowledge.ts';
import { obstacleInWords } from '../core/cluster/waiting.ts';
import { isActive, isConfirmed } from '../core/node-state.ts';
import type { Parts } from './parts.ts';

const DISK_LOW_BYTES = 512 * 1024 ** 2;
/** Heard so lately: it leads. */
const LEADS_MS = 3_000;

export const nameOf = (parts: Parts, node: string): string =>
  parts.directory().nodes.find((one) => one.id === node)?.name ?? node;

/** Words of the core name nodes by id: as people call them. */
export function inNames({ nodes }: Directory, words: string): string {
  let named = words;
  for (const { id, name } of nodes) named = named.replaceAll(id, name);
  return named;
}

/** The newest charter this node knows; what it says of roles is shown, never acted on. */
export function charterOf({ loop }: Parts): Charter {
  const { member } = loop.state;
  return member.phase.phase === 'leading' ? member.phase.charter : newestKnown(member);
}

/** The node that leads, if it was heard a moment ago. */
export function leaderOf(parts: Parts): string | null {
  const { loop } = parts;
  const { state } = loop;
  if (isConfirmed(state)) return state.self.node;
  const { lead, member } = state;
  return lead && lead.node !== state.self.node && member.now - lead.heardAt < LEADS_MS ? lead.node : null;
}

export function stateOf(parts: Parts): Cluster['state'] {
  const { state } = parts.loop;
  if (isConfirmed(state)) return 'working';
  if (state.diskFull) return 'read_only';
  if (leaderOf(parts)) return 'working';
  if (charterOf(parts).parked) return 'parked';
  return state.member.now - Math.max(state.idleSince, state.confirmedAt) < LEADS_MS ? 'starting' : 'waiting';
}

export const removedWords = (parts: Parts): string =>
  `${parts.name} was removed from the cluster ${parts.directory().clusterName}: no other node listens to it.`;

/** Why nothing can be passed on from here, and since when. */
export function whyNobody(parts: Parts): Refusal {
  if (parts.isRemoved()) return refuse('node_removed', removedWords(parts));
  const { lead, idleSince, confirmedAt, member } = parts.loop.state;
  const sinceMono = lead && lead.node !== parts.loop.state.self.node ? lead.heardAt : Math.max(idleSince, confirmedAt);
  const since = new Date(Date.now() - (member.now - sinceMono)).toISOString();
  const missing = waitsFor(parts)[0]?.what;
  const detail = `${parts.name} can reach no active controller${missing ? `: the cluster waits for ${missing}` : ''}.`;
  return { ...refuse('no_active', detail), since };
}

/** What (if anything) it waits for (L3): the first is what matters most. */
export function waitsFor(parts: Parts): Cluster['waitsFor'] {
  const { state } = parts.loop;
  const sinceMono = Math.max(state.idleSince, state.confirmedAt);
  const since = new Date(Date.now() - (state.member.now - sinceMono)).toISOString();
  const found: Cluster['waitsFor'] = [];
  if (state.diskFull)
    found.push({ what: `space on the disk of ${parts.name}`, next: 'Free some space; work goes on by itself.', since });
  if (parts.isRemoved()) found.push({ what: removedWords(parts), next: errors.node_removed.next, since });
  else if (!leaderOf(parts)) {
    const { what, next } = obstacleInWords(state.member, (node) => nameOf(parts, node));
    found.push({ what, next, since });
  }
  const unread = state.replicated.members.unread;
  if (unread && isActive(state))
    found.push({
      what: `word of ${unread.workers.map((node) => nameOf(parts, node)).join(', ')}`,
      next: 'Until it tells what it runs, older runs wait. Bring it back, or remove it from the cluster.',
      since,
    });
  const free = parts.load().diskFreeBytes;
  if (!state.diskFull && free > 0 && free < DISK_LOW_BYTES)
    found.push({
      what: `more space on the disk of ${parts.name} soon`,
      next: 'Free some space before it is full.',
      since: new Date(parts.startedAt).toISOString(),
    });
  return found;
}

const headlines: Record<Cluster['state'], string> = {
  working: 'All is well',
  starting: 'Starting',
  waiting: 'Nobody is active',
  parked: 'Stopped for maintenance',
  read_only: 'Nothing can be changed: the disk is full',
};

export function headline(parts: Parts): string {
  const state = stateOf(parts);
  const charter = charterOf(parts);
  if (parts.isRemoved()) return 'This node was removed from the cluster';
  if (state === 'parked' && charter.parked) return `Stopped for maintenance by ${nameOf(parts, charter.parked.by)}`;
  if (state !== 'working') return headlines[state];
  const wants = parts.directory().nodes.filter((one) => one.duties.includes('controller')).length > 1;
  return wants && !isPaired(charter) ? 'Work goes on with one controller' : headlines.working;
}

/** What can be lost now without stopping work (P22, P24), in words and as names. */
export function survives(parts: Parts): Cluster['survives'] {
  const charter = charterOf(parts);
  const name = (node: string) => nameOf(parts, node);
  const state = stateOf(parts);
  const active = name(charter.active);
  if (state === 'parked')
    return {
      sentence: `Nobody acts, on purpose. Starting ${active} ends it, or activating ${
        writersOf(charter)
          .filter((node) => node !== charter.active)
          .map(name)
          .join(' or ') || active
      }.`,
      lossOf: [],
    };
  if (state !== 'working')
    return {
      sentence: 'No controller acts, so nothing can be promised now. What was acknowledged is on disk.',
      lossOf: [],
    };
  const voters = lastSet(charter).map((voter) => voter.node);
  const standby = writersOf(charter).find((node) => node !== charter.active);
  const watch = voters.find((node) => node !== charter.active && !isController(parts, node));
  if (standby && voters.length === 3) {
    const away = voters.filter((node) => node !== charter.active && isSilent(parts, node));
    if (away.length > 0)
      return {
        sentence: `${away.map(name).join(' and ')} can't be reached: no fail-over is possible until it is back. ${active} works on.`,
        lossOf: away.map(name),
      };
    return {
      sentence: `Any one of ${voters.map(name).join(', ')} can be lost and work goes on.`,
      lossOf: voters.map(name),
    };
  }
  if (standby)
    return {
      sentence: `${name(standby)} can be lost and work goes on. If ${active} is lost nothing that was acknowledged is lost with it, but a person has to decide: there is no watch.`,
      lossOf: [name(standby)],
    };
  if (voters.length === 3)
    return {
      sentence: `${active} works alone with ${watch ? name(watch) : 'a watch'} as its witness. If either is lost now, work stops until it is back.`,
      lossOf: [],
    };
  return {
    sentence: `${active} is alone: nothing else could go on if it were lost. What it has acknowledged is on its disk and survives a crash or a restart.`,
    lossOf: [],
  };
}

const isController = (parts: Parts, node: string): boolean =>
  parts
    .directory()
    .nodes.find((one) => one.id === node)
    ?.duties.includes('controller') === true;

const isSilent = (parts: Parts, node: string): boolean =>
  node !== parts.loop.state.self.node &&
  isActive(parts.loop.state) &&
  (parts.loop.state.member.leaving.has(node) || parts.peers()?.status(node).connected !== true);

/** What a node does now, read from the charter. */
export function rolesOf(parts: Parts, node: string, duties: string[]): Node['roles'] {
  const charter = charterOf(parts);
  const leads = leaderOf(parts) === node;
  const seated = votersOf(charter).some((voter) => voter.node === node);
  const roles: Node['roles'] = [];
  if (leads) roles.push('active');
  else if (writersOf(charter).includes(node))
    roles.push(isPaired(charter) && charter.active !== node ? 'standby' : 'controller');
  else if (duties.includes('controller')) roles.push('controller');
  if (duties.includes('watch') && !duties.includes('controller')) roles.push(seated ? 'watch' : 'spare');
  if (duties.includes('worker')) roles.push('worker');
  return roles.length > 0 ? roles : ['observer'];
}
