/**
 * A cluster of one as a real process, met by faults while clients work: what it
 * acknowledged is kept, each job started once, and it goes on by itself (S44).
 */
import { cpSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { falseClockLibrary } from '../support/false-clock.ts';
import { whyNoNetworks } from '../support/namespaces.ts';
import { eventually } from '../support/real-node.ts';
import { alone, CLIENT_HOST, type NetCluster } from './cluster.ts';
import {
  clockJump,
  cut,
  type Fault,
  failingDisk,
  fullDisk,
  hangingDisk,
  killed,
  lossy,
  paused,
  unruly,
} from './faults.ts';
import { lanes, type Plan, playRounds, roundsWanted, seedOf } from './rounds.ts';

const DAY_SECONDS = 86_400;
const noNetworks = await whyNoNetworks();
const noClock = falseClockLibrary() ? null : 'libfaketime is missing, package faketime';

/** The folder as it was a second before is put in place of the present one. */
function oldImage(cluster: NetCluster): Fault {
  const node = cluster.node('a');
  const image = path.join(cluster.network.folder, 'image');
  return {
    name: 'an old image of the folder',
    begin: async () => {
      await node.kill();
      cpSync(node.data, image, { recursive: true });
      await node.start();
      await cluster.settled();
      // Work until something is acknowledged that the image lacks.
      const end = (await cluster.view(node))!.journal.end;
      await eventually('work goes on', async () => (await cluster.view(node))!.journal.end > end + 50);
      await node.kill();
      rmSync(node.data, { recursive: true });
      renameSync(image, node.data);
    },
    end: async () => {
      await node.start();
    },
  };
}

const plans: (Plan & { why?: string | null })[] = [
  {
    name: 'killed with -9',
    members: alone,
    fault: (cluster) => killed(cluster.node('a')),
    lastsMs: [50, 800],
    worksMeanwhile: false,
  },
  {
    name: 'stopped and continued',
    members: alone,
    fault: (cluster, chance) =>
      chance.happens(0.5)
        ? paused('the node', () => [cluster.node('a').child!.pid!])
        : paused('the machine', () => cluster.network.processes('a')),
    lastsMs: [500, 3_000],
    worksMeanwhile: false,
  },
  {
    name: 'full disk',
    members: alone,
    wishes: { smallDisks: { a: { mebibytes: 32 } } },
    fault: (cluster) => fullDisk('a', cluster.disks.get('a')!),
    lastsMs: [500, 2_500],
    worksMeanwhile: false,
  },
  {
    name: 'disk hangs or fails',
    members: alone,
    wishes: { badDisks: ['a'] },
    fault: (cluster, chance) => {
      const disk = cluster.badDisks.get('a')!;
      return chance.happens(0.5) ? hangingDisk('a', disk) : failingDisk(disk, cluster.node('a'));
    },
    lastsMs: [500, 2_500],
    worksMeanwhile: false,
  },
  {
    name: 'wall clock jumps',
    members: alone,
    wishes: { falseClocks: { a: { monotonicToo: false } } },
    fault: (cluster, chance) =>
      clockJump('a', cluster.clocks.get('a')!, chance.pick([-3, -1, 1, 3]) * DAY_SECONDS, { back: true }),
    lastsMs: [1_200, 3_000],
    worksMeanwhile: true,
    why: noClock,
  },
  {
    name: 'all clocks jump',
    members: alone,
    wishes: { falseClocks: { a: { monotonicToo: true } } },
    fault: (cluster, chance) =>
      clockJump('a', cluster.clocks.get('a')!, chance.pick([60, DAY_SECONDS]), { back: false }),
    lastsMs: [1_200, 3_000],
    worksMeanwhile: true,
    why: noClock,
  },
  {
    name: 'bad network to its clients',
    members: alone,
    fault: (cluster, chance) =>
      chance.pick([
        cut(cluster.network, 'a', CLIENT_HOST),
        lossy(cluster.network, ['a', CLIENT_HOST], 30),
        unruly(cluster.network, ['a'], {
          seed: chance.whole(1, 1e6),
          ...{ delayMs: 20, jitterMs: 20, duplicatePercent: 5, reorderPercent: 10, reorderMs: 20 },
        }),
      ]),
    lastsMs: [500, 3_000],
    worksMeanwhile: false,
  },
];

const inLane = lanes(2);
describe.skipIf(noNetworks)(`a node for itself${noNetworks ? ` (skipped: ${noNetworks})` : ''}`, () => {
  for (const plan of plans) {
    const title = `${plan.name}: ${roundsWanted} rounds, nothing lost, nothing twice${plan.why ? ` (skipped: ${plan.why})` : ''}`;
    it.skipIf(plan.why).concurrent(title, { timeout: 900_000 }, async () => {
      const seed = seedOf(plan.name);
      const result = await inLane(() => playRounds(plan, roundsWanted, seed));
      console.log(
        `${plan.name}, seed ${seed}: ${result.operations} operations, ${result.acknowledged} acknowledged, ${result.unknown} unknown`,
      );
      expect(result.violations, `BINNACLE_NET_SEED=${seed}`).toEqual([]);
      expect(result.acknowledged).toBeGreaterThan(20);
    });
  }

  it.concurrent('whose folder is put back to an older state is seen by the checkers as what it is: work is lost', {
    timeout: 300_000,
  }, async () => {
    const plan: Plan = {
      name: 'an old image',
      members: alone,
      fault: (cluster) => oldImage(cluster),
      lastsMs: [400, 400],
      worksMeanwhile: false,
    };
    const { violations } = await inLane(() => playRounds({ ...plan, mayFail: true }, 1, 1));
    expect(violations).toContainEqual(expect.stringMatching(/^lost: launch/));
    expect(violations).toContainEqual(expect.stringMatching(/^history|^stale|^lost: run/));
  });
});
