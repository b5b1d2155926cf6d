/**
 * Secrets on real nodes: given to the tasks that name them and to the node
 * that runs them, nowhere on any disk, through a fail-over and after a
 * promotion. Every data folder is searched for the values, in every form that
 * a hash or a copy could give them.
 */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster, JobCheck, LaunchForm, Secret } from '../../../node-runtime/contract/model.ts';
import type { Directory } from '../../../node-runtime/contract/peer-messages.ts';
import { binnacle, eventually, RealNode, refusalOf } from '../../support/real-node.ts';

const door = ['--listen', '127.0.0.1:0'];
const value = 'correct horse battery staple';
const masked = '*'.repeat(value.length);
const secret = (name: string) => `/api/v1/secrets/${name}`;
const view = (node: RealNode): Promise<Cluster> => node.must<Cluster>('GET', '/api/v1/cluster');
const listed = async (node: RealNode): Promise<Secret[]> =>
  (await node.must<{ secrets: Secret[] }>('GET', '/api/v1/secrets')).secrets;

/** What is there; a living node removes files meanwhile. */
function ifThere<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code !== 'ENOENT') throw problem;
    return otherwise;
  }
}
const filesIn = (folder: string): string[] =>
  ifThere(() => readdirSync(folder, { withFileTypes: true }), []).flatMap((entry) => {
    const at = path.join(folder, entry.name);
    return entry.isDirectory() ? filesIn(at) : entry.isFile() ? [at] : [];
  });

/** Files of these nodes, and their logs, that hold one of the texts as it is. */
const holding = (nodes: RealNode[], texts: string[]): string[] =>
  nodes.flatMap(({ data, log }) => [
    ...filesIn(data).filter((file) => {
      const bytes = ifThere(() => readFileSync(file), Buffer.alloc(0));
      return texts.some((text) => bytes.includes(text));
    }),
    ...texts.filter((text) => log.includes(text)).map((text) => `the log: ${text}`),
  ]);
const hashesOf = (text: string): string[] =>
  ['hex', 'base64', 'base64url'].map((as) =>
    createHash('sha256')
      .update(text)
      .digest(as as 'hex'),
  );

const showing = `
tasks:
  with:
    secrets: [DB_PASSWORD]
    run: 'echo "with: $DB_PASSWORD."; printf %s "$DB_PASSWORD" | wc -c; printf %s "$DB_PASSWORD" | base64'
  renamed:
    secrets: { PGPASSWORD: DB_PASSWORD }
    run: 'echo "renamed: $PGPASSWORD \${DB_PASSWORD-none}"'
  without:
    run: 'echo "without: \${DB_PASSWORD-none}"; env | grep -c PASSWORD || true'
`;

