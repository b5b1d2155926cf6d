/**
 * One long table of what is refused, asked of the real HTTPS listener of a
 * node. Requests go out as bytes over TLS, so that no client mends them first.
 * Each is answered with its status and its code, and the node still answers
 * after it. Signing in as a person does it is here too.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../../node-runtime/contract/limits.ts';
import type { Entry, JobCheck, Session } from '../../../node-runtime/contract/model.ts';
import { RealNode, refusalOf } from '../../support/real-node.ts';

let node: RealNode;
let outside: string;
let port: number;
const tokens = { viewer: '', operator: '', admin: '' };
const ids = { viewer: '', operator: '', admin: '' };
const password = 'correct horse battery';

beforeAll(async () => {
  outside = mkdtempSync(path.join(tmpdir(), 'binnacle-refusals-'));
  mkdirSync(path.join(outside, 'local'));
  node = await (await RealNode.found()).start(['--listen', '127.0.0.1:0']);
  port = Number(new URL(node.running()!.url!).port);
  for (const role of ['viewer', 'operator', 'admin'] as const) {
    const made = await node.must<{ id: string; secret: string }>('POST', '/api/v1/tokens', {
      role,
      label: role,
      expiresInDays: 1,
    });
    tokens[role] = made.secret;
    ids[role] = made.id;
  }
  await node.must('POST', '/api/v1/users', { name: 'olga', role: 'operator', password });
  await node.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
  await node.must('POST', '/api/v1/sandboxes', { name: 'here', kind: 'local', directory: path.join(outside, 'local') });
  await node.put('work', 'ok.sh', '#!/bin/sh\n:\n');
});
afterAll(async () => {
  await node?.remove();
  rmSync(outside, { recursive: true, force: true });
});
afterEach(async () => {
  expect((await raw('GET /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n')).status).toBe(200);
});

type Told = { status: number; text: string; head: string };

/** Sends bytes as they are (HOST is filled in) and reads one answer. */
function raw(text: string, body: Uint8Array = new Uint8Array(), localAddress = '127.0.0.1'): Promise<Told> {
  return new Promise((done, failed) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, localAddress } as ConnectionOptions);
    let got = Buffer.alloc(0);
    const look = (isOver: boolean) => {
      const at = got.indexOf('\r\n\r\n');
      if (at < 0) return isOver ? failed(new Error(`no answer: ${got}`)) : undefined;
      const head = got.toString('latin1', 0, at);
      const bytes = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (got.length < at + 4 + bytes && !isOver) return;
      socket.destroy();
      done({ status: Number(head.split(' ')[1]), head, text: got.toString('utf8', at + 4, at + 4 + bytes) });
    };
    socket.on('data', (part) => {
      got = Buffer.concat([got, part]);
      look(false);
    });
    socket.on('error', (error) => (got.length > 0 ? look(true) : failed(error)));
    socket.on('close', () => look(true));
    socket.setTimeout(15_000, () => socket.destroy(new Error('no answer within 15 s')));
    socket.write(Buffer.concat([Buffer.from(text.replaceAll('HOST', `127.0.0.1:${port}`), 'latin1'), body]));
  });
}

type Plain = { token?: string; headers?: Record<string, string>; body?: string | Uint8Array | object; from?: string };

/** A request as text: the usual headers, then what a case adds or puts in their place. */
function ask(method: string, target: string, { token, headers = {}, body, from }: Plain = {}): Promise<Told> {
  const bytes =
    body === undefined
      ? null
      : typeof body === 'string'
        ? Buffer.from(body)
        : body instanceof Uint8Array
          ? body
          : Buffer.from(JSON.stringify(body));
  const all: Record<string, string> = {
    host: 'HOST',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...(bytes ? { 'content-type': 'application/json', 'content-length': String(bytes.length) } : {}),
    ...headers,
  };
  const lines = Object.entries(all)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return raw(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, bytes ?? undefined, from);
}

const put = (target: string, body: string | Uint8Array, token = tokens.operator) =>
  ask('PUT', target, { token, body, headers: { 'content-type': 'application/octet-stream' } });

