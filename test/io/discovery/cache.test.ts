import { describe, expect, it } from 'vitest';
import { SERVICE } from '../../../node-runtime/io/discovery/answers.ts';
import { bounds } from '../../../node-runtime/io/discovery/bounds.ts';
import { Cache } from '../../../node-runtime/io/discovery/cache.ts';
import { changesBetween, merge } from '../../../node-runtime/io/discovery/found.ts';
import { typedFound } from '../../../node-runtime/io/discovery/typed.ts';
import { came, heardOf, node, recordsOf } from './support.ts';

/** A cache that has heard of a node at 0 ms. */
function cacheWith(letter = 'a', options: Parameters<typeof recordsOf>[1] = {}): Cache {
  const cache = new Cache();
  cache.hear(heardOf(...recordsOf(node(letter), options)), came(), 0);
  return cache;
}

/** Looks at a moment as the timer would. */
function foundAt(cache: Cache, nowMs: number) {
  cache.expire(nowMs);
  return cache.found(nowMs);
}

describe('what was heard', () => {
  it('becomes a found node when pointer, port, text and an address are there, in any order and packets', () => {
    const [pointer, service, text, address] = recordsOf(node('a')) as [never, never, never, never];
    const cache = new Cache();
    cache.hear(heardOf(pointer), came(), 0);
    cache.hear(heardOf(text), came(), 10);
    expect(cache.found(10)).toEqual([]);
    cache.hear(heardOf(address, service), came(), 20);
    expect(cache.found(20)).toEqual([
      {
        ...{ cluster: 'c-lab', clusterName: 'Lab', node: 'n-a', name: 'machine-a', role: 'controller' },
        ...{ addresses: ['10.0.0.9:7400'], version: '1', via: 'mdns', seenAt: 0 },
      },
    ]);
  });

  it('is compared without case', () => {
    const cache = new Cache();
    const records = recordsOf(node('a'));
    cache.hear(
      heardOf(...records.map((one, at) => ({ ...one, name: at % 2 ? one.name.toUpperCase() : one.name }))),
      came(),
      0,
    );
    expect(cache.found(1)).toHaveLength(1);
    cache.hear(heardOf({ ...records[0]!, ttl: 0, name: '_BINNACLE._TCP.LOCAL' } as never), came(), 10);
    expect(foundAt(cache, 1_011)).toEqual([]);
  });

  it('of several instances in one reply stays apart, and each keeps its own port and text', () => {
    const cache = new Cache();
    const [a, b] = [
      recordsOf(node('a', { port: 7401 })),
      recordsOf(node('b', { port: 7402 }), { addresses: ['10.0.0.8'] }),
    ];
    cache.hear(heardOf(...a.flatMap((one, at) => [one, b[at]!])), came(), 0);
    expect(cache.found(1).map(({ node, name, addresses }) => ({ node, name, addresses }))).toEqual([
      { node: 'n-a', name: 'machine-a', addresses: ['10.0.0.9:7401'] },
      { node: 'n-b', name: 'machine-b', addresses: ['10.0.0.8:7402'] },
    ]);
  });

  it('on two links is one node with the addresses of both, and link-local ones name their link', () => {
    const cache = cacheWith('a', { addresses: ['fe80::1', '10.0.0.9'] });
    const other = came({ link: 'eth1 x', scope: 'eth1' });
    cache.hear(heardOf(...recordsOf(node('a'), { addresses: ['10.1.0.9', 'fe80::2', '2001:db8::2'] })), other, 5);
    expect(cache.found(6).map(({ addresses }) => addresses)).toEqual([
      ['10.0.0.9:7400', '[fe80::1%eth0]:7400', '10.1.0.9:7400', '[2001:db8::2]:7400', '[fe80::2%eth1]:7400'],
    ]);
    cache.forgetLink('eth0');
    expect(cache.found(6)[0]!.addresses).toHaveLength(3);
    cache.forgetLink('eth1 x');
    expect(cache.found(6)).toEqual([]);
  });

  it('is down when its time to live is over, and not before when it was heard again', () => {
    const cache = cacheWith();
    expect(cache.expire(1)).toBe(120_000);
    expect(foundAt(cache, 119_999)).toHaveLength(1);
    cache.hear(heardOf(...recordsOf(node('a'))), came(), 119_999);
    expect(foundAt(cache, 239_998)).toHaveLength(1);
    expect(foundAt(cache, 239_999)).toEqual([]);
    expect([cache.size, cache.expire(240_000)]).toEqual([0, null]);
  });

  it('is down a second after a goodbye, unless somebody corrects it meanwhile', () => {
    const cache = cacheWith();
    cache.hear(heardOf(...recordsOf(node('a'), { ttl: 0 })), came(), 5_000);
    expect(foundAt(cache, 5_999)).toHaveLength(1);
    cache.hear(heardOf(...recordsOf(node('a'))), came(), 5_999);
    expect(foundAt(cache, 6_001)).toHaveLength(1);
    cache.hear(heardOf(recordsOf(node('a'), { ttl: 0 })[0]!), came(), 7_000);
    expect(cache.expire(7_001)).toBe(8_000);
    expect(foundAt(cache, 8_000)).toEqual([]);
  });

  it('is never made by a goodbye', () => {
    const cache = cacheWith('a', { ttl: 0 });
    expect(cache.size).toBe(0);
  });

  it('loses addresses that a later answer no longer has', () => {
    const cache = cacheWith('a', { addresses: ['10.0.0.9', '10.0.0.10'] });
    cache.hear(heardOf(...recordsOf(node('a'), { addresses: ['10.0.0.9'] })), came(), 3_000);
    expect(cache.found(3_001)[0]!.addresses).toHaveLength(2);
    cache.expire(4_000);
    expect(foundAt(cache, 4_001)[0]!.addresses).toEqual(['10.0.0.9:7400']);
  });

  it('that never becomes whole is forgotten, so that it takes no room', () => {
    const cache = new Cache();
    cache.hear(heardOf(recordsOf(node('a'))[0]!), came(), 0);
    expect(cache.size).toBe(1);
    expect([cache.expire(1), cache.expire(bounds.incompleteMs), cache.size]).toEqual([bounds.incompleteMs, null, 0]);
  });

  it('of other services is not kept at all', () => {
    const cache = new Cache();
    const foreign = recordsOf(node('a')).map((one) => ({ ...one, name: one.name.replace('binnacle', 'ipp') }));
    cache.hear(heardOf(...(foreign as never[])), came(), 0);
    cache.hear(heardOf({ type: 'PTR', name: SERVICE, ttl: 9, data: 'x._ipp._tcp.local' }), came(), 0);
    expect(cache.size).toBe(0);
  });

  it('is bounded by sender, by number and by addresses; who is known stays', () => {
    const cache = cacheWith('known');
    const crowd = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => heardOf(...recordsOf(node(`x${from + at}`), { ttl: 4_000_000 })));
    for (const records of crowd(0, 100)) cache.hear(records, came({ sender: 'one' }), 0);
    expect(cache.size).toBe(1 + bounds.instancesPerSenderMax);
    expect(cache.turnedAway).toBe(100 - bounds.instancesPerSenderMax);
    for (let sender = 0; sender < 40; sender++) {
      for (const records of crowd(1_000 + sender * 20, 20)) cache.hear(records, came({ sender: `s${sender}` }), 0);
    }
    expect(cache.size).toBe(bounds.instancesMax);
    expect(cache.found(1).some(({ node }) => node === 'n-known')).toBe(true);
    const many = Array.from({ length: 60 }, (_, at) => `10.0.1.${at + 1}`);
    cache.hear(heardOf(...recordsOf(node('known'), { addresses: many })), came(), 1);
    expect(cache.found(2)[0]!.addresses).toHaveLength(bounds.addressesPerNodeMax);
    // However long they claim to live, they do not hold their place for days; then there is room again.
    cache.expire(bounds.timeToLiveMsMax + 1);
    expect(cache.size).toBe(0);
    cache.hear(crowd(0, 1)[0]!, came({ sender: 'one' }), bounds.timeToLiveMsMax + 2);
    expect(cache.size).toBe(1);
  });
});

