/**
 * The other nodes of the cluster, over mutual TLS: framed messages, and HTTP
 * both ways on the same port.
 *
 * A connection is with a member or it is closed: the certificate says which
 * node it is, the set of members whether it still counts. Messages are sent at
 * best effort, in order on one connection, bounded and never waited for; what
 * they mean, and who is a member, is decided elsewhere.
 *
 * Promise: from the moment a node is no member nothing of it is heard and
 * nothing is sent to it, also on connections that were open before.
 */

import type { AddressInfo } from 'node:net';
import { createServer as createTcp, type Socket } from 'node:net';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import type { Log } from './asked.ts';
import { type Bounds, boundsWith } from './bounds.ts';
import { dialNode, NotReached } from './peer-dial.ts';
import { messageFrame } from './peer-frames.ts';
import { PeerLink } from './peer-link.ts';
import { type PeerAnswer, type PeerAsked, PeerRequests, PeerUnreachable } from './peer-requests.ts';
import {
  contextOf,
  contextOptions,
  FRAMED,
  HTTP,
  isOutdated,
  type NodeIdOf,
  type PeerIdentity,
  provedNode,
  WrongKey,
  WrongNode,
} from './peer-trust.ts';

export type PeerMember = {
  node: string;
  /** Hex sha-256 of its public key, once it is known. */
  key?: string;
  /** `host:port`, `[v6]:port` */
  addresses: string[];
};
export type PeerStatus = {
  connected: boolean;
  /** When it became so; `performance.now()`, as all times here. */
  since: number;
  heardAt: number | null;
  sentMessages: number;
  droppedMessages: number;
  roundTripMs: number | null;
};
export type Peers = {
  /** Of the listener; null when there is none. */
  port: number | null;
  /** Best effort; false: dropped, there is no connection or its queue is full. */
  send(to: string, message: unknown): boolean;
  /** One request over mutual TLS. Rejects with PeerUnreachable. */
  request(to: string, asked: PeerAsked): Promise<PeerAnswer>;
  /** Who is a member now. Connections of all others are cut at once. With `keep` a framed connection is held at all times. */
  setMembers(members: PeerMember[], keep: string[]): void;
  status(node: string): PeerStatus;
  /** For connections from now on; those that the new identity does not trust are cut. */
  useIdentity(identity: PeerIdentity): void;
  /** Lets go out what was sent, then closes all. */
  close(): Promise<void>;
};
export type PeersOptions = {
  identity: PeerIdentity;
  /** Of io/trust. */
  nodeIdOf: NodeIdOf;
  /** Port 0 is any free one, first `usual` if it is free: the others know it. */
  listen: { host: string; port: number; usual?: number } | null;
  members: PeerMember[];
  keep: string[];
  onMessage(from: string, message: unknown, bytes: number): void;
  /** The message for a node of this authority that is no member, before its connection is closed. */
  toStrangers: unknown;
  onConnected(node: string): void;
  onLost(node: string, why: string): void;
  /** An HTTP connection of a member, to be served by the server of the peer door. */
  acceptHttp(socket: TLSSocket, node: string): void;
  log: Log;
  /** Smaller bounds, for tests. */
  limits?: Partial<Bounds>;
};

/** All that is known of one member. */
type Peer = {
  node: string;
  key: string | undefined;
  addresses: string[];
  isKept: boolean;
  /** Framed ones, oldest first; those not yet open too. */
  links: PeerLink[];
  /** HTTP ones, both ways. */
  sockets: Set<TLSSocket>;
  requests: PeerRequests | null;
  /** Requests under way. While there are any, a framed connection watches over them. */
  asking: number;
  dialling: boolean;
  tries: number;
  again: NodeJS.Timeout | undefined;
  since: number;
  heardAt: number | null;
  roundTripMs: number | null;
  sentMessages: number;
  droppedMessages: number;
  /** Aborted when it is no member any more. */
  removed: AbortController;
};

const TICKS_PER_PING = 4;
const LOGGED_MAX = 1_000;
const FINISH_MS = 500;

