/**
 * What goes wrong, and what people do, chosen by chance.
 *
 * Each fault ends by itself after a while. A run has a mood: which kinds of
 * faults it prefers, so that rare meetings of two of them become likely.
 */
import type { Voter } from '../../node-runtime/contract/facts.ts';
import { holds, votersOf } from '../../node-runtime/core/cluster/charter.ts';
import { mayActivate } from '../../node-runtime/core/cluster/handover.ts';
import { newestKnown } from '../../node-runtime/core/cluster/knowledge.ts';
import { evidenceOf } from '../../node-runtime/core/cluster/loss.ts';
import { emptyRegister, lacks } from '../../node-runtime/core/cluster/register.ts';
import { Violation } from './checks.ts';
import { type Disk, emptyDisk } from './disk.ts';
import type { SimWorker } from './workers.ts';
import { CONTROLLERS, type SimNode, WORKERS, type World } from './world.ts';

const NAMES = ['ctl-a', 'ctl-b', 'ctl-c', 'deck-1', 'deck-2'];

type Fault = (world: World) => void;

const anyNode = (world: World): SimNode =>
  world.node(world.chance.pick(['ctl-a', 'ctl-a', 'ctl-b', 'ctl-b', 'deck-1', 'deck-1', 'deck-2', 'ctl-c']));
const anyVoter = (world: World): SimNode => world.node(world.chance.pick(['ctl-a', 'ctl-b', 'deck-1']));

const crash: Fault = (world) => {
  const node = anyNode(world);
  if (!node.up) return;
  world.count('crashes');
  world.log(`${node.name} is killed`);
  world.stop(node);
  world.after(world.chance.happens(0.5) ? world.chance.whole(20, 400) : world.chance.whole(500, 4_000), () => {
    if (node.up) return;
    world.log(`${node.name} is started`);
    world.start(node);
  });
};

const crashAll: Fault = (world) => {
  world.count('all killed');
  for (const node of world.nodes.values()) {
    if (!node.up) continue;
    world.stop(node);
    world.after(world.chance.whole(100, 2_500), () => node.up || world.start(node));
  }
};

const freeze: Fault = (world) => {
  const node = anyVoter(world);
  const ms = world.chance.happens(0.5) ? world.chance.whole(50, 600) : world.chance.whole(700, 4_000);
  if (!node.up || world.now < node.frozenUntil) return;
  world.count('pauses');
  world.log(`${node.name} is frozen for ${ms} ms`);
  node.frozenUntil = world.now + ms;
  world.after(ms + 0.1, () => world.thaw(node));
};

const cut: Fault = (world) => {
  const names = ['ctl-a', 'ctl-b', 'deck-1', 'deck-2', 'ctl-c', ...WORKERS];
  const from = world.chance.pick(names.slice(0, 3));
  const others = world.chance.happens(0.5) ? names : [world.chance.pick(names.slice(0, 3))];
  if (others[0] === from) return;
  const way = world.chance.whole(0, 2);
  const cuts = others
    .filter((to) => to !== from)
    .flatMap((to) => [...(way < 2 ? [`${from}>${to}`] : []), ...(way > 0 ? [`${to}>${from}`] : [])]);
  world.count(way === 1 ? 'cuts both ways' : 'cuts one way');
  world.log(`cut ${cuts.join(' ')}`);
  for (const one of cuts) world.blocked.add(one);
  world.after(world.chance.whole(100, 3_000), () => {
    for (const one of cuts) world.blocked.delete(one);
    world.log(`healed ${cuts.join(' ')}`);
  });
};

const dieAtSave: Fault = (world) => {
  anyVoter(world).diesAtSave = true;
};

/**
 * The worst moment of a change of seats (P8): its proposer dies when only it
 * has accepted, goes on alone, and is then cut off with the new watch, while
 * the other controller comes back among the old voters.
 */
const trap: Fault = (world) => {
  world.trap = (node) => {
    const { voters } = node.disk.register.accepted;
    const old = new Set(voters[0]!.map((one) => one.node));
    const left = [
      node.name,
      ...voters
        .at(-1)!
        .map((one) => one.node)
        .filter((name) => !old.has(name)),
    ];
    const others = ['ctl-a', 'ctl-b', 'ctl-c'].filter((name) => name !== node.name).map((name) => world.node(name));
    world.count('changes of seats struck');
    world.log(`${node.name} is killed in the middle of a change of seats`);
    for (const one of [...others, node]) world.stop(one);
    world.after(30, () => node.up || world.start(node));
    world.after(world.chance.whole(900, 2_000), () => {
      cutGroups(world, new Set(left), world.chance.whole(1_500, 4_000));
      for (const one of others) if (!one.up) world.start(one);
    });
  };
};

