import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { followOutput, readOutput, readTimes } from '../../../node-runtime/io/process/output.ts';
import { freshGrowth, measureOutput } from '../../../node-runtime/io/process/output-growth.ts';
import { Bench, until } from './fixture.ts';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.end());

async function followed(attempt: string, offset = 0, signal = new AbortController().signal): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of followOutput(bench.dataDir, attempt, offset, signal)) parts.push(part);
  return Buffer.concat(parts).toString();
}

test('10,000 lines are followed while they are written, whole and in order', async () => {
  await bench.connect();
  const order = bench.order('i=0; while [ $i -lt 10000 ]; do echo "line $i"; i=$((i+1)); done');
  const following = followed(order.attempt); // before it has begun
  bench.runner!.start(order);
  const expected = Array.from({ length: 10_000 }, (_, i) => `line ${i}\n`).join('');
  expect(await following).toBe(expected);
  expect(await bench.ended(order.attempt)).toMatchObject({ outputBytes: expected.length });
  expect(await followed(order.attempt, expected.length - 10)).toBe(expected.slice(-10));
});

test('a line is seen while the job goes on, and following can be given up', async () => {
  await bench.connect();
  const order = bench.order('echo first; sleep 300');
  bench.runner!.start(order);
  const giveUp = new AbortController();
  const lines = followOutput(bench.dataDir, order.attempt, 0, giveUp.signal);
  const first = await lines.next();
  expect(Buffer.from(first.value!).toString()).toBe('first\n');
  const next = lines.next();
  giveUp.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  bench.runner!.stop(order.attempt, 'cancelled');
  await bench.ended(order.attempt);
});

test('following ends when an attempt ended without its wrapper', async () => {
  await bench.connect();
  const order = bench.order('echo before; kill -KILL 0');
  const following = followed(order.attempt);
  bench.runner!.start(order);
  expect(await following).toBe('before\n');
});

test('reading gives bytes by offset, and nothing where nothing is', async () => {
  await bench.connect();
  const order = bench.order('printf "0123456789"');
  expect(await readOutput(bench.dataDir, order.attempt, 0, 10)).toEqual({ bytes: new Uint8Array(), outputBytes: 0 });
  await bench.run(order);
  const part = await readOutput(bench.dataDir, order.attempt, 3, 4);
  expect(Buffer.from(part.bytes).toString()).toBe('3456');
  expect(part.outputBytes).toBe(10);
  expect((await readOutput(bench.dataDir, order.attempt, 10, 4)).bytes).toHaveLength(0);
  expect((await readOutput(bench.dataDir, order.attempt, 99, 4)).bytes).toHaveLength(0);
  await expect(readOutput(bench.dataDir, '../x', 0, 1)).rejects.toThrow();
});

test('what lies beyond the limit of an attempt is never shown, also before it is cut', async () => {
  const folder = join(bench.dataDir, 'attempts', 'r.t.1');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'claim-1'), `7 (sh) S ${'0 '.repeat(18)}9 0\nboot - 1000 1000\nexit 0\n`);
  writeFileSync(join(folder, 'output'), 'x'.repeat(300_000));
  expect(await followed('r.t.1')).toHaveLength(1_000);
  const part = await readOutput(bench.dataDir, 'r.t.1', 0, 5_000);
  expect(part.outputBytes).toBe(1_000);
  expect(part.bytes).toHaveLength(1_000);
});

test('times tell when an offset was reached, and the whole length at the end', async () => {
  await bench.connect();
  const order = bench.order('for i in 1 2 3; do echo 1234567; sleep 0.25; done');
  const { outputBytes } = await bench.run(order);
  const times = await readTimes(bench.dataDir, order.attempt);
  expect(times.map((one) => one.offset)).toEqual([8, 16, 24]);
  expect(times.at(-1)!.offset).toBe(outputBytes);
  expect(times[2]!.atMs - times[0]!.atMs).toBeGreaterThan(300);
  expect(await readTimes(bench.dataDir, 'none.t.1')).toEqual([]);
});

test('the longer an attempt has run, the rarer its times', async () => {
  const folder = join(bench.dataDir, 'attempts', 'r.t.1');
  mkdirSync(folder, { recursive: true });
  const growth = freshGrowth();
  for (const now of [100, 150, 200, 1_000_000, 1_000_150, 1_000_250, 100_000_000, 100_010_000, 100_030_000]) {
    appendFileSync(join(folder, 'output'), 'x');
    measureOutput(folder, growth, { outputBytesMax: 10, startedAt: 0, now, final: false });
  }
  const times = await readTimes(bench.dataDir, 'r.t.1');
  expect(times.map((one) => one.atMs)).toEqual([100, 200, 1_000_000, 1_000_250, 100_000_000, 100_030_000]);
});

test('the end is seen by a follower that came late', async () => {
  await bench.connect();
  const order = bench.order('echo done');
  await bench.run(order);
  bench.runner!.forget([order.attempt]);
  expect(await followed(order.attempt)).toBe('done\n');
  bench.runner!.remove([order.attempt]);
  await until('the output to go', async () => (await readOutput(bench.dataDir, order.attempt, 0, 1)).outputBytes === 0);
});
