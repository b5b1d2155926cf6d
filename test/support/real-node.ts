/**
 * A real node as its user runs it: a process of its own, on a folder of its
 * own, asked over its private socket. Can be killed with -9 and started again
 * on the same folder. Every wait is for a state, with a deadline.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Run } from '../../node-runtime/contract/model.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** `npm test` builds first and runs what it built, as users do; by hand the sources run. */
export const main = process.env['BINNACLE_TEST_BUILT']
  ? path.join(root, 'dist', 'runtime', 'main.js')
  : path.join(root, 'node-runtime', 'main.ts');

export type Answer = {
  status: number;
  headers: Record<string, string>;
  text: string;
  bytes: Buffer;
  json: () => never;
};
export type Running = { pid: number; socketPath: string; url: string | null; fingerprint: string; name: string };

/** Arguments for a node that comes back where the others do not know it. */
export async function elsewhere(): Promise<string[]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return ['--listen', '127.0.0.1:0', '--peers', `127.0.0.1:${port}`];
}

export async function eventually<T>(
  what: string,
  look: () => Promise<T | null | false> | T | null | false,
  deadlineMs = 20_000,
): Promise<T> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > until) throw new Error(`did not come within ${deadlineMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Runs a command of the command line to its end. */
export function binnacle(
  args: string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (text) => (out += text));
    child.stderr.on('data', (text) => (err += text));
    child.stdin.end(options.input ?? '');
    child.on('close', (code) => done({ code: code ?? -1, out, err }));
  });
}

export class RealNode {
  readonly data: string;
  child: ChildProcess | null = null;
  log = '';

  constructor(data: string) {
    this.data = data;
  }

  /** A new cluster of one in a fresh folder (under `base` if given). */
  static async found(base = tmpdir()): Promise<RealNode> {
    const data = mkdtempSync(path.join(base, 'binnacle-node-'));
    const made = await binnacle(['init', '--data', data, '--cluster', 'test-lab', '--name', 'atlas', '--json']);
    if (made.code !== 0) throw new Error(made.err);
    return new RealNode(data);
  }

  /** A node that has joined the cluster of a running one, by an invite, in a fresh folder (or in `data`). */
  static async join(
    member: RealNode,
    name: string,
    duties: string[],
    data = mkdtempSync(path.join(tmpdir(), `binnacle-${name}-`)),
  ): Promise<RealNode> {
    const roles = duties.flatMap((duty) => ['--role', duty]);
    const invited = await binnacle(['invite', ...roles, '--json', '--data', member.data]);
    if (invited.code !== 0) throw new Error(invited.err);
    const { code } = JSON.parse(invited.out) as { code: string };
    const joined = await binnacle(['join', code, '--data', data, '--name', name, '--json']);
    if (joined.code !== 0) throw new Error(joined.err);
    return new RealNode(data);
  }

  /** Starts it and waits until it knows an active controller, or with `alive` only until it answers. */
  async start(
    args: string[] = [],
    env: Record<string, string> = {},
    until: 'ready' | 'alive' = 'ready',
  ): Promise<this> {
    const child = spawn(process.execPath, [main, 'node', '--data', this.data, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    child.stdout!.on('data', (text) => (this.log += text));
    child.stderr!.on('data', (text) => (this.log += text));
    let over: string | null = null;
    child.on('exit', (code, signal) => (over = `ended with ${signal ?? code}`));
    await eventually('the node is ready', async () => {
      if (over) throw new Error(`The node ${over}: ${this.log.slice(-2000)}`);
      const running = this.running();
      if (running?.pid !== child.pid) return false;
      const answer = await this.ask('GET', until === 'ready' ? '/readyz' : '/healthz').catch(() => null);
      return answer?.status === 200;
    });
    return this;
  }

  running(): Running | null {
    const file = path.join(this.data, 'running.json');
    if (!existsSync(file)) return null;
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      return null;
    }
  }

  /** kill -9, as a power switch for the process; waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.child;
    if (!child) return;
    const gone = new Promise((done) => child.once('exit', done));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await gone;
    }
    this.child = null;
  }

  async stop(): Promise<number | null> {
    const child = this.child;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const gone = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    child.kill('SIGTERM');
    this.child = null;
    return gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    const socket = this.running()?.socketPath;
    if (socket) rmSync(path.dirname(socket), { recursive: true, force: true });
    this.endJobs();
    rmSync(this.data, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Jobs outlive their node, which is meant; what a failed test left running is ended with its session. */
  private endJobs(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path.join(this.data, 'attempts'))) continue;
        process.kill(-Number(pid), 'SIGKILL');
      } catch {
        // Gone in the meantime, or no leader of a session.
      }
    }
  }

  /** One request over the private socket. Rejects when the connection breaks. */
  ask(method: string, address: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const socketPath = this.running()?.socketPath;
    if (!socketPath) return Promise.reject(new Error('not running'));
    const bytes = body === undefined ? null : body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
    const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json';
    return new Promise((done, failed) => {
      const asked = request(
        {
          socketPath,
          method,
          path: address,
          headers: {
            host: 'localhost',
            ...(bytes ? { 'content-type': type, 'content-length': String(bytes.length) } : {}),
            ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
            ...headers,
          },
        },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part) => parts.push(part));
          answer.on('error', failed);
          answer.on('end', () => {
            const bytes = Buffer.concat(parts);
            const text = bytes.toString('utf8');
            done({
              status: answer.statusCode!,
              headers: answer.headers as Record<string, string>,
              text,
              bytes,
              json: () => JSON.parse(text) as never,
            });
          });
        },
      );
      asked.on('error', failed);
      asked.end(bytes ?? undefined);
    });
  }

  async must<T>(method: string, address: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
    const answer = await this.ask(method, address, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${address}: ${answer.status} ${answer.text}`);
    return (answer.text === '' ? null : JSON.parse(answer.text)) as T;
  }

  put(sandbox: string, file: string, text: string, query = ''): Promise<unknown> {
    return this.must('PUT', `/api/v1/sandboxes/${sandbox}/files/${file}${query}`, Buffer.from(text));
  }

  /** An answer that goes on: its head, and its body as it comes. `left` ends it from this side. */
  stream(
    address: string,
    headers: Record<string, string> = {},
  ): Promise<{ answer: IncomingMessage; text: () => string; over: Promise<void>; left: () => void }> {
    const socketPath = this.running()?.socketPath;
    if (!socketPath) return Promise.reject(new Error('not running'));
    return new Promise((done, failed) => {
      const asked = request({ socketPath, path: address, headers: { host: 'localhost', ...headers } }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part) => parts.push(part));
        const over = new Promise<void>((ended, broke) => answer.on('end', ended).on('error', broke));
        over.catch(() => {}); // whoever waits for it sees it
        done({ answer, text: () => Buffer.concat(parts).toString('utf8'), over, left: () => asked.destroy() });
      });
      asked.on('error', failed);
      asked.end();
    });
  }

  launch(sandbox: string, file: string, parameters?: Record<string, string | number | boolean>): Promise<Run> {
    return this.must<Run>('POST', '/api/v1/runs', { sandbox, path: file, ...(parameters ? { parameters } : {}) });
  }

  run(id: string): Promise<Run> {
    return this.must<Run>('GET', `/api/v1/runs/${id}`);
  }

  /** Waits until a run is as wanted; the default is that it has ended. */
  until(id: string, is: (run: Run) => boolean = hasEnded, deadlineMs = 20_000): Promise<Run> {
    return eventually(
      `run ${id} is as wanted`,
      async () => {
        const run = await this.run(id);
        return is(run) && run;
      },
      deadlineMs,
    );
  }

  /** Launches and waits for the end. */
  async through(sandbox: string, file: string, parameters?: Record<string, string | number | boolean>): Promise<Run> {
    return this.until((await this.launch(sandbox, file, parameters)).id);
  }

  async output(run: string, task: string, query = ''): Promise<string> {
    const answer = await this.ask('GET', `/api/v1/runs/${run}/tasks/${task}/log${query}`);
    if (answer.status !== 200) throw new Error(`log: ${answer.status} ${answer.text}`);
    return answer.text;
  }
}

export const hasEnded = (run: Pick<Run, 'state'>): boolean => !['queued', 'waiting', 'running'].includes(run.state);

/** The code of a refusal, with its status: `412 file_changed`. A success gives its status alone. */
export function refusalOf(answer: Pick<Answer, 'status' | 'text'>): string {
  if (answer.status < 400) return String(answer.status);
  const { code, status, next } = JSON.parse(answer.text) as { code: string; status: number; next: string };
  return status === answer.status && next ? `${answer.status} ${code}` : `not as promised: ${answer.text}`;
}