/** Two groups that hear nothing of each other, for a short while. */
const split: Fault = (world) => {
  world.count('splits');
  cutGroups(world, new Set(NAMES.filter(() => world.chance.happens(0.5))), world.chance.whole(100, 2_500));
};

function cutGroups(world: World, left: Set<string>, ms: number): void {
  if (world.faultsUntil === 0) return; // peace has begun
  const cuts = NAMES.flatMap((a) => NAMES.filter((b) => left.has(a) !== left.has(b)).map((b) => `${a}>${b}`));
  world.log(`split ${[...left].join('+')} from the others`);
  for (const one of cuts) world.blocked.add(one);
  world.after(ms, () => {
    for (const one of cuts) world.blocked.delete(one);
    world.log('healed the split');
  });
}

const slow: Fault = (world) => {
  world.network.slowMs = world.chance.whole(20, 150);
  world.after(world.chance.whole(1_000, 5_000), () => {
    world.network.slowMs = 2;
  });
};

const weather: Fault = (world) => {
  world.network.loss = world.chance.next() * 0.3;
  world.network.doubled = world.chance.next() * 0.3;
  world.network.slowMs = 1 + world.chance.next() * 40;
  world.count('bad networks');
  world.after(world.chance.whole(500, 4_000), () => Object.assign(world.network, { loss: 0, doubled: 0, slowMs: 2 }));
};

const fullDisk: Fault = (world) => diskTrouble(world, 'full');
const hangingDisk: Fault = (world) => diskTrouble(world, 'hangs');

function diskTrouble(world: World, state: 'full' | 'hangs'): void {
  const node = anyVoter(world);
  if (node.disk.state !== 'well') return;
  const { disk } = node;
  world.count(`disks ${state}`);
  world.log(`the disk of ${node.name}: ${state}`);
  disk.state = state;
  world.after(world.chance.whole(100, 3_500), () => {
    disk.state = 'well';
    if (node.disk === disk && node.up) world.flush(node);
  });
}

const loseDisk: Fault = (world) => {
  const node = anyVoter(world);
  const steady = ['ctl-a', 'ctl-b', 'deck-1'].every((name) => world.node(name).up);
  const acting = world.acting();
  const charter = acting.length === 1 ? world.leaderOf(acting[0]!) : null;
  if (!steady || !charter || charter.writeSet.length < 2 || charter.voters.flat().length !== 3) return;
  world.count('disks lost');
  world.log(`${node.name} loses its disk`);
  world.stop(node);
  const store = world.newStore();
  world.replaceStore(node, emptyDisk(emptyRegister('lab', { node: node.name, store })));
  world.after(world.chance.whole(50, 1_000), () => node.up || world.start(node));
};

/** S34: a bit flips on a controller whose entries are elsewhere too. */
const damage: Fault = (world) => {
  const node = world.node(world.chance.pick(CONTROLLERS));
  const steady = ['ctl-a', 'ctl-b', 'deck-1'].every((name) => world.node(name).up);
  const acting = world.acting();
  const charter = acting.length === 1 ? world.leaderOf(acting[0]!) : null;
  if (!steady || !charter || charter.writeSet.length < 2 || charter.voters.flat().length !== 3) return;
  if (!node.up || node.disk.entries.length < 10) return;
  world.log(`a bit flips on the disk of ${node.name}`);
  world.stop(node);
  world.flip(node.disk);
  world.after(world.chance.whole(50, 1_000), () => node.up || world.start(node));
};

const takeImage: Fault = (world) => takeImageOf(world, anyVoter(world).name);

/** One of the time when a node voted alone is kept until it was used: it is the worst of all. */
export function takeImageOf(world: World, name: string): void {
  const node = world.node(name);
  const { image, disk } = node;
  const lone = image !== null && image.register.accepted.voters.flat().length === 1;
  if (!lone || image.register.store !== disk.register.store) node.image = world.image(node);
}

/** P34: how long a node that knew better is left in peace, and within which the old folder must be found out. */
const TELLING_MS = 1_500;

/**
 * Only while a node that has heard of the newer folder is there, and stays:
 * the hole that P34 names is not entered. Then the image must be found out.
 */
