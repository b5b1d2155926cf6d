/**
 * Rights, limits of tokens and sessions on a real cluster, asked over HTTPS of
 * every kind of node: the active, a standby, and a worker that keeps no
 * journal and holds a local sandbox. Who may not read a sandbox finds it
 * nowhere, on none of them; a session that was ended is of no use on any.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster, RightsEntry, Run, RunSummary, Sandbox, SignedIn } from '../../../node-runtime/contract/model.ts';
import { type RouteName, routes } from '../../../node-runtime/contract/routes.ts';
import { bodies, names, pathOf } from '../../contract/support/doors.ts';
import { binnacle, eventually, RealNode } from '../../support/real-node.ts';

const door = ['--listen', '127.0.0.1:0'];
const password = 'correct horse battery';
const nodes: Record<'active' | 'standby' | 'worker', RealNode> = {} as never;
type Where = keyof typeof nodes;
const everywhere: Where[] = ['active', 'standby', 'worker'];
/** Secrets of tokens, by role and purpose. */
const tokens: Record<string, string> = {};
const ids: Record<string, string> = {};
let admin: RealNode;
let payRun: Run;
let evas: string;

type Got = { status: number; text: string; headers: IncomingMessage['headers']; json: () => never; code: string };
type Plain = {
  token?: string;
  cookie?: string;
  body?: unknown;
  headers?: Record<string, string>;
  agent?: Agent;
  /** The address to ask from. */
  localAddress?: string;
};

const portOf = (where: Where): number => Number(new URL(nodes[where].running()!.url!).port);
const tls = { host: '127.0.0.1', rejectUnauthorized: false };

function headersOf(where: Where, { token, cookie, headers }: Plain): Record<string, string> {
  return {
    host: `127.0.0.1:${portOf(where)}`,
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...(cookie ? { cookie } : {}),
    ...headers,
  };
}

function ask(where: Where, method: string, path: string, plain: Plain = {}): Promise<Got> {
  const { body, agent } = plain;
  const bytes = body === undefined ? null : body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
  const headers = {
    ...headersOf(where, plain),
    ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
    ...(bytes ? { 'content-type': body instanceof Uint8Array ? 'application/octet-stream' : 'application/json' } : {}),
    ...(bytes ? { 'content-length': String(bytes.length) } : {}),
  };
  return new Promise((done, failed) => {
    const { localAddress = '127.0.0.1' } = plain;
    const to = { ...tls, port: portOf(where), method, path, headers, localAddress, agent: agent ?? false };
    const asked = request(to, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part) => parts.push(part)).on('error', failed);
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        const isProblem = String(answer.headers['content-type']).includes('problem+json');
        const code = isProblem ? (JSON.parse(text) as { code: string }).code : '';
        done({
          status: answer.statusCode!,
          text,
          headers: answer.headers,
          json: () => JSON.parse(text) as never,
          code,
        });
      });
    });
    asked.on('error', failed);
    asked.end(bytes ?? undefined);
  });
}

/** An answer that goes on. */
class Stream {
  text = '';
  status = 0;
  ended = false;
  #asked;
  constructor(where: Where, path: string, plain: Plain) {
    this.#asked = request({ ...tls, port: portOf(where), path, headers: headersOf(where, plain), agent: false });
    this.#asked.on('response', (answer) => {
      this.status = answer.statusCode!;
      answer.on('data', (part) => (this.text += part));
      answer.on('close', () => (this.ended = true)).on('error', () => (this.ended = true));
    });
    this.#asked.on('error', () => (this.ended = true));
    this.#asked.end();
  }
  get events(): { kind: string; name?: string }[] {
    return this.text
      .split('\n')
      .filter((line) => line.startsWith('data: {"kind"'))
      .map((line) => JSON.parse(line.slice(6)));
  }
  leave(): void {
    this.#asked.destroy();
  }
}
async function follow(where: Where, plain: Plain, path = '/api/v1/events'): Promise<Stream> {
  const stream = new Stream(where, path, plain);
  await eventually('the stream has begun', () => stream.text !== '' || stream.ended);
  expect(stream.status).toBe(200);
  return stream;
}

