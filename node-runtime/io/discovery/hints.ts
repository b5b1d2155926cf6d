/**
 * What a node says of itself in a TXT record, and what is believed of it. Pure.
 *
 * Believed means: kept as a hint. Anybody on the link can say anything, so
 * each value has a form and a bound, and one that has not makes all of it
 * worthless. There is never a secret in it.
 */
import { isIP } from 'node:net';
import { bounds } from './bounds.ts';

/** What a node tells of itself. */
export type Announced = {
  cluster: string;
  clusterName: string;
  node: string;
  name: string;
  role: string;
  /** Of the protocol. */
  version: string;
  /** Where it is asked to let others in. */
  port: number;
};

const ID = /^[a-z0-9][a-z0-9-]{0,39}$/i;
const WORD = /^[\w.+-]{1,24}$/;
const keys = ['v', 'cluster', 'clustername', 'node', 'name', 'role', 'port'] as const;

/** One string a pair. Names are cut to their bound; anything else that does not fit is a mistake of ours. */
export function textStrings(self: Announced): string[] {
  const { cluster, node, role, version, port } = self;
  const isWell = ID.test(cluster) && ID.test(node) && WORD.test(role) && WORD.test(version) && isPort(port);
  if (!isWell) throw new Error(`This cannot be announced: ${JSON.stringify(self)}`);
  const names = [`clustername=${cut(self.clusterName)}`, `name=${cut(self.name)}`];
  const strings = [`v=${version}`, `cluster=${cluster}`, `node=${node}`, `role=${role}`, `port=${port}`, ...names];
  const bytes = strings.reduce((sum, one) => sum + Buffer.byteLength(one) + 1, 0);
  if (bytes > bounds.ownTextBytesMax) throw new Error(`${bytes} bytes are too many to announce.`);
  return strings;
}

/**
 * Null when it is not what a node would say. A key that comes twice is refused
 * too: that is what two nodes look like to a library that mixes them up.
 */
export function announcedBy(strings: string[], port: number): Announced | null {
  const said = new Map<string, string>();
  for (const one of strings) {
    const at = one.indexOf('=');
    const key = one.slice(0, Math.max(at, 0)).toLowerCase();
    if (!(keys as readonly string[]).includes(key)) continue; // of a later version
    if (said.has(key)) return null;
    said.set(key, one.slice(at + 1));
  }
  const get = (key: (typeof keys)[number]): string => said.get(key) ?? '';
  const [version, cluster, node, role] = [get('v'), get('cluster'), get('node'), get('role')];
  if (![cluster, node].every((id) => ID.test(id)) || ![version, role].every((word) => WORD.test(word))) return null;
  if (get('port') !== String(port) || !isPort(port)) return null;
  const [clusterName, name] = [shown(get('clustername')) || cluster, shown(get('name')) || node];
  return { cluster, clusterName, node, name, role, version, port };
}

/** Whether an address may lead to another node. Those of a machine itself are heard only on its loopback. */
export function isPlausible(address: string, onLoopback: boolean): boolean {
  if (isIP(address) === 4) {
    const first = Number(address.split('.')[0]);
    return first !== 0 && first < 224 && (first === 127) === onLoopback;
  }
  return isIP(address) === 6 && !address.startsWith('::') && !address.toLowerCase().startsWith('ff');
}

/** `host:port`. An address of one link only says which. */
export function addressText(address: string, port: number, scope: string): string {
  if (isIP(address) === 4) return `${address}:${port}`;
  return isLinkLocal(address) ? `[${address}%${scope}]:${port}` : `[${address}]:${port}`;
}

export const isLinkLocal = (address: string): boolean => /^fe[89ab][0-9a-f]:/i.test(address);

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535;

/** For the eyes of people: no control or direction characters, and not endless. */
const shown = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/gu, '').slice(0, bounds.nameCharsMax);

/** At most so many bytes, and no half character. */
function cut(text: string): string {
  let kept = '';
  for (const letter of text) {
    if (Buffer.byteLength(kept + letter) > bounds.ownNameBytesMax) break;
    kept += letter;
  }
  return kept;
}