describe('a path that tries to lead elsewhere', () => {
  const long = 'a'.repeat(256);
  const tricks: [trick: string, refusal: string][] = [
    ['..', '400 path_refused'],
    ['../x', '400 path_refused'],
    ['a/../../x', '400 path_refused'],
    ['./a', '400 path_refused'],
    ['a/./b', '400 path_refused'],
    ['%2e%2e/x', '400 path_refused'],
    ['%2E%2E%2Fx', '400 path_refused'],
    ['..%2f..%2fetc%2fpasswd', '400 path_refused'],
    ['a/%2e%2e/%2e%2e/x', '400 path_refused'],
    ['.%2e/x', '400 path_refused'],
    ['%2e/x', '400 path_refused'],
    ['/etc/passwd', '400 path_refused'],
    ['%2fetc%2fpasswd', '400 path_refused'],
    ['a//b', '400 path_refused'],
    ['a/', '400 path_refused'],
    ['..%5c..%5cx', '400 path_refused'],
    ['..\\x', '400 path_refused'],
    ['C:%5cx', '400 path_refused'],
    ['c:/x', '400 path_refused'],
    ['a:stream', '400 path_refused'],
    ['a%00', '400 path_refused'],
    ['a%00.txt/../x', '400 path_refused'],
    ['a%0ab', '400 path_refused'],
    ['a%0d%0aSet-Cookie:%20x', '400 path_refused'],
    ['%ff', '400 bad_request'],
    ['%c0%ae%c0%ae/x', '400 bad_request'],
    ['%u002e%u002e/x', '400 bad_request'],
    ['%', '400 bad_request'],
    ['%2', '400 bad_request'],
    ['con', '400 path_refused'],
    ['nul.txt', '400 path_refused'],
    ['a.', '400 path_refused'],
    ['a%20', '400 path_refused'],
    ['.binnacle-trash/x', '400 path_refused'],
    ['.BINNACLE/x', '400 path_refused'],
    ['%e2%80%8b.binnacle/x', '400 path_refused'],
    ['e%cc%81', '400 path_refused'],
    ['%e2%80%aefdp.exe', '400 path_refused'],
    ['...', '400 path_refused'],
    [long, '400 path_refused'],
    [Array(65).fill('a').join('/'), '400 path_refused'],
    [Array(6).fill('b'.repeat(200)).join('/'), '400 bad_request'],
    ['a%23/../x', '400 path_refused'],
    ['x#y', '400 bad_request'],
  ];
  for (const [trick, refusal] of tricks) {
    const shown = trick.length > 60 ? `${trick.slice(0, 40)}… (${trick.length} characters)` : trick;
    it(`${shown} is refused for reading and writing in both kinds of sandbox: ${refusal}`, async () => {
      for (const sandbox of ['work', 'here']) {
        const at = `/api/v1/sandboxes/${sandbox}/files/${trick}`;
        expect([sandbox, refusalOf(await ask('GET', at, { token: tokens.viewer }))]).toEqual([sandbox, refusal]);
        expect([sandbox, refusalOf(await put(at, 'x'))]).toEqual([sandbox, refusal]);
      }
    });
  }

  const inBodies = ['../x', '/etc/passwd', 'a/../x', 'a\\b', 'nul', '.binnacle/x', 'a\u0000', 'e\u0301', '\ud800'];
  for (const trick of inBodies) {
    it(`${JSON.stringify(trick)} is refused in bodies and queries too`, async () => {
      const token = tokens.operator;
      const refused: [string, Told][] = [];
      for (const sandbox of ['work', 'here']) {
        const at = `/api/v1/sandboxes/${sandbox}`;
        refused.push(['move from', await ask('POST', `${at}/moves`, { token, body: { path: trick, to: 'ok2.sh' } })]);
        refused.push(['move to', await ask('POST', `${at}/moves`, { token, body: { path: 'ok.sh', to: trick } })]);
        refused.push(['copy to', await ask('POST', `${at}/copies`, { token, body: { path: 'ok.sh', to: trick } })]);
        refused.push(['folder', await ask('POST', `${at}/folders`, { token, body: { path: trick } })]);
        refused.push(['restore', await ask('POST', `${at}/restores`, { token, body: { path: trick, version: 1 } })]);
        refused.push(['upload', await ask('POST', `${at}/uploads`, { token, body: { path: trick, bytes: 1 } })]);
        refused.push(['launch', await ask('POST', '/api/v1/runs', { token, body: { sandbox, path: trick } })]);
        if (!trick.isWellFormed()) continue; // a query is UTF-8
        const query = encodeURIComponent(trick);
        refused.push(['list', await ask('GET', `${at}/entries?path=${query}`, { token })]);
        refused.push(['zip', await ask('GET', `${at}/zip?path=${query}`, { token })]);
        refused.push(['form', await ask('GET', `${at}/launch-form?path=${query}`, { token })]);
      }
      // the first name of a move in the local sandbox may be missed before the second is looked at
      const wrong = refused.filter(([what, one]) => {
        const said = refusalOf(one);
        return said !== '400 path_refused' && !(['move to', 'copy to'].includes(what) && said === '404 file_unknown');
      });
      expect(wrong.map(([what, one]) => [what, refusalOf(one)])).toEqual([]);
    });
  }

  it('of the console gives nothing but the console', async () => {
    for (const target of [
      '/../package.json',
      '/%2e%2e/package.json',
      '/assets/%2e%2e/%2e%2e/package.json',
      '/assets/..%2f..%2fpackage.json',
      '//etc/passwd',
      '/%2fetc/passwd',
      '/assets%5c..%5c..%5cpackage.json',
    ]) {
      const answer = await ask('GET', target);
      expect([target, answer.text.includes('"dependencies"') || answer.text.includes('root:')]).toEqual([
        target,
        false,
      ]);
    }
  });

  it('has left nothing anywhere', async () => {
    expect(readdirSync(outside)).toEqual(['local']);
    expect(readdirSync(path.join(outside, 'local')).filter((name) => !name.startsWith('.binnacle'))).toEqual([]);
    const { entries } = await node.must<{ entries: Entry[] }>('GET', '/api/v1/sandboxes/work/entries');
    expect(entries.map((entry) => entry.path)).toEqual(['ok.sh']);
    expect(existsSync('/tmp/x')).toBe(false);
  });
});

