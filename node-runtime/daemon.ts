/**
 * A node that runs as a process of its own: `binnacle node`, `binnacle demo`,
 * and a stopped node borrowed for one command. Ends in order on a signal.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Duty } from './contract/facts.ts';
import { votersOf, writersOf } from './core/cluster/charter.ts';
import type { Register } from './core/cluster/register.ts';
import { isActive } from './core/node-state.ts';
import { found, isFounded, places } from './founding.ts';
import type { LocalActs } from './io/cli/outside.ts';
import { openJournal } from './io/journal/journal.ts';
import { makeLog } from './io/machine/log.ts';
import { forkRunner } from './io/process/fork-runner.ts';
import { join } from './joining.ts';
import { untilActive, whoActs } from './requests/examples.ts';
import { makeSignInLink } from './requests/people.ts';
import { CannotStart, type RunningNode, startNode } from './running-node.ts';

const host = { kind: 'daemon', startRunner: () => forkRunner() } as const;
/** Where the browser console of `demo` is served, if that port is free. */
const DEMO_LISTEN = '127.0.0.1:7400';
const DEMO_JOIN_MS = 30_000;

export const runNode: LocalActs['node'] = async ({ data, listen, peers, name, example, links, discovery, onReady }) => {
  const node = await startNode({
    data,
    listen,
    ...withPeers(peers ?? besideDoor(listen)),
    host,
    ...(name ? { name } : {}),
    ...(example ? { example } : {}),
    ...(links ? { timing: links } : {}),
    ...(discovery ? { discovery } : {}),
  });
  onReady(node);
  return untilStopped(node);
};

/** Two controllers, a watch and workers: what a small lab would have, in one process. */
const demoDuties: Duty[][] = [['controller', 'worker'], ['controller'], ['watch'], ['worker'], ['worker']];
const demoNames = ['ctl-a', 'ctl-b', 'deck-1', 'bench-1', 'bench-2'];

export const runDemo: LocalActs['demo'] = async ({ keep, say, nodes }) => {
  const data = keep ?? (await mkdtemp(path.join(tmpdir(), 'binnacle-demo-')));
  const others: RunningNode[] = [];
  try {
    const at = (place: number) => path.join(data, nameAt(place));
    if (!isFounded(at(0))) await found({ data: at(0), cluster: 'my-lab', name: nameAt(0) });
    const node = await startAnywhere(at(0));
    // Those of an earlier start first: the others may have to agree before anybody is active.
    const places = Array.from({ length: nodes - 1 }, (_, place) => place + 1);
    for (const place of places) if (isFounded(at(place))) others.push(await startBeside(at(place), place));
    for (const place of places) {
      if (isFounded(at(place))) continue;
      await joinBeside([node, ...others], at(place), place);
      others.push(await startBeside(at(place), place));
    }
    say('Binnacle is running. Open this address; it signs you in once, within ten minutes:');
    say(`  ${await signInAddress(node, others)}`);
    say(`Its certificate is self-made, so the browser warns once. Fingerprint ${node.fingerprint}`);
    if (others.length > 0) {
      say(
        `${others.length + 1} nodes: ${[node, ...others].map((one) => one.name).join(', ')}. Try, in another terminal:`,
      );
      say(`  binnacle status --data ${at(0)}`);
      say(`  binnacle switch-over --data ${at(0)}`);
    }
    say(
      keep
        ? `Everything is kept in ${data}. Ctrl-C stops it.`
        : 'Everything is thrown away when you stop it with Ctrl-C.',
    );
    return await untilStopped(node);
  } finally {
    for (const other of others.reverse()) await other.stop().catch(() => {});
    if (!keep) await rm(data, { recursive: true, force: true });
  }
};

const nameAt = (place: number): string => demoNames[place] ?? `bench-${place - 2}`;

