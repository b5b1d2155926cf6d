/**
 * The interfaces of this machine as discovery sees them, and on which of them
 * a packet came. Pure: the list of the operating system comes in.
 *
 * A packet tells its sender, not its interface, so a sender that fits none of
 * the networks of this machine is not on a link and is not heard: mDNS is
 * spoken between neighbours.
 */
import { BlockList, isIP } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { bounds } from './bounds.ts';
import { isLinkLocal } from './hints.ts';

export type Link = {
  /** The interface, and what tells it from a later one of the same name. */
  id: string;
  name: string;
  isLoopback: boolean;
  /** What follows `%` in an address of this link. */
  scope: string;
  v4: string[];
  /** Link-local, without scope; null where there is none. */
  v6: string | null;
  v6Index: number;
  /** What this node says it can be reached by, here. */
  announced: string[];
  networks: BlockList;
};

export type IsUsed = (name: string, isLoopback: boolean) => boolean;

export function linksOf(given: NodeJS.Dict<NetworkInterfaceInfo[]>, isUsed: IsUsed): Link[] {
  const links = Object.entries(given).flatMap(([name, addresses]) => {
    const isLoopback = addresses?.some(({ internal }) => internal) ?? false;
    const link = isUsed(name, isLoopback) && addresses ? linkOf(name, isLoopback, addresses) : null;
    return link && (link.v4.length > 0 || link.v6) ? [link] : [];
  });
  return links.slice(0, bounds.linksMax);
}

function linkOf(name: string, isLoopback: boolean, addresses: NetworkInterfaceInfo[]): Link {
  const v4 = addresses.filter((one) => one.family === 'IPv4');
  const v6 = addresses.filter((one) => one.family === 'IPv6' && !one.address.startsWith('::'));
  const local = v6.find(({ address }) => isLinkLocal(address));
  const networks = new BlockList();
  for (const { cidr } of v4) {
    const [network, bits] = cidr?.split('/') ?? [];
    if (network && bits) networks.addSubnet(network, Number(bits), 'ipv4');
  }
  return {
    id: `${name} ${addresses[0]?.mac ?? ''}`,
    ...{ name, isLoopback, networks },
    scope: process.platform === 'win32' ? String(local?.scopeid ?? 0) : name,
    v4: v4.map(({ address }) => address),
    v6: local?.address ?? null,
    v6Index: local?.scopeid ?? 0,
    announced: [...v4, ...v6].map(({ address }) => address).slice(0, bounds.ownAddressesPerLinkMax),
  };
}

/** The link of a sender, by its scope or its network; null for one that is not on a link. */
export function linkOfSender(address: string, links: Link[]): Link | null {
  const [host = '', scope] = address.split('%');
  const isOn = (link: Link): boolean =>
    isIP(host) === 4 ? link.networks.check(host, 'ipv4') : isLinkLocal(host) && link.scope === scope;
  return links.find(isOn) ?? null;
}
