/** Requests that another node answers: passed on whole, answered as if here, asked by whom a member names. */

import type { IncomingMessage } from 'node:http';
import { request as secure } from 'node:https';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { refuse } from '../../../node-runtime/contract/errors.ts';
import type { Handlers } from '../../../node-runtime/io/http/asked.ts';
import { type Delegate, type Delegated, headersToPass } from '../../../node-runtime/io/http/delegation.ts';
import type { Inner } from '../../../node-runtime/io/http/inner.ts';
import { buildServer, type HttpServer, type ServerOptions } from '../../../node-runtime/io/http/server.ts';
import {
  ask as askDoor,
  handlersWith,
  identify,
  type Logged,
  type OpenDoor,
  privateDoor,
  publicDoor,
} from '../../contract/support/doors.ts';
import { closeNodes, founder, joined, type Node, openNode, until } from './support.ts';

type Whole = { a: Node; b: Node; door: OpenDoor; peerDoor: HttpServer; logged: Logged[]; delegated: Delegated[] };
const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  await closeNodes();
});

type Wanted = {
  handlers?: Handlers;
  inner?: Inner;
  kind?: 'public' | 'private';
  wholeBody?: boolean;
  endless?: boolean;
  /** The shell forgets to hand on that the client left. */
  deaf?: boolean;
};

/** People ask A, which passes everything on to B. */
async function twoNodes(wanted: Wanted = {}): Promise<Whole> {
  const logged: Logged[] = [];
  const delegated: Delegated[] = [];
  const keep = (fields: object, message: string): void => void logged.push({ fields: { ...fields }, message });
  const handlers = wanted.handlers ?? handlersWith();
  const peerDoor = buildServer({
    ...{ handlers, identify, door: { kind: 'peer' }, pages: null, log: { info: keep, warn: keep, error: keep } },
    ...{ limits: { closeGraceMs: 1_000 } },
    ...(wanted.inner ? { inner: wanted.inner } : {}),
  });
  const idB = await founder('n-b');
  const b = await openNode(idB, { acceptHttp: (socket: TLSSocket, node) => peerDoor.accept(socket, node) });
  const a = await openNode(await joined(idB, 'n-a'), { members: [b.member] });
  b.peers.setMembers([{ node: 'n-a', addresses: [] }], []);
  const delegate: Delegate = async (asked) => {
    delegated.push(asked);
    const { method, target: path } = asked;
    const signal = wanted.deaf ? new AbortController().signal : asked.signal;
    const hasBody = method !== 'GET' && method !== 'HEAD';
    const body = hasBody ? (wanted.wholeBody ? await asked.body() : asked.stream()) : undefined;
    if (body !== undefined && 'code' in body) return body;
    const headers = headersToPass(asked, asked.caller, 'ä node');
    const answer = await a.peers.request('n-b', { method, path, headers, signal, ...(body ? { body } : {}) });
    return { answer: { ...answer, ...(wanted.endless ? { endless: true } : {}) } };
  };
  const made = wanted.kind === 'private' ? privateDoor : publicDoor;
  const door = await made({ delegate, limits: { closeGraceMs: 1_000 } });
  undo.push(
    () => peerDoor.close(),
    () => door.close(),
  );
  return { a, b, door, peerDoor, logged, delegated };
}

