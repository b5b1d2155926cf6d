import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttemptEnd } from '../../../node-runtime/contract/facts.ts';
import { limits } from '../../../node-runtime/contract/limits.ts';
import { Lease, leaseFile, uptimeMs } from '../../../node-runtime/io/process/lease.ts';
import { bootId } from '../../../node-runtime/io/process/machine-processes.ts';
import type { AttemptOrder, KnownAttempt } from '../../../node-runtime/io/process/orders.ts';
import { readClaim } from '../../../node-runtime/io/process/wrapper.ts';
import { Bench, isThere, killIfThere, processesOf, until } from './fixture.ts';

let bench: Bench;
let nodes: ChildProcess[] = [];
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  for (const node of nodes) node.kill('SIGKILL');
  nodes = [];
  await bench.end();
});

const here = (name: string) => join(bench.directory, name);
const pids = () => readFileSync(here('pids'), 'utf8').trim().split('\n').map(Number);
const known = (order: AttemptOrder): KnownAttempt => ({
  ...{ attempt: order.attempt, order, bootId: bootId(), state: 'running' },
});
/** A job with a child, one in a session of its own and a daemon whose parent is gone; all ignore TERM. */
const family = `
trap '' TERM
sleep 300 & echo $! >>pids
setsid sh -c 'echo $$ >>pids; exec sleep 300' &
( setsid sh -c '(echo daemon; exec sleep 300) & echo $! >>pids' & )
wait
`;
const familyGrown = () => until('the family', () => existsSync(here('pids')) && pids().length === 3);

/** Ends the order to live: a leased attempt, and one without a lease beside it. */
const pair = (text = 'sleep 300') => ({
  leased: bench.order(text, { leased: true, stopGraceMs: 60_000 }),
  free: bench.order('echo $$ >free; exec sleep 300'),
});
const freeLives = () => isThere(Number(readFileSync(here('free'), 'utf8')));

/** All of the order has ended, within the five seconds of P35 from `endsAtMs` (on the clock of leases) and not before. */
async function goneAfter(order: AttemptOrder, endsAtMs: number): Promise<void> {
  let seenAt = uptimeMs();
  await until('nobody left', () => {
    if (processesOf(order.run).length === 0) return true;
    seenAt = uptimeMs();
    return false;
  });
  expect(seenAt - endsAtMs).toBeGreaterThan(-200);
  expect(uptimeMs() - endsAtMs).toBeLessThan(5_000);
  if (process.env['LATE']) console.log('LATE', expect.getState().currentTestName, Math.round(seenAt - endsAtMs));
}

const lostFor = (end: AttemptEnd): number => {
  expect(end).toMatchObject({ state: 'failed', cause: 'lost' });
  const match = /^Ended because no active controller was heard for (\d+) s; it may be started elsewhere\.$/;
  return Number(match.exec(end.detail ?? '')?.[1] ?? Number.NaN);
};