describe('a job file made to do harm', () => {
  const laughs = [
    'a: &a [x,x,x,x,x,x,x,x,x,x]',
    ...Array.from('bcdefghi', (name, at) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[at]}`)}]`),
  ];
  const evil: [what: string, name: string, text: string | Uint8Array][] = [
    ['a billion laughs', 'laughs.job.yaml', laughs.join('\n')],
    ['a circle of anchors', 'circle.job.yaml', 'tasks: &a\n  b: *a\n'],
    ['100,000 brackets', 'deep.job.yaml', '['.repeat(100_000)],
    ['50,000 braces', 'braces.job.yaml', '{a: '.repeat(50_000)],
    ['100,000 dashes', 'dashes.job.yaml', '- '.repeat(100_000)],
    ['deep JSON', 'deep.job.json', `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`],
    ['one very long line', 'line.job.yaml', `tasks: ${'x'.repeat(limits.jobFileBytesMax - 100)}`],
    ['20,000 keys', 'keys.job.yaml', Array.from({ length: 20_000 }, (_, at) => `k${at}: 1`).join('\n')],
    ['a tag that makes code', 'tag.job.yaml', 'tasks: !!js/function "function(){}"\n'],
    ['a key twice', 'twice.job.yaml', 'tasks:\n  a: { run: "1" }\n  a: { run: "2" }\n'],
    ['__proto__', 'proto.job.yaml', '__proto__: { polluted: true }\ntasks:\n  a: { run: "1" }\n'],
    [
      '__proto__ in JSON',
      'proto.job.json',
      '{"__proto__":{"polluted":true},"tasks":{"constructor":{"run":"x","needs":"__proto__"}}}',
    ],
    ['two documents', 'docs.job.yaml', 'tasks:\n  a: { run: "1" }\n---\ntasks: {}\n'],
    ['bytes that are no UTF-8', 'latin.job.yaml', Buffer.from([0x74, 0x61, 0x73, 0x6b, 0x73, 0x3a, 0x20, 0xff, 0xfe])],
    ['NUL characters', 'nul-bytes.job.yaml', 'tasks:\n  a: { run: "a\u0000b" }\n\u0000'],
    ['nothing', 'nothing.job.yaml', ''],
    [
      'a pattern that never ends',
      'pattern.job.yaml',
      'parameters:\n  p: { type: string, pattern: "(a+)+$", default: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" }\ntasks:\n  a: { run: "1" }\n',
    ],
    ['an expression without end', 'expression.job.yaml', `tasks:\n  a: { run: "1", if: "${'('.repeat(1_900)}" }\n`],
    ['a circle of needs', 'needs.job.yaml', 'tasks:\n  a: { run: "1", needs: b }\n  b: { run: "1", needs: a }\n'],
    [
      'too many tasks',
      'tasks.job.yaml',
      `tasks:\n${Array.from({ length: 501 }, (_, at) => `  t${at}: { run: "1" }\n`).join('')}`,
    ],
  ];
  for (const [what, name, text] of evil) {
    it(`(${what}) is kept, shown as wrong, and cannot be launched`, async () => {
      const kept = await put(`/api/v1/sandboxes/work/files/evil/${name}`, text);
      expect([kept.status, (JSON.parse(kept.text) as Entry).job?.ok]).toEqual([200, false]);
      const launched = await ask('POST', '/api/v1/runs', {
        token: tokens.operator,
        body: { sandbox: 'work', path: `evil/${name}` },
      });
      expect(refusalOf(launched)).toBe('422 job_file_wrong');
      if (text instanceof Uint8Array) return;
      const checked = await ask('POST', '/api/v1/sandboxes/work/checks', {
        token: tokens.viewer,
        body: { path: name, text },
      });
      expect([checked.status, (JSON.parse(checked.text) as JobCheck).ok]).toEqual([200, false]);
    });
  }

  it('is refused to be checked when it is larger than a job file may be', async () => {
    const body = { path: 'a.job.yaml', text: 'x'.repeat(limits.jsonBodyBytesMax) };
    const answer = await ask('POST', '/api/v1/sandboxes/work/checks', { token: tokens.viewer, body });
    expect(refusalOf(answer)).toBe('413 body_too_large');
    const large = await put('/api/v1/sandboxes/work/files/large.job.yaml', 'x'.repeat(limits.jobFileBytesMax + 1));
    expect([large.status, (JSON.parse(large.text) as Entry).job?.ok]).toEqual([200, false]);
    const launched = await ask('POST', '/api/v1/runs', {
      token: tokens.operator,
      body: { sandbox: 'work', path: 'large.job.yaml' },
    });
    expect(refusalOf(launched)).toBe('422 not_launchable');
  });
});

