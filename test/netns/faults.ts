/**
 * The faults a round may meet, each with a name, a beginning and an end.
 *
 * A fault only breaks something and mends it again; when it begins, how long
 * it lasts and which meet is the schedule's (`schedule.ts`), what has to hold
 * meanwhile is the round's. `end` restores what `begin` broke and is safe to
 * call twice, so that a round that failed half-way can be cleared up.
 */
import type { BadDisk } from '../support/bad-disk.ts';
import type { FalseClock } from '../support/false-clock.ts';
import type { Drop, Network } from '../support/namespaces.ts';
import { type Chances, Relay, type Relayed } from '../support/relay.ts';
import type { SmallDisk } from '../support/small-disk.ts';

export type Fault = {
  name: string;
  begin(): Promise<void>;
  end(): Promise<void>;
};

/** What a fault needs to know of a process that can be killed and started again. */
export type Killable = { name: string; kill(): Promise<void>; start(): Promise<unknown> };

let ordinal = 0;
const unique = (name: string): string => `${name} ${++ordinal}`;

/** kill -9; the end starts it again on the same folder. */
export function killed(...ones: Killable[]): Fault {
  let down = false;
  return {
    name: `kill -9 of ${ones.map((one) => one.name).join(' and ')}`,
    begin: async () => {
      down = true;
      await Promise.all(ones.map((one) => one.kill()));
    },
    end: async () => {
      if (!down) return;
      down = false;
      await Promise.all(ones.map((one) => one.start()));
    },
  };
}

/** SIGSTOP to all processes that `whose` names when it begins; SIGCONT to the same at its end. */
export function paused(name: string, whose: () => number[]): Fault {
  let stopped: number[] = [];
  return {
    name: `SIGSTOP of ${name}`,
    begin: async () => {
      stopped = whose();
      for (const pid of stopped) signal(pid, 'SIGSTOP');
    },
    end: async () => {
      for (const pid of stopped.splice(0)) signal(pid, 'SIGCONT');
    },
  };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it ended meanwhile
  }
}

function dropping(network: Network, name: string, drops: Drop[]): Fault {
  const why = unique(name);
  return { name, begin: () => network.drop(why, drops), end: () => network.drop(why, []) };
}

const bothWays = (one: string, other: string): Drop[] => [
  { from: one, to: other },
  { from: other, to: one },
];

export const cut = (network: Network, one: string, other: string): Fault =>
  dropping(network, `cut between ${one} and ${other}`, bothWays(one, other));

export const cutOneWay = (network: Network, from: string, to: string): Fault =>
  dropping(network, `cut from ${from} to ${to} only`, [{ from, to }]);

/** Cut from all of `others`; who is left out (the clients, say) still reaches it. */
export const cutOff = (network: Network, host: string, others: readonly string[]): Fault =>
  dropping(
    network,
    `${host} cut from ${others.join(', ')}`,
    others.filter((other) => other !== host).flatMap((other) => bothWays(host, other)),
  );

/** So many of a hundred frames between each two of the hosts are lost. */
export const lossy = (network: Network, hosts: readonly string[], percent: number): Fault =>
  dropping(
    network,
    `${percent} % loss among ${hosts.join(', ')}`,
    hosts.flatMap((from) => hosts.filter((to) => to !== from).map((to) => ({ from, to, percent }))),
  );

/** Late, doubled, reordered frames at each of the hosts, by seed. `told` gets what the relays did. */
export function unruly(
  network: Network,
  hosts: readonly string[],
  chances: Chances,
  told: (host: string, relayed: Relayed) => void = () => {},
): Fault {
  const relays = new Map<string, Relay>();
  return {
    name: `late, doubled and reordered frames at ${hosts.join(', ')}`,
    begin: async () => {
      for (const [at, host] of hosts.entries()) {
        relays.set(host, await Relay.put(network, host, { ...chances, seed: chances.seed + at }));
      }
    },
    end: async () => {
      for (const [host, relay] of relays) {
        relays.delete(host);
        told(host, await relay.remove());
      }
    },
  };
}

/** The disk is filled and kept full; the end makes room. */
export function fullDisk(name: string, disk: SmallDisk): Fault {
  let filling: ReturnType<typeof setInterval> | undefined;
  return {
    name: `full disk of ${name}`,
    begin: async () => {
      disk.fill();
      // A checkpoint or a removed file makes room for a moment: a really full disk has none.
      filling = setInterval(() => disk.fill(), 50);
    },
    end: async () => {
      clearInterval(filling);
      disk.makeRoom();
    },
  };
}

/** Every sync waits until the end. */
export function hangingDisk(name: string, disk: BadDisk): Fault {
  return {
    name: `disk of ${name} hangs`,
    begin: async () => disk.become('hangs'),
    end: async () => disk.become('works'),
  };
}

/** Every sync fails; its node is expected to end by itself, and is started again at the end. */
export function failingDisk(disk: BadDisk, node: Killable): Fault {
  let failing = false;
  return {
    name: `disk of ${node.name} fails`,
    begin: async () => {
      failing = true;
      disk.become('fails');
    },
    end: async () => {
      if (!failing) return;
      failing = false;
      disk.become('works');
      await node.kill();
      await node.start();
    },
  };
}

/** The clock jumps by so much. At the end the wall clock is right again; a monotonic clock never goes back. */
export function clockJump(name: string, clock: FalseClock, seconds: number, { back }: { back: boolean }): Fault {
  const before = clock.offsetSeconds;
  return {
    name: `clock of ${name} jumps by ${seconds} s${back ? '' : ', the monotonic one too'}`,
    begin: async () => clock.set(clock.offsetSeconds + seconds),
    end: async () => {
      if (back) clock.set(before);
    },
  };
}

/** Several at once, as one. */
export function together(...faults: Fault[]): Fault {
  return {
    name: faults.map((fault) => fault.name).join(', with '),
    begin: async () => {
      for (const fault of faults) await fault.begin();
    },
    end: async () => {
      for (const fault of faults.toReversed()) await fault.end();
    },
  };
}
