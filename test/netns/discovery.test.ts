/**
 * Discovery on real links: hosts with two links each and no default route. The
 * first link speaks IPv4 only, the second both, later ones IPv6 only.
 *
 * Also against Avahi, which is what most machines run, and with the guarded
 * mdns-js. `BINNACLE_FIGURES=1` prints how long finding and vanishing took.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Found } from '../../node-runtime/io/discovery/found.ts';
import { textStrings } from '../../node-runtime/io/discovery/hints.ts';
import type { Order, Told } from '../io/discovery/program.ts';
import { node } from '../io/discovery/support.ts';
import { Network, whyNoNetworks } from '../support/namespaces.ts';
import { eventually } from '../support/real-node.ts';

const program = fileURLToPath(new URL('../io/discovery/program.ts', import.meta.url));
const why = await whyNoNetworks();
const noAvahi =
  why ??
  ['avahi-daemon', 'avahi-browse', 'avahi-publish', 'dbus-daemon']
    .filter((tool) => spawnSync(tool, ['--version']).error)
    .map((tool) => `${tool} is missing (packages avahi-daemon, avahi-utils, dbus)`)[0] ??
  null;
const skipped = (reason: string | null): string => (reason ? ` (skipped: ${reason})` : '');

/** One program in one host, and all that it told. */
class Node {
  readonly told: Told[] = [];
  readonly #child: ChildProcess;

  constructor(network: Network, host: string) {
    this.#child = network.spawn(host, process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface(this.#child.stdout!).on('line', (line) => this.told.push(JSON.parse(line) as Told));
  }

