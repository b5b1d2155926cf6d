/**
 * What the explorer visits: small clusters at the brink of something, and how
 * much may happen to them from there on.
 *
 * Each begins from a quiet cluster, is led by a script to the situation it is
 * about, and is then left to everything that its bounds allow. Letters that
 * the script left on their way are lost.
 */
import type { Voter } from '../../node-runtime/contract/facts.ts';
import { foundingCharter } from '../../node-runtime/core/cluster/charter.ts';
import { freshFence, wakeWorker } from '../../node-runtime/core/cluster/fence.ts';
import { foundingRegister } from '../../node-runtime/core/cluster/register.ts';
import { type AnyNode, type Bounds, steps } from './core-acts.ts';
import { type Bend, CLUSTER, type Disk, type MemberNode, type Setting } from './core-setting.ts';
import { wake } from './core-waking.ts';
import { newWorld, type World } from './core-world.ts';

const [A, B, W]: [Voter, Voter, Voter] = [
  { node: 'A', store: 'a' },
  { node: 'B', store: 'b' },
  { node: 'W', store: 'w' },
];
const text = ({ node, store }: Voter): string => `${node}#${store}`;

type Script = (world: World, row: Uint32Array) => void;

export type Configuration = {
  about: string;
  setting?: Partial<Setting>;
  lost?: Record<string, string[][]>;
  entries?: string[];
  script: Script;
  /** Each is explored to its end: the small ones by CI, the large ones on demand. */
  small: Bounds[];
  large: Bounds[];
  /** What must have happened in the small ones, or the exploration proves nothing. */
  happens: string[];
};

// ------------------------------------------------------------------- scripts

/** Takes a step that must be possible. */
function does(world: World, row: Uint32Array, name: string, code: number): void {
  const next = new Uint32Array(world.width);
  const at = world.names.indexOf(name);
  if (!world.go(row, next, at, code)) throw new Error(`the script asks ${name} for a step that changes nothing`);
  row.set(next);
}

type Until = (disk: (name: string) => Disk) => boolean;

/** Delivers and saves everything among these nodes until nothing is left, or it is so; all other letters are lost. */
function settles(world: World, row: Uint32Array, among: string[], until: Until = () => false): void {
  const next = new Uint32Array(world.width);
  const diskOf = (name: string): Disk => (world.nodeAt(row, world.names.indexOf(name)).node as MemberNode).disk;
  for (let moved = true; moved && !until(diskOf); ) {
    moved = false;
    for (const name of among) {
      const at = world.names.indexOf(name);
      const node = world.nodeAt(row, at);
      const letter = world.lettersTo(row, at).find(({ letter: { from } }) => among.includes(from));
      const code = node.node.pending.length > 0 ? steps.save : letter ? world.deliver(letter.id) : null;
      if (code === null) continue;
      if (world.go(row, next, at, code)) row.set(next);
      else if (letter) world.forget(row, at, letter.id);
      moved = true;
    }
  }
  world.withoutLetters(row);
}

/** A leads, with the standby or only with the watch, and everything is committed. */
const leads =
  (among: string[], entries = 0): Script =>
  (world, row) => {
    does(world, row, 'A', steps.try);
    settles(world, row, among);
    for (let count = 0; count < entries; count++) {
      does(world, row, 'A', steps.propose);
      settles(world, row, among);
    }
  };

const takesOver =
  (among: string[], until?: Until): Script =>
  (world, row) => {
    does(world, row, 'B', steps.try);
    settles(world, row, among, until);
  };

const then =
  (...scripts: Script[]): Script =>
  (world, row) => {
    for (const script of scripts) script(world, row);
  };

const heartbeat =
  (name: string, among: string[]): Script =>
  (world, row) => {
    does(world, row, name, steps.heartbeat);
    settles(world, row, among);
  };

const hearNothing =
  (...names: string[]): Script =>
  (world, row) => {
    for (const name of names) does(world, row, name, steps.silence);
  };

/** A person confirms a loss at once: the claim that is shown as the first, second, … at B. */
const claims =
  (place: number, among: string[], until?: Until): Script =>
  (world, row) => {
    does(world, row, 'B', steps.show);
    does(world, row, 'B', steps.confirm + place);
    settles(world, row, among, until);
  };

