/**
 * The rig itself, on plain programs: every fault does what its name says, and
 * nothing else, and its end restores. What is built on it can be believed then.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BadDisk } from '../support/bad-disk.ts';
import { FalseClock, falseClockLibrary } from '../support/false-clock.ts';
import { leftovers, Network, remainsOf, removeLeftovers, whyNoNetworks } from '../support/namespaces.ts';
import { eventually } from '../support/real-node.ts';
import type { Relayed } from '../support/relay.ts';
import { SmallDisk } from '../support/small-disk.ts';
import {
  clockJump,
  cut,
  cutOff,
  cutOneWay,
  failingDisk,
  fullDisk,
  hangingDisk,
  killed,
  lossy,
  paused,
  unruly,
} from './faults.ts';
import { Peer } from './peer.ts';
import { chanceOf, play, scheduleOf } from './schedule.ts';

const why = await whyNoNetworks();
const skipped = why ? ` (skipped: ${why})` : '';
const noClock = falseClockLibrary() ? '' : ' (skipped: libfaketime is missing, package faketime)';

let network: Network | null = null;
afterEach(() => {
  network?.destroy();
  network = null;
});

async function made(...hosts: string[]): Promise<{ network: Network; peers: Peer[] }> {
  network = await Network.make(hosts);
  const peers: Peer[] = [];
  for (const host of hosts) peers.push(await Peer.start(network, host));
  return { network, peers };
}

/** The numbers of a burst from one to the other that came, in the order in which they came. */
async function burst(from: Peer, to: Peer, count: number): Promise<number[]> {
  await to.received();
  await from.send(to, count, 1);
  const numbers: number[] = [];
  // Over when three looks in a row bring nothing more: what is judged is a number, not a speed.
  for (let quiet = 0; quiet < 3; ) {
    await new Promise((done) => setTimeout(done, 50));
    const more = (await to.received()).filter((one) => one.from === from.address);
    numbers.push(...more.map((one) => one.number));
    quiet = more.length === 0 ? quiet + 1 : 0;
  }
  return numbers;
}

const heard = async (from: Peer, to: Peer, count = 100): Promise<number> => (await burst(from, to, count)).length;

