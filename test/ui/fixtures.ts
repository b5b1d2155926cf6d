/**
 * What the node answers in the tests of the console: a small lab, typed by the
 * contract, so that a change of the contract breaks here first.
 */

import type {
  Attempt,
  AuthorityStand,
  Cluster,
  Discovered,
  Entry,
  Evidence,
  FileVersion,
  Happening,
  JobCheck,
  JoinRequest,
  LaunchForm,
  Node,
  QuarantinedEntry,
  Run,
  RunSummary,
  Sandbox,
  Secret,
  Session,
  SignedIn,
  Task,
  Token,
  TrashItem,
  User,
} from '../../node-runtime/contract/model.ts';
import type { Setup } from '../../node-runtime/contract/setup.ts';

/** Everything is told relative to one moment, so that "today" is always today. */
const now = Date.now();
export const ago = (s: number): string => new Date(now - s * 1000).toISOString();

export const session: Session = {
  name: 'ops',
  role: 'admin',
  kind: 'person',
  expiresAt: ago(-36_000),
  may: { change: true, launch: true, administer: true },
};
export const operator: Session = {
  ...session,
  name: 'mara',
  role: 'operator',
  may: { change: true, launch: true, administer: false },
};
export const viewer: Session = {
  ...session,
  name: 'guest',
  role: 'viewer',
  may: { change: false, launch: false, administer: false },
};

export const node: Node = {
  id: 'n-atlas',
  name: 'atlas',
  address: '10.0.4.11:7433',
  roles: ['active', 'worker'],
  duties: ['controller', 'worker'],
  thisNode: true,
  drained: false,
  reachable: true,
  since: ago(5_400),
  version: '0.1.0',
  platform: 'linux x64',
  cpuPercent: 31,
  memoryFreeBytes: 9.1e9,
  memoryBytes: 16.6e9,
  diskFreeBytes: 212e9,
  slots: 12,
  tasksRunning: 4,
};

const happening = (
  position: number,
  s: number,
  tone: Happening['tone'],
  text: string,
  subject: string,
  run?: string,
): Happening => ({
  position,
  at: ago(s),
  tone,
  text,
  subject,
  ...(run ? { run } : {}),
});
export const happened: Happening[] = [
  happening(81_204, 12, 'info', 'r-8f2c launched by ops: ingest/jobs/nightly.job.yaml', 'r-8f2c', 'r-8f2c'),
  happening(81_199, 64, 'ok', 'r-8f28 succeeded in 8.4 s', 'r-8f28', 'r-8f28'),
  happening(81_180, 260, 'alarm', 'r-8f22 failed: exit 2 of fit on atlas', 'r-8f22', 'r-8f22'),
  happening(81_002, 1_900, 'info', 'ops changed 3 files in ingest', 'ingest'),
  happening(80_871, 5_390, 'brass', 'atlas is active in term 14', 'atlas'),
];

export const cluster: Cluster = {
  id: 'c-1',
  name: 'lab-west',
  thisNode: { id: 'n-atlas', name: 'atlas', roles: ['active', 'worker'], version: '0.1.0', startedAt: ago(5_400) },
  state: 'working',
  term: '1.14.n-atlas',
  active: 'n-atlas',
  standby: null,
  watch: null,
  spares: [],
  mode: 'solo',
  parked: null,
  charter: { reason: 'it was founded', at: ago(5_390), writeSet: ['n-atlas'], voters: [['n-atlas']] },
  headline: 'All is well',
  survives: {
    sentence: 'atlas is alone: nothing can take over if it fails. Its journal is on its own disk only.',
    lossOf: [],
  },
  waitsFor: [],
  journal: { end: 81_204, committed: 81_204, snapshot: 80_000, lag: 0, quarantined: 0 },
  counts: { nodes: 1, sandboxes: 4, runsRunning: 2, runsWaiting: 1, runsToday: 1_284, failedToday: 2, tasksUnknown: 0 },
  happened,
  readAt: ago(0),
  fresh: true,
  recovery: false,
};