/** Whoever is active by then lets it in; while seats change nobody is, for a moment. */
async function joinBeside(members: RunningNode[], data: string, place: number): Promise<void> {
  const until = performance.now() + DEMO_JOIN_MS;
  for (;;) {
    const active = members.find((one) => isActive(one.loop.state) && one.url !== null);
    const invited = active && (await active.handlers.invite(desktopAsks({ duties: demoDuties[place] ?? ['worker'] })));
    if (invited && !('code' in invited)) {
      await join({ data, code: (invited.body as { code: string }).code, name: nameAt(place) });
      return;
    }
    if (performance.now() > until) throw new Error(invited ? invited.detail : 'No node of the demo became active.');
    await new Promise((next) => setTimeout(next, 100));
  }
}

async function startBeside(data: string, place: number): Promise<RunningNode> {
  const log = makeLog(nameAt(place), process.env['BINNACLE_LOG'] ?? 'warn');
  return startNode({ data, host, listen: null, peers: '127.0.0.1:0', log });
}

/** A request of this computer's user, without the way over the socket. */
const desktopAsks = <B>(body: B) =>
  ({
    caller: { by: 'desktop', name: 'this computer', role: 'admin', kind: 'desktop' },
    ...{ params: {}, query: {}, body, key: null, headers: {}, requestHash: '', head: false, address: 'local' },
    ...{ secure: false, signal: new AbortController().signal },
  }) as never;

/** Left out, a node of several takes any free port. */
const withPeers = (peers: string | null) => (peers === null ? {} : { peers });

/** The other nodes come by the next port, unless told otherwise. */
function besideDoor(listen: string | null): string | null {
  const match = /^(.*):(\d{1,5})$/.exec(listen ?? '');
  if (!match) return null;
  const port = Number(match[2]);
  return `${match[1]}:${port === 0 ? 0 : port + 1}`;
}

/** Starts the node of a folder without network and without starting tasks, for one command. */
export const borrowNode: LocalActs['offline'] = async (data) => {
  await refuseOneOfSeveral(data);
  const node = await startNode({ data, listen: null, peers: null, host: null, log: makeLog('offline', 'error') });
  await untilActive(node.loop);
  return { socketPath: node.socketPath, stop: () => node.stop() };
};

/** Others have to agree before it may act: borrowing it for a command would only wait, and disturb them. */
async function refuseOneOfSeveral(data: string): Promise<void> {
  const journal = await openJournal({ directory: places(data).journal, onFault: () => {} });
  const { register: text } = journal.opened;
  await journal.close();
  if (text === null) return; // said better by whoever starts it
  const { accepted, node } = JSON.parse(text) as Register;
  const nodes = [...votersOf(accepted).map((one) => one.node), ...writersOf(accepted)];
  if (nodes.length > 0 && nodes.every((one) => one === node)) return;
  throw new CannotStart(
    'no_active',
    `The node in ${data} is one of several, and is not running.`,
    'Start it, or ask another node of the cluster by --url or --data.',
  );
}

/** Runs until a signal asks to stop, or the node has to. Gives the exit code. */
async function untilStopped(node: RunningNode): Promise<number> {
  const ask = () => void node.stop();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, ask);
  try {
    await node.stopped;
    return 0;
  } catch {
    return 1; // the log says why
  } finally {
    for (const signal of signals) process.off(signal, ask);
  }
}

async function startAnywhere(data: string): Promise<RunningNode> {
  const options = {
    data,
    host,
    example: true,
    peers: '127.0.0.1:0',
    log: makeLog('demo', process.env['BINNACLE_LOG'] ?? 'warn'),
  };
  try {
    return await startNode({ ...options, listen: DEMO_LISTEN });
  } catch (error) {
    if (!(error instanceof CannotStart) || error.code !== 'cannot_listen') throw error;
    return startNode({ ...options, listen: '127.0.0.1:0' });
  }
}

/** The link is made where it can be; every node takes it. */
async function signInAddress(node: RunningNode, others: RunningNode[]): Promise<string> {
  const members = [node, ...others];
  const acts = await whoActs(members.map((one) => one.loop));
  const active = members.find((one) => one.loop === acts) ?? node;
  const link = await makeSignInLink(active.parts, { by: 'desktop', name: 'this computer', kind: 'desktop' }, 'admin');
  if ('detail' in link) throw new CannotStart(link.code, link.detail, 'Start it again.');
  return `${node.url}/#/link/${link.code}`;
}
