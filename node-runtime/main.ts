/**
 * The command line's entry: gives it a terminal and the few acts that need a
 * node inside this process (init, node, demo, doctor, and borrowing a stopped
 * node). Everything else a command does goes over HTTP like any program.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { examine } from './doctor.ts';
import { found, isFounded } from './founding.ts';
import type { LocalActs } from './io/cli/outside.ts';
import { runCommandLine } from './io/cli/command-line.ts';
import { makeLog } from './io/machine/log.ts';
import { forkRunner } from './io/process/fork-runner.ts';
import { CannotStart, type RunningNode, startNode } from './running-node.ts';
import { programVersion } from './version.ts';

const daemon = { kind: 'daemon', startRunner: forkRunner } as const;
/** Where the browser console of `demo` is served, if that port is free. */
const DEMO_LISTEN = '127.0.0.1:7400';

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

async function signInAddress(node: RunningNode): Promise<string> {
  const { handlers } = node;
  const link = await handlers.signInLink({ caller: { by: 'desktop', name: 'desktop', role: 'admin', kind: 'desktop' }, body: {} });
  return `${node.url}/#/link/${link.code}`;
}

async function startAnywhere(data: string): Promise<RunningNode> {
  const options = { data, host: daemon, example: true, log: makeLog('demo', process.env['BINNACLE_LOG'] ?? 'warn') };
  try {
    return await startNode({ ...options, listen: DEMO_LISTEN });
  } catch (error) {
    if (!(error instanceof CannotStart) || error.code !== 'cannot_listen') throw error;
    return startNode({ ...options, listen: '127.0.0.1:0' });
  }
}

const acts: LocalActs = {
  init: found,

  async node({ data, listen, name, example, onReady }) {
    const node = await startNode({ data, listen, host: daemon, ...(name ? { name } : {}), ...(example ? { example } : {}) });
    onReady(node);
    return untilStopped(node);
  },

  async demo({ keep, say }) {
    const data = keep ?? (await mkdtemp(path.join(tmpdir(), 'binnacle-demo-')));
    try {
      if (!isFounded(data)) await found({ data, cluster: 'my-lab' });
      const node = await startAnywhere(data);
      say(`Binnacle is running. Open this address; it signs you in once, within ten minutes:`);
      say(`  ${await signInAddress(node)}`);
      say(`Its certificate is self-made, so the browser warns once. Fingerprint ${node.fingerprint}`);
      say(keep ? `Everything is kept in ${data}. Ctrl-C stops it.` : 'Everything is thrown away when you stop it with Ctrl-C.');
      return await untilStopped(node);
    } finally {
      if (!keep) await rm(data, { recursive: true, force: true });
    }
  },

  doctor: ({ data }) => examine(data),

  async offline(data) {
    const node = await startNode({ data, listen: null, host: null, log: makeLog('offline', 'error') });
    return { socketPath: node.socketPath, stop: () => node.stop() };
  },
};

process.exitCode = await runCommandLine(process.argv.slice(2), acts, {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
  columns: process.stdout.columns ?? 80,
  env: process.env,
  stdin: process.stdin,
  version: programVersion,
});
