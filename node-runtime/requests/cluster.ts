/**
 * Requests about the cluster and this node: how it is, what it can survive,
 * what it waits for, metrics, the live event stream.
 *
 * Every node answers for itself; one that keeps no journal shows the active's
 * view with its own place in it, or what little it knows and that it is blind.
 */

import { z } from 'zod';
import { refuse } from '../contract/errors.ts';
import { jobFileJsonSchema } from '../contract/job-file.ts';
import { Cluster, Node } from '../contract/model.ts';
import type { Told } from '../contract/peer-messages.ts';
import { sees, seesAll } from '../core/access/rights.ts';
import { isPaired, lastSet, writersOf } from '../core/cluster/charter.ts';
import { termText } from '../core/cluster/terms.ts';
import { needsRecovery } from '../core/cluster/waiting.ts';
import { countLost, countsIn, countsOf } from '../core/jobs/jobs.ts';
import { endOf } from '../core/journal/tail.ts';
import { isActive, isConfirmed } from '../core/node-state.ts';
import type { Caller, Handlers } from '../io/http/asked.ts';
import { saidOf } from '../io/http/delegation.ts';
import { openapiText } from '../io/http/openapi.ts';
import { eventStream } from '../io/http/sse.ts';
import type { Figures } from '../io/machine/metrics.ts';
import { askPeer } from './ask-peer.ts';
import {
  charterOf,
  headline,
  inNames,
  leaderOf,
  nameOf,
  rolesOf,
  stateOf,
  survives,
  waitsFor,
} from './cluster-words.ts';
import type { Parts } from './parts.ts';
import { eventFor, visibleHere } from './rights.ts';

type ClusterRoutes = 'healthz' | 'readyz' | 'metrics' | 'openapi' | 'jobFileSchema' | 'cluster' | 'nodes' | 'events';

const ACTIVE_VIEW_MS = 1_500;
const HAPPENED_SHOWN = 30;

async function figures(parts: Parts): Promise<Figures> {
  const { loop, journal, load, tasksRunning } = parts;
  const { state } = loop;
  const { member } = state;
  const stats = await journal.stats();
  const counts = countsOf(state.replicated.jobs);
  const charter = charterOf(parts);
  return {
    term: { help: 'Number of the term', value: charter.term.number },
    active: { help: '1 when this node is active', value: isActive(state) ? 1 : 0 },
    paired: { help: '1 when a standby must hold every entry', value: isPaired(charter) ? 1 : 0 },
    journal_position: { help: 'Last committed index', value: member.committed },
    journal_pending: { help: 'Entries not committed yet', value: endOf(member.journal).index - member.committed },
    standby_lag_entries: { help: 'Entries the standby is behind', value: lagOf(parts) },
    journal_sync_seconds: { help: 'Time of a synced save, median of the last 200', value: stats.syncMs.p50 / 1000 },
    journal_sync_p99_seconds: { help: 'Time of a synced save, 99 % are faster', value: stats.syncMs.p99 / 1000 },
    journal_bytes: { help: 'Size of the journal on disk', value: stats.bytes },
    wal_bytes: { help: 'Size of its write-ahead log', value: stats.walBytes },
    quarantine_entries: { help: 'Entries cut from this journal and kept aside', value: stats.quarantined },
    disk_free_bytes: { help: 'Free space where the data lies', value: load().diskFreeBytes },
    tasks_running: { help: 'Attempts that run on this node', value: tasksRunning() },
    tasks_unknown: { help: 'Attempts whose worker is silent', value: countLost(state.replicated.jobs) },
    results_spooled: { help: 'Attempts here whose outcome is not committed', value: parts.spooled() },
    runs_running: { help: 'Runs in state running', value: counts.running },
    runs_waiting: { help: 'Runs that wait or are queued', value: counts.waiting },
  };
}

/** How far the standby is behind, or this node where it follows. */
function lagOf({ loop }: Parts): number {
  const { member } = loop.state;
  const end = endOf(member.journal).index;
  if (member.phase.phase !== 'leading') return Math.max(0, end - member.committed);
  const lags = [...member.phase.peers.values()]
    .filter((peer) => peer.keepsJournal === true)
    .map((peer) => end - peer.match);
  return Math.max(0, ...lags);
}

