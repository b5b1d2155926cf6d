/**
 * A cluster of real nodes, each in a host of its own network, made as a person
 * makes it: `init` on the first, `invite` and `join` for the others.
 *
 * All that a round needs to know of the command line and of `GET /api/v1/cluster`
 * is in here. Faults, clients and checks know nothing of it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Cluster, Run, RunSummary } from '../../node-runtime/contract/model.ts';
import { BadDisk } from '../support/bad-disk.ts';
import { FalseClock } from '../support/false-clock.ts';
import { Network } from '../support/namespaces.ts';
import { eventually, hasEnded } from '../support/real-node.ts';
import { SmallDisk } from '../support/small-disk.ts';
import type { Marks } from './checks.ts';
import type { Task } from './client-program.ts';
import { Clients, usual } from './clients.ts';
import { HostNode } from './host-node.ts';
import { lookAtJournal, type SeenJournal } from './journal-look.ts';

export type Duty = 'controller' | 'watch' | 'worker';
export type Member = { host: string; duties: Duty[] };
export type Wishes = {
  /** Hosts whose data lies on a small disk of its own. */
  smallDisks?: Record<string, { mebibytes: number }>;
  /** Hosts whose nodes go by a clock that can be set wrong. */
  falseClocks?: Record<string, { monotonicToo: boolean }>;
  /** Hosts whose disks may fail or hang. */
  badDisks?: readonly string[];
};

/** One node, for itself. */
export const alone: Member[] = [{ host: 'a', duties: ['controller', 'worker'] }];
/** The smallest cluster that survives the loss of any one; jobs run on both controllers. */
export const three: Member[] = [
  ...alone,
  { host: 'b', duties: ['controller', 'worker'] },
  { host: 'w', duties: ['watch'] },
];
export const CLIENT_HOST = 'client';
const SETTLED_MS = 60_000;
const RUNS_END_MS = 90_000;

export class NetCluster {
  readonly network: Network;
  readonly members: Member[];
  readonly nodes: HostNode[] = [];
  readonly disks = new Map<string, SmallDisk>();
  readonly clocks = new Map<string, FalseClock>();
  readonly badDisks = new Map<string, BadDisk>();
  #token = '';

  private constructor(network: Network, members: Member[]) {
    this.network = network;
    this.members = members;
  }

  static async make(members: Member[], wishes: Wishes = {}): Promise<NetCluster> {
    const network = await Network.make([...members.map((one) => one.host), CLIENT_HOST]);
    try {
      const cluster = new NetCluster(network, members);
      for (const member of members) cluster.#place(member.host, wishes);
      await cluster.#found();
      return cluster;
    } catch (error) {
      network.destroy();
      throw error;
    }
  }

