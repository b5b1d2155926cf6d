/** Following a run: every byte once, whatever breaks, and an exit code that says how it ended. */
import { spawn } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Run, RunState, TaskState } from '../../../node-runtime/contract/model.ts';
import { type Answers, binnacle, fakeNode, Refused, written } from './fake-node.ts';
import { madeAttempt, madeRun, madeTask } from './made-up.ts';

/** A run whose tasks end when the test says so; outputs are bytes a test may add to. */
class FakeRun {
  readonly outputs = new Map<string, Buffer>();
  readonly states = new Map<string, TaskState>();
  readonly waiting = new Set<{ task: string; from: number; response: ServerResponse }>();
  state: RunState = 'running';

  constructor(...tasks: string[]) {
    for (const task of tasks) {
      this.outputs.set(task, Buffer.alloc(0));
      this.states.set(task, 'running');
    }
  }

  write(task: string, bytes: string | Uint8Array): void {
    this.outputs.set(task, Buffer.concat([this.outputs.get(task) ?? Buffer.alloc(0), Buffer.from(bytes)]));
    this.send();
  }

  end(task: string, state: 'succeeded' | 'failed' | 'cancelled' | 'unknown'): void {
    this.states.set(task, state);
    this.send();
  }

  /** Breaks every stream that is open, in the middle. */
  breakStreams(): number {
    const open = this.waiting.size;
    for (const { response } of this.waiting) response.destroy();
    this.waiting.clear();
    return open;
  }

  send(): void {
    for (const each of this.waiting) {
      const output = this.outputs.get(each.task) ?? Buffer.alloc(0);
      if (each.from < output.length) each.response.write(output.subarray(each.from));
      each.from = output.length;
      if (this.states.get(each.task) === 'running') continue;
      each.response.end();
      this.waiting.delete(each);
    }
  }

  told(): Run {
    const tasks = [...this.states].map(([id, state]) => {
      const ended = state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'unknown';
      const outputBytes = ended ? (this.outputs.get(id)?.length ?? 0) : 0;
      return madeTask({
        id,
        name: id,
        state,
        attempts: [madeAttempt({ state: ended ? state : 'running', outputBytes })],
      });
    });
    return madeRun({ state: this.state, tasks, tasksTotal: tasks.length });
  }

  answers(): Answers {
    return {
      launch: () => this.told(),
      run: () => this.told(),
      log: ({ params, query, response }) => {
        response.writeHead(200, { 'content-type': 'text/plain' });
        response.flushHeaders();
        this.waiting.add({ task: params.task, from: query.offset ?? 0, response });
        this.send();
        return written;
      },
    };
  }
}

const reached = (check: () => boolean) => expect.poll(check, { timeout: 10_000, interval: 5 }).toBe(true);