describe('one node', () => {
  let node: RealNode;
  const saved = (name: string, text: string, headers?: Record<string, string>) =>
    node.ask('PUT', secret(name), { value: text }, headers);
  beforeAll(async () => {
    node = await (await RealNode.found()).start();
    await node.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
  });
  afterAll(async () => {
    await node?.remove();
  });

  it('lists secrets by name and gives their values to nobody who asks', async () => {
    const body = { value, description: 'of the measuring database' };
    const made = await node.must<Secret>('PUT', secret('DB_PASSWORD'), body);
    expect(made).toMatchObject({ name: 'DB_PASSWORD', version: 1, savedBy: 'desktop', runs: [] });
    expect(await listed(node)).toEqual([made]);
    expect(made).toEqual({ ...made, description: 'of the measuring database' });
    // A new value keeps the description.
    const renewed = await node.must<Secret>('PUT', secret('DB_PASSWORD'), { value });
    expect(renewed).toMatchObject({ version: 2, description: 'of the measuring database' });
    expect((await node.ask('GET', secret('DB_PASSWORD'))).status).toBe(405);
    expect((await view(node)).happened.map((one) => one.text)).toContain(
      'Secret DB_PASSWORD was saved by desktop'.replace('desktop', 'this computer'),
    );
  });

  it('refuses what could not be masked or given, with the reason and without the value', async () => {
    for (const [text, why] of [
      ['tiny', 'at least 6 characters'],
      ['  a b  ', 'at least 6 characters'],
      ['x'.repeat(16_385), ''],
      ['ü'.repeat(9_000), 'at most 16384 bytes'],
      ['with\0nul-in-it', 'NUL'],
    ] as const) {
      const answer = await saved('UNFIT', text);
      expect([400, 422]).toContain(answer.status);
      expect(answer.text).toContain(why);
      expect(answer.text).not.toContain(text);
    }
    expect(refusalOf(await saved('9LIVES', value))).toBe('400 bad_request');
    expect(refusalOf(await node.ask('DELETE', secret('DB_PASSWOR')))).toBe('422 secret_unknown');
    expect((await node.ask('DELETE', secret('DB_PASSWOR'))).text).toContain('Did you mean DB_PASSWORD?');
  });

  it('gives a secret to the tasks that name it, under the name they give it, and masks it', async () => {
    await node.put('work', 'show.job.yaml', showing);
    const run = await node.through('work', 'show.job.yaml');
    expect(run.state).toBe('succeeded');
    expect(run.tasks.map((task) => [task.id, task.secrets])).toEqual([
      ['with', ['DB_PASSWORD']],
      ['renamed', ['DB_PASSWORD']],
      ['without', undefined],
    ]);
    const encoded = Buffer.from(value).toString('base64');
    expect(await node.output(run.id, 'with')).toBe(
      `with: ${masked}.\n${value.length}\n${'*'.repeat(encoded.length)}\n`,
    );
    expect(await node.output(run.id, 'renamed')).toBe(`renamed: ${masked} none\n`);
    expect(await node.output(run.id, 'without')).toBe('without: none\n0\n');
    // Read in pieces that cut the value, by offset.
    const pieces = [];
    for (let at = 0; at < 40; at += 7) pieces.push(await node.output(run.id, 'with', `?offset=${at}&limit=7`));
    expect(pieces.join('')).toBe((await node.output(run.id, 'with')).slice(0, 42));
    expect(await node.output(run.id, 'with', '?follow=1')).toBe(await node.output(run.id, 'with'));
  });

  it('gives none to a script without a job file', async () => {
    await node.put('work', 'plain.sh', '#!/bin/sh\nenv | grep -c DB_PASSWORD || true\n');
    const run = await node.through('work', 'plain.sh');
    expect(await node.output(run.id, 'script')).toBe('0\n');
  });

  it('refuses to launch what names a secret that is not there; says it when the file is checked, and in the form', async () => {
    const text = 'secrets: [DB_PASSWORD]\ntasks:\n  a:\n    secrets:\n      - DB_PASSWORT\n    run: "true"\n';
    const check = await node.must<JobCheck>('POST', '/api/v1/sandboxes/work/checks', { path: 'lack.job.yaml', text });
    expect(check).toMatchObject({ ok: true, problems: [] });
    expect(check.warnings).toEqual([
      {
        path: 'tasks.a.secrets[0]',
        ...{ line: 5, column: 9, sentence: 'There is no secret DB_PASSWORT. Did you mean DB_PASSWORD?' },
        hint: expect.stringContaining('binnacle secret set'),
      },
    ]);
    await node.put('work', 'lack.job.yaml', text);
    const form = await node.must<LaunchForm>('GET', '/api/v1/sandboxes/work/launch-form?path=lack.job.yaml');
    expect(form.secrets).toEqual([
      { name: 'DB_PASSWORD', known: true },
      { name: 'DB_PASSWORT', known: false },
    ]);
    const answer = await node.ask('POST', '/api/v1/runs', { sandbox: 'work', path: 'lack.job.yaml' });
    expect(refusalOf(answer)).toBe('422 secret_unknown');
    await node.must('PUT', secret('DB_PASSWORT'), { value: 'another value' });
    expect((await node.through('work', 'lack.job.yaml')).state).toBe('succeeded');
  });

  it('does not start an attempt whose secret was removed since its launch, and says so', async () => {
    await node.must('PUT', secret('SHORT_LIVED'), { value: 'gone in a moment' });
    await node.put(
      'work',
      'gone.job.yaml',
      'tasks:\n  a: { run: sleep 1 }\n  b: { needs: a, secrets: [SHORT_LIVED], run: echo never }\n',
    );
    const run = await node.launch('work', 'gone.job.yaml');
    expect((await listed(node)).find((one) => one.name === 'SHORT_LIVED')?.runs).toEqual([run.id]);
    const removed = await node.must('DELETE', secret('SHORT_LIVED'));
    expect(removed).toEqual({ removed: 'SHORT_LIVED', runs: [run.id] });
    const ended = await node.until(run.id);
    expect(ended.state).toBe('failed');
    expect(ended.tasks[1]!.attempts[0]).toMatchObject({
      ...{ state: 'failed', cause: 'cannot_start', outputBytes: 0 },
      detail: 'It was not given its secrets: There is no secret SHORT_LIVED.',
    });
  });

  it('answers a repeated request with the same key once, and refuses that key for another value', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const first = await saved('KEYED', 'the first value', key);
    const second = await saved('KEYED', 'the first value', key);
    expect([second.status, second.text]).toEqual([200, first.text]);
    expect(refusalOf(await saved('KEYED', 'another value', key))).toBe('422 key_reused');
    expect((await listed(node)).find((one) => one.name === 'KEYED')?.version).toBe(1);
    const person = { name: 'ops', role: 'viewer', password: 'a long password' };
    expect((await node.ask('POST', '/api/v1/users', person, key)).status).toBe(422);
    const own = { 'idempotency-key': randomUUID() };
    expect((await node.ask('POST', '/api/v1/users', person, own)).status).toBe(201);
    expect((await node.ask('POST', '/api/v1/users', person, own)).status).toBe(201);
    expect(refusalOf(await node.ask('POST', '/api/v1/users', { ...person, password: 'a longer password' }, own))).toBe(
      '422 key_reused',
    );
    // Nor can they be guessed from the hash of a request.
    const guesses = [
      `PUT\n${secret('KEYED')}\n\n${JSON.stringify({ value: 'the first value' })}`,
      `POST\n/api/v1/users\n\n${JSON.stringify(person)}`,
      'the first value',
    ];
    expect(holding([node], guesses.flatMap(hashesOf))).toEqual([]);
  });

  it('masks an attempt across kill -9 of the node, also when its secret has another value by then', async () => {
    await node.must('PUT', secret('CHANGING'), { value: 'the value of before' });
    await node.put(
      'work',
      'long.job.yaml',
      'tasks:\n  a: { secrets: [CHANGING], run: \'for i in 1 2 3 4 5 6 7 8 9 10; do echo "$i $CHANGING"; sleep 0.3; done\' }\n',
    );
    const run = await node.launch('work', 'long.job.yaml');
    await eventually('it wrote', async () => (await node.output(run.id, 'a').catch(() => '')).includes('2 '));
    await node.kill();
    expect(holding([node], ['the value of before'])).toEqual([]);
    await node.start();
    await node.must('PUT', secret('CHANGING'), { value: 'the value of afterwards' });
    const ended = await node.until(run.id);
    expect(ended.state).toBe('succeeded');
    const stars = '*'.repeat('the value of before'.length);
    expect(await node.output(run.id, 'a')).toBe(Array.from({ length: 10 }, (_, at) => `${at + 1} ${stars}\n`).join(''));
  });

  it('has no value on its disk or in its log, and nothing that one could be guessed from', async () => {
    const values = [
      value,
      'the first value',
      'the value of before',
      'the value of afterwards',
      'gone in a moment',
      'another value',
    ];
    const forms = values.flatMap((text) => [
      text,
      Buffer.from(text).toString('base64').slice(0, 12),
      encodeURIComponent(text),
      ...hashesOf(text),
    ]);
    expect(holding([node], forms)).toEqual([]);
    // It is searched where it matters: the journal holds the names.
    expect(holding([node], ['DB_PASSWORD']).some((file) => file.includes('journal'))).toBe(true);
    await node.stop();
    expect(holding([node], forms)).toEqual([]);
    await node.start();
    const run = await node.through('work', 'show.job.yaml');
    expect(await node.output(run.id, 'with')).toContain(`with: ${masked}.`);
  });
});