/** A lab of seven: two controllers, a watch with a spare, workers of which one is draining. */
const other = (name: string, of: Partial<Node>): Node => ({
  ...node,
  id: `n-${name}`,
  name,
  address: `10.0.4.${10 + name.length}:7433`,
  thisNode: false,
  roles: ['worker'],
  duties: ['worker'],
  roundTripMs: 0.9,
  since: ago(80_000),
  ...of,
});
export const labNodes: Node[] = [
  { ...node, lagEntries: 0 },
  other('borea', {
    roles: ['standby', 'worker'],
    duties: ['controller', 'worker'],
    lagEntries: 0,
    roundTripMs: 1.84,
    cpuPercent: 19,
    tasksRunning: 2,
    memoryFreeBytes: 11.4e9,
  }),
  other('deck-17', {
    roles: ['watch'],
    duties: ['watch'],
    roundTripMs: 4.2,
    slots: 0,
    tasksRunning: 0,
    platform: 'darwin arm64',
    cpuPercent: 6,
  }),
  other('quay-2', { roles: ['spare'], duties: ['watch'], slots: 0, tasksRunning: 0, roundTripMs: 2.6, cpuPercent: 3 }),
  other('cirrus', { cpuPercent: 88, tasksRunning: 15, slots: 16, memoryFreeBytes: 3.0e9 }),
  other('delta', { drained: true, tasksRunning: 1, slots: 8, cpuPercent: 12 }),
  other('ember', { tasksRunning: 7, slots: 16, cpuPercent: 47 }),
];
export const lab: Cluster = {
  ...cluster,
  standby: 'n-borea',
  watch: 'n-deck-17',
  spares: ['n-quay-2'],
  mode: 'paired',
  charter: {
    reason: 'atlas and borea are in step',
    at: ago(5_300),
    writeSet: ['n-atlas', 'n-borea'],
    voters: [['n-atlas', 'n-borea', 'n-deck-17']],
  },
  survives: {
    sentence: 'Can survive the loss of any one of atlas, borea and deck-17.',
    lossOf: ['n-atlas', 'n-borea', 'n-deck-17'],
  },
  counts: { ...cluster.counts, nodes: 7 },
  happened: [
    happening(81_190, 130, 'warn', 'delta set to draining by ops', 'delta'),
    happening(80_990, 5_100, 'info', 'deck-17 appointed watch by ops, was quay-2', 'deck-17'),
    happening(80_900, 5_250, 'ok', 'atlas stands by again, caught up 2,118 entries in 0.9 s', 'atlas'),
    happening(80_880, 5_380, 'brass', 'Switch-over borea → atlas, 212 ms without an active', 'borea → atlas'),
    happening(80_100, 30_000, 'alarm', 'Fail-over atlas → borea, term 13, 1.4 s, nothing lost', 'atlas → borea'),
    ...happened,
  ],
};
const silent = (name: string, s: number): Node[] =>
  labNodes.map((one) => (one.name === name ? { ...one, reachable: false, since: ago(s), lagEntries: 40 } : one));