let signIns = 0;
/** Each from an address of its own: a person may not try more than ten times a minute from one. */
async function signIn(where: Where, name: string, userAgent = 'curl/8.14'): Promise<string> {
  const got = await ask(where, 'POST', '/api/v1/session', {
    body: { name, password },
    headers: { 'user-agent': userAgent },
    localAddress: `127.0.1.${++signIns}`,
  });
  expect([got.status, got.code]).toEqual([200, '']);
  return String(got.headers['set-cookie']).split(';')[0]!;
}

const makeToken = async (name: string, body: object) => {
  const made = await admin.must<{ id: string; secret: string }>('POST', '/api/v1/tokens', { label: name, ...body });
  tokens[name] = made.secret;
  ids[name] = made.id;
};
const setRights = (sandbox: string, rights: RightsEntry[] | null) =>
  admin.must<Sandbox>('PUT', `/api/v1/sandboxes/${sandbox}/rights`, { rights });
const everyone = (...may: RightsEntry['may']): RightsEntry => ({ who: 'everyone', may });
const person = (name: string, ...may: RightsEntry['may']): RightsEntry => ({ who: `user:${name}`, may });

beforeAll(async () => {
  admin = await RealNode.found();
  nodes.active = await admin.start(door);
  nodes.standby = await RealNode.join(admin, 'borea', ['controller']);
  nodes.worker = await RealNode.join(admin, 'bench', ['worker']);
  await Promise.all([nodes.standby, nodes.worker].map((node) => node.start(door)));
  await eventually(
    'paired',
    async () => {
      const cluster = await admin.must<Cluster>('GET', '/api/v1/cluster').catch(() => null);
      return cluster?.fresh && cluster.mode === 'paired';
    },
    40_000,
  );
  for (const name of ['ops', 'eva']) await admin.must('POST', '/api/v1/users', { name, role: 'operator', password });
  await admin.must('POST', '/api/v1/users', { name: 'ada', role: 'admin', password });
  for (const role of ['viewer', 'operator', 'admin']) await makeToken(role, { role });
  for (const name of ['open', 'payroll']) await admin.must('POST', '/api/v1/sandboxes', { name, kind: 'shared' });
  await admin.must('POST', '/api/v1/sandboxes', { name: 'benchbox', kind: 'local', node: 'bench' });
  for (const sandbox of ['open', 'payroll', 'benchbox'])
    await admin.put(sandbox, 'job.sh', '#!/bin/sh\necho hello\n', '?executable=1');
  await setRights('payroll', [person('eva', 'read', 'write', 'execute')]);
  await setRights('benchbox', [person('eva', 'read', 'write', 'execute')]);
  payRun = await admin.through('payroll', 'job.sh');
  evas = await signIn('standby', 'eva');
}, 120_000);

afterAll(async () => {
  for (const node of Object.values(nodes)) await node?.remove();
});

/** A request to a route about a sandbox or run that really is there. */
function routeAsked(
  name: RouteName,
  of: { sandbox: string; run: string },
): [method: string, path: string, body: unknown] {
  const { method, body } = routes[name];
  const path = pathOf(name)
    .replace('/data', `/${of.sandbox}`)
    .replace('r-1', of.run)
    .replace('in/a.txt', 'job.sh')
    .replace('build', 'script')
    .replace('a.sh', 'job.sh');
  const sent = body === 'bytes' ? Buffer.from('x') : body === null ? undefined : bodies[name];
  return [method, path, name === 'launch' ? { sandbox: of.sandbox, path: 'job.sh' } : sent];
}
const about = names.filter((name) => routes[name].needs !== null && routes[name].needs !== 'administer');