describe('a cluster of two controllers, a watch and a worker', () => {
  let a: RealNode;
  let b: RealNode;
  let watch: RealNode;
  let bench: RealNode;
  const all = () => [a, b, watch, bench];
  const keyOf = (node: RealNode): string | undefined =>
    JSON.parse(readFileSync(path.join(node.data, 'trust', 'identity.json'), 'utf8')).secretsKey;
  const whole = (node: RealNode) =>
    eventually(
      'paired, with three voters',
      async () => {
        const cluster = await view(node).catch(() => null);
        return cluster?.fresh && cluster.mode === 'paired' && cluster.charter?.voters.flat().length === 3;
      },
      40_000,
    );
  /** What a member is answered by another one, over the door that only members have. */
  async function askAs(from: RealNode, to: string, address: string, body?: object) {
    const identity = JSON.parse(readFileSync(path.join(from.data, 'trust', 'identity.json'), 'utf8'));
    const members = JSON.parse(readFileSync(path.join(a.data, 'trust', 'members.json'), 'utf8')) as Directory;
    const [host, port] = members.nodes.find((one) => one.name === to)!.addresses[0]!.split(':');
    const asking = request({
      ...{ host, port, path: `/peer/v1/${address}`, method: body ? 'POST' : 'GET', agent: false },
      ...{ ca: identity.authority.cert, cert: identity.node.cert, key: identity.node.key, minVersion: 'TLSv1.3' },
      ...{ ALPNProtocols: ['http/1.1'], checkServerIdentity: () => undefined },
    });
    asking.end(body ? JSON.stringify(body) : undefined);
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of answer) text += part;
    return { status: answer.statusCode!, text };
  }

  beforeAll(async () => {
    a = await RealNode.found();
    await a.start(door);
    b = await RealNode.join(a, 'borea', ['controller']);
    watch = await RealNode.join(a, 'deck', ['watch']);
    bench = await RealNode.join(a, 'bench', ['worker']);
    await Promise.all([b, watch, bench].map((node) => node.start(door)));
    await whole(a);
    await a.must('PUT', '/api/v1/nodes/atlas', { drained: true });
    await watch.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
    await watch.put('work', 'show.job.yaml', showing);
  }, 120_000);
  afterAll(async () => {
    for (const node of all()) await node?.remove();
  });

  it('gives the key of the secrets to controllers only', () => {
    expect(keyOf(a)).toMatch(/^[0-9a-f]{64}$/);
    expect(keyOf(b)).toBe(keyOf(a));
    expect([keyOf(watch), keyOf(bench)]).toEqual([undefined, undefined]);
  });

  it('takes a secret at any node and gives it to the worker that runs the task', async () => {
    await bench.must('PUT', secret('DB_PASSWORD'), { value });
    const run = await watch.through('work', 'show.job.yaml');
    expect(run).toMatchObject({ state: 'succeeded', nodes: ['bench'] });
    for (const node of all())
      expect(await node.output(run.id, 'with')).toContain(`with: ${masked}.\n${value.length}\n`);
  });

  it('gives it to no other member, for no other task, by no other node, and not once the attempt has ended', {
    timeout: 60_000,
  }, async () => {
    const waiting = 'until [ -e go ]; do sleep 0.1; done';
    await watch.put(
      'work',
      'wait.job.yaml',
      `tasks:\n  with: { secrets: [DB_PASSWORD], run: '${waiting}' }\n  without: { run: '${waiting}' }\n`,
    );
    const run = await watch.launch('work', 'wait.job.yaml');
    await watch.until(run.id, (now) => now.tasks.every((task) => task.attempts[0]?.state === 'running'));
    const of = (task: string, number = 1) => ({ run: run.id, task, number });
    const given = await askAs(bench, 'atlas', 'secrets', of('with'));
    expect([given.status, JSON.parse(given.text)]).toEqual([200, { values: { DB_PASSWORD: value } }]);
    expect(JSON.parse((await askAs(bench, 'atlas', 'secrets', of('without'))).text)).toEqual({ values: {} });
    for (const other of [watch, b]) {
      const refused = await askAs(other, 'atlas', 'secrets', of('with'));
      expect([refusalOf(refused), refused.text.includes(value)]).toEqual(['403 secret_not_given', false]);
    }
    for (const none of [of('with', 2), of('nothing'), { ...of('with'), run: 'r-0' }])
      expect(refusalOf(await askAs(bench, 'atlas', 'secrets', none))).toBe('403 secret_not_given');
    // The standby knows as much, and gives nothing.
    expect(refusalOf(await askAs(bench, 'borea', 'secrets', of('with')))).toBe('503 no_active');
    // Nor does a worker get a key, or hand one over.
    expect(refusalOf(await askAs(bench, 'atlas', 'authority'))).toBe('403 role_missing');
    expect(refusalOf(await askAs(bench, 'borea', 'secretsKey', { key: '0'.repeat(64) }))).toBe('403 role_missing');
    expect(keyOf(b)).toBe(keyOf(a));
    await watch.must('POST', `/api/v1/runs/${run.id}/cancel`);
    await watch.until(run.id);
    expect(refusalOf(await askAs(bench, 'atlas', 'secrets', of('with')))).toBe('403 secret_not_given');
    // And it has no other door.
    expect((await bench.ask('POST', '/peer/v1/secrets', of('with'))).status).toBe(404);
  });

  it('gives it after a fail-over: the standby had the key before the secret was acknowledged', {
    timeout: 90_000,
  }, async () => {
    await watch.put(
      'work',
      'last.job.yaml',
      'tasks:\n  a: { secrets: [LAST_MOMENT], run: \'printf %s "$LAST_MOMENT" | wc -c; echo "$LAST_MOMENT"\' }\n',
    );
    await a.must('PUT', secret('LAST_MOMENT'), { value: 'saved just before the end' });
    await a.kill();
    const run = await watch.through('work', 'last.job.yaml');
    expect(run).toMatchObject({ state: 'succeeded', nodes: ['bench'] });
    expect(await watch.output(run.id, 'a')).toBe(`25\n${'*'.repeat(25)}\n`);
    await a.start(door);
    await whole(a);
  });

  it('gives the key to a worker that is promoted, before it stands by, and secrets with it when it leads', {
    timeout: 120_000,
  }, async () => {
    await b.must('PUT', '/api/v1/nodes/atlas', { duties: ['worker'] });
    await b.must('PUT', '/api/v1/nodes/bench', { duties: ['controller', 'worker'] });
    await eventually(
      'bench stands by',
      async () => {
        const cluster = await view(watch).catch(() => null);
        return cluster?.fresh && cluster.mode === 'paired' && cluster.standby === 'bench';
      },
      60_000,
    );
    expect(keyOf(bench)).toBe(keyOf(b));
    await b.kill();
    await eventually('bench leads', async () => (await view(watch)).active === 'bench', 40_000);
    const run = await watch.through('work', 'show.job.yaml');
    expect(run.state).toBe('succeeded');
    expect(await watch.output(run.id, 'with')).toContain(`with: ${masked}.`);
    await b.start(door);
  });

  it('has no value on any disk and in no log', async () => {
    for (const node of all()) await node.kill();
    const values = [value, 'saved just before the end'];
    expect(
      holding(
        all(),
        values.flatMap((text) => [text, Buffer.from(text).toString('base64').slice(0, 12), ...hashesOf(text)]),
      ),
    ).toEqual([]);
  });
});