  /** When it was obeyed. */
  async order(order: Order): Promise<number> {
    const before = this.#done(order.do).length;
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    return (await eventually(order.do, () => this.#done(order.do)[before] ?? null)).at;
  }

  start(letter: string | null, { builtin = true, mdnsJs = false } = {}): Promise<number> {
    return this.order({ do: 'start', letter, builtin, mdnsJs });
  }

  #done(order: string) {
    return this.told.filter((one) => one.kind === 'done').filter((one) => one.order === order);
  }

  /** What it knows now, by the names of the nodes. */
  get found(): Map<string, Found> {
    const found = new Map<string, Found>();
    for (const { change } of this.changes) {
      if (change.kind === 'vanished') found.delete(change.found.name);
      else found.set(change.found.name, change.found);
    }
    return found;
  }

  get changes() {
    return this.told.filter((one) => one.kind === 'change');
  }

  get warnings() {
    return this.told.filter((one) => one.kind === 'warned').map(({ text }) => text);
  }

  /** When a node came to have these words among its addresses, or when it was gone. */
  async when(name: string, ...words: string[]): Promise<number> {
    const isSo = ({ change }: (typeof this.changes)[number]): boolean =>
      change.found.name === name && words.every((word) => change.found.addresses.join(' ').includes(word));
    return (await eventually(`${name} at ${words}`, () => this.changes.find(isSo) ?? null)).at;
  }

  async whenGone(name: string): Promise<number> {
    const isGone = ({ change }: (typeof this.changes)[number]): boolean =>
      change.found.name === name && change.kind === 'vanished';
    return (await eventually(`${name} is gone`, () => this.changes.findLast(isGone) ?? null)).at;
  }
}

let network: Network | null = null;
afterEach(() => {
  network?.destroy();
  network = null;
});

/** A further link between all hosts. Unlike the first it speaks IPv6, and IPv4 where `v4` says so. */
async function addLink(to: Network, name: string, v4: string | null): Promise<void> {
  const must = async (ended: Promise<{ code: number; err: string }>): Promise<void> => {
    const { code, err } = await ended;
    if (code !== 0) throw new Error(err);
  };
  const hub = to.namespace('hub');
  const batch = (host: string, lines: string[]) => must(to.run(host, 'ip', ['-batch', '-'], lines.join('\n')));
  const speak = 'for at in all default; do echo 0 >/proc/sys/net/ipv6/conf/$at/disable_ipv6; done';
  await batch('hub', [
    `link add br-${name} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
    `link set br-${name} up`,
  ]);
  for (const [at, host] of to.hosts.entries()) {
    await must(to.run(host, 'sh', ['-c', `${speak}; echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6`]));
    await batch(host, [
      `link add ${name} type veth peer name ${name}-${host} netns ${hub}`,
      ...(v4 ? [`address add ${v4}.${at + 1}/24 dev ${name}`] : []),
      `link set ${name} up`,
    ]);
    await batch('hub', [`link set ${name}-${host} master br-${name}`, `link set ${name}-${host} up`]);
  }
}

async function made(...hosts: string[]): Promise<{ network: Network; nodes: Node[] }> {
  network = await Network.make(hosts);
  await addLink(network, 'eth1', '10.78.0');
  const one = network;
  await eventually('the addresses are no longer tentative', async () => {
    const said = await Promise.all(
      one.hosts.map((host) => one.run(host, 'ip', ['-6', 'address', 'show', 'tentative'])),
    );
    return said.every(({ out }) => out.trim() === '');
  });
  return { network, nodes: hosts.map((host) => new Node(one, host)) };
}

const figure = (text: string): void => {
  if (process.env['BINNACLE_FIGURES']) console.log(text);
};

describe.skipIf(why)(`nodes on two links without a default route${skipped(why)}`, () => {
  it.each([{ hosts: ['a', 'b'] }, { hosts: ['a', 'b', 'c'] }])(
    'find each other on both, and are gone soon after a goodbye: $hosts',
    async ({ hosts }) => {
      const { network, nodes } = await made(...hosts);
      for (const host of network.hosts) {
        expect((await network.run(host, 'ip', ['route', 'show', 'default'])).out).toBe('');
      }
      const letters = ['a', 'b', 'c'];
      const begun: number[] = [];
      for (const [at, one] of nodes.entries()) begun.push(await one.start(letters[at]!));
      for (const [at, one] of nodes.entries()) {
        for (const other of nodes.keys()) {
          if (other === at) continue;
          const name = `machine-${letters[other]}`;
          const first = await one.when(name, ':7400');
          const everywhere = await one.when(
            name,
            `10.77.0.${other + 1}:7400`,
            `10.78.0.${other + 1}:7400`,
            '%eth1]:7400',
          );
          const from = Math.max(begun[at]!, begun[other]!);
          figure(`${letters[at]} found ${name} after ${first - from} ms, on both links after ${everywhere - from} ms`);
          expect(everywhere - from).toBeLessThan(2_000);
        }
      }
      const left = await nodes[0]!.order({ do: 'stop' });
      for (const one of nodes.slice(1)) {
        const tookMs = (await one.whenGone('machine-a')) - left;
        figure(`vanished ${tookMs} ms after its goodbye`);
        expect(tookMs).toBeLessThan(2_500);
        expect([one.found.size, one.warnings]).toEqual([nodes.length - 2, []]);
      }
    },
  );

  it('find each other also on one machine', async () => {
    const { network, nodes } = await made('a');
    const [one, other] = [nodes[0]!, new Node(network, 'a')];
    await Promise.all([one.start('a'), other.start('b')]);
    await one.when('machine-b', '10.77.0.1:7400', '10.78.0.1:7400', '%eth1]:7400');
    await other.when('machine-a', '10.77.0.1:7400', '10.78.0.1:7400', '%eth1]:7400');
    const left = await other.order({ do: 'stop' });
    expect((await one.whenGone('machine-b')) - left).toBeLessThan(2_500);
    expect([...one.warnings, ...other.warnings]).toEqual([]);
  });

  it('are not moved by hostile packets to port 5353', async () => {
    const { nodes } = await made('a', 'b', 'evil');
    const [a, b, evil] = nodes as [Node, Node, Node];
    await Promise.all([a.start('a'), b.start('b')]);
    await Promise.all([a.when('machine-b', '10.77.0.2', '10.78.0.2'), b.when('machine-a', '10.77.0.1', '10.78.0.1')]);
    const before = a.changes.length;
    for (let turn = 0; turn < 3; turn++) await evil.order({ do: 'beHostile' });
    const c = new Node(network!, 'evil');
    await c.start('c');
    await a.when('machine-c', '10.77.0.3');
    expect(a.changes.slice(before).every(({ change }) => change.found.name === 'machine-c')).toBe(true);
    expect([...a.warnings, ...b.warnings]).toEqual([]);
    await a.order({ do: 'stop' });
    const done = a.told.findLast((one) => one.kind === 'done');
    expect(done!.dropped).toBeGreaterThan(0);
  });

  it('use a link that comes later, and forget one that goes', async () => {
    const { network, nodes } = await made('a', 'b');
    const [a, b] = nodes as [Node, Node];
    await Promise.all([a.start('a'), b.start('b')]);
    await a.when('machine-b', '10.77.0.2', '10.78.0.2', '%eth1]');
    const added = Date.now();
    await addLink(network, 'eth2', null);
    const found = await a.when('machine-b', '%eth2]:7400');
    await b.when('machine-a', '%eth2]:7400');
    figure(`an IPv6-only link was used ${found - added} ms after it was made`);
    await network.run('a', 'ip', ['link', 'delete', 'eth1']);
    await expect.poll(() => a.found.get('machine-b')!.addresses.join(' ')).not.toMatch(/eth1|10\.78/);
    expect(a.found.get('machine-b')!.addresses.join(' ')).toMatch(/10\.77.*eth2/);
    // One made anew under the old name is another one.
    await network.run('hub', 'ip', ['link', 'delete', 'eth1-b']);
    await network.run('hub', 'ip', ['link', 'delete', 'br-eth1']);
    await addLink(network, 'eth1', '10.79.0');
    const again = a.changes.length;
    await eventually('found on the new one', () =>
      a.changes.slice(again - 1).some(({ change }) => change.found.addresses.includes('10.79.0.2:7400')),
    );
    expect([...a.warnings, ...b.warnings]).toEqual([]);
  });
});

describe.skipIf(why)(`the guarded mdns-js${skipped(why)}`, () => {
  it('finds our nodes without a default route, outlives a packet that makes it loop, and takes nothing away', async () => {
    const { nodes } = await made('a', 'b', 'evil');
    const [a, b, evil] = nodes as [Node, Node, Node];
    await evil.order({ do: 'poison', times: 2 });
    await b.start(null, { builtin: false, mdnsJs: true });
    // On both links it asks, and on both it is answered with what it never returns from.
    const poisoned = await eventually(
      'it is poisoned',
      () => evil.told.find(({ kind }) => kind === 'poisoned') ?? null,
    );
    await a.start('a');
    // It asks once when it begins: so this is one that was begun anew.
    const found = await b.when('machine-a', ':7400');
    figure(`mdns-js found a node ${found - (poisoned as { at: number }).at} ms after it was poisoned`);
    expect(b.found.get('machine-a')).toMatchObject({ via: 'mdns-js', node: 'n-a', clusterName: 'Lab' });
    expect(b.warnings).toEqual([]);
  });

  it('beside our own makes no second result, and a goodbye counts for both', async () => {
    const { nodes } = await made('a', 'b');
    const [a, b] = nodes as [Node, Node];
    await b.start('b', { mdnsJs: true });
    await a.start('a', { mdnsJs: true });
    await b.when('machine-a', '10.77.0.1', '10.78.0.1');
    await a.when('machine-b', '10.77.0.2', '10.78.0.2');
    expect([...b.found.values()].map(({ name, via }) => ({ name, via }))).toEqual([{ name: 'machine-a', via: 'mdns' }]);
    const left = await a.order({ do: 'stop' });
    expect((await b.whenGone('machine-a')) - left).toBeLessThan(2_500);
  });
});

/** Avahi in a host, with a message bus of its own. */
async function startAvahi(at: Network, host: string) {
  const folder = path.join(at.folder, `avahi-${host}`);
  const bus = path.join(folder, 'bus');
  const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}` };
  const script = `mkdir -p /run/avahi-daemon ${folder} && mount -t tmpfs none /run/avahi-daemon && exec "$@"`;
  spawnSync('mkdir', ['-p', folder]);
  writeFileSync(
    path.join(folder, 'bus.conf'),
    `<busconfig><type>system</type><listen>unix:path=${bus}</listen><policy context="default"><allow user="*"/><allow own="*"/><allow send_type="*"/><allow receive_type="*"/></policy></busconfig>`,
  );
  writeFileSync(
    path.join(folder, 'avahi.conf'),
    `[server]\nhost-name=avahi-${host}\nuse-ipv4=yes\nuse-ipv6=yes\n[publish]\npublish-workstation=no\n`,
  );
  at.spawn(host, 'dbus-daemon', [`--config-file=${folder}/bus.conf`, '--nofork', '--nopidfile'], {
    env,
    stdio: 'ignore',
  });
  const run = (file: string, args: string[]) =>
    at.run(host, 'env', [`DBUS_SYSTEM_BUS_ADDRESS=${env.DBUS_SYSTEM_BUS_ADDRESS}`, file, ...args]);
  await eventually('the bus is there', () => spawnSync('test', ['-S', bus]).status === 0);
  at.spawn(
    host,
    'unshare',
    [
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      'avahi-daemon',
      '--no-drop-root',
      '--no-chroot',
      '--no-rlimits',
      '-f',
      `${folder}/avahi.conf`,
    ],
    { env, stdio: 'ignore' },
  );
  await eventually('avahi answers', async () => (await run('avahi-browse', ['-a', '-t'])).code === 0);
  const publish = (name: string, port: number, text: string[]) =>
    at.spawn(host, 'avahi-publish', ['-s', name, '_binnacle._tcp', String(port), ...text], { env, stdio: 'ignore' });
  return { run, publish };
}

describe.skipIf(noAvahi)(`Avahi${skipped(noAvahi)}`, () => {
  it('sees our node on both links, and we see two of its instances apart', async () => {
    const { network, nodes } = await made('a', 'b');
    const avahi = await startAvahi(network, 'b');
    avahi.publish('First one', 7501, textStrings(node('x', { port: 7501 })));
    avahi.publish('Second. one', 7502, textStrings(node('y', { port: 7502 })));
    await eventually('both are published', async () => {
      const { out } = await avahi.run('avahi-browse', ['-t', '-r', '-p', '_binnacle._tcp']);
      return out.includes('7501') && out.includes('7502');
    });
    const a = nodes[0]!;
    const begun = await a.start('a');
    // From here on it hears no announcement any more, only the one answer with both.
    const seen = [await a.when('machine-x', '10.77.0.2:7501'), await a.when('machine-y', '10.77.0.2:7502')];
    figure(`we saw two instances of Avahi after ${seen.map((at) => at - begun).join(' and ')} ms`);
    await a.when('machine-x', '10.78.0.2:7501', '%eth1]:7501');
    expect([...a.found.values()].map(({ name, node }) => [name, node]).sort()).toEqual([
      ['machine-x', 'n-x'],
      ['machine-y', 'n-y'],
    ]);
    expect(a.found.get('machine-y')!.addresses.every((one) => one.endsWith(':7502'))).toBe(true);
    const lines = await eventually('avahi sees ours', async () => {
      const { out } = await avahi.run('avahi-browse', ['-t', '-r', '-p', '_binnacle._tcp']);
      const ours = out.split('\n').filter((line) => line.startsWith('=') && line.includes(';n-a;'));
      return ours.length >= 3 && ours;
    });
    expect(new Set(lines.map((line) => line.split(';').slice(1, 3).join(' ')))).toEqual(
      new Set(['eth0 IPv4', 'eth1 IPv4', 'eth1 IPv6']),
    );
    expect(lines[0]).toMatch(/;7400;.*"node=n-a"/);
    await a.order({ do: 'stop' });
    await eventually('avahi heard our goodbye', async () => {
      const { out } = await avahi.run('avahi-browse', ['-t', '-p', '_binnacle._tcp']);
      return !out.includes(';n-a;');
    });
  });
});
