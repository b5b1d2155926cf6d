/**
 * The forwarder against a real socket: what is streamed stays a stream, and a
 * runtime that goes away is said, never waited for.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { forward, type RuntimeDoor } from '../../../electron/window/api-forward.ts';

const since = '2030-01-02T03:04:05.000Z';
let folder: string;
let server: http.Server;
let answer: http.RequestListener;
let door: RuntimeDoor;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'forward-'));
  const socketPath = path.join(folder, 's');
  server = http.createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  door = { socketPath, state: { is: 'ready', since, name: 'n' } };
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const ask = (init: RequestInit & { duplex?: 'half' } = {}, address = 'http://console/api/x?y=%20z') =>
  forward(new Request(address, init), door);

describe('a forwarded request', () => {
  test('keeps method, address, body and its own headers; the answer keeps status and headers', async () => {
    let seen: object = {};
    answer = async (request, response) => {
      const { method, url, headers } = request;
      const body = await new Response(request as never).text();
      seen = { method, url, body, key: headers['idempotency-key'], origin: headers.origin, cookie: headers.cookie };
      response.writeHead(422, { 'content-type': 'application/problem+json', etag: '"7"', 'set-cookie': 'a=b' });
      response.end('{}');
    };
    const headers = { 'idempotency-key': 'k', origin: 'app://console', cookie: 'c=d' };
    const got = await ask({ method: 'POST', body: 'böse', headers });
    expect(seen).toEqual({
      method: 'POST',
      url: '/api/x?y=%20z',
      body: 'böse',
      key: 'k',
      origin: undefined,
      cookie: undefined,
    });
    expect(got.status).toBe(422);
    expect(got.headers.get('etag')).toBe('"7"');
    expect(got.headers.get('set-cookie')).toBeNull();
    expect(await got.text()).toBe('{}');
  });

  test('may be answered without a body', async () => {
    for (const status of [204, 304]) {
      answer = (_request, response) => response.writeHead(status).end();
      const got = await ask({ method: 'DELETE' });
      expect([got.status, got.body]).toEqual([status, null]);
    }
  });

  test('holds the runtime back while the page does not read', async () => {
    const part = Buffer.alloc(64 * 1024);
    let sentBytes = 0;
    let isHeld = false;
    answer = (_request, response) => {
      const send = () => {
        while (response.write(part)) sentBytes += part.length;
        sentBytes += part.length;
        isHeld = true;
      };
      response.on('drain', () => {
        isHeld = false;
        send();
      });
      send();
    };
    const got = await ask();
    // Held, and held at the same place a while later: nobody in between keeps swallowing.
    let before = -1;
    await vi.waitFor(
      () => {
        const same = isHeld && sentBytes === before;
        before = sentBytes;
        expect(same).toBe(true);
      },
      { timeout: 5_000, interval: 200 },
    );
    expect(sentBytes).toBeLessThan(4 * 1024 ** 2);
    const reader = got.body!.getReader();
    for (let read = 0; read < 8 * 1024 ** 2; ) read += (await reader.read()).value!.length;
    expect(sentBytes).toBeGreaterThan(before);
    await reader.cancel();
  });

  test('ends at the runtime when the page aborts, before and after the head', async () => {
    let ended = 0;
    answer = (request, response) => {
      if (request.url === '/api/late') response.flushHeaders();
      response.on('close', () => ended++);
    };
    const before = new AbortController();
    const waiting = ask({ signal: before.signal }, 'http://console/api/early');
    await vi.waitFor(async () => expect(await connections()).toBe(1));
    before.abort();
    expect((await waiting).status).toBe(503);
    await vi.waitFor(() => expect(ended).toBe(1));
    const got = await ask({}, 'http://console/api/late');
    await got.body!.cancel(); // what Electron does when the page goes away
    await vi.waitFor(() => expect(ended).toBe(2));
  });

  test('whose body breaks off ends at the runtime too', async () => {
    let broken = false;
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    answer = (request) => {
      request.on('error', () => undefined);
      request.on('close', () => {
        broken = !request.complete;
      });
      request.once('data', () => resolve());
    };
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(10)),
      pull: async (controller) => {
        await arrived;
        controller.error(new Error('the file was taken away'));
      },
    });
    expect((await ask({ method: 'PUT', body, duplex: 'half' })).status).toBe(503);
    await vi.waitFor(() => expect(broken).toBe(true));
  });
});

describe('a runtime that is gone', () => {
  test('is said with since when, at once', async () => {
    for (const gone of [null, path.join(folder, 'nobody')]) {
      door = { socketPath: gone, state: { is: 'down', since, why: 'it was killed.' } };
      const got = await ask();
      expect(got.status).toBe(503);
      expect(got.headers.get('content-type')).toBe('application/problem+json');
      expect(await got.json()).toMatchObject({
        code: 'starting',
        since,
        detail: expect.stringContaining('it was killed.'),
      });
    }
  });
  test('in the middle of an answer breaks the answer, never ends it as if whole', async () => {
    answer = (_request, response) => {
      response.write('half');
      setImmediate(() => response.destroy());
    };
    const got = await ask();
    await expect(got.text()).rejects.toThrow();
  });
});

const connections = () =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
