/** Messages between nodes: order, sizes, bounds, broken frames, silence, coming back. */
import { type ChildProcess, fork } from 'node:child_process';
import { createServer } from 'node:net';
import { connect, createSecureContext, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { FRAMED } from '../../../node-runtime/io/http/peer-trust.ts';
import type { Identity } from '../../../node-runtime/io/trust/identity.ts';
import { bounds, closeNodes, founder, joined, type Node, openNode, pair, until } from './support.ts';

afterEach(closeNodes);

/** A client that proves to be a member and then writes what it likes. */
function rawClient(identity: Identity, to: Node): Promise<TLSSocket> {
  const { cert, key } = identity.node;
  const secureContext = createSecureContext({ ca: identity.authority.cert, cert, key });
  const socket = connect({
    ...{ host: '127.0.0.1', port: to.peers.port!, secureContext, ALPNProtocols: [FRAMED] },
    checkServerIdentity: () => undefined,
  });
  socket.on('error', () => {});
  return new Promise((done) => socket.once('secureConnect', () => done(socket)));
}

const frame = (text: string | Buffer, length = Buffer.byteLength(text)): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, Buffer.from(text)]);
};

describe('two nodes', () => {
  test('tell each other messages both ways over one connection, in order', async () => {
    const [a, b] = await pair();
    for (let number = 0; number < 200; number++) {
      expect(a.peers.send('n-b', { number })).toBe(true);
      expect(b.peers.send('n-a', { number: -number })).toBe(true);
    }
    await until('all have come', () => a.heard.length === 200 && b.heard.length === 200);
    expect(b.heard.map(({ message }) => message)).toEqual(Array.from({ length: 200 }, (_, number) => ({ number })));
    expect(a.heard[7]).toEqual({ from: 'n-b', message: { number: -7 }, bytes: expect.any(Number) });
    expect(a.happened).toEqual(['+n-b']);
    expect(b.happened).toEqual(['+n-a']);
    expect(a.peers.status('n-b')).toMatchObject({ connected: true, sentMessages: 200, droppedMessages: 0 });
  });

  test('pass 10,000 messages without losing one or changing their order', async () => {
    const [a, b] = await pair();
    const text = 'x'.repeat(200);
    let number = 0;
    while (number < 10_000) {
      for (let turn = 0; turn < 500; turn++) expect(a.peers.send('n-b', { number: number++, text })).toBe(true);
      await new Promise((done) => setImmediate(done));
    }
    await until('all have come', () => b.heard.length === 10_000);
    expect(b.heard.every(({ message }, at) => (message as { number: number }).number === at)).toBe(true);
  });

  test('pass a message of 6 MiB, and letters of any kind', async () => {
    const [a, b] = await pair();
    const text = `${'ä€😀"\\\n'.repeat(300_000)}`;
    expect(a.peers.send('n-b', { text: 'x'.repeat(6 * 1024 ** 2) })).toBe(true);
    expect(a.peers.send('n-b', { text })).toBe(true);
    await until('both have come', () => b.heard.length === 2);
    expect((b.heard[0]!.message as { text: string }).text).toHaveLength(6 * 1024 ** 2);
    expect((b.heard[1]!.message as { text: string }).text).toBe(text);
  });

  test('measure the way there and back', async () => {
    const [a] = await pair({}, {});
    await until('a ping was answered', () => a.peers.status('n-b').roundTripMs !== null);
    expect(a.peers.status('n-b').roundTripMs).toBeLessThan(5_000);
  });
});

