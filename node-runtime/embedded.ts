/**
 * The node inside the desktop program: an Electron utility process.
 *
 * Hears `start` from the shell, founds a cluster of one the first time, serves
 * the private socket it is told, and asks the shell for its runner process,
 * which only the shell may start. Says which roles it holds, for the tray.
 * Imports nothing of Electron: `process.parentPort` is all it meets of it.
 */
import { found, isFounded } from './founding.ts';
import { JournalError } from './io/journal/errors.ts';
import { machineName } from './io/machine/machine.ts';
import type { Channel } from './io/process/orders.ts';
import { headline as headlineOf, rolesOf } from './requests/cluster-words.ts';
import { CannotStart, type RunningNode, startNode } from './running-node.ts';

type Port = {
  postMessage(message: unknown): void;
  on(event: 'message', hear: (event: { data: unknown; ports?: Port[] }) => void): unknown;
  on(event: 'close', hear: () => void): unknown;
  start?(): void;
};
type FromShell =
  | { type: 'start'; dataDirectory: string; socketDirectory: string; name: string }
  | { type: 'runner'; id: string }
  | { type: 'runnerGone'; id: string; why: string }
  | { type: 'stop' }
  | { type: 'suspend' }
  | { type: 'resume' };

const ROLES_MS = 2_000;
const parent = (process as unknown as { parentPort?: Port }).parentPort;
if (!parent) throw new Error('This file is started by the desktop program. Servers run: binnacle node');
const shell: Port = parent;

// ------------------------------------------------------------ the runner

type Waiting = {
  port: Port | null;
  early: unknown[];
  hear: ((message: unknown) => void)[];
  gone: ((why: string) => void)[];
  why: string | null;
};
const runners = new Map<string, Waiting>();
let runnersAsked = 0;

/** A channel to a runner that the shell is asked for; what is sent before it is there waits. */
function startRunner(): Channel {
  const id = `runner-${++runnersAsked}`;
  const waiting: Waiting = { port: null, early: [], hear: [], gone: [], why: null };
  runners.set(id, waiting);
  shell.postMessage({ type: 'runnerWanted', id });
  return {
    send: (message) => (waiting.port ? waiting.port.postMessage(message) : void waiting.early.push(message)),
    onMessage: (hear) => void waiting.hear.push(hear),
    onGone: (hear) => (waiting.why === null ? void waiting.gone.push(hear) : hear(waiting.why)),
    // The runner ends itself when its line is closed by the shell; here it is only let go.
    stop: () => runnerGone(id, 'It was stopped.'),
  };
}

function joinRunner(id: string, port: Port | undefined): void {
  const waiting = runners.get(id);
  if (!waiting || !port) return;
  waiting.port = port;
  port.on('message', ({ data }) => {
    for (const hear of waiting.hear) hear(data);
  });
  port.on('close', () => runnerGone(id, 'The line to the runner was closed.'));
  port.start?.();
  for (const message of waiting.early.splice(0)) port.postMessage(message);
}

function runnerGone(id: string, why: string): void {
  const waiting = runners.get(id);
  if (!waiting || waiting.why !== null) return;
  runners.delete(id);
  waiting.why = why;
  for (const hear of waiting.gone) hear(why);
}

// -------------------------------------------------------------- the node

let node: RunningNode | null = null;

async function start(told: Extract<FromShell, { type: 'start' }>): Promise<void> {
  try {
    if (!isFounded(told.dataDirectory)) {
      await found({
        data: told.dataDirectory,
        cluster: `${told.name || machineName()}-lab`,
        name: told.name || machineName(),
      });
    }
    node = await startNode({
      data: told.dataDirectory,
      listen: null,
      host: { kind: 'desktop', startRunner },
      socketDirectory: told.socketDirectory,
      example: process.argv.includes('--example'),
    });
    shell.postMessage({ type: 'ready', socketPath: node.socketPath, name: node.name });
    tellRoles();
    setInterval(tellRoles, ROLES_MS).unref();
    await node.stopped;
    process.exit(0);
  } catch (error) {
    shell.postMessage({ type: 'failed', ...reasonOf(error) });
    setImmediate(() => process.exit(1));
  }
}

let told = '';
function tellRoles(): void {
  if (!node) return;
  const { parts } = node;
  const own = parts.directory().nodes.find((one) => one.id === node!.loop.state.self.node);
  const roles = rolesOf(parts, node.loop.state.self.node, own?.duties ?? []);
  const headline = headlineOf(parts);
  const now = JSON.stringify([roles, headline]);
  if (now !== told) shell.postMessage({ type: 'roles', roles, headline });
  told = now;
}

function reasonOf(error: unknown): { code: string; sentence: string; next: string } {
  if (error instanceof CannotStart) return { code: error.code, sentence: error.message, next: error.next };
  if (error instanceof JournalError)
    return {
      code: error.code,
      sentence: error.message,
      next: 'Delete nothing. Close other Binnacle windows, or run: binnacle doctor.',
    };
  return {
    code: 'internal',
    sentence: error instanceof Error ? error.message : String(error),
    next: 'Start Binnacle again; if it stays, look at its log.',
  };
}

shell.on('message', ({ data, ports }) => {
  const message = data as FromShell;
  switch (message.type) {
    case 'start':
      void start(message);
      break;
    case 'runner':
      joinRunner(message.id, ports?.[0]);
      break;
    case 'runnerGone':
      runnerGone(message.id, message.why);
      break;
    case 'stop':
      if (node) void node.stop();
      else process.exit(0);
      break;
    case 'suspend':
      void node?.sleep();
      break;
    case 'resume':
      break; // the loop sees by its own clock that it was away
  }
});