/** borea fell silent: atlas goes on alone. */
export const labAlone: { cluster: Cluster; nodes: Node[] } = {
  nodes: silent('borea', 95),
  cluster: {
    ...lab,
    standby: null,
    mode: 'solo',
    headline: 'Working, without a standby',
    charter: { ...lab.charter!, writeSet: ['n-atlas'], reason: 'borea was silent' },
    survives: {
      sentence: 'atlas works on with the vote of deck-17. If one of the two is lost, work stops.',
      lossOf: [],
    },
    waitsFor: [
      { what: 'borea does not answer.', next: 'Start it, or its network; it catches up by itself.', since: ago(95) },
    ],
  },
};
/** Seen at borea: atlas, which was active alone, is gone; borea was behind. */
export const labLost: { cluster: Cluster; nodes: Node[] } = {
  nodes: labNodes.map((one) => {
    const away = one.name === 'atlas';
    return {
      ...one,
      thisNode: one.name === 'borea',
      roles: away ? one.roles : one.roles.map((role) => (role === 'standby' ? 'controller' : role)),
      reachable: !away,
      ...(away ? { since: ago(420) } : {}),
    };
  }),
  cluster: {
    ...lab,
    thisNode: { id: 'n-borea', name: 'borea', roles: ['controller', 'worker'], version: '0.1.0', startedAt: ago(900) },
    state: 'waiting',
    active: null,
    standby: null,
    mode: 'solo',
    headline: 'No active controller',
    charter: { ...lab.charter!, writeSet: ['n-atlas'], reason: 'borea was silent' },
    survives: { sentence: 'Nothing is acknowledged until an active leads again.', lossOf: [] },
    waitsFor: [
      {
        what: 'atlas led alone and does not answer; borea may lack what it acknowledged.',
        next: 'Start atlas again, or let a person confirm that it is lost.',
        since: ago(420),
      },
    ],
    fresh: false,
    recovery: true,
    journal: { ...lab.journal, lag: 61, quarantined: 2 },
  },
};
export const evidence: Evidence = {
  possible: true,
  why: 'atlas was active alone and does not answer. borea cannot know whether atlas acknowledged more than borea holds.',
  evidence: 'newest 1.14.n-atlas; highest term 1.15.n-borea; heard n-deck-17#c3',
  candidate: { id: 'n-borea', name: 'borea', journalEnd: 81_143, term: '1.13.n-borea' },
  nodes: [
    {
      id: 'n-atlas',
      name: 'atlas',
      voter: 'n-atlas#a1',
      votes: true,
      inWriteSet: true,
      heardAt: ago(420),
      alive: false,
      sentence: 'Was active in term 1.14 when it was last heard.',
    },
    {
      id: 'n-deck-17',
      name: 'deck-17',
      voter: 'n-deck-17#c3',
      votes: true,
      inWriteSet: false,
      heardAt: ago(0),
      alive: true,
      sentence: 'Confirmed entries up to 81,204 to atlas.',
    },
  ],
  suggested: ['n-atlas#a1'],
  loss: 'Up to entry 81,204 was acknowledged; borea has 81,143: 61 acknowledged entries are lost, since 14:03:22.',
  danger:
    'If atlas still runs somewhere, it may start work that borea starts too. It can acknowledge nothing more; what it has written since is put aside when it comes back.',
  opensEra: false,
  proofTerm: '0.9.n-borea',
};
export const quarantined: QuarantinedEntry[] = [81_144, 81_145].map((index, i) => ({
  id: i + 1,
  index,
  term: '1.12.n-borea',
  cutAt: ago(300),
  reason: 'atlas had another entry there',
  at: ago(9_000),
  by: 'user:ops',
  kind: i === 0 ? 'runLaunched' : 'filesChanged',
  fact: { kind: i === 0 ? 'runLaunched' : 'filesChanged', run: 'r-9' },
}));

const sandbox = (name: string, kind: Sandbox['kind'], files: number, bytes: number, description = ''): Sandbox => ({
  name,
  kind,
  description,
  revision: 7,
  files,
  bytes,
  createdAt: ago(900_000),
  createdBy: 'ops',
  ...(kind === 'local' ? { node: 'atlas', directory: '/srv/bench' } : {}),
});
export const sandboxes: Sandbox[] = [
  sandbox('ingest', 'shared', 17, 48_200_000, 'Nightly import of the frames.'),
  sandbox('reports', 'shared', 31, 1_900_000),
  sandbox('calib', 'shared', 8, 64_000),
  sandbox('bench', 'local', 402, 8.2e9),
];

const wrongCheck: JobCheck = {
  format: 'job',
  ok: false,
  name: 'legacy',
  tasks: 4,
  problems: [
    {
      path: 'tasks.load.needs[0]',
      line: 14,
      column: 13,
      sentence: 'unknown task “spilt”',
      hint: 'Did you mean “split”?',
    },
  ],
};
export const wrong = wrongCheck;
export const goodCheck: JobCheck = { format: 'job', ok: true, name: 'Nightly ingest', tasks: 9, problems: [] };
const scriptCheck: JobCheck = { format: 'script', ok: true, tasks: 1, problems: [] };

const file = (path: string, bytes: number, s: number, by: string, more: Partial<Entry> = {}): Entry => ({
  path,
  name: path.slice(path.lastIndexOf('/') + 1),
  kind: 'file',
  bytes,
  changedAt: ago(s),
  changedBy: by,
  version: 1,
  etag: `"${path}-1"`,
  ...more,
});
const dir = (path: string, items: number): Entry => ({
  path,
  name: path.slice(path.lastIndexOf('/') + 1),
  kind: 'folder',
  bytes: 0,
  changedAt: ago(1_900_000),
  changedBy: 'ops',
  items,
});

