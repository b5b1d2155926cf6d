/**
 * Commands that look at the cluster: status, nodes.
 *
 * They print what the node says of itself and judge nothing. A node that could
 * not confirm what it shows says so, and so does this.
 */
import type { Cluster, Node } from '../../contract/model.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import type { Colour, Column } from './table.ts';
import { counted, durationInWords, momentInWords, plain, sizeInWords } from './words.ts';

export async function status(context: Context): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const cluster = await client.ask('cluster');
    if (context.json) context.document(cluster);
    else {
      const { nodes } = await client.ask('nodes');
      show(context, cluster, nodes.find((node) => node.thisNode)?.fingerprint);
    }
    return exitCodes.ok.code;
  });
}

const stateColours: Record<Cluster['state'], Colour> = {
  working: 'green',
  starting: 'blue',
  waiting: 'yellow',
  read_only: 'yellow',
};

function show(context: Context, cluster: Cluster, fingerprint: string | undefined): void {
  const { paint, say } = context;
  const { thisNode, counts } = cluster;
  say(`${paint(plain(cluster.name), 'bold')}: ${paint(plain(cluster.headline), stateColours[cluster.state])}`);
  say(plain(cluster.survives.sentence));
  for (const wait of cluster.waitsFor) {
    say(`${paint('!', 'yellow')} ${plain(wait.what)} (since ${momentInWords(wait.since)}) ${plain(wait.next)}`);
  }
  if (!cluster.fresh)
    say(`${paint('!', 'yellow')} This is as known at ${momentInWords(cluster.readAt)}, not confirmed.`);
  say('');
  const up = durationInWords(Date.parse(cluster.readAt) - Date.parse(thisNode.startedAt));
  const facts: [string, string][] = [
    [
      'This node',
      `${thisNode.name} (${thisNode.roles.join(', ') || 'no role'}), version ${thisNode.version}, up ${up}`,
    ],
    ['Fingerprint', fingerprint ?? ''],
    ['Active', cluster.active ?? 'none'],
    ['Standby', cluster.standby ?? ''],
    ['Watch', cluster.watch ?? ''],
    ['Term', cluster.term],
    ['Journal', `entry ${cluster.journal.committed} of ${cluster.journal.end}`],
    [
      'Runs',
      `${counts.runsRunning} running, ${counts.runsWaiting} waiting; today ${counted(counts.runsToday, 'run')}, ${counts.failedToday} failed`,
    ],
    ['Holds', `${counted(counts.nodes, 'node')}, ${counted(counts.sandboxes, 'sandbox', 'sandboxes')}`],
  ];
  for (const [name, value] of facts) if (value !== '') say(`${paint(name.padEnd(12), 'grey')}${plain(value)}`);
}

export async function nodes(context: Context): Promise<number> {
  return withNode(context, 'offline', async (client) => {
    const found = await client.ask('nodes');
    if (context.json) context.document(found);
    else context.rows(nodeColumns, found.nodes, 'No nodes.');
    return exitCodes.ok.code;
  });
}

const nodeColumns: Column<Node>[] = [
  { title: 'NODE', cell: (node) => (node.thisNode ? `${node.name} *` : node.name) },
  { title: 'ROLES', cell: (node) => node.roles.join(', ') },
  {
    title: 'STATE',
    cell: (node) => (node.reachable ? 'reachable' : `unreachable since ${momentInWords(node.since)}`),
    colour: (node) => (node.reachable ? 'green' : 'red'),
  },
  { title: 'TASKS', cell: (node) => `${node.tasksRunning}/${node.slots}`, right: true },
  { title: 'CPU', cell: (node) => `${Math.round(node.cpuPercent)} %`, right: true },
  { title: 'MEMORY FREE', cell: (node) => sizeInWords(node.memoryFreeBytes), right: true },
  { title: 'DISK FREE', cell: (node) => sizeInWords(node.diskFreeBytes), right: true },
  { title: 'VERSION', cell: (node) => node.version },
  { title: 'ADDRESS', cell: (node) => node.address ?? '', shrinks: true },
];
