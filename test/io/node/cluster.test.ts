/**
 * A cluster of real processes, made as a person makes it: init, invite, join.
 * Every node takes every request; the loss of any one is survived; what is
 * done on one is seen on all.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditRow, Cluster, Evidence, Node, Run } from '../../../node-runtime/contract/model.ts';
import { binnacle, elsewhere, eventually, hasEnded, RealNode, refusalOf } from '../../support/real-node.ts';

const door = ['--listen', '127.0.0.1:0'];
let a: RealNode;
let b: RealNode;
let watch: RealNode;
let worker: RealNode;
const all = () => [a, b, watch, worker];
const view = (node: RealNode): Promise<Cluster> => node.must<Cluster>('GET', '/api/v1/cluster');

const whole = (node: RealNode): Promise<Cluster> =>
  eventually(
    'paired, with three voters',
    async () => {
      const cluster = await view(node).catch(() => null);
      const isWhole = cluster?.fresh && cluster.mode === 'paired' && cluster.charter?.voters.flat().length === 3;
      return isWhole ? cluster : null;
    },
    40_000,
  );

const script = (lines: string[]): string => ['#!/bin/sh', ...lines, ''].join('\n');
const nodeNamed = (name: string): RealNode => (name === 'atlas' ? a : name === 'borea' ? b : worker);

beforeAll(async () => {
  a = await RealNode.found();
  await a.start(door);
  b = await RealNode.join(a, 'borea', ['controller']);
  watch = await RealNode.join(a, 'deck', ['watch']);
  worker = await RealNode.join(a, 'bench', ['worker']);
  await Promise.all([b, watch, worker].map((node) => node.start(door)));
  await whole(a);
}, 120_000);

afterAll(async () => {
  for (const node of all()) await node?.remove();
});

describe('a cluster of two controllers, a watch and a worker', () => {
  it('says on every node who leads and what it can survive', async () => {
    for (const node of all()) {
      const cluster = await view(node);
      expect(cluster).toMatchObject({
        active: 'atlas',
        standby: 'borea',
        watch: 'deck',
        state: 'working',
        fresh: true,
      });
      expect(cluster.survives.lossOf.toSorted()).toEqual(['atlas', 'borea', 'deck']);
      expect(cluster.waitsFor).toEqual([]);
    }
    expect((await view(worker)).thisNode).toMatchObject({ name: 'bench', roles: ['worker'] });
    const { nodes } = await watch.must<{ nodes: Node[] }>('GET', '/api/v1/nodes');
    expect(nodes.map((node) => [node.name, node.roles, node.thisNode])).toEqual([
      ['atlas', ['active', 'worker'], false],
      ['borea', ['standby'], false],
      ['deck', ['watch'], true],
      ['bench', ['worker'], false],
    ]);
  });

  it('takes every request at every node: made here, written there, launched elsewhere, read everywhere', async () => {
    await worker.must('POST', '/api/v1/sandboxes', { name: 'shared', kind: 'shared' });
    await watch.put(
      'shared',
      'count.sh',
      script(['for i in 1 2 3; do echo line $i; sleep 0.2; done', 'hostname > /dev/null']),
    );
    await a.must('PUT', '/api/v1/nodes/atlas', { drained: true }); // so it runs on the other worker
    const run = await b.launch('shared', 'count.sh');
    const ended = await watch.until(run.id);
    expect(ended).toMatchObject({ state: 'succeeded', nodes: ['bench'] });
    for (const node of all()) expect(await node.output(run.id, 'script')).toBe('line 1\nline 2\nline 3\n');
    // Contents are on both controllers before "done" was said, and the log outlives its worker.
    for (const node of [a, b]) {
      await eventually('the output is copied', () =>
        existsSync(path.join(node.data, 'attempts', `${run.id}.script.1`, 'output')),
      );
    }
    await a.must('PUT', '/api/v1/nodes/atlas', { drained: false });
  });

  it('gives the same answer to the same key at every node, and says how fresh a read is', async () => {
    const launch = { sandbox: 'shared', path: 'count.sh' };
    const key = { 'idempotency-key': 'the-same-everywhere' };
    const runs = [];
    for (const node of all()) runs.push((await node.must<Run>('POST', '/api/v1/runs', launch, key)).id);
    expect(new Set(runs).size).toBe(1);
    const answer = await watch.ask('GET', '/api/v1/runs');
    expect(answer.headers['binnacle-read']).toBe('fresh');
    expect(Number(answer.headers['binnacle-position'])).toBeGreaterThan(10);
    await b.until(runs[0]!);
  });

  it('keeps a local sandbox on the node that was named, and reaches it from everywhere', async () => {
    await b.must('POST', '/api/v1/sandboxes', { name: 'there', kind: 'local', node: 'bench' });
    await watch.put('there', 'here.sh', script(['pwd']), '?executable=1');
    expect(readFileSync(path.join(worker.data, 'sandboxes', 'there', 'here.sh'), 'utf8')).toContain('pwd');
    const listed = await a.must<{ entries: { path: string }[] }>('GET', '/api/v1/sandboxes/there/entries');
    expect(listed.entries.map((entry) => entry.path)).toContain('here.sh');
    const run = await watch.through('there', 'here.sh');
    expect(run).toMatchObject({ state: 'succeeded', nodes: ['bench'] });
    expect(await b.output(run.id, 'script')).toContain(path.join('sandboxes', 'there'));
  });

  it('refuses a code that is wrong, used, or of another cluster, and a name that is taken', async () => {
    const invited = await binnacle(['invite', '--role', 'worker', '--json', '--data', b.data]);
    const { code } = JSON.parse(invited.out) as { code: string };
    const fresh = path.join(a.data, 'joins');
    const join = (text: string, name = 'late') =>
      binnacle(['join', text, '--data', path.join(fresh, String(Math.random())), '--name', name, '--json']);
    const wrong = await join(code.replace(/\/.{3}/, '/zzz'));
    expect([wrong.code !== 0, wrong.err]).toEqual([
      true,
      expect.stringContaining('unknown, was used, or its time is over'),
    ]);
    const other = await join(code.slice(0, -4) + (code.endsWith('0000') ? '1111' : '0000'));
    expect(other.err).toContain('of another cluster');
    expect((await join(code, 'borea')).err).toContain('borea is in the cluster already');
    expect((await join(code)).code).toBe(0);
    const again = await join(code, 'later');
    expect(again.err).toContain('unknown, was used, or its time is over');
    await a.must('DELETE', '/api/v1/nodes/late');
  });

  it('hands over on request, losing nothing, and every node follows', { timeout: 60_000 }, async () => {
    const before = await worker.launch('shared', 'count.sh');
    const switched = await binnacle(['switch-over', '--data', watch.data]);
    expect([switched.code, switched.err]).toEqual([0, '']);
    for (const node of all()) await eventually('borea leads', async () => (await view(node)).active === 'borea');
    expect(await a.until(before.id)).toMatchObject({ state: 'succeeded' });
    await whole(a);
  });

  it('survives kill -9 of the active with a job running on a worker: log and exit code are counted', {
    timeout: 90_000,
  }, async () => {
    const active = (await view(watch)).active!;
    const dying = nodeNamed(active);
    const other = dying === a ? b : a;
    await watch.put('shared', 'long.sh', script(['echo begun', 'sleep 3', 'echo ended', 'exit 7']));
    await watch.must('PUT', '/api/v1/nodes/atlas', { drained: true });
    const run = await watch.launch('shared', 'long.sh');
    await eventually('it runs', async () => (await watch.run(run.id)).state === 'running');
    await dying.kill();
    // Asked at a node that is there: it waits for the new active and answers.
    const next = await watch.launch('shared', 'count.sh');
    expect(next.id).toBeTruthy();
    expect((await view(other)).active).not.toBe(active);
    const ended = await watch.until(run.id);
    expect(ended).toMatchObject({ state: 'failed', exitCode: 7 });
    expect(ended.tasks[0]!.attempts).toHaveLength(1);
    expect(await other.output(run.id, 'script')).toBe('begun\nended\n');
    await dying.start(door);
    await whole(dying);
    await watch.must('PUT', '/api/v1/nodes/atlas', { drained: false });
    expect(await dying.until(next.id)).toMatchObject({ state: 'succeeded' });
  });

  it('counts what a worker did while it was away', { timeout: 60_000 }, async () => {
    await watch.must('PUT', '/api/v1/nodes/atlas', { drained: true });
    await watch.put('shared', 'away.sh', script(['sleep 1', 'echo did it']));
    const run = await watch.launch('shared', 'away.sh');
    await eventually('it runs', async () => (await watch.run(run.id)).state === 'running');
    await worker.kill();
    await eventually('the worker is seen to be away', async () => {
      const { nodes } = await watch.must<{ nodes: Node[] }>('GET', '/api/v1/nodes');
      return nodes.find((node) => node.name === 'bench')?.reachable === false;
    });
    expect(hasEnded(await watch.run(run.id))).toBe(false);
    await worker.start(door);
    expect(await watch.until(run.id)).toMatchObject({ state: 'succeeded', nodes: ['bench'] });
    expect(await watch.output(run.id, 'script')).toBe('did it\n');
    await watch.must('PUT', '/api/v1/nodes/atlas', { drained: false });
  });

  it('answers honestly when the node that holds a local sandbox is away', { timeout: 60_000 }, async () => {
    await worker.kill();
    const answer = await eventually('it is missed', async () => {
      const one = await b.ask('GET', '/api/v1/sandboxes/there/entries');
      return one.status !== 200 && one;
    });
    expect(refusalOf(answer)).toBe('503 node_unreachable');
    expect(answer.text).toContain('bench');
    await worker.start(door);
    await eventually('it is back', async () => (await b.ask('GET', '/api/v1/sandboxes/there/entries')).status === 200);
  });

  it('makes a removed node useless at once', { timeout: 60_000 }, async () => {
    const extra = await RealNode.join(a, 'extra', ['worker']);
    await extra.start(door);
    expect((await extra.ask('GET', '/api/v1/runs')).status).toBe(200);
    await watch.must('DELETE', '/api/v1/nodes/extra');
    await eventually('it is refused', async () => {
      return refusalOf(await extra.ask('GET', '/api/v1/runs')) === '403 node_removed';
    });
    expect(await view(extra)).toMatchObject({ headline: 'This node was removed from the cluster', recovery: false });
    const { nodes } = await a.must<{ nodes: Node[] }>('GET', '/api/v1/nodes');
    expect(nodes.map((node) => node.name)).not.toContain('extra');
    await extra.remove();
  });

  it('stops for maintenance without a fail-over, and a person may activate the other', {
    timeout: 60_000,
  }, async () => {
    const { active } = await view(watch);
    const parked = nodeNamed(active!);
    const other = parked === a ? b : a;
    await watch.must('POST', '/api/v1/cluster/park', { why: 'a new disk' });
    await eventually('it is parked', async () => (await view(other)).state === 'parked');
    expect((await view(other)).parked).toMatchObject({ why: 'a new disk' });
    await parked.kill();
    // Said at a node without a role: it finds the controller that may.
    const activated = await binnacle(['activate', '--data', worker.data]);
    expect([activated.code, activated.err]).toEqual([0, '']);
    await eventually('the other leads', async () => (await view(watch)).active === (other === a ? 'atlas' : 'borea'));
    const { rows } = await watch.must<{ rows: AuditRow[] }>('GET', '/api/v1/audit?act=cluster&limit=10');
    expect(rows.find((row) => row.act === 'parkAsked')).toMatchObject({
      ...{ by: 'desktop', via: 'deck', from: 'this computer', changes: [{ what: 'why', after: 'a new disk' }] },
    });
    expect(rows[0]).toMatchObject({ act: 'leadChanged', by: 'desktop', subject: other === a ? 'atlas' : 'borea' });
    await parked.start(door);
    await whole(parked);
  });

  it('takes a worker for a controller and back: it keeps a journal, pairs, and has what it needs to let others in', {
    timeout: 120_000,
  }, async () => {
    const spare = await RealNode.join(a, 'spare', ['worker']);
    await spare.start(door);
    await watch.must('PUT', '/api/v1/nodes/spare', { duties: ['controller', 'worker'] });
    const { standby } = await view(watch);
    await watch.must('PUT', `/api/v1/nodes/${standby}`, { duties: ['worker'] });
    await eventually(
      'the new controller stands by',
      async () => {
        const cluster = await view(watch);
        return cluster.mode === 'paired' && cluster.standby === 'spare';
      },
      40_000,
    );
    const identity = () => JSON.parse(readFileSync(path.join(spare.data, 'trust', 'identity.json'), 'utf8'));
    await eventually('it has the key of the authority', () => typeof identity().authority.key === 'string', 30_000);
    await watch.must('PUT', `/api/v1/nodes/${standby}`, { duties: ['controller', 'worker'] });
    await watch.must('PUT', '/api/v1/nodes/spare', { duties: ['worker'] });
    await eventually(
      'the old one is back',
      async () => (await view(watch)).standby === standby && (await view(watch)).mode === 'paired',
      60_000,
    );
    await watch.must('DELETE', '/api/v1/nodes/spare');
    await spare.remove();
    await whole(a);
  });

  it('finds two controllers that both moved while they were off, by the watch', { timeout: 120_000 }, async () => {
    await Promise.all([a.kill(), b.kill()]);
    await Promise.all([a.start(await elsewhere(), {}, 'alive'), b.start(await elsewhere(), {}, 'alive')]);
    await whole(worker);
  });

  it('comes back by itself when all were off at once: a node keeps the port that the others know', {
    timeout: 120_000,
  }, async () => {
    await Promise.all(all().map((node) => node.kill()));
    await Promise.all(all().map((node) => node.start(door, {}, 'alive')));
    await whole(worker);
  });

  it('lets a watch leave: its seat is kept beside a pair, and work goes on when it leaves a lone active', {
    timeout: 120_000,
  }, async () => {
    const { active, standby } = await view(worker);
    await nodeNamed(standby!).kill();
    await eventually('it leads alone', async () => (await view(worker)).mode === 'solo');
    expect(await watch.stop()).toBe(0);
    const run = await worker.launch('shared', 'count.sh');
    expect(await worker.until(run.id)).toMatchObject({ state: 'succeeded' });
    expect((await view(worker)).active).toBe(active);
    await watch.start(door);
    await nodeNamed(standby!).start(door);
    await whole(worker);
  });

  it('lets a person confirm a loss when nobody else can know, bound to what was shown', {
    timeout: 120_000,
  }, async () => {
    const { active } = await view(watch);
    const lost = nodeNamed(active!);
    const left = lost === a ? b : a;
    const count = (await left.must<{ runs: Run[] }>('GET', '/api/v1/runs')).runs.length;
    await lost.kill();
    await watch.kill();
    for (const node of [lost, watch]) rmSync(node.data, { recursive: true, force: true, maxRetries: 5 });
    const shown = await eventually(
      'it needs a person',
      async () => {
        const one = await left.must<Evidence>('GET', '/api/v1/cluster/recovery');
        return one.possible && one;
      },
      40_000,
    );
    expect((await view(left)).recovery).toBe(true);
    expect(refusalOf(await left.ask('POST', '/api/v1/runs', { sandbox: 'shared', path: 'count.sh' }))).toBe(
      '503 no_active',
    );
    const stale = await left.ask('POST', '/api/v1/cluster/recovery', {
      evidence: `${shown.evidence} `,
      lost: shown.suggested,
      statement: 'both burnt',
    });
    expect(refusalOf(stale)).toBe('409 recovery_refused');
    await left.must('POST', '/api/v1/cluster/recovery', {
      evidence: shown.evidence,
      lost: shown.suggested,
      statement: 'The machines of both are in the skip.',
    });
    const after = await eventually('it leads alone', async () => {
      const cluster = await view(left);
      return cluster.fresh && cluster;
    });
    expect(after.term.startsWith('1.')).toBe(true);
    expect((await left.must<{ runs: Run[] }>('GET', '/api/v1/runs')).runs.length).toBe(count);
    const { rows } = await left.must<{ rows: AuditRow[] }>('GET', '/api/v1/audit?act=lossConfirmed');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ by: 'desktop', via: left === a ? 'atlas' : 'borea' });
    expect(rows[0]!.changes).toEqual(
      expect.arrayContaining([
        { what: 'statement', after: 'The machines of both are in the skip.' },
        { what: 'evidence', after: expect.stringContaining('heard nobody') },
        { what: 'declared lost', after: expect.stringContaining('deck') },
      ]),
    );
    expect(await left.through('shared', 'count.sh')).toMatchObject({ state: 'succeeded' });
  });
});
