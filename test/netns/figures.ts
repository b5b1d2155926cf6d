/**
 * Figures of a cluster in a network of its own, beside a baseline of the same
 * run on the same links and disk: launches acknowledged, `kill -9` of the
 * active until the next one is, the gap of a switch-over. Prints one table.
 *
 *     node test/netns/figures.ts [--kills 50] [--switches 20] [--alone]
 *
 * What was built is measured, as users run it: build first. Not a test: it
 * keeps no thresholds. `--alone` measures a cluster of one (kill → back again).
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clients } from './clients.ts';
import type { NetCluster as Made } from './cluster.ts';
import { nowMs, type Operation } from './operation.ts';

process.env['BINNACLE_TEST_BUILT'] = '1'; // read by what is loaded from here on
const { alone, CLIENT_HOST, NetCluster, three } = await import('./cluster.ts');
const { whyNoNetworks } = await import('../support/namespaces.ts');
const { eventually } = await import('../support/real-node.ts');
const { Peer } = await import('./peer.ts');

type Row = { what: string; target: string; measured: string; baseline: string };
type Baseline = { syncMs: number[]; tripMs: number[] };

const args = process.argv.slice(2);
const asked = (name: string, otherwise: number): number => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(args[at + 1]);
};
const members = args.includes('--alone') ? alone : three;
const WARM = 200;
const MEASURED = 1_000;
const AGAIN_MS = 60_000;

const at = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))]!;
const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const both = (values: readonly number[]): string => `${ms(at(values, 0.5))} / ${ms(at(values, 0.99))}`;

/** One client that launches without a pause: the time between two answers is the time of a launch. */
const oneClient = { clients: 1, pauseMs: [0, 0] as [number, number], mix: { launch: 1 }, tryMs: 1_000 };

const launches = (clients: Clients, from: number): Operation[] =>
  clients.history.filter((one) => one.outcome === 'ok' && one.triedAt > from);

/** A write and a sync of 200 bytes, in a process of the active's own host and disk. */
async function bareSyncs(cluster: Made): Promise<number[]> {
  const file = path.join(cluster.network.folder, 'bare');
  const program = `
    const { openSync, writeSync, fsyncSync } = require('node:fs');
    const file = openSync(${JSON.stringify(file)}, 'w'), bytes = Buffer.alloc(200, 1), took = [];
    for (let n = 0; n < ${MEASURED}; n++) {
      const begun = performance.now();
      writeSync(file, bytes); fsyncSync(file);
      took.push(performance.now() - begun);
    }
    console.log(JSON.stringify(took));`;
  return JSON.parse((await cluster.network.run('a', process.execPath, ['-e', program])).out) as number[];
}

async function baseline(cluster: Made): Promise<Baseline> {
  const [client, host] = [await Peer.start(cluster.network, CLIENT_HOST), await Peer.start(cluster.network, 'a')];
  await client.roundTrips(host, WARM);
  const trips = await client.roundTrips(host, MEASURED);
  await client.stop();
  await host.stop();
  return { tripMs: trips.filter((one) => one !== null), syncMs: await bareSyncs(cluster) };
}

async function acknowledged(cluster: Made): Promise<number[]> {
  const active = await cluster.settled();
  const clients = cluster.startClients(1, {
    ...oneClient,
    nodes: [{ name: active.host, url: active.url }],
  });
  await eventually('enough launches', () => clients.history.length >= WARM + MEASURED, AGAIN_MS * 2);
  const history = await clients.stop();
  return history.slice(WARM).map((one) => one.returnedAt! - one.calledAt);
}

