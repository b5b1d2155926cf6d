/**
 * Jobs with secrets, in real processes: the value reaches the job by its
 * environment alone, and no file of the data folder ever holds it, whoever of
 * runner and node dies in between.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AttemptOrder } from '../../../node-runtime/io/process/orders.ts';
import { followOutput } from '../../../node-runtime/io/process/output.ts';
import { Bench, isThere, killIfThere, processesOf, until } from './fixture.ts';

const value = 'correct horse battery staple';
const masked = '*'.repeat(value.length);
const secrets = { PASSWORD: value };
let bench: Bench;
beforeEach(async () => {
  bench = new Bench();
  await bench.connect();
});
afterEach(async () => {
  for (const pid of maskers()) killIfThere(pid);
  await bench.end();
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile());
}
const holdingIt = (): string[] => filesIn(bench.dataDir).filter((path) => readFileSync(path, 'latin1').includes(value));
/** Pids of the maskers of this data folder. */
const maskers = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return line.includes('masker') && line.includes(bench.dataDir);
      } catch {
        return false;
      }
    })
    .map(Number);
const written = (attempt: string): string => {
  const file = join(bench.dataDir, 'attempts', attempt, 'output');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
};
const withSecrets = (command: AttemptOrder['command'] | string, more: Partial<AttemptOrder> = {}) =>
  bench.order(command, { secrets, ...more });