export function clusterHandlers(parts: Parts): Pick<Handlers, ClusterRoutes> {
  const { loop } = parts;

  function ownCluster(
    caller: Caller,
    today: { total: number; failed: number },
    quarantined: number,
    midnight: number,
  ): Cluster {
    const { state } = loop;
    const { member, replicated } = state;
    const visible = visibleHere(parts, caller);
    const isSeen = sees(visible);
    const charter = charterOf(parts);
    const name = (node: string): string => nameOf(parts, node);
    const leader = leaderOf(parts);
    const counts = seesAll(visible)
      ? { ...countsOf(replicated.jobs), lost: countLost(replicated.jobs) }
      : countsIn(replicated.jobs, isSeen);
    const directory = parts.directory();
    const own = directory.nodes.find((one) => one.id === state.self.node);
    const standby = writersOf(charter).find((node) => node !== charter.active);
    const isWatch = (node: string): boolean => rolesOf(parts, node, dutiesOf(node)).includes('watch');
    const dutiesOf = (node: string) => directory.nodes.find((one) => one.id === node)?.duties ?? [];
    const watch = lastSet(charter)
      .map((voter) => voter.node)
      .find(isWatch);
    return {
      id: member.register.cluster,
      name: replicated.cluster?.name ?? directory.clusterName,
      thisNode: {
        id: state.self.node,
        name: parts.name,
        roles: rolesOf(parts, state.self.node, own?.duties ?? []),
        version: parts.version,
        startedAt: new Date(parts.startedAt).toISOString(),
      },
      state: stateOf(parts),
      term: termText(charter.term),
      active: leader ? name(leader) : null,
      standby: leader && standby ? name(standby) : null,
      watch: watch ? name(watch) : null,
      spares: directory.nodes
        .filter((one) => rolesOf(parts, one.id, one.duties).includes('spare'))
        .map((one) => one.name),
      mode: isPaired(charter) ? 'paired' : 'solo',
      parked: charter.parked ? { by: name(charter.parked.by), why: charter.parked.why } : null,
      charter: {
        reason: inNames(directory, charter.reason),
        at: new Date(charter.at).toISOString(),
        writeSet: writersOf(charter).map(name),
        voters: charter.voters.map((set) => set.map((voter) => name(voter.node))),
      },
      headline: headline(parts),
      survives: survives(parts),
      waitsFor: waitsFor(parts),
      journal: {
        end: endOf(member.journal).index,
        committed: member.committed,
        snapshot: state.snapshot,
        lag: lagOf(parts),
        quarantined,
      },
      counts: {
        nodes: directory.nodes.length,
        sandboxes: [...replicated.sandboxes.keys()].filter(isSeen).length,
        runsRunning: counts.running,
        runsWaiting: counts.waiting,
        runsToday: today.total + counts.unfinishedSince(midnight),
        failedToday: today.failed,
        tasksUnknown: counts.lost,
      },
      happened: replicated.happened
        .filter((one) => one.sandbox === undefined || isSeen(one.sandbox))
        .slice(-HAPPENED_SHOWN)
        .reverse(),
      readAt: new Date().toISOString(),
      fresh: isConfirmed(state),
      recovery: needsRecovery(member) && !parts.isRemoved(),
    };
  }

  /** What the active says of the cluster; null when it can't be had quickly: then it is said how old what is shown is. */
  async function fromActive<T>(address: string, shape: z.ZodType<T>, caller?: Caller): Promise<T | null> {
    const leader = leaderOf(parts);
    if (!leader || leader === loop.state.self.node) return null;
    const answer = await askPeer<unknown>(parts, leader, address, caller && saidOf(caller), ACTIVE_VIEW_MS);
    const read = shape.safeParse(answer);
    return read.success ? read.data : null;
  }

  async function cluster(caller: Caller): Promise<Cluster> {
    const midnight = new Date().setHours(0, 0, 0, 0);
    const visible = visibleHere(parts, caller);
    const [today, stats] = await Promise.all([
      parts.journal.countRuns(midnight, seesAll(visible) ? undefined : visible),
      parts.journal.stats(),
    ]);
    const read = () => ownCluster(caller, today, stats.quarantined, midnight);
    if (isConfirmed(loop.state)) return loop.read(read);
    const [own, active] = [read(), await fromActive('cluster', Cluster, caller)];
    if (!active) return own;
    const { thisNode, recovery } = own;
    return { ...active, thisNode, recovery };
  }

  async function nodes(): Promise<Node[]> {
    const ids = () => parts.directory().nodes.map((one) => one.id);
    if (isConfirmed(loop.state)) return loop.read(() => ids().map((id) => nodeView(parts, id)));
    const found = await fromActive('nodes', z.array(Node));
    if (!found) return ids().map((id) => nodeView(parts, id));
    const self = loop.state.self.node;
    return found.map((one) =>
      one.id === self ? { ...one, ...ownOf(nodeView(parts, self)) } : { ...one, thisNode: false },
    );
  }

  return {
    healthz: () => ({ body: 'ok\n' }),

    readyz: () =>
      leaderOf(parts)
        ? { body: 'ready\n' }
        : refuse('starting', `${parts.name} knows no active controller: ${stateOf(parts)}.`),

    async metrics() {
      return { body: await parts.metrics.text(await figures(parts)) };
    },

    openapi: () => ({
      body: openapiText(parts.version),
      headers: { 'content-type': 'application/json; charset=utf-8' },
    }),

    jobFileSchema: () => ({
      body: JSON.stringify(jobFileJsonSchema(), null, 2),
      headers: { 'content-type': 'application/schema+json; charset=utf-8' },
    }),

    cluster: async ({ caller }) => ({ body: await cluster(caller) }),

    nodes: async () => ({ body: { nodes: await nodes() } }),

    events: (asked) => eventStream(asked, parts.live, {}, (event) => eventFor(parts, asked.caller, event)),
  };
}

