/**
 * What goes wrong, and what people do, chosen by chance. Each fault ends by
 * itself. A run has a mood: which kinds of trouble it prefers.
 */
import type { Voter } from '../../node-runtime/contract/facts.ts';
import { holds, isPaired, votersOf, voterText } from '../../node-runtime/core/cluster/charter.ts';
import { mayActivate } from '../../node-runtime/core/cluster/handover.ts';
import { newestKnown } from '../../node-runtime/core/cluster/knowledge.ts';
import { evidenceOf } from '../../node-runtime/core/cluster/loss.ts';
import { lacks, type Register } from '../../node-runtime/core/cluster/register.ts';
import { copyOf } from './disk.ts';
import type { SimNode } from './node.ts';
import { CONTROLLERS, type World } from './world.ts';

type Fault = (world: World) => void;

const BENCHES = ['bench-1', 'bench-2'];
const there = (world: World, names: string[]): SimNode[] => names.flatMap((name) => world.nodes.get(name) ?? []);
const anyOf = (world: World, names: string[]): SimNode | null => {
  const nodes = there(world, names).filter((node) => node.up);
  return nodes.length > 0 ? world.chance.pick(nodes) : null;
};
const anyVoter = (world: World): SimNode | null =>
  anyOf(world, ['ctl-a', 'ctl-b', 'ctl-a', 'ctl-b', 'deck-1', 'deck-2']);
const anybody = (world: World): SimNode | null => anyOf(world, [...world.nodes.keys()]);

function killFor(world: World, node: SimNode | null, ms: number): void {
  if (!node?.up) return;
  world.log(`${node.id} is killed for ${ms} ms`);
  world.count('crashes');
  node.stop();
  world.after(ms, () => startAgain(world, node));
}

export function startAgain(world: World, node: SimNode): void {
  if (node.up) return;
  world.log(`${node.id} is started`);
  node.start();
}

const crash: Fault = (world) =>
  killFor(
    world,
    anybody(world),
    world.chance.happens(0.5) ? world.chance.whole(20, 400) : world.chance.whole(500, 5_000),
  );
const crashActive: Fault = (world) => killFor(world, world.active()[0] ?? null, world.chance.whole(50, 4_000));
const crashWatch: Fault = (world) =>
  killFor(world, anyOf(world, ['deck-1', 'deck-2']), world.chance.whole(3_500, 6_000));

const crashAll: Fault = (world) => {
  for (const node of world.nodes.values()) killFor(world, node, world.chance.whole(100, 2_500));
};

/** The process stands still; its machine, its jobs and its runner go on. */
const freeze: Fault = (world) => {
  const node = anybody(world);
  if (!node || world.now < node.frozenUntil) return;
  const ms = world.chance.happens(0.5) ? world.chance.whole(50, 600) : world.chance.whole(700, 6_000);
  world.log(`${node.id} is frozen for ${ms} ms`);
  node.freeze(ms);
};

const clocks: Fault = (world) => {
  const node = anybody(world);
  if (!node) return;
  if (world.chance.happens(0.5)) {
    const days = world.chance.whole(1_000, 3 * 86_400_000);
    node.skewMs = world.chance.happens(0.5) ? -days : days;
    world.log(`the wall clock of ${node.id} jumps`);
    world.after(world.chance.whole(1_000, 8_000), () => (node.skewMs = 0));
  } else {
    const ms = world.chance.whole(1_000, 20_000);
    world.log(`the machine of ${node.id} sleeps: its clock jumps by ${ms} ms`);
    node.jump(ms);
  }
};

function cut(world: World, ways: string[], ms: number): void {
  world.log(`cut for ${ms} ms: ${ways.join(' ')}`);
  for (const way of ways) world.network.blocked.add(way);
  world.after(ms, () => {
    for (const way of ways) world.network.blocked.delete(way);
    world.log(`healed ${ways.join(' ')}`);
  });
}

const cutOne: Fault = (world) => {
  const from = anyVoter(world)?.id;
  const names = [...world.nodes.keys()].filter((name) => name !== from);
  if (!from || names.length === 0) return;
  const others = world.chance.happens(0.5) ? names : [world.chance.pick(names)];
  const way = world.chance.whole(0, 2);
  const ways = others.flatMap((to) => [...(way < 2 ? [`${from}>${to}`] : []), ...(way > 0 ? [`${to}>${from}`] : [])]);
  cut(world, ways, world.chance.whole(100, 4_000));
};

const split: Fault = (world) =>
  splitOff(
    world,
    [...world.nodes.keys()].filter(() => world.chance.happens(0.5)),
    world.chance.whole(200, 4_000),
  );

function splitOff(world: World, left: string[], ms: number): void {
  const names = [...world.nodes.keys()];
  const apart = (a: string, b: string): boolean => left.includes(a) !== left.includes(b);
  cut(
    world,
    names.flatMap((a) => names.filter((b) => apart(a, b)).map((b) => `${a}>${b}`)),
    ms,
  );
}