describe('while node and runner live', () => {
  beforeEach(() => bench.connect());

  test.each([false, true])(
    'an attempt ends with its lease, however long its grace and far its children, cgroups: %s',
    async (cgroups) => {
      await bench.runner!.close();
      await bench.connect({ cgroups });
      const { leased, free } = pair(family);
      const endsAtMs = uptimeMs() + 1_500;
      bench.runner!.renewLease(endsAtMs);
      bench.runner!.start(leased);
      bench.runner!.start(free);
      await familyGrown();
      await bench.haltKeeper();
      await goneAfter(leased, endsAtMs);
      expect(lostFor(await bench.ended(leased.attempt))).toBeLessThan(6);
      expect(pids().filter(isThere)).toEqual([]);
      expect(freeLives()).toBe(true);
      expect(bench.ends(free.attempt)).toEqual([]);
    },
  );

  test('a job that ends on TERM may tidy up, and is told as lost whatever its code', async () => {
    const order = bench.order('trap "echo tidy; exit 0" TERM; echo x >ready; while :; do sleep 0.05; done', {
      leased: true,
    });
    bench.runner!.renewLease(uptimeMs() + 1_000);
    bench.runner!.start(order);
    await bench.haltKeeper();
    const end = await bench.ended(order.attempt);
    expect(end).toMatchObject({ state: 'failed', cause: 'lost', exitCode: 0 });
    expect(bench.output(order.attempt)).toMatch(/^tidy$/m);
    // And so again to whoever asks later.
    await bench.abandon();
    const next = await bench.connect();
    expect(await next.recover([known(order)])).toEqual([{ attempt: order.attempt, found: 'ended' }]);
    expect(await until('the end again', () => bench.ends(order.attempt)[1])).toMatchObject({ detail: end.detail });
  });

  test('it lives on while the lease is renewed, and an older one changes nothing', async () => {
    const order = bench.order('echo $$ >pid; sleep 300', { leased: true });
    bench.runner!.renewLease(uptimeMs() + 800);
    bench.runner!.start(order);
    await bench.started(order.attempt);
    const began = uptimeMs();
    let endsAtMs = 0;
    await until('three leases', () => {
      endsAtMs = uptimeMs() + 800;
      bench.runner!.renewLease(endsAtMs);
      bench.runner!.renewLease(endsAtMs - 10_000);
      bench.runner!.renewLease(Number.NEGATIVE_INFINITY);
      return uptimeMs() - began > 2_400;
    });
    expect(bench.ends(order.attempt)).toEqual([]);
    await goneAfter(order, endsAtMs);
  });

  test('an attempt is not begun without a lease, and no keeper is needed without one', async () => {
    await bench.run(bench.order('true'));
    expect(bench.keeper()).toBe(0);
    const order = bench.order('echo x >began', { leased: true });
    const never = await bench.run(order);
    expect(never).toMatchObject({ state: 'failed', cause: 'lost' });
    expect(never.detail).toBe('Not begun because no active controller was heard; it may be started elsewhere.');
    bench.runner!.renewLease(uptimeMs() - 1_000);
    expect(await bench.run(bench.order('echo x >began', { leased: true }))).toMatchObject({ cause: 'lost' });
    expect(existsSync(here('began'))).toBe(false);
    bench.runner!.renewLease(uptimeMs() + 10_000);
    expect(await bench.run(bench.order('echo x >began', { leased: true }))).toMatchObject({ state: 'succeeded' });
  });

  test('a stop by a person keeps its cause, though its grace ends with the lease', async () => {
    const order = bench.order('trap "" TERM; echo x >ready; while :; do sleep 0.05; done', {
      ...{ leased: true, stopGraceMs: 60_000 },
    });
    const endsAtMs = uptimeMs() + 1_500;
    bench.runner!.renewLease(endsAtMs);
    bench.runner!.start(order);
    await until('the trap', () => existsSync(here('ready')));
    await bench.haltKeeper();
    bench.runner!.stop(order.attempt, 'cancelled');
    await goneAfter(order, endsAtMs);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'cancelled', signal: 'SIGKILL' });
  });

  test('a runner killed alone is started again and knows the lease', async () => {
    const { leased, free } = pair();
    const endsAtMs = uptimeMs() + 3_000;
    bench.runner!.renewLease(endsAtMs);
    bench.runner!.start(leased);
    bench.runner!.start(free);
    await Promise.all([bench.started(leased.attempt), bench.started(free.attempt)]);
    await until('the pid', () => existsSync(here('free')));
    const first = bench.runnerPid;
    const keeper = await until('a keeper', () => bench.keeper());
    killIfThere(first);
    await until('the next runner', () => bench.runnerPid !== 0 && bench.runnerPid !== first);
    await bench.haltKeeper(keeper);
    await goneAfter(leased, endsAtMs);
    lostFor(await bench.ended(leased.attempt));
    expect(freeLives()).toBe(true);
  });
});

