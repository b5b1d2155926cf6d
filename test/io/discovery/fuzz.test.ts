/**
 * Random, damaged and crowding packets through everything that reads the
 * network: the decoder, the cache, the answers. None may throw, and memory
 * stays flat.
 *
 * The ordinary run takes 100,000 packets, and a million where the environment
 * says `CI` (about 20 s). BINNACLE_FUZZ_PACKETS=1000000 takes as many as it
 * says, BINNACLE_FUZZ_SEED plays one again.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import {
  announcement,
  isAskedFor,
  isOurQuestion,
  legacyAnswer,
  question,
} from '../../../node-runtime/io/discovery/answers.ts';
import { bounds } from '../../../node-runtime/io/discovery/bounds.ts';
import { Cache } from '../../../node-runtime/io/discovery/cache.ts';
import { readPacket } from '../../../node-runtime/io/discovery/packet.ts';
import { came, hostile, node, recordsOf, responseOf } from './support.ts';

const packets = Number(process.env['BINNACLE_FUZZ_PACKETS'] ?? (process.env['CI'] ? 1_000_000 : 100_000));
const seed = Number(process.env['BINNACLE_FUZZ_SEED'] ?? 20_260_101);
const LEVEL_MEBIBYTES = 8;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** mulberry32: small, and the same everywhere. */
function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const self = node('self');
const good = [
  ...Object.values(hostile),
  question(),
  announcement(self, ['10.0.0.1', 'fe80::1']),
  responseOf(...recordsOf(node('a')), ...recordsOf(node('b'))),
  responseOf(...recordsOf(node('c'), { ttl: 0, addresses: ['2001:db8::1', '10.0.0.7'] })),
];

/** Well formed, of one of a thousand nodes, perhaps with records left out, perhaps a goodbye. */
function crowding(chance: () => number): Buffer {
  const below = (limit: number): number => Math.floor(chance() * limit);
  const addresses = Array.from({ length: below(4) }, () => `10.0.${below(4)}.${below(250)}`);
  const ttl = chance() < 0.1 ? 0 : below(5_000);
  const records = recordsOf(node(`${below(1_000)}`), { ttl, addresses, flush: chance() < 0.5 });
  return responseOf(...records.filter(() => chance() < 0.95));
}

function damaged(chance: () => number): Buffer {
  const below = (limit: number): number => Math.floor(chance() * limit);
  if (chance() < 0.2) return Buffer.from(Array.from({ length: below(200) }, () => below(256)));
  const bytes = Buffer.from(good[below(good.length)]!);
  for (let times = below(6); times > 0 && bytes.length > 0; times--) bytes[below(bytes.length)] = below(256);
  // Pointers are what ends decoders.
  if (chance() < 0.3 && bytes.length > 14)
    bytes.writeUInt16BE(0xc000 + below(bytes.length), 12 + below(bytes.length - 14));
  const kept = chance() < 0.2 ? bytes.subarray(0, below(bytes.length + 1)) : bytes;
  return chance() < 0.1 ? Buffer.concat([kept, good[below(good.length)]!]) : kept;
}

it(`${packets.toLocaleString('en')} bad packets throw nothing and are not kept (seed ${seed})`, {
  timeout: 240_000,
}, () => {
  const chance = chanceOf(seed);
  const cache = new Cache();
  const heap = (): number => {
    collectGarbage();
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
  let [nowMs, unread, longestMs, mostKept] = [0, 0, 0, 0];
  const begun = performance.now();
  let levelAfterTenth = 0;
  for (let count = 0; count < packets; count++) {
    nowMs += chance() * 4;
    const bytes = chance() < 0.1 ? crowding(chance) : damaged(chance);
    const at = performance.now();
    const heard = readPacket(bytes);
    if (!heard) unread++;
    else {
      cache.hear(
        heard.records,
        came({ sender: `10.0.0.${Math.floor(chance() * 250)}`, link: chance() < 0.5 ? 'eth0' : 'eth1' }),
        nowMs,
      );
      if (heard.isQuery && isAskedFor(heard, self)) isOurQuestion(heard);
      legacyAnswer(heard, self, ['10.0.0.1']);
    }
    // The timer's part: not with every packet.
    if (count % 100 === 0) cache.expire(nowMs);
    if (count % 400 === 0) cache.found(nowMs);
    longestMs = Math.max(longestMs, performance.now() - at);
    mostKept = Math.max(mostKept, cache.size);
    if (count === Math.floor(packets / 10)) levelAfterTenth = heap();
  }
  const seconds = (performance.now() - begun) / 1_000;
  const grownMebibytes = heap() - levelAfterTenth;
  console.log(
    `${packets} packets in ${seconds.toFixed(1)} s, ${unread} unread, at most ${mostKept} instances, ` +
      `longest ${longestMs.toFixed(1)} ms, heap ${levelAfterTenth.toFixed(0)} and ${grownMebibytes.toFixed(1)} MiB more`,
  );
  expect(unread).toBeGreaterThan(packets / 20);
  expect(unread).toBeLessThan(packets * 0.95);
  expect(mostKept).toBe(bounds.instancesMax);
  expect(grownMebibytes).toBeLessThan(LEVEL_MEBIBYTES);
});