const restoreImage: Fault = (world) => {
  const node = [...world.nodes.values()].find(
    (one) => one.image !== null && one.image.register.store === one.disk.register.store,
  );
  const image = node?.image;
  if (!node?.up || world.now < node.frozenUntil || !image || world.network.loss > 0) return;
  if (!CONTROLLERS.concat('deck-1').some((name) => knowsBetter(world, world.node(name), node, image))) return;
  world.count('old images restored');
  if (image.register.accepted.voters.flat().length === 1) world.count('old images of a lone voter restored');
  world.log(`${node.name} is put back from an image`);
  world.stop(node);
  world.checks.forget(image.register.store);
  node.disk = image;
  node.image = null;
  world.start(node);
  world.calmUntil = world.now + TELLING_MS;
  world.after(TELLING_MS, () => {
    if (node.disk === image && world.now < world.faultsUntil)
      throw new Violation(`P34: ${node.name} leads or votes from an old image`);
  });
};

function knowsBetter(world: World, other: SimNode, node: SimNode, image: Disk): boolean {
  const seen = other.disk.register.seen?.[image.register.store] ?? [];
  const isWell = other.up && world.now >= other.frozenUntil && other.disk.state === 'well';
  const isNear = ![`${other.name}>${node.name}`, `${node.name}>${other.name}`].some((way) => world.blocked.has(way));
  return other !== node && isWell && isNear && seen.some((saver) => lacks(image.register, saver));
}

const switchOver: Fault = (world) => {
  for (const node of world.acting()) world.wish(node, { wish: 'switchOver' });
};

/** Not when peace has begun meanwhile. */
const stopLater = (world: World, node: SimNode): void => void (world.faultsUntil > 0 && world.stop(node));

const park: Fault = (world) => {
  const node = world.acting()[0];
  if (!node) return;
  world.wish(node, { wish: 'park', by: 'ops', why: 'maintenance' });
  const ms = world.chance.whole(300, 3_000);
  if (world.chance.happens(0.5)) world.after(ms, () => activate(world));
  else {
    world.after(ms, () => stopLater(world, node));
    world.after(ms + 300, () => node.up || world.start(node));
  }
};

export function activate(world: World): void {
  for (const name of CONTROLLERS) {
    const node = world.node(name);
    if (!node.up) continue;
    const newest = newestKnown(node.member);
    if (newest.parked && holds(newest, node.member.self) && mayActivate(newest).includes(name))
      return world.wish(node, { wish: 'activate', by: 'ops' });
  }
}

const leave: Fault = (world) => {
  const node = anyVoter(world);
  world.wish(node, { wish: 'leave', onShutdown: world.chance.happens(0.5) ? 'handOver' : 'park', why: 'is shut down' });
  world.after(400, () => stopLater(world, node));
  world.after(world.chance.whole(600, 4_500), () => {
    if (!node.up) world.start(node);
    activate(world);
  });
};

const swapWatch: Fault = (world) => {
  const { watch, spares } = world.roster;
  const voters = ['deck-1', 'deck-2'].map(
    (name): Voter => ({ node: name, store: world.node(name).disk.register.store }),
  );
  world.roster.spares = spares.length === 0 ? voters.filter((one) => one.node !== watch?.node) : [];
  if (world.chance.happens(0.3)) {
    world.roster.watch = world.chance.pick(voters);
    world.roster.spares = voters.filter((one) => one.node !== world.roster.watch?.node);
  }
  world.count('rosters changed');
  world.tellRoster();
};

/** P25, S42: one controller of the two is replaced by the third. Only one that is in step keeps the data safe. */
const replaceController: Fault = (world) => {
  const node = world.acting()[0];
  const { controllers } = world.roster;
  if (!node || controllers.length !== 2 || !controllers.some((one) => one.node === node.name)) return;
  const [keeps] = controllers.filter((one) => one.node === node.name);
  const out = controllers.find((one) => one.node !== node.name)!;
  const comes = CONTROLLERS.find((name) => name !== keeps!.node && name !== out.node)!;
  const newcomer = world.node(comes);
  world.roster.controllers = [keeps!, { node: comes, store: newcomer.disk.register.store }];
  world.count('controllers replaced');
  world.log(`${out.node} is replaced by ${comes}`);
  if (!newcomer.up) world.start(newcomer);
  world.tellRoster();
};