describe('one list out of several', () => {
  const seen = cacheWith('a', { addresses: ['10.0.0.9'] }).found(1);
  const byLibrary = seen.map((one) => ({ ...one, via: 'mdns-js' as const, addresses: ['10.9.9.9:7400'] }));

  it('has each node once, by the source that is believed most, with all addresses', () => {
    const [one, ...more] = merge([seen, byLibrary, typedFound(['10.0.0.9:7400'], 0)]);
    expect(one).toMatchObject({ node: 'n-a', via: 'mdns', addresses: ['10.0.0.9:7400', '10.9.9.9:7400'] });
    expect(more).toEqual([]);
    expect(merge([[], byLibrary, typedFound(['10.0.0.9:7400'], 0)]).map(({ via }) => via)).toEqual([
      'mdns-js',
      'static',
    ]);
  });

  it('tells what appeared, changed and vanished, and not that something was seen again', () => {
    const later = seen.map((one) => ({ ...one, seenAt: 99 }));
    const moved = seen.map((one) => ({ ...one, addresses: ['10.0.0.7:7400'] }));
    const kinds = (before: typeof seen, after: typeof seen) => changesBetween(before, after).map(({ kind }) => kind);
    expect([kinds([], seen), kinds(seen, later), kinds(seen, moved), kinds(seen, [])]).toEqual([
      ...[['appeared'], [], ['changed'], ['vanished']],
    ]);
  });
});