export const nightlyText = `name: Nightly ingest
parameters:
  day: { type: date, default: yesterday }
  parts: { type: integer, default: 3, minimum: 1, maximum: 16 }
tasks:
  fetch:
    run: ./fetch.sh \${{ params.day }}
    timeout: 10m
    retry: { attempts: 3, delay: 30s }
  split:
    needs: [fetch]
    run: python3 split.py # cuts the frames
  load:
    needs: [split]
    run: ./load.sh
  report:
    needs: [load]
    if: always()
    run: ./report.sh
`;
export const legacyText = `name: legacy
tasks:
  fetch:
    run: ./fetch.sh
    timeout: 10m
  split:
    needs: [fetch]
    run: python3 split.py

  # loads what was split
  load:
    timeout: 1h
    run: ./load.sh
    needs: [spilt]
`;
export const verifyText =
  '#!/bin/sh\n# Checks every part against its sum.\nset -eu\nfor part in frames/*.bin; do\n  sha256sum -c "$part.sum"\ndone\necho "all parts fit"\n';

export const folders: Record<string, Entry[]> = {
  'ingest:': [dir('ingest-notes', 2), dir('jobs', 5), file('readme.md', 1_204, 700_000, 'ops')].map((one) => one),
  'ingest:jobs': [
    dir('jobs/schemas', 12),
    file('jobs/legacy.job.yaml', 1_300, 1_500_000, 'admin', { job: wrongCheck }),
    file('jobs/nightly.job.yaml', 2_100, 3_000, 'ops', { job: goodCheck, version: 7 }),
    file('jobs/plot.png', 68, 90_000, 'ops'),
    file('jobs/results-of-a-very-long-measurement-with-a-name-nobody-should-give.csv', 48_000, 86_400, 'ops'),
    file('jobs/split.py', 4_700, 800_000, 'admin', { job: scriptCheck, executable: true }),
    file('jobs/verify.sh', 611, 800_000, 'admin', { job: scriptCheck, executable: true }),
  ],
  'reports:': [],
};
export const texts: Record<string, string> = {
  'jobs/nightly.job.yaml': nightlyText,
  'jobs/legacy.job.yaml': legacyText,
  'jobs/verify.sh': verifyText,
  'jobs/split.py':
    'import sys\n\n\ndef cut(path: str, parts: int) -> list[str]:\n    """Cuts one file into parts."""\n    return [f"{path}.{n}" for n in range(parts)]\n\n\nprint(cut(sys.argv[1], 3))\n',
  'jobs/results-of-a-very-long-measurement-with-a-name-nobody-should-give.csv': `frame,part,"mean, of all",sigma\n${Array.from({ length: 60 }, (_, i) => `${i},${i % 3},${(i * 1.37).toFixed(3)},0.${i}`).join('\n')}\n`,
};
export const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);

export const versions: FileVersion[] = [7, 6, 5].map((version, i) => ({
  version,
  revision: version,
  bytes: 2_100 - i * 90,
  hash: 'a'.repeat(64),
  at: ago(3_000 + i * 400_000),
  by: i === 1 ? 'admin' : 'ops',
  removed: false,
  current: i === 0,
}));
export const trash: TrashItem[] = [
  { path: 'jobs/old.sh', bytes: 390, removedAt: ago(4_000), removedBy: 'ops', version: 3 },
  { path: 'jobs/try/out.csv', bytes: 12_000, removedAt: ago(90_000), removedBy: 'admin', version: 1 },
];