describe('launch --follow', () => {
  it('prints the output live on stdout, and gives 0 when the run succeeded', async () => {
    const run = new FakeRun('main');
    await using node = await fakeNode(run.answers());
    let live = '';
    const heard = (text: string) => {
      live += text;
    };
    const ran = binnacle(['launch', 'lab/a.sh', '--follow', '--data', node.data], { heard });
    await reached(() => run.waiting.size === 1);
    run.write('main', 'one\n');
    await reached(() => live === 'one\n');
    run.write('main', 'two');
    run.end('main', 'succeeded');
    run.state = 'succeeded';
    const { code, out, err } = await ran;
    expect({ code, out }).toEqual({ code: 0, out: 'one\ntwo' });
    expect(err).toContain('Run r-42: succeeded');
  });

  it.each([
    ['failed', 1],
    ['cancelled', 5],
    ['unknown', 6],
  ] as const)('gives its own code when the run has %s', async (state, code) => {
    const run = new FakeRun('main');
    run.end('main', state);
    run.state = state;
    await using node = await fakeNode(run.answers());
    const ran = await binnacle(['launch', 'lab/a.sh', '--follow', '--data', node.data]);
    expect(ran.code).toBe(code);
  });

  it('goes on at the byte where the connection broke, also inside a sign, and prints nothing twice', async () => {
    const run = new FakeRun('main');
    await using node = await fakeNode(run.answers());
    const ran = binnacle(['launch', 'lab/a.sh', '--follow', '--data', node.data]);
    await reached(() => run.waiting.size === 1);
    const sign = Buffer.from('€');
    run.write('main', 'first line\n');
    run.write('main', sign.subarray(0, 2));
    const opened = () => node.seen.filter((each) => each.route === 'log').length;
    // What was written has to have arrived before the break: only then is a resume exact.
    await reached(() => [...run.waiting].every(({ response }) => response.writableLength === 0));
    expect(run.breakStreams()).toBe(1);
    run.write('main', sign.subarray(2));
    run.write('main', 'last line\n');
    await reached(() => opened() === 2 && run.waiting.size === 1);
    run.end('main', 'succeeded');
    run.state = 'succeeded';
    const { code, out } = await ran;
    expect({ code, out }).toEqual({ code: 0, out: 'first line\n€last line\n' });
    const offsets = node.seen.filter((each) => each.route === 'log').map((each) => /offset=(\d+)/.exec(each.url)?.[1]);
    expect(offsets[0]).toBe('0');
    expect(Number(offsets[1])).toBeGreaterThan(0);
  });

  it('stays while the node restarts: refused and starting are waited for', async () => {
    const run = new FakeRun('main');
    let trouble = 0;
    const answers = run.answers();
    await using node = await fakeNode({
      ...answers,
      run: ({ request }) => {
        trouble += 1;
        if (trouble === 2) request.socket.destroy();
        return trouble === 3 ? new Refused('starting', 'ctl-a is starting.') : run.told();
      },
    });
    const ran = binnacle(['launch', 'lab/a.sh', '--follow', '--data', node.data]);
    await reached(() => trouble >= 4 && run.waiting.size === 1);
    run.write('main', 'done\n');
    run.end('main', 'succeeded');
    run.state = 'succeeded';
    const { code, out, err } = await ran;
    expect({ code, out }).toEqual({ code: 0, out: 'done\n' });
    expect(err).toContain('Connected again.');
  });

  it('does not take a stream that ends early for the end of the output', async () => {
    const run = new FakeRun('main');
    await using node = await fakeNode(run.answers());
    const ran = binnacle(['launch', 'lab/a.sh', '--follow', '--data', node.data]);
    await reached(() => run.waiting.size === 1);
    run.write('main', 'before\n');
    for (const { response } of run.waiting) response.end();
    run.waiting.clear();
    await reached(() => run.waiting.size === 1);
    run.write('main', 'after\n');
    run.end('main', 'succeeded');
    run.state = 'succeeded';
    expect(await ran).toMatchObject({ code: 0, out: 'before\nafter\n' });
  });

  it('writes the name of the task before each line when there are several, and never mixes lines', async () => {
    const run = new FakeRun('build', 'test');
    await using node = await fakeNode(run.answers());
    const ran = binnacle(['launch', 'lab/a.job.yaml', '--follow', '--data', node.data]);
    await reached(() => run.waiting.size === 2);
    run.write('build', 'half a ');
    run.write('test', 'ok 1\nok 2\n');
    run.write('build', 'line\nno newline');
    run.end('build', 'succeeded');
    run.end('test', 'failed');
    run.state = 'failed';
    const { code, out } = await ran;
    expect(code).toBe(1);
    const expected = ['build | half a line', 'build | no newline', 'test  | ok 1', 'test  | ok 2'];
    expect(out.trimEnd().split('\n').sort()).toEqual(expected);
  });

  it('with --json prints one document a line: the run, outputs with offsets, the end', async () => {
    const run = new FakeRun('main');
    run.write('main', 'héllo\n');
    run.end('main', 'succeeded');
    run.state = 'succeeded';
    await using node = await fakeNode(run.answers());
    const { code, out, err } = await binnacle(['launch', 'lab/a.sh', '--follow', '--json', '--data', node.data]);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(lines.map((line) => line['kind'])).toEqual(['run', 'task', 'output', 'ended']);
    expect(lines[2]).toEqual({ kind: 'output', task: 'main', attempt: 1, offset: 0, text: 'héllo\n' });
  });

  it('says on Ctrl-C that the run goes on, and gives 130', async () => {
    const run = new FakeRun('main');
    await using node = await fakeNode(run.answers());
    const program = fileURLToPath(new URL('run-alone.ts', import.meta.url));
    const child = spawn(process.execPath, [program, 'launch', 'lab/a.sh', '--follow', '--data', node.data]);
    let err = '';
    child.stderr.on('data', (text: Buffer) => (err += text.toString()));
    const ended = new Promise<number | null>((done) => child.once('exit', done));
    await reached(() => run.waiting.size === 1);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(err).toContain('The run goes on. To stop it: binnacle cancel r-42');
    expect(node.seen.some((each) => each.route === 'cancel')).toBe(false);
  });
});