/** Median; what took too long counts as endless. */
const middle = (values: (number | null)[]): number =>
  values.map((one) => one ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe.skipIf(why)(`a network of namespaces${skipped}`, () => {
  it('joins its hosts, has no way out, and two stand side by side with equal addresses', async () => {
    const { peers, network: one } = await made('a', 'b');
    const other = await Network.make(['a', 'b']);
    try {
      const [a, b] = [await Peer.start(other, 'a'), await Peer.start(other, 'b')];
      expect(await heard(peers[0]!, peers[1]!)).toBe(100);
      expect(await heard(a, b)).toBe(100);
      expect((await b.received()).length).toBe(0);
      expect((await peers[0]!.roundTrips(peers[1]!, 20)).every((ms) => ms !== null)).toBe(true);
      expect((await one.run('a', 'ip', ['route'])).out.trim().split('\n')).toHaveLength(1);
      expect((await one.run('a', 'ip', ['route', 'get', '192.0.2.1'])).code).not.toBe(0);
    } finally {
      other.destroy();
    }
  });

  it('a one-way cut drops one direction and leaves the other', async () => {
    const { network, peers } = await made('a', 'b', 'c');
    const [a, b, c] = peers as [Peer, Peer, Peer];
    expect((await a.roundTrips(b, 3)).every((ms) => ms !== null)).toBe(true);
    const fault = cutOneWay(network, 'a', 'b');
    await fault.begin();
    expect(await heard(a, b)).toBe(0);
    expect(await heard(b, a)).toBe(100);
    expect(await heard(a, c)).toBe(100);
    expect(await a.roundTrips(b, 2, 300)).toEqual([null, null]);
    await fault.end();
    expect(await heard(a, b)).toBe(100);
    expect((await a.roundTrips(b, 3)).every((ms) => ms !== null)).toBe(true);
  });

  it('a cut drops both directions of one pair; being cut off drops all of one host', async () => {
    const { network, peers } = await made('a', 'b', 'c');
    const [a, b, c] = peers as [Peer, Peer, Peer];
    const pair = cut(network, 'a', 'b');
    const off = cutOff(network, 'c', ['a', 'b', 'c']);
    await pair.begin();
    expect([await heard(a, b), await heard(b, a), await heard(a, c), await heard(c, b)]).toEqual([0, 0, 100, 100]);
    await off.begin();
    expect([await heard(a, c), await heard(c, a), await heard(b, c), await heard(a, b)]).toEqual([0, 0, 0, 0]);
    await pair.end();
    expect([await heard(a, b), await heard(c, b)]).toEqual([100, 0]);
    await off.end();
    expect(await heard(c, b)).toBe(100);
  });

  it('30 % loss loses 30 of a hundred', async () => {
    const { network, peers } = await made('a', 'b');
    const fault = lossy(network, ['a', 'b'], 30);
    await fault.begin();
    const [forth, back] = [await heard(peers[0]!, peers[1]!, 1_000), await heard(peers[1]!, peers[0]!, 1_000)];
    for (const count of [forth, back]) {
      // More than five standard deviations to either side.
      expect(count).toBeGreaterThan(620);
      expect(count).toBeLessThan(780);
    }
    await fault.end();
    expect(await heard(peers[0]!, peers[1]!)).toBe(100);
  });

  it('the relay delays, doubles and reorders as its seed says, and counts it', async () => {
    const { network, peers } = await made('a', 'b');
    const [a, b] = peers as [Peer, Peer];
    const plainMs = middle(await a.roundTrips(b, 50));
    const chances = { seed: 7, delayMs: 20, duplicatePercent: 10, reorderPercent: 10, reorderMs: 15 };
    let counts: Relayed | null = null;
    const fault = unruly(network, ['a'], chances, (_, relayed) => (counts = relayed));
    await fault.begin();
    const got = await burst(a, b, 1_000);
    const slowMs = middle(await a.roundTrips(b, 20));
    await fault.end();

    expect(slowMs).toBeGreaterThan(plainMs + 39);
    const { forth } = counts! as Relayed;
    expect(forth.refused).toBe(0);
    expect(forth.doubled).toBeGreaterThan(60);
    expect(forth.doubled).toBeLessThan(150);
    expect(forth.overtaken).toBeGreaterThan(50);
    expect(new Set(got).size).toBe(1_000);
    const overtaken = got.filter((one, at) => got.slice(0, at).some((earlier) => earlier > one)).length;
    expect(overtaken).toBeGreaterThan(50);
    expect(got.length).toBeGreaterThan(1_060);
    expect(middle(await a.roundTrips(b, 20))).toBeLessThan(20);
    expect(await heard(a, b)).toBe(100);
  });

  it('one seed loses the same frames each time, another seed others', async () => {
    const { network, peers } = await made('a', 'b');
    const arrived = async (seed: number) => {
      const fault = unruly(network, ['a'], { seed, lossPercent: 30 });
      await fault.begin();
      const numbers = await burst(peers[0]!, peers[1]!, 200);
      await fault.end();
      return numbers.join();
    };
    const first = await arrived(3);
    expect(await arrived(3)).toBe(first);
    expect(await arrived(4)).not.toBe(first);
  });

  it('a cut holds while a relay carries the frames', async () => {
    const { network, peers } = await made('a', 'b');
    const [a, b] = peers as [Peer, Peer];
    const late = unruly(network, ['a'], { seed: 1, delayMs: 1 });
    const oneWay = cutOneWay(network, 'a', 'b');
    await late.begin();
    await oneWay.begin();
    expect([await heard(a, b), await heard(b, a)]).toEqual([0, 100]);
    await oneWay.end();
    expect(await heard(a, b)).toBe(100);
    await late.end();
  });

  it('a process under SIGSTOP answers nothing, though the kernel takes its connections, and goes on afterwards', async () => {
    const { peers } = await made('a', 'b');
    const [a, b] = peers as [Peer, Peer];
    const fault = paused('b', () => [b.child.pid!]);
    await fault.begin();
    expect(await a.roundTrips(b, 2, 300)).toEqual([null, null]);
    await fault.end();
    expect((await a.roundTrips(b, 3)).every((ms) => ms !== null)).toBe(true);
  });

  it('kill -9 ends the very program of the host, and its end starts it again', async () => {
    const { network, peers } = await made('a', 'b');
    let b = peers[1]!;
    const fault = killed({ name: 'b', kill: () => b.stop(), start: async () => (b = await Peer.start(network, 'b')) });
    await fault.begin();
    expect(network.processes('b')).toEqual([]);
    expect(await peers[0]!.roundTrips(b, 1, 300)).toEqual([null]);
    await fault.end();
    expect(network.processes('b')).toEqual([b.child.pid]);
    expect((await peers[0]!.roundTrips(b, 3)).every((ms) => ms !== null)).toBe(true);
  });

  it('a full disk says ENOSPC to the last byte, and has room again', async () => {
    const { network } = await made('a');
    const disk = new SmallDisk(path.join(network.folder, 'disk'), { mebibytes: 4 });
    const file = path.join(disk.at, 'file');
    writeFileSync(file, 'some');
    const fault = fullDisk('a', disk);
    await fault.begin();
    expect((await statfs(disk.at)).bavail).toBe(0);
    expect(() => writeFileSync(path.join(disk.at, 'more'), Buffer.alloc(8192))).toThrow(/ENOSPC/);
    await fault.end();
    writeFileSync(path.join(disk.at, 'more'), Buffer.alloc(8192));
    disk.remove();
    expect(existsSync(disk.at)).toBe(false);
  });

  it('a disk that hangs holds a sync until it ends, one that fails says EIO, and other files are let alone', async () => {
    network = await Network.make(['a']);
    const { folder } = network;
    const disk = new BadDisk({ folder, name: 'a', part: `${folder}/data/` });
    mkdirSync(path.join(folder, 'data'));
    const program = `
      const { openSync, fsyncSync, fdatasyncSync, writeSync } = require('node:fs');
      const [file, sync] = [openSync(process.argv[1], 'w'), process.argv[2] === 'data' ? fdatasyncSync : fsyncSync];
      writeSync(file, 'x'); sync(file); console.log('synced');`;
    const synced = (file: string, how: string) =>
      network!.spawn('a', process.execPath, ['-e', program, path.join(folder, file), how], {
        env: { ...process.env, ...disk.environment },
      });
    const said = async (child: ReturnType<typeof synced>) => {
      let text = '';
      for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (part) => (text += part));
      await new Promise((done) => child.once('close', done));
      return text;
    };
    expect(await said(synced('data/file', 'all'))).toBe('synced\n');
    const fails = failingDisk(disk, { name: 'a', kill: async () => {}, start: async () => {} });
    await fails.begin();
    for (const how of ['all', 'data']) expect(await said(synced('data/file', how))).toContain('EIO');
    expect(await said(synced('other', 'all'))).toBe('synced\n');
    await fails.end();
    const hangs = hangingDisk('a', disk);
    await hangs.begin();
    const child = synced('data/file', 'data');
    const text = said(child);
    expect(await said(synced('other', 'data'))).toBe('synced\n'); // longer than a sync takes
    expect(child.exitCode).toBeNull();
    await hangs.end();
    expect(await text).toBe('synced\n');
  });

  for (const monotonicToo of [false, true]) {
    it.skipIf(noClock)(
      `a clock jump moves the wall clock${monotonicToo ? ' and the monotonic one' : ', not the monotonic one'}${noClock}`,
      async () => {
        network = await Network.make(['a']);
        mkdirSync(network.folder, { recursive: true });
        const clock = new FalseClock(path.join(network.folder, 'clock'), { monotonicToo });
        const peer = await Peer.start(network, 'a', clock.environment);
        const before = await peer.clocks();
        const seconds = 3 * 86_400;
        const fault = clockJump('a', clock, seconds, { back: !monotonicToo });
        await fault.begin();
        const after = await eventually('the clock has jumped', async () => {
          const now = await peer.clocks();
          return now.wallMs - before.wallMs > (seconds - 60) * 1000 && now;
        });
        const jumped = after.monotonicMs - before.monotonicMs;
        if (monotonicToo) expect(jumped).toBeGreaterThan((seconds - 60) * 1000);
        else expect(jumped).toBeLessThan(60_000);
        await fault.end();
        if (monotonicToo) {
          await peer.stop(); // by kill -9, after which the library cannot tidy up itself
          network.destroy();
          expect(readdirSync('/dev/shm').filter((name) => name.endsWith(`_${peer.child.pid}`))).toEqual([]);
          return;
        }
        await eventually(
          'the clock is right again',
          async () => Math.abs((await peer.clocks()).wallMs - Date.now()) < 60_000,
        );
        const backwards = clockJump('a', clock, -seconds, { back: true });
        await backwards.begin();
        await eventually('the clock is behind', async () => (await peer.clocks()).wallMs < Date.now() - 86_400_000);
        await backwards.end();
      },
    );
  }

  it('a schedule from a seed overlaps faults and leaves none behind', async () => {
    const { network, peers } = await made('a', 'b', 'c');
    const faults = [
      cut(network, 'a', 'b'),
      lossy(network, ['a', 'b', 'c'], 50),
      unruly(network, ['c'], { seed: 1, delayMs: 2 }),
    ];
    const bounds = { faults: faults.length, lastsMs: [50, 300], withinMs: 200, more: 0.8, atOnceMax: 3 } as const;
    expect(scheduleOf(chanceOf(11), bounds)).toEqual(scheduleOf(chanceOf(11), bounds));
    const said: string[] = [];
    for (const seed of [11, 12, 13]) await play(scheduleOf(chanceOf(seed), bounds), faults, (line) => said.push(line));
    expect(said.filter((line) => line.startsWith('begin')).length).toBe(
      said.filter((line) => line.startsWith('end')).length,
    );
    expect(said.length).toBeGreaterThan(6);
    expect([await heard(peers[0]!, peers[1]!), await heard(peers[1]!, peers[2]!)]).toEqual([100, 100]);
  });

  it('leaves nothing behind: no process, namespace, mount or folder', async () => {
    const { network, peers } = await made('a', 'b');
    new SmallDisk(path.join(network.folder, 'disk'), { mebibytes: 1 });
    const stray = network.spawn('b', 'sh', ['-c', 'setsid sleep 1000 & sleep 1000'], { stdio: 'ignore' });
    await eventually('it has a stray child', () => network.processes('b').length === 4);
    const pids = ['a', 'b'].flatMap((host) => network.processes(host));
    expect(pids).toContain(peers[0]!.child.pid);
    expect(pids).toContain(stray.pid);
    expect(remainsOf(network.id)).toHaveLength(5); // hub, a, b, the mount, the folder
    network.destroy();
    expect(remainsOf(network.id)).toEqual([]);
    await eventually('all are gone', () => pids.every((pid) => !existsSync(`/proc/${pid}/ns/net`)));
  });

  it('what a killed maker left is removed by the next one', async () => {
    const source = `
      import { Network } from ${JSON.stringify(new URL('../support/namespaces.ts', import.meta.url).href)};
      const network = await Network.make(['a']);
      network.spawn('a', 'sleep', ['1000'], { stdio: 'ignore' });
      console.log(network.id);
      setInterval(() => {}, 1000);`;
    const maker = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let id = '';
    maker.stdout.on('data', (text) => (id += text));
    await eventually('it has made a network', () => id.endsWith('\n'));
    id = id.trim();
    expect(leftovers()).not.toContain(id);
    const over = new Promise((done) => maker.once('exit', done));
    maker.kill('SIGKILL');
    await over;
    expect(remainsOf(id)).toHaveLength(3);
    expect(leftovers()).toContain(id);
    removeLeftovers();
    expect(remainsOf(id)).toEqual([]);
  });
});
