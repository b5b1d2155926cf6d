/**
 * Runner processes: started when the runtime asks, because with the fuses of
 * the packaged program only main can start a helper process.
 *
 * Runner and runtime are joined by a message channel; main passes nothing on.
 * When one ends, the other is told. Jobs themselves live in their wrappers and
 * outlive both, so ending a runner ends no job.
 */
import { MessageChannelMain, type UtilityProcess, utilityProcess } from 'electron';
import { desktopLimits as limits } from '../limits.ts';
import type { ToRunner, ToRuntime } from './messages.ts';

type Start = { file: string; env: Record<string, string>; log: (line: string) => void };

export class Runners {
  #start: Start;
  #running = new Map<string, UtilityProcess>();

  constructor(start: Start) {
    this.#start = start;
  }

  /** Starts runner `id` and joins it to the runtime, or tells the runtime why not. */
  join(id: string, runtime: UtilityProcess): void {
    const tell = (message: ToRuntime, ports: Electron.MessagePortMain[] = []) => runtime.postMessage(message, ports);
    const refusal = this.#refusal(id);
    if (refusal) {
      tell({ type: 'runnerGone', id, why: refusal });
      return;
    }
    const runner = utilityProcess.fork(this.#start.file, [], { serviceName: `binnacle-${id}`, env: this.#start.env });
    this.#running.set(id, runner);
    runner.once('exit', (code) => {
      if (this.#running.get(id) !== runner) return;
      this.#running.delete(id);
      this.#start.log(`runner ${id} ended with code ${code}`);
      tell({ type: 'runnerGone', id, why: `The runner ended with code ${code}.` });
    });
    const { port1, port2 } = new MessageChannelMain();
    runner.postMessage({ type: 'connect' } satisfies ToRunner, [port2]);
    tell({ type: 'runner', id }, [port1]);
  }

  #refusal(id: string): string | null {
    if (this.#running.has(id)) return 'A runner of that id is running.';
    return this.#running.size >= limits.runnersMax ? 'Too many runners are running.' : null;
  }

  /** The runtime is gone: each runner is told and, if it stays, killed after a while. */
  runtimeGone(why: string): void {
    for (const runner of this.#running.values()) {
      runner.postMessage({ type: 'runtimeGone', why } satisfies ToRunner);
      const kill = setTimeout(() => runner.kill(), limits.stopMs);
      runner.once('exit', () => clearTimeout(kill));
    }
    this.#running.clear();
  }
}
