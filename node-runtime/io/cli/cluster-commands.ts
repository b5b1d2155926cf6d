/**
 * Commands that look at the cluster: status, nodes.
 *
 * They print what the node says of itself and judge nothing. A node that could
 * not confirm what it shows says so, and so does this.
 */
import type { Cluster, Discovered, Node } from '../../contract/model.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import type { Colour, Column } from './table.ts';
import { counted, durationInWords, momentInWords, plain, sizeInWords } from './words.ts';

export async function status(context: Context): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const cluster = await client.ask('cluster');
    if (context.json) context.document(cluster);
    else show(context, cluster, (await client.ask('nodes')).nodes);
    return exitCodes.ok.code;
  });
}

const stateColours: Record<Cluster['state'], Colour> = {
  working: 'green',
  starting: 'blue',
  waiting: 'yellow',
  parked: 'yellow',
  read_only: 'yellow',
};

function show(context: Context, cluster: Cluster, nodes: readonly Node[]): void {
  const { paint, say } = context;
  say(`${paint(plain(cluster.name), 'bold')}: ${paint(plain(cluster.headline), stateColours[cluster.state])}`);
  say(plain(cluster.survives.sentence));
  for (const line of notices(cluster)) say(`${paint('!', 'yellow')} ${plain(line)}`);
  say('');
  for (const [name, value] of figures(cluster, nodes)) {
    if (value !== '') say(`${paint(name.padEnd(12), 'grey')}${plain(value)}`);
  }
}

/** What a person has to know before the figures, each with what to do. */
function* notices(cluster: Cluster): Generator<string> {
  const { parked, counts, journal } = cluster;
  if (parked) yield `Stopped by ${stopper(parked.by)}: ${parked.why}. Nobody acts. To end that: binnacle activate`;
  if (cluster.recovery) yield 'This node can go on only after a person confirms a loss: binnacle recover';
  for (const wait of cluster.waitsFor) yield `${wait.what} (since ${momentInWords(wait.since)}) ${wait.next}`;
  if (counts.tasksUnknown > 0) {
    const what = counted(counts.tasksUnknown, 'attempt is', 'attempts are');
    yield `${what} on workers that do not answer; see: binnacle runs --state running,unknown`;
  }
  if (journal.quarantined > 0) {
    yield `${counted(journal.quarantined, 'entry', 'entries')} cut from this journal and kept aside: binnacle quarantine`;
  }
  if (!cluster.fresh) yield `This is as known at ${momentInWords(cluster.readAt)}, not confirmed.`;
}

/** `user:ops` → ops; at a node's own computer nobody signs in. */
const stopper = (by: string): string => (by === 'desktop' ? 'somebody at a node' : by.replace(/^(user|token):/, ''));

function figures(cluster: Cluster, nodes: readonly Node[]): [name: string, value: string][] {
  const { thisNode, counts, journal } = cluster;
  const called = (of: string | null): string => nodes.find((node) => node.id === of)?.name ?? of ?? '';
  const [era, number, leader] = cluster.term.split('.');
  const term = leader === undefined ? cluster.term : [era, number, called(leader)].join('.');
  const isThere = (of: string): boolean =>
    nodes.find((node) => node.id === of || node.name === of)?.reachable !== false;
  const up = durationInWords(Date.parse(cluster.readAt) - Date.parse(thisNode.startedAt));
  const step = journal.lag === 0 ? 'in step' : `${counted(journal.lag, 'entry', 'entries')} behind`;
  return [
    [
      'This node',
      `${thisNode.name} (${thisNode.roles.join(', ') || 'no role'}), version ${thisNode.version}, up ${up}`,
    ],
    ['Fingerprint', nodes.find((node) => node.thisNode)?.fingerprint ?? ''],
    ['Active', called(cluster.active) || 'none'],
    ['Standby', cluster.standby === null ? '' : `${called(cluster.standby)}, ${step}`],
    ['Watch', called(cluster.watch)],
    ['Spare', cluster.spares.map(called).join(', ')],
    ['Can lose', cluster.survives.lossOf.filter(isThere).map(called).join(', or ')],
    ['Term', cluster.charter ? `${term} (${cluster.charter.reason})` : term],
    ['Journal', `entry ${journal.committed} of ${journal.end}`],
    [
      'Runs',
      `${counts.runsRunning} running, ${counts.runsWaiting} waiting; today ${counted(counts.runsToday, 'run')}, ${counts.failedToday} failed`,
    ],
    ['Holds', `${counted(counts.nodes, 'node')}, ${counted(counts.sandboxes, 'sandbox', 'sandboxes')}`],
  ];
}

export async function nodes(context: Context): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const found = await client.ask('nodes');
    if (context.json) context.document(found);
    else context.rows(nodeColumns, found.nodes, 'No nodes.');
    return exitCodes.ok.code;
  });
}

export async function discovered(context: Context): Promise<number> {
  return withNode(context, 'running', async (client) => {
    const found = await client.ask('discovered');
    if (context.json) context.document(found);
    else context.rows(foundColumns, found.discovered, 'No node says in the network that it is there.');
    return exitCodes.ok.code;
  });
}

const relations: Record<Discovered['relation'], string> = {
  member: 'a member',
  stranger: 'says so, but is no member',
  other: 'another cluster',
  address: 'only an address',
};
const foundColumns: Column<Discovered>[] = [
  { title: 'NODE', cell: (each) => plain(each.name), shrinks: true },
  { title: 'CLUSTER', cell: (each) => plain(each.clusterName), shrinks: true },
  { title: 'ROLE', cell: (each) => plain(each.role) },
  { title: 'IS', cell: (each) => relations[each.relation] },
  { title: 'ADDRESS', cell: (each) => each.addresses.map(plain).join(', '), shrinks: true },
  { title: 'HEARD', cell: (each) => momentInWords(each.seenAt) },
];

const stateOf = (node: Node): string => {
  if (!node.reachable) return `unreachable since ${momentInWords(node.since)}`;
  return node.drained ? 'draining' : 'reachable';
};

const nodeColumns: Column<Node>[] = [
  { title: 'NODE', cell: (node) => (node.thisNode ? `${node.name} *` : node.name) },
  { title: 'ROLES', cell: (node) => node.roles.join(', ') },
  { title: 'DUTIES', cell: (node) => node.duties.join(', '), shrinks: true },
  {
    title: 'STATE',
    cell: stateOf,
    colour: (node) => (!node.reachable ? 'red' : node.drained ? 'yellow' : 'green'),
  },
  { title: 'LAG', cell: (node) => (node.lagEntries === undefined ? '' : String(node.lagEntries)), right: true },
  {
    title: 'ANSWERS IN',
    cell: (node) => (node.roundTripMs === undefined ? '' : `${node.roundTripMs.toFixed(1)} ms`),
    right: true,
  },
  { title: 'TASKS', cell: (node) => (node.slots > 0 ? `${node.tasksRunning}/${node.slots}` : ''), right: true },
  { title: 'CPU', cell: (node) => (node.reachable ? `${Math.round(node.cpuPercent)} %` : ''), right: true },
  { title: 'MEMORY FREE', cell: (node) => (node.reachable ? sizeInWords(node.memoryFreeBytes) : ''), right: true },
  { title: 'DISK FREE', cell: (node) => (node.reachable ? sizeInWords(node.diskFreeBytes) : ''), right: true },
  { title: 'VERSION', cell: (node) => node.version },
  { title: 'ADDRESS', cell: (node) => node.address ?? '', shrinks: true },
];