describe('a request that is no good', () => {
  const operator = () => tokens.operator;
  const run = { sandbox: 'work', path: 'ok.sh' };
  const cases: [what: string, refusal: string, ask: () => Promise<Told>][] = [
    [
      'a body larger than a body may be',
      '413 body_too_large',
      () =>
        ask('POST', '/api/v1/runs', { token: operator(), body: { ...run, x: 'y'.repeat(limits.jsonBodyBytesMax) } }),
    ],
    [
      'a body that says it is 1 TB',
      '413 body_too_large',
      () =>
        ask('POST', '/api/v1/runs', { token: operator(), body: '{', headers: { 'content-length': '1000000000000' } }),
    ],
    [
      'a deep body',
      '400 bad_request',
      () =>
        ask('POST', '/api/v1/runs', {
          token: operator(),
          body: `{"sandbox":${'['.repeat(50_000)}${']'.repeat(50_000)},"path":"x"}`,
        }),
    ],
    [
      'half a body of JSON',
      '400 bad_request',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: '{"sandbox":' }),
    ],
    [
      'a body that is no UTF-8',
      '400 bad_request',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: Buffer.from([0x7b, 0xff, 0x7d]) }),
    ],
    [
      'a body of another shape',
      '400 bad_request',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: { sandbox: 7, path: ['x'] } }),
    ],
    ['a list for an object', '400 bad_request', () => ask('POST', '/api/v1/runs', { token: operator(), body: [1] })],
    ['no body at all', '400 bad_request', () => ask('POST', '/api/v1/runs', { token: operator() })],
    [
      'a parameter of a name from prototypes',
      '422 parameters_wrong',
      () =>
        ask('POST', '/api/v1/runs', {
          token: operator(),
          body: '{"sandbox":"work","path":"ok.sh","parameters":{"__proto__x-":1}}',
        }),
    ],
    [
      'a body as text',
      '415 media_type',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { 'content-type': 'text/plain' } }),
    ],
    [
      'a form',
      '415 media_type',
      () =>
        ask('POST', '/api/v1/runs', {
          token: operator(),
          body: 'a=b',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        }),
    ],
    [
      'a packed body',
      '415 media_type',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { 'content-encoding': 'gzip' } }),
    ],
    [
      'headers of 20 KiB',
      '431 headers_too_large',
      () => ask('GET', '/api/v1/runs', { token: operator(), headers: { 'x-large': 'y'.repeat(20_000) } }),
    ],
    [
      '2,000 headers',
      '431 headers_too_large',
      () =>
        ask('GET', '/api/v1/runs', {
          token: operator(),
          headers: Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`x-${at}`, 'yyyy'])),
        }),
    ],
    [
      'a target of 20 KiB',
      '431 headers_too_large',
      () => ask('GET', `/api/v1/runs?text=${'y'.repeat(20_000)}`, { token: operator() }),
    ],
    ['what is no HTTP', '400 bad_request', () => raw('\x16\x03\x01 hello\r\n\r\n')],
    ['an unknown method', '400 bad_request', () => raw('SMUGGLE / HTTP/1.1\r\nHost: HOST\r\n\r\n')],
    [
      'two lengths',
      '400 bad_request',
      () => raw('POST /api/v1/runs HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'),
    ],
    [
      'length and chunks',
      '400 bad_request',
      () =>
        raw(
          'POST /api/v1/runs HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        ),
    ],
    [
      'a header with a bare line feed and a blank',
      '400 bad_request',
      () => raw('GET / HTTP/1.1\r\nHost: HOST\r\nX : y\r\n\r\n'),
    ],
    [
      'a whole address as target',
      '400 bad_request',
      () => ask('GET', `https://127.0.0.1/api/v1/runs`, { token: operator() }),
    ],
    ['a star as target', '400 bad_request', () => ask('GET', '*', { token: operator() })],
    ['an unknown address', '404 not_found', () => ask('GET', '/api/v1/nothing', { token: operator() })],
    ['an address of another version', '404 not_found', () => ask('GET', '/api/v2/runs', { token: operator() })],
    [
      'a method that is not used there',
      '405 method_not_allowed',
      () => ask('DELETE', '/api/v1/runs', { token: operator() }),
    ],
    ['a query twice', '400 bad_request', () => ask('GET', '/api/v1/runs?limit=1&limit=2', { token: operator() })],
    [
      'a limit that is no number',
      '400 bad_request',
      () => ask('GET', '/api/v1/runs?limit=many', { token: operator() }),
    ],
    ['a limit beyond the limit', '400 bad_request', () => ask('GET', '/api/v1/runs?limit=501', { token: operator() })],
    [
      'a key with blanks',
      '400 bad_request',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { 'idempotency-key': 'a b' } }),
    ],
    [
      'a key of 200 characters',
      '400 bad_request',
      () =>
        ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { 'idempotency-key': 'k'.repeat(200) } }),
    ],
    ['no host', '421 host_refused', () => ask('GET', '/api/v1/runs', { token: operator(), headers: { host: '' } })],
    [
      'a host of another',
      '421 host_refused',
      () => ask('GET', '/api/v1/runs', { token: operator(), headers: { host: 'evil.example' } }),
    ],
    [
      'a host of another for signing in',
      '421 host_refused',
      () => ask('POST', '/api/v1/session', { body: { name: 'olga', password }, headers: { host: 'evil.example' } }),
    ],
    [
      'a host with another port',
      '421 host_refused',
      () => ask('GET', '/api/v1/runs', { token: operator(), headers: { host: '127.0.0.1:1' } }),
    ],
    [
      'a host with a name before it',
      '421 host_refused',
      () => ask('GET', '/api/v1/runs', { token: operator(), headers: { host: 'x@HOST' } }),
    ],
    [
      'two hosts',
      '400 bad_request',
      () => raw('GET /api/v1/runs HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n'),
    ],
    [
      'a page of another origin',
      '403 origin_refused',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { origin: 'https://evil.example' } }),
    ],
    [
      'a page of the same host on another port',
      '403 origin_refused',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { origin: 'https://127.0.0.1:1' } }),
    ],
    [
      'a page of this host without TLS',
      '403 origin_refused',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { origin: 'http://HOST' } }),
    ],
    [
      'a page without an origin',
      '403 origin_refused',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { origin: 'null' } }),
    ],
    [
      'the origin of the desktop',
      '403 origin_refused',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { origin: 'app://console' } }),
    ],
    [
      'a page of another site that writes',
      '403 origin_refused',
      () => ask('POST', '/api/v1/runs', { token: operator(), body: run, headers: { 'sec-fetch-site': 'cross-site' } }),
    ],
    [
      'a page of another site that reads',
      '403 origin_refused',
      () => ask('GET', '/api/v1/runs', { token: operator(), headers: { 'sec-fetch-site': 'cross-site' } }),
    ],
    [
      'a page of the same site on another port that reads',
      '403 origin_refused',
      () => ask('GET', '/api/v1/runs', { token: operator(), headers: { 'sec-fetch-site': 'same-site' } }),
    ],
    [
      'a page of another site that signs in',
      '403 origin_refused',
      () =>
        ask('POST', '/api/v1/session', {
          body: { name: 'olga', password },
          headers: { origin: 'https://evil.example' },
        }),
    ],
  ];
  for (const [what, refusal, act] of cases) {
    it(`(${what}) is answered with ${refusal}`, async () => {
      const answer = await act();
      expect(refusalOf(answer)).toBe(refusal);
      expect(answer.head.toLowerCase()).toContain('content-type: application/problem+json');
      if (answer.status === 405) expect(answer.head.toLowerCase()).toContain('allow: get, head, post');
      expect(answer.text).not.toMatch(/node_modules|node-runtime|dist\/|\.ts:|at Object/); // nothing of our insides
    });
  }
});