/** Rejects when it cannot listen. */
export async function openPeers(options: PeersOptions): Promise<Peers> {
  const bounds = boundsWith(options.limits);
  const { log, nodeIdOf } = options;
  const peers = new Map<string, Peer>();
  const logged = new Set<string>();
  let own = options.identity.nodeId;
  let context = contextOf(options.identity);
  let closing = false;

  // ------------------------------------------------------------ accepting

  /** Raw connections that have not proved who they are, by address and port. */
  const strangers = new Map<string, Socket>();
  const tls = createTls({
    ...contextOptions(options.identity),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: bounds.peerHandshakeMs,
    ALPNCallback: ({ protocols }) => [FRAMED, HTTP].find((known) => protocols.includes(known)),
  });
  tls.on('secureConnection', greet);
  tls.on('tlsClientError', (fault: Error & { code?: string }, socket: TLSSocket) => {
    if (fault.code === 'ECONNRESET' || socket.remoteAddress === undefined) return void socket.destroy(); // it left by itself
    once(`stranger ${socket.remoteAddress}`, `A connection from ${socket.remoteAddress} was refused: ${fault.message}`);
    socket.destroy();
  });
  const tcp = createTcp({ noDelay: true, keepAlive: true, keepAliveInitialDelay: bounds.eventHeartbeatMs }, (raw) => {
    raw.on('error', () => {}); // told on the TLS socket
    const from = [...strangers.values()].filter((one) => one.remoteAddress === raw.remoteAddress);
    const isTooMany = strangers.size >= bounds.peerHandshakesMax || from.length >= bounds.peerHandshakesPerAddressMax;
    if (closing || isTooMany) return void raw.destroy();
    const key = ends(raw);
    strangers.set(key, raw);
    raw.once('close', () => strangers.delete(key));
    tls.emit('connection', raw);
  });

  function greet(socket: TLSSocket): void {
    strangers.delete(ends(socket));
    socket.on('error', () => {}); // told by 'close'
    const proved = provedNode(socket, nodeIdOf);
    const peer = 'node' in proved ? peers.get(proved.node) : undefined;
    const why =
      'why' in proved
        ? proved.why
        : !peer
          ? `${proved.node} is no member of this cluster`
          : peer.key !== undefined && peer.key !== proved.key
            ? new WrongKey(peer.node).message
            : null;
    if (closing || !peer || why !== null) {
      if (!closing) once(`refused ${why}`, `A connection from ${socket.remoteAddress} was refused: ${why}`);
      const mayKnow = !closing && !peer && 'node' in proved && proved.node !== own && socket.alpnProtocol === FRAMED;
      return mayKnow ? sendAway(socket) : void socket.destroy();
    }
    if (socket.alpnProtocol === FRAMED) return addLink(peer, socket, false);
    if (socket.alpnProtocol !== HTTP || peer.sockets.size >= 2 * bounds.peerHttpConnectionsMax) {
      return void socket.destroy();
    }
    hold(peer, socket);
    options.acceptHttp(socket, peer.node);
  }

  /** A node of this authority is told that it is no member; nothing of it is heard. */
  function sendAway(socket: TLSSocket): void {
    socket.end(messageFrame(options.toStrangers));
    setTimeout(() => socket.destroy(), bounds.peerHandshakeMs).unref();
  }

  function hold(peer: Peer, socket: TLSSocket): void {
    peer.sockets.add(socket);
    socket.once('close', () => peer.sockets.delete(socket));
  }

  function once(key: string, message: string): void {
    if (logged.has(key)) return;
    if (logged.size >= LOGGED_MAX) logged.clear();
    logged.add(key);
    log.warn({}, message.slice(0, 500));
  }

  // ---------------------------------------------------------------- links

  const told = {
    opened(link: PeerLink): void {
      const peer = peers.get(link.node)!;
      if (openLinks(peer).length > 1) return;
      peer.since = performance.now();
      options.onConnected(peer.node);
    },
    message(link: PeerLink, message: unknown, bytes: number): void {
      options.onMessage(link.node, message, bytes);
    },
    closed(link: PeerLink, why: string): void {
      const peer = peers.get(link.node);
      if (peer?.links.includes(link)) forget(peer, link, why);
    },
  };

  function addLink(peer: Peer, socket: TLSSocket, dialled: boolean): void {
    const link = new PeerLink(socket, peer.node, dialled, bounds, told);
    peer.links.push(link);
    if (peer.links.length > bounds.peerConnectionsMax) peer.links[0]!.end('Newer connections took its place.');
    link.begin();
  }

  function forget(peer: Peer, link: PeerLink, why: string): void {
    const wasOpen = link.openedAt !== null;
    peer.links.splice(peer.links.indexOf(link), 1);
    remember(peer, link);
    const now = performance.now();
    if (wasOpen && now - link.openedAt! > bounds.peerRedialMsMax) peer.tries = 0;
    if (wasOpen && openLinks(peer).length === 0) {
      peer.since = now;
      // Its HTTP connections would wait for TCP, which may take minutes to notice.
      cutHttp(peer, why);
      if (!closing) options.onLost(peer.node, why);
    }
    dialLater(peer);
  }

  const openLinks = (peer: Peer): PeerLink[] => peer.links.filter((link) => link.isOpen);

  function remember(peer: Peer, link: PeerLink): void {
    if (link.heardAt !== null) peer.heardAt = Math.max(peer.heardAt ?? 0, link.heardAt);
    if (link.roundTripMs !== null) peer.roundTripMs = link.roundTripMs;
  }

  function cutHttp(peer: Peer, why: string): void {
    peer.requests?.destroy(why);
    peer.requests = null;
    for (const socket of peer.sockets) socket.destroy();
  }

  // -------------------------------------------------------------- dialling

  const isWanted = (peer: Peer): boolean =>
    !closing && !peer.removed.signal.aborted && (peer.isKept || peer.asking > 0) && peer.links.length === 0;

  function dialLater(peer: Peer): void {
    if (!isWanted(peer) || peer.dialling || peer.again) return;
    const mostMs = Math.min(bounds.peerRedialMsMax, bounds.peerRedialMsMin * 2 ** peer.tries);
    const waitMs = peer.tries === 0 ? 0 : bounds.peerRedialMsMin + Math.random() * (mostMs - bounds.peerRedialMsMin);
    peer.tries++;
    peer.again = setTimeout(() => {
      peer.again = undefined;
      if (isWanted(peer)) void dialLink(peer);
    }, waitMs);
  }

  /** There is a new address: what failed before says nothing about it. */
  function hurry(peer: Peer): void {
    clearTimeout(peer.again);
    peer.again = undefined;
    peer.tries = 0;
  }

  /** With `anew` also where there is one: it takes the place of that. */
  async function dialLink(peer: Peer, anew = false): Promise<void> {
    peer.dialling = true;
    try {
      const socket = await dial(peer, FRAMED);
      if (isWanted(peer) || (anew && !peer.removed.signal.aborted && !closing)) addLink(peer, socket, true);
      else socket.destroy();
    } catch (fault) {
      if (!(fault instanceof NotReached)) throw fault;
    } finally {
      peer.dialling = false;
      dialLater(peer);
    }
  }

  async function dial(peer: Peer, protocol: typeof FRAMED | typeof HTTP): Promise<TLSSocket> {
    const { node, key, addresses, removed } = peer;
    const call = { ...{ node, key, addresses, protocol, context, nodeIdOf, bounds }, signal: removed.signal };
    try {
      const { socket, address } = await dialNode(call);
      peer.addresses = [address, ...peer.addresses.filter((one) => one !== address)];
      if (!removed.signal.aborted) return socket;
      socket.destroy();
      throw new NotReached(node, []);
    } catch (fault) {
      const tried = fault instanceof NotReached ? fault.tried : [];
      for (const { address, fault } of tried) {
        if (fault instanceof WrongNode || fault instanceof WrongKey)
          once(`${address} ${fault.message}`, `At ${address}: ${fault.message}`);
      }
      throw fault;
    }
  }

  // ------------------------------------------------------------------ HTTP

  async function request(to: string, asked: PeerAsked): Promise<PeerAnswer> {
    const peer = peers.get(to);
    if (!peer || closing) throw new PeerUnreachable(to, false, new Error('it is no member of this cluster'));
    peer.requests ??= new PeerRequests(peer.node, () => dialHttp(peer), bounds);
    peer.asking++;
    dialLater(peer);
    const done = (): void => void peer.asking--;
    try {
      const answer = await peer.requests.request(asked);
      const isEmpty = asked.method === 'HEAD' || answer.status === 204 || answer.status === 304;
      if (isEmpty) done();
      else answer.body.once('close', done);
      return answer;
    } catch (fault) {
      done();
      throw fault;
    }
  }

  async function dialHttp(peer: Peer): Promise<TLSSocket> {
    const socket = await dial(peer, HTTP);
    hold(peer, socket);
    return socket;
  }

  // --------------------------------------------------------------- members

  function setMembers(members: PeerMember[], keep: string[]): void {
    if (closing) return;
    const others = members.filter(({ node }) => node !== own);
    const names = new Set(others.map(({ node }) => node));
    for (const peer of [...peers.values()]) {
      if (!names.has(peer.node)) remove(peer, 'It is no member of this cluster any more.');
    }
    for (const { node, key, addresses } of others) {
      const peer = peers.get(node) ?? newPeer(node);
      peers.set(node, peer);
      peer.key = key;
      // What worked last stays first.
      const likeliest = peer.addresses.slice(0, 1).filter((one) => addresses.includes(one));
      const isMoved = addresses.some((one) => !peer.addresses.includes(one));
      peer.addresses = [...new Set([...likeliest, ...addresses])];
      peer.isKept = keep.includes(node);
      if (isMoved) hurry(peer);
      dialLater(peer);
    }
  }

  /**
   * Requests go over new connections from now on. Connections that an authority proved which is trusted no more are cut
   * a little later, when others have taken their place and what was under way is done.
   */
  function leaveOutdated(peer: Peer, identity: PeerIdentity): void {
    peer.requests?.retire();
    peer.requests = null;
    const links = peer.links.filter((link) => isOutdated(link.socket, identity));
    const sockets = [...peer.sockets].filter((socket) => isOutdated(socket, identity));
    if (links.length + sockets.length === 0) return;
    if (links.length === peer.links.length && peer.isKept) void dialLink(peer, true);
    setTimeout(() => {
      for (const link of links) link.end('It was proved by an authority that is trusted no more.');
      for (const socket of sockets) socket.destroy();
    }, bounds.peerRetireMs).unref();
  }

  /** Out of the map first: nothing of it may be heard while its connections end. */
  function remove(peer: Peer, why: string): void {
    peers.delete(peer.node);
    clearTimeout(peer.again);
    peer.removed.abort();
    const wasConnected = openLinks(peer).length > 0;
    for (const link of peer.links.splice(0)) link.end(why);
    cutHttp(peer, why);
    if (wasConnected && !closing) options.onLost(peer.node, why);
  }

  // ------------------------------------------------------------------- life

  const tickMs = bounds.peerPingMs / TICKS_PER_PING;
  let tickedAt = performance.now();
  const ticking = setInterval(() => {
    const now = performance.now();
    // This process was stopped or busy: that silence is its own.
    const lateMs = now - tickedAt - tickMs;
    tickedAt = now;
    for (const peer of peers.values()) {
      for (const link of [...peer.links]) link.tick(now, lateMs > tickMs ? lateMs : 0);
    }
  }, tickMs);

  function send(to: string, message: unknown): boolean {
    const peer = peers.get(to);
    if (!peer) return false;
    const link = openLinks(peer).at(-1);
    const frame = link && messageFrame(message);
    const isTooLarge = frame && frame.length - 4 > bounds.peerFrameBytesMax;
    if (isTooLarge) once(`large ${to}`, `A message of ${frame.length} bytes to ${to} is larger than allowed.`);
    const waiting = peer.links.reduce((sum, one) => sum + one.waitingBytes, 0);
    if (!frame || isTooLarge || waiting + frame.length > bounds.peerQueueBytesMax) {
      peer.droppedMessages++;
      return false;
    }
    peer.sentMessages++;
    link.write(frame);
    return true;
  }

  let port: number | null = null;
  setMembers(options.members, options.keep);
  try {
    if (options.listen) port = await listen(options.listen, options.listen.usual);
  } catch (fault) {
    await close();
    throw fault;
  }

  async function listen(where: { host: string; port: number }, usual?: number): Promise<number> {
    if (where.port === 0 && usual)
      try {
        return await listen({ host: where.host, port: usual });
      } catch (fault) {
        log.info({ err: fault, usual }, 'The usual port is taken: another one is used.');
      }
    await new Promise<void>((done, failed) => {
      tcp.once('error', failed);
      tcp.listen(where, () => {
        tcp.off('error', failed);
        tcp.on('error', (fault) => log.error({ err: fault }, 'The listener for nodes has a fault.'));
        done();
      });
    });
    return (tcp.address() as AddressInfo).port;
  }

  async function close(): Promise<void> {
    if (closing) return;
    closing = true;
    clearInterval(ticking);
    const closed = new Promise<void>((done) => (tcp.listening ? tcp.close(() => done()) : done()));
    const links = [...peers.values()].flatMap((peer) => peer.links);
    await Promise.all(links.map((link) => link.finish(FINISH_MS)));
    for (const peer of [...peers.values()]) remove(peer, 'This node is stopping.');
    for (const raw of strangers.values()) raw.destroy();
    await closed;
  }

  return {
    port,
    send,
    request,
    setMembers,
    status(node) {
      const peer = peers.get(node);
      if (!peer) return { ...NEVER };
      for (const link of peer.links) remember(peer, link);
      const { since, heardAt, sentMessages, droppedMessages, roundTripMs } = peer;
      return { connected: openLinks(peer).length > 0, since, heardAt, sentMessages, droppedMessages, roundTripMs };
    },
    useIdentity(identity) {
      own = identity.nodeId;
      context = contextOf(identity);
      tls.setSecureContext(contextOptions(identity));
      for (const peer of peers.values()) leaveOutdated(peer, identity);
    },
    close,
  };
}

const NEVER: PeerStatus = {
  ...{ connected: false, since: 0, heardAt: null },
  ...{ sentMessages: 0, droppedMessages: 0, roundTripMs: null },
};

const ends = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;

const newPeer = (node: string): Peer => ({
  ...{ node, key: undefined, addresses: [], isKept: false, links: [], sockets: new Set(), requests: null, asking: 0 },
  ...{ dialling: false, tries: 0, again: undefined, since: performance.now(), heardAt: null, roundTripMs: null },
  ...{ sentMessages: 0, droppedMessages: 0, removed: new AbortController() },
});
