/**
 * A network of its own for real processes: a hub (a bridge in a namespace of
 * its own) and hosts, each a network namespace with one virtual link to the hub.
 *
 * No host has a way out: addresses are 10.77.0.x, there is no default route,
 * and nothing leads to the machine's own network. Neighbours are written down
 * for good, so that a cut in one direction cuts that direction only. What is
 * dropped between hosts is said as a list and put in force at one stroke
 * (`drop`). What a program in here does is none of this module's concern.
 *
 * Promise: `destroy` ends every process of the network and leaves no
 * namespace, mount or folder; what a killed maker left is removed by the next.
 */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeClockRemains } from './false-clock.ts';

/** Frames from a host to another that are dropped: all, or so many in a hundred. */
export type Drop = { from: string; to: string; percent?: number };
export type Ended = { code: number; out: string; err: string };

const PREFIX = 'binnacle-net';
const HUB = 'hub';
const HOSTS_MAX = 40;
const COMMAND_MS = 20_000;
const linksSource = fileURLToPath(new URL('links.c', import.meta.url));

/** Field 22 of its stat: with the id it names one process for as long as the machine is up. */
function startOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]!;
  } catch {
    return null;
  }
}

const maker = `${process.pid}-${startOf(process.pid) ?? 0}`;
let made = 0;

/** Runs a command to its end. */
export function command(file: string, args: string[], input = ''): Promise<Ended> {
  return new Promise((done, failed) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: COMMAND_MS, killSignal: 'SIGKILL' });
    let out = '';
    let err = '';
    child.stdout.on('data', (text) => (out += text));
    child.stderr.on('data', (text) => (err += text));
    child.stdin.on('error', () => {}); // it ended before it had read everything: its code says so
    child.stdin.end(input);
    child.on('error', failed);
    child.on('close', (code) => done({ code: code ?? -1, out, err }));
  });
}

async function must(file: string, args: string[], input = ''): Promise<string> {
  const ended = await command(file, args, input);
  if (ended.code !== 0) throw new Error(`${file} ${args.join(' ')}: ${ended.err || ended.out}\n${input}`);
  return ended.out;
}

export class Network {
  /** Begins the name of every namespace of this network. */
  readonly id: string;
  readonly hosts: readonly string[];
  /** For whatever belongs to this network on disk; goes with it. */
  readonly folder: string;
  readonly #drops = new Map<string, Drop[]>();
  #applied: Promise<unknown> = Promise.resolve();
  #destroyed = false;

  private constructor(hosts: string[]) {
    if (hosts.length > HOSTS_MAX) throw new Error(`at most ${HOSTS_MAX} hosts`);
    this.id = `${PREFIX}-${maker}-${++made}`;
    this.hosts = hosts;
    this.folder = path.join(tmpdir(), this.id);
  }

  static async make(hosts: string[]): Promise<Network> {
    removeLeftovers();
    const network = new Network(hosts);
    living.add(network);
    try {
      await network.#build();
    } catch (error) {
      network.destroy();
      throw error;
    }
    return network;
  }

  address(host: string): string {
    const at = this.hosts.indexOf(host);
    if (at < 0) throw new Error(`no host ${host}`);
    return `10.77.0.${at + 1}`;
  }

  namespace(host: string): string {
    return `${this.id}-${host}`;
  }

  /** The arguments that run a program in a host. It is that very process: no other stands between. */
  inside(host: string, file: string, args: string[]): [string, string[]] {
    return ['nsenter', [`--net=/run/netns/${this.namespace(host)}`, file, ...args]];
  }

  spawn(host: string, file: string, args: string[], options: SpawnOptions = {}): ChildProcess {
    return spawn(...this.inside(host, file, args), options);
  }

  run(host: string, file: string, args: string[], input = ''): Promise<Ended> {
    return command(...this.inside(host, file, args), input);
  }

  /** The processes of a host, also those that left their parent. */
  processes(host: string): number[] {
    return processesIn(this.namespace(host));
  }

  /**
   * What is dropped in the name of `why`, from now on; an empty list ends it.
   * Rules of several reasons add up, and change together or not at all.
   */
  drop(why: string, drops: Drop[]): Promise<void> {
    if (drops.length > 0) this.#drops.set(why, drops);
    else this.#drops.delete(why);
    const applied = this.#applied.then(() => this.#apply());
    this.#applied = applied.catch(() => {}); // whoever asked for it sees the error
    return applied;
  }

