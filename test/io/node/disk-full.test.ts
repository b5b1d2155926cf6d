/**
 * A node whose disk fills up, for real: its data lies on a small file system
 * in memory that a ballast file fills to the last byte. What is asked to
 * change is refused with `disk_full`, reading goes on, nothing acknowledged is
 * lost, and when there is space again the node works by itself.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster, Run, RunSummary } from '../../../node-runtime/contract/model.ts';
import { binnacle, eventually, RealNode, refusalOf } from '../../support/real-node.ts';

const SIZE = '24m';

function mounted(): string | null {
  const at = mkdtempSync(path.join(tmpdir(), 'binnacle-small-'));
  const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', at]);
  if (made.status === 0) return at;
  rmSync(at, { recursive: true, force: true });
  return null;
}
function unmount(at: string): void {
  // what still holds it (a job that is just ending) does not keep it in the tree
  if (spawnSync('umount', [at]).status !== 0) spawnSync('umount', ['-l', at]);
  rmSync(at, { recursive: true, force: true });
}

const trial = process.platform === 'linux' && process.getuid?.() === 0 ? mounted() : null;
if (trial) unmount(trial);
const why = trial ? '' : ' (skipped: it needs root on Linux, to mount a small file system)';

let small: string;
let outside: string;
let node: RealNode;

/** Takes every byte there is, also those that became free meanwhile. */
function fill(): void {
  const ballast = openSync(path.join(small, 'ballast'), 'a');
  for (const bytes of [1024 ** 2, 4096, 1]) {
    try {
      for (const block = Buffer.alloc(bytes); ; ) writeSync(ballast, block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(ballast);
}
const makeRoom = () => rmSync(path.join(small, 'ballast'), { force: true });

describe.skipIf(!trial)(`a node whose disk is full${why}`, () => {
  beforeEach(async () => {
    small = mounted()!;
    outside = mkdtempSync(path.join(tmpdir(), 'binnacle-roomy-'));
    try {
      node = await (await RealNode.found(small)).start();
    } catch (error) {
      unmount(small);
      throw error;
    }
  });
  afterEach(async () => {
    writeFileSync(path.join(outside, 'go'), '');
    makeRoom();
    await node.kill();
    unmount(small);
    rmSync(outside, { recursive: true, force: true });
  });

  const launch = () => node.ask('POST', '/api/v1/runs', { sandbox: 'work', path: 'quick.sh' });
  const state = async () => (await node.must<Cluster>('GET', '/api/v1/cluster')).state;

  async function prepare(): Promise<{ waiting: string; acknowledged: string[] }> {
    await node.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
    await node.must('POST', '/api/v1/sandboxes', { name: 'here', kind: 'local' });
    await node.put('work', 'quick.sh', '#!/bin/sh\necho quick\n');
    await node.put('here', 'there.txt', 'before');
    await node.put(
      'work',
      'wait.sh',
      `#!/bin/sh\necho waiting\nuntil [ -e '${outside}/go' ]; do sleep 0.05; done\nexit 6\n`,
    );
    const acknowledged: string[] = [];
    for (let at = 0; at < 10; at++) acknowledged.push((await node.through('work', 'quick.sh')).id);
    const { id } = await node.launch('work', 'wait.sh');
    await node.until(id, (run) => run.tasks[0]!.attempts[0]?.state === 'running');
    // Before the disk is filled: what a job writes then is lost.
    await eventually('it has begun', async () => (await node.output(id, 'script').catch(() => '')) === 'waiting\n');
    return { waiting: id, acknowledged };
  }

  /** Launches until one is refused; those that were acknowledged are added. */
  async function untilFull(acknowledged: string[]): Promise<void> {
    await eventually(
      'a launch is refused',
      async () => {
        fill();
        const answer = await launch();
        if (answer.status === 201) acknowledged.push((answer.json() as Run).id);
        else expect(refusalOf(answer)).toBe('507 disk_full');
        return answer.status !== 201;
      },
      30_000,
    );
  }

  it('refuses changes and answers reads; with space again it goes on by itself, and nothing is lost', {
    timeout: 90_000,
  }, async () => {
    const { waiting, acknowledged } = await prepare();
    await untilFull(acknowledged);
    await eventually('it says so', async () => (await state()) === 'read_only');
    fill();

    for (let round = 0; round < 3; round++) {
      const asked = [
        await launch(),
        await node.ask('PUT', '/api/v1/sandboxes/work/files/new.txt', Buffer.alloc(50_000, 'n')),
        await node.ask('PUT', '/api/v1/sandboxes/here/files/new.txt', Buffer.alloc(50_000, 'n')),
        await node.ask('POST', '/api/v1/sandboxes/work/uploads', { path: 'u.bin', bytes: 1_000_000 }),
        await node.ask('POST', '/api/v1/sandboxes', { name: 'another', kind: 'shared' }),
        await node.ask('POST', '/api/v1/tokens', { role: 'viewer' }),
        await node.ask('POST', '/api/v1/sandboxes', { name: `local-${round}`, kind: 'local' }),
        await node.ask('POST', '/api/v1/sandboxes/here/folders', { path: `folder-${round}` }),
        await node.ask('POST', '/api/v1/sandboxes/here/copies', { path: 'there.txt', to: `copy-${round}.txt` }),
      ];
      expect(asked.map(refusalOf)).toEqual(asked.map(() => '507 disk_full'));
    }
    const cluster = await node.must<Cluster>('GET', '/api/v1/cluster');
    expect(cluster.headline).toContain('disk is full');
    expect(cluster.waitsFor[0]).toMatchObject({
      what: expect.stringContaining('space'),
      next: expect.stringContaining('by itself'),
    });
    expect((await node.ask('GET', '/api/v1/sandboxes/work/files/quick.sh')).text).toContain('echo quick');
    expect((await node.ask('GET', '/api/v1/sandboxes/here/files/there.txt')).text).toBe('before');
    expect((await node.ask('GET', '/api/v1/sandboxes/work/files/new.txt')).status).toBe(404);
    expect(
      (await node.must<{ runs: RunSummary[] }>('GET', '/api/v1/runs?limit=500')).runs.length,
    ).toBeGreaterThanOrEqual(11);
    expect(await node.output(waiting, 'script')).toBe('waiting\n');
    expect((await node.ask('GET', '/healthz')).status).toBe(200);
    expect(refusalOf(await node.ask('GET', '/readyz'))).toMatch(/^50[37] /);
    writeFileSync(path.join(outside, 'go'), ''); // the job ends while its end cannot be journaled

    makeRoom();
    const again = await eventually(
      'it takes launches again by itself',
      async () => {
        const answer = await launch();
        return answer.status === 201 && (answer.json() as Run).id;
      },
      10_000,
    );
    acknowledged.push(again);
    expect(await state()).toBe('working');
    const ended = await node.until(waiting);
    expect([ended.state, ended.exitCode, ended.tasks[0]!.attempts.length]).toEqual(['failed', 6, 1]);
    for (const id of acknowledged) {
      const run = await node.until(id);
      expect([id, run.state]).toEqual([id, 'succeeded']);
    }
    const { runs } = await node.must<{ runs: RunSummary[] }>('GET', '/api/v1/runs?limit=500');
    expect(
      runs
        .filter((run) => run.path === 'quick.sh')
        .map((run) => run.id)
        .sort(),
    ).toEqual([...acknowledged].sort());
    await node.put('work', 'new.txt', 'now it fits');
  });

  it('cannot start without any space, says so, and finds all when there is some', { timeout: 90_000 }, async () => {
    const { waiting, acknowledged } = await prepare();
    await untilFull(acknowledged);
    await node.kill();
    fill();
    expect(statfsSync(small).bavail).toBe(0);
    const started = await binnacle(['node', '--data', node.data]);
    expect(started.code).toBe(3);
    expect(started.err).toContain('No space is left to open the journal');
    expect(started.err).toContain('Free some space');
    writeFileSync(path.join(outside, 'go'), ''); // the job ends while there is no node and no space
    makeRoom();
    await node.start();
    for (const id of acknowledged) expect([id, (await node.until(id)).state]).toEqual([id, 'succeeded']);
    const ended = await node.until(waiting);
    expect([ended.state, ended.exitCode]).toEqual(['failed', 6]);
    expect((await node.through('work', 'quick.sh')).state).toBe('succeeded');
  });
});
