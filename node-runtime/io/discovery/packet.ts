/**
 * Bytes of the network to what they say, and back. Pure.
 *
 * Reads only what discovery knows: questions, and records of five kinds. What
 * cannot be read gives null, whatever it is: the sender may be broken, or
 * hostile. What a record means is decided in the cache and in `answers.ts`.
 *
 * Names of records come in lower case: DNS compares without it. Questions keep
 * theirs, because an answer to an old-fashioned asker repeats them.
 */
import { isIP } from 'node:net';
import { type Answer, decode, encode, type Packet } from 'dns-packet';
import { bounds } from './bounds.ts';

type Common = { name: string; timeToLiveS: number /** It replaces all others of its name and kind. */; flush: boolean };
export type HeardRecord = Common &
  (
    | { kind: 'PTR'; target: string }
    | { kind: 'SRV'; target: string; port: number }
    | { kind: 'TXT'; strings: string[]; bytes: number }
    | { kind: 'A' | 'AAAA'; address: string }
  );
export type Asked = { name: string; kind: string };
export type Heard = { id: number; isQuery: boolean; asked: Asked[]; records: HeardRecord[] };

const HEADER_BYTES = 12;
const QUESTION_BYTES_MIN = 5;
const RECORD_BYTES_MIN = 11;

/** DNS knows no case of ASCII letters; of other letters it does. */
export const lower = (name: string): string => name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** Null for what is no packet, or not one that anybody honest sends. */
export function readPacket(bytes: Buffer): Heard | null {
  if (bytes.length > bounds.packetBytesMax || !isCountPlausible(bytes)) return null;
  try {
    const packet = decode(bytes);
    const given = [packet.answers, packet.authorities, packet.additionals].flatMap((section) => section ?? []);
    return {
      id: packet.id ?? 0,
      isQuery: packet.type === 'query',
      asked: (packet.questions ?? []).map(({ name, type }) => ({ name, kind: type })),
      records: given.map(recordOf).filter((record) => record !== null),
    };
  } catch {
    return null; // that it was bad is counted by whoever asked; why is of no use to anybody
  }
}

/** The decoder makes room for as many records as the header claims: a claim that cannot be true costs nothing here. */
function isCountPlausible(bytes: Buffer): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  const questions = bytes.readUInt16BE(4);
  const records = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10);
  return (
    questions + records <= bounds.recordsPerPacketMax &&
    HEADER_BYTES + questions * QUESTION_BYTES_MIN + records * RECORD_BYTES_MIN <= bytes.length
  );
}

function recordOf(answer: Answer): HeardRecord | null {
  if (answer.type === 'OPT') return null;
  const common = { name: lower(answer.name), timeToLiveS: answer.ttl ?? 0, flush: answer.flush === true };
  switch (answer.type) {
    case 'PTR':
      return { ...common, kind: 'PTR', target: lower(answer.data) };
    case 'SRV':
      return { ...common, kind: 'SRV', target: lower(answer.data.target), port: answer.data.port };
    case 'TXT':
      return { ...common, kind: 'TXT', ...textOf(answer.data) };
    case 'A':
    case 'AAAA': {
      const isWhole = isIP(answer.data) === (answer.type === 'A' ? 4 : 6);
      return isWhole ? { ...common, kind: answer.type, address: answer.data } : null;
    }
    default:
      return null;
  }
}

function textOf(given: string | Buffer | (string | Buffer)[]): { strings: string[]; bytes: number } {
  const parts = [given].flat();
  const bytes = parts.reduce((sum, part) => sum + part.length + 1, 0);
  // Beyond the bound nobody reads it, so nobody has to keep it.
  return { strings: bytes > bounds.textBytesMax ? [] : parts.map((part) => part.toString()), bytes };
}

/** Of ours only: what is written here was checked when it was announced. */
export const writePacket = (packet: Packet): Buffer => encode(packet);
