/**
 * Requests about the cluster and this node: how it is, what it can survive,
 * what it waits for, metrics, the live event stream.
 *
 * Words for people are made here from the state; nothing is remembered.
 */
import { refuse } from '../contract/errors.ts';
import { jobFileJsonSchema } from '../contract/job-file.ts';
import type { Cluster, Node } from '../contract/model.ts';
import { termText } from '../core/cluster/terms.ts';
import { countsOf } from '../core/jobs/jobs.ts';
import type { NodeState } from '../core/step.ts';
import type { Handlers } from '../io/http/asked.ts';
import { openapiText } from '../io/http/openapi.ts';
import { eventStream } from '../io/http/sse.ts';
import { platformText } from '../io/machine/machine.ts';
import type { Figures } from '../io/machine/metrics.ts';
import type { Parts } from './parts.ts';

type ClusterRoutes = 'healthz' | 'readyz' | 'metrics' | 'openapi' | 'jobFileSchema' | 'cluster' | 'nodes' | 'events';

const DISK_LOW_BYTES = 512 * 1024 ** 2;

/** Starting, working, waiting for something, or unable to write. */
function stateOf(state: NodeState): Cluster['state'] {
  const { controller } = state;
  if (controller.phase === 'active') return 'working';
  if (controller.phase === 'waiting') return 'waiting';
  return controller.phase === 'idle' && controller.why === 'disk_full' ? 'read_only' : 'starting';
}

function waitsFor(parts: Parts): Cluster['waitsFor'] {
  const { controller } = parts.loop.state;
  const since = new Date(parts.startedAt).toISOString();
  if (controller.phase === 'waiting') {
    return [
      {
        what: controller.why,
        next: 'Bring that node back, or restore this one.',
        since: new Date(controller.since).toISOString(),
      },
    ];
  }
  if (controller.phase === 'idle' && controller.why === 'disk_full') {
    return [{ what: `space on the disk of ${parts.name}`, next: 'Free some space; work goes on by itself.', since }];
  }
  const free = parts.load().diskFreeBytes;
  if (free > 0 && free < DISK_LOW_BYTES) {
    return [
      { what: `more space on the disk of ${parts.name} soon`, next: 'Free some space before it is full.', since },
    ];
  }
  return [];
}

async function figures({ loop, journal, load, tasksRunning }: Parts): Promise<Figures> {
  const { state } = loop;
  const stats = await journal.stats();
  const counts = countsOf(state.replicated.jobs);
  const term = state.replicated.term;
  return {
    term: { help: 'Number of the term', value: term?.number ?? 0 },
    active: { help: '1 when this node is active', value: state.controller.phase === 'active' ? 1 : 0 },
    journal_position: { help: 'Last committed index', value: state.committed },
    journal_pending: { help: 'Entries that are not committed yet', value: state.replicated.index - state.committed },
    journal_sync_seconds: { help: 'Time of a synced save, median of the last 200', value: stats.syncMs.p50 / 1000 },
    journal_sync_p99_seconds: { help: 'Time of a synced save, 99 % are faster', value: stats.syncMs.p99 / 1000 },
    journal_bytes: { help: 'Size of the journal on disk', value: stats.bytes },
    wal_bytes: { help: 'Size of its write-ahead log', value: stats.walBytes },
    disk_free_bytes: { help: 'Free space where the data lies', value: load().diskFreeBytes },
    tasks_running: { help: 'Attempts that run on this node', value: tasksRunning() },
    runs_running: { help: 'Runs in state running', value: counts.running },
    runs_waiting: { help: 'Runs that wait or are queued', value: counts.waiting },
  };
}

const headlines: Record<Cluster['state'], string> = {
  working: 'All is well',
  starting: 'Starting',
  waiting: 'Waiting',
  read_only: 'Nothing can be changed: the disk is full',
};

export function clusterHandlers(parts: Parts): Pick<Handlers, ClusterRoutes> {
  const { loop } = parts;
  const roles = (): Node['roles'] => (loop.state.controller.phase === 'active' ? ['active', 'worker'] : ['worker']);

  function thisNode(): Node {
    const load = parts.load();
    const member = loop.state.replicated.members.get(loop.state.self.node);
    const address = parts.address();
    return {
      id: loop.state.self.node,
      name: parts.name,
      ...(address ? { address } : {}),
      roles: roles(),
      thisNode: true,
      reachable: true,
      since: new Date(parts.startedAt).toISOString(),
      version: parts.version,
      platform: platformText(),
      ...load,
      slots: member?.slots || loop.state.self.slots,
      tasksRunning: parts.tasksRunning(),
      fingerprint: parts.fingerprint,
    };
  }

  return {
    healthz: () => ({ body: 'ok\n' }),

    readyz: () =>
      loop.state.controller.phase === 'active'
        ? { body: 'ready\n' }
        : refuse('starting', `${parts.name} is not active: ${stateOf(loop.state)}.`),

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

    async cluster() {
      const midnight = new Date().setHours(0, 0, 0, 0);
      const today = await parts.journal.countRuns(midnight);
      return {
        body: await loop.read((state): Cluster => {
          const now = loop.state;
          const charter = state.charter;
          const active = charter ? (state.members.get(charter.active)?.name ?? charter.active) : null;
          const counts = countsOf(state.jobs);
          return {
            id: state.cluster!.id,
            name: state.cluster!.name,
            thisNode: {
              id: now.self.node,
              name: parts.name,
              roles: roles(),
              version: parts.version,
              startedAt: new Date(parts.startedAt).toISOString(),
            },
            state: stateOf(now),
            term: state.term ? termText(state.term) : '',
            active: stateOf(now) === 'working' ? active : null,
            standby: null,
            watch: null,
            mode: 'solo',
            headline: headlines[stateOf(now)],
            survives: {
              sentence: `${parts.name} is alone: nothing else could go on if it were lost. What it has acknowledged is on its disk and survives a crash or a restart.`,
              lossOf: [],
            },
            waitsFor: waitsFor(parts),
            journal: { end: state.index, committed: now.committed, snapshot: now.snapshot, lag: 0 },
            counts: {
              nodes: state.members.size,
              sandboxes: state.sandboxes.size,
              runsRunning: counts.running,
              runsWaiting: counts.waiting,
              runsToday: today.total + counts.unfinishedSince(midnight),
              failedToday: today.failed,
            },
            happened: state.happened.slice(-30).reverse(),
            readAt: new Date().toISOString(),
            fresh: stateOf(now) === 'working',
          };
        }),
      };
    },

    nodes: () => ({ body: { nodes: [thisNode()] } }),

    events: (asked) => eventStream(asked, parts.live),
  };
}