describe('a request that breaks in its middle', () => {
  it('gets no answer but the end of its connection, and disturbs nobody', async () => {
    const head = 'POST /api/v1/session HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n';
    await expect(raw(`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`)).rejects.toThrow('no answer');
  });
});

describe('somebody who may not', () => {
  const reading = [
    '/api/v1/cluster',
    '/api/v1/nodes',
    '/api/v1/runs',
    '/api/v1/sandboxes',
    '/api/v1/session',
    '/api/v1/events',
    '/metrics',
  ];
  const changing: [method: string, target: string, body?: object][] = [
    ['POST', '/api/v1/runs', { sandbox: 'work', path: 'ok.sh' }],
    ['POST', '/api/v1/runs/r-x/cancel'],
    ['POST', '/api/v1/sandboxes', { name: 'new', kind: 'shared' }],
    ['PUT', '/api/v1/sandboxes/work/files/x', {}],
    ['DELETE', '/api/v1/sandboxes/work/files/ok.sh'],
    ['POST', '/api/v1/sandboxes/work/folders', { path: 'f' }],
    ['POST', '/api/v1/sandboxes/work/moves', { path: 'ok.sh', to: 'y' }],
    ['POST', '/api/v1/sandboxes/work/uploads', { path: 'u', bytes: 1 }],
  ];
  const administering: [method: string, target: string, body?: object][] = [
    ['GET', '/api/v1/users'],
    ['POST', '/api/v1/users', { name: 'mallory', role: 'admin', password }],
    ['PUT', '/api/v1/users/olga', { role: 'admin' }],
    ['DELETE', '/api/v1/users/olga'],
    ['GET', '/api/v1/tokens'],
    ['POST', '/api/v1/tokens', { role: 'admin' }],
    ['DELETE', '/api/v1/tokens/x'],
    ['POST', '/api/v1/sign-in-links', { role: 'admin' }],
    ['DELETE', '/api/v1/sandboxes/work'],
    ['POST', '/api/v1/sandboxes', { name: 'etc', kind: 'local', directory: '/etc' }],
  ];
  it('shows nothing: signing in is asked for everywhere', async () => {
    for (const target of reading)
      expect([target, refusalOf(await ask('GET', target))]).toEqual([target, '401 sign_in_needed']);
    for (const [method, target, body] of [...changing, ...administering]) {
      const answer = await ask(method, target, body ? { body } : {});
      expect([method, target, refusalOf(answer)]).toEqual([method, target, '401 sign_in_needed']);
      expect(answer.head).toContain('www-authenticate: Bearer');
    }
  });
  it('shows a token that is made up, cut, doubled or of another kind: it is not valid', async () => {
    const good = tokens.viewer;
    const bad = [
      'x',
      good.slice(0, -1),
      `${good}x`,
      `${good}${good}`,
      good.toUpperCase(),
      `${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`,
    ];
    for (const token of bad) expect(refusalOf(await ask('GET', '/api/v1/runs', { token }))).toBe('401 token_invalid');
    const basic = await ask('GET', '/api/v1/runs', { headers: { authorization: 'Basic b2xnYTp4' } });
    expect(refusalOf(basic)).toBe('401 token_invalid');
    const asCookie = await ask('GET', '/api/v1/runs', { headers: { cookie: `__Host-binnacle=${good}` } });
    expect(refusalOf(asCookie)).toBe('401 sign_in_needed');
    expect((await ask('GET', '/api/v1/runs', { token: good })).status).toBe(200);
  });
  it('is a viewer: looks at everything and changes nothing', async () => {
    const token = tokens.viewer;
    for (const target of reading.filter((one) => !one.endsWith('events')))
      expect([target, (await ask('GET', target, { token })).status]).toEqual([target, 200]);
    for (const [method, target, body] of [...changing, ...administering]) {
      const answer = await ask(method, target, { token, ...(body ? { body } : {}) });
      expect([method, target, refusalOf(answer)]).toEqual([method, target, '403 role_missing']);
    }
  });
  it('is an operator: works with jobs and files, and administers nothing', async () => {
    for (const [method, target, body] of administering) {
      const answer = await ask(method, target, { token: tokens.operator, ...(body ? { body } : {}) });
      expect([method, target, refusalOf(answer)]).toEqual([method, target, '403 role_missing']);
    }
    const launched = await ask('POST', '/api/v1/runs', {
      token: tokens.operator,
      body: { sandbox: 'work', path: 'ok.sh' },
    });
    expect(launched.status).toBe(201);
  });
  it('is the last administrator, who cannot be taken away', async () => {
    const { users } = await node.must<{ users: { name: string; role: string }[] }>('GET', '/api/v1/users');
    const admins = users.filter((one) => one.role === 'admin');
    expect(admins.length).toBe(1);
    const at = `/api/v1/users/${admins[0]!.name}`;
    expect(refusalOf(await ask('DELETE', at, { token: tokens.admin }))).toBe('409 last_admin');
    expect(refusalOf(await ask('PUT', at, { token: tokens.admin, body: { role: 'viewer' } }))).toBe('409 last_admin');
  });
});