const summary = (
  id: string,
  box: string,
  path: string,
  state: RunSummary['state'],
  s: number,
  tookS: number | null,
  more: Partial<RunSummary> = {},
): RunSummary => ({
  id,
  sandbox: box,
  path,
  name: path.slice(path.lastIndexOf('/') + 1),
  state,
  launchedAt: ago(s),
  by: 'ops',
  nodes: ['atlas'],
  tasksTotal: 1,
  tasksEnded: tookS === null ? 0 : 1,
  ...(state === 'waiting' ? {} : { startedAt: ago(s) }),
  ...(tookS === null ? {} : { endedAt: ago(s - tookS) }),
  ...more,
});
export const runs: RunSummary[] = [
  summary('r-8f2c', 'ingest', 'jobs/nightly.job.yaml', 'running', 192, null, {
    name: 'Nightly ingest',
    tasksTotal: 7,
    tasksEnded: 3,
  }),
  summary('r-8f2b', 'reports', 'daily.job.yaml', 'running', 204, null, {
    name: 'Daily report',
    tasksTotal: 3,
    tasksEnded: 2,
  }),
  summary('r-8f29', 'calib', 'sweep.job.yaml', 'waiting', 300, null, {
    nodes: [],
    reason: 'no free slot',
    tasksTotal: 2,
  }),
  summary('r-8f28', 'ingest', 'jobs/verify.sh', 'succeeded', 400, 8.4, { exitCode: 0 }),
  summary('r-8f22', 'calib', 'fit.py', 'failed', 620, 51, { exitCode: 2, reason: 'fit ended with exit 2' }),
  summary('r-8f1e', 'backup', 'state.job.yaml', 'succeeded', 900, 14, { exitCode: 0, tasksTotal: 2, tasksEnded: 2 }),
  summary('r-8f1d', 'ingest', 'jobs/split.py', 'cancelled', 1_400, 3, { by: 'admin' }),
];
/** As many as a busy lab has in a week. */
export const manyRuns: RunSummary[] = [
  ...runs,
  ...Array.from({ length: 193 }, (_, i) =>
    summary(
      `r-7${(i + 0x100).toString(16)}`,
      ['ingest', 'calib', 'reports'][i % 3]!,
      'jobs/verify.sh',
      i % 17 === 0 ? 'failed' : 'succeeded',
      2_000 + i * 700,
      3 + (i % 50),
      i % 17 === 0 ? { exitCode: 1 } : { exitCode: 0 },
    ),
  ),
];

const attempt = (
  number: number,
  state: Attempt['state'],
  s: number,
  tookS: number | null,
  more: Partial<Attempt> = {},
): Attempt => ({
  number,
  node: 'atlas',
  term: '1.14.n-atlas',
  state,
  placedAt: ago(s),
  startedAt: ago(s),
  ...(tookS === null ? {} : { endedAt: ago(s - tookS), cause: 'exit' as const, exitCode: state === 'failed' ? 2 : 0 }),
  outputBytes: tookS === null ? 0 : 400,
  outputCut: false,
  ...more,
});
const task = (
  id: string,
  state: Task['state'],
  needs: string[],
  attempts: Attempt[],
  more: Partial<Task> = {},
): Task => ({
  id,
  name: id,
  state,
  needs,
  finally: false,
  continueOnError: false,
  attemptsMax: 1,
  attempts,
  ...more,
});
export const run: Run = {
  ...runs[0]!,
  revision: 7,
  parameters: { day: '2026-11-21', parts: 3 },
  term: '1.14.n-atlas',
  via: 'atlas',
  tasks: [
    task('fetch', 'succeeded', [], [attempt(1, 'succeeded', 192, 124)]),
    task('split', 'succeeded', ['fetch'], [attempt(1, 'succeeded', 68, 41)]),
    task('load-1', 'running', ['split'], [attempt(1, 'running', 27, null)], { name: 'load · part 1' }),
    task('load-2', 'running', ['split'], [attempt(1, 'running', 27, null)], { name: 'load · part 2' }),
    task('load-3', 'running', ['split'], [attempt(1, 'failed', 27, 9), attempt(2, 'running', 8, null)], {
      name: 'load · part 3',
      attemptsMax: 3,
      secrets: ['DB_PASSWORD'],
    }),
    task('merge', 'waiting', ['load-1', 'load-2', 'load-3'], []),
    task('report', 'waiting', [], [], { finally: true }),
  ],
};
export const failedRun: Run = {
  ...runs[4]!,
  revision: 3,
  parameters: {},
  term: '1.14.n-atlas',
  via: 'atlas',
  tasks: [task('fit', 'failed', [], [attempt(1, 'failed', 620, 51)])],
};
/** A worker fell silent in the middle of a part. */
export const lostRun: Run = {
  ...run,
  id: 'r-8f2d',
  tasks: run.tasks.map((one) =>
    one.id === 'load-2'
      ? {
          ...one,
          state: 'unknown',
          reason: 'cirrus does not answer',
          attempts: [attempt(1, 'lost', 27, null, { node: 'cirrus' })],
        }
      : one,
  ),
};
export const logText = [
  'loading frames/2026-11-21/part-3 (412 files)',
  '100 / 412',
  '\u001b[31mpsql: error: connection to server at "10.0.4.8" refused\u001b[0m',
  '\u001b[2mexit 2, next attempt in 30 s (2 of 3)\u001b[0m',
  '\u001b[2mattempt 2 on atlas\u001b[0m',
  'loading frames/2026-11-21/part-3 (412 files)',
  '100 / 412',
  '200 / 412',
  '\u001b[32m300 / 412\u001b[0m',
  '',
].join('\n');

