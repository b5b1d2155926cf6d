/**
 * Discovery as a program of its own, for a host of a test network. Orders come
 * as one JSON a line on its standard input; what it finds goes out the same way.
 * Ends when its input does.
 */
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { type Discovery, makeDiscovery } from '../../../node-runtime/io/discovery/discovery.ts';
import type { Change } from '../../../node-runtime/io/discovery/found.ts';
import { hostile, node } from './support.ts';

export type Order =
  | { do: 'start'; letter: string | null; builtin: boolean; mdnsJs: boolean }
  /** Sends every hostile packet to all on every link. */
  | { do: 'beHostile' }
  /** Answers so many questions of others with a packet that ends mdns-js. */
  | { do: 'poison'; times: number }
  | { do: 'stop' };
export type Told =
  | { kind: 'done'; order: string; at: number; dropped: number }
  | { kind: 'change'; at: number; change: Change }
  | { kind: 'poisoned'; at: number }
  | { kind: 'warned'; text: string };

const tell = (told: Told): void => void process.stdout.write(`${JSON.stringify(told)}\n`);
let discovery: Discovery | null = null;

function start({ letter, builtin, mdnsJs }: Order & { do: 'start' }): void {
  discovery = makeDiscovery({
    ...{ builtin, mdnsJs },
    onChange: (change) => tell({ kind: 'change', at: Date.now(), change }),
    log: {
      warn: (fields, text) => tell({ kind: 'warned', text: `${text} ${'err' in fields ? String(fields.err) : ''}` }),
    },
  });
  if (letter) discovery.announce(node(letter));
  discovery.start();
}

const addressesV4 = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((one) => one ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);

async function opened(address: string): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  await new Promise<void>((done) => socket.bind({ port: 5353, address, exclusive: true }, done));
  return socket;
}

async function beHostile(): Promise<void> {
  for (const address of addressesV4()) {
    const socket = await opened(address);
    socket.setMulticastInterface(address);
    for (const bytes of Object.values(hostile)) {
      await new Promise((done) => socket.send(bytes, 5353, '224.0.0.251', done));
    }
    socket.close();
  }
}

async function poison(times: number): Promise<void> {
  const socket = await opened('0.0.0.0');
  for (const address of addressesV4()) socket.addMembership('224.0.0.251', address);
  let left = times;
  socket.on('message', (bytes, from) => {
    if (bytes[2]! >= 0x80 || from.port === 5353 || left-- <= 0) return;
    socket.send(hostile['a name that points at itself']!, from.port, from.address);
    tell({ kind: 'poisoned', at: Date.now() });
  });
}

async function obey(order: Order): Promise<void> {
  if (order.do === 'start') start(order);
  if (order.do === 'beHostile') await beHostile();
  if (order.do === 'poison') await poison(order.times);
  const at = Date.now();
  if (order.do === 'stop') await discovery?.stop();
  tell({ kind: 'done', order: order.do, at, dropped: discovery?.dropped().bad ?? 0 });
}

createInterface(process.stdin)
  .on('line', (line) => void obey(JSON.parse(line) as Order))
  .on('close', () => process.exit(0));
