/**
 * Two controllers and a watch as real processes in a network of their own, met
 * by every fault of the fault model while clients work (R2, R3): nothing
 * acknowledged is lost, nothing is started twice, never two acknowledge, both
 * journals are the same at the end, and where one failure must not stop the
 * work it does not.
 *
 * `BINNACLE_NET_ROUNDS=50` for a release; `BINNACLE_NET_SEED=N` plays a seed again.
 */
import { describe, expect, it } from 'vitest';
import { type Chance, chanceOf } from '../simulation/random.ts';
import { falseClockLibrary } from '../support/false-clock.ts';
import { whyNoNetworks } from '../support/namespaces.ts';
import { type NetCluster, three } from './cluster.ts';
import {
  clockJump,
  cut,
  cutOff,
  cutOneWay,
  type Fault,
  failingDisk,
  fullDisk,
  hangingDisk,
  killed,
  lossy,
  paused,
  together,
  unruly,
} from './faults.ts';
import type { HostNode } from './host-node.ts';
import { lanes, type Plan, playRounds, roundsWanted, seedOf } from './rounds.ts';
import { play, scheduleOf } from './schedule.ts';

const DAY_SECONDS = 86_400;
const DISK = { mebibytes: 48 };
type Pair = [string, string];
const noNetworks = await whyNoNetworks();
const noClock = falseClockLibrary() ? null : 'libfaketime is missing, package faketime';

/** On a busy machine it may have changed a moment ago: the one that leads when all is settled. */
const activeOf = (cluster: NetCluster): Promise<HostNode> => cluster.settled();
async function othersOf(cluster: NetCluster): Promise<HostNode[]> {
  const active = await activeOf(cluster);
  return cluster.nodes.filter((node) => node !== active);
}

/** A node, or all processes of its machine, stand still. */
const stillStanding = (cluster: NetCluster, node: HostNode, chance: Chance): Fault =>
  chance.happens(0.5)
    ? paused(`node ${node.host}`, () => [node.child!.pid!])
    : paused(`machine ${node.host}`, () => cluster.network.processes(node.host));

const badNetwork = (cluster: NetCluster, chance: Chance): Fault =>
  unruly(cluster.network, cluster.hosts, {
    seed: chance.whole(1, 1_000_000),
    ...{ delayMs: 10, jitterMs: 30, duplicatePercent: 10, reorderPercent: 10, reorderMs: 40 },
  });

/** Several faults that overlap as a seed says, as one. */
function mixed(cluster: NetCluster, chance: Chance): Fault {
  const [a, b, w] = cluster.nodes as [HostNode, HostNode, HostNode];
  const faults = [
    killed(chance.pick([a, b, w])),
    stillStanding(cluster, chance.pick([a, b]), chance),
    cut(cluster.network, 'a', 'b'),
    cutOneWay(
      cluster.network,
      ...chance.pick([
        ['a', 'w'],
        ['w', 'b'],
        ['b', 'a'],
      ] as Pair[]),
    ),
    lossy(cluster.network, cluster.hosts, 20),
    badNetwork(cluster, chance),
  ];
  const bounds = { faults: faults.length, lastsMs: [300, 2_500], withinMs: 1_500, more: 0.7, atOnceMax: 3 } as const;
  const steps = scheduleOf(chance, bounds);
  const names = steps
    .filter((step) => step.what === 'begin')
    .map((step) => `${faults[step.fault]!.name} at ${step.atMs} ms`);
  let playing: Promise<void> = Promise.resolve();
  return {
    name: names.join(', '),
    begin: async () => {
      playing = play(steps, faults, () => {});
      playing.catch(() => {}); // the end says so
    },
    end: () => playing,
  };
}

