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

/** Of one node, besides where it said itself that it is. */
const HEARSAY_MAX = 4;

export function makeWhereabouts(): Whereabouts {
  /** As the nodes themselves said it to this one. Only this is passed on. */
  const met = new Map<string, string[]>();
  /** What others said of them, the newest first. It may be older than what is known: so it is tried as well, never instead. */
  const hearsay = new Map<string, string[]>();

  return {
    membersOf: ({ nodes }, self) =>
      nodes
        .filter((one) => one.id !== self)
        .map(({ id, addresses, key }) => ({
          node: id,
          ...(key && { key }),
          addresses: [...new Set([...(met.get(id) ?? []), ...(hearsay.get(id) ?? []), ...addresses])].slice(
            0,
            limits.addressesMax,
          ),
        })),
    told(node, addresses) {
      if (addresses.length === 0 || met.get(node)?.join() === addresses.join()) return false;
      met.set(node, addresses.slice(0, limits.addressesMax));
      return true;
    },
    heard(hints) {
      let isNews = false;
      for (const { node, addresses } of hints) {
        const known = hearsay.get(node) ?? [];
        const fresh = addresses.filter((one) => !known.includes(one) && !met.get(node)?.includes(one));
        if (fresh.length === 0) continue;
        hearsay.set(node, [...fresh, ...known].slice(0, HEARSAY_MAX));
        isNews = true;
      }
      return isNews;
    },
    hints: (self, own) => ({
      kind: 'hints',
      nodes: [...met, [self, own] as const]
        .filter(([, addresses]) => addresses.length > 0)
        .slice(0, limits.nodesMax)
        .map(([node, addresses]) => ({ node, addresses })),
    }),
  };
}
