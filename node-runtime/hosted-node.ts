/**
 * The node of one data folder through the life of the desktop program, all on
 * one private socket: set up by a person if there is none, started, and
 * started anew when it is to be reached otherwise.
 *
 * Knows nothing of who runs it; `embedded.ts` does. A node that has to stop by
 * itself ends all of it, with the reason.
 */
import { refuse } from './contract/errors.ts';
import type { Setup } from './contract/setup.ts';
import { isFounded } from './founding.ts';
import type { Host } from './host.ts';
import { openSetupDoor, type SetupHandlers } from './io/http/setup-door.ts';
import { makeLog } from './io/machine/log.ts';
import { type Reachable, readReach, saveReach } from './reach.ts';
import { CannotStart, type NodeOptions, type RunningNode, socketIn, startNode } from './running-node.ts';
import { startSetup } from './setup.ts';

export type Hosted = {
  /** Resolves when it was stopped; rejects with the reason when it could not go on. */
  run(): Promise<void>;
  node(): RunningNode | null;
  stop(): Promise<void>;
};
type Given = {
  data: string;
  socketDirectory: string;
  /** Proposed; an existing node keeps its own. */
  name: string;
  host: Host;
  example: boolean;
  /** The socket answers: for a node, or for a person who is to say what becomes of this folder. */
  onReady(is: { socketPath: string; name: string; node: RunningNode | null }): void;
};

export function hostNode(given: Given): Hosted {
  const { data, name } = given;
  const socketPath = socketIn(given.socketDirectory);
  let node: RunningNode | null = null;
  let again = false;
  let stopping = false;

  async function untilSetUp(): Promise<void> {
    const log = makeLog(name);
    const setUp = startSetup({ data, name, log });
    const door = await openSetupDoor({ path: socketPath, handlers: setUp.handlers, log });
    given.onReady({ socketPath, name, node: null });
    await Promise.race([setUp.done, new Promise<void>((left) => (leave = left))]);
    await Promise.all([setUp.close(), door.close()]);
  }
  /** Ends the waiting for a person, because everything stops. */
  let leave = (): void => undefined;

  async function runOnce(): Promise<void> {
    const options = {
      ...{ data, host: given.host, socketDirectory: given.socketDirectory, example: given.example },
      setup: besideNode(data, () => node, restartSoon),
    };
    const running = await startReachable(options, await readReach(data));
    node = running;
    if (stopping) void running.stop();
    given.onReady({ socketPath: running.socketPath, name: running.name, node: running });
    try {
      await running.stopped;
    } finally {
      node = null;
    }
  }

  /** After the answer has gone out. */
  function restartSoon(): void {
    again = true;
    setTimeout(() => void node?.stop(), RESTART_MS);
  }

  return {
    async run() {
      if (!isFounded(data)) await untilSetUp();
      while (!stopping) {
        again = false;
        await runOnce();
        if (!again) return;
      }
    },
    node: () => node,
    async stop() {
      stopping = true;
      leave();
      await node?.stop();
    },
  };
}

const RESTART_MS = 100;

/** By the ports it had; by any others when somebody else has taken them meanwhile. What came about is kept. */
async function startReachable(options: NodeOptionsHere, reach: Reachable): Promise<RunningNode> {
  if (!reach.open) return startNode({ ...options, listen: null });
  const tries = [
    { host: BOTH, ...reach },
    { host: BOTH, door: 0, peers: 0 },
    // A system without IPv6.
    { host: '0.0.0.0', ...reach },
    { host: '0.0.0.0', door: 0, peers: 0 },
  ];
  const node = await firstThatListens(
    tries.map(
      ({ host, door, peers }) =>
        () =>
          startNode({ ...options, listen: `${host}:${door}`, peers: `${host}:${peers}` }),
    ),
  );
  const now = { open: true, door: portOf(node.url) ?? reach.door, peers: node.peersPort ?? reach.peers };
  if (now.door !== reach.door || now.peers !== reach.peers) await saveReach(options.data, now);
  return node;
}

async function firstThatListens(tries: (() => Promise<RunningNode>)[]): Promise<RunningNode> {
  const [next, ...others] = tries;
  return next!().catch((error) => {
    if (others.length === 0 || !(error instanceof CannotStart) || error.code !== 'cannot_listen') throw error;
    return firstThatListens(others);
  });
}

type NodeOptionsHere = Omit<NodeOptions, 'listen' | 'peers'>;
/** Every address of this machine, of either family. */
const BOTH = '[::]';
const portOf = (url: string | null): number | null => (url === null ? null : Number(new URL(url).port) || null);

/** The setup routes of a computer that has its node. */
function besideNode(data: string, node: () => RunningNode | null, restart: () => void): SetupHandlers {
  const none = () => refuse('has_node', `${node()?.name ?? 'The node of this computer'} belongs to a cluster already.`);
  const state = async (): Promise<{ body: Setup }> => {
    const { open } = await readReach(data);
    const addresses = node()?.parts.doorAddresses() ?? [];
    const suggested = { name: node()?.name ?? '', cluster: node()?.parts.identity().clusterName ?? '' };
    const step = node() ? 'done' : 'starting'; // its socket answers a moment before it is all there
    return { body: { step, suggested, discovered: [], reach: { open, addresses } } };
  };
  return {
    setup: state,
    ...{ setupFound: none, setupJoin: none, setupAsk: none },
    setupCancel: state,
    async setupReach({ open }) {
      const reach = await readReach(data);
      if (reach.open === open) return state();
      await saveReach(data, { ...reach, open });
      restart();
      return state();
    },
  };
}