describe('a job with a secret', () => {
  it('has it in its environment, and nobody reads it in its output: at once, in pieces, on both streams', async () => {
    const order = withSecrets(
      'echo "got $PASSWORD."; echo "err $PASSWORD" >&2; printf "correct horse "; sleep 0.2; echo "battery staple"; printf no-end; exit 3',
    );
    const end = await bench.run(order);
    expect(end).toMatchObject({ state: 'failed', exitCode: 3 });
    expect(bench.output(order.attempt)).toBe(`got ${masked}.\nerr ${masked}\n${masked}\nno-end`);
    expect(end.outputBytes).toBe(bench.output(order.attempt).length);
    expect(holdingIt()).toEqual([]);
    await until('its masker is gone', () => maskers().length === 0); // it has written all, and ends
    expect(readdirSync(join(bench.dataDir, 'attempts', order.attempt)).sort()).toEqual([
      ...['claim-1', 'output', 'script', 'times'],
    ]);
  });

  it('shows it in no command line and hides nothing of a job without secrets', async () => {
    const order = withSecrets('sleep 0.6');
    bench.runner!.start(order);
    await bench.started(order.attempt);
    const lines = readdirSync('/proc').flatMap((pid) => {
      try {
        return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'latin1')] : [];
      } catch {
        return [];
      }
    });
    expect(lines.filter((line) => line.includes(value))).toEqual([]);
    const open = bench.order(`echo ${value}`);
    await bench.run(open);
    expect(bench.output(open.attempt)).toBe(`${value}\n`);
    await bench.ended(order.attempt);
  });

  it('may open its output by name', async () => {
    const order = withSecrets('echo "a $PASSWORD" >/dev/stdout; echo "b $PASSWORD" >>/dev/stderr');
    await bench.run(order);
    expect(bench.output(order.attempt)).toBe(`a ${masked}\nb ${masked}\n`);
  });

  it('is followed live, masked, to its end', async () => {
    const order = withSecrets('for i in 1 2 3; do echo "$i $PASSWORD"; sleep 0.1; done');
    bench.runner!.start(order);
    let text = '';
    for await (const part of followOutput(bench.dataDir, order.attempt, 0, new AbortController().signal))
      text += Buffer.from(part).toString();
    expect(text).toBe([1, 2, 3].map((one) => `${one} ${masked}\n`).join(''));
  });

  it('loses nothing of a large output, and its end is told when all is written', { timeout: 60_000 }, async () => {
    const order = withSecrets(
      'i=0; while [ $i -lt 20000 ]; do echo "$i $PASSWORD and more text in the line"; i=$((i+1)); done',
      {
        outputBytesMax: 10_000_000,
      },
    );
    bench.runner!.start(order);
    const end = await bench.ended(order.attempt, 40_000);
    const lines = bench.output(order.attempt).split('\n');
    expect(lines).toHaveLength(20_001);
    expect(lines[19_999]).toBe(`19999 ${masked} and more text in the line`);
    expect(end.outputBytes).toBe(bench.output(order.attempt).length);
    expect(holdingIt()).toEqual([]);
  });

  it('is stopped and killed as any other; what it wrote before is there', async () => {
    const order = withSecrets('trap "" TERM; echo "have $PASSWORD"; while :; do sleep 0.1; done', { stopGraceMs: 300 });
    bench.runner!.start(order);
    await until('it wrote', () => written(order.attempt).includes('have'));
    bench.runner!.stop(order.attempt, 'cancelled');
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'cancelled', cause: 'cancelled' });
    expect(bench.output(order.attempt)).toBe(`have ${masked}\n`);
    await until('no masker is left', () => maskers().length === 0);
  });

  it('that leaves processes behind ends with them, and its masker too', async () => {
    const order = withSecrets('(while :; do echo "$PASSWORD"; sleep 0.05; done) & echo begun');
    const end = await bench.run(order);
    expect(end).toMatchObject({ state: 'succeeded' });
    expect(bench.output(order.attempt)).toContain('begun');
    expect(holdingIt()).toEqual([]);
    await until('nobody is left', () => processesOf(order.run).length === 0 && maskers().length === 0);
  });

  it('is masked when runner and node are killed while it runs, and needs its value from nobody', async () => {
    const order = withSecrets('for i in 1 2 3 4 5 6 7 8; do echo "$i $PASSWORD"; sleep 0.2; done');
    bench.runner!.start(order);
    await until('it wrote', () => written(order.attempt).includes('2 '));
    await bench.abandon();
    await pause(300);
    expect(holdingIt()).toEqual([]);
    await bench.connect();
    const { secrets: _, ...kept } = order;
    const known = {
      attempt: order.attempt,
      order: kept,
      bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    };
    const found = await bench.runner!.recover([{ ...known, state: 'running' }]);
    expect(found).toEqual([{ attempt: order.attempt, found: 'watched' }]);
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'succeeded' });
    expect(bench.output(order.attempt)).toBe([1, 2, 3, 4, 5, 6, 7, 8].map((one) => `${one} ${masked}\n`).join(''));
    expect(holdingIt()).toEqual([]);
  });

  it('ends honestly when its masker is killed', async () => {
    const order = withSecrets('trap "exit 9" PIPE; while :; do echo "$PASSWORD"; sleep 0.05; done');
    bench.runner!.start(order);
    await until('it wrote', () => written(order.attempt).includes(masked));
    for (const pid of maskers()) killIfThere(pid);
    const end = await bench.ended(order.attempt);
    expect(end.state).toBe('failed');
    expect(end.detail).toContain('some of the output is missing');
    expect(holdingIt()).toEqual([]);
  });

  it('is not begun when no masker can be started', async () => {
    await bench.runner!.close();
    const before = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      await bench.connect();
    } finally {
      process.env['PATH'] = before;
    }
    const order = withSecrets(`touch ${bench.dataDir}/begun`);
    const end = await bench.run(order);
    expect(end).toMatchObject({ state: 'failed', cause: 'cannot_start' });
    expect(end.detail).toMatch(/^What keeps its secrets out of the output could not be started: /);
    expect(end.detail).not.toContain(value);
    expect(filesIn(bench.dataDir)).not.toContain(join(bench.dataDir, 'begun'));
  });

  it('leaves no masker when the runner dies before the job began', async () => {
    const orders = Array.from({ length: 5 }, () => withSecrets('sleep 0.5'));
    for (const order of orders) bench.runner!.start(order);
    await until('a masker', () => maskers().length > 0);
    const seen = maskers();
    await bench.abandon();
    await until('no masker is left', () => maskers().length === 0 && seen.every((pid) => !isThere(pid)));
    expect(holdingIt()).toEqual([]);
  });
});