describe('signing in', () => {
  const signIn = (name: string, given: string, from: string) =>
    ask('POST', '/api/v1/session', { body: { name, password: given }, from });
  const cookieOf = (told: Told): string => /^set-cookie: (__Host-binnacle=[^;]*)/im.exec(told.head)?.[1] ?? '';

  it('gives a cookie that only this origin sends and no script reads; it works until signing out', async () => {
    const told = await signIn('olga', password, '127.0.0.2');
    expect(told.status).toBe(200);
    expect(JSON.parse(told.text) as Session).toMatchObject({
      name: 'olga',
      role: 'operator',
      kind: 'person',
      may: { launch: true, administer: false },
    });
    expect(told.head).toMatch(
      /set-cookie: __Host-binnacle=[\w-]+; Max-Age=\d+; Path=\/; Secure; HttpOnly; SameSite=Strict/i,
    );
    const cookie = cookieOf(told);
    const own = { cookie, origin: 'https://HOST', 'sec-fetch-site': 'same-origin' };
    expect((await ask('GET', '/api/v1/session', { headers: { cookie } })).status).toBe(200);
    const launched = await ask('POST', '/api/v1/runs', { headers: own, body: { sandbox: 'work', path: 'ok.sh' } });
    expect([launched.status, JSON.parse(launched.text).by]).toEqual([201, 'user:olga']);
    // the same cookie sent along by a foreign page counts for nothing
    expect(
      refusalOf(await ask('GET', '/api/v1/session', { headers: { cookie, origin: 'https://evil.example' } })),
    ).toBe('401 sign_in_needed');
    expect(refusalOf(await ask('GET', '/api/v1/session', { headers: { cookie: `${cookie}; ${cookie}` } }))).toBe(
      '401 sign_in_needed',
    );
    // a session is no token of a program
    expect(refusalOf(await ask('GET', '/api/v1/session', { token: cookie.split('=')[1]! }))).toBe('401 token_invalid');
    const out = await ask('DELETE', '/api/v1/session', { headers: own });
    expect([out.status, out.head.includes('Max-Age=0')]).toEqual([204, true]);
    expect(refusalOf(await ask('GET', '/api/v1/session', { headers: { cookie } }))).toBe('401 sign_in_needed');
  });

  it('with a wrong password, or as nobody known, is told the same', async () => {
    const wrong = await signIn('olga', 'wrong password 1', '127.0.0.3');
    const nobody = await signIn('nobody-known', 'wrong password 1', '127.0.0.3');
    expect([refusalOf(wrong), refusalOf(nobody)]).toEqual(['401 sign_in_failed', '401 sign_in_failed']);
    expect(wrong.text).toBe(nobody.text);
    expect(cookieOf(wrong)).toBe('');
  });

  it('is slowed down after ten tries, from one address and for one name from many', async () => {
    const tries: string[] = [];
    for (let at = 0; at < 11; at++) tries.push(refusalOf(await signIn(`guess-${at}`, 'wrong password 1', '127.0.0.4')));
    expect(tries.slice(0, 10).every((one) => one === '401 sign_in_failed')).toBe(true);
    expect(tries[10]).toBe('429 too_many');
    const waiting = await signIn('olga', password, '127.0.0.4'); // the right one too
    expect([refusalOf(waiting), /retry-after: \d+/i.test(waiting.head)]).toEqual(['429 too_many', true]);
    const spread: string[] = [];
    for (let at = 0; at < 11; at++)
      spread.push(refusalOf(await signIn('victim', 'wrong password 1', `127.0.1.${at + 1}`)));
    expect(spread[10]).toBe('429 too_many');
    expect((await signIn('olga', password, '127.0.0.5')).status).toBe(200); // others are not kept out
  });

  it('by a link works once', async () => {
    const link = await ask('POST', '/api/v1/sign-in-links', { token: tokens.admin, body: { role: 'viewer' } });
    const { code } = JSON.parse(link.text) as { code: string };
    const use = () => ask('POST', '/api/v1/session/link', { body: { code }, from: '127.0.0.6' });
    expect(refusalOf(await ask('GET', '/api/v1/session', { token: code }))).toBe('401 token_invalid'); // a link is no token
    const [one, other] = await Promise.all([use(), use()]);
    expect([one, other].map(refusalOf).sort()).toEqual(['200', '401 token_invalid']);
    const cookie = cookieOf(one.status === 200 ? one : other);
    expect((await ask('GET', '/api/v1/session', { headers: { cookie } })).text).toContain('"role":"viewer"');
    expect(refusalOf(await use())).toBe('401 token_invalid');
    expect(
      refusalOf(await ask('POST', '/api/v1/session/link', { body: { code: 'nonsense' }, from: '127.0.0.6' })),
    ).toBe('401 token_invalid');
  });

  it('ends when the person is removed or gets a new password', async () => {
    await node.must('POST', '/api/v1/users', { name: 'pavel', role: 'viewer', password });
    const cookie = cookieOf(await signIn('pavel', password, '127.0.0.7'));
    await node.must('PUT', '/api/v1/users/pavel', { role: 'operator' });
    expect((await ask('GET', '/api/v1/session', { headers: { cookie } })).text).toContain('"role":"operator"'); // at once
    await node.must('PUT', '/api/v1/users/pavel', { password: 'another good password' });
    expect(refusalOf(await ask('GET', '/api/v1/session', { headers: { cookie } }))).toBe('401 sign_in_needed');
    expect(refusalOf(await signIn('pavel', password, '127.0.0.7'))).toBe('401 sign_in_failed');
    const again = cookieOf(await signIn('pavel', 'another good password', '127.0.0.7'));
    await node.must('DELETE', '/api/v1/users/pavel');
    expect(refusalOf(await ask('GET', '/api/v1/session', { headers: { cookie: again } }))).toBe('401 sign_in_needed');
  });
});

