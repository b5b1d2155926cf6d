/** What commands print, where, and which exit code they give. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { TerminalInput } from '../../../node-runtime/io/cli/outside.ts';
import { binnacle, fakeNode, Refused } from './fake-node.ts';
import { madeAttempt, madeCluster, madeRun, madeTask } from './made-up.ts';

const at = '2026-03-04T09:22:31.000Z';
const token = { id: 't-1', label: 'ci', role: 'operator' as const, createdAt: at, createdBy: 'desktop' };

describe('token create', () => {
  it('prints the token alone on stdout', async () => {
    await using node = await fakeNode({
      tokenCreate: ({ body }) => {
        expect(body).toEqual({ role: 'operator', label: 'ci', expiresInDays: 90 });
        return { ...token, secret: 'bn_secret' };
      },
    });
    const asked = ['token', 'create', '--role', 'operator', '--label', 'ci', '--expires', '90', '--data', node.data];
    expect(await binnacle(asked)).toEqual({ code: 0, out: 'bn_secret\n', err: '' });
    const shown = await binnacle(asked, { isTty: true });
    expect(shown).toMatchObject({ out: 'bn_secret\n', err: expect.stringContaining('only this once') });
  });

  it('is not repeated when it is not known whether a token was made', async () => {
    await using node = await fakeNode({
      tokenCreate: ({ request }) => {
        request.socket.destroy();
        return { ...token, secret: 'bn_lost' };
      },
    });
    const ran = await binnacle(['token', 'create', '--role', 'viewer', '--data', node.data]);
    expect(ran).toMatchObject({ code: 4, out: '' });
    expect(node.seen).toHaveLength(1);
  });
});

describe('a refusal', () => {
  const wrong = new Refused('job_file_wrong', 'jobs/a.job.yaml has a mistake.', [
    { path: 'tasks.build', line: 3, column: 5, sentence: 'There is no task "bild".', hint: 'Did you mean "build"?' },
  ]);

  it('is told with its mistakes and the next step, and gives 3', async () => {
    await using node = await fakeNode({ launch: () => wrong });
    const ran = await binnacle(['launch', 'lab', 'jobs/a.job.yaml', '--data', node.data]);
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(ran.err.split('\n')).toEqual([
      'binnacle: jobs/a.job.yaml has a mistake.',
      '  tasks.build:3:5: There is no task "bild". Did you mean "build"?',
      'Mend the lines named, save, launch again.',
      '',
    ]);
  });

  it('with --json is the problem document itself, on stderr', async () => {
    await using node = await fakeNode({ launch: () => wrong });
    const ran = await binnacle(['launch', 'lab', 'jobs/a.job.yaml', '--json', '--data', node.data]);
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(JSON.parse(ran.err)).toMatchObject({ code: 'job_file_wrong', status: 422, problems: wrong.problems });
  });

  it('that is no problem document is not printed as if it were', async () => {
    await using node = await fakeNode({
      run: ({ response }) => {
        response.writeHead(502).end('<html>\u001b[31mBad gateway');
        return madeRun();
      },
    });
    const ran = await binnacle(['run', 'r-42', '--data', node.data]);
    expect(ran.code).toBe(3);
    expect(ran.err).toContain('was not understood (status 502)');
    expect(ran.err).not.toContain('html');
  });
});

describe('a change', () => {
  it('is sent again under the same key when the connection breaks, and printed once', async () => {
    const keys = new Set<string | undefined>();
    let tries = 0;
    await using node = await fakeNode({
      launch: ({ request }) => {
        keys.add(request.headers['idempotency-key'] as string);
        tries += 1;
        if (tries < 3) request.socket.destroy();
        return madeRun({ state: 'queued' });
      },
    });
    const ran = await binnacle(['launch', 'lab/jobs/report.py', '--data', node.data]);
    expect(ran).toMatchObject({ code: 0, out: 'r-42\n', err: expect.stringContaining('Trying again') });
    expect(tries).toBe(3);
    expect(keys.size).toBe(1);
    expect([...keys][0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is sent again when the node says that the outcome is not known', async () => {
    let tries = 0;
    await using node = await fakeNode({
      cancel: () => {
        tries += 1;
        return tries === 1 ? new Refused('unknown_outcome', 'It was not confirmed.') : madeRun({ state: 'cancelled' });
      },
    });
    expect((await binnacle(['cancel', 'r-42', '--data', node.data])).code).toBe(0);
    expect(new Set(node.seen.map((each) => each.key)).size).toBe(1);
    expect(tries).toBe(2);
  });

  it('that was never answered is said to be not known, with the key to repeat it', async () => {
    await using node = await fakeNode({
      launch: ({ request }) => {
        request.socket.destroy();
        return madeRun();
      },
    });
    const asked = ['launch', 'lab/a.sh', '--key', 'nightly-1', '--retry-for', '1', '--data', node.data];
    const ran = await binnacle(asked);
    expect(ran.code).toBe(4);
    expect(ran.err).toContain('It is not known whether this was done.');
    expect(ran.err).toContain('--key nightly-1');
    expect(node.seen.length).toBeGreaterThan(1);
    expect(new Set(node.seen.map((each) => each.key))).toEqual(new Set(['nightly-1']));
  });
});

describe('launch', () => {
  it('sends parameters as the job file declares them', async () => {
    const field = { label: '', required: false };
    let sent: unknown;
    await using node = await fakeNode({
      launchForm: () => ({
        sandbox: 'lab',
        path: 'a.job.yaml',
        name: 'a',
        format: 'job',
        open: false,
        tasks: [],
        placement: [],
        parameters: [
          { name: 'count', type: 'integer', ...field },
          { name: 'dry', type: 'boolean', ...field },
          { name: 'day', type: 'string', ...field },
        ],
      }),
      launch: ({ body }) => {
        sent = body;
        return madeRun();
      },
    });
    const given = ['-p', 'count=7', '-p', 'dry=yes', '-p', 'day=2026', '-p', 'other=1=2'];
    expect((await binnacle(['launch', 'lab', 'a.job.yaml', ...given, '--data', node.data])).code).toBe(0);
    expect(sent).toEqual({
      sandbox: 'lab',
      path: 'a.job.yaml',
      parameters: { count: 7, dry: true, day: '2026', other: '1=2' },
    });
  });
});

describe('runs', () => {
  const page = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const { tasks: _tasks, parameters: _parameters, term: _term, via: _via, ...summary } = madeRun();
      return { ...summary, id: `r-${from - i}` };
    });

  it('reads page after page with --all and prints one document', async () => {
    await using node = await fakeNode({
      runs: ({ query }) =>
        query.cursor === 'older' ? { runs: page(10, 10) } : { runs: page(510, 500), cursor: 'older' },
    });
    const ran = await binnacle(['runs', '--all', '--json', '--data', node.data]);
    const { runs, cursor } = JSON.parse(ran.out) as { runs: { id: string }[]; cursor?: string };
    expect(runs).toHaveLength(510);
    expect([runs[0]?.id, runs.at(-1)?.id, cursor]).toEqual(['r-510', 'r-1', undefined]);
  });

  it('prints an aligned table without colours when nobody looks', async () => {
    await using node = await fakeNode({ runs: () => ({ runs: page(12, 2) }) });
    const { out } = await binnacle(['runs', '--data', node.data]);
    const [head = '', first = '', second = ''] = out.split('\n');
    expect(head.indexOf('STATE')).toBe(first.indexOf('running'));
    expect(first).toContain('r-12');
    expect(second).toContain('r-11');
    expect(out).not.toContain('\u001b');
  });

  it('refuses a state that does not exist before a node is asked', async () => {
    const ran = await binnacle(['runs', '--state', 'running,gone', '--data', '/nowhere']);
    expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('"gone"') });
  });
});

describe('status', () => {
  it('says what is waited for, and that it is not confirmed', async () => {
    const waitsFor = [{ what: 'No watch.', next: 'Invite one.', since: at }];
    await using node = await fakeNode({
      cluster: () => madeCluster({ fresh: false, state: 'waiting', waitsFor, name: 'lab\u001b[2J' }),
      nodes: () => ({ nodes: [] }),
    });
    const { code, out } = await binnacle(['status', '--data', node.data]);
    expect(code).toBe(0);
    expect(out).toContain('No watch.');
    expect(out).toContain('not confirmed');
    expect(out).not.toContain('\u001b[2J');
  });
});

describe('run', () => {
  it('shows every task with how it ended', async () => {
    const failed = madeAttempt({ state: 'failed', exitCode: 3, endedAt: '2026-03-04T09:22:43.000Z' });
    const tasks = [madeTask({ id: 'build', state: 'failed', attempts: [failed], reason: 'It ended with 3.' })];
    await using node = await fakeNode({ run: () => madeRun({ state: 'failed', tasks, parameters: { day: 1 } }) });
    const { code, out } = await binnacle(['run', 'r-42', '--data', node.data]);
    expect(code).toBe(0);
    expect(out).toMatch(/build +failed +1\/1 +ctl-a +3 +12 s +It ended with 3\./);
    expect(out).toContain('day = 1');
  });
});

describe('a password', () => {
  const user = { name: 'bob', role: 'viewer' as const, createdAt: at };
  const asked = ['user', 'add', 'bob', '--role', 'viewer'];
  const sentTo = (passwords: unknown[]) =>
    fakeNode({
      userCreate: ({ body }) => {
        passwords.push(body['password']);
        return user;
      },
    });

  it('is read from stdin of a script', async () => {
    const passwords: unknown[] = [];
    await using node = await sentTo(passwords);
    const stdin = new PassThrough();
    stdin.end('correct horse battery\nmore\n');
    expect((await binnacle([...asked, '--data', node.data], { stdin })).code).toBe(0);
    expect(passwords).toEqual(['correct horse battery']);
  });

  it('is asked for twice on a terminal, and never shown', async () => {
    const passwords: unknown[] = [];
    await using node = await sentTo(passwords);
    const modes: boolean[] = [];
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => modes.push(on) });
    const ran = binnacle([...asked, '--data', node.data], { stdin: stdin as TerminalInput });
    stdin.write('correct horxx\u007f\u007fse battery\r');
    await expect.poll(() => modes.length, { timeout: 5000 }).toBeGreaterThanOrEqual(3);
    stdin.write('correct horse battery\r');
    const { code, out, err } = await ran;
    expect(code).toBe(0);
    expect(passwords).toEqual(['correct horse battery']);
    expect(modes).toEqual([true, false, true, false]);
    expect(out + err).not.toMatch(/horse|battery/);
  });

  it('that is too short is refused here, and not sent', async () => {
    const passwords: unknown[] = [];
    await using node = await sentTo(passwords);
    const file = join(node.data, 'password');
    await writeFile(file, 'short\n');
    const ran = await binnacle([...asked, '--password-file', file, '--data', node.data]);
    expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('10 to 256 characters') });
    expect(passwords).toEqual([]);
  });
});

describe('commands that act here', () => {
  it('init gives the acts what was asked and shows a made password once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'binnacle-cli-'));
    try {
      const given: unknown[] = [];
      const init = async (o: object) => {
        given.push(o);
        return { cluster: 'lab', node: 'deck', admin: 'ada', password: 'made-by-us-1', fingerprint: 'cd'.repeat(32) };
      };
      const ran = await binnacle(['init', '--cluster', 'lab', '--admin', 'ada', '--data', folder], { acts: { init } });
      expect(ran.code).toBe(0);
      expect(given).toEqual([{ data: folder, cluster: 'lab', admin: 'ada' }]);
      expect(ran.out.split('made-by-us-1')).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('node gives its own exit code and says when it is ready', async () => {
    const ran = await binnacle(['--json', 'node', '--listen', '[::]:0', '--data', '/d'], {
      acts: {
        node: async ({ listen, data, onReady }) => {
          expect([listen, data]).toEqual(['[::]:0', '/d']);
          const ready = { url: 'https://x:1', fingerprint: 'ab', socketPath: '/s', name: 'deck' };
          onReady(Object.assign(ready, { key: 'of the node' }));
          return 9;
        },
      },
    });
    expect(ran.code).toBe(9);
    const ready = { kind: 'ready', name: 'deck', url: 'https://x:1', fingerprint: 'ab', socketPath: '/s' };
    expect(JSON.parse(ran.out)).toEqual(ready);
  });

  it('demo opens the console unless told not to', async () => {
    const opens: boolean[] = [];
    const demo = async ({ open }: { open: boolean }) => {
      opens.push(open);
      return 0;
    };
    await binnacle(['demo'], { acts: { demo } });
    await binnacle(['demo', '--no-open'], { acts: { demo } });
    expect(opens).toEqual([true, false]);
  });

  it('doctor gives 1 when it found a problem', async () => {
    const doctor = async () => [
      { level: 'ok' as const, what: 'The journal is whole.' },
      { level: 'problem' as const, what: 'The disk is full.', next: 'Free some space.' },
    ];
    const ran = await binnacle(['doctor', '--data', '/d'], { acts: { doctor } });
    expect(ran.code).toBe(1);
    expect(ran.out).toContain('Free some space.');
  });

  it('an act that fails is told without a stack, with its cause only when asked', async () => {
    const init = async () => Promise.reject(new Error('The folder is not empty.', { cause: new Error('deeper') }));
    const quiet = await binnacle(['init', '--cluster', 'lab'], { acts: { init } });
    expect(quiet).toEqual({ code: 7, out: '', err: 'binnacle: The folder is not empty.\n' });
    const loud = await binnacle(['init', '--cluster', 'lab', '--verbose'], { acts: { init } });
    expect(loud.err).toContain('because: Error: deeper');
    expect(loud.err).not.toContain('    at ');
  });
});