describe('what is too much', () => {
  test('a message larger than a frame is dropped, counted and said once', async () => {
    const [a, b] = await pair();
    const text = 'x'.repeat(bounds.peerFrameBytesMax);
    expect([a.peers.send('n-b', text), a.peers.send('n-b', text)]).toEqual([false, false]);
    expect(a.peers.status('n-b').droppedMessages).toBe(2);
    expect(a.logged.filter((line) => line.includes('larger than allowed'))).toHaveLength(1);
    expect(a.peers.send('n-b', 'after')).toBe(true);
    await until('the next comes', () => b.heard.length === 1);
  });

  test('a message to nobody is dropped', async () => {
    const [a] = await pair();
    expect(a.peers.send('n-x', {})).toBe(false);
    expect(a.peers.status('n-x')).toMatchObject({ connected: false, heardAt: null });
  });

  test('a node that never reads fills the queue and no more', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA, { members: [{ node: 'n-b', addresses: [] }] });
    const socket = await rawClient(idB, a);
    socket.pause();
    const alive = setInterval(() => socket.write(frame('{"ping":1}')), 200);
    await until('it is connected', () => a.peers.status('n-b').connected);
    const piece = 'x'.repeat(256 * 1024);
    let taken = 0;
    for (let turn = 0; turn < 400; turn++) {
      if (a.peers.send('n-b', piece)) taken += piece.length;
      await new Promise((done) => setImmediate(done));
    }
    clearInterval(alive);
    expect(a.peers.status('n-b').droppedMessages).toBeGreaterThan(200);
    // What the kernels hold comes on top.
    expect(taken).toBeLessThan(bounds.peerQueueBytesMax + 16 * 1024 ** 2);
    expect(a.peers.status('n-b').connected).toBe(true);
    socket.destroy();
  });

  test.each([
    ['longer than allowed', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['that is no JSON', frame('{"message":')],
    ['that is neither message nor sign of life', frame('{"other":1}')],
    ['that is a bare value', frame('17')],
    ['that is empty', frame('')],
    ['of another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('a frame %s ends the connection, and nothing of it is heard', async (_what, bytes) => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA, { members: [{ node: 'n-b', addresses: [] }] });
    const socket = await rawClient(idB, a);
    let closed = false;
    socket.on('close', () => (closed = true)).resume();
    await until('it is connected', () => a.peers.status('n-b').connected);
    socket.write(Buffer.concat([frame('{"message":"before"}'), bytes]));
    await until('it is cut', () => closed);
    expect(a.heard.map(({ message }) => message)).toEqual(['before']);
    expect(a.happened[1]).toMatch(/^-n-b A frame/);
  });

  test('a frame in single bytes is still a frame', async () => {
    const idA = await founder();
    const a = await openNode(idA, { members: [{ node: 'n-b', addresses: [] }] });
    const socket = await rawClient(await joined(idA, 'n-b'), a);
    for (const byte of Buffer.concat([frame('{"message":1}'), frame('{"message":{"a":"ä"}}')])) {
      socket.write(Buffer.from([byte]));
      await new Promise((done) => setImmediate(done));
    }
    await until('both have come', () => a.heard.length === 2);
    expect(a.heard.map(({ message }) => message)).toEqual([1, { a: 'ä' }]);
    socket.destroy();
  });

  test('of more than four connections of a node the oldest gives way', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA, { members: [{ node: 'n-b', addresses: [] }] });
    const closed: number[] = [];
    const sockets: TLSSocket[] = [];
    for (let number = 0; number < 6; number++) {
      const socket = await rawClient(idB, a);
      socket.on('close', () => closed.push(number)).resume();
      sockets.push(socket);
      await new Promise<void>((done) => socket.once('data', () => done()));
    }
    await until('two are cut', () => closed.length === 2);
    expect(closed).toEqual([0, 1]);
    expect(a.happened).toEqual(['+n-b']);
    for (const socket of sockets) socket.destroy();
  });
});

