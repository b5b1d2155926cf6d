/**
 * Where the other nodes were last reached: besides the addresses in the
 * journal, those that nodes tell each other when they meet.
 *
 * Two nodes that both moved while they were apart find each other again by a
 * third that met both. All of it is a hint: an address is tried, and mutual
 * TLS says who is there.
 */
import { limits } from './contract/limits.ts';
import type { Directory, PeerMessage } from './contract/peer-messages.ts';
import type { PeerMember } from './io/http/peers.ts';

export type Whereabouts = {
  /** The members of a directory with all addresses worth trying, the newest first. */
  membersOf(directory: Directory, self: string): PeerMember[];
  /** A node said where it is. True when that is news. */
  told(node: string, addresses: string[]): boolean;
  /** Another node said where others are. True when something is news. */
  heard(hints: { node: string; addresses: string[] }[]): boolean;
  /** What this node can say of others. */
  hints(self: string, own: string[]): Extract<PeerMessage, { kind: 'hints' }>;
};

export function makeWhereabouts(): Whereabouts {
  const known = new Map<string, string[]>();

  function note(node: string, addresses: string[]): boolean {
    if (addresses.length === 0 || known.get(node)?.join() === addresses.join()) return false;
    known.set(node, addresses.slice(0, limits.addressesMax));
    return true;
  }

  return {
    membersOf: ({ nodes }, self) =>
      nodes
        .filter((one) => one.id !== self)
        .map(({ id, addresses }) => ({
          node: id,
          addresses: [...new Set([...(known.get(id) ?? []), ...addresses])].slice(0, limits.addressesMax),
        })),
    told: note,
    heard: (hints) => hints.map(({ node, addresses }) => note(node, addresses)).includes(true),
    hints: (self, own) => ({
      kind: 'hints',
      nodes: [...known, [self, own] as const]
        .filter(([, addresses]) => addresses.length > 0)
        .slice(0, limits.nodesMax)
        .map(([node, addresses]) => ({ node, addresses })),
    }),
  };
}
