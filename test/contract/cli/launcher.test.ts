/** The plain launcher: which Node runs the command line, and that it stands in for it exactly. */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const launcher = fileURLToPath(new URL('../../../build/binnacle.mjs', import.meta.url));
/** Makes only the process that is given it believe that it is an older Node. */
const asOld = [
  '--import',
  `data:text/javascript,${encodeURIComponent(
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0', napi: '9' } });`,
  )}`,
];

let project = '';
let child: ChildProcess | null = null;
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'binnacle-launcher-'));
  await mkdir(join(project, 'build'));
  await mkdir(join(project, 'node-runtime'));
  await copyFile(launcher, join(project, 'build/binnacle.mjs'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(project, { recursive: true, force: true });
});

const program = (text: string): Promise<void> => writeFile(join(project, 'node-runtime/main.ts'), text);

async function installNode(): Promise<void> {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const folder = join(project, 'node_modules', `node-${platform}-${process.arch}`);
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{}');
  await symlink(process.execPath, join(folder, 'bin', platform === 'win' ? 'node.exe' : 'node'));
}

type Ended = { code: number | null; signal: NodeJS.Signals | null; out: string; err: string };
function start(flags: string[], args: string[]): { ended: Promise<Ended>; out: () => string } {
  const started = spawn(process.execPath, [...flags, join(project, 'build/binnacle.mjs'), ...args], { stdio: 'pipe' });
  child = started;
  let [out, err] = ['', ''];
  started.stdout.on('data', (text: Buffer) => {
    out += text.toString();
  });
  started.stderr.on('data', (text: Buffer) => {
    err += text.toString();
  });
  const ended = new Promise<Ended>((done) => {
    started.once('close', (code, signal) => done({ code, signal, out, err }));
  });
  return { ended, out: () => out };
}

const telling = `const told: object = { args: process.argv.slice(2), again: process.env.BINNACLE_STARTED_AGAIN ?? null };
console.log(JSON.stringify(told));
process.exitCode = 42;`;

describe('the launcher', () => {
  it('runs the command line in its own process when Node is new enough', async () => {
    await program(telling);
    const { code, out } = await start([], ['launch', 'a b', '--json']).ended;
    expect(code).toBe(42);
    expect(JSON.parse(out)).toEqual({ args: ['launch', 'a b', '--json'], again: null });
  });

  it('takes the built program when there is one', async () => {
    await program('process.exitCode = 1;');
    await mkdir(join(project, 'dist/runtime'), { recursive: true });
    await writeFile(join(project, 'dist/runtime/main.js'), 'process.exitCode = 43;');
    expect((await start([], []).ended).code).toBe(43);
  });

  it('runs the Node installed with the project when this one is too old, with arguments and exit code', async () => {
    await program(telling);
    await installNode();
    const { code, out, err } = await start(asOld, ['status', '--data', 'a b']).ended;
    expect({ code, err }).toEqual({ code: 42, err: '' });
    expect(JSON.parse(out)).toEqual({ args: ['status', '--data', 'a b'], again: null });
  });

  it('says in one sentence what to install when there is none, and gives 1', async () => {
    await program(telling);
    const { code, out, err } = await start(asOld, []).ended;
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^binnacle: Node 20\.19\.0 is too old; install Node 22\.22 or newer, .*\.\n$/);
  });

  it.skipIf(process.platform === 'win32').each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'passes %s on and gives the exit code that follows',
    async (signal) => {
      await program(`process.once('${signal}', () => process.exit(7));
      setInterval(() => undefined, 1000);
      console.log('ready');`);
      await installNode();
      const started = start(asOld, ['node']);
      await expect.poll(started.out, { timeout: 10_000 }).toBe('ready\n');
      child?.kill(signal);
      expect(await started.ended).toMatchObject({ code: 7, signal: null });
    },
  );

  it.skipIf(process.platform === 'win32')('ends by the signal that ended the command line', async () => {
    await program(`process.kill(process.pid, 'SIGKILL'); setInterval(() => undefined, 1000);`);
    await installNode();
    expect(await start(asOld, ['node']).ended).toMatchObject({ code: null, signal: 'SIGKILL' });
  });
});
