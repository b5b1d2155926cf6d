/**
 * Addresses that somebody typed: always there, never changed by what is heard.
 * Pure.
 */
import { isIPv6 } from 'node:net';
import { bounds } from './bounds.ts';
import type { Found } from './found.ts';

const HOST = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;

/** `host:port` or `[v6]:port`. */
export function isAddress(text: string): boolean {
  const [, v6, host, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const isHost = v6 === undefined ? HOST.test(host ?? '') : isIPv6(v6);
  return isHost && Number(port) >= 1 && Number(port) <= 65_535;
}

/** Each once. What is no address is left out: whoever takes it from a person asks `isAddress` first. */
export function typedFound(addresses: string[], nowMs: number): Found[] {
  const good = [...new Set(addresses)].filter(isAddress).slice(0, bounds.typedAddressesMax);
  return good.map((address) => ({
    ...{ cluster: '', clusterName: '', node: '', name: address, role: '' },
    ...{ addresses: [address], version: '', via: 'static', seenAt: nowMs },
  }));
}
