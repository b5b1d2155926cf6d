/**
 * What a node finds when it starts: a snapshot and the entries after it, a
 * folder that is in use, a journal that was damaged, a write that was cut off.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  cpSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Cluster, Run, RunSummary, Sandbox, Token } from '../../../node-runtime/contract/model.ts';
import { makeLog } from '../../../node-runtime/io/machine/log.ts';
import { forkRunner } from '../../../node-runtime/io/process/fork-runner.ts';
import { startNode } from '../../../node-runtime/running-node.ts';
import { binnacle, eventually, RealNode, refusalOf } from '../../support/real-node.ts';

const nodes: RealNode[] = [];
const made = (node: RealNode): RealNode => {
  nodes.push(node);
  return node;
};
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.remove();
});

const journalOf = (node: RealNode): string => path.join(node.data, 'journal', 'journal.db');
const cluster = (node: RealNode) => node.must<Cluster>('GET', '/api/v1/cluster');
/** Everything that a restart must not change; `readAt` and the like are left out. */
async function known(node: RealNode) {
  const { sandboxes } = await node.must<{ sandboxes: Sandbox[] }>('GET', '/api/v1/sandboxes');
  const { runs } = await node.must<{ runs: RunSummary[] }>('GET', '/api/v1/runs?limit=500');
  const whole = await Promise.all(runs.map((run) => node.run(run.id)));
  const files = await Promise.all(
    sandboxes.map(({ name }) => node.must<{ entries: object[] }>('GET', `/api/v1/sandboxes/${name}/entries`)),
  );
  const { users } = await node.must<{ users: object[] }>('GET', '/api/v1/users');
  return { sandboxes, runs, whole, files, users };
}

describe('a node that starts from a snapshot', () => {
  it('knows the same sandboxes, runs, people and keys as before', { timeout: 60_000 }, async () => {
    const node = made(await RealNode.found());
    const host = { kind: 'daemon', startRunner: () => forkRunner() } as const;
    // the same parts as any node, with a snapshot every 40 entries; in this process, asked over its socket
    const running = await startNode({
      data: node.data,
      listen: null,
      host,
      snapshotEvery: 40,
      log: makeLog('t', 'silent'),
    });
    const keys = { launch: randomUUID(), put: randomUUID() };
    const launch = () =>
      node.ask('POST', '/api/v1/runs', { sandbox: 'work', path: 'ok.sh' }, { 'idempotency-key': keys.launch });
    const put = () =>
      node.ask('PUT', '/api/v1/sandboxes/work/files/keyed.txt', Buffer.from('keyed'), { 'idempotency-key': keys.put });
    let before: Awaited<ReturnType<typeof known>>;
    let answers: string[];
    try {
      await eventually(
        'it is active',
        async () => (await node.ask('GET', '/readyz').catch(() => null))?.status === 200,
      );
      await node.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
      await node.must('POST', '/api/v1/users', { name: 'olga', role: 'viewer', password: 'correct horse' });
      await node.put('work', 'ok.sh', '#!/bin/sh\necho ok\n');
      answers = [(JSON.parse((await launch()).text) as Run).id, (await put()).text];
      for (let at = 0; at < 60; at++) await node.put('work', `folder/${at % 7}.txt`, String(at));
      await node.must('DELETE', '/api/v1/sandboxes/work/files/folder/3.txt');
      for (let at = 0; at < 20; at++) await node.through('work', 'ok.sh');
      await eventually('snapshots were made', async () => (await cluster(node)).journal.snapshot > 80);
      await node.put('work', 'after-the-snapshot.txt', 'a');
      before = await known(node);
    } finally {
      await running.stop();
    }
    // the default of 20,000 now, in a process of its own
    await node.start();
    const { journal } = await cluster(node);
    expect(journal.snapshot).toBeGreaterThan(80); // it did start from one
    expect(journal.snapshot).toBeLessThan(journal.end);
    expect(await known(node)).toEqual(before);
    // The key of a launch leads to the same run, as it is now (decision 0006).
    const again = JSON.parse((await launch()).text) as Run;
    expect([again.id, (await put()).text]).toEqual(answers);
    expect(again.state).toBe('succeeded');
    const other = await node.ask(
      'POST',
      '/api/v1/runs',
      { sandbox: 'work', path: 'no.sh' },
      { 'idempotency-key': keys.launch },
    );
    expect(refusalOf(other)).toBe('422 key_reused');
    expect((await node.through('work', 'ok.sh')).state).toBe('succeeded');
  });
});

it('when a token was last used is known after a restart', { timeout: 30_000 }, async () => {
  const node = made(await RealNode.found());
  await node.start(['--listen', '127.0.0.1:0']);
  const { secret } = await node.must<{ secret: string }>('POST', '/api/v1/tokens', { role: 'viewer', label: 'ci' });
  const lastUse = async () => (await node.must<{ tokens: Token[] }>('GET', '/api/v1/tokens')).tokens[0]!.lastUsedAt;
  expect(await lastUse()).toBeUndefined();
  const began = Date.now();
  const { url, fingerprint } = node.running()!;
  const asked = await binnacle(['status', '--json', '--url', url!, '--token', secret, '--fingerprint', fingerprint]);
  expect([asked.code, asked.err]).toEqual([0, '']);
  const seen = await lastUse();
  expect(Date.parse(seen!)).toBeGreaterThanOrEqual(began);
  await node.stop();
  await node.start();
  expect(await lastUse()).toBe(seen);
});