/** A person confirms a loss: of those not heard, rightly or wrongly. */
export function claim(world: World, node: SimNode, right = false): void {
  const { member } = node;
  if (!node.up || world.now < node.frozenUntil) return;
  const newest = newestKnown(member);
  const gone = (voter: Voter): boolean => world.node(voter.node).disk.register.store !== voter.store;
  const own = (voter: Voter): boolean => voter.node === node.name && voter.store === node.disk.register.store;
  const silent = votersOf(newest).filter(
    (voter) => !own(voter) && (right ? gone(voter) : !world.node(voter.node).up || world.chance.happens(0.5)),
  );
  if (silent.length === 0 && !right) return;
  const made = {
    id: `claim-${world.steps}`,
    cluster: 'lab',
    lost: [...new Set(silent.map((voter) => `${voter.node}#${voter.store}`))],
    candidate: node.name,
    incarnation: member.incarnation,
    newest: newest.term,
    evidence: evidenceOf(member),
    by: 'ops',
    statement: 'they are destroyed',
    at: world.wallOf(node),
    expiresAt: world.wallOf(node) + 600_000,
  };
  world.count('claims confirmed');
  node.diesAtClaim = world.faultsUntil > 0 && world.chance.happens(0.15);
  world.after(world.chance.whole(0, 200), () => world.wish(node, { wish: 'claim', claim: made }));
}

export function choose(world: World, node: SimNode): void {
  const { member } = node;
  const newest = newestKnown(member);
  const lost = votersOf(newest)
    .filter((voter) => voter.store !== node.disk.register.store)
    .map((voter) => `${voter.node}#${voter.store}`);
  const base = {
    id: `choice-${world.steps}`,
    cluster: 'lab',
    lost,
    candidate: node.name,
    incarnation: member.incarnation,
    newest: newest.term,
  };
  const rest = {
    evidence: evidenceOf(member),
    by: 'ops',
    statement: 'this one is right',
    at: world.wallOf(node),
    expiresAt: world.wallOf(node) + 600_000,
  };
  world.count('eras chosen');
  world.wish(node, { wish: 'claim', claim: { ...base, ...rest, chosen: true } });
}

const claims: Fault = (world) => {
  const candidates = CONTROLLERS.map((name) => world.node(name)).filter(
    (node) => node.up && node.member.phase.phase !== 'leading',
  );
  if (candidates.length > 0) claim(world, world.chance.pick(candidates));
};

const workerCrash: Fault = (world) => {
  const worker = world.workers.get(world.chance.pick(WORKERS))!;
  if (!worker.up) return;
  world.machines.stop(worker);
  world.after(world.chance.whole(100, 2_000), () => worker.up || world.machines.restart(worker));
};

/** A worker hears nobody, or is not heard, for longer than its lease or not. */
const cutWorker: Fault = (world) => {
  const name = world.chance.pick(WORKERS);
  const way = world.chance.whole(0, 3);
  const cuts = CONTROLLERS.flatMap((one) => [
    ...(way !== 0 ? [`${one}>${name}`] : []),
    ...(way !== 1 ? [`${name}>${one}`] : []),
  ]);
  world.count('workers cut off');
  world.log(`cut ${cuts.join(' ')}`);
  for (const one of cuts) world.blocked.add(one);
  world.after(world.chance.whole(200, 6_000), () => {
    for (const one of cuts) world.blocked.delete(one);
  });
};

/**
 * The worst for a lease: the active is cut off from all voters and paused, so
 * that it is replaced without hearing of it, and a worker hears only it.
 */
const zombie: Fault = (world) => {
  const node = world.acting()[0];
  if (!node || world.now < node.frozenUntil) return;
  const worker = world.chance.pick(WORKERS);
  const others = NAMES.filter((name) => name !== node.name);
  const cuts = [node.name, worker].flatMap((one) => others.flatMap((other) => [`${one}>${other}`, `${other}>${one}`]));
  const ms = world.chance.whole(900, 2_200);
  world.count('actives replaced unheard');
  world.log(`${node.name} and ${worker} are cut off from the others, ${node.name} is frozen for ${ms} ms`);
  for (const one of cuts) world.blocked.add(one);
  node.frozenUntil = world.now + ms;
  world.after(ms + 0.1, () => world.thaw(node));
  world.after(world.chance.whole(3_500, 6_000), () => {
    for (const one of cuts) world.blocked.delete(one);
  });
};

/** Orders are stuck on their way, and come when their worker was given up and is back. */
const stuckOrders: Fault = (world) => {
  const worker = world.chance.pick(WORKERS);
  world.count('orders stuck');
  world.stuck = { worker, until: world.now + 400, comeAt: world.now + world.chance.whole(3_000, 4_500) };
  const cuts = CONTROLLERS.flatMap((one) => [`${one}>${worker}`, `${worker}>${one}`]);
  world.after(400, () => {
    if (world.faultsUntil > 0) for (const one of cuts) world.blocked.add(one);
  });
  world.after(world.chance.whole(2_600, 3_400), () => {
    for (const one of cuts) world.blocked.delete(one);
  });
};

