/** Packets as nodes and others send them, and what a node says of itself. */
import { type Answer, decode, encode } from 'dns-packet';
import { SERVICE } from '../../../node-runtime/io/discovery/answers.ts';
import type { Came } from '../../../node-runtime/io/discovery/cache.ts';
import { type Announced, textStrings } from '../../../node-runtime/io/discovery/hints.ts';
import { type Heard, readPacket } from '../../../node-runtime/io/discovery/packet.ts';

export const node = (letter: string, changed: Partial<Announced> = {}): Announced => ({
  ...{ cluster: 'c-lab', clusterName: 'Lab', node: `n-${letter}`, name: `machine-${letter}` },
  ...{ role: 'controller', version: '1', port: 7400, ...changed },
});

export const came = (changed: Partial<Came> = {}): Came => ({
  ...{ link: 'eth0', scope: 'eth0', onLoopback: false, sender: '10.0.0.9', ...changed },
});

/** All records of an instance, as any responder might write them. */
export function recordsOf(self: Announced, { ttl = 120, addresses = ['10.0.0.9'], flush = true } = {}): Answer[] {
  const name = `${self.node}.${SERVICE}`;
  const host = `${self.node}.local`;
  return [
    { type: 'PTR', name: SERVICE, ttl, data: name },
    { type: 'SRV', name, ttl, flush, data: { port: self.port, target: host, priority: 0, weight: 0 } },
    { type: 'TXT', name, ttl, flush, data: textStrings(self) },
    ...addresses.map((data): Answer => ({ type: data.includes(':') ? 'AAAA' : 'A', name: host, ttl, flush, data })),
  ];
}

export const responseOf = (...answers: Answer[]): Buffer => encode({ type: 'response', answers });

export function read(bytes: Buffer): Heard {
  const heard = readPacket(bytes);
  if (!heard) throw new Error('it is no packet');
  return heard;
}

export const heardOf = (...answers: Answer[]): Heard['records'] => read(responseOf(...answers)).records;

export { decode };

/** Packets that ended or misled other programs. */
export const hostile: Record<string, Buffer> = {
  'a name that points at itself': Buffer.from('000084000000000100000000c00c000c0001000000780002c00c', 'hex').subarray(
    0,
    24,
  ),
  'a name that points at itself, whole': Buffer.from('000084000000000100000000c00c000c0001000000780002c00c', 'hex'),
  'a pointer of another protocol': responseOf(pointer('_x._sctp.local', 'a._x._sctp.local')),
  'a type of more than twenty letters': responseOf(
    pointer(`_${'a'.repeat(40)}._tcp.local`, `b._${'a'.repeat(40)}._tcp.local`),
  ),
  'a type of four parts': responseOf(pointer('_a._b._c._d.local', 'x._a._b._c._d.local')),
  'a text that is far too long': responseOf(...recordsOf(node('z')).filter(({ type }) => type !== 'TXT'), {
    type: 'TXT',
    name: `n-z.${SERVICE}`,
    ttl: 120,
    data: Array<string>(30).fill(`x=${'y'.repeat(250)}`),
  }),
  'a header that claims all records there can be': Buffer.from('000084000000ffffffffffff', 'hex'),
  nothing: Buffer.alloc(0),
};

function pointer(name: string, data: string): Answer {
  return { type: 'PTR', name, ttl: 120, data };
}
