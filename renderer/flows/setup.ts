/**
 * The first screen as steps: what it shows for what the node of this computer
 * says, and what was heard in the network as clusters that can be asked.
 *
 * Everything heard is what somebody says of himself. Pure.
 */
import type { Discovered } from '../../node-runtime/contract/model.ts';
import type { Setup } from '../../node-runtime/contract/setup.ts';

export type Nearby = {
  cluster: string;
  name: string;
  /** Those that say that they belong to it, controllers first. */
  nodes: string[];
  /** Where it can be asked: addresses with commas between. */
  address: string;
};

const ADDRESSES_MAX = 8;

/** Each cluster once, by name. A node without an address can't be asked. */
export function nearbyOf(discovered: readonly Discovered[]): Nearby[] {
  const heard = discovered.filter((one) => one.cluster !== '' && one.addresses.length > 0);
  const found = [...Map.groupBy(heard, (one) => one.cluster).values()].map((nodes): Nearby => {
    const sorted = nodes.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
    const addresses = sorted.flatMap((one) => one.addresses).slice(0, ADDRESSES_MAX);
    const { cluster, clusterName } = sorted[0]!;
    return { cluster, name: clusterName, nodes: sorted.map((one) => one.name), address: addresses.join(',') };
  });
  return found.toSorted((a, b) => a.name.localeCompare(b.name));
}

const rank = (one: Discovered): number => (one.role === 'controller' ? 0 : 1);

/** "ctl-a says so", "ctl-a and 2 more say so". */
export function sayWhoSays(nodes: readonly string[]): string {
  const [first = '', ...more] = nodes;
  if (more.length === 0) return `${first} says so`;
  return more.length === 1 ? `${first} and ${more[0]} say so` : `${first} and ${more.length} more say so`;
}

/** What is going on while nobody can do anything but wait. */
export function sayProgress(step: Setup['step']): string | null {
  if (step === 'founding') return 'Making the cluster…';
  if (step === 'joining') return 'Asking a member of the cluster to take the invite…';
  if (step === 'asking') return 'Asking to be let in…';
  return step === 'starting' || step === 'done' ? 'Starting the node of this computer…' : null;
}
