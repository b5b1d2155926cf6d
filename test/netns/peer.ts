/** The plain program of `peer-program.ts` in a host, seen from the test: an order, an answer. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Network } from '../support/namespaces.ts';
import type { Clocks, Datagram, Order } from './peer-program.ts';

const program = fileURLToPath(new URL('peer-program.ts', import.meta.url));
const ANSWER_MS = 60_000;

export class Peer {
  readonly child: ChildProcess;
  readonly address: string;
  readonly #waiting: ((answer: unknown) => void)[] = [];

  private constructor(child: ChildProcess, address: string) {
    this.child = child;
    this.address = address;
    createInterface({ input: child.stdout! }).on('line', (line) => this.#waiting.shift()?.(JSON.parse(line)));
  }

  static async start(network: Network, host: string, env: Record<string, string> = {}): Promise<Peer> {
    const child = network.spawn(host, process.execPath, [program], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    const peer = new Peer(child, network.address(host));
    await peer.#answer('its start');
    return peer;
  }

  #answer<T>(what: string): Promise<T> {
    return new Promise((done, failed) => {
      const late = setTimeout(() => failed(new Error(`no answer from ${this.address} to ${what}`)), ANSWER_MS);
      this.#waiting.push((answer) => {
        clearTimeout(late);
        done(answer as T);
      });
    });
  }

  #ask<T>(order: Order): Promise<T> {
    this.child.stdin!.write(`${JSON.stringify(order)}\n`);
    return this.#answer(JSON.stringify(order));
  }

  send(to: Peer, count: number, everyMs = 0): Promise<number> {
    return this.#ask({ do: 'send', to: to.address, count, everyMs });
  }

  received(): Promise<Datagram[]> {
    return this.#ask({ do: 'received' });
  }

  roundTrips(to: Peer, count: number, timeoutMs = 1_000): Promise<(number | null)[]> {
    return this.#ask({ do: 'roundTrips', to: to.address, count, timeoutMs });
  }

  clocks(): Promise<Clocks> {
    return this.#ask({ do: 'clocks' });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const over = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await over;
  }
}
