/** Which requests pass the door: host names, origins, cookies, request targets. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, codeIn, type OpenDoor, privateDoor, problemOf, publicDoor, raw, rawGet } from './support/doors.ts';

let open: OpenDoor;
let own: OpenDoor;
beforeAll(async () => {
  open = await publicDoor();
  own = await privateDoor();
});
afterAll(async () => {
  await open.close();
  await own.close();
});

const cluster = '/api/v1/cluster';
const cookie = '__Host-binnacle=session-admin';

describe('a public door answers to its own names only', () => {
  const table: [host: string, passes: boolean][] = [
    ['localhost:PORT', true],
    ['LOCALHOST:PORT', true],
    ['localhost.:PORT', true],
    ['127.0.0.1:PORT', true],
    ['[::1]:PORT', true],
    ['[0:0:0:0:0:0:0:1]:PORT', true],
    ['ctl-a.lab:PORT', true],
    ['localhost', false],
    ['localhost:1', false],
    ['evil.example:PORT', false],
    ['localhost.evil.example:PORT', false],
    ['127.0.0.1.evil.example:PORT', false],
    ['evil.example', false],
    ['localhost:PORT@evil.example', false],
    ['evil.example#localhost:PORT', false],
    ['localhost:PORT, evil.example', false],
    ['', false],
    [':PORT', false],
    ['[::1', false],
    ['10.0.0.9:PORT', false],
  ];
  test.each(table)('Host %s passes: %s', async (host, passes) => {
    const got = await raw(
      open,
      `GET ${cluster} HTTP/1.1\r\nHost: ${host.replace('PORT', String(open.port))}\r\nAuthorization: Bearer viewer\r\nConnection: close\r\n\r\n`,
    );
    expect(got.split(' ')[1]).toBe(passes ? '200' : '421');
    if (!passes) expect(codeIn(got)).toBe('host_refused');
  });

  test('two Host headers are refused', async () => {
    const hosts = `Host: localhost:${open.port}\r\nHost: evil.example\r\n`;
    const got = await raw(open, `GET ${cluster} HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`);
    expect(codeIn(got)).toBe('bad_request');
  });

  test('without a Host only the health addresses are answered, for load balancers', async () => {
    expect(await raw(open, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200/);
    expect(codeIn(await raw(open, 'GET /api/v1/openapi.json HTTP/1.0\r\n\r\n'))).toBe('host_refused');
    expect(codeIn(await raw(open, 'GET /api/v1/openapi.json HTTP/1.1\r\nConnection: close\r\n\r\n'))).toBe(
      'host_refused',
    );
  });

  test('a host listed with a port is known under that port', async () => {
    const mapped = await publicDoor({ hosts: ['jobs.lab:443', 'jobs.lab:8443'] });
    const answers = [];
    for (const host of ['jobs.lab', 'jobs.lab:8443', `jobs.lab:${mapped.port}`]) {
      answers.push((await ask(mapped, { path: '/healthz', headers: { host } })).status);
    }
    expect(answers).toEqual([200, 200, 421]);
    await mapped.close();
  });

  test('the answer to a foreign host holds nothing of ours', async () => {
    const got = await ask(open, { path: cluster, token: 'admin', headers: { host: 'evil.example' } });
    expect(problemOf(got).code).toBe('host_refused');
    expect(got.headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('origins at the public door', () => {
  type Row = [method: string, headers: Record<string, string>, code: string | null];
  const table: Row[] = [
    ['POST', {}, null],
    ['POST', { origin: 'OWN' }, null],
    ['POST', { origin: 'OWN', 'sec-fetch-site': 'same-origin' }, null],
    ['POST', { origin: 'null' }, 'origin_refused'],
    ['POST', { origin: 'https://evil.example' }, 'origin_refused'],
    ['POST', { origin: 'http://localhost:PORT' }, 'origin_refused'],
    ['POST', { origin: 'https://localhost:1' }, 'origin_refused'],
    ['POST', { origin: 'https://127.0.0.1:PORT' }, 'origin_refused'],
    ['POST', { origin: 'app://console' }, 'origin_refused'],
    ['POST', { origin: '' }, 'origin_refused'],
    ['POST', { 'sec-fetch-site': 'cross-site' }, 'origin_refused'],
    ['POST', { 'sec-fetch-site': 'same-site' }, 'origin_refused'],
    ['POST', { origin: 'OWN', 'sec-fetch-site': 'same-site' }, 'origin_refused'],
    ['DELETE', { origin: 'https://evil.example' }, 'origin_refused'],
    ['PUT', { origin: 'https://evil.example' }, 'origin_refused'],
    ['OPTIONS', { origin: 'https://evil.example' }, 'origin_refused'],
    ['GET', {}, null],
    ['GET', { 'sec-fetch-site': 'same-origin' }, null],
    ['GET', { 'sec-fetch-site': 'none' }, null],
    ['GET', { 'sec-fetch-site': 'cross-site' }, 'origin_refused'],
    ['GET', { 'sec-fetch-site': 'same-site' }, 'origin_refused'],
    ['HEAD', { 'sec-fetch-site': 'cross-site' }, 'origin_refused'],
  ];
  test.each(table)('%s with %o gives %s', async (method, given, code) => {
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    for (const [name, value] of Object.entries(given)) {
      headers[name] = value.replace('OWN', `https://localhost:${open.port}`).replace('PORT', String(open.port));
    }
    const path =
      { POST: '/api/v1/runs/r-1/cancel', PUT: '/api/v1/users/ops', DELETE: '/api/v1/users/ops' }[method] ?? cluster;
    const got = await ask(open, { method, path, headers, token: 'admin' });
    if (code === null) expect(got.status).toBe(200);
    else if (method === 'HEAD') expect(got.status).toBe(403);
    else expect(problemOf(got).code).toBe(code);
  });

  test('a cookie counts for pages of this origin', async () => {
    const headers = { cookie, origin: `https://localhost:${open.port}`, 'content-type': 'application/json' };
    expect((await ask(open, { path: cluster, headers: { cookie } })).status).toBe(200);
    expect((await ask(open, { method: 'POST', path: '/api/v1/runs/r-1/cancel', headers })).status).toBe(200);
  });

  test.each(['https://evil.example', 'null', 'https://localhost:1'])(
    'a cookie with Origin %s is not looked at',
    async (origin) => {
      const got = await ask(open, { path: cluster, headers: { cookie, origin } });
      expect(problemOf(got).code).toBe('sign_in_needed');
    },
  );

  test.each([
    ['a session that has ended', '__Host-binnacle=session-gone'],
    ['two sessions', '__Host-binnacle=session-admin; __Host-binnacle=session-viewer'],
    ['another name', 'binnacle=session-admin'],
    ['strange characters', '__Host-binnacle="session-admin"'],
  ])('%s is no sign-in, and the browser is told to forget it', async (_what, value) => {
    const got = await ask(open, { path: cluster, headers: { cookie: value } });
    expect(problemOf(got).code).toBe('sign_in_needed');
    expect(got.headers['set-cookie']?.[0]).toMatch(
      /^__Host-binnacle=; Max-Age=0; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
  });

  test('an ended session does not keep anybody from signing in again', async () => {
    const headers = { cookie: '__Host-binnacle=session-gone', 'content-type': 'application/json' };
    const body = JSON.stringify({ name: 'ops', password: 'a long password' });
    expect((await ask(open, { method: 'POST', path: '/api/v1/session', headers, body })).status).toBe(200);
  });

  test('no answer ever allows another origin to read it', async () => {
    const asked = [cluster, '/healthz', '/', '/api/v1/nothing'];
    for (const path of asked) {
      const got = await ask(open, { path, token: 'viewer', headers: { origin: 'https://evil.example' } });
      expect(Object.keys(got.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
});

describe('the private door', () => {
  test.each([
    ['localhost', 200],
    ['binnacle', 200],
    ['console', 200],
    ['evil.example', 421],
    ['localhost:80', 421],
    ['', 421],
  ])('Host "%s" gives %i', async (host, status) => {
    const got = await raw(own, `GET ${cluster} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(Number(got.split(' ')[1])).toBe(status);
  });

  test.each([
    [undefined, 200],
    ['app://console', 200],
    ['null', 403],
    ['https://evil.example', 403],
    ['app://console.evil', 403],
    ['http://localhost', 403],
  ])('Origin %s gives %i, for reading too', async (origin, status) => {
    const got = await ask(own, { path: cluster, headers: origin === undefined ? {} : { origin } });
    expect(got.status).toBe(status);
  });
});

describe('request targets, raw over a socket', () => {
  test.each([
    ['/api/v1/sandboxes/data/files/../x', 'path_refused'],
    ['/api/v1/sandboxes/data/files/a/../../x', 'path_refused'],
    ['/api/v1/sandboxes/data/files/./x', 'path_refused'],
    ['/..', 'path_refused'],
    ['/../../etc/passwd', 'path_refused'],
    ['/assets/../../secret', 'path_refused'],
    ['/api/v1/cluster#x', 'bad_request'],
    ['https://localhost/api/v1/cluster', 'bad_request'],
    ['*', 'bad_request'],
    ['/api/v1/sandboxes/data/files/%', 'bad_request'],
    ['/api/v1/sandboxes/data/files/%zz', 'bad_request'],
    ['/api/v1/sandboxes/data/files/%ff', 'bad_request'],
    ['/api/v1/sandboxes/data/files/%c0%af', 'bad_request'],
    ['/api/v1/sandboxes/..%2fdata', 'bad_request'],
    ['/api/v1/sandboxes/a%00b', 'bad_request'],
    ['/api/v1//cluster', 'not_found'],
    ['//api/v1/cluster', 'not_found'],
    ['/api/v1/cluster/', 'not_found'],
    ['/API/v1/cluster', 'not_found'],
    ['/api/v1/%2e%2e/v1/cluster', 'not_found'],
    ['/api/v1/cluster;x=1', 'not_found'],
  ])('%s is refused as %s', async (target, code) => {
    expect(codeIn(await rawGet(open, target))).toBe(code);
    expect(codeIn(await rawGet(own, target))).toBe(code);
  });

  test.each([
    ['a/b.txt', 'a/b.txt'],
    ['a%20b', 'a b'],
    ['a%2Fb', 'a/b'],
    ['%2e%2e/x', '../x'],
    ['a/%2E%2E/x', 'a/../x'],
    ['.%2e/x', '../x'],
    ['..%2fx', '../x'],
    ['..%5cx', '..\\x'],
    ['a//b', 'a//b'],
    ['a/', 'a/'],
    ['/etc/passwd', '/etc/passwd'],
    ['a%00b', 'a\u0000b'],
    ['%252e%252e/x', '%2e%2e/x'],
    ['a%252Fb', 'a%2Fb'],
    ['%C3%A4', 'ä'],
    ['%25', '%'],
    ['a+b', 'a+b'],
    ['a%3Fb', 'a?b'],
  ])('the path %s reaches the handler as %j, decoded once and not tidied up', async (target, path) => {
    const got = await rawGet(open, `/api/v1/sandboxes/data/files/${target}`);
    expect(JSON.parse(got.slice(got.indexOf('{'), got.lastIndexOf('}') + 1)).params).toEqual({ sandbox: 'data', path });
  });

  test('what is no HTTP is answered as a problem too', async () => {
    const got = await raw(open, 'hello there\r\n\r\n');
    expect(got).toMatch(/^HTTP\/1.1 400 .*\r\n/);
    expect(codeIn(got)).toBe('bad_request');
  });

  test('a request that says its length twice is refused, not guessed at', async () => {
    const lengths = 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n';
    const head = `POST /api/v1/session HTTP/1.1\r\nHost: localhost:${open.port}\r\nContent-Type: application/json\r\n${lengths}\r\n`;
    expect(codeIn(await raw(open, `${head}0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n`))).toBe('bad_request');
  });
});