describe('every route about a sandbox or a run', () => {
  for (const where of everywhere) {
    it(`is, at the ${where}, about one that does not exist for who may not read it`, async () => {
      for (const name of about) {
        const [method, path, body] = routeAsked(name, { sandbox: 'payroll', run: payRun.id });
        const [, otherPath, otherBody] = routeAsked(name, { sandbox: 'no-such', run: 'r-none' });
        const hidden = await ask(where, method, path, { token: tokens['operator']!, body });
        const missing = await ask(where, method, otherPath, { token: tokens['operator']!, body: otherBody });
        expect([name, hidden.status]).toEqual([name, 404]);
        expect([name, hidden.code]).toEqual([name, path.includes(payRun.id) ? 'run_unknown' : 'sandbox_unknown']);
        // The very answer, but for the name that was asked for. An upload is looked for before its sandbox.
        if (!name.startsWith('upload') && name !== 'check')
          expect([name, hidden.text.replaceAll('payroll', 'no-such').replaceAll(payRun.id, 'r-none')]).toEqual([
            name,
            missing.text,
          ]);
      }
    }, 60_000);
  }

  const needs = ['read', 'write', 'execute'] as const;
  const given = [
    ['read'],
    ['read', 'write'],
    ['read', 'execute'],
    ['read', 'write', 'execute'],
  ] as (typeof needs)[number][][];
  it.each(given)('gives what a list gives and refuses the rest (%s %s %s)', async (...may) => {
    await admin.must('POST', '/api/v1/sandboxes', { name: 'tried', kind: 'shared' });
    await admin.put('tried', 'job.sh', '#!/bin/sh\ntrue\n');
    const run = await admin.through('tried', 'job.sh');
    await setRights('tried', [everyone(...may.filter(Boolean))]);
    for (const name of about) {
      const [method, path, body] = routeAsked(name, { sandbox: 'tried', run: run.id });
      const got = await ask('active', method, path, { token: tokens['operator']!, body });
      const isGiven = may.includes(routes[name].needs as 'read');
      expect([name, got.code === 'right_missing']).toEqual([name, !isGiven]);
      if (isGiven) expect([name, got.code]).not.toEqual([name, expect.stringMatching(/^(sandbox|run)_unknown$/)]);
      if (name === 'fileRemove' && isGiven) await admin.put('tried', 'job.sh', '#!/bin/sh\ntrue\n');
    }
    await eventually('its runs have ended', async () => {
      const { runs } = await admin.must<{ runs: RunSummary[] }>(
        'GET',
        '/api/v1/runs?sandbox=tried&state=running,queued',
      );
      return runs.length === 0;
    });
    await setRights('tried', null);
    await admin.must('DELETE', '/api/v1/sandboxes/tried');
  });
});

