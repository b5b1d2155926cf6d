/**
 * A node that was found, by whatever source, and one list out of several. Pure.
 *
 * The same node by any source is one result, and so is a typed address that
 * turns out to be a node's. Who saw more is believed first: our own mDNS, then
 * the guarded library, then what somebody typed.
 */
import { bounds } from './bounds.ts';

export type Found = {
  /** '' in all of these where only an address is known, because somebody typed it. */
  cluster: string;
  clusterName: string;
  node: string;
  /** Of the node; of a typed address, that address. */
  name: string;
  role: string;
  /** `host:port`, `[v6]:port`, `[v6%link]:port`. */
  addresses: string[];
  /** Of the protocol. */
  version: string;
  via: 'mdns' | 'mdns-js' | 'static';
  /** When it was last heard of, in ms since 1970. */
  seenAt: number;
};
export type Change = { kind: 'appeared' | 'changed' | 'vanished'; found: Found };

/** Names a result for as long as it is there. */
export const keyOf = ({ cluster, node, addresses }: Found): string =>
  node === '' ? `at ${addresses[0]}` : `${cluster} ${node}`;

/** Sources in the order in which they are believed. */
export function merge(sources: Found[][]): Found[] {
  const merged = new Map<string, Found>();
  for (const found of sources.flat()) {
    const known = merged.get(keyOf(found)) ?? (found.node === '' && holderOf(merged, found.addresses[0]!));
    if (known) known.addresses = union(known.addresses, found.addresses);
    else if (merged.size < bounds.instancesMax + bounds.typedAddressesMax) merged.set(keyOf(found), { ...found });
  }
  return [...merged.values()];
}

const holderOf = (merged: Map<string, Found>, address: string): Found | undefined =>
  [...merged.values()].find((one) => one.addresses.includes(address));

const union = (some: string[], more: string[]): string[] =>
  [...new Set([...some, ...more])].slice(0, bounds.addressesPerNodeMax);

/** That it was seen again is no change. */
export function changesBetween(before: Found[], after: Found[]): Change[] {
  const was = new Map(before.map((found) => [keyOf(found), found]));
  const is = new Map(after.map((found) => [keyOf(found), found]));
  const news = after.flatMap((found): Change[] => {
    const old = was.get(keyOf(found));
    if (!old) return [{ kind: 'appeared', found }];
    return isSame(old, found) ? [] : [{ kind: 'changed', found }];
  });
  const gone = before.filter((found) => !is.has(keyOf(found)));
  return [...gone.map((found): Change => ({ kind: 'vanished', found })), ...news];
}

const isSame = (one: Found, other: Found): boolean =>
  JSON.stringify({ ...one, seenAt: 0 }) === JSON.stringify({ ...other, seenAt: 0 });
