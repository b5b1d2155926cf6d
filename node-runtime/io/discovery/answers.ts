/**
 * What this node says by mDNS: questions, announcements, answers, goodbyes. Pure.
 *
 * Every answer to all is the whole announcement, with the addresses of the
 * link on which it goes out: one packet serves whoever listens. An asker that
 * is no mDNS program (its port is not ours) gets what it asked for, alone.
 *
 * Leaves out probing: the names carry the node's id, which nobody else has.
 *
 * Obeys RFC 6762 (sections 6, 6.7, 7.1, 10.1, 10.2) and RFC 6763.
 */
import { isIP } from 'node:net';
import { type Answer, AUTHORITATIVE_ANSWER, type RecordType } from 'dns-packet';
import { bounds } from './bounds.ts';
import { type Announced, textStrings } from './hints.ts';
import { type Asked, type Heard, lower, writePacket } from './packet.ts';

export const SERVICE = '_binnacle._tcp.local';
const ALL_SERVICES = '_services._dns-sd._udp.local';
const REPEATED_MAX = 4;

const instanceOf = (self: Announced): string => `${lower(self.node)}.${SERVICE}`;
const hostOf = (self: Announced): string => `binnacle-${lower(self.node)}.local`;

export const question = (): Buffer => writePacket({ type: 'query', questions: [{ name: SERVICE, type: 'PTR' }] });

export function announcement(self: Announced, addresses: string[]): Buffer {
  return response(recordsOf(self, addresses, bounds.timeToLiveS));
}

/** Everything of this node; not that there is such a service, for others may go on with it. */
export function goodbye(self: Announced, addresses: string[]): Buffer {
  return response(recordsOf(self, addresses, 0).filter(({ name }) => name !== ALL_SERVICES));
}

const response = (answers: Answer[]): Buffer => writePacket({ type: 'response', flags: AUTHORITATIVE_ANSWER, answers });

function recordsOf(self: Announced, addresses: string[], ttl: number): Answer[] {
  const [name, host] = [instanceOf(self), hostOf(self)];
  // What only this node says replaces what it said before; the list of instances is everybody's.
  const own = { ttl, flush: true };
  return [
    { type: 'PTR', name: SERVICE, ttl, data: name },
    { type: 'SRV', name, ...own, data: { port: self.port, target: host, priority: 0, weight: 0 } },
    { type: 'TXT', name, ...own, data: textStrings(self) },
    ...addresses.map(
      (address): Answer => ({ type: isIP(address) === 4 ? 'A' : 'AAAA', name: host, ...own, data: address }),
    ),
    { type: 'PTR', name: ALL_SERVICES, ttl, data: SERVICE },
  ];
}

/** Is this a question that other nodes ask too, without saying what they know already? */
export const isOurQuestion = (heard: Heard): boolean =>
  heard.records.length === 0 && heard.asked.some((one) => isFor(one, { type: 'PTR', name: SERVICE }));

/** Does somebody want to hear of this node who does not know it yet? */
export function isAskedFor(heard: Heard, self: Announced): boolean {
  const records = recordsOf(self, ['0.0.0.0', '::'], bounds.timeToLiveS);
  return heard.asked.some((one) => records.some((record) => isFor(one, record) && !isKnown(heard, record)));
}

const isFor = ({ name, kind }: Asked, record: { type: string; name: string }): boolean =>
  lower(name) === record.name && (kind === record.type || kind === 'ANY');

/** The asker lists the pointers that it has and that are good for a while yet. */
const isKnown = (heard: Heard, record: Answer): boolean =>
  record.type === 'PTR' &&
  heard.records.some(
    (one) =>
      one.kind === 'PTR' &&
      one.name === record.name &&
      one.target === record.data &&
      one.timeToLiveS >= bounds.timeToLiveS / 2,
  );

/** The answer to one asker that knows nothing of multicast; null when it asks for nothing of ours. */
export function legacyAnswer(heard: Heard, self: Announced, addresses: string[]): Buffer | null {
  // The flush bit would mean something else to it.
  const records = recordsOf(self, addresses, bounds.legacyTimeToLiveS).map((record) => ({ ...record, flush: false }));
  // Only questions for our own names are repeated: what else it says does not come back from here.
  const asked = heard.asked.filter((one) => records.some((record) => isFor(one, record))).slice(0, REPEATED_MAX);
  const answers = records.filter((record) => asked.some((one) => isFor(one, record)));
  if (answers.length === 0) return null;
  return writePacket({
    ...{ type: 'response', id: heard.id, flags: AUTHORITATIVE_ANSWER, answers },
    questions: asked.map(({ name, kind }) => ({ name, type: kind as RecordType })),
    additionals: records.filter((record) => !answers.includes(record) && record.name !== ALL_SERVICES),
  });
}