describe('a hidden sandbox', () => {
  const reads = names.filter(
    (name) =>
      routes[name].method === 'GET' &&
      routes[name].needs === null &&
      routes[name].role === 'viewer' &&
      name !== 'events',
  );
  it.each(everywhere)('is named by no reading at the %s', async (where) => {
    for (const name of reads) {
      for (const token of [tokens['operator']!, tokens['viewer']!]) {
        const got = await ask(where, 'GET', routes[name].path, { token });
        expect([name, got.status]).toEqual([name, 200]);
        expect([name, /payroll|benchbox/.test(got.text), got.text.includes(payRun.id)]).toEqual([name, false, false]);
      }
    }
    const asAdmin = await ask(where, 'GET', '/api/v1/sandboxes', { token: tokens['admin']! });
    expect(asAdmin.text).toContain('payroll');
  });

  it.each(everywhere)('is not counted at the %s', async (where) => {
    const counts = async (token: string) => (await ask(where, 'GET', '/api/v1/cluster', { token })).json() as Cluster;
    const [mine, all] = [await counts(tokens['operator']!), await counts(tokens['admin']!)];
    expect(all.counts.sandboxes - mine.counts.sandboxes).toBe(2);
    expect(all.counts.runsToday - mine.counts.runsToday).toBeGreaterThanOrEqual(1);
    expect(mine.fresh).toBe(true);
  });

  it('is found by no search over runs, and pages of runs stay full', async () => {
    for (let made = 0; made < 3; made++) {
      await admin.through('open', 'job.sh');
      await admin.through('payroll', 'job.sh');
    }
    const list = async (query: string) =>
      (await ask('standby', 'GET', `/api/v1/runs?${query}`, { token: tokens['operator']! })).json() as {
        runs: RunSummary[];
        cursor?: string;
      };
    expect((await list('sandbox=payroll')).runs).toEqual([]);
    expect((await list('text=payroll')).runs).toEqual([]);
    expect((await list(`text=${payRun.id}`)).runs).toEqual([]);
    const first = await list('limit=2&sandbox=open');
    const plain = await list('limit=2');
    expect(plain.runs.map((run) => run.sandbox)).toEqual(['open', 'open']);
    expect(plain.runs).toEqual(first.runs);
    const next = await list(`limit=2&cursor=${plain.cursor}`);
    expect(next.runs[0]!.sandbox).toBe('open');
  });

  it.each(everywhere)('is heard of by nobody else in the event stream of the %s', async (where) => {
    const [mine, hers] = [await follow(where, { token: tokens['operator']! }), await follow(where, { cookie: evas })];
    await admin.put('payroll', `note-${where}.txt`, 'x');
    const run = await admin.through('payroll', 'job.sh');
    const open = await admin.through('open', 'job.sh');
    await eventually('both heard of what they may', () => mine.text.includes(open.id) && hers.text.includes(open.id));
    expect(hers.text).toContain(run.id);
    expect(mine.text).not.toContain('payroll');
    expect(mine.text).not.toContain(run.id);
    mine.leave();
    hers.leave();
  });

  it('that becomes one in the middle of a stream says to look again, without its name', async () => {
    await admin.must('POST', '/api/v1/sandboxes', { name: 'turning', kind: 'shared' });
    const stream = await follow('worker', { token: tokens['operator']! });
    await setRights('turning', [person('eva', 'read')]);
    await eventually('told to look again', () => stream.events.some(({ kind }) => kind === 'cluster'));
    expect(stream.text).not.toContain('turning');
    await setRights('turning', [everyone('read')]);
    await eventually('told by its name', () => stream.events.some(({ name }) => name === 'turning'));
    stream.leave();
    await admin.must('DELETE', '/api/v1/sandboxes/turning');
  });

  it('stays hidden when it is removed: its runs too, and its name cannot be taken', async () => {
    await admin.must('POST', '/api/v1/sandboxes', { name: 'leaving', kind: 'shared' });
    await admin.put('leaving', 'job.sh', '#!/bin/sh\necho gone\n');
    await setRights('leaving', [person('eva', 'read')]);
    const run = await admin.through('leaving', 'job.sh');
    const make = { name: 'leaving', kind: 'shared' };
    const taken = await ask('worker', 'POST', '/api/v1/sandboxes', { token: tokens['operator']!, body: make });
    await admin.must('DELETE', '/api/v1/sandboxes/leaving');
    const after = await ask('worker', 'POST', '/api/v1/sandboxes', { token: tokens['operator']!, body: make });
    expect([after.code, after.text]).toEqual(['sandbox_exists', taken.text]);
    const got = await ask('standby', 'GET', `/api/v1/runs/${run.id}`, { token: tokens['operator']! });
    expect(got.code).toBe('run_unknown');
    await admin.must('POST', '/api/v1/sandboxes', make);
    expect((await admin.must<Sandbox>('GET', '/api/v1/sandboxes/leaving')).rights).toEqual([person('eva', 'read')]);
    await setRights('leaving', null);
    await admin.must('DELETE', '/api/v1/sandboxes/leaving');
  });
});

