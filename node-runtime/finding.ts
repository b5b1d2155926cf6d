/**
 * Tells the network of this node, and keeps what is around: the wiring of
 * discovery to a running node, and a short look for one that is none yet.
 *
 * What is found is shown to people, and a running node dials nothing of it.
 * Who runs `join --ask` without an address asks at one, and six words show
 * whose it is. Where a node is reached is told between members
 * (`whereabouts.ts`), over connections that proved who they are.
 */
import type { Discovered } from './contract/model.ts';
import { PROTOCOL_VERSION } from './core/cluster/messages.ts';
import { makeDiscovery } from './io/discovery/discovery.ts';
import type { Found } from './io/discovery/found.ts';
import type { NodeLog } from './io/machine/log.ts';

/** `own`: by our own mDNS. `all`: also by the library mdns-js, in a thread that may be ended. */
export type HowToFind = 'off' | 'own' | 'all';
export type Finding = {
  discovered(): Discovered[];
  /** Its duties are others now. */
  announce(role: string): void;
  stop(): Promise<void>;
};

type Self = { cluster: string; clusterName: string; node: string; name: string; port: number };

/** `isMember` knows the nodes of this cluster. `port`: where this one is asked to let others in. */
export function startFinding(
  self: Self,
  given: { how: Exclude<HowToFind, 'off'>; role: string; isMember(node: string): boolean; log: NodeLog },
): Finding {
  const discovery = makeDiscovery({ onChange: () => undefined, log: given.log, mdnsJs: given.how === 'all' });
  const announce = (role: string): void => discovery.announce({ ...self, role, version: String(PROTOCOL_VERSION) });
  discovery.start();
  announce(given.role);
  const relationOf = ({ cluster, node }: Found): Discovered['relation'] => {
    if (cluster === '') return 'address';
    if (cluster !== self.cluster) return 'other';
    return given.isMember(node) ? 'member' : 'stranger';
  };
  return {
    discovered: () => discovery.found().map((found) => ({ ...viewOf(found), relation: relationOf(found) })),
    announce,
    stop: () => discovery.stop(),
  };
}

/** Looks around from a computer that has no node, and says nothing of itself. */
export function startLooking(log: Pick<NodeLog, 'warn'>): Pick<Finding, 'discovered' | 'stop'> {
  const discovery = makeDiscovery({ onChange: () => undefined, log, mdnsJs: false });
  discovery.start();
  return {
    discovered: () => discovery.found().map((one) => ({ ...viewOf(one), relation: 'other' })),
    stop: () => discovery.stop(),
  };
}

export async function lookAround(forMs: number): Promise<Discovered[]> {
  const looking = startLooking({ warn: () => undefined });
  await new Promise((done) => setTimeout(done, forMs));
  const found = looking.discovered();
  await looking.stop();
  return found;
}

const viewOf = ({ seenAt, version: _, ...found }: Found): Omit<Discovered, 'relation'> => ({
  ...found,
  seenAt: new Date(seenAt).toISOString(),
});