describe('a folder', () => {
  it('with a running node is refused to a second one, and the first is not disturbed', async () => {
    const node = made(await (await RealNode.found()).start());
    const second = await binnacle(['node', '--data', node.data]);
    expect(second.code).toBeGreaterThan(0);
    expect(second.err).toContain('Another Binnacle node uses this folder');
    expect(second.err).toContain(node.data);
    expect(second.err).not.toMatch(/^\s+at /m); // a sentence, no stack
    expect((await node.ask('GET', '/readyz')).status).toBe(200);
    expect(node.running()?.pid).toBe(node.child?.pid);
    const told = await binnacle(['doctor', '--data', node.data, '--json']);
    expect([told.code, told.out.includes('in use by the running node')]).toEqual([0, true]);
  });

  it('without a node, or with half of one, is refused with what to do', async () => {
    const node = made(await RealNode.found());
    const nowhere = await binnacle(['node', '--data', path.join(node.data, 'nowhere')]);
    expect([nowhere.code > 0, nowhere.err.includes('binnacle init')]).toEqual([true, true]);
    rmSync(path.join(node.data, 'journal'), { recursive: true });
    const half = await binnacle(['node', '--data', node.data]);
    expect([half.code > 0, half.err.includes('no complete node')]).toEqual([true, true]);
    const again = await binnacle(['init', '--data', node.data, '--cluster', 'x']);
    expect([again.code > 0, again.err.includes('already')]).toEqual([true, true]);
  });
});

describe('a journal', () => {
  /** A node with some history, stopped in order. */
  async function withHistory(): Promise<RealNode> {
    const node = made(await (await RealNode.found()).start());
    await node.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
    for (let at = 0; at < 80; at++) await node.put('work', `${at}.txt`, String(at));
    return node;
  }

  it('that was damaged in its middle is refused, said by doctor, and left as it is', async () => {
    const node = await withHistory();
    expect(await node.stop()).toBe(0);
    const file = journalOf(node);
    const { size } = statSync(file);
    const bytes = readFileSync(file);
    // letters of an entry in the middle of the file become others: nothing but a checksum can tell
    const at = bytes.indexOf('filesChanged', Math.floor(size / 2));
    expect(at).toBeGreaterThan(0);
    bytes.write('filesChenged', at);
    writeFileSync(file, bytes);
    const started = await binnacle(['node', '--data', node.data]);
    expect([started.code, started.err.includes('damaged') || started.err.includes('checksum')]).toEqual([3, true]);
    expect(started.err).toContain('Nothing was changed or deleted');
    expect(started.err).toContain('binnacle doctor');
    const told = await binnacle(['doctor', '--data', node.data]);
    expect([told.code, told.out.includes('problem')]).toEqual([1, true]);
    expect(told.out).toContain('Do not delete anything');
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it('with whole pages of rubbish is refused too', async () => {
    const node = await withHistory();
    await node.stop();
    const file = openSync(journalOf(node), 'r+');
    writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, 4096 * Math.floor(statSync(journalOf(node)).size / 4096 / 2));
    closeSync(file);
    const started = await binnacle(['node', '--data', node.data, '--json']);
    expect([started.code, (JSON.parse(started.err.trim().split('\n').at(-1)!) as { code: string }).code]).toEqual([
      3,
      'journal_damaged',
    ]);
  });

  it('whose last write was cut off starts with everything that was acknowledged', async () => {
    const node = await withHistory();
    await node.kill(); // what was written last lies in the log
    const wal = `${journalOf(node)}-wal`;
    const { size } = statSync(wal);
    expect(size).toBeGreaterThan(0);
    // half of a frame that was being written when the power went
    const torn = openSync(wal, 'r+');
    const last = readFileSync(wal).subarray(size - 4120, size);
    writeSync(torn, Buffer.concat([last.subarray(0, 8), Buffer.alloc(2000, 0x11)]), 0, 2008, size);
    closeSync(torn);
    await node.start();
    const { entries } = await node.must<{ entries: { path: string }[] }>('GET', '/api/v1/sandboxes/work/entries');
    expect(entries.length).toBe(80);
    expect((await node.ask('GET', '/api/v1/sandboxes/work/files/79.txt')).text).toBe('79');
    await node.put('work', 'goes-on.txt', 'g');
    await node.stop();
    const told = await binnacle(['doctor', '--data', node.data]);
    expect([told.code, told.out.includes('The journal is whole')]).toEqual([0, true]);
  });

  it('that is given back from a copy holds what it held then', async () => {
    const node = await withHistory();
    await node.stop();
    const copy = `${node.data}-copy`;
    cpSync(node.data, copy, { recursive: true });
    made(new RealNode(copy));
    truncateSync(journalOf(node), 5_000); // the first is lost
    const started = await binnacle(['node', '--data', node.data]);
    expect(started.code).toBe(3);
    const back = nodes.at(-1)!;
    await back.start();
    expect((await back.ask('GET', '/api/v1/sandboxes/work/files/79.txt')).text).toBe('79');
    expect((JSON.parse((await back.ask('GET', '/api/v1/runs')).text) as { runs: Run[] }).runs).toEqual([]);
  });
});
