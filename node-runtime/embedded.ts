/**
 * The node inside the desktop program: an Electron utility process.
 *
 * Hears `start` from the shell and serves the private socket it is told: to a
 * person who says what becomes of this computer, as long as it has no node,
 * then for the node (`hosted-node.ts`). Asks the shell for its runner process,
 * which only the shell may start. Says which roles it holds, for the tray.
 * Imports nothing of Electron: `process.parentPort` is all it meets of it.
 */
import { isPaired } from './core/cluster/charter.ts';
import { type Hosted, hostNode } from './hosted-node.ts';
import { JournalError } from './io/journal/errors.ts';
import { machineName } from './io/machine/machine.ts';
import type { Channel } from './io/process/orders.ts';
import { charterOf, headline as headlineOf, rolesOf } from './requests/cluster-words.ts';
import { CannotStart, type RunningNode } from './running-node.ts';

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
const NO_CLUSTER = 'This computer belongs to no cluster yet';
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

let hosted: Hosted | null = null;
/** Null until it is known. */
let hasNode: boolean | null = null;

async function start(told: Extract<FromShell, { type: 'start' }>): Promise<void> {
  try {
    hosted = hostNode({
      data: told.dataDirectory,
      socketDirectory: told.socketDirectory,
      name: told.name || machineName(),
      host: { kind: 'desktop', startRunner },
      example: process.argv.includes('--example'),
      onReady({ socketPath, name, node }) {
        hasNode = node !== null;
        shell.postMessage({ type: 'ready', socketPath, name });
        tellRoles();
      },
    });
    setInterval(tellRoles, ROLES_MS).unref();
    await hosted.run();
    process.exit(0);
  } catch (error) {
    shell.postMessage({ type: 'failed', ...reasonOf(error) });
    setImmediate(() => process.exit(1));
  }
}

let told = '';
function tellRoles(): void {
  const node = hosted?.node() ?? null;
  if (!node && hasNode !== false) return; // it starts, or stops: what was told last holds
  const is = node
    ? { roles: rolesHere(node), headline: headlineOf(node.parts), isPaired: isPaired(charterOf(node.parts)) }
    : { roles: [], headline: NO_CLUSTER, isPaired: false };
  const now = JSON.stringify(is);
  if (now !== told) shell.postMessage({ type: 'roles', ...is });
  told = now;
}

function rolesHere({ parts, loop }: RunningNode): string[] {
  const self = loop.state.self.node;
  const own = parts.directory().nodes.find((one) => one.id === self);
  return rolesOf(parts, self, own?.duties ?? []);
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
      if (hosted) void hosted.stop();
      else process.exit(0);
      break;
    case 'suspend':
      void hosted?.node()?.sleep();
      break;
    case 'resume':
      break; // the loop sees by its own clock that it was away
  }
});