describe('silence', () => {
  let child: ChildProcess | null = null;
  afterEach(() => void child?.kill('SIGKILL'));

  test('of a stopped process is noticed within three seconds, also if its kernel answers; it comes back', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA);
    child = fork(new URL('./stopped-node.ts', import.meta.url), { serialization: 'json' });
    const port = new Promise<number>((done) => child!.once('message', (said) => done(said as number)));
    child.send({ identity: idB, members: [a.member] });
    a.peers.setMembers([{ node: 'n-b', addresses: [`127.0.0.1:${await port}`] }], ['n-b']);
    await until('it is connected', () => a.peers.status('n-b').connected);
    child.kill('SIGSTOP');
    const stoppedAt = performance.now();
    await until('it is noticed', () => !a.peers.status('n-b').connected, 10_000);
    expect(performance.now() - stoppedAt).toBeLessThan(3_000);
    expect(a.happened.at(-1)).toMatch(/^-n-b Nothing was heard of it for \d+ ms/);
    child.kill('SIGCONT');
    await until('it is back', () => a.peers.status('n-b').connected);
  });

  test('does not count while it is quiet only: a connection without messages stays', async () => {
    const limits = { peerPingMs: 20, peerSilenceMs: 400 };
    const [a, b] = await pair({ limits }, { limits });
    const heardAt = a.peers.status('n-b').heardAt!;
    await until('three silences have passed', () => (a.peers.status('n-b').heardAt ?? 0) - heardAt > 1_200);
    expect([a.happened, b.happened]).toEqual([['+n-b'], ['+n-a']]);
  });

  test('of this process itself counts for nothing', async () => {
    const limits = { peerPingMs: 100, peerSilenceMs: 500 };
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA, { limits });
    child = fork(new URL('./stopped-node.ts', import.meta.url), { serialization: 'json' });
    const port = new Promise<number>((done) => child!.once('message', (said) => done(said as number)));
    // The other one is patient; this one must not blame it for what it slept through.
    child.send({ identity: idB, members: [a.member], limits: { peerSilenceMs: 60_000 } });
    a.peers.setMembers([{ node: 'n-b', addresses: [`127.0.0.1:${await port}`] }], ['n-b']);
    await until('it is connected', () => a.peers.status('n-b').connected);
    await new Promise((done) => setImmediate(done)); // timers come next, before anything is read
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500); // the loop stands still
    const before = a.peers.status('n-b').heardAt!;
    await until('it is heard again', () => (a.peers.status('n-b').heardAt ?? 0) > before);
    expect(a.happened).toEqual(['+n-b']);
  });
});

describe('coming back', () => {
  test('a node that was restarted on its port is dialled again', async () => {
    const [a, b] = await pair();
    const port = b.peers.port!;
    await b.peers.close();
    await until('it is lost', () => !a.peers.status('n-b').connected);
    expect(a.peers.send('n-b', 'lost')).toBe(false);
    const again = await openNode(b.identity, { port, members: [a.member] });
    await until('it is back', () => a.peers.status('n-b').connected);
    expect(a.peers.send('n-b', 'found')).toBe(true);
    await until('it is told', () => again.heard.length === 1);
    expect(a.happened.map((line) => line.slice(0, 4))).toEqual(['+n-b', '-n-b', '+n-b']);
  });

  test('what was sent before closing still arrives', async () => {
    const [a, b] = await pair();
    for (let number = 0; number < 100; number++) a.peers.send('n-b', { number, text: 'x'.repeat(10_000) });
    await a.peers.close();
    await until('all have come', () => b.heard.length === 100);
  });

  test('a dead address in front does not keep a node from being reached', async () => {
    const idA = await founder();
    const b = await openNode(await joined(idA, 'n-b'), { members: [{ node: 'n-a', addresses: [] }] });
    const silent = createServer().listen(0, '127.0.0.1'); // takes connections and never speaks
    await new Promise((done) => silent.once('listening', done));
    const { port } = silent.address() as { port: number };
    const addresses = ['nonsense', '127.0.0.1:1', `127.0.0.1:${port}`, ...b.member.addresses];
    const a = await openNode(idA, { members: [{ node: 'n-b', addresses }], keep: ['n-b'] });
    await until('it is reached', () => a.peers.status('n-b').connected, 2_500);
    silent.close();
  });

  test('two that both hold the connection hear each message once', async () => {
    const idA = await founder();
    const idB = await joined(idA, 'n-b');
    const a = await openNode(idA);
    const b = await openNode(idB, { members: [a.member], keep: ['n-a'] });
    a.peers.setMembers([b.member], ['n-b']);
    await until('connected', () => a.peers.status('n-b').connected && b.peers.status('n-a').connected);
    for (let number = 0; number < 100; number++) a.peers.send('n-b', number);
    await until('all have come', () => b.heard.length >= 100);
    expect(b.heard.map(({ message }) => message)).toEqual(Array.from({ length: 100 }, (_, number) => number));
  });

  test('closing twice is fine, and a port that is taken is said', async () => {
    const [a] = await pair();
    await expect(openNode(a.identity, { port: a.peers.port! })).rejects.toThrow(/EADDRINUSE/);
    await Promise.all([a.peers.close(), a.peers.close()]);
    expect(a.peers.send('n-b', 1)).toBe(false);
    await expect(a.peers.request('n-b', { method: 'GET', path: '/' })).rejects.toMatchObject({ sent: false });
  });
});
