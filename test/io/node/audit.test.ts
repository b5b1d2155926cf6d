/**
 * Who did what, in a cluster of real processes: who it was, from where, through
 * which node; kept through kill -9, fail-over and restart, and told to
 * administrators only.
 */
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditRow, Cluster, Token } from '../../../node-runtime/contract/model.ts';
import { binnacle, eventually, RealNode, refusalOf } from '../../support/real-node.ts';

const door = ['--listen', '127.0.0.1:0'];
type Page = { rows: AuditRow[]; cursor?: string; gaps: { from: number; to: number }[] };
const auditAt = (node: RealNode, query = ''): Promise<Page> => node.must<Page>('GET', `/api/v1/audit${query}`);
const view = (node: RealNode): Promise<Cluster> => node.must<Cluster>('GET', '/api/v1/cluster');
const told = ({ index, sentence }: AuditRow): string => `${index} ${sentence}`;

/** From the network, as a program or a browser asks. */
function outside(
  node: RealNode,
  method: string,
  path: string,
  { body, token }: { body?: unknown; token?: string } = {},
): Promise<{ status: number; text: string; headers: Record<string, string> }> {
  const url = new URL(path, node.running()!.url!);
  const bytes = body === undefined ? null : JSON.stringify(body);
  const headers = {
    ...(bytes === null ? {} : { 'content-type': 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise((done, failed) => {
    const asked = request(url, { method, headers, rejectUnauthorized: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => (text += part));
      answer.on('end', () => done({ status: answer.statusCode!, text, headers: answer.headers as never }));
    });
    asked.on('error', failed);
    asked.end(bytes ?? undefined);
  });
}

describe('a node alone', () => {
  let node: RealNode;
  beforeAll(async () => {
    node = await RealNode.found();
    await node.start();
  }, 60_000);
  afterAll(() => node.remove());

  it('files again what a crash cut off between the journal and the audit, each row once', {
    timeout: 60_000,
  }, async () => {
    for (let round = 0; round < 3; round++) {
      // Filed a moment after it was answered: the process is gone before.
      await node.must('POST', '/api/v1/sandboxes', { name: `lab-${round}`, kind: 'shared', description: 'For tests' });
      await node.kill();
      await node.start();
    }
    const { rows, gaps } = await auditAt(node, '?act=sandboxCreated');
    expect(rows.map((row) => row.sentence)).toEqual([
      ...['desktop of atlas made the sandbox lab-2', 'desktop of atlas made the sandbox lab-1'],
      'desktop of atlas made the sandbox lab-0',
    ]);
    expect(gaps).toEqual([]);
    expect(rows[0]).toMatchObject({
      by: 'desktop',
      from: 'this computer',
      via: 'atlas',
      subject: 'lab-2',
      area: 'files',
    });
    expect(rows[0]!.changes).toContainEqual({ what: 'description', after: 'For tests' });
    const indexes = (await auditAt(node)).rows.map((row) => row.index);
    expect(new Set(indexes).size).toBe(indexes.length);
  });

  it('gives pages by a cursor, filters, and refuses what is no filter', async () => {
    // A second after its start a node tells of itself: that is a row, too.
    await eventually('it has told', async () => (await auditAt(node, '?act=nodeChanged')).rows.length > 0);
    const first = await auditAt(node, '?limit=2');
    const second = await auditAt(node, `?limit=2&cursor=${first.cursor}`);
    const all = (await auditAt(node)).rows.map(told);
    expect([...first.rows, ...second.rows].map(told)).toEqual(all.slice(0, 4));
    const founded = await auditAt(node, '?text=FOUNDED&who=node');
    expect(founded.rows.map((row) => row.sentence)).toEqual(['atlas founded the cluster test-lab']);
    expect((await auditAt(node, '?subject=lab-1')).rows).toHaveLength(1);
    expect((await auditAt(node, '?since=2100-01-01T00:00:00Z')).rows).toEqual([]);
    expect((await auditAt(node, `?until=${encodeURIComponent(new Date().toISOString())}`)).rows).toHaveLength(
      all.length,
    );
    for (const query of ['?limit=501', '?limit=0', '?act=a-b', '?since=yesterday', `?text=${'x'.repeat(201)}`])
      expect(refusalOf(await node.ask('GET', `/api/v1/audit${query}`)), query).toBe('400 bad_request');
  });

  it('exports the same as CSV that no spreadsheet runs, and as lines of JSON', async () => {
    await node.must('POST', '/api/v1/sandboxes', { name: 'evil', kind: 'shared', description: '=HYPERLINK("x")' });
    await node.put('evil', encodeURIComponent('=cmd.sh'), '#!/bin/sh\n');
    const table = await node.ask('GET', '/api/v1/audit/export?act=files');
    expect(table.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': expect.stringMatching(/^attachment; filename="audit-\d{4}-\d\d-\d\d\.csv"$/),
    });
    const lines = await node.ask('GET', '/api/v1/audit/export?act=files&format=jsonl');
    const rows = lines.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditRow);
    expect(rows.map(told)).toEqual((await auditAt(node, '?act=files')).rows.map(told));
    expect(rows[0]!.changes[0]!.what).toBe('=cmd.sh');
    expect(table.text).toContain('"\'=cmd.sh: (none) → ');
    for (const cell of table.text.match(/(?<=^|,)"(?:[^"]|"")*"/gm)!) expect(cell).not.toMatch(/^"[=+\-@\t\r]/);
  });
});