describe('a token', () => {
  it('that was removed is useless at once, also on a connection that is kept', async () => {
    const made = await node.must<{ id: string; secret: string }>('POST', '/api/v1/tokens', {
      role: 'viewer',
      label: 'short',
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    const look = () =>
      new Promise<{ status: number; text: string }>((done, failed) => {
        const asked = request(
          {
            host: '127.0.0.1',
            port,
            path: '/api/v1/session',
            agent,
            rejectUnauthorized: false,
            headers: { authorization: `Bearer ${made.secret}` },
          },
          (answer) => {
            const parts: Buffer[] = [];
            answer
              .on('data', (part) => parts.push(part))
              .on('end', () => done({ status: answer.statusCode!, text: Buffer.concat(parts).toString() }));
          },
        );
        asked
          .on('socket', (socket) => sockets.add(socket))
          .on('error', failed)
          .end();
      });
    expect((await look()).status).toBe(200);
    expect((await look()).status).toBe(200);
    expect((await ask('DELETE', `/api/v1/tokens/${made.id}`, { token: tokens.admin })).status).toBe(204);
    expect(refusalOf(await look())).toBe('401 token_invalid');
    expect(sockets.size).toBe(1); // it was the same connection all the time
    agent.destroy();
  });

  it('or session that has expired is refused, when the clock has gone on', async () => {
    const key = randomUUID();
    const told = await ask('POST', '/api/v1/session', { body: { name: 'olga', password }, from: '127.0.0.8' });
    const cookie = /^set-cookie: (__Host-binnacle=[^;]*)/im.exec(told.head)![1]!;
    const lasting = await node.must<{ secret: string }>('POST', '/api/v1/tokens', {
      role: 'viewer',
      label: key,
      expiresInDays: 9,
    });
    await node.stop();
    const shifted = 'const now = Date.now; Date.now = () => now() + 2 * 86400000;';
    const later = `data:text/javascript,${encodeURIComponent(shifted)}`;
    await node.start(['--listen', '127.0.0.1:0'], { NODE_OPTIONS: `--import=${later}` });
    port = Number(new URL(node.running()!.url!).port);
    const expired = await ask('GET', '/api/v1/runs', { token: tokens.viewer });
    expect([refusalOf(expired), expired.text.includes('expired')]).toEqual(['401 token_invalid', true]);
    expect(refusalOf(await ask('GET', '/api/v1/session', { headers: { cookie } }))).toBe('401 sign_in_needed');
    expect((await ask('GET', '/api/v1/runs', { token: lasting.secret })).status).toBe(200);
  });
});
