/** Several nodes on one machine, over its loopback and a port that is nobody's. */
import { createSocket } from 'node:dgram';
import { decode, encode } from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { SERVICE } from '../../../node-runtime/io/discovery/answers.ts';
import { type Discovery, type DiscoveryOptions, makeDiscovery } from '../../../node-runtime/io/discovery/discovery.ts';
import type { Change } from '../../../node-runtime/io/discovery/found.ts';
import { hostile, node } from './support.ts';

const port = 20_000 + (process.pid % 20_000);
const running: Discovery[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

function start(letter: string | null, options: Partial<DiscoveryOptions> = {}) {
  const changes: Change[] = [];
  const warnings: object[] = [];
  const discovery = makeDiscovery({
    ...{ port, isUsed: (_name, isLoopback) => isLoopback, mdnsJs: false, onChange: (change) => changes.push(change) },
    ...{ log: { warn: (fields) => warnings.push(fields) }, ...options },
  });
  running.push(discovery);
  if (letter) discovery.announce(node(letter));
  discovery.start();
  return {
    discovery,
    changes,
    warnings,
    names: () =>
      discovery
        .found()
        .map(({ name }) => name)
        .sort(),
  };
}

describe('nodes on one machine', () => {
  it('find each other, hear of changes, and vanish when they say goodbye', async () => {
    const [a, b, looker] = [start('a'), start('b'), start(null)];
    await expect.poll(a.names).toEqual(['machine-b']);
    await expect.poll(b.names).toEqual(['machine-a']);
    await expect.poll(looker.names).toEqual(['machine-a', 'machine-b']);
    expect(looker.discovery.found()[0]).toMatchObject({
      addresses: ['127.0.0.1:7400'],
      via: 'mdns',
      clusterName: 'Lab',
    });

    b.discovery.announce(node('b', { name: 'renamed' }));
    await expect.poll(a.names).toEqual(['renamed']);
    expect(a.changes.map(({ kind }) => kind)).toEqual(['appeared', 'changed']);

    await b.discovery.stop();
    await expect.poll(a.names).toEqual([]);
    await expect.poll(looker.names).toEqual(['machine-a']);
    a.discovery.announce(null);
    await expect.poll(looker.names).toEqual([]);
    expect([a, b, looker].flatMap(({ warnings }) => warnings)).toEqual([]);
    expect(a.changes.at(-1)).toMatchObject({ kind: 'vanished', found: { node: 'n-b' } });
  });

  it('show what was typed, as one result with the node that is found there', async () => {
    const a = start(null, { addresses: ['127.0.0.1:7400', 'elsewhere:1', 'nonsense'] });
    await expect.poll(a.names).toEqual(['127.0.0.1:7400', 'elsewhere:1']);
    const b = start('b');
    await expect.poll(a.names).toEqual(['elsewhere:1', 'machine-b']);
    await b.discovery.stop();
    await expect.poll(a.names).toEqual(['127.0.0.1:7400', 'elsewhere:1']);
    a.discovery.setAddresses([]);
    await expect.poll(a.names).toEqual([]);
  });

  it('are not moved by hostile packets, which are counted', async () => {
    const [a, b] = [start('a'), start('b')];
    await expect.poll(a.names).toEqual(['machine-b']);
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    await new Promise<void>((done) => socket.bind({ port, address: '127.0.0.1', exclusive: true }, done));
    socket.setMulticastInterface('127.0.0.1');
    for (let turn = 0; turn < 5; turn++) {
      for (const bytes of Object.values(hostile)) socket.send(bytes, port, '224.0.0.251');
    }
    await expect.poll(() => a.discovery.dropped().bad).toBeGreaterThanOrEqual(3 * 5);
    // Of a flood only so much is read.
    for (let turn = 0; turn < 40; turn++) socket.send(hostile['a text that is far too long']!, port, '224.0.0.251');
    await expect.poll(() => a.discovery.dropped().tooMany).toBeGreaterThan(0);
    socket.close();
    expect([a.names(), a.changes.length, b.names()]).toEqual([['machine-b'], 1, ['machine-a']]);
    expect([...a.warnings, ...b.warnings]).toEqual([]);
  });

  it('answer an asker of another port to that port, with its id', async () => {
    start('a');
    const asker = createSocket('udp4');
    await new Promise<void>((done) => asker.bind(0, '127.0.0.1', done));
    asker.setMulticastInterface('127.0.0.1');
    const answers: Buffer[] = [];
    asker.on('message', (bytes) => answers.push(bytes));
    const bytes = encode({ type: 'query', id: 4711, questions: [{ name: SERVICE, type: 'PTR' }] });
    await expect
      .poll(() => {
        asker.send(bytes, port, '224.0.0.251');
        return answers.length;
      })
      .toBeGreaterThan(0);
    asker.close();
    expect(decode(answers[0]!)).toMatchObject({
      ...{ id: 4711, type: 'response', questions: [{ name: SERVICE }] },
      answers: [{ type: 'PTR', data: `n-a.${SERVICE}` }],
    });
  });

  it('are not announced with what cannot be told', () => {
    expect(() => start(null).discovery.announce(node('a', { node: 'not.one' }))).toThrow();
  });
});