describe('a local sandbox on a node without a journal', () => {
  it('follows its list through every node, and says what one may', async () => {
    for (const where of everywhere) {
      const seen = await ask(where, 'GET', '/api/v1/sandboxes/benchbox', { cookie: evas });
      expect(seen.json() as Sandbox).toMatchObject({ may: ['read', 'write', 'execute'] });
      expect((seen.json() as Sandbox).rights).toBeUndefined();
      const wrote = await ask(where, 'PUT', `/api/v1/sandboxes/benchbox/files/from-${where}.txt`, {
        ...{ cookie: evas, body: Buffer.from('x') },
        headers: { origin: `https://127.0.0.1:${portOf(where)}` },
      });
      expect([where, wrote.status, wrote.text]).toEqual([where, 200, expect.any(String)]);
    }
    await setRights('benchbox', [person('eva', 'read')]);
    for (const where of everywhere) {
      const cookie = evas;
      const refused = await ask(where, 'PUT', '/api/v1/sandboxes/benchbox/files/late.txt', {
        ...{ cookie, body: Buffer.from('x') },
        headers: { origin: `https://127.0.0.1:${portOf(where)}` },
      });
      expect([where, refused.code]).toEqual([where, 'right_missing']);
      expect((await ask(where, 'GET', '/api/v1/sandboxes/benchbox/files/job.sh', { cookie })).status).toBe(200);
    }
    await setRights('benchbox', [person('eva', 'read', 'write', 'execute')]);
  });
});

describe('a token that is limited to sandboxes', () => {
  it('can do that and nothing else, whatever its role', async () => {
    const scope = { sandboxes: [{ name: 'open', may: ['read', 'execute'] }] };
    await makeToken('limited', { role: 'admin', scope });
    const token = tokens['limited']!;
    for (const where of everywhere) {
      for (const name of names) {
        const { role, needs, method } = routes[name];
        if (role === 'nobody' || name === 'events' || name === 'cancel' || name === 'decideTask') continue;
        const [, path, body] = routeAsked(name, { sandbox: 'open', run: 'r-none' });
        const got = await ask(where, method, path, { token, body });
        const isAllowed =
          needs === null ? method === 'GET' && role === 'viewer' : needs === 'read' || needs === 'execute';
        if (needs === 'write') expect([where, name, got.code]).toEqual([where, name, 'right_missing']);
        else if (!isAllowed) expect([where, name, got.code]).toEqual([where, name, 'scope_exceeded']);
        else
          expect([where, name, got.code]).not.toEqual([
            where,
            name,
            expect.stringMatching(/scope_exceeded|right_missing/),
          ]);
      }
      const sandboxes = await ask(where, 'GET', '/api/v1/sandboxes', { token });
      expect((sandboxes.json() as { sandboxes: Sandbox[] }).sandboxes.map(({ name }) => name)).toEqual(['open']);
      const { runs } = (await ask(where, 'GET', '/api/v1/runs', { token })).json() as { runs: RunSummary[] };
      expect(new Set(runs.map(({ sandbox }) => sandbox))).toEqual(new Set(['open']));
      expect((await ask(where, 'GET', '/api/v1/sandboxes/payroll', { token })).code).toBe('sandbox_unknown');
      expect((await ask(where, 'GET', '/api/v1/session', { token })).json()).toMatchObject({
        ...{ role: 'admin', scope },
        may: { administer: false },
      });
      expect((await ask(where, 'GET', '/api/v1/sessions?all=1', { token })).code).toBe('role_missing');
    }
    expect(await ask('active', 'GET', '/api/v1/sandboxes/benchbox/entries', { token })).toMatchObject({ status: 404 });
  }, 60_000);

  it('that names a local sandbox is held to it by the node that holds it', async () => {
    await makeToken('bench', { role: 'admin', scope: { sandboxes: [{ name: 'benchbox', may: ['read'] }] } });
    const token = tokens['bench']!;
    for (const where of everywhere) {
      expect((await ask(where, 'GET', '/api/v1/sandboxes/benchbox/files/job.sh', { token })).status).toBe(200);
      const put = await ask(where, 'PUT', '/api/v1/sandboxes/benchbox/files/x', { token, body: Buffer.from('x') });
      expect([where, put.code]).toEqual([where, 'right_missing']);
    }
  });

  it('vanishes from the lists when it is removed', async () => {
    await setRights('open', [everyone('read', 'write', 'execute'), { who: `token:${ids['bench']}`, may: ['read'] }]);
    await admin.must('DELETE', `/api/v1/tokens/${ids['bench']}`);
    expect((await admin.must<Sandbox>('GET', '/api/v1/sandboxes/open')).rights).toEqual([
      everyone('read', 'write', 'execute'),
    ]);
    await setRights('open', null);
  });
});