export const launchForm: LaunchForm = {
  sandbox: 'ingest',
  path: 'jobs/nightly.job.yaml',
  name: 'Nightly ingest',
  description: 'Fetches the frames of a day, splits them, loads the parts and reports.',
  format: 'job',
  open: false,
  parameters: [
    {
      name: 'day',
      type: 'date',
      label: 'Day',
      required: true,
      default: '2026-11-22',
      description: 'The day to import.',
    },
    { name: 'parts', type: 'integer', label: 'Parts', required: false, default: 3, minimum: 1, maximum: 16 },
    { name: 'mode', type: 'choice', label: 'Mode', required: true, default: 'full', options: ['full', 'changed only'] },
    { name: 'note', type: 'string', label: 'Note', required: false, pattern: '[a-z ]*' },
    {
      name: 'dry',
      type: 'boolean',
      label: 'Try only',
      required: false,
      default: false,
      description: 'Reads everything, writes nothing.',
    },
  ],
  tasks: [
    { id: 'fetch', name: 'fetch', needs: [], finally: false },
    { id: 'split', name: 'split', needs: ['fetch'], finally: false },
    { id: 'load', name: 'load', needs: ['split'], finally: false, secrets: ['DB_PASSWORD'] },
    { id: 'report', name: 'report', needs: [], finally: true },
  ],
  secrets: [{ name: 'DB_PASSWORD', known: true }],
  placement: [
    { node: 'atlas', suits: true, sentence: 'would take it: 8 of 12 slots are free' },
    { node: 'delta', suits: false, sentence: 'is draining and is left out' },
  ],
};

export const authority: AuthorityStand = {
  fingerprint: '9f3c1a7be2d04586b1ce77a0934f2d1e5c8a60f7b3d2914e8807f6a1c5d3e29b',
  until: '2046-11-23T08:00:00.000Z',
  step: 'settled',
  waitsFor: [],
  sentence: 'All nodes trust this authority, and no other.',
};
export const authorityChanging: AuthorityStand = {
  ...authority,
  ...{ step: 'turned', since: '2026-11-28T09:22:31.000Z', by: 'user:ops', waitsFor: ['deck-17', 'quay-2'] },
  sentence: 'The new authority signs; all nodes get new certificates; deck-17, quay-2 not yet.',
};

export const users: User[] = [
  { name: 'ops', role: 'admin', createdAt: ago(9_000_000), lastSignInAt: ago(3_000) },
  { name: 'mara', role: 'operator', createdAt: ago(4_000_000), lastSignInAt: ago(90_000) },
  { name: 'guest', role: 'viewer', createdAt: ago(1_000_000) },
];
export const signedIn: SignedIn[] = [
  {
    ...{ id: '5f01', who: 'ops', role: 'admin', byLink: false, since: ago(3_000), expiresAt: ago(-40_000) },
    lastSeenAt: ago(2),
    from: '10.0.4.61',
    program: 'Firefox on Linux',
    thisOne: true,
  },
  {
    ...{ id: '5f02', who: 'ops', role: 'admin', byLink: false, since: ago(30_000), expiresAt: ago(-10_000) },
    lastSeenAt: ago(900),
    from: '10.0.9.17',
    program: 'Safari on an iPhone',
    thisOne: false,
  },
  {
    ...{ id: '5f03', who: 'ops', role: 'viewer', byLink: true, since: ago(20_000), expiresAt: ago(-20_000) },
    from: '2001:db8:4:1::77',
    thisOne: false,
  },
];
export const everybodySignedIn: SignedIn[] = [
  ...signedIn,
  {
    ...{ id: '5f04', who: 'mara', role: 'operator', byLink: false, since: ago(8_000), expiresAt: ago(-30_000) },
    lastSeenAt: ago(40),
    from: '10.0.4.62',
    program: 'Edge on Windows',
    thisOne: false,
  },
];
/** `ingest` with a list of its own, as an administrator and as others see it. */
export const listed: Sandbox = {
  ...sandboxes[0]!,
  may: ['read', 'write', 'execute'],
  rights: [
    { who: 'everyone', may: ['read'] },
    { who: 'user:mara', may: ['read', 'write', 'execute'] },
    { who: 'user:guest', may: ['read'] },
    { who: 'token:7e21', may: ['read', 'execute'] },
  ],
};
export const onlyLooking: Sandbox[] = [{ ...sandboxes[0]!, may: ['read'] }, ...sandboxes.slice(1)];
export const tokens: Token[] = [
  {
    id: '7e21',
    label: 'line 4 controller',
    role: 'operator',
    createdAt: ago(400_000),
    createdBy: 'ops',
    lastUsedAt: ago(90),
    scope: {
      sandboxes: [
        { name: 'ingest', may: ['read', 'execute'] },
        { name: 'calib', may: ['read'] },
      ],
    },
  },
  {
    id: 't-1',
    label: 'nightly import on quay-2',
    role: 'operator',
    createdAt: ago(2_000_000),
    createdBy: 'ops',
    expiresAt: ago(-5_000_000),
    lastUsedAt: ago(600),
  },
];