const plans: (Plan & { why?: string | null })[] = [
  {
    name: 'the active is killed',
    members: three,
    fault: async (cluster) => killed(await activeOf(cluster)),
    lastsMs: [100, 3_000],
    worksMeanwhile: true,
  },
  {
    name: 'the standby or the watch is killed',
    members: three,
    fault: async (cluster, chance) => killed(chance.pick(await othersOf(cluster))),
    lastsMs: [100, 3_000],
    worksMeanwhile: true,
  },
  {
    name: 'both controllers or all three are killed',
    members: three,
    fault: (cluster, chance) => killed(...(chance.happens(0.5) ? cluster.controllers : cluster.nodes)),
    lastsMs: [50, 1_500],
    worksMeanwhile: false,
  },
  {
    name: 'the active stands still',
    members: three,
    fault: async (cluster, chance) => stillStanding(cluster, await activeOf(cluster), chance),
    lastsMs: [1_000, 6_000],
    worksMeanwhile: true,
  },
  {
    name: 'the standby or the watch stands still',
    members: three,
    fault: async (cluster, chance) => stillStanding(cluster, chance.pick(await othersOf(cluster)), chance),
    lastsMs: [1_000, 4_000],
    worksMeanwhile: true,
  },
  {
    name: 'one pair is cut',
    members: three,
    fault: (cluster, chance) =>
      cut(
        cluster.network,
        ...chance.pick([
          ['a', 'b'],
          ['a', 'b'],
          ['a', 'w'],
          ['b', 'w'],
        ] as Pair[]),
      ),
    lastsMs: [500, 3_000],
    worksMeanwhile: true,
  },
  {
    name: 'the active is cut from the others, its clients still reach it',
    members: three,
    fault: async (cluster) => cutOff(cluster.network, (await activeOf(cluster)).host, cluster.hosts),
    lastsMs: [1_000, 4_000],
    worksMeanwhile: true,
  },
  {
    name: 'one direction of one pair is cut',
    members: three,
    fault: (cluster, chance) => {
      const from = chance.pick(cluster.hosts);
      return cutOneWay(cluster.network, from, chance.pick(cluster.hosts.filter((host) => host !== from)));
    },
    lastsMs: [1_000, 4_000],
    worksMeanwhile: true,
  },
  {
    name: 'the active is heard by nobody, or hears nobody',
    members: three,
    fault: async (cluster, chance) => {
      const { host } = await activeOf(cluster);
      const others = cluster.hosts.filter((other) => other !== host);
      const heard = chance.happens(0.5);
      return together(
        ...others.map((other) =>
          cutOneWay(cluster.network, ...(heard ? ([other, host] as const) : ([host, other] as const))),
        ),
      );
    },
    lastsMs: [1_000, 4_000],
    worksMeanwhile: true,
  },
  {
    name: '30 % loss',
    members: three,
    fault: (cluster) => lossy(cluster.network, cluster.hosts, 30),
    lastsMs: [1_000, 5_000],
    worksMeanwhile: true,
  },
  {
    name: 'frames late, doubled, out of order',
    members: three,
    fault: badNetwork,
    lastsMs: [1_000, 5_000],
    worksMeanwhile: true,
  },
  {
    name: 'a disk is full',
    members: three,
    wishes: { smallDisks: { a: DISK, b: DISK, w: DISK } },
    fault: async (cluster, chance) => {
      const { host } = chance.happens(0.6) ? await activeOf(cluster) : chance.pick(await othersOf(cluster));
      return fullDisk(host, cluster.disks.get(host)!);
    },
    lastsMs: [1_000, 3_000],
    worksMeanwhile: true,
  },
  {
    name: 'a disk hangs or fails',
    members: three,
    wishes: { badDisks: three.map(({ host }) => host) },
    fault: async (cluster, chance) => {
      const node = chance.happens(0.6) ? await activeOf(cluster) : chance.pick(await othersOf(cluster));
      const disk = cluster.badDisks.get(node.host)!;
      return chance.happens(0.5) ? hangingDisk(node.host, disk) : failingDisk(disk, node);
    },
    lastsMs: [1_500, 4_000],
    worksMeanwhile: true,
  },
  {
    name: 'a wall clock jumps',
    members: three,
    wishes: { falseClocks: Object.fromEntries(three.map(({ host }) => [host, { monotonicToo: false }])) },
    fault: (cluster, chance) => {
      const host = chance.pick(cluster.hosts);
      return clockJump(host, cluster.clocks.get(host)!, chance.pick([-3, 3]) * DAY_SECONDS, { back: true });
    },
    lastsMs: [1_500, 3_000],
    worksMeanwhile: true,
    why: noClock,
  },
  {
    name: 'all clocks of a node jump',
    members: three,
    wishes: { falseClocks: Object.fromEntries(three.map(({ host }) => [host, { monotonicToo: true }])) },
    fault: (cluster, chance) => {
      const host = chance.pick(cluster.hosts);
      return clockJump(host, cluster.clocks.get(host)!, chance.pick([5, 3_600]), { back: false });
    },
    lastsMs: [1_500, 3_000],
    worksMeanwhile: true,
    why: noClock,
  },
  {
    name: 'several faults at once',
    members: three,
    fault: mixed,
    lastsMs: [3_000, 4_000],
    worksMeanwhile: false,
  },
];

const inLane = lanes(2);
describe.skipIf(noNetworks)(`two controllers and a watch${noNetworks ? ` (skipped: ${noNetworks})` : ''}`, () => {
  for (const plan of plans) {
    const title = `${plan.name}: ${roundsWanted} rounds${plan.why ? ` (skipped: ${plan.why})` : ''}`;
    it.skipIf(plan.why).concurrent(title, { timeout: 1_800_000 }, async () => {
      const seed = seedOf(plan.name);
      const result = await inLane(() => playRounds(plan, roundsWanted, seed));
      console.log(
        `${plan.name}, seed ${seed}: ${result.acknowledged} of ${result.operations} acknowledged, ${result.unknown} unknown; ` +
          `next acknowledgement after ${result.gapsMs.map((ms) => ms.toFixed(0)).join(', ')} ms`,
      );
      expect(result.violations, `BINNACLE_NET_SEED=${seed}`).toEqual([]);
      expect(result.acknowledged).toBeGreaterThan(20);
    });
  }
});

describe('a schedule of several faults', () => {
  it('is the same for the same seed', () => {
    const bounds = { faults: 6, lastsMs: [300, 2_500], withinMs: 1_500, more: 0.7, atOnceMax: 3 } as const;
    expect(scheduleOf(chanceOf(5), bounds)).toEqual(scheduleOf(chanceOf(5), bounds));
    expect(scheduleOf(chanceOf(5), bounds)).not.toEqual(scheduleOf(chanceOf(6), bounds));
  });
});