  #place(host: string, wishes: Wishes): void {
    const at = path.join(this.network.folder, host);
    const small = wishes.smallDisks?.[host];
    if (small) this.disks.set(host, new SmallDisk(at, small));
    const { folder } = this.network;
    const clock = wishes.falseClocks?.[host];
    if (clock) this.clocks.set(host, new FalseClock(path.join(folder, `${host}.clock`), clock));
    if (wishes.badDisks?.includes(host)) this.badDisks.set(host, new BadDisk({ folder, name: host, part: `${at}/` }));
    const environments = [this.clocks.get(host)?.environment, this.badDisks.get(host)?.environment];
    const preloaded = environments.flatMap((one) => one?.['LD_PRELOAD'] ?? []).join(':');
    const environment = Object.assign({}, ...environments, preloaded ? { LD_PRELOAD: preloaded } : {});
    this.nodes.push(new HostNode(this.network, host, path.join(at, 'data'), environment));
  }

  async #found(): Promise<void> {
    mkdirSync(this.#marks, { recursive: true });
    const [first, ...others] = this.nodes as [HostNode, ...HostNode[]];
    await first.mustCommand(['init', '--cluster', 'net', '--name', first.host]);
    await first.start();
    await eventually('the first node leads', async () => (await first.ask('GET', '/readyz')).status === 200);
    for (const node of others) await this.#join(first, node);
    await this.settled().catch(async (error) => {
      throw new Error(`${error.message}\n${await this.#seen()}`);
    });
    await first.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
    // Not to be cancelled between the making of the file and its line.
    const line = `echo "$BINNACLE_RUN $BINNACLE_TASK $BINNACLE_ATTEMPT" >>'${this.#marks}'/"$BINNACLE_RUN"`;
    const mark = `#!/bin/sh\ntrap '' TERM\n${line}\ntrap - TERM\n`;
    await first.put('work', 'mark.sh', mark, '?executable=1');
    await first.put('work', 'wait.sh', `${mark}exec sleep 2\n`, '?executable=1');
    this.#token = (await first.must<{ secret: string }>('POST', '/api/v1/tokens', { role: 'operator' })).secret;
  }

  /** What each node says of the cluster and has logged, for who has to find out why it does not settle. */
  async #seen(): Promise<string> {
    const said: string[] = [];
    for (const node of this.nodes) {
      const { thisNode, state, term, mode, standby, watch, charter, fresh, waitsFor } = (await this.view(node)) ?? {};
      const seen = { roles: thisNode?.roles, state, term, mode, standby, watch, charter, fresh, waitsFor };
      said.push(`${node.host}: ${JSON.stringify(seen)}`, node.log.slice(-4_000));
    }
    return said.join('\n');
  }

  async #join(member: HostNode, node: HostNode): Promise<void> {
    const duties = this.members.find((one) => one.host === node.host)!.duties;
    const { code } = await member.mustCommand<{ code: string }>([
      'invite',
      ...duties.flatMap((duty) => ['--role', duty]),
    ]);
    await node.mustCommand(['join', code, '--name', node.host]);
    await node.start();
  }

  get #marks(): string {
    return path.join(this.network.folder, 'marks');
  }

  node(host: string): HostNode {
    return this.nodes.find((one) => one.host === host)!;
  }

  get controllers(): HostNode[] {
    return this.nodes.filter((_, at) => this.members[at]!.duties.includes('controller'));
  }

  get hosts(): string[] {
    return this.members.map((one) => one.host);
  }

  /** As this node sees it; null when it does not answer now. */
  async view(node: HostNode): Promise<Cluster | null> {
    if (!node.isUp()) return null;
    const answer = await node.ask('GET', '/api/v1/cluster').catch(() => null);
    return answer?.status === 200 ? (answer.json() as Cluster) : null;
  }

  /** The one that says of itself that it leads, or null. */
  async active(): Promise<HostNode | null> {
    for (const node of this.controllers) {
      const seen = await this.view(node);
      if (seen?.thisNode.roles.includes('active') && seen.state === 'working') return node;
    }
    return null;
  }

  /** Waits until all is as it should be: one leads, the other keeps step, the watch has its seat. */
  settled(deadlineMs = SETTLED_MS): Promise<HostNode> {
    return eventually(
      'the cluster has settled',
      async () => {
        const active = await this.active();
        const seen = active && (await this.view(active));
        if (!seen?.fresh) return false;
        if (this.members.length === 1) return active;
        const whole = seen.mode === 'paired' && seen.standby !== null && seen.watch !== null;
        return whole && seen.charter?.voters.length === 1 && active;
      },
      deadlineMs,
    );
  }

  startClients(seed: number, other: Partial<Task> = {}): Clients {
    const { authority } = JSON.parse(
      readFileSync(path.join(this.nodes[0]!.data, 'trust', 'identity.json'), 'utf8'),
    ) as {
      authority: { cert: string };
    };
    return Clients.start(this.network, CLIENT_HOST, {
      ...usual,
      nodes: this.nodes.map((node) => ({ name: node.host, url: node.url })),
      authority: authority.cert,
      token: this.#token,
      seed,
      ...other,
    });
  }

  marks(): Marks {
    return new Map(
      readdirSync(this.#marks).map((run) => [
        run,
        readFileSync(path.join(this.#marks, run), 'utf8').trim().split('\n'),
      ]),
    );
  }

  /** Every run there is, when all have ended. */
  async endedRuns(): Promise<RunSummary[]> {
    return eventually(
      'every run has ended',
      async () => {
        const runs = await everyRun(await this.settled());
        return runs.every((run) => hasEnded(run as Run)) && runs;
      },
      RUNS_END_MS,
    );
  }

  /** The journals of all controllers at one moment: their processes stand still while they are read. */
  async journalsAtRest(): Promise<SeenJournal[]> {
    let journals: SeenJournal[] = [];
    await eventually('the journals end alike', () => {
      const pids = this.controllers.map((node) => node.child!.pid!);
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      try {
        journals = this.controllers.map((node) => lookAtJournal(node.host, node.data));
      } finally {
        for (const pid of pids) process.kill(pid, 'SIGCONT');
      }
      return new Set(journals.map((one) => one.entries.at(-1)?.index)).size === 1;
    }).catch((error) => {
      if (journals.length === 0) throw error; // that they differ is for the checks to say
    });
    return journals;
  }

  /** Ends the nodes and says which processes are left although every job has ended. */
  async leaked(): Promise<string[]> {
    for (const node of this.nodes) await node.kill();
    const left = () => this.hosts.flatMap((host) => this.network.processes(host));
    await eventually('no process is left', () => left().length === 0, 10_000).catch(() => {});
    return left().map((pid) => {
      const words = existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
      return `leaked: process ${pid} ${words.replaceAll('\0', ' ')}`;
    });
  }

  destroy(): void {
    for (const disk of this.disks.values()) disk.remove();
    this.network.destroy();
  }
}

async function everyRun(at: HostNode): Promise<RunSummary[]> {
  const runs: RunSummary[] = [];
  let cursor = '';
  do {
    const page = await at.must<{ runs: RunSummary[]; cursor?: string }>('GET', `/api/v1/runs?limit=500${cursor}`);
    runs.push(...page.runs);
    cursor = page.cursor ? `&cursor=${encodeURIComponent(page.cursor)}` : '';
  } while (cursor);
  return runs;
}