describe('a request that another node answers', () => {
  test('gets its answer, whoever asks, and the hop is counted', async () => {
    const { door, delegated } = await twoNodes();
    const got = await askDoor(door, { path: '/api/v1/runs?limit=3', token: 'viewer' });
    expect([got.status, got.json]).toEqual([
      200,
      { route: 'runs', params: {}, query: { limit: 3 }, key: null, by: 'token:v' },
    ]);
    expect(got.headers['content-security-policy']).toContain("default-src 'none'");
    expect([got.headers['content-type'], got.headers['connection']]).toEqual([
      'application/json; charset=utf-8',
      'close',
    ]);
    expect(got.headers['etag']).toMatch(/^W\//);
    expect(delegated[0]).toMatchObject({
      ...{
        name: 'runs',
        door: 'public',
        method: 'GET',
        target: '/api/v1/runs?limit=3',
        caller: null,
        hops: 0,
        via: null,
      },
      ...{ address: '127.0.0.1', change: false, headers: { authorization: 'Bearer viewer' } },
    });
    const again = await askDoor(door, {
      path: '/api/v1/runs?limit=3',
      token: 'viewer',
      headers: { 'if-none-match': got.headers['etag']! },
    });
    expect([again.status, again.text]).toEqual([304, '']);
  });

  test('is judged there: a missing role, a wrong token and a wrong body are said in the same words', async () => {
    const { door } = await twoNodes();
    const askRuns = (token?: string) => askDoor(door, { path: '/api/v1/runs', ...(token ? { token } : {}) });
    expect((await askRuns()).json).toMatchObject({ code: 'sign_in_needed' });
    const wrong = await askRuns('nonsense');
    expect([wrong.status, wrong.json['code'], wrong.headers['www-authenticate']]).toEqual([
      401,
      'token_invalid',
      'Bearer',
    ]);
    const users = { method: 'POST', path: '/api/v1/users', headers: { 'content-type': 'application/json' } };
    expect((await askDoor(door, { ...users, token: 'viewer', body: '{}' })).json).toMatchObject({
      code: 'role_missing',
    });
    expect((await askDoor(door, { ...users, token: 'admin', body: '{' })).json).toMatchObject({ code: 'bad_request' });
  });

  test.each([true, false])('brings its body, key and conditions (whole: %s)', async (wholeBody) => {
    let seen: unknown;
    const handlers = handlersWith({
      userCreate: (asked) => {
        seen = { body: asked.body, key: asked.key, ifMatch: asked.headers.ifMatch, address: asked.address };
        return { body: { fine: true } as never };
      },
    });
    const { door } = await twoNodes({ handlers, wholeBody });
    const user = { name: 'ops', role: 'viewer', password: 'a long password' };
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k1', 'if-match': '"x"', 'x-other': 'no' };
    const got = await askDoor(door, {
      method: 'POST',
      path: '/api/v1/users',
      token: 'admin',
      headers,
      body: JSON.stringify(user),
    });
    expect([got.status, got.json]).toEqual([201, { fine: true }]);
    expect(seen).toEqual({ body: user, key: 'k1', ifMatch: '"x"', address: '127.0.0.1' });
  });

  test('HEAD has headers and no body', async () => {
    const { door } = await twoNodes();
    const got = await askDoor(door, { method: 'HEAD', path: '/api/v1/runs', token: 'viewer' });
    expect([got.status, got.text, got.headers['content-type']]).toEqual([200, '', 'application/json; charset=utf-8']);
  });

  test('a session begun there is given to the browser here, and to no desktop', async () => {
    const handlers = () =>
      handlersWith({ signIn: () => ({ setSession: { code: 'abc', expiresAt: Date.now() + 60_000 } }) as never });
    const headers = { 'content-type': 'application/json' };
    const signIn = {
      method: 'POST',
      path: '/api/v1/session',
      headers,
      body: '{"name":"ops","password":"a long password"}',
    };
    const outside = await twoNodes({ handlers: handlers() });
    expect((await askDoor(outside.door, signIn)).headers['set-cookie']).toEqual([
      expect.stringMatching(/^__Host-binnacle=abc; /),
    ]);
    const inside = await twoNodes({ handlers: handlers(), kind: 'private' });
    const got = await askDoor(inside.door, signIn);
    expect([got.status < 300, got.headers['set-cookie']]).toEqual([true, undefined]);
  });

  test('a cookie goes on only from a page of this origin', async () => {
    const { door, delegated } = await twoNodes();
    const cookie = '__Host-binnacle=session-viewer';
    expect((await askDoor(door, { path: '/api/v1/runs', headers: { cookie } })).status).toBe(200);
    const foreign = await askDoor(door, { path: '/api/v1/runs', headers: { cookie, origin: 'https://evil.example' } });
    expect(foreign.status).toBe(401);
    expect(delegated.map(({ headers }) => 'cookie' in headers)).toEqual([true, false]);
  });

  test('the desktop is believed by the other member', async () => {
    const { door } = await twoNodes({ kind: 'private' });
    expect((await askDoor(door, { path: '/api/v1/runs' })).json).toMatchObject({ by: 'desktop' });
  });

  test('a large answer streams through, and stops when nobody reads', async () => {
    let made = 0;
    let all = 64 * 1024 ** 2;
    const body = () =>
      new Readable({
        read() {
          made += 65_536;
          this.push(made <= all ? Buffer.alloc(65_536, 120) : null);
        },
      });
    const { door } = await twoNodes({ handlers: handlersWith({ metrics: () => ({ body: body() }) }) });
    const whole = await askDoor(door, { path: '/metrics', token: 'viewer' });
    expect(whole.bytes.length).toBe(all);
    made = 0;
    all = 1024 ** 3;
    const answer = await begin(door, '/metrics');
    answer.pause();
    let before = -1;
    await until('it stands still', async () => {
      const same = made === before;
      before = made;
      await new Promise((done) => setTimeout(done, 150));
      return same && made > 0;
    });
    // What is on its way lies in the buffers of both connections: the system gives each up to some tens of MiB.
    expect(made).toBeLessThan(all / 4);
    answer.destroy();
  });
});

/** A GET whose answer is read by the test. */
function begin(door: OpenDoor, path: string): Promise<IncomingMessage> {
  return new Promise((done, failed) => {
    const headers = { host: `localhost:${door.port}`, authorization: 'Bearer viewer' };
    const asked = {
      host: '127.0.0.1',
      port: door.port,
      path,
      headers,
      agent: false as const,
      rejectUnauthorized: false,
    };
    secure(asked, (answer) => {
      answer.on('error', () => {});
      done(answer);
    })
      .on('error', failed)
      .end();
  });
}

describe('an endless answer of another node', () => {
  const following = () => {
    const state = { left: 0, stream: new Readable({ read() {} }) };
    const handlers = handlersWith({
      events: (asked) => {
        state.stream = new Readable({ read() {} });
        state.stream.on('error', () => {}).push(': begun\n\n');
        asked.signal.addEventListener('abort', () => {
          state.left++;
          if (!state.stream.destroyed) state.stream.push(null);
        });
        return { headers: { 'content-type': 'text/event-stream; charset=utf-8' }, body: state.stream, endless: true };
      },
    });
    return { state, handlers };
  };
  async function follow(deaf = false) {
    const { state, handlers } = following();
    const whole = await twoNodes({ handlers, endless: true, deaf });
    const answer = await begin(whole.door, '/api/v1/events');
    const got = { text: '', ended: 'no' };
    answer.on('data', (piece) => (got.text += piece)).on('end', () => (got.ended = 'orderly'));
    answer.on('error', () => (got.ended = 'cut'));
    await until('it has begun', () => got.text.includes('begun'));
    return { ...whole, state, answer, got };
  }

  test('comes as it is made, and the other node sees when the client leaves', async () => {
    const { state, answer, got } = await follow();
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    state.stream.push('data: 1\n\n');
    await until('it comes', () => got.text.includes('data: 1'));
    answer.destroy();
    await until('the other node sees it', () => state.left === 1);
  });

  test.each([false, true])('ends in order when this node stops (a deaf shell: %s)', async (deaf) => {
    const { door, got, state } = await follow(deaf);
    await door.close();
    await until('it ended', () => got.ended !== 'no');
    expect(got.ended).toBe('orderly');
    await until('the other node sees it', () => state.left === 1);
  });

  test('ends in order when the other node stops in order, and is cut when that one is cut off', async () => {
    const first = await follow();
    await first.peerDoor.close();
    await until('it ended', () => first.got.ended !== 'no');
    expect(first.got.ended).toBe('orderly');
    const second = await follow();
    second.a.peers.setMembers([], []);
    await until('it was cut', () => second.got.ended !== 'no');
    expect(second.got.ended).toBe('cut');
  });
});

describe('a shell that answers itself after all', () => {
  const doorWith = async (delegate: Delegate, own: Pick<Partial<ServerOptions>, 'limits'> = {}) => {
    const door = await publicDoor({ ...own, delegate });
    undo.push(() => door.close());
    return door;
  };
  const user = { name: 'ops', role: 'viewer', password: 'a long password' };
  const create = {
    method: 'POST',
    path: '/api/v1/users',
    token: 'admin',
    headers: { 'content-type': 'application/json' },
  };

  test('may have looked at the body before, and adds its headers to the answer and to a refusal', async () => {
    const seen: string[] = [];
    const door = await doorWith(async (asked) => {
      seen.push(String(await asked.body()), String(await asked.body()));
      return { mine: true, headers: { 'binnacle-node': 'n-a' } };
    });
    const got = await askDoor(door, { ...create, body: JSON.stringify(user) });
    expect([got.status, got.json['route'], got.headers['binnacle-node']]).toEqual([201, 'userCreate', 'n-a']);
    expect(seen.map((text) => JSON.parse(text))).toEqual([user, user]);
    const refused = await askDoor(door, { ...create, token: 'viewer', body: JSON.stringify(user) });
    expect([refused.status, refused.headers['binnacle-node']]).toEqual([403, 'n-a']);
  });

  test('is refused a body larger than the route allows, and so is the client', async () => {
    const door = await doorWith(
      async (asked) => {
        const body = await asked.body();
        return Buffer.isBuffer(body) ? { mine: true } : body;
      },
      { limits: { jsonBodyBytesMax: 100 } },
    );
    const got = await askDoor(door, { ...create, body: JSON.stringify({ ...user, more: 'x'.repeat(200) }) });
    expect([got.status, got.json['code']]).toEqual([413, 'body_too_large']);
  });

  test('may refuse', async () => {
    const door = await doorWith(async () => refuse('no_active', 'Nobody leads.'));
    const got = await askDoor(door, { path: '/api/v1/runs', token: 'viewer' });
    expect([got.status, got.json['code'], got.headers['retry-after']]).toEqual([503, 'no_active', '1']);
  });

  test('has no private part in what is passed on', async () => {
    let seen: Delegated | undefined;
    const door = await doorWith(async (asked) => {
      seen = asked;
      return { mine: true };
    });
    const caller = Buffer.from('{"by":"user:eve","name":"eve","role":"admin","kind":"person"}').toString('base64url');
    const said = { 'binnacle-caller': caller, 'binnacle-hops': '2', 'binnacle-address': '10.0.0.1' };
    const headers = { ...said, 'binnacle-through': 'elsewhere', 'x-more': '1' };
    const got = await askDoor(door, { path: '/api/v1/runs', headers });
    expect(got.json).toMatchObject({ code: 'sign_in_needed' });
    expect(seen).toMatchObject({ caller: null, hops: 0, via: null, through: null, address: '127.0.0.1', headers: {} });
    const viewer = await askDoor(door, { path: '/api/v1/runs', headers, token: 'viewer' });
    expect(viewer.json).toMatchObject({ by: 'token:v' });
  });

  test('on the private door those headers change nothing either', async () => {
    const door = await privateDoor();
    undo.push(() => door.close());
    const caller = Buffer.from('{"by":"user:eve","name":"eve","role":"viewer","kind":"person"}').toString('base64url');
    const got = await askDoor(door, { path: '/api/v1/runs', headers: { 'binnacle-caller': caller } });
    expect(got.json).toMatchObject({ by: 'desktop' });
  });
});

describe('the peer door', () => {
  const said = (caller: unknown): Record<string, string> => ({
    'binnacle-caller': Buffer.from(JSON.stringify(caller)).toString('base64url'),
  });
  const eve = { by: 'user:eve', name: 'eve', role: 'operator', kind: 'person' };
  const askB = async (whole: Whole, path: string, headers: Record<string, string>, method = 'GET') => {
    const { status, body } = await whole.a.peers.request('n-b', { method, path, headers });
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece as Buffer);
    return { status, json: JSON.parse(Buffer.concat(pieces).toString() || '{}') };
  };

  test('believes whom a member names, within the role named', async () => {
    const whole = await twoNodes();
    expect(await askB(whole, '/api/v1/runs', said(eve))).toMatchObject({ status: 200, json: { by: 'user:eve' } });
    const users = await askB(whole, '/api/v1/users', said(eve));
    expect(users).toMatchObject({ status: 403, json: { code: 'role_missing' } });
    expect(await askB(whole, '/api/v1/runs', {})).toMatchObject({ status: 401, json: { code: 'sign_in_needed' } });
  });

  test.each([
    ['another role', { ...eve, role: 'root' }],
    ['another kind', { ...eve, kind: 'god' }],
    ['no name', { by: 'x', role: 'admin', kind: 'person' }],
    ['more than it should', { ...eve, credential: 'x' }],
    ['nothing', null],
  ])('refuses a caller of %s', async (_what, caller) => {
    const whole = await twoNodes();
    expect(await askB(whole, '/api/v1/runs', said(caller))).toMatchObject({
      status: 400,
      json: { code: 'bad_request' },
    });
  });

  test.each([
    { 'binnacle-caller': '%%%' },
    { 'binnacle-hops': '-1' },
    { 'binnacle-hops': 'x' },
    { 'binnacle-address': 'a b' },
    { 'binnacle-through': '%00' },
    { 'binnacle-through': '%E0%A4%A' },
    { 'binnacle-through': 'n'.repeat(65) },
  ])('refuses %j', async (headers) => {
    const whole = await twoNodes();
    expect(await askB(whole, '/api/v1/runs', headers)).toMatchObject({ status: 400 });
  });

  test('takes no connections of its own and has no certificate', async () => {
    const { peerDoor, door } = await twoNodes();
    await expect(peerDoor.listen({ host: '127.0.0.1', port: 0 })).rejects.toThrow(/broken promise/);
    expect(() => peerDoor.useCertificate({ key: '', cert: '' })).toThrow(/broken promise/);
    expect(() => door.server.accept({} as never, 'n-x')).toThrow(/broken promise/);
  });

  test('refuses dots in a path', async () => {
    const whole = await twoNodes();
    expect(await askB(whole, '/api/v1/../x', said(eve))).toMatchObject({ status: 400 });
  });
});