describe('sessions', () => {
  const sessionsOf = async (where: Where, cookie: string, query = '') => {
    const got = await ask(where, 'GET', `/api/v1/sessions${query}`, { cookie });
    return got.status === 200 ? (got.json() as { sessions: SignedIn[] }).sessions : got.code;
  };
  const end = (where: Where, cookie: string, rest: string) =>
    ask(where, 'DELETE', `/api/v1/sessions${rest}`, {
      cookie,
      headers: { origin: `https://127.0.0.1:${portOf(where)}` },
    });

  it('say where from, with what, since and last seen, and which is this one', async () => {
    await admin.must('DELETE', '/api/v1/sessions?all=1');
    const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
    const here = await signIn('worker', 'ops', firefox);
    await signIn('standby', 'ops');
    await signIn('active', 'eva');
    const mine = (await sessionsOf('worker', here)) as SignedIn[];
    expect(mine.map(({ who, program, from, thisOne }) => [who, program, from, thisOne])).toEqual([
      ['ops', 'curl', `127.0.1.${signIns - 1}`, false],
      ['ops', 'Firefox on Linux', `127.0.1.${signIns - 2}`, true],
    ]);
    expect(mine[1]!.lastSeenAt).toBeDefined();
    expect(await sessionsOf('worker', here, '?user=eva')).toBe('role_missing');
    expect(await sessionsOf('worker', here, '?all=1')).toBe('role_missing');
    const ada = await signIn('standby', 'ada');
    expect(((await sessionsOf('standby', ada, '?user=eva')) as SignedIn[]).map(({ who }) => who)).toEqual(['eva']);
    expect(await sessionsOf('standby', ada, '?all=1')).toHaveLength(4);
    expect(await sessionsOf('standby', ada, '?user=mallory')).toBe('user_unknown');
  });

  it('of somebody else cannot be ended, and are not even there', async () => {
    const [ops, eva] = [await signIn('active', 'ops'), await signIn('active', 'eva')];
    const [of] = ((await sessionsOf('active', eva)) as SignedIn[]).filter(({ thisOne }) => thisOne);
    expect((await end('active', ops, `/${of!.id}`)).code).toBe('session_unknown');
    expect((await end('active', ops, '?user=eva')).code).toBe('role_missing');
    expect((await ask('active', 'GET', '/api/v1/session', { cookie: eva })).status).toBe(200);
  });

  it('that are ended are of no use at once, at every node, on kept connections and open streams too', async () => {
    const places = await Promise.all(
      everywhere.map(async (where) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const cookie = await signIn(where, 'ops');
        const stream = await follow(where, { cookie });
        expect((await ask(where, 'GET', '/api/v1/runs', { cookie, agent })).status).toBe(200);
        return { where, cookie, stream, agent };
      }),
    );
    const eva = await follow('worker', { cookie: await signIn('worker', 'eva') });
    const begun = performance.now();
    const byWhom = await signIn('standby', 'ops');
    expect((await end('standby', byWhom, '?others=1')).status).toBe(204);
    for (const { where, cookie, agent } of places) {
      for (const path of ['/api/v1/runs', '/api/v1/cluster', '/api/v1/session'])
        await eventually(
          `${path} is refused at the ${where}`,
          async () => (await ask(where, 'GET', path, { cookie, agent })).code === 'sign_in_needed',
          1_000,
        );
    }
    for (const { where, stream } of places)
      await eventually(`the stream at the ${where} ends`, () => stream.ended, 2_000);
    expect(performance.now() - begun).toBeLessThan(4_000);
    expect(eva.ended).toBe(false);
    expect((await ask('standby', 'GET', '/api/v1/session', { cookie: byWhom })).status).toBe(200);
    for (const { agent } of places) agent.destroy();
    eva.leave();
  });

  it('end with their person and with a new password, and their streams with them; so do tokens', async () => {
    await admin.must('POST', '/api/v1/users', { name: 'tom', role: 'viewer', password });
    const first = await follow('worker', { cookie: await signIn('worker', 'tom') });
    await admin.must('PUT', '/api/v1/users/tom', { password: `${password} new` });
    await eventually('it ends with the old password', () => first.ended, 2_000);
    await admin.must('PUT', '/api/v1/users/tom', { password });
    const second = await follow('standby', { cookie: await signIn('standby', 'tom') });
    await admin.must('DELETE', '/api/v1/users/tom');
    await eventually('it ends with the person', () => second.ended, 2_000);
    await makeToken('short', { role: 'viewer' });
    const third = await follow('worker', { token: tokens['short']! });
    await admin.must('DELETE', `/api/v1/tokens/${ids['short']}`);
    await eventually('it ends with the token', () => third.ended, 2_000);
  });

  it('an output that is followed ends with the right to read it', async () => {
    await admin.put('open', 'long.sh', '#!/bin/sh\nwhile :; do echo tick; sleep 0.2; done\n');
    const run = await admin.launch('open', 'long.sh');
    await admin.until(run.id, ({ state }) => state === 'running');
    const path = `/api/v1/runs/${run.id}/tasks/script/log?follow=1`;
    const log = await eventually('it has begun', async () => {
      const stream = new Stream('standby', path, { token: tokens['operator']! });
      await eventually('an answer', () => stream.status !== 0 || stream.ended);
      return stream.status === 200 && stream;
    });
    await eventually('a line', () => log.text.includes('tick'));
    await setRights('open', [person('eva', 'read')]);
    await eventually('it ends', () => log.ended, 2_000);
    await setRights('open', null);
    await admin.must('POST', `/api/v1/runs/${run.id}/cancel`);
  });

  it('of a guest by a link see and end only themselves', async () => {
    const ada = await signIn('active', 'ada');
    const link = await ask('active', 'POST', '/api/v1/sign-in-links', {
      ...{ cookie: ada, body: { role: 'viewer' } },
      headers: { origin: `https://127.0.0.1:${portOf('active')}` },
    });
    const { code } = link.json() as { code: string };
    const used = await ask('worker', 'POST', '/api/v1/session/link', { body: { code } });
    const guest = String(used.headers['set-cookie']).split(';')[0]!;
    expect((await sessionsOf('worker', guest)) as SignedIn[]).toMatchObject([{ byLink: true, thisOne: true }]);
    expect((await end('worker', guest, '')).status).toBe(204);
    expect((await ask('worker', 'GET', '/api/v1/session', { cookie: guest })).status).toBe(401);
    expect((await ask('worker', 'GET', '/api/v1/session', { cookie: ada })).status).toBe(200);
  });
});

