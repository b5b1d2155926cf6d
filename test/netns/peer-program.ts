/**
 * A plain program for a host of a test network: answers TCP with what it was
 * sent, counts UDP datagrams, tells its clocks. Nothing of Binnacle is in it,
 * so what it sees is the network and nothing else.
 *
 * Orders come as one JSON a line on its standard input, answers go the same
 * way out. It ends when its input does.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export const PEER_PORT = 7000;
const DATAGRAM_BYTES = 200;

export type Order =
  | { do: 'send'; to: string; count: number; everyMs: number }
  | { do: 'received' }
  | { do: 'roundTrips'; to: string; count: number; timeoutMs: number }
  | { do: 'clocks' };
export type Datagram = { from: string; number: number };
export type Clocks = { wallMs: number; monotonicMs: number };

let received: Datagram[] = [];
const kept = new Map<string, Socket>();

const datagrams = createSocket('udp4', (bytes, sender) =>
  received.push({ from: sender.address, number: bytes.readUInt32BE(0) }),
);

async function send(order: Extract<Order, { do: 'send' }>): Promise<number> {
  for (let number = 0; number < order.count; number++) {
    const bytes = Buffer.alloc(DATAGRAM_BYTES);
    bytes.writeUInt32BE(number, 0);
    datagrams.send(bytes, PEER_PORT, order.to);
    if (order.everyMs > 0) await new Promise((done) => setTimeout(done, order.everyMs));
    else if (number % 50 === 49) await new Promise(setImmediate);
  }
  return order.count;
}

/** Times of round trips over one connection that is kept; null for what took longer than allowed. */
async function roundTrips(order: Extract<Order, { do: 'roundTrips' }>): Promise<(number | null)[]> {
  const took: (number | null)[] = [];
  for (let n = 0; n < order.count; n++) {
    const begun = performance.now();
    const late = AbortSignal.timeout(order.timeoutMs);
    try {
      let socket = kept.get(order.to);
      if (!socket) {
        socket = connect(PEER_PORT, order.to).setNoDelay(true);
        socket.on('error', () => kept.delete(order.to));
        kept.set(order.to, socket);
        await once(socket, 'connect', { signal: late });
      }
      socket.write('x');
      await once(socket, 'data', { signal: late });
      took.push(performance.now() - begun);
    } catch {
      kept.get(order.to)?.destroy();
      kept.delete(order.to);
      took.push(null);
    }
  }
  return took;
}

async function act(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'send':
      return send(order);
    case 'roundTrips':
      return roundTrips(order);
    case 'received': {
      const all = received;
      received = [];
      return all;
    }
    case 'clocks':
      return { wallMs: Date.now(), monotonicMs: performance.now() } satisfies Clocks;
  }
}

if (import.meta.main) {
  await new Promise<void>((done) => datagrams.bind(PEER_PORT, '0.0.0.0', done));
  datagrams.setRecvBufferSize(4 * 1024 ** 2);
  const server = createServer((socket) =>
    socket
      .setNoDelay(true)
      .on('error', () => {})
      .pipe(socket),
  );
  server.listen(PEER_PORT, '0.0.0.0');
  await once(server, 'listening');
  process.stdout.write('"ready"\n');
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify((await act(JSON.parse(line) as Order)) ?? null)}\n`);
  }
  process.exit(0);
}