const keepImage =
  (name: string): Script =>
  (world, row) => {
    const at = world.names.indexOf(name);
    const one = world.nodeAt(row, at);
    if (one.kind === 'member') world.withNode(row, at, { kind: 'member', node: { ...one.node, image: one.node.disk } });
  };

// ------------------------------------------------------------ configurations

export const configurations: Record<string, Configuration> = {
  'claim-kept': {
    about: 'A leads with W and B is stale; B claims that A is lost, and A is alive (P28 to P30, S12, S13)',
    setting: { hearing: true },
    lost: { B: [[text(A)]] },
    script: then(leads(['A', 'W'], 1), hearNothing('W')),
    small: [{ claims: 2, crashes: 1 }],
    large: [
      { claims: 3 },
      { claims: 2, entries: 1 },
      { claims: 2, 'tries A': 1 },
      { claims: 1, 'tries B': 1, entries: 1 },
    ],
    happens: ['activations by a claim', 'committed entries given up', 'claims taken'],
  },
  'claim-again': {
    about: 'a claim of B was accepted by B alone; B claims again (P30)',
    lost: { B: [[text(A)]] },
    script: then(
      leads(['A', 'W'], 1),
      claims(0, ['B', 'W']), // dies: W knows of a newer charter
      claims(1, ['B', 'W'], (disk) => disk('B').register.accepted.active === 'B'),
    ),
    small: [{ claims: 1, entries: 1 }],
    large: [
      { claims: 1, entries: 1, 'tries A': 1 },
      { claims: 1, 'tries B': 1, crashes: 1 },
    ],
    happens: ['activations by a claim', 'committed entries given up'],
  },
  'claim-era': {
    about: 'A leads with B and W; B claims that A and W are lost, and both are alive beyond a cut (P29, P32, S15, S16)',
    setting: { hearing: true },
    lost: { B: [[text(A), text(W)]] },
    script: then(leads(['A', 'B', 'W']), heartbeat('A', ['A', 'B', 'W']), hearNothing('B')),
    small: [{ claims: 1, entries: 1, heartbeats: 1 }],
    large: [
      { claims: 1, 'tries A': 1 },
      { claims: 1, entries: 1, heartbeats: 2 },
      { claims: 1, 'tries B': 1 },
    ],
    happens: ['activations by a claim', 'an older era yields', 'tails in quarantine', 'commits'],
  },
  'two-claims': {
    about: 'both sides of a cut confirm a loss; on contact both stop, and a person chooses (P32, S17)',
    setting: { hearing: true },
    lost: { A: [[text(B), text(W)]], B: [[text(A), text(W)]] },
    script: then(leads(['A', 'B', 'W']), hearNothing('A', 'B', 'W')),
    small: [{ 'claims A': 1, 'claims B': 1, choices: 1 }],
    large: [
      { 'claims A': 1, 'claims B': 1, entries: 1 },
      { 'claims A': 1, 'claims B': 1, heartbeats: 1 },
      { 'claims A': 1, 'claims B': 1, choices: 2 },
    ],
    happens: ['activations by a claim', 'two eras stop on contact', 'an older era yields', 'commits'],
  },
  'claim-workers': {
    about: 'B leads an era that A has heard a term of and not the charter; both order a worker about (P32, P35, S16)',
    setting: { workers: ['bench'] },
    lost: { B: [[text(A), text(W)]] },
    script: then(
      leads(['A', 'W']),
      claims(0, ['B']),
      takesOver(['A', 'B'], (disk) => disk('A').register.promised.era > 0),
    ),
    small: [{ 'tries A': 1, 'tries B': 1 }],
    large: [
      { 'tries A': 1, 'tries B': 2 },
      { 'tries A': 1, 'tries B': 1, 'crashes bench': 1 },
    ],
    happens: ['activations', 'a worker refuses: a newer term is obeyed here'],
  },
  parking: {
    about: 'A is parked; a person activates B, or A is started again (P27, S27)',
    script: leads(['A', 'B', 'W']),
    small: [
      { parkings: 1, tries: 1, 'crashes A': 1 },
      { parkings: 1, activations: 1, 'crashes A': 1 },
    ],
    large: [
      { parkings: 1, activations: 1, tries: 1 },
      { parkings: 1, activations: 1, 'tries A': 1, 'crashes A': 1 },
    ],
    happens: ['parkings decided', 'parkings left', 'activations'],
  },
  'hand-over': {
    about: 'A hands over to B while an entry is on its way, or is told to and fails (P26, S26)',
    setting: { following: true },
    script: leads(['A', 'B', 'W']),
    small: [{ 'switch-overs': 1, entries: 1 }],
    large: [
      { 'switch-overs': 1, entries: 1, 'tries A': 1 },
      { 'switch-overs': 1, entries: 1, crashes: 1 },
    ],
    happens: ['activations', 'commits', 'charters decided'],
  },
  workers: {
    about: 'A orders a start and its forgetting, B takes over and orders it again; the worker may be killed (P35)',
    setting: { workers: ['bench'] },
    entries: ['start x', 'end x'],
    script: leads(['A', 'B', 'W']),
    small: [
      { 'tries B': 1, entries: 1, 'crashes bench': 1 },
      { 'tries B': 1, entries: 2 },
      { entries: 2, twice: 1, 'crashes bench': 1 },
    ],
    large: [
      { 'tries B': 1, entries: 2, 'crashes bench': 1 },
      { 'tries B': 1, entries: 1, 'crashes bench': 1, twice: 1 },
      { 'tries B': 1, 'tries A': 1, entries: 1 },
    ],
    happens: [
      'attempts started',
      'activations',
      'a worker is started again',
      'a worker refuses: a newer term is obeyed here',
    ],
  },
  'old-image': {
    about: 'an old image of W is put back when both controllers know better, or W loses its folder (P33, P34)',
    setting: { memory: 'W' },
    script: then(
      leads(['A', 'B', 'W']),
      heartbeat('A', ['A', 'B', 'W']),
      keepImage('W'),
      takesOver(['A', 'B']),
      heartbeat('B', ['A', 'B', 'W']),
    ),
    small: [{ images: 1, 'tries A': 1, crashes: 1 }],
    large: [
      { images: 1, 'tries A': 1, 'tries B': 1 },
      { 'wipes W': 1, 'tries A': 1, 'tries B': 1 },
    ],
    happens: ['old image', 'activations', 'charters decided'],
  },
};

