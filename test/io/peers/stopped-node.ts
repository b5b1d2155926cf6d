/** A node in a process of its own, so that a test can stop the process. */
import type { Bounds } from '../../../node-runtime/io/http/bounds.ts';
import { openPeers, type PeerMember } from '../../../node-runtime/io/http/peers.ts';
import { nodeIdOf } from '../../../node-runtime/io/trust/certificates.ts';
import type { Identity } from '../../../node-runtime/io/trust/identity.ts';

process.once('message', async (said) => {
  const { identity, members, limits } = said as { identity: Identity; members: PeerMember[]; limits?: Partial<Bounds> };
  const quiet = { info() {}, warn() {}, error() {} };
  const peers = await openPeers({
    ...{ identity, nodeIdOf, members, keep: [], log: quiet, listen: { host: '127.0.0.1', port: 0 } },
    onMessage: (from, message) => void peers.send(from, message),
    toStrangers: null,
    onConnected() {},
    onLost() {},
    acceptHttp: (socket) => void socket.destroy(),
    ...(limits ? { limits } : {}),
  });
  process.send!(peers.port);
});
process.once('disconnect', () => process.exit(0));
