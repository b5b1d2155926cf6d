/** Runs, tasks and entries as a node would tell them, for tests to change a field or two. */
import type { Attempt, Cluster, Entry, Node, Run, Task } from '../../../node-runtime/contract/model.ts';

const at = '2026-03-04T09:22:31.000Z';

export const madeAttempt = (change: Partial<Attempt> = {}): Attempt => ({
  number: 1,
  node: 'ctl-a',
  term: '0.1.a',
  state: 'running',
  placedAt: at,
  startedAt: at,
  outputBytes: 0,
  outputCut: false,
  ...change,
});

export const madeTask = (change: Partial<Task> = {}): Task => ({
  id: 'main',
  name: 'main',
  state: 'running',
  needs: [],
  finally: false,
  continueOnError: false,
  attemptsMax: 1,
  attempts: [madeAttempt()],
  ...change,
});

export const madeRun = (change: Partial<Run> = {}): Run => ({
  id: 'r-42',
  sandbox: 'lab',
  path: 'jobs/report.py',
  name: 'report',
  state: 'running',
  launchedAt: at,
  startedAt: at,
  by: 'user:ops',
  nodes: ['ctl-a'],
  tasksTotal: 1,
  tasksEnded: 0,
  parameters: {},
  term: '0.1.a',
  via: 'ctl-a',
  tasks: [madeTask()],
  ...change,
});

export const madeEntry = (change: Partial<Entry> = {}): Entry => ({
  path: 'a.txt',
  name: 'a.txt',
  kind: 'file',
  bytes: 3,
  changedAt: at,
  version: 1,
  etag: '"1"',
  ...change,
});

export const madeCluster = (change: Partial<Cluster> = {}): Cluster => ({
  id: 'c-1',
  name: 'lab',
  thisNode: { id: 'n-1', name: 'ctl-a', roles: ['active', 'worker'], version: '0.1.0', startedAt: at },
  state: 'working',
  term: '0.1.a',
  active: 'ctl-a',
  standby: null,
  watch: null,
  mode: 'solo',
  headline: 'Working, alone.',
  survives: { sentence: 'Cannot survive the loss of ctl-a.', lossOf: [] },
  waitsFor: [],
  journal: { end: 7, committed: 7, snapshot: 0, lag: 0 },
  counts: { nodes: 1, sandboxes: 1, runsRunning: 0, runsWaiting: 0, runsToday: 0, failedToday: 0 },
  happened: [],
  readAt: at,
  fresh: true,
  ...change,
});

export const madeNode = (change: Partial<Node> = {}): Node => ({
  id: 'n-1',
  name: 'ctl-a',
  roles: ['active', 'worker'],
  thisNode: true,
  reachable: true,
  since: at,
  version: '0.1.0',
  platform: 'linux',
  cpuPercent: 3,
  memoryFreeBytes: 1e9,
  memoryBytes: 2e9,
  diskFreeBytes: 3e9,
  slots: 2,
  tasksRunning: 0,
  fingerprint: 'ab'.repeat(32),
  ...change,
});
