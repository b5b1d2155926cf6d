import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttemptOrder } from '../../../node-runtime/io/process/orders.ts';
import { Bench, isThere, killIfThere, processesOf, until } from './fixture.ts';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.end());

describe('an attempt that ends by itself', () => {
  beforeEach(() => bench.connect());

  test('succeeds with exit code 0 and is reported as started first', async () => {
    const order = bench.order({ program: 'true', arguments: [] });
    expect(await bench.run(order)).toMatchObject({ state: 'succeeded', cause: 'exit', exitCode: 0, outputBytes: 0 });
    expect(bench.reports.map((one) => one.type)).toEqual(['started', 'ended']);
  });

  test.each([1, 2, 42, 124, 125, 126, 127, 255])('fails with its own exit code %i', async (exitCode) => {
    const end = await bench.run(bench.order(`exit ${exitCode}`));
    expect(end).toMatchObject({ state: 'failed', cause: 'exit', exitCode });
  });

  test('a program that ends with 127 did run, a missing one could not start', async () => {
    const ran = await bench.run(bench.order({ program: 'sh', arguments: ['-c', 'exit 127'] }));
    expect(ran).toMatchObject({ cause: 'exit', exitCode: 127 });
    const missing = await bench.run(bench.order({ program: 'no-such-program', arguments: [] }));
    expect(missing).toMatchObject({ state: 'failed', cause: 'cannot_start' });
    expect(missing.detail).toBe('The program "no-such-program" was not found.');
  });

  test('a file without the right to run, or with a missing interpreter, could not start', async () => {
    writeFileSync(join(bench.directory, 'plain'), 'echo hello\n', { mode: 0o644 });
    const plain = await bench.run(bench.order({ program: './plain', arguments: [] }));
    expect(plain).toMatchObject({ cause: 'cannot_start', detail: '"./plain" is there but may not be executed.' });
    writeFileSync(join(bench.directory, 'odd'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const odd = await bench.run(bench.order({ program: './odd', arguments: [] }));
    expect(odd.detail).toContain('"/no/such/interpreter"');
  });

  test('arguments too long for the system, or a file where a folder should be, are said', async () => {
    const long = await bench.run(bench.order({ program: 'true', arguments: ['x'.repeat(300_000)] }));
    expect(long).toMatchObject({ state: 'failed', cause: 'cannot_start' });
    expect(long.detail).toBe('The arguments and environment of the job are too long for this system.');
    writeFileSync(join(bench.directory, 'file'), '');
    const odd = await bench.run(bench.order('true', { directory: join(bench.directory, 'file') }));
    expect(odd).toMatchObject({ state: 'failed', cause: 'cannot_start' });
  });

  test('a job killed by a signal names it', async () => {
    const end = await bench.run(bench.order('kill -KILL $$'));
    expect(end).toMatchObject({ state: 'failed', cause: 'signal', signal: 'SIGKILL', exitCode: 137 });
  });

  test('a job that kills its own group, wrapper and all, is still reported', async () => {
    const end = await bench.run(bench.order('kill -KILL 0'));
    expect(end).toMatchObject({ state: 'failed', cause: 'signal', signal: 'SIGKILL' });
  });

  test('the shell text ends at the first command that fails', async () => {
    const order = bench.order('echo one\nfalse\necho two\n');
    expect(await bench.run(order)).toMatchObject({ exitCode: 1 });
    expect(bench.output(order.attempt)).toBe('one\n');
  });

  test('arguments reach the program as they are, and echo is the program, not the shell', async () => {
    const odd = ['', ' a  b ', '$HOME', '*', "'", '"', '\\n', 'ä\n', '-n'];
    const order = bench.order({ program: 'printf', arguments: ['%s|', ...odd] });
    await bench.run(order);
    expect(bench.output(order.attempt)).toBe(odd.map((one) => `${one}|`).join(''));
  });

  test('standard input is empty', async () => {
    const order = bench.order('cat; echo done');
    await bench.run(order);
    expect(bench.output(order.attempt)).toBe('done\n');
  });

  test('both streams are kept in order and the end tells how long they are', async () => {
    const order = bench.order('for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done');
    const end = await bench.run(order);
    const expected = [1, 2, 3, 4, 5].map((i) => `out ${i}\nerr ${i}\n`).join('');
    expect(bench.output(order.attempt)).toBe(expected);
    expect(end.outputBytes).toBe(expected.length);
    expect(end.outputCut).toBe(false);
  });

  test('the same order said again does not begin again', async () => {
    const order = bench.order('echo once >>once; sleep 0.2');
    for (let i = 0; i < 5; i++) bench.runner!.start(order);
    await bench.ended(order.attempt);
    bench.runner!.start(order);
    await until('a second report of the end', () => bench.ends(order.attempt).length >= 2);
    expect(readFileSync(join(bench.directory, 'once'), 'utf8')).toBe('once\n');
  });

  test('an attempt that was forgotten does not begin again either', async () => {
    const order = bench.order('echo once >>once');
    await bench.run(order);
    bench.runner!.forget([order.attempt]);
    bench.runner!.start(order);
    const end = await until('a second report of the end', () => bench.ends(order.attempt)[1]);
    expect(end).toMatchObject({ state: 'succeeded', exitCode: 0 });
    expect(readFileSync(join(bench.directory, 'once'), 'utf8')).toBe('once\n');
  });
});

describe('what a job sees', () => {
  const environmentOf = async (order: AttemptOrder) => {
    await bench.run(order);
    const lines = bench.output(order.attempt).split('\0').filter(Boolean);
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  };

  test('is the environment of its order, five names of the system, and the marks', async () => {
    process.env['BINNACLE_TEST_SECRET'] = 'not for jobs';
    process.env['USER'] = 'someone';
    await bench.connect();
    delete process.env['BINNACLE_TEST_SECRET'];
    const order = bench.order(
      { program: 'env', arguments: ['-0'] },
      { environment: { GREETING: 'two\nlines = $x', LANG: 'xx' } },
    );
    const { BINNACLE_MARK: mark, ...seen } = await environmentOf(order);
    const passed = Object.fromEntries(
      ['PATH', 'HOME', 'TMPDIR', 'USER'].flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
    );
    expect(mark).toMatch(/^[0-9a-f]{16}$/);
    expect(seen).toEqual({
      ...passed,
      LANG: 'xx',
      GREETING: 'two\nlines = $x',
      BINNACLE_RUN: order.run,
      BINNACLE_TASK: 'task',
      BINNACLE_ATTEMPT: order.attempt,
      BINNACLE_ATTEMPT_NUMBER: '1',
      PWD: bench.directory,
    });
    expect(readFileSync(`/proc/${bench.runnerPid}/environ`, 'latin1')).not.toContain('not for jobs');
  });

  test('a name that cannot be passed on is said, not dropped', async () => {
    await bench.connect();
    const end = await bench.run(bench.order('true', { environment: { 'A-B': '1' } }));
    expect(end).toMatchObject({ cause: 'cannot_start' });
    expect(end.detail).toContain('"A-B"');
  });

  test('is its working directory, which must exist and lie inside', async () => {
    await bench.connect();
    mkdirSync(join(bench.directory, 'a/b'), { recursive: true });
    symlinkSync('/', join(bench.directory, 'out'));
    const inside = bench.order('pwd', { workingDirectory: 'a/b' });
    await bench.run(inside);
    expect(bench.output(inside.attempt)).toBe(`${bench.directory}/a/b\n`);
    for (const workingDirectory of ['nowhere', '../here', '/etc', 'out']) {
      const end = await bench.run(bench.order('true', { workingDirectory }));
      expect(end).toMatchObject({ state: 'failed', cause: 'cannot_start' });
    }
    const gone = await bench.run(bench.order('true', { directory: join(bench.dataDir, 'gone') }));
    expect(gone).toMatchObject({ cause: 'cannot_start' });
    expect(gone.detail).toContain('does not exist');
  });
});

describe('output that is too long', () => {
  test('is cut, marked, and the job goes on', async () => {
    await bench.connect();
    const order = bench.order('head -c 400000 /dev/zero; sleep 0.3; head -c 1000 /dev/zero; echo x >after', {
      outputBytesMax: 100_000,
    });
    const end = await bench.run(order);
    expect(end).toMatchObject({ state: 'succeeded', outputBytes: 100_000, outputCut: true });
    expect(statSync(join(bench.dataDir, 'attempts', order.attempt, 'output')).size).toBe(100_000);
    expect(statSync(join(bench.dataDir, 'attempts', order.attempt, 'cut')).isFile()).toBe(true);
    expect(readFileSync(join(bench.directory, 'after'), 'utf8')).toBe('x\n');
  });
});

/** A job with a child, one in a session of its own and a daemon whose parent is gone; each says its pid. */
const family = `
sleep 300 & echo $! >>pids
setsid sh -c 'echo $$ >>pids; exec sleep 300' &
( setsid sh -c '(echo daemon; exec sleep 300) & echo $! >>pids' & )
until [ "$(wc -l <pids)" -ge 3 ]; do sleep 0.02; done
`;

describe.each([{ cgroups: false }, { cgroups: true }])('stopping, cgroups wanted: $cgroups', ({ cgroups }) => {
  beforeEach(() => bench.connect({ cgroups }));
  const pids = () => readFileSync(join(bench.directory, 'pids'), 'utf8').trim().split('\n').map(Number);
  const grown = () =>
    until('the whole family', () => {
      try {
        return pids().length >= 3;
      } catch {
        return false;
      }
    });

  test('a cancelled attempt ends with its child, its setsid child and its daemon', async () => {
    const order = bench.order(`${family}\nwait`);
    bench.runner!.start(order);
    await grown();
    expect(processesOf(order.run).length).toBeGreaterThanOrEqual(4);
    bench.runner!.stop(order.attempt, 'cancelled');
    const end = await bench.ended(order.attempt);
    expect(end).toMatchObject({ state: 'cancelled', cause: 'cancelled', signal: 'SIGTERM' });
    expect(processesOf(order.run)).toEqual([]);
    expect(pids().filter(isThere)).toEqual([]);
  });

  test('a process that emptied its environment does not escape within its session', async () => {
    const order = bench.order('env -i sleep 300 & echo $! >>pids; echo 1 >>pids; echo 1 >>pids; wait');
    bench.runner!.start(order);
    await grown();
    bench.runner!.stop(order.attempt, 'cancelled');
    await bench.ended(order.attempt);
    expect(isThere(pids()[0]!)).toBe(false);
  });

  // Nothing but a cgroup holds it: where none is wanted, nothing is promised.
  if (cgroups) {
    test('a daemon that emptied its environment in its own session does not escape its cgroup', async ({ skip }) => {
      if (!bench.hasCgroups) return skip('no cgroup v2 can be made here');
      const order = bench.order(
        `setsid env -i sh -c 'echo $$ >>pids; exec sleep 300' & echo 1 >>pids; echo 1 >>pids; wait`,
      );
      bench.runner!.start(order);
      await grown();
      bench.runner!.stop(order.attempt, 'cancelled');
      await bench.ended(order.attempt);
      expect(pids().filter((pid) => pid !== 1 && isThere(pid))).toEqual([]);
    });
  }

  test('a job that ignores TERM is killed when its grace is over, not before', async () => {
    const order = bench.order('trap "" TERM; echo x >ready; while :; do sleep 0.05; done', { stopGraceMs: 400 });
    bench.runner!.start(order);
    await until('the trap', () => statSync(join(bench.directory, 'ready'), { throwIfNoEntry: false }));
    const asked = performance.now();
    bench.runner!.stop(order.attempt, 'cancelled');
    const end = await bench.ended(order.attempt);
    expect(performance.now() - asked).toBeGreaterThanOrEqual(395);
    expect(end).toMatchObject({ state: 'cancelled', cause: 'cancelled', signal: 'SIGKILL' });
    expect(processesOf(order.run)).toEqual([]);
  });

  test('a job that tidies up on TERM has its grace for it', async () => {
    const order = bench.order('trap "sleep 0.3; echo tidy; exit 9" TERM; echo x >ready; while :; do sleep 0.05; done');
    bench.runner!.start(order);
    await until('the trap', () => statSync(join(bench.directory, 'ready'), { throwIfNoEntry: false }));
    bench.runner!.stop(order.attempt, 'cancelled');
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'cancelled', exitCode: 9 });
    expect(bench.output(order.attempt)).toMatch(/^tidy$/m);
  });

  test('a halted job is stopped too', async () => {
    const order = bench.order('echo x >ready; kill -STOP $$');
    bench.runner!.start(order);
    await until('the halt', () => statSync(join(bench.directory, 'ready'), { throwIfNoEntry: false }));
    bench.runner!.stop(order.attempt, 'cancelled');
    expect(await bench.ended(order.attempt, 4_000)).toMatchObject({ state: 'cancelled' });
  });

  test('an attempt that takes too long is stopped, and that is a failure', async () => {
    const order = bench.order('sleep 300', { timeoutMs: 300 });
    const began = performance.now();
    const end = await bench.run(order);
    expect(performance.now() - began).toBeGreaterThanOrEqual(295);
    expect(end).toMatchObject({ state: 'failed', cause: 'timeout', signal: 'SIGTERM' });
    expect(end.detail).toBe('Stopped because it had not ended after 0.3 s.');
    expect(processesOf(order.run)).toEqual([]);
  });

  test('what a job leaves behind when it ends by itself is killed soon', async () => {
    const order = bench.order(`${family}\nexit 3`);
    const end = await bench.run(order);
    expect(end).toMatchObject({ state: 'failed', cause: 'exit', exitCode: 3 });
    await until('nobody left', () => processesOf(order.run).length === 0, 3_000);
    expect(pids().filter(isThere)).toEqual([]);
  });

  test('a daemon left behind alone in a session of its own is killed soon', async () => {
    const text = `setsid sh -c 'echo $$ >>pids; exec sleep 300' &\nuntil [ -s pids ]; do sleep 0.02; done; exit 0`;
    const order = bench.order(text);
    expect(await bench.run(order)).toMatchObject({ state: 'succeeded' });
    await until('nobody left', () => pids().filter(isThere).length === 0, 3_000);
  });

  test('an attempt cancelled before it began never begins', async () => {
    const order = bench.order('echo x >began');
    bench.runner!.start(order);
    bench.runner!.stop(order.attempt, 'cancelled');
    expect(await bench.ended(order.attempt)).toMatchObject({ state: 'cancelled', detail: 'Stopped before it began.' });
    expect(statSync(join(bench.directory, 'began'), { throwIfNoEntry: false })).toBeUndefined();
  });

  test('stopping what has ended changes nothing', async () => {
    const order = bench.order('exit 5');
    await bench.run(order);
    bench.runner!.stop(order.attempt, 'cancelled');
    expect(await bench.run(bench.order('true'))).toMatchObject({ state: 'succeeded' });
    expect(bench.ends(order.attempt)).toHaveLength(1);
  });
});

test('two nodes on one machine with the same attempt do not kill for each other', async () => {
  const other = new Bench();
  try {
    await bench.connect();
    await other.connect();
    const mine = bench.order('setsid sleep 300 & echo $! >pid; wait');
    const theirs = { ...mine, directory: other.directory };
    bench.runner!.start(mine);
    other.runner!.start(theirs);
    const pid = await until('their process', () => {
      const file = join(other.directory, 'pid');
      return statSync(file, { throwIfNoEntry: false })?.size && Number(readFileSync(file, 'utf8'));
    });
    await until('mine', () => statSync(join(bench.directory, 'pid'), { throwIfNoEntry: false })?.size);
    bench.runner!.stop(mine.attempt, 'cancelled');
    await bench.ended(mine.attempt);
    expect(isThere(pid)).toBe(true);
    expect(other.ends(mine.attempt)).toEqual([]);
    killIfThere(pid);
  } finally {
    await other.end();
  }
});
