/**
 * The clients of `client-program.ts`, seen from the test: started in their host,
 * their history as it grows, stopped when what they began has ended.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Network } from '../support/namespaces.ts';
import { eventually } from '../support/real-node.ts';
import type { Task } from './client-program.ts';
import type { Operation } from './operation.ts';

const program = fileURLToPath(new URL('client-program.ts', import.meta.url));
/** An operation may take its whole time before the program can end. */
const STOP_GRACE_MS = 15_000;

/** What most rounds use; a round says where it differs. */
export const usual = {
  clients: 4,
  pauseMs: [5, 60] as [number, number],
  mix: { launch: 8, cancel: 1, write: 3, readRun: 3, readFile: 2, readCluster: 1 },
  tryMs: 2_000,
  operationMs: 30_000,
};

export class Clients {
  readonly history: Operation[] = [];
  readonly #child: ChildProcess;
  readonly #operationMs: number;
  #ended: string | null = null;

  private constructor(child: ChildProcess, operationMs: number) {
    this.#child = child;
    this.#operationMs = operationMs;
    createInterface({ input: child.stdout! }).on('line', (line) => this.history.push(JSON.parse(line) as Operation));
    child.once('exit', (code, signal) => (this.#ended = `ended with ${signal ?? code}`));
  }

  static start(network: Network, host: string, task: Task): Clients {
    const child = network.spawn(host, process.execPath, [program, JSON.stringify(task)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return new Clients(child, task.operationMs);
  }

  /** Waits until a change that was called after `since` was acknowledged; gives it. */
  acknowledgedAfter(since: number, deadlineMs: number): Promise<Operation> {
    let looked = 0;
    return eventually(
      'a change is acknowledged',
      () => {
        if (this.#ended) throw new Error(`The clients ${this.#ended}.`);
        for (; looked < this.history.length; looked++) {
          const one = this.history[looked]!;
          if (one.kind === 'launch' && one.outcome === 'ok' && one.triedAt > since) return one;
        }
        return false;
      },
      deadlineMs,
    );
  }

  /** No new operation begins; all that began have ended when this resolves. */
  async stop(): Promise<Operation[]> {
    if (this.#ended === null) {
      const over = new Promise((done) => this.#child.once('close', done));
      this.#child.stdin!.end();
      const late = setTimeout(() => this.#child.kill('SIGKILL'), this.#operationMs + STOP_GRACE_MS);
      await over;
      clearTimeout(late);
    }
    if (this.#ended !== 'ended with 0') throw new Error(`The clients ${this.#ended}.`);
    return this.history;
  }
}
