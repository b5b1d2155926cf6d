import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bootId } from '../../../node-runtime/io/process/machine-processes.ts';
import type { AttemptOrder, KnownAttempt } from '../../../node-runtime/io/process/orders.ts';
import { wrapperText } from '../../../node-runtime/io/process/wrapper.ts';
import { Bench, isThere, killIfThere, processesOf, until } from './fixture.ts';

let bench: Bench;
let bystanders: ChildProcess[] = [];
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  for (const one of bystanders) one.kill('SIGKILL');
  bystanders = [];
  await bench.end();
});

const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
const here = (name: string) => join(bench.directory, name);
const known = (order: AttemptOrder, state: KnownAttempt['state'], more: Partial<KnownAttempt> = {}): KnownAttempt => ({
  attempt: order.attempt,
  order,
  bootId: bootId(),
  state,
  ...more,
});

/** Runs the wrapper of an order by hand, as one that a dead runner had just begun to start. */
function wrapperByHand(order: AttemptOrder, number: number): Promise<number | null> {
  const text = wrapperText({ ...order, number, bootId: bootId(), cgroup: null });
  const folder = join(bench.dataDir, 'attempts', order.attempt);
  const command = ['/bin/sh', '-c', `echo ran >>${here('effect')}`];
  const wrapper = spawn('/bin/sh', ['-c', text, folder, ...command], { stdio: 'ignore' });
  return new Promise((resolve) => wrapper.on('exit', resolve));
}

function claimFile(order: AttemptOrder, claim: { pid: number; startTicks: number; boot?: string }, exit = ''): string {
  const folder = join(bench.dataDir, 'attempts', order.attempt);
  mkdirSync(folder, { recursive: true });
  const fields = ['S', ...Array(18).fill('0'), claim.startTicks, '0'].join(' ');
  const path = join(folder, 'claim-1');
  writeFileSync(path, `${claim.pid} (sh) ${fields}\n${claim.boot ?? bootId()} - 1000 100000\n${exit}`);
  return path;
}