const task: Fault = (world) => world.propose(`task t${world.steps} ${world.chance.happens(0.6) ? 'retry' : 'once'}`);
/** Section 13: one node or worker gets a neighbouring release; sometimes the wrong one, two steps on. */
const upgrade: Fault = (world) => {
  const { enabled } = world.work;
  const old = [...world.nodes.values(), ...world.workers.values()].filter((one) => one.speaks <= enabled);
  if (old.length === 0 || enabled >= 4) return;
  giveRelease(world, world.chance.pick(old), enabled + (world.chance.happens(0.06) ? 2 : 1));
};

/** Back by one release: works until the newer version was enabled. */
const downgrade: Fault = (world) => {
  const { enabled } = world.work;
  const newer = [...world.nodes.values(), ...world.workers.values()].filter((one) => one.speaks === enabled + 1);
  if (newer.length > 0) giveRelease(world, world.chance.pick(newer), Math.max(1, enabled));
};

export function giveRelease(world: World, machine: SimNode | SimWorker, speaks: number): void {
  world.count(speaks > machine.speaks ? 'upgrades' : 'downgrades');
  world.log(`${machine.name} gets a release that reads version ${speaks}`);
  if ('jobs' in machine) {
    world.machines.stop(machine);
    machine.speaks = speaks;
    return world.after(world.chance.whole(20, 500), () => machine.up || world.machines.restart(machine));
  }
  world.stop(machine);
  machine.speaks = speaks;
  world.after(world.chance.whole(50, 800), () => machine.up || world.start(machine));
}

const decide: Fault = (world) => world.placing.decide();

type Mood = { name: string; faults: [number, Fault][] };
const always: [number, Fault][] = [
  [4, task],
  [0.5, workerCrash],
];
export const moods: Mood[] = [
  { name: 'crashes', faults: [...always, [6, crash], [2, dieAtSave], [1, crashAll], [2, freeze], [2, cut]] },
  { name: 'network', faults: [...always, [6, cut], [2, weather], [2, freeze], [1, crash]] },
  {
    name: 'mixed',
    faults: [
      ...always,
      [3, crash],
      [2, freeze],
      [3, cut],
      [1, weather],
      [1, fullDisk],
      [1, hangingDisk],
      [1, switchOver],
      [0.5, leave],
    ],
  },
  {
    name: 'disks',
    faults: [
      ...always,
      [2, crash],
      [1, cut],
      [2, fullDisk],
      [2, hangingDisk],
      [1.5, loseDisk],
      [1, damage],
      [2, takeImage],
      [2, restoreImage],
    ],
  },
  {
    name: 'seats',
    faults: [
      ...always,
      [2, crash],
      [3, cut],
      [2, swapWatch],
      [1.5, replaceController],
      [0.7, leave],
      [1, switchOver],
      [0.5, loseDisk],
    ],
  },
  {
    name: 'moving',
    faults: [
      [5, swapWatch],
      [5, split],
      [2, slow],
      [2, trap],
      [2, dieAtSave],
      [1, crash],
      [0.5, replaceController],
    ],
  },
  {
    name: 'people',
    faults: [...always, [1.5, crash], [1, cut], [2, switchOver], [1.5, park], [1.5, leave], [1, freeze]],
  },
  {
    name: 'workers',
    faults: [
      [8, task],
      [1.5, workerCrash],
      [3, cutWorker],
      [1, crash],
      [1, cut],
      [1, freeze],
      [0.5, weather],
      [0.7, decide],
      [1, zombie],
      [1, stuckOrders],
    ],
  },
  {
    name: 'upgrades',
    faults: [
      ...always,
      [5, upgrade],
      [2, downgrade],
      [1, crash],
      [1, cut],
      [0.5, freeze],
      [0.5, swapWatch],
      [0.3, switchOver],
    ],
  },
  {
    name: 'claims',
    faults: [...always, [3, crash], [3, cut], [2, freeze], [4, claims], [1, swapWatch], [1, cutWorker], [1, decide]],
  },
];

export function trouble(world: World, mood: Mood, everyMs: number): void {
  const again = (): void => void (world.now < world.faultsUntil && trouble(world, mood, everyMs));
  if (world.now < world.calmUntil) return world.after(world.calmUntil - world.now, again);
  const sum = mood.faults.reduce((total, [weight]) => total + weight, 0);
  let choice = world.chance.next() * sum;
  for (const [weight, fault] of mood.faults) {
    choice -= weight;
    if (choice > 0) continue;
    fault(world);
    break;
  }
  world.after(everyMs * (0.2 + world.chance.next() * 1.6), again);
}