// ------------------------------------------------------------------- worlds

export type Begun = { world: World; row: Uint32Array };

/** The cluster at the beginning of what is explored. */
export function beginOf(name: string, bounds: Bounds, bend?: Bend): Begun {
  const configuration = configurations[name];
  if (!configuration) throw new Error(`there is no configuration ${name}`);
  const setting: Setting = {
    roster: { controllers: [A, B], watch: W, spares: [] },
    voters: [A, B, W],
    hearing: false,
    claims: configuration.lost !== undefined,
    memory: '',
    following: false,
    workers: [],
    ...configuration.setting,
  };
  const nodes = [A, B, W].map((voter) => memberNode(voter, setting));
  const workers = setting.workers.map((worker): AnyNode => workerNode(worker));
  const prepared: Bounds = { tries: 9, entries: 9, heartbeats: 9, claims: 9 };
  const { lost = {}, entries = ['entry'] } = configuration;
  const world = newWorld({ setting, nodes: [...nodes, ...workers], bounds: prepared, lost, entries });
  const row = world.begin();
  configuration.script(world, row);
  world.withBounds(row, bounds);
  setting.bend = bend; // the script played by the rules
  world.forgetSteps();
  return { world, row };
}

function memberNode(voter: Voter, setting: Setting): AnyNode {
  const charter = { ...foundingCharter(A, 0), writeSet: [text(A), text(B)], voters: [[A, B, W]] };
  const register = foundingRegister(CLUSTER, voter, charter);
  const disk: Disk = {
    register: setting.memory === voter.node ? register : { ...register, saves: 0, savers: [] },
    entries: [],
    mark: null,
  };
  const member = wake(voter.node, disk, voter !== W, 0, setting);
  return { kind: 'member', node: { name: voter.node, member, disk, pending: [], life: 0, shown: [], image: null } };
}

function workerNode(name: string): AnyNode {
  const fence = freshFence(CLUSTER);
  return {
    kind: 'worker',
    node: { name, worker: wakeWorker(fence), saved: structuredClone(fence), pending: [], eras: {} },
  };
}