describe('when the runner is killed', () => {
  beforeEach(() => bench.connect());

  test('the job goes on and its exit code is reported by the next runner', async () => {
    const order = bench.order('echo a; sleep 0.5; echo b; exit 7');
    bench.runner!.start(order);
    await bench.started(order.attempt);
    killIfThere(bench.runnerPid);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'failed', exitCode: 7, outputBytes: 4 });
    expect(bench.output(order.attempt)).toBe('a\nb\n');
    expect(bench.lost).toEqual([100]);
  });

  test('an end that came while there was no runner is reported', async () => {
    const order = bench.order('until [ -e go ]; do sleep 0.02; done; exit 4');
    bench.runner!.start(order);
    await bench.started(order.attempt);
    killIfThere(bench.runnerPid);
    writeFileSync(here('go'), '');
    await until('nobody left', () => processesOf(order.run).length === 0);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'failed', exitCode: 4 });
  });

  test('its time limit goes on from the start of the job', async () => {
    const order = bench.order('sleep 300', { timeoutMs: 3_000 });
    const began = performance.now();
    bench.runner!.start(order);
    await bench.started(order.attempt);
    await until('most of the time', () => performance.now() - began > 2_000);
    killIfThere(bench.runnerPid);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'failed', cause: 'timeout' });
    expect(performance.now() - began).toBeGreaterThan(2_900);
    expect(performance.now() - began).toBeLessThan(4_900);
    expect(processesOf(order.run)).toEqual([]);
  });

  test('a stop under way is carried on', async () => {
    const order = bench.order('trap "" TERM; echo x >ready; while :; do sleep 0.05; done', { stopGraceMs: 800 });
    bench.runner!.start(order);
    await until('the trap', () => sizeOf(here('ready')));
    bench.runner!.stop(order.attempt, 'cancelled');
    await until('the cause', () => sizeOf(join(bench.dataDir, 'attempts', order.attempt, 'stopped-because')));
    killIfThere(bench.runnerPid);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'cancelled', signal: 'SIGKILL' });
    expect(processesOf(order.run)).toEqual([]);
  });

  test('a wrapper killed with it leaves an attempt that is lost, and nobody of it alive', async () => {
    const order = bench.order('setsid sleep 300 & echo $PPID >wrapper; wait');
    bench.runner!.start(order);
    await until('the wrapper', () => sizeOf(here('wrapper')));
    killIfThere(bench.runnerPid);
    killIfThere(Number(readFileSync(here('wrapper'), 'utf8')));
    const end = await bench.ended(order.attempt);
    expect(end).toMatchObject({ state: 'unknown', cause: 'lost' });
    expect(end.detail).toMatch(/wrapper/);
    expect(processesOf(order.run)).toEqual([]);
  });

  test('100 attempts begin exactly once each, through ten kills of the runner', async () => {
    await bench.runner!.close();
    await bench.connect({ restartMsMax: 100 });
    const orders = Array.from({ length: 100 }, (_, i) =>
      bench.order(`echo "$BINNACLE_ATTEMPT" >>did-${i}; sleep 0.${1 + (i % 7)}`, { task: `t${i}` }),
    );
    for (let kill = 0; kill < 10; kill++) {
      for (const order of orders.slice(kill * 10, kill * 10 + 10)) bench.runner!.start(order);
      const killAt = performance.now() + Math.random() * 40;
      await until('a moment in the middle of it', () => performance.now() >= killAt);
      killIfThere(bench.runnerPid);
      bench.runnerPid = 0;
      await until('the next runner', () => bench.runnerPid);
    }
    const ends = await Promise.all(orders.map((order) => bench.ended(order.attempt)));
    expect(ends.map((end) => end.state)).toEqual(Array(100).fill('succeeded'));
    const did = orders.map((_, i) => readFileSync(here(`did-${i}`), 'utf8'));
    expect(did).toEqual(orders.map((order) => `${order.attempt}\n`));
  });
});

describe('when the node is killed', () => {
  const startElsewhere = async (order: AttemptOrder): Promise<{ node: ChildProcess; runner: number }> => {
    const script = fileURLToPath(new URL('./node-side.ts', import.meta.url));
    const node = spawn(process.execPath, [script, bench.dataDir, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    bystanders.push(node);
    await new Promise((resolve) => node.stdout!.once('data', resolve));
    return { node, runner: Number.parseInt(bench.read('attempts/.runner'), 10) };
  };

  test('its runner ends by itself, the job goes on and is found again', async () => {
    const order = bench.order('until [ -e go ]; do sleep 0.02; done; exit 6');
    const { node, runner } = await startElsewhere(order);
    node.kill('SIGKILL');
    await until('the end of the runner', () => !isThere(runner));
    const next = await bench.connect();
    expect(await next.recover([known(order, 'saved')])).toEqual([{ attempt: order.attempt, found: 'watched' }]);
    writeFileSync(here('go'), '');
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'failed', exitCode: 6 });
  });

  test('and the runner with it, the job goes on and is found again without its order', async () => {
    const order = bench.order('until [ -e go ]; do sleep 0.02; done; exit 8', { timeoutMs: 60_000 });
    const { node, runner } = await startElsewhere(order);
    node.kill('SIGKILL');
    killIfThere(runner);
    const next = await bench.connect();
    const found = await next.recover([known(order, 'running', { order: null })]);
    expect(found).toEqual([{ attempt: order.attempt, found: 'watched' }]);
    writeFileSync(here('go'), '');
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'failed', exitCode: 8 });
  });

  test('a runner that hangs is ended by the next one before anything is concluded', async () => {
    const order = bench.order('sleep 0.3');
    const { node, runner } = await startElsewhere(order);
    process.kill(runner, 'SIGSTOP');
    node.kill('SIGKILL');
    await bench.connect();
    expect(isThere(runner)).toBe(false);
  });

  test('an attempt that ended meanwhile is reported with its code', async () => {
    const order = bench.order('exit 3');
    const { node } = await startElsewhere(order);
    node.kill('SIGKILL');
    await until('nobody left', () => processesOf(order.run).length === 0);
    const next = await bench.connect();
    expect(await next.recover([known(order, 'running')])).toEqual([{ attempt: order.attempt, found: 'ended' }]);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'failed', cause: 'exit', exitCode: 3 });
  });

  test('20 attempts begin exactly once each, through five deaths of node and runner', async () => {
    const orders = Array.from({ length: 20 }, (_, i) =>
      bench.order(`echo "$BINNACLE_ATTEMPT" >>did-${i}; sleep 0.${1 + (i % 5)}`, { task: `t${i}` }),
    );
    for (let life = 0; life < 6; life++) {
      const runner = await bench.connect();
      const open = orders.filter((order) => bench.ends(order.attempt).length === 0);
      const found = await runner.recover(open.map((order) => known(order, 'saved')));
      const never = new Set(found.filter((one) => one.found === 'neverStarted').map((one) => one.attempt));
      for (const order of open) if (never.has(order.attempt)) runner.start(order);
      if (life === 5) break;
      const endAt = performance.now() + Math.random() * 60;
      await until('a moment in the middle of it', () => performance.now() >= endAt);
      await bench.abandon();
    }
    const ends = await Promise.all(orders.map((order) => bench.ended(order.attempt)));
    expect(ends.map((end) => end.state)).toEqual(Array(20).fill('succeeded'));
    expect(orders.map((_, i) => readFileSync(here(`did-${i}`), 'utf8'))).toEqual(orders.map((o) => `${o.attempt}\n`));
  });
});

