/**
 * A real runner on a folder of its own, for tests: real processes, real kills.
 *
 * Every attempt has a run id of its own, so that processes of a test are found
 * by an own look at /proc that shares nothing with the code under test. What a
 * test leaves behind is killed and removed at its end.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { AttemptEnd } from '../../../node-runtime/contract/facts.ts';
import { connectRunner, type Runner } from '../../../node-runtime/io/process/connect-runner.ts';
import { forkRunner } from '../../../node-runtime/io/process/fork-runner.ts';
import type { AttemptOrder, AttemptReport } from '../../../node-runtime/io/process/orders.ts';

export const freshRun = (): string => `run-${randomBytes(6).toString('hex')}`;

export async function until<T>(what: string, look: () => T | Promise<T>, ms = 10_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen) return seen as NonNullable<T>;
    if (performance.now() > deadline) throw new Error(`This did not come: ${what}`);
    await pause(5);
  }
}

/** Pids whose environment names this run, zombies left out. */
export function processesOf(run: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`BINNACLE_RUN=${run}\0`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export function isThere(pid: number): boolean {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return line.slice(line.lastIndexOf(')') + 2, line.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}

/** A test may have named a stranger as the runner. */
function isOurs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('io/process/runner.');
  } catch {
    return false;
  }
}

export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already: that was the aim.
  }
}

export class Bench {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'binnacle-process-'));
  readonly directory = join(this.dataDir, 'here');
  readonly runs: string[] = [];
  readonly reports: AttemptReport[] = [];
  readonly lost: number[] = [];
  runnerPid = 0;
  hasCgroups = false;
  runner: Runner | null = null;

  constructor() {
    mkdirSync(this.directory);
  }

  /** Starts a node's side with its runner; resolves when the runner is alone on the folder. */
  async connect(options: { cgroups?: boolean; restartMsMax?: number } = {}): Promise<Runner> {
    this.runnerPid = 0;
    this.runner = connectRunner(forkRunner, {
      dataDir: this.dataDir,
      cgroups: false,
      ...options,
      onOpened: ({ pid, cgroups }) => {
        this.runnerPid = pid;
        this.hasCgroups = cgroups;
      },
      onLost: (_why, restartMs) => {
        this.runnerPid = 0;
        this.lost.push(restartMs);
      },
    });
    this.runner.onReport((report) => this.reports.push(report));
    await until('a runner', () => this.runnerPid);
    return this.runner;
  }

  order(command: AttemptOrder['command'] | string, more: Partial<AttemptOrder> = {}): AttemptOrder {
    const run = more.run ?? freshRun();
    const task = more.task ?? 'task';
    const number = more.number ?? 1;
    this.runs.push(run);
    return {
      attempt: `${run}.${task}.${number}`,
      run,
      task,
      number,
      term: '1.1.a',
      files: null,
      directory: more.files ? null : this.directory,
      workingDirectory: '',
      command: typeof command === 'string' ? { shell: command } : command,
      environment: {},
      timeoutMs: null,
      stopGraceMs: 5_000,
      outputBytesMax: 1_000_000,
      leased: false,
      ...more,
    };
  }

  ends(attempt: string): AttemptEnd[] {
    return this.reports.flatMap((one) => (one.attempt === attempt && one.type === 'ended' ? [one.end] : []));
  }

  started(attempt: string): Promise<AttemptReport> {
    return until(`the start of ${attempt}`, () =>
      this.reports.find((one) => one.attempt === attempt && one.type === 'started'),
    );
  }

  ended(attempt: string, ms?: number): Promise<AttemptEnd> {
    return until(`the end of ${attempt}`, () => this.ends(attempt)[0], ms);
  }

  async run(order: AttemptOrder): Promise<AttemptEnd> {
    this.runner!.start(order);
    return this.ended(order.attempt);
  }

  /** A node that dies at once, with its runner or without: nothing is said any more. */
  async abandon(): Promise<void> {
    const pid = this.runnerPid;
    const closed = this.runner!.close();
    if (pid) killIfThere(pid);
    await closed;
    this.runner = null;
  }

  read(name: string): string {
    return readFileSync(join(this.dataDir, name), 'utf8');
  }

  output(attempt: string): string {
    return this.read(`attempts/${attempt}/output`);
  }

  /** The pid of the keeper, 0 for none. */
  keeper(): number {
    const file = join(this.dataDir, 'attempts/.keeper');
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    return isThere(pid) ? pid : 0;
  }

  /** Takes the keeper out of the game, so that it is seen what the runner does alone. */
  async haltKeeper(other = 0): Promise<void> {
    const keeper = await until('a keeper', () => (this.keeper() === other ? 0 : this.keeper()));
    process.kill(keeper, 'SIGSTOP');
  }

  async end(): Promise<void> {
    await this.runner?.close();
    // A runner may stay for attempts with a lease, and the keeper for as long as it runs.
    const file = join(this.dataDir, 'attempts/.runner');
    const runner = existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : 0;
    if (runner && isOurs(runner)) killIfThere(runner);
    if (this.keeper()) killIfThere(this.keeper());
    for (const run of this.runs) for (const pid of processesOf(run)) killIfThere(pid);
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
