import { encode } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { SERVICE } from '../../../node-runtime/io/discovery/answers.ts';
import { bounds } from '../../../node-runtime/io/discovery/bounds.ts';
import { Cache } from '../../../node-runtime/io/discovery/cache.ts';
import { announcedBy, isPlausible, textStrings } from '../../../node-runtime/io/discovery/hints.ts';
import { linkOfSender, linksOf } from '../../../node-runtime/io/discovery/links.ts';
import { readPacket } from '../../../node-runtime/io/discovery/packet.ts';
import { Quota } from '../../../node-runtime/io/discovery/quota.ts';
import { isAddress, typedFound } from '../../../node-runtime/io/discovery/typed.ts';
import { came, heardOf, hostile, node, read, recordsOf, responseOf } from './support.ts';

describe('a packet', () => {
  it('is read into the records discovery knows, names in lower case', () => {
    const given = recordsOf(node('A'), { addresses: ['10.0.0.9', 'fe80::1'] });
    expect(heardOf(...given)).toEqual([
      { kind: 'PTR', name: SERVICE, timeToLiveS: 120, flush: false, target: `n-a.${SERVICE}` },
      { kind: 'SRV', name: `n-a.${SERVICE}`, timeToLiveS: 120, flush: true, target: 'n-a.local', port: 7400 },
      expect.objectContaining({ kind: 'TXT', strings: expect.arrayContaining(['node=n-A', 'port=7400']) }),
      { kind: 'A', name: 'n-a.local', timeToLiveS: 120, flush: true, address: '10.0.0.9' },
      { kind: 'AAAA', name: 'n-a.local', timeToLiveS: 120, flush: true, address: 'fe80::1' },
    ]);
  });

  it('of more than 9,000 bytes is dropped, and so is one with more records than any honest one', () => {
    const filler = { type: 'A', name: 'h.local', ttl: 1, data: '10.0.0.1' } as const;
    const full = responseOf(...Array(bounds.recordsPerPacketMax).fill(filler));
    expect(read(full).records).toHaveLength(bounds.recordsPerPacketMax);
    expect(readPacket(responseOf(...Array(bounds.recordsPerPacketMax + 1).fill(filler)))).toBeNull();
    expect(readPacket(Buffer.concat([full, Buffer.alloc(9_000)]))).toBeNull();
  });

  it('keeps the writing of a question', () => {
    const name = '_Binnacle._TCP.local';
    expect(read(encode({ type: 'query', id: 7, questions: [{ type: 'PTR', name }] }))).toEqual({
      ...{ id: 7, isQuery: true, asked: [{ name, kind: 'PTR' }], records: [] },
    });
  });

  it.each(Object.keys(hostile))('that is hostile changes nothing: %s', (name) => {
    const heard = readPacket(hostile[name]!);
    const cache = new Cache();
    cache.hear(heard?.records ?? [], came(), 0);
    expect(cache.found(1)).toEqual([]);
    if (name.includes('points at itself') || name === 'nothing' || name.includes('claims')) expect(heard).toBeNull();
  });

  it('made of nothing but pointers to pointers takes little time, and one sender may not send many', () => {
    const pointers = 2_900;
    const bytes = Buffer.alloc(9_000);
    bytes.writeUInt16BE(0x8400, 2);
    bytes.writeUInt16BE(255, 6);
    // A record of a kind that nobody reads holds a chain of pointers, each to the one before it.
    bytes.write('\u0001a\0', 12, 'latin1');
    bytes.writeUInt16BE(10, 15);
    bytes.writeUInt16BE(1, 17);
    bytes.writeUInt16BE(2 * pointers, 23);
    let at = 25;
    for (let n = 0; n < pointers; n++, at += 2) bytes.writeUInt16BE(0xc000 + (n === 0 ? 12 : at - 2), at);
    // The names of all others begin at its end.
    const last = 0xc000 + at - 2;
    for (let n = 0; n < 254; n++, at += 12) {
      bytes.writeUInt16BE(last, at);
      bytes.writeUInt16BE(10, at + 2);
      bytes.writeUInt16BE(1, at + 4);
    }
    const whole = bytes.subarray(0, at);
    for (let n = 0; n < 3; n++) readPacket(whole);
    const begun = performance.now();
    expect(read(whole).records).toEqual([]);
    const tookMs = performance.now() - begun;
    // In a second. Measured: about 30 ms; the rest is for busy machines.
    expect((tookMs * bounds.bytesPerSenderPerSecond) / whole.length).toBeLessThan(500);
    if (process.env['BINNACLE_FIGURES']) console.log(`worst packet ${tookMs.toFixed(2)} ms, ${whole.length} bytes`);
  });
});