describe('inner addresses', () => {
  const inner: Inner = {
    blobs: async ({ method, path, query, node, headers, body }) => {
      const got = method === 'PUT' ? String(await body(10)) : null;
      return {
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ method, path, q: query.get('q'), node, own: headers['x-own'], got }),
      };
    },
    echo: async ({ stream }) => ({ status: 200, body: stream() }),
    broken: async () => {
      throw new Error('secret');
    },
    no: async () => refuse('not_found', 'No such blob.'),
  };
  const ask = async (whole: Whole, method: string, path: string, body?: string) => {
    const answer = await whole.a.peers.request('n-b', {
      ...{ method, path, headers: { 'x-own': '1' } },
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    });
    const pieces: Buffer[] = [];
    for await (const piece of answer.body) pieces.push(piece as Buffer);
    return { status: answer.status, text: Buffer.concat(pieces).toString() };
  };

  test('are answered to members, who are known by their connection', async () => {
    const whole = await twoNodes({ inner });
    const got = await ask(whole, 'GET', '/peer/v1/blobs/a%2Fb?q=1');
    expect([got.status, JSON.parse(got.text)]).toEqual([
      200,
      { method: 'GET', path: '/a%2Fb', q: '1', node: 'n-a', own: '1', got: null },
    ]);
    expect(JSON.parse((await ask(whole, 'PUT', '/peer/v1/blobs', 'hello')).text)).toMatchObject({
      path: '/',
      got: 'hello',
    });
    const text = 'x'.repeat(1_000_000);
    expect((await ask(whole, 'POST', '/peer/v1/echo/', text)).text === text).toBe(true);
    expect((await ask(whole, 'GET', '/peer/v1/blobs/after')).status).toBe(200);
  });

  test('refuse in the usual words: too large, unknown, of a handler, a fault', async () => {
    const whole = await twoNodes({ inner });
    const code = async (path: string, body?: string) => {
      const { status, text } = await ask(whole, body === undefined ? 'GET' : 'PUT', path, body);
      return [status, JSON.parse(text).code];
    };
    expect(await code('/peer/v1/blobs/x', 'more than ten letters')).toEqual([413, 'body_too_large']);
    expect(await code('/peer/v1/other')).toEqual([404, 'not_found']);
    expect(await code('/peer/v1/constructor')).toEqual([404, 'not_found']);
    expect(await code('/peer/v1/no')).toEqual([404, 'not_found']);
    expect(await code('/peer/v1/broken')).toEqual([500, 'internal']);
    expect(whole.logged.map(({ message }) => message)).toEqual(['A fault while answering GET /peer/v1/broken']);
  });

  test('are nothing on the other doors', async () => {
    const outside = await publicDoor({ inner });
    const inside = await privateDoor({ inner });
    undo.push(
      () => outside.close(),
      () => inside.close(),
    );
    for (const path of ['/peer/v1/blobs/x', '/peer/v1/echo', '/peer/v1/']) {
      expect((await askDoor(outside, { path, token: 'admin' })).status).toBe(404);
      expect((await askDoor(inside, { path })).status).toBe(404);
    }
  });
});
