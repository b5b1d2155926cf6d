/**
 * A real node in a host of a test network: a process of its own on a folder of
 * its own, listening on the host's address. The test asks it over its private
 * socket, which no cut of the network touches.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Ended, Network } from '../support/namespaces.ts';
import { eventually, RealNode } from '../support/real-node.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const main = process.env['BINNACLE_TEST_BUILT']
  ? path.join(root, 'dist', 'runtime', 'main.js')
  : path.join(root, 'node-runtime', 'main.ts');
export const LISTEN_PORT = 7400;
const START_MS = 30_000;

export class HostNode extends RealNode {
  readonly host: string;
  readonly #network: Network;
  readonly #environment: Record<string, string>;

  constructor(network: Network, host: string, data: string, environment: Record<string, string> = {}) {
    super(data);
    this.host = host;
    this.#network = network;
    const sockets = path.join(network.folder, 'run');
    mkdirSync(sockets, { recursive: true });
    this.#environment = { XDG_RUNTIME_DIR: sockets, ...environment };
  }

  get name(): string {
    return this.host;
  }

  get url(): string {
    return `https://${this.#network.address(this.host)}:${LISTEN_PORT}`;
  }

  /** A command of the command line, in this host. */
  command(args: string[]): Promise<Ended> {
    return this.#network.run(this.host, process.execPath, [main, ...args, '--data', this.data]);
  }

  async mustCommand<T>(args: string[]): Promise<T> {
    const ended = await this.command([...args, '--json']);
    if (ended.code !== 0) throw new Error(`binnacle ${args.join(' ')} on ${this.host}: ${ended.code} ${ended.err}`);
    return JSON.parse(ended.out) as T;
  }

  /** Starts it and waits until it answers; whether it leads is another question. */
  override async start(): Promise<this> {
    const listen = `${this.#network.address(this.host)}:${LISTEN_PORT}`;
    const words = this.#network.inside(this.host, process.execPath, [
      main,
      'node',
      '--data',
      this.data,
      '--listen',
      listen,
    ]);
    const child = spawn(...words, {
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text) => (this.log += text));
    let over: string | null = null;
    child.on('exit', (code, signal) => (over = `ended with ${signal ?? code}`));
    await eventually(
      `node ${this.host} answers`,
      async () => {
        if (over) throw new Error(`Node ${this.host} ${over}: ${this.log.slice(-2000)}`);
        if (this.running()?.pid !== child.pid) return false;
        return (await this.ask('GET', '/healthz').catch(() => null))?.status === 200;
      },
      START_MS,
    );
    return this;
  }

  isUp(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }
}
