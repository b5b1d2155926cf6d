/**
 * What was heard of other nodes by mDNS, until its time is over. Pure: the
 * clock comes with every call.
 *
 * One entry an instance and link, since an address means something on its link
 * only. A pointer makes an entry; port, text and addresses complete it; it is
 * gone when its pointer is, a second after a goodbye, or when what it lacks
 * does not come. Records of anything else are not kept at all.
 *
 * Promise: bounded, also against one sender that claims to be many nodes. When
 * all is full newcomers are turned away: who is known stays known. Whether any
 * of it is true is not known here; all of it is a hint.
 *
 * Obeys RFC 6762, sections 10.1 (goodbye) and 10.2 (flush).
 */
import { SERVICE } from './answers.ts';
import { bounds } from './bounds.ts';
import type { Found } from './found.ts';
import { type Announced, addressText, announcedBy, isPlausible } from './hints.ts';
import type { HeardRecord } from './packet.ts';

export type Came = { link: string; scope: string; onLoopback: boolean; sender: string };

type Address = { kind: 'A' | 'AAAA'; untilMs: number; heardAtMs: number };
type Instance = {
  name: string;
  came: Came;
  madeAtMs: number;
  heardAtMs: number;
  pointerUntilMs: number;
  target: string;
  port: number;
  serviceUntilMs: number;
  strings: string[];
  textUntilMs: number;
  /** By the address as it is written. */
  addresses: Map<string, Address>;
};
type HeardAddress = HeardRecord & { kind: 'A' | 'AAAA' };

export class Cache {
  /** New instances that found no room. */
  turnedAway = 0;
  readonly #instances = new Map<string, Instance>();
  readonly #perSender = new Map<string, number>();

  get size(): number {
    return this.#instances.size;
  }

  /** The records of one response. In any order: first who there is, then what is said of it. */
  hear(records: HeardRecord[], came: Came, nowMs: number): void {
    for (const record of records) if (record.kind === 'PTR') this.#hearPointer(record, came, nowMs);
    for (const record of records) {
      const instance = this.#instances.get(keyOf(came, record.name));
      if (!instance) continue;
      if (record.kind === 'SRV') hearService(instance, record, nowMs);
      if (record.kind === 'TXT') hearText(instance, record, nowMs);
    }
    const addresses = records.filter((record): record is HeardAddress => record.kind === 'A' || record.kind === 'AAAA');
    if (addresses.length === 0) return;
    const byHost = Map.groupBy(addresses, ({ name }) => name);
    for (const instance of this.#instances.values()) {
      const ofHost = instance.came.link === came.link && byHost.get(instance.target);
      if (ofHost) hearAddresses(instance, ofHost, nowMs);
    }
  }

  #hearPointer(record: HeardRecord & { kind: 'PTR' }, came: Came, nowMs: number): void {
    if (record.name !== SERVICE || !record.target.endsWith(`.${SERVICE}`)) return;
    const key = keyOf(came, record.target);
    const known = this.#instances.get(key);
    if (known) {
      known.pointerUntilMs = until(record, nowMs);
      known.heardAtMs = nowMs;
      return;
    }
    if (record.timeToLiveS === 0) return;
    const ofSender = this.#perSender.get(came.sender) ?? 0;
    if (this.#instances.size >= bounds.instancesMax || ofSender >= bounds.instancesPerSenderMax) {
      this.turnedAway++;
      return;
    }
    this.#perSender.set(came.sender, ofSender + 1);
    this.#instances.set(key, {
      ...{ name: record.target, came, madeAtMs: nowMs, heardAtMs: nowMs, pointerUntilMs: until(record, nowMs) },
      ...{ target: '', port: 0, serviceUntilMs: 0, strings: [], textUntilMs: 0, addresses: new Map() },
    });
  }

  /** Forgets what is over. Says when to look again, null when there is nothing to wait for. */
  expire(nowMs: number): number | null {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [key, instance] of this.#instances) {
      for (const [address, { untilMs }] of instance.addresses) if (untilMs <= nowMs) instance.addresses.delete(address);
      const changesAtMs = isComplete(instance, nowMs)
        ? Math.min(instance.serviceUntilMs, instance.textUntilMs, ...untils(instance))
        : instance.madeAtMs + bounds.incompleteMs;
      if (Math.min(changesAtMs, instance.pointerUntilMs) <= nowMs) this.#forget(key, instance);
      else nextMs = Math.min(nextMs, changesAtMs, instance.pointerUntilMs);
    }
    return nextMs === Number.POSITIVE_INFINITY ? null : nextMs;
  }

  /** What was heard on a link that is gone leads nowhere. */
  forgetLink(link: string): void {
    for (const [key, instance] of this.#instances) if (instance.came.link === link) this.#forget(key, instance);
  }

  #forget(key: string, instance: Instance): void {
    this.#instances.delete(key);
    const left = (this.#perSender.get(instance.came.sender) ?? 0) - 1;
    if (left > 0) this.#perSender.set(instance.came.sender, left);
    else this.#perSender.delete(instance.came.sender);
  }

  /** The nodes, each once, whatever links it was heard on. `seenAt` is told in the clock of `nowMs`. */
  found(nowMs: number): Found[] {
    const nodes = new Map<string, Found>();
    for (const instance of this.#instances.values()) {
      const said = isComplete(instance, nowMs) ? announcedBy(instance.strings, instance.port) : null;
      if (!said) continue;
      const key = `${said.cluster} ${said.node}`;
      const known = nodes.get(key);
      const addresses = [...(known?.addresses ?? []), ...addressesOf(instance)];
      const seenAt = Math.max(known?.seenAt ?? 0, instance.heardAtMs);
      nodes.set(key, foundOf(said, [...new Set(addresses)].slice(0, bounds.addressesPerNodeMax), seenAt));
    }
    return [...nodes.values()];
  }
}

