/**
 * A node that runs as a process of its own: `binnacle node`, `binnacle demo`,
 * and a stopped node borrowed for one command. Ends in order on a signal.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { found, isFounded } from './founding.ts';
import type { LocalActs } from './io/cli/outside.ts';
import { makeLog } from './io/machine/log.ts';
import { forkRunner } from './io/process/fork-runner.ts';
import { untilActive } from './requests/examples.ts';
import { makeSignInLink } from './requests/people.ts';
import { CannotStart, type RunningNode, startNode } from './running-node.ts';

const host = { kind: 'daemon', startRunner: () => forkRunner() } as const;
/** Where the browser console of `demo` is served, if that port is free. */
const DEMO_LISTEN = '127.0.0.1:7400';

export const runNode: LocalActs['node'] = async ({ data, listen, name, example, onReady }) => {
  const node = await startNode({ data, listen, host, ...(name ? { name } : {}), ...(example ? { example } : {}) });
  onReady(node);
  return untilStopped(node);
};

export const runDemo: LocalActs['demo'] = async ({ keep, say }) => {
  const data = keep ?? (await mkdtemp(path.join(tmpdir(), 'binnacle-demo-')));
  try {
    if (!isFounded(data)) await found({ data, cluster: 'my-lab' });
    const node = await startAnywhere(data);
    say('Binnacle is running. Open this address; it signs you in once, within ten minutes:');
    say(`  ${await signInAddress(node)}`);
    say(`Its certificate is self-made, so the browser warns once. Fingerprint ${node.fingerprint}`);
    say(
      keep
        ? `Everything is kept in ${data}. Ctrl-C stops it.`
        : 'Everything is thrown away when you stop it with Ctrl-C.',
    );
    return await untilStopped(node);
  } finally {
    if (!keep) await rm(data, { recursive: true, force: true });
  }
};

/** Starts the node of a folder without network and without starting tasks, for one command. */
export const borrowNode: LocalActs['offline'] = async (data) => {
  const node = await startNode({ data, listen: null, host: null, log: makeLog('offline', 'error') });
  await untilActive(node.loop);
  return { socketPath: node.socketPath, stop: () => node.stop() };
};

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
  const options = { data, host, example: true, log: makeLog('demo', process.env['BINNACLE_LOG'] ?? 'warn') };
  try {
    return await startNode({ ...options, listen: DEMO_LISTEN });
  } catch (error) {
    if (!(error instanceof CannotStart) || error.code !== 'cannot_listen') throw error;
    return startNode({ ...options, listen: '127.0.0.1:0' });
  }
}

async function signInAddress(node: RunningNode): Promise<string> {
  await untilActive(node.loop);
  const link = await makeSignInLink(node.parts, { by: 'desktop', name: 'this computer', kind: 'desktop' }, 'admin');
  if ('detail' in link) throw new CannotStart(link.code, link.detail, 'Start it again.');
  return `${node.url}/#/link/${link.code}`;
}