export const secrets: Secret[] = [
  {
    ...{ name: 'DB_PASSWORD', version: 3, description: 'The measuring database on quay-1' },
    ...{ savedAt: ago(90_000), savedBy: 'user:ops', runs: ['r-8f2c'] },
  },
  { name: 'FRAMES_KEY', version: 1, savedAt: ago(4_000_000), savedBy: 'desktop', runs: [] },
];

export const joinRequests: JoinRequest[] = [
  {
    ...{ id: '3f09ab12cd', name: 'quay-3', program: '0.1.0', address: '192.168.7.31', state: 'waiting' },
    words: ['mail', 'today', 'venture', 'job', 'fog', 'chase'],
    ...{ askedAt: ago(40), expiresAt: ago(-560) },
  },
  {
    ...{ id: '77e1f00a2b', name: 'a-machine-with-a-name-that-nobody-should-ever-give-to-one', program: '0.1.0' },
    ...{ address: 'fe80::5054:ff:fe12:3456%enp3s0', state: 'waiting' },
    words: ['apple', 'actual', 'please', 'alcohol', 'nerve', 'napkin'],
    ...{ askedAt: ago(9), expiresAt: ago(-591) },
  },
];

export const discovered: Discovered[] = [
  {
    ...{ cluster: 'c-77aa00bb11', clusterName: 'lab-east', node: 'n-5500aa11bb', name: 'eos', role: 'controller' },
    ...{ addresses: ['192.168.7.90:7400', '[fe80::1c2:ff:fe90:1%enp3s0]:7400'], via: 'mdns', relation: 'other' },
    seenAt: ago(12),
  },
  {
    ...{ cluster: 'c-0', clusterName: 'lab-west', node: 'n-0000aa11bb', name: 'atlas', role: 'controller' },
    ...{ addresses: ['192.168.7.66:7400'], via: 'mdns', relation: 'stranger' },
    seenAt: ago(2),
  },
];

/** A desktop program whose folder holds no node. */
export const setup: Setup = {
  step: 'choosing',
  suggested: { name: 'deck-17', cluster: 'deck-17-lab' },
  discovered: [
    ...discovered,
    { ...discovered[0]!, node: 'n-5500aa11cc', name: 'borea', role: 'watch', addresses: ['192.168.7.91:7400'] },
    { ...discovered[0]!, node: 'n-5500aa11dd', name: 'bench-with-a-long-name-1', role: 'worker' },
  ],
  reach: { open: false, addresses: [] },
};
export const setupWaiting: Setup = {
  ...setup,
  step: 'waiting',
  asked: {
    clusterName: 'lab-east',
    address: '192.168.7.90:7400',
    words: ['harbour', 'crystal', 'meadow', 'orbit', 'lantern', 'zebra'],
    expiresAt: ago(-570),
  },
};
export const setupFailure: NonNullable<Setup['failure']> = {
  ...{ way: 'ask', code: 'cannot_join', sentence: 'No member answers at 192.168.7.20:7400: connect ETIMEDOUT.' },
  next: 'Check the network between the machines, and that other machines may reach the member.',
};
