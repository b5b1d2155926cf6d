/** A cluster of certificates, and real listeners of its nodes on loopback. */
import type { TLSSocket } from 'node:tls';
import { type Bounds, boundsWith } from '../../../node-runtime/io/http/bounds.ts';
import { openPeers, type PeerMember, type Peers, type PeersOptions } from '../../../node-runtime/io/http/peers.ts';
import { nodeIdOf } from '../../../node-runtime/io/trust/certificates.ts';
import {
  type Identity,
  identityFrom,
  makeIdentity,
  makeJoinRequest,
  signJoinRequest,
} from '../../../node-runtime/io/trust/identity.ts';

export { nodeIdOf };

const cluster = { clusterName: 'harbour', clusterId: 'c-1' };
const hosts = ['localhost', '127.0.0.1'];

/** The identity of the node that founded a cluster. */
export const founder = (nodeId = 'n-a'): Promise<Identity> =>
  makeIdentity({ ...cluster, nodeName: nodeId, nodeId, hosts });

/** Of a node that joined it. */
export async function joined(authority: Identity, nodeId: string): Promise<Identity> {
  const { key, request } = await makeJoinRequest();
  const cert = await signJoinRequest(authority.authority, request, { nodeName: nodeId, nodeId, hosts });
  const { cert: by } = authority.authority;
  return identityFrom({ ...cluster, nodeName: nodeId, nodeId, authority: { cert: by }, node: { cert, key } });
}

export type Heard = { from: string; message: unknown; bytes: number };
export type Node = {
  peers: Peers;
  identity: Identity;
  heard: Heard[];
  /** `+n-b`, `-n-b why`, in order. */
  happened: string[];
  logged: string[];
  member: PeerMember;
};
export type Wanted = {
  port?: number;
  listen?: false;
  members?: PeerMember[];
  keep?: string[];
  onMessage?: PeersOptions['onMessage'];
  acceptHttp?: (socket: TLSSocket, node: string) => void;
  limits?: Partial<Bounds>;
};

const open = new Set<Peers>();

export async function openNode(identity: Identity, wanted: Wanted = {}): Promise<Node> {
  const heard: Heard[] = [];
  const happened: string[] = [];
  const logged: string[] = [];
  const keep = (_fields: object, message: string): void => void logged.push(message);
  const peers = await openPeers({
    ...{ identity, nodeIdOf, members: wanted.members ?? [], keep: wanted.keep ?? [] },
    listen: wanted.listen === false ? null : { host: '127.0.0.1', port: wanted.port ?? 0 },
    onMessage: wanted.onMessage ?? ((from, message, bytes) => void heard.push({ from, message, bytes })),
    onConnected: (node) => void happened.push(`+${node}`),
    onLost: (node, why) => void happened.push(`-${node} ${why}`),
    toStrangers: 'you are no member',
    acceptHttp: wanted.acceptHttp ?? ((socket) => void socket.destroy()),
    log: { info: keep, warn: keep, error: keep },
    ...(wanted.limits ? { limits: wanted.limits } : {}),
  });
  open.add(peers);
  const member = { node: identity.nodeId, addresses: peers.port === null ? [] : [`127.0.0.1:${peers.port}`] };
  return { peers, identity, heard, happened, logged, member };
}

/** At the end of a test. */
export async function closeNodes(): Promise<void> {
  await Promise.all([...open].map((peers) => peers.close()));
  open.clear();
}

export const bounds = boundsWith();

/** A and B that know each other; A holds the connection. */
export async function pair(wantedA: Wanted = {}, wantedB: Wanted = {}): Promise<[Node, Node]> {
  const idA = await founder();
  const idB = await joined(idA, 'n-b');
  const a = await openNode(idA, wantedA);
  const b = await openNode(idB, { members: [a.member], ...wantedB });
  a.peers.setMembers([b.member], ['n-b']);
  await until('they are connected', () => a.peers.status('n-b').connected && b.peers.status('n-a').connected);
  return [a, b];
}

/** Waits until something is so; fails with the words given after the deadline. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not in ${ms} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}