describe('a data folder that was made before there were secrets', () => {
  it('gets a key when the first secret is saved, and hands it to the standby first', { timeout: 120_000 }, async () => {
    const a = await RealNode.found();
    const file = (node: RealNode) => path.join(node.data, 'trust', 'identity.json');
    const { secretsKey: _, ...old } = JSON.parse(readFileSync(file(a), 'utf8'));
    writeFileSync(file(a), JSON.stringify(old));
    await a.start(door);
    const b = await RealNode.join(a, 'borea', ['controller']);
    const watch = await RealNode.join(a, 'deck', ['watch']);
    try {
      await Promise.all([b, watch].map((node) => node.start(door)));
      await eventually(
        'paired, with three voters',
        async () => {
          const { mode, charter } = await view(a);
          return mode === 'paired' && charter?.voters.flat().length === 3;
        },
        40_000,
      );
      expect(JSON.parse(readFileSync(file(b), 'utf8')).secretsKey).toBeUndefined();
      // Those that come together make one key.
      const names = ['FIRST_ONE', 'SECOND_ONE', 'THIRD_ONE', 'FOURTH_ONE'];
      await Promise.all(
        names.map((name, at) => [a, b][at % 2]!.must('PUT', secret(name), { value: `first of ${name}` })),
      );
      const show = names.map((name) => `printf %s "$${name}" | wc -c`).join('; ');
      await a.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
      await a.put('work', 'all.job.yaml', `tasks:\n  a: { secrets: [${names}], run: '${show}' }\n`);
      const run = await a.through('work', 'all.job.yaml');
      expect(await a.output(run.id, 'a')).toBe(names.map((name) => `${name.length + 9}\n`).join(''));
      const { secretsKey } = JSON.parse(readFileSync(file(a), 'utf8'));
      expect(JSON.parse(readFileSync(file(b), 'utf8')).secretsKey).toBe(secretsKey);
      // Nobody has it any more: it is said, and nothing is sealed with another one.
      await Promise.all([a.stop(), b.stop()]);
      for (const node of [a, b]) {
        const { secretsKey: _lost, ...rest } = JSON.parse(readFileSync(file(node), 'utf8'));
        writeFileSync(file(node), JSON.stringify(rest));
      }
      await Promise.all([a.start(door), b.start(door)]);
      await eventually('somebody leads', async () => (await view(a)).fresh, 40_000);
      expect(refusalOf(await a.ask('PUT', secret('SECOND'), { value: 'a second value' }))).toBe(
        '503 secrets_key_missing',
      );
      await eventually('the run is told why', async () => {
        const again = await a.launch('work', 'all.job.yaml');
        const ended = await a.until(again.id, undefined, 40_000);
        return ended.tasks[0]!.attempts[0]?.detail?.includes('does not have the key');
      });
      for (const name of names) await a.must('DELETE', secret(name));
      await a.must('PUT', secret('SECOND'), { value: 'a second value' });
      const told = await binnacle(['status', '--data', a.data]);
      expect(told.code).toBe(0);
    } finally {
      for (const node of [a, b, watch]) await node.remove();
    }
  });
});
