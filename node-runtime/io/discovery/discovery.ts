/**
 * Which nodes are around: one bounded list from three sources, and word of
 * every change to it.
 *
 * `builtin` is our own mDNS, `mdnsJs` the guarded library of that name, which
 * is off where it does not load, `static` what somebody typed. The same node
 * by any source is one result.
 *
 * All that is found is a HINT. Anybody on the link can say anything: an
 * address is worth a try, and mutual TLS says who is there. Nodes of other
 * clusters are in the list too; nobody joins one because of that. That a node
 * vanished says nothing of its life, nor does its being here.
 *
 * Leaves out connecting, joining and trusting.
 */
import { Builtin, type Dropped } from './builtin.ts';
import { type Change, changesBetween, type Found, keyOf, merge } from './found.ts';
import type { Announced } from './hints.ts';
import type { IsUsed } from './links.ts';
import { MdnsJs } from './mdns-js.ts';
import { typedFound } from './typed.ts';

export type Discovery = {
  start(): void;
  /** What others are told of this node; null: nothing. Throws for what cannot be told. */
  announce(self: Announced | null): void;
  /** Addresses somebody typed, in place of those before. */
  setAddresses(addresses: string[]): void;
  /** Known now, this node left out. */
  found(): Found[];
  /** Packets that were dropped since the start. */
  dropped(): Dropped;
  /** Says goodbye. */
  stop(): Promise<void>;
};
export type DiscoveryOptions = {
  /** Typed addresses. */
  addresses?: string[];
  onChange(change: Change): void;
  log: { warn(fields: object, message: string): void };
  /** Which sources besides the typed addresses; both when left out. */
  builtin?: boolean;
  mdnsJs?: boolean;
  /** All but loopback when left out. */
  isUsed?: IsUsed;
  /** Another port and another program in the guarded thread, for tests. */
  port?: number;
  mdnsJsWorker?: URL;
};

const MDNS_PORT = 5353;
/** What comes in one burst is one change. */
const GATHER_MS = 50;
const FAULTS_TOLD_MAX = 200;

export function makeDiscovery(options: DiscoveryOptions): Discovery {
  const { log, onChange } = options;
  const told = new Set<string>();
  let typed = typedFound(options.addresses ?? [], Date.now());
  let list: Found[] = [];
  let heardByUs: Found[] = [];
  /** This node, also after it was announced last: its own goodbye comes back to it. */
  const own = new Set<string>();
  let gathering: NodeJS.Timeout | undefined;
  let stopped = false;

  const builtin =
    options.builtin === false
      ? null
      : new Builtin({
          port: options.port ?? MDNS_PORT,
          isUsed: options.isUsed ?? ((_name, isLoopback) => !isLoopback),
          onHeard: lookSoon,
          onFault: warnOnce,
        });
  const mdnsJs =
    options.mdnsJs === false
      ? null
      : new MdnsJs({
          onHeard: lookSoon,
          onGivenUp: (why) => log.warn({ why }, 'The library mdns-js is off from now on. Our own discovery goes on.'),
          ...(options.mdnsJsWorker && { worker: options.mdnsJsWorker }),
        });

  function warnOnce(linkName: string, fault: NodeJS.ErrnoException): void {
    const key = `${linkName} ${fault.code ?? fault.message}`;
    if (told.has(key) || told.size >= FAULTS_TOLD_MAX) return;
    told.add(key);
    log.warn({ err: fault, interface: linkName }, 'Nodes may not be found through this interface.');
  }

  function lookSoon(): void {
    if (!stopped) gathering ??= setTimeout(look, GATHER_MS);
  }

  function look(): void {
    gathering = undefined;
    const heard = builtin?.found() ?? [];
    // The library never hears that somebody left.
    for (const { found } of changesBetween(heardByUs, heard).filter(({ kind }) => kind === 'vanished')) {
      mdnsJs?.forget(keyOf(found));
    }
    heardByUs = heard;
    const others = [heard, mdnsJs?.found() ?? []].map((found) => found.filter((one) => !own.has(keyOf(one))));
    const before = list;
    list = merge([...others, typed]);
    for (const change of changesBetween(before, list)) onChange(change);
  }

  return {
    start() {
      builtin?.start();
      mdnsJs?.start();
      lookSoon();
    },
    announce(self) {
      if (self) own.add(`${self.cluster} ${self.node}`);
      builtin?.announce(self);
      lookSoon();
    },
    setAddresses(addresses) {
      typed = typedFound(addresses, Date.now());
      lookSoon();
    },
    found: () => list.map((found) => ({ ...found, addresses: [...found.addresses] })),
    dropped: () => builtin?.dropped ?? { bad: 0, offLink: 0, tooMany: 0, turnedAway: 0 },
    async stop() {
      stopped = true;
      clearTimeout(gathering);
      await Promise.all([builtin?.stop(), mdnsJs?.stop()]);
    },
  };
}