describe('what a node says of itself', () => {
  it('comes back as it was said, under 400 bytes, names cut at whole letters', () => {
    const self = node('a', { clusterName: '船'.repeat(60), name: `n${'é'.repeat(80)}` });
    const strings = textStrings(self);
    expect(strings.reduce((sum, one) => sum + Buffer.byteLength(one) + 1, 0)).toBeLessThan(400);
    const said = announcedBy(strings, 7400)!;
    expect(said).toMatchObject({ cluster: 'c-lab', node: 'n-a', role: 'controller', version: '1', port: 7400 });
    expect(said.clusterName).toBe('船'.repeat(21));
    expect(said.name).toBe(`n${'é'.repeat(31)}`);
  });

  it('is refused where it could not be said', () => {
    for (const wrong of [{ node: 'a.b' }, { cluster: '' }, { role: 'a b' }, { version: '' }, { port: 0 }]) {
      expect(() => textStrings(node('a', wrong))).toThrow();
    }
  });

  it('is not believed with a value of another form, another port, or a key twice', () => {
    const strings = textStrings(node('a'));
    expect(announcedBy(strings, 7400)).not.toBeNull();
    expect(announcedBy([...strings, 'later=1', 'flag'], 7400)).not.toBeNull();
    expect(announcedBy(strings, 7401)).toBeNull();
    expect(announcedBy([...strings, 'node=n-b'], 7400)).toBeNull();
    expect(announcedBy([...strings, ...textStrings(node('b'))], 7400)).toBeNull();
    for (const key of ['v', 'cluster', 'node', 'role', 'port']) {
      expect(
        announcedBy(
          strings.filter((one) => !one.startsWith(`${key}=`)),
          7400,
        ),
      ).toBeNull();
    }
    const nameless = announcedBy(
      strings.filter((one) => !one.includes('name=')),
      7400,
    );
    expect([nameless?.name, nameless?.clusterName]).toEqual(['n-a', 'c-lab']);
    const evil = strings.map((one) => (one.startsWith('name=') ? `name=\u202ea\u0007${'b'.repeat(200)}` : one));
    expect(announcedBy(evil, 7400)!.name).toBe(`a${'b'.repeat(63)}`);
  });

  it('leads to no address that cannot be another node', () => {
    for (const bad of [
      '0.0.0.0',
      '127.0.0.1',
      '224.0.0.251',
      '255.255.255.255',
      '::',
      '::1',
      'ff02::fb',
      'x',
      '::ffff:10.0.0.1',
    ]) {
      expect([bad, isPlausible(bad, false)]).toEqual([bad, false]);
    }
    for (const good of ['10.0.0.1', '169.254.1.1', 'fe80::1', '2001:db8::1'])
      expect(isPlausible(good, false)).toBe(true);
    expect([isPlausible('127.0.0.1', true), isPlausible('10.0.0.1', true)]).toEqual([true, false]);
  });
});

describe('the links of a machine', () => {
  const v4 = (address: string, bits: number, internal = false) =>
    ({ family: 'IPv4', address, cidr: `${address}/${bits}`, netmask: '', mac: '02:00:00:00:00:01', internal }) as const;
  const v6 = (address: string, scopeid: number) =>
    ({
      family: 'IPv6',
      address,
      cidr: `${address}/64`,
      netmask: '',
      mac: '02:00:00:00:00:01',
      internal: false,
      scopeid,
    }) as const;
  const links = linksOf(
    {
      lo: [v4('127.0.0.1', 8, true)],
      eth0: [v4('10.1.0.5', 16), v6('fe80::5', 2), v6('2001:db8::5', 0)],
      eth1: [v6('fe80::6', 3)],
    },
    (_name, isLoopback) => !isLoopback,
  );

  it('are those that are wanted, with the addresses to tell of on each', () => {
    expect(links.map(({ name, v4, v6, announced }) => ({ name, v4, v6, announced }))).toEqual([
      { name: 'eth0', v4: ['10.1.0.5'], v6: 'fe80::5', announced: ['10.1.0.5', 'fe80::5', '2001:db8::5'] },
      { name: 'eth1', v4: [], v6: 'fe80::6', announced: ['fe80::6'] },
    ]);
  });

  it('are told by the sender, and who is on none is not heard', () => {
    const of = (address: string) => linkOfSender(address, links)?.name ?? null;
    expect([of('10.1.9.9'), of('fe80::77%eth1'), of('fe80::77%eth0')]).toEqual(['eth0', 'eth1', 'eth0']);
    expect([of('10.2.0.1'), of('127.0.0.1'), of('fe80::77'), of('2001:db8::9'), of('')]).toEqual(Array(5).fill(null));
  });
});

it('a quota gives each its part of a second, and all together no more than all', () => {
  const quota = new Quota({ perKey: 10, inAll: 25, keysMax: 3 });
  expect([quota.take('a', 10, 0), quota.take('a', 1, 999), quota.take('b', 10, 0), quota.take('c', 6, 0)]).toEqual([
    ...[true, false, true, false],
  ]);
  expect([quota.take('c', 5, 0), quota.take('a', 10, 1_000), quota.take('b', 1, 1_000)]).toEqual([true, true, true]);
  expect([quota.take('c', 1, 1_000), quota.take('d', 1, 1_000)]).toEqual([true, false]);
});

it('typed addresses are taken each once, and what is none is left out', () => {
  for (const good of ['10.0.0.1:7400', 'deck-17.lan:1', '[fe80::1%eth0]:7400', '[2001:db8::1]:65535']) {
    expect([good, isAddress(good)]).toEqual([good, true]);
  }
  for (const bad of ['', 'a', 'a:0', 'a:65536', 'fe80::1:7400', '[x]:1', 'http://a:1', 'a b:1', '-a:1', ':1']) {
    expect([bad, isAddress(bad)]).toEqual([bad, false]);
  }
  expect(typedFound(['a:1', 'a:1', 'b'], 5)).toEqual([
    {
      cluster: '',
      clusterName: '',
      node: '',
      name: 'a:1',
      role: '',
      addresses: ['a:1'],
      version: '',
      via: 'static',
      seenAt: 5,
    },
  ]);
});