/** A worker is cut off for longer than its lease, or not. */
const cutWorker: Fault = (world) => {
  const name = world.chance.pick(BENCHES);
  const way = world.chance.whole(0, 3);
  const ways = CONTROLLERS.flatMap((one) => [
    ...(way !== 0 ? [`${one}>${name}`] : []),
    ...(way !== 1 ? [`${name}>${one}`] : []),
  ]);
  cut(world, ways, world.chance.happens(0.5) ? world.chance.whole(200, 2_000) : world.chance.whole(5_000, 9_000));
};

const crashWorker: Fault = (world) => killFor(world, anyOf(world, BENCHES), world.chance.whole(20, 7_000));

/** The active is replaced without hearing of it, and a worker hears only it. */
const zombie: Fault = (world) => {
  const node = world.active()[0];
  if (!node) return;
  splitOff(world, [node.id, world.chance.pick(BENCHES)], world.chance.whole(3_000, 8_000));
  if (world.chance.happens(0.5)) node.freeze(world.chance.whole(900, 2_500));
};

const weather: Fault = (world) => {
  world.network.breaks = world.chance.next() * 0.05;
  world.network.slowMs = 1 + world.chance.next() * 60;
  world.log(`bad network: ${world.network.slowMs.toFixed(0)} ms`);
  world.after(world.chance.whole(1_000, 5_000), () => Object.assign(world.network, { breaks: 0, slowMs: 2 }));
};

function diskTrouble(world: World, node: SimNode | null, state: 'full' | 'hangs'): void {
  if (node?.disk.state !== 'well') return;
  world.count(`disks ${state}`);
  world.log(`the disk of ${node.id}: ${state}`);
  node.disk.state = state;
  world.after(world.chance.whole(100, 3_500), () => (node.disk.state = 'well'));
}
const fullDisk: Fault = (world) => diskTrouble(world, anybody(world), 'full');
const hangingDisk: Fault = (world) => diskTrouble(world, anyVoter(world), 'hangs');

const switchOver: Fault = (world) => {
  for (const node of world.active())
    node.wish({ wish: 'switchOver' }, ({ ok }) => world.count(ok ? 'switch-overs' : 'switch-overs refused'));
};

const park: Fault = (world) => {
  const node = world.active()[0];
  if (!node) return;
  node.wish({ wish: 'park', by: 'user:ops', why: 'maintenance' }, ({ ok }) => ok && world.count('parked'));
  const ms = world.chance.whole(300, 2_500);
  if (world.chance.happens(0.5)) world.after(ms, () => activate(world));
  else world.after(ms, () => killFor(world, node, 300));
};

export function activate(world: World): void {
  for (const node of there(world, CONTROLLERS)) {
    if (!node.up || node.waking) continue;
    const newest = newestKnown(node.state.member);
    if (newest.parked && holds(newest, node.state.member.self) && mayActivate(newest).includes(node.id))
      return node.wish({ wish: 'activate', by: 'user:ops' });
  }
}

/** An orderly stop of a voter. */
const leave: Fault = (world) => {
  const node = anyVoter(world);
  if (!node || node.waking) return;
  const onShutdown = world.chance.happens(0.5) ? ('handOver' as const) : ('park' as const);
  node.wish({ wish: 'leave', onShutdown, why: 'is shut down' });
  world.after(400, () => killFor(world, node, world.chance.whole(300, 4_500)));
  world.after(world.chance.whole(3_000, 6_000), () => activate(world));
};

/** Wishes that become entries: another watch, a worker that takes no more for a while. */
let changes = 0;
const changeNode: Fault = (world) => {
  if (world.nodes.size < 6) return;
  const node = world.chance.pick(['deck-1', 'deck-2', ...BENCHES]);
  const isWatch = node.startsWith('deck');
  const by = `n${world.steps}.${changes++}`;
  world.clients.request(
    by,
    isWatch ? { wish: 'changeNode', node, watch: true } : { wish: 'changeNode', node, drained: true },
    () => {
      if (!isWatch)
        world.after(1_000, () =>
          world.clients.request(`${by} back`, { wish: 'changeNode', node, drained: false }, () => {}),
        );
    },
  );
};

const unready: Fault = (world) => {
  const node = anyOf(world, CONTROLLERS);
  if (!node) return;
  node.blobsMissing = 2;
  world.after(world.chance.whole(300, 3_000), () => (node.blobsMissing = 0));
};

/** A machine without jobs is put back from an image, while others are there that know it later (P34). */
const oldImage: Fault = (world) => {
  const steady = isWhole(world);
  const node = anyOf(world, ['ctl-b', 'deck-1']);
  if (!steady || !node) return;
  const image = copyOf(node.disk.kept);
  world.after(world.chance.whole(1_500, 4_000), () => {
    if (!node.up || !isWhole(world) || image.store !== node.disk.kept.store) return;
    const others = there(world, ['ctl-a', 'ctl-b', 'deck-1']).filter((one) => one !== node);
    const before = JSON.parse(image.records.register!) as Register;
    const knowsBetter = (one: SimNode): boolean =>
      (one.state.member.register.seen?.[image.store] ?? []).some((saver) => lacks(before, saver));
    if (!others.every(knowsBetter) || world.network.blocked.size > 0) return;
    world.count('old images restored');
    world.log(`${node.id} is put back from an image`);
    node.stop();
    node.disk.kept = image;
    node.restored = true;
    startAgain(world, node);
  });
};