describe('on the command line', () => {
  const cli = (...args: string[]) => binnacle([...args, '--data', admin.data]);

  it('rights are shown, set and cleared', async () => {
    expect((await cli('sandbox', 'rights', 'open')).out).toContain('by role');
    const set = await cli('sandbox', 'rights', 'open', '--set', 'everyone:r', '--set', 'user:ops:rwx');
    expect([set.code, set.err]).toEqual([0, '']);
    expect(set.out).toMatch(/everyone\s+yes\s+no\s+no[\s\S]*ops\s+yes\s+yes\s+yes/);
    const json = await cli('sandbox', 'rights', 'open', '--json');
    expect(JSON.parse(json.out)).toEqual({
      sandbox: 'open',
      rights: [everyone('read'), person('ops', 'read', 'write', 'execute')],
    });
    expect((await cli('sandbox', 'rights', 'open', '--set', 'everyone:q')).code).toBe(2);
    expect((await cli('sandbox', 'rights', 'open', '--set', 'user:mallory:r')).code).not.toBe(0);
    expect((await cli('sandbox', 'rights', 'open', '--clear')).out).toContain('by role');
  });

  it('a token is made for sandboxes', async () => {
    const made = await cli(
      'token',
      'create',
      '--role',
      'operator',
      '--sandbox',
      'open:rx',
      '--sandbox',
      'payroll:r',
      '--json',
    );
    const token = JSON.parse(made.out) as { scope: object; id: string };
    expect(token.scope).toEqual({
      sandboxes: [
        { name: 'open', may: ['read', 'execute'] },
        { name: 'payroll', may: ['read'] },
      ],
    });
    expect((await cli('token', 'ls')).out).toContain('open:rx payroll:r');
    await cli('token', 'rm', token.id);
  });

  it('sessions are listed and ended', async () => {
    const cookie = await signIn('standby', 'eva');
    const { sessions } = JSON.parse((await cli('session', 'ls', '--user', 'eva', '--json')).out) as {
      sessions: SignedIn[];
    };
    expect(sessions.length).toBeGreaterThan(0);
    expect((await cli('session', 'ls', '--all')).out).toContain('curl');
    expect((await cli('session', 'end', sessions[0]!.id)).code).toBe(0);
    expect((await cli('session', 'end', sessions[0]!.id)).err).toContain('no session');
    expect((await cli('session', 'end-all', '--user', 'eva')).code).toBe(0);
    expect((await ask('worker', 'GET', '/api/v1/session', { cookie })).status).toBe(401);
  });
});

