/** `binnacle audit`: what it asks for, what it prints, and files that are whole or not there. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditRow } from '../../../node-runtime/contract/model.ts';
import { momentOf } from '../../../node-runtime/io/cli/audit-command.ts';
import { binnacle, fakeNode, Refused, written } from './fake-node.ts';

const rowAt = (index: number, change: Partial<AuditRow> = {}): AuditRow => ({
  ...{ index, term: '0.3.n-a', at: '2026-03-04T09:22:31.000Z', by: 'user:ops', who: 'ops', from: '10.0.0.7' },
  ...{ via: 'ctl-a', area: 'people', act: 'userChanged', subject: 'noor', sentence: 'ops made noor operator' },
  changes: [{ what: 'role', before: 'viewer', after: 'operator' }],
  ...change,
});

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'binnacle-cli-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('audit', () => {
  it('prints who did what, with before and after, from where and through which node', async () => {
    const more = [{ what: 'a', after: 'b' }, { what: 'c' }];
    await using node = await fakeNode({
      audit: () => ({ rows: [rowAt(42), rowAt(41, { sentence: 'evil\u001b[31m', changes: more, more: 3 })], gaps: [] }),
    });
    const ran = await binnacle(['audit', '--data', node.data]);
    expect(ran.code).toBe(0);
    const [head, first, second] = ran.out.split('\n');
    expect(head).toMatch(/^WHEN +WHAT +BEFORE → AFTER +FROM +THROUGH +ENTRY$/);
    expect(first).toMatch(/ops made noor operator +role: viewer → operator +10\.0\.0\.7 +ctl-a +42$/);
    expect(second).toMatch(/evil�\[31m +a: b \(\+4\)/);
  });

  it('asks with every filter, and page by page until there is enough', async () => {
    const asked: object[] = [];
    await using node = await fakeNode({
      audit: ({ query }) => {
        asked.push(query);
        const next = Number(query.cursor ?? 1_000);
        const rows = Array.from({ length: Number(query.limit) }, (_, i) => rowAt(next - 1 - i));
        return { rows, gaps: [], cursor: String(rows.at(-1)!.index) };
      },
    });
    const filter = ['--who', 'noor', '--act', 'people', '--subject', 'ops', '--via', 'ctl-a', '--text', 'role'];
    const times = ['--since', '2026-03-01T00:00:00Z', '--until', '2026-03-02T00:00:00Z'];
    const ran = await binnacle(['audit', ...filter, ...times, '--limit', '600', '--json', '--data', node.data]);
    expect((JSON.parse(ran.out) as { rows: AuditRow[] }).rows).toHaveLength(600);
    const wanted = { who: 'noor', act: 'people', subject: 'ops', via: 'ctl-a', text: 'role' };
    const between = { since: '2026-03-01T00:00:00.000Z', until: '2026-03-02T00:00:00.000Z' };
    expect(asked).toEqual([
      { ...wanted, ...between, limit: 500 },
      { ...wanted, ...between, limit: 100, cursor: '500' },
    ]);
  });

  it('says of which entries there are no rows, and that there is more', async () => {
    await using node = await fakeNode({
      audit: () => ({ rows: [rowAt(42)], gaps: [{ from: 1, to: 9 }], cursor: '42' }),
    });
    const ran = await binnacle(['audit', '--limit', '1', '--data', node.data]);
    expect(ran.err).toContain('--export FILE.csv');
    expect(ran.err).toContain('Of the entries 1 to 9 of the journal the node that answered has no rows.');
  });

  it('tells who is no administrator why not, and gives 3', async () => {
    await using node = await fakeNode({
      audit: () => new Refused('role_missing', 'This needs the role admin; noor has the role operator.'),
    });
    expect(await binnacle(['audit', '--data', node.data])).toMatchObject({
      code: 3,
      err: expect.stringContaining('needs the role admin'),
    });
  });

  it.each([
    [['--since', 'yesterday'], 'is no time'],
    [['--until', '12:30'], 'is no time'],
    [['--export', 'audit.xls'], 'What should audit.xls be'],
  ])('refuses %j before it asks', async (options, sentence) => {
    await using node = await fakeNode({});
    expect(await binnacle(['audit', ...options, '--data', node.data])).toMatchObject({
      code: 2,
      err: expect.stringContaining(sentence),
    });
    expect(node.seen).toEqual([]);
  });

  it('reads times as people write them', () => {
    const now = Date.UTC(2026, 2, 4, 12);
    expect(momentOf('2h', now)).toBe('2026-03-04T10:00:00.000Z');
    expect(momentOf('7d', now)).toBe('2026-02-25T12:00:00.000Z');
    expect(momentOf('2026-03-01T10:22:00Z', now)).toBe('2026-03-01T10:22:00.000Z');
    expect(momentOf('2026-03-01', now)).toBe(new Date(2026, 2, 1).toISOString());
    expect(momentOf('2026-03-01 10:22', now)).toBe(new Date(2026, 2, 1, 10, 22).toISOString());
    expect(momentOf(undefined, now)).toBeUndefined();
  });
});

describe('audit --export', () => {
  it('writes the file that the node makes, in the form that its name says', async () => {
    const asked: object[] = [];
    await using node = await fakeNode({
      auditExport: ({ query, response }) => {
        asked.push(query);
        response.writeHead(200, { 'content-type': 'text/csv' }).end('"time"\r\n"now"\r\n');
        return written;
      },
    });
    const file = join(folder, 'march.csv');
    const ran = await binnacle(['audit', '--who', 'noor', '--export', file, '--data', node.data]);
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('15 B') });
    expect(await readFile(file, 'utf8')).toBe('"time"\r\n"now"\r\n');
    const lines = join(folder, 'march.jsonl');
    const told = await binnacle(['audit', '--export', lines, '--json', '--data', node.data]);
    expect(JSON.parse(told.out)).toEqual({ file: lines, bytes: 15 });
    expect(asked).toEqual([{ who: 'noor', format: 'csv' }, { format: 'jsonl' }]);
  });

  it('leaves nothing under the name when the connection breaks', async () => {
    await using node = await fakeNode({
      auditExport: ({ response }) => {
        response.writeHead(200, { 'content-type': 'text/csv', 'content-length': '1000' });
        response.write('"time"\r\n', () => response.socket!.destroy());
        return written;
      },
    });
    const ran = await binnacle(['audit', '--export', join(folder, 'march.csv'), '--data', node.data]);
    expect(ran.code).not.toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });
});