const isWhole = (world: World): boolean => {
  const [active, second] = world.active();
  const charter = active?.state.member.register.accepted;
  return (
    !!charter &&
    !second &&
    isPaired(charter) &&
    votersOf(charter).length === 3 &&
    world.nodes.size >= 5 &&
    [...world.nodes.values()].every((node) => node.up && !node.waking)
  );
};

// --------------------------------------------------------------- confirmed losses

/** The standby is away, the active goes on alone and is then lost with what only it holds; a person confirms it. */
const disaster: Fault = (world) => {
  const active = world.active()[0];
  if (!active || !isWhole(world)) return;
  const other = there(world, CONTROLLERS).find((node) => node !== active)!;
  const seats = votersOf(active.state.member.register.accepted).map((voter) => voter.node);
  const watch = world.node(seats.find((name) => name.startsWith('deck')) ?? 'deck-1');
  world.log('a disaster begins');
  const { chance } = world;
  const alone = chance.whole(2_000, 5_000);
  world.log(`${other.id} is killed`);
  other.stop();
  world.after(alone, () => {
    const isWrong = chance.happens(0.3);
    const backMs = chance.whole(5_000, 8_000);
    if (isWrong) splitOff(world, [active.id, 'bench-1'], backMs);
    else killFor(world, active, backMs);
    if (chance.happens(0.4)) killFor(world, watch, backMs + 300);
    world.after(30, () => startAgain(world, other));
    for (const ms of [3_200, 4_200]) world.after(ms, () => claim(world, other, isWrong ? [active.id] : []));
  });
};

/** What a person is shown and confirms: these, and who is down, are lost. */
export function claim(world: World, node: SimNode, gone: string[]): void {
  if (!node.up || node.waking || world.now < node.frozenUntil) return;
  const { member } = node.state;
  if (member.phase.phase === 'leading') return;
  const newest = newestKnown(member);
  const silent = votersOf(newest).filter(
    (voter) => voter.node !== node.id && (gone.includes(voter.node) || !world.node(voter.node).up),
  );
  if (silent.length === 0) return;
  state(world, node, silent, {});
}

/** Two eras stand against each other: a person chooses this one. */
export function choose(world: World, node: SimNode): void {
  const others = votersOf(newestKnown(node.state.member)).filter((voter) => voter.store !== node.disk.kept.store);
  state(world, node, others, { chosen: true });
}

function state(world: World, node: SimNode, lost: Voter[], more: { chosen?: true }): void {
  const { member } = node.state;
  const made = {
    ...{ id: `claim-${world.steps}`, cluster: member.register.cluster, lost: [...new Set(lost.map(voterText))] },
    ...{ candidate: node.id, incarnation: member.incarnation, newest: newestKnown(member).term },
    ...{ evidence: evidenceOf(member), by: 'user:ops', statement: 'they are destroyed', at: node.wall() },
    expiresAt: node.wall() + 600_000,
  };
  node.wish({ wish: 'claim', claim: { ...made, ...more } });
}

// ------------------------------------------------------------------------- moods

export type Mood = { name: string; everyMs: number; faults: Fault[] };

const network = [cutOne, cutOne, split, weather, zombie];
const deaths = [crash, crash, crashActive, freeze, clocks];
export const moods: Mood[] = [
  {
    name: 'mixed',
    everyMs: 1_200,
    faults: [
      ...network,
      ...deaths,
      cutWorker,
      crashWorker,
      fullDisk,
      hangingDisk,
      switchOver,
      park,
      changeNode,
      unready,
      crashWatch,
    ],
  },
  { name: 'network', everyMs: 1_000, faults: [...network, cutWorker, switchOver, freeze] },
  {
    name: 'disks',
    everyMs: 1_300,
    faults: [fullDisk, fullDisk, hangingDisk, crash, crashAll, oldImage, oldImage, cutOne],
  },
  {
    name: 'hand-overs',
    everyMs: 1_200,
    faults: [switchOver, switchOver, park, leave, crashActive, changeNode, changeNode, crashWatch, weather],
  },
  {
    name: 'workers',
    everyMs: 1_200,
    faults: [cutWorker, cutWorker, crashWorker, crashWorker, zombie, crashActive, freeze, clocks, fullDisk],
  },
  { name: 'losses', everyMs: 9_000, faults: [disaster] },
];

/** Goes on until the faults end. */
export function trouble(world: World, mood: Mood): void {
  if (world.now >= world.faultsUntil) return;
  world.chance.pick(mood.faults)(world);
  world.after(mood.everyMs * (0.3 + 1.4 * world.chance.next()), () => trouble(world, mood));
}