describe('when the node is gone', () => {
  const startElsewhere = async (orders: AttemptOrder[], leaseMs: number) => {
    const script = fileURLToPath(new URL('./node-side.ts', import.meta.url));
    const node = spawn(process.execPath, [script, bench.dataDir, JSON.stringify(orders), String(leaseMs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    nodes.push(node);
    await new Promise((resolve) => node.stdout!.once('data', resolve));
    const endsAtMs = Number(bench.read('attempts/.lease').trim().split(' ')[0]);
    return { node, endsAtMs, runner: Number.parseInt(bench.read('attempts/.runner'), 10) };
  };
  const freeStarted = () => until('the other one', () => existsSync(here('free')));

  test('its runner stays, ends the attempt with the lease, and then itself', async () => {
    const { leased, free } = pair(family);
    const { node, endsAtMs, runner } = await startElsewhere([leased, free], 4_000);
    await familyGrown();
    await freeStarted();
    await bench.haltKeeper();
    node.kill('SIGKILL');
    await goneAfter(leased, endsAtMs);
    await until('the end of the runner', () => !isThere(runner));
    expect(freeLives()).toBe(true);
    const next = await bench.connect();
    const found = await next.recover([known(leased), known(free)]);
    expect(found.map((one) => one.found)).toEqual(['ended', 'watched']);
    lostFor(await bench.ended(leased.attempt));
  });

  test('its runner goes at once when no attempt has a lease', async () => {
    const free = bench.order('echo $$ >free; exec sleep 300');
    const { node, runner } = await startElsewhere([free], 600_000);
    node.kill('SIGKILL');
    await until('the end of the runner', () => !isThere(runner));
  });

  test('and back within the lease, nothing is ended and all is watched again', async () => {
    const { leased, free } = pair('until [ -e go ]; do sleep 0.02; done; exit 6');
    const { node, runner } = await startElsewhere([leased, free], 60_000);
    await freeStarted();
    node.kill('SIGKILL');
    await until('the end of the node', () => node.signalCode !== null);
    expect(isThere(runner)).toBe(true);
    const next = await bench.connect();
    expect(isThere(runner)).toBe(false);
    const found = await next.recover([known(leased), known(free)]);
    expect(found.map((one) => one.found)).toEqual(['watched', 'watched']);
    writeFileSync(here('go'), '');
    expect(await bench.ended(leased.attempt)).toMatchObject({ state: 'failed', cause: 'exit', exitCode: 6 });
    expect(freeLives()).toBe(true);
  });

  test('and back without having heard an active, what it has not asked for is ended all the same', async () => {
    const { leased, free } = pair();
    const { node, endsAtMs } = await startElsewhere([leased, free], 5_000);
    await freeStarted();
    const keeper = await until('a keeper', () => bench.keeper());
    node.kill('SIGKILL');
    await bench.connect();
    await bench.haltKeeper(keeper);
    await goneAfter(leased, endsAtMs);
    expect(freeLives()).toBe(true);
  });

  test('and its runner with it, the keeper ends the attempt with its lease, and then itself', async () => {
    const { leased, free } = pair(family);
    const { node, endsAtMs, runner } = await startElsewhere([leased, free], 4_000);
    await familyGrown();
    await freeStarted();
    node.kill('SIGKILL');
    killIfThere(runner);
    const keeper = await until('a keeper', () => bench.keeper());
    await goneAfter(leased, endsAtMs);
    expect(pids().filter(isThere)).toEqual([]);
    await until('the end of the keeper', () => !isThere(keeper));
    expect(freeLives()).toBe(true);
    const next = await bench.connect();
    const found = await next.recover([known(leased), known(free)]);
    expect(found[1]!.found).toBe('watched');
    const seconds = lostFor(await bench.ended(leased.attempt));
    expect(seconds).toBeGreaterThanOrEqual(4);
    expect(seconds).toBeLessThan(10);
  });

  test('and its runner hangs, the keeper ends the attempt, a daemon without environment in its session too', async () => {
    const { leased, free } = pair(`env -i sh -c 'echo $$ >>pids; exec sleep 300' & wait`);
    const { node, endsAtMs, runner } = await startElsewhere([leased, free], 3_000);
    await until('the daemon', () => existsSync(here('pids')) && pids()[0]);
    await freeStarted();
    process.kill(runner, 'SIGSTOP');
    node.kill('SIGKILL');
    await goneAfter(leased, endsAtMs);
    // The mark does not find it: the signal that ends it may come just after the one that ends the last with a mark.
    await until('the end of the daemon', () => !isThere(pids()[0]!));
    expect(uptimeMs() - endsAtMs).toBeLessThan(5_000);
    expect(freeLives()).toBe(true);
    await bench.connect();
    expect(isThere(runner)).toBe(false);
  });

  test('after an orderly close its runner stays too, and closing does not wait for it', async () => {
    await bench.connect();
    const { leased, free } = pair();
    const endsAtMs = uptimeMs() + 4_000;
    bench.runner!.renewLease(endsAtMs);
    bench.runner!.start(leased);
    bench.runner!.start(free);
    await bench.started(leased.attempt);
    await freeStarted();
    const runner = bench.runnerPid;
    await bench.runner!.close();
    expect(uptimeMs()).toBeLessThan(endsAtMs);
    expect(isThere(runner)).toBe(true);
    await goneAfter(leased, endsAtMs);
    await until('the end of the runner', () => !isThere(runner));
    expect(freeLives()).toBe(true);
  });
});

test('one keeper is there for all, and the next runner has its own', async () => {
  await bench.connect();
  bench.runner!.renewLease(uptimeMs() + 60_000);
  const orders = [1, 2, 3].map(() => bench.order('sleep 300', { leased: true }));
  for (const order of orders) bench.runner!.start(order);
  await Promise.all(orders.map((order) => bench.started(order.attempt)));
  const first = await until('a keeper', () => bench.keeper());
  killIfThere(bench.runnerPid);
  await until('another keeper', () => bench.keeper() && bench.keeper() !== first);
  await until('the end of the first', () => !isThere(first));
  for (const order of orders) expect(bench.ends(order.attempt)).toEqual([]);
});

describe('what is kept of a lease', () => {
  test('is read again, only grows, and is written at most once a second', async () => {
    mkdirSync(join(bench.dataDir, 'attempts'));
    const boot = bootId();
    const lease = new Lease(bench.dataDir, boot);
    expect(lease.isOver()).toBe(true);
    expect(lease.silentMs()).toBe(null);
    const now = uptimeMs();
    lease.renew(now + 60_000, now);
    const first = statSync(leaseFile(bench.dataDir)).mtimeMs;
    for (let i = 1; i <= 100; i++) lease.renew(now + 60_000 + i, now + i);
    lease.renew(now + 1, now + 101);
    expect(new Lease(bench.dataDir, boot).isOver()).toBe(false);
    const text = (endsAtMs: number) => bench.read('attempts/.lease').startsWith(`${Math.floor(endsAtMs)}`.padStart(15));
    expect(text(now + 60_000)).toBe(true);
    await until('the last one', () => text(now + 60_100), 3_000);
    expect(statSync(leaseFile(bench.dataDir)).mtimeMs - first).toBeGreaterThan(limits.leaseKeptEveryMs - 50);
  });

  test('counts as over when it is of another boot, half written, or gone', () => {
    mkdirSync(join(bench.dataDir, 'attempts'));
    const ends = Math.floor(uptimeMs()) + 60_000;
    const reads = (text: string, boot = 'this') => {
      writeFileSync(leaseFile(bench.dataDir), text);
      return new Lease(bench.dataDir, boot).isOver();
    };
    expect(reads(`${ends} 1 this ${ends}\n`)).toBe(false);
    expect(reads(`${ends} 1 this ${ends}\n`, 'another')).toBe(true);
    expect(reads(`${ends} 1 this ${ends - 1}\n`)).toBe(true);
    expect(reads('')).toBe(true);
  });

  test('a claim of an older version has no lease', () => {
    const line = `7 (sh) ${['S', ...Array(18).fill('0'), 42].join(' ')}`;
    expect(readClaim(`${line}\nboot - 1000 100000\n`)).toMatchObject({ leased: false, outputBytesMax: 100_000 });
    expect(readClaim(`${line}\nboot - 1000 100000 leased\nexit 3\n`)).toMatchObject({ leased: true, exitCode: 3 });
  });
});
