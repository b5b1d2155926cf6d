/**
 * Starts the masker of an attempt, and sees to it that it has written all before
 * the attempt's end is told.
 *
 * The job gets one end of a pipe that has no name any more; the masker has the
 * other. Inside the desktop program no process of Node can be started from its
 * own executable, so there the machine has to have one. What can't be started
 * throws with a sentence: a job never begins with its secrets and without one.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, closeSync, constants, openSync, rmSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readIfThere } from './attempt-folder.ts';
import { passedOn } from './launch.ts';
import { isAlive, signalSeen } from './machine-processes.ts';

const readyMsMax = 15_000;
/** Nobody of the attempt is left, so its pipe is empty in a moment; who left the attempt may still hold it open. */
const endMsUsual = 1_000;
const endMsMax = 3_000;
const lookMs = 10;

/** The masker beside this module: a source while developing, else the bundled `masker.js`. */
const entry = (): string =>
  fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './masker.ts' : './masker.js', import.meta.url));

/** Gives the end of the pipe that the job writes into; to be closed when the job has it. */
export async function startMasker(folder: string, values: string[]): Promise<number> {
  const pipe = join(folder, 'pipe');
  rmSync(pipe, { force: true });
  const environment = { PATH: passedOn(process.env)['PATH']! };
  await promisify(execFile)('mkfifo', ['-m', '600', pipe], { env: environment });
  // While this is open the masker waits for what is written, also before there is a job.
  const held = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const child = spawn(nodeProgram(), ['--max-old-space-size=128', entry(), folder], {
      cwd: '/',
      env: environment,
      detached: true, // ends with nobody
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.unref();
    child.stdin.on('error', () => {}); // it ended: seen below
    const ready = once(child.stdout, 'data', { signal: AbortSignal.timeout(readyMsMax) });
    ready.catch(() => {}); // also when it ended before it could say so
    const gone = new Promise<never>((_, failed) => {
      child.once('error', failed);
      child.once('exit', (code, signal) => failed(new Error(`it ended with ${signal ?? `code ${code}`}`)));
    });
    gone.catch(() => {}); // also when it ends later, as it should
    child.stdin.end(JSON.stringify({ folder, values }));
    await Promise.race([ready, gone]).catch((problem) => {
      child.kill('SIGKILL');
      throw problem;
    });
    child.stdout.destroy();
    return openSync(pipeOf(held), constants.O_WRONLY);
  } finally {
    closeSync(held);
  }
}

/** The pipe has no name any more; who has it open can open it again. */
const pipeOf = (fd: number): string => `/proc/self/fd/${fd}`;

function nodeProgram(): string {
  if (!process.versions['electron']) return process.execPath;
  const places = passedOn(process.env)['PATH']!.split(delimiter).filter(isAbsolute);
  const found = places.map((place) => join(place, 'node')).find(mayExecute);
  if (found !== undefined) return found;
  throw new Error('inside the desktop program it needs Node.js 22 or newer on this computer, as "node" on the PATH');
}

function mayExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export const isMasked = (folder: string): boolean => readIfThere(join(folder, 'masking')) !== null;

/**
 * Waits until the masker of an attempt that has ended has written all, and ends it if it doesn't. A sentence when it
 * was ended from outside, so that output may be missing.
 */
export async function endMasker(folder: string): Promise<string | null> {
  const file = join(folder, 'masking');
  const begun = performance.now();
  let asked = false;
  for (;;) {
    const text = readIfThere(file);
    if (text === null) return null;
    const [pid, startTicks] = text.trim().split(' ').map(Number) as [number, number];
    const left = performance.now() - begun;
    if (!isAlive({ pid, startTicks })) {
      // Its file goes a moment before itself.
      if (readIfThere(file) === null) return null;
      rmSync(file, { force: true });
      return 'What keeps its secrets out of the output was ended from outside: some of the output is missing.';
    }
    if (left > endMsUsual && !asked) {
      asked = true;
      signalSeen({ pid, startTicks }, 'SIGTERM');
    }
    if (left > endMsMax) signalSeen({ pid, startTicks }, 'SIGKILL');
    await pause(lookMs);
  }
}