describe('at the end', () => {
  it('guessing passwords at three nodes is no more than at one', async () => {
    const codes: string[] = [];
    for (let tried = 0; tried < 12; tried++) {
      const got = await ask(everywhere[tried % 3]!, 'POST', '/api/v1/session', {
        body: { name: 'mallory', password: 'wrong password' },
      });
      codes.push(got.code);
      if (got.code === 'too_many') {
        expect(Number(got.headers['retry-after'])).toBeGreaterThan(0);
        expect((got.json() as { detail: string }).detail).toMatch(/possible in (a second|\d+ seconds)\.$/);
      }
    }
    expect(codes.slice(-2)).toEqual(['too_many', 'too_many']);
    expect(codes.filter((code) => code === 'sign_in_failed').length).toBeLessThanOrEqual(10);
  });

  it('the silence of the holder of a local sandbox says nothing to who may not know of it', async () => {
    const eva = tokens['admin']!;
    await nodes.worker.kill();
    const hidden = await ask('standby', 'GET', '/api/v1/sandboxes/benchbox/entries', { token: tokens['operator']! });
    const missing = await ask('standby', 'GET', '/api/v1/sandboxes/no-such/entries', { token: tokens['operator']! });
    expect(hidden.text.replaceAll('benchbox', 'no-such')).toBe(missing.text);
    expect(Object.keys(hidden.headers).sort()).toEqual(Object.keys(missing.headers).sort());
    const known = await ask('standby', 'GET', '/api/v1/sandboxes/benchbox/entries', { token: eva });
    expect(known.code).toBe('node_unreachable');
  });
});