describe('a cluster', () => {
  let a: RealNode;
  let b: RealNode;
  let watch: RealNode;
  beforeAll(async () => {
    a = await RealNode.found();
    await a.start(door);
    b = await RealNode.join(a, 'borea', ['controller']);
    watch = await RealNode.join(a, 'deck', ['watch']);
    await Promise.all([b.start(door), watch.start(door)]);
    await whole();
  }, 120_000);
  afterAll(async () => {
    for (const node of [a, b, watch]) await node?.remove();
  });

  const whole = () =>
    eventually(
      'paired, with three voters',
      async () => {
        const cluster = await view(watch).catch(() => null);
        return cluster?.fresh && cluster.mode === 'paired' && cluster.charter?.voters.flat().length === 3;
      },
      40_000,
    );

  it('says who it was, from where, and through which node, also where another one did it', async () => {
    // On the computer of the watch; the active does it.
    await watch.must('POST', '/api/v1/users', { name: 'noor', role: 'viewer', password: 'correct horse battery' });
    // A program, over the network, at the standby.
    const made = await a.must<Token & { secret: string }>('POST', '/api/v1/tokens', { role: 'admin', label: 'ci' });
    const changed = await outside(b, 'PUT', '/api/v1/users/noor', { body: { role: 'operator' }, token: made.secret });
    expect(changed.status).toBe(200);
    // A person signs in at the watch.
    const password = 'correct horse battery';
    const signedIn = await outside(watch, 'POST', '/api/v1/session', { body: { name: 'noor', password } });
    expect(signedIn.status).toBe(200);
    const { rows } = await auditAt(b, '?act=people&limit=4');
    expect(rows.map(({ who, by, from, via, sentence }) => ({ who, by, from, via, sentence }))).toEqual([
      { who: 'noor', by: 'user:noor', from: '127.0.0.1', via: 'deck', sentence: 'noor signed in' },
      ...[{ who: 'token ci', by: `token:${made.id}`, from: '127.0.0.1', via: 'borea' }].map((one) => ({
        ...one,
        sentence: 'token ci made noor operator',
      })),
      ...[{ who: 'desktop of atlas', by: 'desktop', from: 'this computer', via: 'atlas' }].map((one) => ({
        ...one,
        sentence: 'desktop of atlas made the token ci with the role admin',
      })),
      ...[{ who: 'desktop of deck', by: 'desktop', from: 'this computer', via: 'deck' }].map((one) => ({
        ...one,
        sentence: 'desktop of deck added noor as viewer',
      })),
    ]);
    expect(rows[1]!.changes).toEqual([{ what: 'role', before: 'viewer', after: 'operator' }]);
    expect((await auditAt(watch, '?via=borea')).rows.map((row) => row.act)).toEqual(['userChanged']);
    expect((await auditAt(watch, '?who=noor')).rows.map((row) => row.act)).toEqual(['signedIn']);
    const text = JSON.stringify((await auditAt(b, '?limit=500')).rows);
    for (const secret of [made.secret, password, 'scrypt']) expect(text).not.toContain(secret);
  });

  it('says of a local sandbox what came through which node, though a third one did it', async () => {
    await a.must('POST', '/api/v1/sandboxes', { name: 'here', kind: 'local', node: 'atlas' });
    await watch.put('here', 'note.txt', 'hello');
    const [row] = (await auditAt(b, '?act=localFilesChanged')).rows;
    expect(row).toMatchObject({
      sentence: 'desktop of deck wrote note.txt in here',
      via: 'deck',
      from: 'this computer',
    });
  });

  it('says who asked that nodes be let in, and from where they joined', async () => {
    const { rows } = await auditAt(watch, '?act=nodeJoined');
    expect(rows.map(({ sentence, by, from }) => ({ sentence, by, from }))).toEqual([
      { sentence: 'deck joined as watch', by: 'node', from: '127.0.0.1' },
      { sentence: 'borea joined as controller', by: 'node', from: '127.0.0.1' },
    ]);
    const invites = (await auditAt(watch, '?act=inviteMade')).rows.map((row) => row.subject);
    expect(rows.map((row) => row.changes.find(({ what }) => what === 'invite')!.after)).toEqual(invites);
  });

  it('is for administrators: others are told why not', async () => {
    const made = await a.must<{ secret: string }>('POST', '/api/v1/tokens', { role: 'operator' });
    for (const path of ['/api/v1/audit', '/api/v1/audit/export']) {
      const answer = await outside(b, 'GET', path, { token: made.secret });
      expect(refusalOf(answer as never)).toBe('403 role_missing');
    }
    expect(refusalOf((await outside(b, 'GET', '/api/v1/audit')) as never)).toBe('401 sign_in_needed');
  });

  it('keeps all of it through a switch-over and the death of an active, alike on both controllers', {
    timeout: 120_000,
  }, async () => {
    const switched = await binnacle(['switch-over', '--data', watch.data]);
    expect([switched.code, switched.err]).toEqual([0, '']);
    await whole();
    const before = (await auditAt(watch, '?limit=500')).rows;
    expect(before.find((row) => row.act === 'switchOverAsked')).toMatchObject({
      ...{ sentence: 'desktop of deck asked for a switch-over', via: 'deck', subject: 'atlas' },
    });
    const lead = before.find((row) => row.act === 'leadChanged')!;
    expect(lead.changes).toContainEqual({ what: 'active', before: 'atlas', after: 'borea' });
    // The last row is on its way to the disk of a node that dies.
    await watch.must('PUT', '/api/v1/nodes/atlas', { drained: true });
    await b.kill();
    const after = await eventually('atlas leads', async () => {
      const page = await auditAt(watch, '?limit=500').catch(() => null);
      return page?.rows[0]?.act === 'leadChanged' && page.rows;
    });
    expect(after.slice(-before.length).map(told)).toEqual(before.map(told));
    expect(after.find((row) => row.act === 'nodeDrained')).toMatchObject({
      ...{ subject: 'atlas', changes: [{ what: 'drained', before: 'no', after: 'yes' }], via: 'deck' },
    });
    await b.start(door);
    await whole();
    const atA = (await auditAt(watch, '?limit=500')).rows;
    expect((await binnacle(['switch-over', '--data', watch.data])).code).toBe(0);
    await eventually('borea leads', async () => (await view(watch)).active === 'borea');
    const atB = await auditAt(watch, '?limit=500');
    expect(atB.rows.slice(-atA.length)).toEqual(atA);
    expect(atB.gaps).toEqual([]);
  });

  it('a request with the same key is in it once, at whatever nodes it came', async () => {
    const headers = { 'idempotency-key': 'one-deed' };
    const body = { name: 'once', kind: 'shared' };
    for (const node of [a, b, watch]) await node.must('POST', '/api/v1/sandboxes', body, headers);
    const { rows } = await auditAt(a, '?subject=once');
    expect(rows.map((row) => row.via)).toEqual(['atlas']);
  });
});
