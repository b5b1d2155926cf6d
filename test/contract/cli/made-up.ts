/** Runs, tasks and entries as a node would tell them, for tests to change a field or two. */
import type {
  Attempt,
  Cluster,
  Entry,
  Evidence,
  Node,
  QuarantinedEntry,
  Run,
  Task,
} from '../../../node-runtime/contract/model.ts';

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
  spares: [],
  mode: 'solo',
  parked: null,
  charter: { reason: 'it was founded', at, writeSet: ['n-1'], voters: [['n-1']] },
  headline: 'Working, alone.',
  survives: { sentence: 'Cannot survive the loss of ctl-a.', lossOf: [] },
  waitsFor: [],
  journal: { end: 7, committed: 7, snapshot: 0, lag: 0, quarantined: 0 },
  counts: { nodes: 1, sandboxes: 1, runsRunning: 0, runsWaiting: 0, runsToday: 0, failedToday: 0, tasksUnknown: 0 },
  happened: [],
  readAt: at,
  fresh: true,
  recovery: false,
  ...change,
});

export const madeNode = (change: Partial<Node> = {}): Node => ({
  id: 'n-1',
  name: 'ctl-a',
  roles: ['active', 'worker'],
  duties: ['controller', 'worker'],
  drained: false,
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

/** ctl-b is asked; ctl-a, which holds more, is silent, and so is the watch. */
export const madeEvidence = (change: Partial<Evidence> = {}): Evidence => ({
  possible: true,
  why: 'ctl-a was active last and does not answer; ctl-b holds less than ctl-a may have acknowledged.',
  evidence: 'newest 0.3.n-1; highest term 0.4.n-2; heard n-3#cc',
  candidate: { id: 'n-2', name: 'ctl-b', journalEnd: 4650, term: '0.2.n-1' },
  nodes: [
    {
      id: 'n-1',
      name: 'ctl-a',
      voter: 'n-1#aa',
      votes: true,
      inWriteSet: true,
      heardAt: at,
      alive: false,
      sentence: 'Was active alone.',
    },
    {
      id: 'n-3',
      name: 'deck-17',
      voter: 'n-3#cc',
      votes: true,
      inWriteSet: false,
      heardAt: at,
      alive: true,
      sentence: '',
    },
  ],
  suggested: ['n-1#aa'],
  loss: 'Up to entry 4,711 was acknowledged; ctl-b has 4,650: 61 entries are lost.',
  danger: 'If ctl-a is not off, both may start work until they hear of each other.',
  opensEra: false,
  proofTerm: '0.9.n-borea',
  ...change,
});

export const madeQuarantined = (change: Partial<QuarantinedEntry> = {}): QuarantinedEntry => ({
  id: 1,
  index: 4651,
  term: '0.2.n-1',
  cutAt: at,
  reason: 'the journal went another way',
  at,
  by: 'user:ops',
  kind: 'runLaunched',
  fact: { kind: 'runLaunched', run: 'r-9' },
  ...change,
});
