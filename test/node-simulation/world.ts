/**
 * A cluster of whole nodes on one simulated clock: founder, nodes that join,
 * network, disks, runners. Nothing is decided here; the same seed gives the
 * same run.
 */
import type { Charter, Duty, Entry, Fact, StoredEntry } from '../../node-runtime/contract/facts.ts';
import type { Directory } from '../../node-runtime/contract/peer-messages.ts';
import { foundingCharter } from '../../node-runtime/core/cluster/charter.ts';
import { emptyRegister, foundingRegister } from '../../node-runtime/core/cluster/register.ts';
import { foundingTerm } from '../../node-runtime/core/cluster/terms.ts';
import { type Timing, timings } from '../../node-runtime/core/cluster/timing.ts';
import { entryText } from '../../node-runtime/core/folding.ts';
import { isActive } from '../../node-runtime/core/node-state.ts';
import { chainOf, chainStart } from '../../node-runtime/io/journal/chain.ts';
import { dueQueue } from '../simulation/queue.ts';
import { type Chance, chanceOf } from '../simulation/random.ts';
import { Checks, Violation } from './checks.ts';
import { Clients } from './clients.ts';
import { emptyKept } from './disk.ts';
import { Network } from './network.ts';
import { SimNode } from './node.ts';

export const CLUSTER = 'lab';
export const CONTROLLERS = ['ctl-a', 'ctl-b'];
export const JOINING: { id: string; duties: Duty[]; slots: number }[] = [
  { id: 'ctl-b', duties: ['controller'], slots: 0 },
  { id: 'deck-1', duties: ['watch'], slots: 0 },
  { id: 'bench-1', duties: ['worker'], slots: 4 },
  { id: 'bench-2', duties: ['worker'], slots: 4 },
  { id: 'deck-2', duties: ['watch'], slots: 0 },
];
const LOG_KEPT = 60;

export const timing: Timing = {
  ...timings.lan,
  seatAfterMs: 3_000,
  declaredDeadMs: 2_000,
  workerLeaseMs: 4_000,
  workerEndMs: 600,
  tailEntriesMax: 64,
  batchEntriesMax: 16,
  snapshotAfterEntries: 48,
  caughtUpEntries: 12,
};

export class World {
  readonly chance: Chance;
  readonly counts = new Map<string, number>();
  readonly lines: string[] = [];
  readonly nodes = new Map<string, SimNode>();
  readonly network: Network;
  readonly checks: Checks;
  readonly clients: Clients;
  /** In one of three little is kept in memory: a follower that was away gets its entries from disk. */
  readonly timing: Timing;
  now = 0;
  steps = 0;
  faultsUntil = 0;
  private readonly due = dueQueue();
  private readonly tell: ((line: string) => void) | null;
  private stores = 0;
  private lastLed: { node: string; claim: string } | null = null;

  constructor(seed: number, tell: ((line: string) => void) | null) {
    this.chance = chanceOf(seed);
    this.timing = seed % 3 === 0 ? { ...timing, tailEntriesMax: 24 } : timing;
    this.tell = tell;
    this.network = new Network(this);
    this.checks = new Checks(this);
    this.clients = new Clients(this);
  }

  after(ms: number, happens: () => unknown): void {
    this.due.add(this.now + ms, happens as () => void);
  }

  async run(until: number): Promise<void> {
    while (this.due.nextAt() <= until) {
      const next = this.due.take()!;
      this.now = Math.max(this.now, next.at);
      const later: unknown = next.happens();
      if (later instanceof Promise) await later;
    }
    this.now = until;
  }

  count = (what: string): void => void this.counts.set(what, (this.counts.get(what) ?? 0) + 1);

  log(line: string): void {
    const text = `${(this.now / 1_000).toFixed(3).padStart(8)} ${line}`;
    this.lines.push(text);
    if (this.lines.length > LOG_KEPT) this.lines.shift();
    this.tell?.(text);
  }

  fail(what: string): never {
    throw new Violation(what);
  }

  node(id: string): SimNode {
    return this.nodes.get(id) ?? this.fail(`there is no node ${id}`);
  }

  newStore = (): string => `s${++this.stores}`;

  letters(): string {
    return Array.from({ length: 12 }, () => this.chance.whole(0, 35).toString(36)).join('');
  }

  active = (): SimNode[] => [...this.nodes.values()].filter((one) => one.up && !one.waking && isActive(one.state));

  ledBy(node: SimNode, charter: Charter): void {
    if (this.lastLed && this.lastLed.node !== node.id) this.count(charter.claim ? 'claims' : 'fail-overs');
    this.lastLed = { node: node.id, claim: charter.lastClaim ?? '' };
    if (charter.voters.length > 1) this.count('seat changes');
  }

  // ------------------------------------------------------------------ begin

  found(): void {
    const self = { node: 'ctl-a', store: this.newStore() };
    const kept = emptyKept(self.store);
    const facts: Fact[] = [
      { kind: 'clusterFounded', cluster: CLUSTER, name: 'lab', node: self.node, nodeName: self.node },
      { kind: 'sandboxCreated', name: 'work', storage: 'kept', description: '' },
    ];
    let chain = chainStart;
    for (const [place, fact] of facts.entries()) {
      const term = foundingTerm(self.node);
      const entry: Entry = { term, index: place + 1, at: 1_000_000_000, by: 'node', via: self.node, fact };
      const text = entryText(entry);
      chain = chainOf(chain, term, entry.index, text);
      const stored: StoredEntry = { term, index: entry.index, text, chain };
      kept.entries.push(stored);
      kept.history.push(stored);
    }
    kept.records.register = JSON.stringify(foundingRegister(CLUSTER, self, foundingCharter(self, 1_000_000_000)));
    this.add(new SimNode(this, self.node, kept, 1));
    this.looksAround();
  }

  private looksAround(): void {
    this.network.look();
    this.after(20, () => this.looksAround());
  }

  private add(node: SimNode): SimNode {
    this.nodes.set(node.id, node);
    this.log(`${node.id} is started`);
    node.start();
    return node;
  }

  /** What `binnacle join` leaves on the disk of a node that was let in. */
  join(id: string, store: string, slots: number, directory: Directory): void {
    const kept = emptyKept(store);
    kept.records.register = JSON.stringify(emptyRegister(CLUSTER, { node: id, store }));
    kept.records.directory = JSON.stringify(directory);
    const node = this.add(new SimNode(this, id, kept, slots));
    if (id === 'deck-1') node.watchRank = 2;
    if (id === 'ctl-b' && this.chance.happens(0.5)) {
      node.blobsMissing = 3; // contents of files are still on their way
      this.after(this.chance.whole(500, 3_000), () => (node.blobsMissing = 0));
    }
  }
}