describe('whether an attempt ever began', () => {
  test('one without a claim never did, and a late wrapper of it never will', async () => {
    const order = bench.order(`echo ran >>effect`);
    mkdirSync(join(bench.dataDir, 'attempts', order.attempt), { recursive: true });
    const runner = await bench.connect();
    expect(await runner.recover([known(order, 'saved')])).toEqual([{ attempt: order.attempt, found: 'neverStarted' }]);
    expect(await wrapperByHand(order, 1)).toBe(125);
    expect(sizeOf(here('effect'))).toBe(0);
    expect(await bench.run(order)).toMatchObject({ state: 'succeeded' });
    expect(await wrapperByHand(order, 1)).toBe(125);
    expect(readFileSync(here('effect'), 'utf8')).toBe('ran\n');
  });

  test('one whose folder is not there never did', async () => {
    const order = bench.order('true');
    const runner = await bench.connect();
    expect(await runner.recover([known(order, 'saved')])).toEqual([{ attempt: order.attempt, found: 'neverStarted' }]);
    expect(await wrapperByHand(order, 1)).toBe(125);
  });

  test('of two wrappers of one claim, one runs the job', async () => {
    const order = bench.order('');
    mkdirSync(join(bench.dataDir, 'attempts', order.attempt), { recursive: true });
    const codes = await Promise.all(Array.from({ length: 8 }, () => wrapperByHand(order, 1)));
    expect(codes.sort()).toEqual([0, 125, 125, 125, 125, 125, 125, 125]);
    expect(readFileSync(here('effect'), 'utf8')).toBe('ran\n');
  });

  test('one whose start was told, but whose wrapper had not claimed it, never did', async () => {
    const order = bench.order('true');
    mkdirSync(join(bench.dataDir, 'attempts', order.attempt), { recursive: true });
    const runner = await bench.connect();
    const found = await runner.recover([known(order, 'running')]);
    expect(found).toEqual([{ attempt: order.attempt, found: 'neverStarted' }]);
    expect(await wrapperByHand(order, 1)).toBe(125);
  });

  test('one that was running and has no files is lost, not new', async () => {
    const order = bench.order('true');
    const runner = await bench.connect();
    expect(await runner.recover([known(order, 'running')])).toEqual([{ attempt: order.attempt, found: 'lost' }]);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'unknown', cause: 'lost' });
  });

  test.each(['saved', 'running'] as const)('one %s before another boot is lost', async (state) => {
    const order = bench.order('true');
    if (state === 'running') claimFile(order, { pid: process.pid, startTicks: 1, boot: 'another' });
    const runner = await bench.connect();
    const found = await runner.recover([known(order, state, { bootId: 'another' })]);
    expect(found).toEqual([{ attempt: order.attempt, found: 'lost' }]);
    const end = await bench.ended(order.attempt);
    expect(end).toMatchObject({ state: 'unknown', cause: 'lost' });
    expect(end.detail).toMatch(/^The machine was restarted/);
  });

  test('one that ended before another boot has its code, if that is complete', async () => {
    const whole = bench.order('true');
    const torn = bench.order('true');
    claimFile(whole, { pid: 1, startTicks: 1, boot: 'another' }, 'exit 12\n');
    claimFile(torn, { pid: 1, startTicks: 1, boot: 'another' }, 'exit 12');
    const runner = await bench.connect();
    const found = await runner.recover([whole, torn].map((order) => known(order, 'running', { bootId: 'another' })));
    expect(found.map((one) => one.found)).toEqual(['ended', 'lost']);
    expect(await bench.ended(whole.attempt)).toMatchObject({ state: 'failed', exitCode: 12 });
  });

  test('a claim that its wrapper never finished writing is lost after a moment', async () => {
    const order = bench.order('true');
    writeFileSync(claimFile(order, { pid: 1, startTicks: 1 }), '');
    const runner = await bench.connect();
    expect(await runner.recover([known(order, 'saved')])).toEqual([{ attempt: order.attempt, found: 'lost' }]);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'unknown' });
  });

  test('what was concluded is said again to who asks again', async () => {
    const order = bench.order('true');
    const first = await bench.connect();
    await first.recover([known(order, 'running')]);
    const end = await bench.ended(order.attempt);
    await bench.abandon();
    const second = await bench.connect();
    await second.recover([known(order, 'saved')]);
    expect(await until('the end again', () => bench.ends(order.attempt)[1])).toEqual(end);
  });
});

