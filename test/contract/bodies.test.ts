/** What requests carry: JSON and its shapes, bytes of any size, keys, sizes, slowness. */
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../node-runtime/contract/limits.ts';
import type { Asked } from '../../node-runtime/io/http/asked.ts';
import {
  ask,
  askJson,
  codeIn,
  handlersWith,
  type OpenDoor,
  privateDoor,
  problemOf,
  publicDoor,
  raw,
} from './support/doors.ts';

const seen: Asked<'launch'>[] = [];
const handlers = handlersWith({
  launch: (asked) => {
    seen.push(asked);
    return { body: asked.body as never };
  },
  async fileWrite(asked) {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const piece of asked.body) {
      hash.update(piece);
      bytes += piece.length;
    }
    return { body: { hash: hash.digest('hex'), bytes } as never };
  },
  async uploadChunk(asked) {
    for await (const piece of asked.body) {
      return { code: 'upload_offset', detail: `After ${piece.length > 0 ? 'some' : 'no'} bytes.` };
    }
    return { code: 'upload_incomplete', detail: 'Nothing came.' };
  },
});
let open: OpenDoor;
let own: OpenDoor;
beforeAll(async () => {
  open = await publicDoor({ handlers });
  own = await privateDoor({ handlers });
});
afterAll(async () => {
  await open.close();
  await own.close();
});

const launch = { sandbox: 'data', path: 'a.sh' };
const post = (body: string | Uint8Array, headers: Record<string, string>, path = '/api/v1/runs') =>
  ask(open, { method: 'POST', path, token: 'admin', headers, body });
const json = { 'content-type': 'application/json' };

