/** How answers look: problems, ETags, HEAD, cookies, streams, the headers that keep browsers in check. */
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ErrorCode, errors, refuse } from '../../node-runtime/contract/errors.ts';
import { ProblemDetails } from '../../node-runtime/contract/model.ts';
import { routes } from '../../node-runtime/contract/routes.ts';
import { type Caller, sessionOf } from '../../node-runtime/io/http/asked.ts';
import {
  ask,
  askJson,
  askRoute,
  handlersWith,
  names,
  type OpenDoor,
  privateDoor,
  problemOf,
  publicDoor,
  until,
} from './support/doors.ts';

let next: ErrorCode = 'internal';
let runs: unknown[] = [];
const heads: boolean[] = [];
const streams: Readable[] = [];
const expiresAt = Date.now() + 3_600_000;
const who: Caller = { by: 'user:ops', name: 'ops', role: 'operator', kind: 'person', expiresAt };
const handlers = handlersWith({
  run: () => refuse(next, `Something about ${next}.`, [{ path: 'tasks', line: 3, column: 5, sentence: 'Wrong.' }]),
  nodes: () => {
    throw new Error('no such column: secret_column in /srv/private/file', { cause: new Error('deeper') });
  },
  runs: () => ({ body: { runs } as never }),
  fileRead(asked) {
    heads.push(asked.head);
    const body = Readable.from([Buffer.from('<script>alert(1)</script>')]);
    streams.push(body);
    const headers = { 'content-type': 'text/html', 'content-length': '25', etag: '"v1"' };
    return asked.headers.range
      ? { status: 206, headers: { ...headers, 'content-range': 'bytes 0-24/25' }, body }
      : { headers, body };
  },
  zip: () => ({
    body: new Readable({
      read() {
        this.push(Buffer.alloc(1024));
        if (this.readableFlowing) this.destroy(new Error('disk broke at /srv/private'));
      },
    }),
  }),
  metrics: () => ({ body: 'up 1\n' }),
  signIn: () => ({ body: sessionOf(who), setSession: { code: 'bnc_x_secret', expiresAt } }),
  signOut: () => ({ setSession: 'clear' }),
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

describe('problems', () => {
  test.each(Object.keys(errors) as ErrorCode[])('%s has the shape of problem details', async (code) => {
    next = code;
    const got = await ask(open, { path: '/api/v1/runs/r-1', token: 'viewer' });
    const problem = ProblemDetails.parse(got.json);
    const { status, title, next: step } = errors[code];
    expect(got.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(got.status).toBe(status);
    expect(problem).toEqual({
      type: `/docs/errors.md#${code}`,
      ...{ title, status, code, detail: `Something about ${code}.`, next: step },
      problems: [{ path: 'tasks', line: 3, column: 5, sentence: 'Wrong.' }],
    });
    expect(got.headers['retry-after']).toBe(status === 429 || status === 503 ? '1' : undefined);
  });

  test('a fault of ours shows a reference, and the log has the rest', async () => {
    const got = await ask(open, { path: '/api/v1/nodes', token: 'viewer' });
    expect(problemOf(got).code).toBe('internal');
    expect(got.text).not.toMatch(/secret_column|\/srv|deeper|at .*\.ts/);
    const reference = /reference ([0-9a-f]{8})/.exec(problemOf(got).detail)?.[1];
    const entry = open.logged.find(({ fields }) => fields['reference'] === reference);
    expect(entry?.fields['err']).toHaveProperty('message', expect.stringContaining('secret_column'));
  });

  test.each([
    ['/nothing', 'GET'],
    ['/api/v1/nothing', 'GET'],
    ['/api/v1/nothing', 'POST'],
    ['/api', 'GET'],
    ['/', 'GET'],
    ['/', 'POST'],
  ])('%s asked with %s is not found', async (path, method) => {
    const got = await ask(open, { path, method });
    expect([got.status, problemOf(got).code]).toEqual([404, 'not_found']);
  });

  test.each([
    ['/api/v1/cluster', 'POST', 'GET, HEAD'],
    ['/api/v1/session', 'PUT', 'DELETE, GET, HEAD, POST'],
    ['/api/v1/sandboxes/data/files/a/b', 'POST', 'DELETE, GET, HEAD, PUT'],
    ['/api/v1/runs', 'DELETE', 'GET, HEAD, POST'],
    ['/api/v1/runs', 'OPTIONS', 'GET, HEAD, POST'],
    ['/api/v1/runs', 'PATCH', 'GET, HEAD, POST'],
    ['/api/v1/runs', 'TRACE', 'GET, HEAD, POST'],
    ['/api/v1/runs', 'PROPFIND', 'GET, HEAD, POST'],
    ['/healthz', 'POST', 'GET, HEAD'],
  ])('%s is not used with %s', async (path, method, allow) => {
    const got = await ask(open, { path, method, token: 'admin' });
    expect([got.status, problemOf(got).code, got.headers['allow']]).toEqual([405, 'method_not_allowed', allow]);
  });
});

describe('headers on every answer', () => {
  const asked = [
    '/healthz',
    '/api/v1/runs',
    '/api/v1/nothing',
    '/nothing',
    '/api/v1/sandboxes/data/files/a',
    '/api/v1/nodes',
  ];
  test.each(asked)('%s', async (path) => {
    const { headers } = await ask(open, { path, token: 'viewer' });
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['cross-origin-opener-policy']).toBe('same-origin');
    expect(headers['cross-origin-resource-policy']).toBe('same-origin');
    expect(headers['content-security-policy']).toMatch(/^sandbox; default-src 'none'/);
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['strict-transport-security']).toBeUndefined();
    expect(headers['x-powered-by'] ?? headers['server']).toBeUndefined();
  });

  test('also on a request that did not pass the gate', async () => {
    const { headers } = await ask(open, { path: '/', headers: { host: 'evil.example' } });
    expect(headers['content-security-policy']).toMatch(/^sandbox; default-src 'none'/);
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
  });
});

describe('ETags of JSON', () => {
  const asks = (etag?: string) =>
    ask(open, { path: '/api/v1/runs', token: 'viewer', headers: etag ? { 'if-none-match': etag } : {} });

  test('the same answer is not sent twice, another is', async () => {
    runs = [{ id: 'r-1' }];
    const first = await asks();
    const etag = first.headers['etag'] as string;
    expect(etag).toMatch(/^W\/".+"$/);
    const again = await asks(etag);
    expect([again.status, again.text, again.headers['etag']]).toEqual([304, '', etag]);
    expect((await asks(`"other", ${etag.slice(2)}`)).status).toBe(304);
    runs = [{ id: 'r-1' }, { id: 'r-2' }];
    expect((await asks(etag)).status).toBe(200);
  });

  test('a changing request never answers 304', async () => {
    const got = await askRoute(open, 'launch', { token: 'admin', headers: { 'if-none-match': '*' } });
    expect([got.status, got.headers['etag']]).toEqual([201, undefined]);
  });
});

describe('streams and HEAD', () => {
  const path = '/api/v1/sandboxes/data/files/page.html';

  test('a page in a sandbox keeps its type, and no script of it may run', async () => {
    const got = await ask(open, { path, token: 'viewer' });
    expect([got.text.length, got.headers['content-type']]).toEqual([25, 'text/html']);
    expect(got.headers['content-security-policy']).toMatch(/^sandbox;/);
  });

  test('HEAD has the headers of GET without the body, and lets go of the stream', async () => {
    const got = await ask(open, { method: 'HEAD', path, token: 'viewer' });
    expect([got.status, got.text, got.headers['content-length'], got.headers['etag']]).toEqual([200, '', '25', '"v1"']);
    expect(heads.at(-1)).toBe(true);
    await until('the stream is destroyed', () => streams.at(-1)!.destroyed);
  });

  test('a range is the handler’s to answer', async () => {
    const got = await ask(open, { path, token: 'viewer', headers: { range: 'bytes=0-24' } });
    expect([got.status, got.headers['content-range']]).toEqual([206, 'bytes 0-24/25']);
  });

  test('an answer that breaks off is cut, so that nobody takes it for whole', async () => {
    await expect(ask(open, { path: '/api/v1/sandboxes/data/zip', token: 'viewer' })).rejects.toThrow(
      /aborted|hang up|reset/i,
    );
    expect(open.logged.some(({ message }) => message.includes('broke off'))).toBe(true);
  });

  test('text is marked as UTF-8', async () => {
    const got = await ask(open, { path: '/metrics', token: 'viewer' });
    expect([got.headers['content-type'], got.text]).toEqual(['text/plain; charset=utf-8', 'up 1\n']);
  });

  test('a client that leaves is told to the handler', async () => {
    let left: AbortSignal | undefined;
    const door = await publicDoor({
      handlers: handlersWith({
        cluster(asked) {
          left = asked.signal;
          return new Promise((done) => asked.signal.addEventListener('abort', () => done(refuse('stopping', ''))));
        },
      }),
    });
    const stop = new AbortController();
    const { request } = await import('node:https');
    const headers = { host: `localhost:${door.port}`, authorization: 'Bearer viewer' };
    request({
      host: '127.0.0.1',
      port: door.port,
      path: '/api/v1/cluster',
      headers,
      rejectUnauthorized: false,
      signal: stop.signal,
    })
      .on('error', () => {})
      .end();
    await until('the handler was asked', () => left !== undefined);
    stop.abort();
    await until('the handler knows', () => left!.aborted);
    await door.close();
  });
});

describe('sessions', () => {
  const asked = { name: 'ops', password: 'a long password' };

  test('signing in sets a cookie that only this origin sends and no script reads', async () => {
    const got = await askJson(open, 'POST', '/api/v1/session', asked);
    const [cookie] = got.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^__Host-binnacle=bnc_x_secret; Max-Age=\d+; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    const seconds = Number(/Max-Age=(\d+)/.exec(cookie ?? '')?.[1]);
    expect(seconds).toBeLessThanOrEqual(3_600);
    expect(seconds).toBeGreaterThan(3_000);
    expect(got.json).toEqual({
      ...{ name: 'ops', role: 'operator', kind: 'person', expiresAt: new Date(expiresAt).toISOString() },
      may: { change: true, launch: true, administer: false },
    });
  });

  test('signing out clears it', async () => {
    const got = await ask(open, { method: 'DELETE', path: '/api/v1/session', token: 'viewer' });
    expect([got.status, got.headers['set-cookie']?.[0]]).toEqual([204, expect.stringContaining('Max-Age=0')]);
  });

  test('the private door sets no cookie: it needs none', async () => {
    const got = await askJson(own, 'POST', '/api/v1/session', asked);
    expect([got.status, got.headers['set-cookie']]).toEqual([200, undefined]);
  });

  test('nobody has no session to show', () => {
    expect(() => sessionOf({ by: 'nobody', name: 'nobody', role: 'nobody', kind: 'nobody' })).toThrow(/broken promise/);
  });
});

test('every route is served: none answers that it is not there', async () => {
  const door = await privateDoor();
  for (const name of names) {
    const got = await askRoute(door, name);
    expect([name, got.status]).toEqual([name, routes[name].status]);
  }
  await door.close();
});
