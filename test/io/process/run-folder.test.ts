import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { OrderFile } from '../../../node-runtime/io/process/orders.ts';
import { layOut } from '../../../node-runtime/io/process/run-folder.ts';
import { Bench, freshRun, until } from './fixture.ts';

let bench: Bench;
beforeEach(async () => {
  bench = new Bench();
  await bench.connect();
});
afterEach(() => bench.end());

function blob(name: string, text: string): string {
  const path = join(bench.dataDir, `blob-${name}`);
  writeFileSync(path, text);
  chmodSync(path, 0o444);
  return path;
}

const file = (path: string, source: string, executable = false): OrderFile => ({ path, source, executable });
const work = () => readdirSync(join(bench.dataDir, 'work'));

test('the tasks of a run share one folder, laid out once', async () => {
  const run = freshRun();
  const files = [
    file('a.txt', blob('a', 'from a blob\n')),
    file('sub/dir/tool', blob('t', '#!/bin/sh\necho tool\n'), true),
  ];
  const first = bench.order('cat a.txt; sub/dir/tool; echo result >out; echo changed >a.txt; pwd', { run, files });
  const second = bench.order('cat out a.txt', { run, files, number: 2 });
  expect(await bench.run(first)).toMatchObject({ state: 'succeeded' });
  expect(await bench.run(second)).toMatchObject({ state: 'succeeded' });
  expect(bench.output(first.attempt)).toBe(`from a blob\ntool\n${bench.dataDir}/work/${run}\n`);
  expect(bench.output(second.attempt)).toBe('result\nchanged\n');
  expect(readFileSync(join(bench.dataDir, 'blob-a'), 'utf8')).toBe('from a blob\n');
  expect(statSync(join(bench.dataDir, 'blob-a')).nlink).toBe(1);
});

test('two attempts that begin at once do not lay it out twice', async () => {
  const run = freshRun();
  const files = Array.from({ length: 200 }, (_, i) => file(`f/${i}`, blob('same', 'x')));
  const orders = [1, 2, 3].map((number) => bench.order('ls f | wc -l', { run, files, number }));
  for (const order of orders) bench.runner!.start(order);
  for (const order of orders) expect(await bench.ended(order.attempt)).toMatchObject({ state: 'succeeded' });
  expect(orders.map((order) => bench.output(order.attempt).trim())).toEqual(['200', '200', '200']);
  expect(work()).toEqual([run]);
});

test('a layout that fails leaves nothing, says why, and may succeed later', async () => {
  const run = freshRun();
  const missing = join(bench.dataDir, 'blob-missing');
  const files = [file('a', blob('a', 'a')), file('b', missing)];
  const end = await bench.run(bench.order('true', { run, files }));
  expect(end).toMatchObject({ state: 'failed', cause: 'cannot_start' });
  expect(end.detail).toMatch(/could not be laid out/);
  expect(work()).toEqual([]);
  writeFileSync(missing, 'b');
  expect(await bench.run(bench.order('cat b', { run, files, number: 2 }))).toMatchObject({ state: 'succeeded' });
});

test.each(['../out', '/tmp/out', 'a/../../out', 'a//b', './a', 'a/.', '', 'a\0b', 'a\\b'])(
  'a file may not go to %j',
  async (path) => {
    const end = await bench.run(bench.order('true', { files: [file(path, blob('a', 'a'))] }));
    expect(end).toMatchObject({ state: 'failed', cause: 'cannot_start' });
    expect(work()).toEqual([]);
    expect(existsSync(join(bench.dataDir, 'out'))).toBe(false);
  },
);

test('one file cannot lie within another, nor twice in one place', async () => {
  const source = blob('a', 'a');
  for (const paths of [
    ['a', 'a/b'],
    ['a', 'a'],
  ]) {
    const end = await bench.run(bench.order('true', { files: paths.map((path) => file(path, source)) }));
    expect(end).toMatchObject({ state: 'failed', cause: 'cannot_start' });
  }
  expect(work()).toEqual([]);
});

test('what a crash left half laid out is never used and goes at the next start', async () => {
  const run = freshRun();
  mkdirSync(join(bench.dataDir, 'work', `.${run}.0123`));
  writeFileSync(join(bench.dataDir, 'work', `.${run}.0123`, 'half'), '');
  const order = bench.order('ls', { run, files: [file('whole', blob('a', 'a'))] });
  await bench.run(order);
  expect(bench.output(order.attempt)).toBe('whole\n');
  await bench.runner!.close();
  await bench.connect();
  expect(work()).toEqual([run]);
});

test('a run that ended is swept, links in it are not followed', async () => {
  const run = freshRun();
  const order = bench.order('ln -s ../../here link; mkdir -p a/b; echo x >a/b/c', { run, files: [] });
  await bench.run(order);
  writeFileSync(join(bench.directory, 'kept'), '');
  bench.runner!.sweep([run]);
  await until('the folder to go', () => work().length === 0);
  expect(existsSync(join(bench.directory, 'kept'))).toBe(true);
});

test('a run whose folder is a link to elsewhere is still laid out within', async () => {
  const run = freshRun();
  symlinkSync('/nonexistent', join(bench.dataDir, 'work', run));
  await expect(layOut(bench.dataDir, run, [])).rejects.toThrow();
});
