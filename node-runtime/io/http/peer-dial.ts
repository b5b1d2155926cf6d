/**
 * Calls a node at one of its addresses and proves that it is that node.
 *
 * Addresses are hints: each is tried, a little after the one before it, and
 * the first where the wanted node answers wins. Nothing waits longer than the
 * handshake's deadline. Keeping what was dialled is the caller's part.
 */
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { Bounds } from './bounds.ts';
import { checkNode, type NodeIdOf, type Protocol, provedNode } from './peer-trust.ts';

export type Call = {
  node: string;
  /** Hex sha-256 of its public key, where it is known. */
  key: string | undefined;
  /** `host:port` or `[v6]:port`, the likeliest first. */
  addresses: string[];
  protocol: Protocol;
  context: SecureContext;
  nodeIdOf: NodeIdOf;
  bounds: Bounds;
  signal: AbortSignal;
};

/** No address led to the node. Nothing was sent. */
export class NotReached extends Error {
  override name = 'NotReached';
  /** What was tried: an address and what came of it. */
  readonly tried: { address: string; fault: Error }[];
  constructor(node: string, tried: { address: string; fault: Error }[]) {
    const what = tried.map(({ address, fault }) => `${address}: ${fault.message}`).join('; ');
    super(`${node} cannot be reached${what ? `: ${what}` : ': it has no address'}.`.slice(0, 500));
    this.tried = tried;
  }
}

/** Rejects with {@link NotReached}. */
export function dialNode(call: Call): Promise<{ socket: TLSSocket; address: string }> {
  const stop = new AbortController();
  const signal = AbortSignal.any([call.signal, stop.signal]);
  const addresses = call.addresses.slice(0, call.bounds.peerAddressesMax);
  const tried: NotReached['tried'] = [];
  return new Promise((done, failed) => {
    let next = 0;
    let timer: NodeJS.Timeout | undefined;
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      next = addresses.length;
      then();
      stop.abort();
    };
    const begin = (): void => {
      clearTimeout(timer);
      const address = addresses[next++];
      if (address === undefined) return;
      if (next < addresses.length) timer = setTimeout(begin, call.bounds.peerDialStaggerMs);
      dialOne(call, address, signal).then(
        (socket) => {
          if (stop.signal.aborted) socket.destroy();
          else settle(() => done({ socket, address }));
        },
        (fault: Error) => {
          tried.push({ address, fault });
          if (tried.length === addresses.length) settle(() => failed(new NotReached(call.node, tried)));
          else begin();
        },
      );
    };
    if (addresses.length === 0) failed(new NotReached(call.node, []));
    else begin();
  });
}

function dialOne(call: Call, address: string, signal: AbortSignal): Promise<TLSSocket> {
  const at = readAddress(address);
  if (!at) return Promise.reject(new Error('this is no address'));
  if (signal.aborted) return Promise.reject(new Error('it was given up'));
  const socket = connect({
    ...at,
    secureContext: call.context,
    ALPNProtocols: [call.protocol],
    servername: '', // node ids count here, not host names
    checkServerIdentity: checkNode(call.node, call.key, call.nodeIdOf),
  });
  socket.setNoDelay(true).setKeepAlive(true, call.bounds.eventHeartbeatMs);
  return new Promise((done, failed) => {
    const end = (fault: Error | null): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onGivenUp);
      socket.off('secureConnect', onSecure).off('close', onClose);
      if (!fault) return done(socket);
      socket.destroy();
      failed(fault);
    };
    const onGivenUp = (): void => end(new Error('it was given up'));
    const onClose = (): void => end(new Error('the connection was closed in the handshake'));
    const onSecure = (): void => end(faultIn(socket, call));
    const timer = setTimeout(() => end(new Error('no answer in time')), call.bounds.peerHandshakeMs);
    signal.addEventListener('abort', onGivenUp);
    socket.on('error', end).on('secureConnect', onSecure).on('close', onClose);
    // The first listener stays: later faults are told by 'close' too.
  });
}

function faultIn(socket: TLSSocket, { node, protocol, nodeIdOf }: Call): Error | null {
  const proved = provedNode(socket, nodeIdOf);
  if ('why' in proved) return new Error(proved.why);
  if (proved.node !== node) return new Error(`${proved.node} answered`);
  return socket.alpnProtocol === protocol ? null : new Error(`it does not speak ${protocol}`);
}

/** Null for what is no `host:port`. */
export function readAddress(address: string): { host: string; port: number } | null {
  const found = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(address);
  const port = Number(found?.[3]);
  return found && port > 0 && port < 65_536 ? { host: (found[1] ?? found[2])!, port } : null;
}
