/** HTTP between nodes: streams both ways, back-pressure, leaving, what may have been sent, removal. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { PeerUnreachable } from '../../../node-runtime/io/http/peer-requests.ts';
import { closeNodes, type Node, pair, until, type Wanted } from './support.ts';

afterEach(closeNodes);

type Handle = (request: IncomingMessage, response: ServerResponse, node: string) => void;

/** A asks, B serves with a plain server that is given its connections. */
async function asking(handle: Handle, wanted: Wanted = {}): Promise<{ a: Node; b: Node; accepted: () => number }> {
  const nodes = new WeakMap<object, string>();
  const server: Server = createServer((request, response) => handle(request, response, nodes.get(request.socket)!));
  let count = 0;
  const acceptHttp = (socket: TLSSocket, node: string): void => {
    count++;
    nodes.set(socket, node);
    server.emit('connection', socket);
  };
  const [a, b] = await pair(wanted, { ...wanted, acceptHttp });
  return { a, b, accepted: () => count };
}

async function textOf(body: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

const MiB = 1024 ** 2;

/** So many bytes, made as they are asked for. */
function source(bytes: number, asked: (sum: number) => void = () => {}): Readable {
  let sum = 0;
  return new Readable({
    read() {
      if (sum >= bytes) return void this.push(null);
      const piece = Buffer.alloc(Math.min(64 * 1024, bytes - sum), 120);
      sum += piece.length;
      asked(sum);
      this.push(piece);
    },
  });
}

describe('a request', () => {
  test('brings method, path, headers and body, and who asks is known by the connection', async () => {
    const { a, accepted } = await asking(async (request, response, node) => {
      const body = await textOf(request);
      const { method, url, headers } = request;
      response.writeHead(201, { 'x-own': ['1', '2'] });
      response.end(JSON.stringify({ method, url, body, node, type: headers['content-type'] }));
    });
    const asked = { method: 'POST', path: '/a%2Fb?c=d', headers: { 'content-type': 'text/x' } };
    for (let number = 0; number < 10; number++) {
      const answer = await a.peers.request('n-b', {
        ...asked,
        headers: { 'content-type': 'text/x' },
        body: Buffer.from('hello'),
      });
      expect([answer.status, answer.headers['x-own']]).toEqual([201, ['1', '2']]);
      const said = JSON.parse(await textOf(answer.body));
      expect(said).toMatchObject({ method: 'POST', url: '/a%2Fb?c=d', body: 'hello', node: 'n-a', type: 'text/x' });
    }
    // A connection is free a moment after its answer was read.
    expect(accepted()).toBeLessThan(4);
  });

  test('of 64 MiB streams out and in with bounded memory', async () => {
    const { a } = await asking((request, response) => void request.pipe(response));
    let ahead = 0;
    let sent = 0;
    let got = 0;
    const body = source(64 * MiB, (sum) => {
      sent = sum;
    });
    const { body: back } = await a.peers.request('n-b', { method: 'PUT', path: '/', body });
    for await (const piece of back) {
      got += (piece as Buffer).length;
      ahead = Math.max(ahead, sent - got);
      if (got % (4 * MiB) < 64 * 1024) await turn(); // a reader that takes its time
    }
    expect(got).toBe(64 * MiB);
    // Kernel buffers of loopback included.
    expect(ahead).toBeLessThan(24 * MiB);
  });

  test('whose answer nobody reads stops the sender', async () => {
    let made = 0;
    const { a } = await asking((_request, response) => void source(64 * MiB, (sum) => (made = sum)).pipe(response));
    const { body } = await a.peers.request('n-b', { method: 'GET', path: '/' });
    let before = -1;
    await until('it stands still', async () => {
      const same = made === before;
      before = made;
      await new Promise((done) => setTimeout(done, 100));
      return same && made > 0;
    });
    expect(made).toBeLessThan(24 * MiB);
    body.destroy();
  });

  test('that is given up is seen at the other side, before and during the answer', async () => {
    let closed = 0;
    let asked = 0;
    const { a } = await asking((request, response) => {
      asked++;
      response.once('close', () => closed++);
      if (request.url === '/streams') response.write('begun');
    });
    const first = new AbortController();
    const lost = a.peers.request('n-b', { method: 'GET', path: '/waits', signal: first.signal });
    await until('it was asked', () => asked === 1);
    first.abort();
    await expect(lost).rejects.toBeInstanceOf(PeerUnreachable);
    await until('the other side sees it', () => closed === 1);
    const second = new AbortController();
    const { body } = await a.peers.request('n-b', { method: 'GET', path: '/streams', signal: second.signal });
    second.abort();
    await expect(textOf(body)).rejects.toThrow();
    await until('the other side sees it', () => closed === 2);
    const { body: third } = await a.peers.request('n-b', { method: 'GET', path: '/streams' });
    third.destroy();
    await until('the other side sees it', () => closed === 3);
  });

  test('to nobody, to a member without an address and to a dead one was surely not sent', async () => {
    const { a, b } = await asking((_request, response) => void response.end());
    const ask = (to: string) => a.peers.request(to, { method: 'POST', path: '/', body: Buffer.from('x') });
    await expect(ask('n-x')).rejects.toMatchObject({ name: 'PeerUnreachable', node: 'n-x', sent: false });
    a.peers.setMembers([b.member, { node: 'n-c', addresses: [] }, { node: 'n-d', addresses: ['127.0.0.1:1'] }], []);
    await expect(ask('n-c')).rejects.toMatchObject({ sent: false });
    await expect(ask('n-d')).rejects.toMatchObject({ sent: false });
  });

  test('that breaks off may have been carried out', async () => {
    const { a } = await asking((request) => void request.socket.destroy());
    await expect(a.peers.request('n-b', { method: 'POST', path: '/', body: Buffer.from('x') })).rejects.toMatchObject({
      sent: true,
    });
  });

  test('that is not answered in time ends', async () => {
    const { a } = await asking(() => {});
    await expect(a.peers.request('n-b', { method: 'GET', path: '/', headersTimeoutMs: 200 })).rejects.toMatchObject({
      sent: true,
    });
  });

  test('waits for a free connection only so long', async () => {
    const { a } = await asking((_request, response) => void response.write('begun'), {
      limits: { peerHttpConnectionsMax: 2 },
    });
    const ask = () => a.peers.request('n-b', { method: 'GET', path: '/', headersTimeoutMs: 300 });
    const held = [await ask(), await ask()];
    await expect(ask()).rejects.toMatchObject({ sent: false });
    for (const { body } of held) body.destroy();
    const after = await ask();
    after.body.destroy();
  });
});

describe('a member that is one no more', () => {
  test('loses kept and busy HTTP connections at once, on both sides, and is asked nothing more', async () => {
    const closed: string[] = [];
    const sockets = new Set<{ destroyed: boolean }>();
    const { a, b } = await asking((request, response) => {
      sockets.add(request.socket);
      request.socket.once('close', () => closed.push(request.url!));
      if (request.url === '/kept') response.end('fine');
      else response.write('begun');
    });
    const ask = (path: string) => a.peers.request('n-b', { method: 'GET', path });
    expect(await textOf((await ask('/kept')).body)).toBe('fine');
    const busy = await ask('/busy');
    const second = await ask('/busy2');
    a.peers.setMembers([], []);
    // Before the other side could have seen it and done the same.
    for (let number = 0; number < 2; number++) await turn();
    expect([busy.body.destroyed, second.body.destroyed]).toEqual([true, true]);
    await expect(textOf(busy.body)).rejects.toThrow();
    await expect(textOf(second.body)).rejects.toThrow();
    await until('the other side sees both', () => closed.length >= 3);
    await expect(ask('/kept')).rejects.toMatchObject({ sent: false });
    // The other way round: B removes A, whose kept connection is still open.
    a.peers.setMembers([b.member], ['n-b']);
    await until('connected', () => b.peers.status('n-a').connected);
    expect(await textOf((await ask('/kept')).body)).toBe('fine');
    const kept = [...sockets].filter((socket) => !socket.destroyed);
    expect(kept.length).toBeGreaterThan(0);
    b.peers.setMembers([], []);
    expect(kept.every((socket) => socket.destroyed)).toBe(true);
    await expect(ask('/kept')).rejects.toBeInstanceOf(PeerUnreachable);
    await until('its new connections are refused', () => b.logged.join().includes('n-a is no member'));
  });
});

test('a request to a node without a framed connection gets one that watches over it', async () => {
  const { a, b } = await asking((_request, response) => void response.write('begun'));
  a.peers.setMembers([], []);
  a.peers.setMembers([b.member], []);
  expect(a.peers.status('n-b').connected).toBe(false);
  const { body } = await a.peers.request('n-b', { method: 'GET', path: '/' });
  await until('it is watched', () => a.peers.status('n-b').connected);
  body.destroy();
});