test('a stranger who was given the number of a wrapper is neither watched nor killed', async () => {
  const stranger = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
  bystanders.push(stranger);
  const order = bench.order('true');
  claimFile(order, { pid: stranger.pid!, startTicks: 12345 });
  const runner = await bench.connect();
  expect(await runner.recover([known(order, 'running')])).toEqual([{ attempt: order.attempt, found: 'lost' }]);
  runner.stop(order.attempt, 'cancelled');
  await bench.ended(order.attempt);
  expect(isThere(stranger.pid!)).toBe(true);
});

test('a stranger who was given the number of the last runner is not killed', async () => {
  const stranger = spawn('sleep', ['300'], { stdio: 'ignore' });
  bystanders.push(stranger);
  mkdirSync(join(bench.dataDir, 'attempts'), { recursive: true });
  writeFileSync(join(bench.dataDir, 'attempts/.runner'), `${stranger.pid} 12345 ${bootId()}\n`);
  await bench.connect();
  expect(isThere(stranger.pid!)).toBe(true);
});

test('closing ends the runner and lets the job live', async () => {
  await bench.connect();
  const order = bench.order('sleep 300');
  bench.runner!.start(order);
  await bench.started(order.attempt);
  const pid = bench.runnerPid;
  await bench.runner!.close();
  expect(isThere(pid)).toBe(false);
  expect(processesOf(order.run).length).toBeGreaterThan(0);
  expect(readdirSync(join(bench.dataDir, 'attempts', order.attempt))).toContain('claim-1');
});
