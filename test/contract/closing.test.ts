/** Listening and closing: ports, sockets, what is under way, renewed certificates, too many connections. */
import { connect as connectPlain } from 'node:net';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { fingerprintOf, renewIfNeeded, serverCertificate } from '../../node-runtime/io/trust/identity.ts';
import { ask, codeIn, handlersWith, identity, privateDoor, publicDoor, until } from './support/doors.ts';

test('a port that is taken is said, not hidden', async () => {
  const first = await publicDoor();
  const second = await publicDoor();
  await second.close();
  await expect(second.server.listen({ host: '127.0.0.1', port: first.port })).rejects.toThrow(/EADDRINUSE/);
  await first.close();
});

test('what is under way is finished, what comes later is told that the node stops', async () => {
  let go: (() => void) | undefined;
  const door = await publicDoor({
    limits: { closeGraceMs: 5_000 },
    handlers: handlersWith({
      cluster: () => new Promise((done) => (go = () => done({ body: { fine: true } as never }))),
    }),
  });
  const slow = ask(door, { path: '/api/v1/cluster', token: 'viewer' });
  // Another one has only begun to arrive when the server begins to close.
  const socket = connect({ host: '127.0.0.1', port: door.port, rejectUnauthorized: false });
  let text = '';
  socket.on('data', (data) => (text += data)).on('error', () => {});
  socket.write(`GET /api/v1/nodes HTTP/1.1\r\nHost: localhost:${door.port}\r\n`);
  await until('the first is being answered', () => go !== undefined);
  await ask(door, { path: '/healthz' }); // what was sent before this has arrived
  const closed = door.close();
  socket.write('Authorization: Bearer viewer\r\n\r\n');
  await until('the second is answered', () => codeIn(text) === 'stopping');
  expect(text.toLowerCase()).toContain('connection: close');
  go!();
  expect((await slow).json).toEqual({ fine: true });
  socket.destroy();
  await closed;
});

test('a handler that never ends does not keep the server open for ever', async () => {
  let asked = false;
  const door = await publicDoor({
    limits: { closeGraceMs: 100 },
    handlers: handlersWith({
      cluster: () => {
        asked = true;
        return new Promise(() => {});
      },
    }),
  });
  const lost = expect(ask(door, { path: '/api/v1/cluster', token: 'viewer' })).rejects.toThrow(/hang up|reset/i);
  await until('it was asked', () => asked);
  await door.close();
  await lost;
});

test('idle and half-open connections do not hold up closing', async () => {
  const door = await publicDoor({ limits: { closeGraceMs: 100 } });
  const half = connectPlain({ host: '127.0.0.1', port: door.port });
  half.on('error', () => {});
  await new Promise((done) => half.once('connect', done));
  await door.close();
  half.destroy();
});

test('closing twice, or before listening, is fine', async () => {
  const door = await privateDoor();
  await Promise.all([door.server.close(), door.server.close()]);
  await door.close();
});

test('a renewed certificate is shown to new connections', async () => {
  const before = await identity();
  const door = await publicDoor();
  const shown = () =>
    new Promise<string>((done, failed) => {
      const socket = connect({ host: '127.0.0.1', port: door.port, rejectUnauthorized: false }, () => {
        done(
          fingerprintOf(
            `-----BEGIN CERTIFICATE-----\n${socket.getPeerCertificate().raw.toString('base64')}\n-----END CERTIFICATE-----`,
          ),
        );
        socket.destroy();
      }).on('error', failed);
    });
  expect(await shown()).toBe(before.fingerprint);
  const renewed = await renewIfNeeded(before, ['localhost', 'new.lab'], Date.now());
  door.server.useCertificate(serverCertificate(renewed!));
  expect(await shown()).toBe(renewed!.fingerprint);
  expect(renewed!.fingerprint).not.toBe(before.fingerprint);
  await door.close();
});

test('more connections than the bound are turned away, the others go on', async () => {
  const door = await privateDoor({ limits: { connectionsMax: 2 } });
  const sockets = [1, 2, 3].map(() => connectPlain(door.socketPath!).on('error', () => {}));
  const closed = new Set<number>();
  for (const [at, socket] of sockets.entries()) socket.on('close', () => closed.add(at)).resume();
  await until('the third is turned away', () => closed.size === 1);
  const line = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';
  let text = '';
  const kept = sockets.findIndex((_, at) => !closed.has(at));
  sockets[kept]!.on('data', (data) => (text += data)).write(line);
  await until('an answer', () => text.startsWith('HTTP/1.1 200'));
  for (const socket of sockets) socket.destroy();
  await door.close();
});