describe('logs', () => {
  it('prints what there is, in parts, without waiting for the end', async () => {
    const bytes = Buffer.from('ünïcode line\n'.repeat(100_000));
    let run = madeRun();
    await using node = await fakeNode({
      run: () => run,
      log: ({ query, response }) => {
        const from = query.offset ?? 0;
        response.end(bytes.subarray(from, from + (query.limit ?? 0)));
        return written;
      },
    });
    const { code, out } = await binnacle(['logs', 'r-42', '--data', node.data]);
    expect(code).toBe(0);
    expect(out === bytes.toString()).toBe(true);
    run = madeRun({ tasks: [madeTask({ attempts: [] })] });
    expect(await binnacle(['logs', 'r-42', '--data', node.data])).toEqual({ code: 0, out: '', err: '' });
  });

  it('of one attempt asks for that one, and refuses one that was never made', async () => {
    const attempts = [madeAttempt({ number: 1, state: 'failed' }), madeAttempt({ number: 2 })];
    await using node = await fakeNode({
      run: () => madeRun({ tasks: [madeTask({ id: 'build', attempts })] }),
      log: ({ query, response }) => {
        response.end(`attempt ${query.attempt}\n`);
        return written;
      },
    });
    const of = (attempt: string) => binnacle(['logs', 'r-42', 'build', '--attempt', attempt, '--data', node.data]);
    expect((await of('1')).out).toBe('attempt 1\n');
    expect(await of('3')).toMatchObject({ code: 3, out: '', err: expect.stringContaining('no attempt 3') });
  });

  it('-f of a failed run prints it and gives 1', async () => {
    const run = new FakeRun('main');
    run.write('main', 'gone wrong\n');
    run.end('main', 'failed');
    run.state = 'failed';
    await using node = await fakeNode(run.answers());
    expect(await binnacle(['logs', '-f', 'r-42', '--data', node.data])).toMatchObject({ code: 1, out: 'gone wrong\n' });
  });

  it('-f of one task ends with that task', async () => {
    const run = new FakeRun('build', 'test');
    run.write('build', 'built\n');
    run.end('build', 'succeeded');
    await using node = await fakeNode(run.answers());
    const ran = await binnacle(['logs', '-f', 'r-42', 'build', '--data', node.data]);
    expect(ran).toMatchObject({ code: 0, out: 'built\n' });
  });

  it('of a task that does not exist names those that do', async () => {
    const run = new FakeRun('build', 'test');
    await using node = await fakeNode(run.answers());
    const ran = await binnacle(['logs', 'r-42', 'bild', '-f', '--data', node.data]);
    expect(ran).toMatchObject({ code: 3, err: expect.stringContaining('build, test') });
  });
});