/** What a node knows best of itself. */
const ownOf = ({ thisNode, address, fingerprint }: Node) => ({
  thisNode,
  ...(address === undefined ? {} : { address }),
  ...(fingerprint === undefined ? {} : { fingerprint }),
});

/** A node as the active knows it; of the node itself what it sees. */
export function nodeView(parts: Parts, id: string): Node {
  const { state } = parts.loop;
  const member = state.replicated.members.nodes.get(id);
  const known = parts.directory().nodes.find((one) => one.id === id);
  const isSelf = id === state.self.node;
  const told: Told | null = isSelf ? state.ownTold : (state.told.get(id)?.told ?? null);
  const status = isSelf ? null : parts.peers()?.status(id);
  const address = isSelf ? parts.address() : member?.addresses[0];
  const peer = state.member.phase.phase === 'leading' ? state.member.phase.peers.get(id) : undefined;
  const duties = member?.duties ?? known?.duties ?? [];
  return {
    id,
    name: known?.name ?? member?.name ?? id,
    ...(address ? { address } : {}),
    roles: rolesOf(parts, id, duties),
    duties,
    thisNode: isSelf,
    drained: member?.drained ?? false,
    reachable: isSelf || status?.connected === true,
    since: isSelf || !status ? new Date(parts.startedAt).toISOString() : sinceOf(status.since),
    version: told?.program ?? member?.program ?? '',
    platform: told?.platform ?? '',
    ...(told?.load ?? { cpuPercent: 0, memoryFreeBytes: 0, memoryBytes: 0, diskFreeBytes: 0 }),
    slots: duties.includes('worker') ? (told?.slots ?? member?.slots ?? 0) : 0,
    tasksRunning: told?.tasksRunning ?? 0,
    ...(peer?.keepsJournal ? { lagEntries: Math.max(0, endOf(state.member.journal).index - peer.match) } : {}),
    ...(status?.connected && status.roundTripMs !== null ? { roundTripMs: status.roundTripMs } : {}),
    ...(isSelf ? { fingerprint: parts.identity().fingerprint } : {}),
  };
}

const sinceOf = (performanceMs: number): string =>
  new Date(Date.now() - performance.now() + performanceMs).toISOString();