const keyOf = ({ link }: Came, name: string): string => `${link} ${name}`;

function until({ timeToLiveS }: HeardRecord, nowMs: number): number {
  if (timeToLiveS === 0) return nowMs + bounds.goodbyeMs;
  return nowMs + Math.min(timeToLiveS * 1_000, bounds.timeToLiveMsMax);
}

function hearService(instance: Instance, record: HeardRecord & { kind: 'SRV' }, nowMs: number): void {
  if (record.timeToLiveS > 0 && record.target !== instance.target) instance.addresses.clear(); // those of another host
  if (record.timeToLiveS > 0) Object.assign(instance, { target: record.target, port: record.port });
  if (instance.target !== '') instance.serviceUntilMs = until(record, nowMs);
}

function hearText(instance: Instance, record: HeardRecord & { kind: 'TXT' }, nowMs: number): void {
  if (record.timeToLiveS > 0) instance.strings = record.strings;
  if (instance.strings.length > 0) instance.textUntilMs = until(record, nowMs);
}

function hearAddresses(instance: Instance, ofHost: HeardAddress[], nowMs: number): void {
  for (const record of ofHost) {
    const { kind, address } = record;
    const known = instance.addresses.get(address);
    const hasRoom = known !== undefined || instance.addresses.size < bounds.addressesPerNodeMax;
    const isNews = known === undefined && record.timeToLiveS === 0;
    if (!hasRoom || isNews || !isPlausible(address, instance.came.onLoopback)) continue;
    instance.addresses.set(address, { kind, untilMs: until(record, nowMs), heardAtMs: nowMs });
  }
  // Those of the last second may have come in another packet of the same answer.
  const flushed = new Set(ofHost.filter(({ flush }) => flush).map(({ kind }) => kind));
  for (const one of instance.addresses.values()) {
    const isOld = flushed.has(one.kind) && nowMs - one.heardAtMs > bounds.goodbyeMs;
    if (isOld) one.untilMs = Math.min(one.untilMs, nowMs + bounds.goodbyeMs);
  }
}

const isComplete = (instance: Instance, nowMs: number): boolean =>
  instance.serviceUntilMs > nowMs && instance.textUntilMs > nowMs && instance.addresses.size > 0;

const untils = ({ addresses }: Instance): number[] => [...addresses.values()].map(({ untilMs }) => untilMs);

/** IPv4 first; sorted, so that the order of records in a packet is no news. */
function addressesOf({ addresses, port, came }: Instance): string[] {
  const of = (kind: Address['kind']): string[] =>
    [...addresses.keys()].filter((address) => addresses.get(address)!.kind === kind).sort();
  return [...of('A'), ...of('AAAA')].map((address) => addressText(address, port, came.scope));
}

const foundOf = (said: Announced, addresses: string[], seenAt: number): Found => ({
  ...{ cluster: said.cluster, clusterName: said.clusterName, node: said.node, name: said.name, role: said.role },
  ...{ addresses, version: said.version, via: 'mdns', seenAt },
});