describe('JSON bodies', () => {
  test.each([
    ['{', 'bad_request'],
    ['', 'bad_request'],
    ['null', 'bad_request'],
    ['[]', 'bad_request'],
    ['"text"', 'bad_request'],
    ['{"sandbox":"data"}', 'bad_request'],
    ['{"sandbox":"DATA","path":"a"}', 'bad_request'],
    ['{"sandbox":"data","path":""}', 'bad_request'],
    ['{"sandbox":"data","path":7}', 'bad_request'],
    ['{"sandbox":"data","path":"a","parameters":{"x":[1]}}', 'bad_request'],
    ['{"sandbox":"data","path":"a"} trailing', 'bad_request'],
    ['\u0000', 'bad_request'],
    ['['.repeat(100_000), 'bad_request'],
    [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'bad_request'],
    [`{"a":`.repeat(50_000), 'bad_request'],
  ])('%.60s is refused', async (body, code) => {
    expect(problemOf(await post(body, json)).code).toBe(code);
  });

  test('bytes that are no UTF-8 are refused', async () => {
    expect(problemOf(await post(Buffer.from([0x22, 0xff, 0x22]), json)).code).toBe('bad_request');
  });

  test('each mistake is named with its place in the body', async () => {
    const got = await askJson(open, 'POST', '/api/v1/runs', { sandbox: 'NO', parameters: { x: null } });
    const problems = problemOf(got).problems ?? [];
    expect(problems.map((one) => one.path)).toEqual(['body.sandbox', 'body.path', 'body.parameters.x']);
    expect(problemOf(got).detail).toContain('body.sandbox');
  });

  test('a mistake does not repeat what was sent: it may be a password', async () => {
    const secret = 'hunter2'.repeat(60);
    const got = await askJson(open, 'POST', '/api/v1/users', { name: 'ops', role: 'viewer', password: secret });
    expect(problemOf(got).problems?.[0]?.path).toBe('body.password');
    expect(got.text).not.toContain('hunter2');
  });

  test('names that reach into prototypes change nothing', async () => {
    const text =
      '{"sandbox":"data","path":"a","__proto__":{"admin":true},"parameters":{"__proto__":{"x":"1"},"y":"2"}}';
    const got = await post(text, json);
    const body = seen.at(-1)!.body as Record<string, unknown>;
    expect(got.status).toBe(201);
    expect(body['admin']).toBeUndefined();
    expect(Object.keys(body['parameters'] as object)).toEqual(['y']);
    expect(Object.getPrototypeOf(body)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  test.each([
    [{}, 'media_type'],
    [{ 'content-type': 'text/plain' }, 'media_type'],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 'media_type'],
    [{ 'content-type': 'multipart/form-data; boundary=x' }, 'media_type'],
    [{ 'content-type': 'nonsense' }, 'media_type'],
    [{ 'content-type': 'application/json-patch+json' }, 'media_type'],
    [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, 'media_type'],
  ] as [Record<string, string>, string][])('headers %o are refused', async (headers, code) => {
    const got = await post(JSON.stringify(launch), headers);
    expect([got.status, problemOf(got).code]).toEqual([415, code]);
  });

  test('a charset beside application/json is fine', async () => {
    expect((await post(JSON.stringify(launch), { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(
      201,
    );
  });

  test('an address that takes no body takes {} and nothing else', async () => {
    const path = '/api/v1/runs/r-1/cancel';
    expect((await ask(open, { method: 'POST', path, token: 'admin' })).status).toBe(200);
    expect((await post('{}', json, path)).status).toBe(200);
    expect(problemOf(await post('{"a":1}', json, path)).code).toBe('bad_request');
  });
});

describe('sizes', () => {
  const text = (bytes: number): string => {
    const rest = bytes - JSON.stringify({ ...launch, note: '' }).length;
    return JSON.stringify({ ...launch, note: 'x'.repeat(rest) });
  };

  test('a JSON body of exactly the limit is read', async () => {
    expect((await post(text(limits.jsonBodyBytesMax), json)).status).toBe(201);
  });

  test.each([limits.jsonBodyBytesMax + 1, 8 * 1024 ** 2])(
    'a JSON body of %i bytes is refused, and the refusal arrives',
    async (bytes) => {
      const got = await post(text(bytes), json);
      expect([got.status, problemOf(got).code]).toEqual([413, 'body_too_large']);
    },
  );

  test('a chunked JSON body is counted as it comes', async () => {
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    const head = `POST /api/v1/runs HTTP/1.1\r\nHost: localhost:${open.port}\r\nAuthorization: Bearer admin\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    expect(codeIn(await raw(open, `${head}${chunk.repeat(limits.jsonBodyBytesMax / 0x10000 + 1)}0\r\n\r\n`))).toBe(
      'body_too_large',
    );
  });

  test('a body that only claims to be huge is refused at once', async () => {
    const head = `POST /api/v1/runs HTTP/1.1\r\nHost: localhost:${open.port}\r\nAuthorization: Bearer admin\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n{`;
    const got = await raw(open, head);
    expect(codeIn(got)).toBe('body_too_large');
    expect(got.toLowerCase()).toContain('connection: close');
  });

  test('headers over the limit are refused in our own words', async () => {
    const many = `X-Pad: ${'x'.repeat(limits.headerBytesMax)}\r\n`;
    const got = await raw(open, `GET /healthz HTTP/1.1\r\nHost: localhost:${open.port}\r\n${many}\r\n`);
    expect(got).toMatch(/^HTTP\/1.1 431/);
    expect(codeIn(got)).toBe('headers_too_large');
  });

  test('an address over the limit is refused too', async () => {
    const got = await raw(
      open,
      `GET /${'x'.repeat(limits.headerBytesMax)} HTTP/1.1\r\nHost: localhost:${open.port}\r\n\r\n`,
    );
    expect(codeIn(got)).toBe('headers_too_large');
  });

  test.each([
    ['a long sandbox name', `/api/v1/sandboxes/${'a'.repeat(49)}`],
    ['a long run id', `/api/v1/runs/${'r'.repeat(65)}`],
    ['a long path', `/api/v1/sandboxes/data/files/${'p'.repeat(1025)}`],
    ['a large page', '/api/v1/runs?limit=501'],
    ['a page of nothing', '/api/v1/runs?limit=0'],
    ['half a page', '/api/v1/runs?limit=1.5'],
    ['no number', '/api/v1/runs?limit=many'],
    ['a number without an end', '/api/v1/runs?limit=1e999'],
    ['a parameter twice', '/api/v1/runs?limit=1&limit=2'],
    ['a missing parameter', '/api/v1/sandboxes/data/search'],
  ])('%s is refused with its place', async (_what, path) => {
    const got = await ask(open, { path, token: 'admin' });
    expect([got.status, problemOf(got).code]).toEqual([400, 'bad_request']);
  });
});

describe('bytes', () => {
  const write = (body: Uint8Array, headers: Record<string, string> = {}, door = open) =>
    ask(door, { method: 'PUT', path: '/api/v1/sandboxes/data/files/a.bin', token: 'admin', headers, body });

  test.each(['public', 'private'])('8 MiB of binary arrive whole at the %s door', async (which) => {
    const body = randomBytes(8 * 1024 ** 2);
    const got = await write(body, {}, which === 'public' ? open : own);
    expect(got.json).toEqual({ bytes: body.length, hash: createHash('sha256').update(body).digest('hex') });
  });

  test.each(['application/octet-stream', 'application/json', 'text/plain; charset=utf-8', 'image/png', undefined])(
    'a file of the media type %s is just bytes',
    async (type) => {
      const got = await write(Buffer.from('{not json'), type ? { 'content-type': type } : {});
      expect(got.json['bytes']).toBe(9);
    },
  );

  test('an empty file is a file', async () => {
    expect((await write(Buffer.alloc(0))).json['bytes']).toBe(0);
  });

  test('a handler sees the first bytes before the last are sent', async () => {
    let first: (() => void) | undefined;
    const came = new Promise<void>((done) => {
      first = done;
    });
    const door = await publicDoor({
      handlers: handlersWith({
        async fileWrite(asked) {
          let bytes = 0;
          for await (const piece of asked.body) {
            bytes += piece.length;
            first!();
          }
          return { body: { bytes } as never };
        },
      }),
    });
    const socket = connect({ host: '127.0.0.1', port: door.port, rejectUnauthorized: false });
    const answer = new Promise<string>((done) => socket.once('data', (data) => done(data.toString())));
    socket.write(
      `PUT /api/v1/sandboxes/data/files/a HTTP/1.1\r\nHost: localhost:${door.port}\r\nAuthorization: Bearer admin\r\nContent-Length: 6\r\n\r\nabc`,
    );
    await came;
    socket.write('def');
    expect(await answer).toContain('{"bytes":6}');
    socket.destroy();
    await door.close();
  });

  test('a handler may refuse in the middle of a body, and the refusal arrives', async () => {
    const path = '/api/v1/sandboxes/data/uploads/u1?offset=5';
    const got = await ask(open, { method: 'PUT', path, token: 'operator', body: randomBytes(8 * 1024 ** 2) });
    expect([got.status, problemOf(got).code]).toEqual([409, 'upload_offset']);
  });

  test('after a refusal in the middle of a body the connection serves the next request', async () => {
    const size = 4 * 1024 ** 2;
    const host = `Host: localhost:${open.port}\r\nAuthorization: Bearer admin\r\n`;
    const put = `PUT /api/v1/sandboxes/data/uploads/u1?offset=5 HTTP/1.1\r\n${host}Content-Length: ${size}\r\n\r\n`;
    const get = `GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
    const got = await raw(open, Buffer.concat([Buffer.from(put), randomBytes(size), Buffer.from(get)]));
    expect([...got.matchAll(/HTTP\/1\.1 (\d+)/g)].map((found) => found[1])).toEqual(['409', '200']);
  });

  test('a refusal to a stranger with 8 MiB arrives too', async () => {
    const got = await ask(open, {
      method: 'PUT',
      path: '/api/v1/sandboxes/data/files/a',
      body: randomBytes(8 * 1024 ** 2),
    });
    expect([got.status, problemOf(got).code]).toEqual([401, 'sign_in_needed']);
  });
});

describe('slow clients', () => {
  let tight: OpenDoor;
  const failures: unknown[] = [];
  beforeAll(async () => {
    tight = await publicDoor({
      limits: { headersTimeoutMs: 200, requestTimeoutMs: 200, closeGraceMs: 100 },
      handlers: handlersWith({
        async fileWrite(asked) {
          try {
            for await (const _ of asked.body);
          } catch (fault) {
            failures.push(fault);
            throw fault;
          }
          return { body: {} as never };
        },
      }),
    });
  });
  afterAll(() => tight.close());

  test('headers that never end are cut off', async () => {
    const got = await raw(tight, `GET /healthz HTTP/1.1\r\nHost: localhost:${tight.port}\r\nX-Slow: `);
    expect(codeIn(got)).toBe('request_timeout');
  });

  test('a JSON body that never ends is cut off', async () => {
    const head = `POST /api/v1/runs HTTP/1.1\r\nHost: localhost:${tight.port}\r\nAuthorization: Bearer admin\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`;
    const got = await raw(tight, head);
    expect(codeIn(got)).toBe('request_timeout');
  });

  test('a file that stops coming is cut off, and its handler is told', async () => {
    const head = `PUT /api/v1/sandboxes/data/files/a HTTP/1.1\r\nHost: localhost:${tight.port}\r\nAuthorization: Bearer admin\r\nContent-Length: 50\r\n\r\nabc`;
    await raw(tight, head);
    expect(failures).toHaveLength(1);
  });
});

describe('idempotency keys', () => {
  const withKey = (key: string, path = '/api/v1/runs', body: unknown = launch) =>
    ask(open, {
      method: 'POST',
      path,
      token: 'admin',
      headers: { ...json, 'idempotency-key': key },
      body: JSON.stringify(body),
    });

  test('a key reaches the handler of a change; without one it is null', async () => {
    await withKey('k-1');
    expect(seen.at(-1)!.key).toBe('k-1');
    await askJson(open, 'POST', '/api/v1/runs', launch);
    expect(seen.at(-1)!.key).toBeNull();
  });

  test('a key of a request that changes nothing is ignored', async () => {
    const got = await withKey('k-1', '/api/v1/sandboxes/data/checks', { path: 'a', text: '' });
    expect(got.json['key']).toBeNull();
  });

  test.each(['', ' ', 'with blank', 'x'.repeat(limits.idempotencyKeyCharsMax + 1), 'ümlaut'])(
    'the key %j is refused',
    async (key) => {
      const sent = Buffer.from(key, 'utf8').toString('latin1');
      expect(problemOf(await withKey(sent)).code).toBe('bad_request');
    },
  );

  test('the longest key is taken', async () => {
    expect((await withKey('k'.repeat(limits.idempotencyKeyCharsMax))).status).toBe(201);
  });

  test('equal requests have equal hashes, others do not', async () => {
    const hash = async (body: unknown, query = ''): Promise<string> => {
      await askJson(open, 'POST', `/api/v1/runs${query}`, body);
      return seen.at(-1)!.requestHash;
    };
    const one = await hash(launch);
    expect(await hash(launch)).toBe(one);
    expect(new Set([one, await hash({ ...launch, path: 'b.sh' }), await hash(launch, '?x=1')]).size).toBe(3);
  });
});