/** From the kill to the first acknowledgement of what was asked after it. */
async function kills(cluster: Made, count: number): Promise<number[]> {
  const took: number[] = [];
  const clients = cluster.startClients(2, { ...oneClient, clients: 2 });
  for (let n = 0; n < count; n++) {
    const active = await cluster.settled();
    await clients.acknowledgedAfter(nowMs(), AGAIN_MS);
    const killedAt = nowMs();
    const dead = active.kill();
    if (members.length === 1) await dead.then(() => active.start());
    await dead;
    const next = await clients.acknowledgedAfter(killedAt, AGAIN_MS);
    took.push(Math.min(...launches(clients, killedAt).map((one) => one.returnedAt!), next.returnedAt!) - killedAt);
    if (!active.isUp()) await active.start();
    console.log(`kill ${n + 1} of ${count}: ${ms(took.at(-1)!)}`);
  }
  await clients.stop();
  return took;
}

/** The longest time without an acknowledgement around a switch-over, for one client that never pauses. */
async function switches(cluster: Made, count: number): Promise<number[]> {
  const took: number[] = [];
  const clients = cluster.startClients(3, oneClient);
  for (let n = 0; n < count; n++) {
    const active = await cluster.settled();
    await clients.acknowledgedAfter(nowMs(), AGAIN_MS);
    const begun = nowMs();
    await active.mustCommand(['switch-over']);
    await eventually('another one leads', async () => (await cluster.settled()) !== active, AGAIN_MS);
    await clients.acknowledgedAfter(nowMs(), AGAIN_MS);
    const answers = clients.history.filter((one) => one.outcome === 'ok').map((one) => one.returnedAt!);
    const around = answers.filter((moment, index) => moment >= begun || (answers[index + 1] ?? 0) >= begun);
    took.push(Math.max(...around.slice(1).map((moment, index) => moment - around[index]!)));
    console.log(`switch-over ${n + 1} of ${count}: ${ms(took.at(-1)!)}`);
  }
  await clients.stop();
  return took;
}

async function measure(cluster: Made): Promise<Row[]> {
  const base = await baseline(cluster);
  const beside = `bare sync ${both(base.syncMs)}, bare round trip ${both(base.tripMs)}`;
  const launched = await acknowledged(cluster);
  const floor = at(base.syncMs, 0.5) + at(base.tripMs, 0.5);
  const where = members.length === 1 ? 'on one disk' : 'on both controllers';
  const rows: Row[] = [
    {
      what: `S1 launch acknowledged (${where}), one client, p50 / p99 of ${launched.length}`,
      target: '≤ 3 ms / ≤ 10 ms',
      measured: both(launched),
      baseline: `${beside}; p50 is ${(at(launched, 0.5) / floor).toFixed(1)} × (sync + round trip)`,
    },
  ];
  const counts = { kills: asked('kills', 50), switches: members.length === 1 ? 0 : asked('switches', 20) };
  if (counts.kills > 0) {
    const what = members.length === 1 ? 'kill -9 and start → next launch' : 'S4 kill -9 of the active → next launch';
    const took = await kills(cluster, counts.kills);
    rows.push({
      what: `${what} acknowledged, p50 / p99 of ${took.length}`,
      target: '≤ 1500 ms / ≤ 2500 ms',
      measured: both(took),
      baseline: '',
    });
  }
  if (counts.switches > 0) {
    const took = await switches(cluster, counts.switches);
    rows.push({
      what: `S5 switch-over: longest time without an acknowledgement, p50 / p99 of ${took.length}`,
      target: '≤ 250 ms',
      measured: both(took),
      baseline: `a launch without one ${both(launched)}`,
    });
  }
  return rows;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const why =
  (await whyNoNetworks()) ??
  (existsSync(path.join(root, 'dist', 'runtime', 'main.js')) ? null : 'nothing is built: npm run build');
if (why) {
  console.log(`No figures: ${why}.`);
  process.exit(1);
}
const cluster = await NetCluster.make(members);
try {
  for (const row of await measure(cluster)) {
    console.log(
      `${row.what}\n    ${row.measured}   target ${row.target}${row.baseline ? `   beside ${row.baseline}` : ''}`,
    );
  }
} finally {
  cluster.destroy();
}