  async #apply(): Promise<void> {
    const rules = [...this.#drops.values()].flat().map((drop) => {
      const part = drop.percent === undefined ? '' : ` numgen random mod 1000 < ${Math.round(drop.percent * 10)}`;
      return `add rule bridge faults forward iifname ${this.#ports(drop.from)} oifname ${this.#ports(drop.to)}${part} counter drop`;
    });
    await this.#nft(['flush chain bridge faults forward', ...rules]);
  }

  /** A host is reached through its own port, or through the relay's (`relay.ts`). */
  #ports(host: string): string {
    this.address(host);
    return `{ "p-${host}", "r-${host}" }`;
  }

  #nft(lines: string[]): Promise<string> {
    return must(...this.inside(HUB, 'nft', ['-f', '-']), `${lines.join('\n')}\n`);
  }

  /** Takes a host's port off the bridge or puts it back; between them a relay may carry the frames. */
  async takePortOff(host: string, off: boolean): Promise<void> {
    await must('ip', [
      '-n',
      this.namespace(HUB),
      'link',
      'set',
      `p-${host}`,
      ...(off ? ['nomaster'] : ['master', 'br0']),
    ]);
  }

  /** The little program of `links.c`, run in the hub. */
  spawnLinks(args: string[]): ChildProcess {
    return this.spawn(HUB, path.join(this.folder, 'links'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
  }

  async #build(): Promise<void> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const links = path.join(this.folder, 'links');
    await must('cc', ['-O2', '-o', links, linksSource]);
    const hub = this.namespace(HUB);
    // Quiet links: what a host says by itself in IPv6 would be counted among the frames of a test.
    const quiet = [
      '-c',
      'for at in all default; do echo 1 >/proc/sys/net/ipv6/conf/$at/disable_ipv6; done 2>/dev/null; :',
    ];
    await must(
      'ip',
      ['-batch', '-'],
      [hub, ...this.hosts.map((host) => this.namespace(host))].map((name) => `netns add ${name}\n`).join(''),
    );
    await must(...this.inside(HUB, 'sh', quiet));
    await must(
      'ip',
      ['-n', hub, '-batch', '-'],
      [
        'link set lo up',
        'link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0',
        'link set br0 up',
        ...this.hosts.flatMap((host) => [
          `link add q-${host} type veth peer name r-${host}`,
          `link add p-${host} type veth peer name eth0 netns ${this.namespace(host)}`,
          `link set q-${host} up`,
          `link set r-${host} master br0`,
          `link set r-${host} up`,
          `link set p-${host} master br0`,
          `link set p-${host} up`,
        ]),
      ].join('\n'),
    );
    await must(
      ...this.inside(HUB, links, ['plain', ...this.hosts.flatMap((host) => [`q-${host}`, `r-${host}`, `p-${host}`])]),
    );
    const hardware = (host: string) => `02:77:00:00:00:${(this.hosts.indexOf(host) + 1).toString(16).padStart(2, '0')}`;
    for (const host of this.hosts) {
      await must(...this.inside(host, 'sh', quiet));
      await must(
        'ip',
        ['-n', this.namespace(host), '-batch', '-'],
        [
          'link set lo up',
          `link set eth0 address ${hardware(host)}`,
          `address add ${this.address(host)}/24 dev eth0`,
          'link set eth0 up',
          ...this.hosts
            .filter((other) => other !== host)
            .map((other) => `neigh replace ${this.address(other)} lladdr ${hardware(other)} dev eth0 nud permanent`),
        ].join('\n'),
      );
      await must(...this.inside(host, links, ['plain', 'eth0']));
    }
    await this.#nft([
      'add table bridge faults',
      'add chain bridge faults forward { type filter hook forward priority 0; }',
    ]);
  }

  /** Ends everything in here. Waits for nothing, so that it may also be called when this process ends. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    living.delete(this);
    removeAll(this.id);
  }
}

const living = new Set<Network>();
process.on('exit', () => {
  for (const network of [...living]) network.destroy();
});

function processesIn(namespace: string): number[] {
  const said = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  return said.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

const namespaceNames = (): string[] => {
  try {
    return readdirSync('/run/netns');
  } catch {
    return []; // none was ever made
  }
};

/** Namespaces, mounts and folders that bear the name of a network. */
export function remainsOf(id: string): string[] {
  const ours = (name: string): boolean => name === id || name.startsWith(`${id}-`);
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((at) => at.split('/').some(ours) && !at.startsWith('/run/netns/'));
  return [
    ...namespaceNames()
      .filter(ours)
      .map((name) => `namespace ${name}`),
    ...mounts.map((at) => `mount ${at}`),
    ...readdirSync(tmpdir())
      .filter(ours)
      .map((name) => `folder ${path.join(tmpdir(), name)}`),
  ];
}

function removeAll(id: string): void {
  const remains = remainsOf(id);
  const named = (kind: string) => remains.filter((one) => one.startsWith(kind)).map((one) => one.slice(kind.length));
  const namespaces = named('namespace ');
  // A process may be starting another while it is ended: look again until there is none.
  for (let turn = 0; turn < 50; turn++) {
    const pids = namespaces.flatMap(processesIn);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
    if (turn > 0) spawnSync('sleep', ['0.02']);
  }
  removeClockRemains();
  for (const at of named('mount ').reverse()) spawnSync('umount', ['-l', at]);
  for (const name of namespaces) spawnSync('ip', ['netns', 'delete', name]);
  for (const at of named('folder ')) rmSync(at, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** Networks whose maker is gone. */
export function leftovers(): string[] {
  const pattern = new RegExp(`^(${PREFIX}-(\\d+)-(\\d+)-\\d+)(-.*)?$`);
  const ids = new Set<string>();
  for (const name of [...namespaceNames(), ...readdirSync(tmpdir())]) {
    const found = pattern.exec(name);
    if (found && startOf(Number(found[2])) !== found[3]) ids.add(found[1]!);
  }
  return [...ids];
}

export function removeLeftovers(): void {
  for (const id of leftovers()) removeAll(id);
}

/** Why no network can be made here, in words for a test's title; null when it can. Tried once, for real. */
export async function whyNoNetworks(): Promise<string | null> {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  if (process.getuid?.() !== 0) return 'it needs root, to make network namespaces';
  for (const [tool, file] of [
    ['ip', 'iproute2'],
    ['nft', 'nftables'],
    ['nsenter', 'util-linux'],
    ['cc', 'gcc'],
  ]) {
    if (spawnSync(tool!, ['--version']).error && spawnSync(tool!, ['-V']).error)
      return `${tool} is missing (package ${file})`;
  }
  try {
    const trial = await Network.make(['a', 'b']);
    await trial.drop('trial', [{ from: 'a', to: 'b', percent: 10 }]).finally(() => trial.destroy());
    return null;
  } catch (error) {
    return `this kernel makes no such network: ${(error as Error).message.split('\n')[0]}`;
  }
}
