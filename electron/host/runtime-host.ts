/**
 * Keeps the node runtime running in a utility process of its own.
 *
 * Starts it, believes it only after `ready`, starts it again by `afterEnd` when
 * it ends unasked, stops it in order with a time limit. Knows nothing of
 * windows: who wants to know is told by `onChange`. Never two at a time; that
 * no second program uses the data folder is the runtime's own lock.
 */
import { type UtilityProcess, utilityProcess } from 'electron';
import { desktopLimits as limits } from '../limits.ts';
import { FromRuntime, type ToRuntime } from './messages.ts';
import { afterEnd, type Restarts } from './restart-rule.ts';
import { Runners } from './runners.ts';
import { endedBecause, type RuntimeState } from './runtime-state.ts';
import { isSocketInside, makeSocketFolder, removeSocketFolder } from './socket-folder.ts';

export const runtimeProcessName = 'binnacle-node';

export type RuntimeHostOptions = {
  runtimeFile: string;
  runnerFile: string;
  dataDirectory: string;
  /** Proposed name of the node; an existing node keeps its own. */
  name: string;
  env: Record<string, string>;
  onChange: (state: RuntimeState) => void;
  onRoles: (roles: string[], headline: string, isPaired: boolean) => void;
  log: (line: string) => void;
};

/** One life of the runtime process. */
type Life = {
  process: UtilityProcess;
  socketFolder: string;
  socketPath: string | null;
  readyAtMs: number | null;
  failure: { sentence: string; next: string } | null;
};

const utcNow = (): string => new Date().toISOString();

export class RuntimeHost {
  #options: RuntimeHostOptions;
  #runners: Runners;
  #life: Life | null = null;
  #restarts: Restarts = [];
  #waiting: NodeJS.Timeout | null = null;
  #isStopping = false;
  #goneReason: string | undefined;
  #state: RuntimeState = { is: 'starting', since: utcNow() };

  constructor(options: RuntimeHostOptions) {
    this.#options = options;
    this.#runners = new Runners({ file: options.runnerFile, env: options.env, log: options.log });
  }

  get state(): RuntimeState {
    return this.#state;
  }

  /** Where the runtime listens, or null while it cannot answer. */
  get socketPath(): string | null {
    return this.#life?.socketPath ?? null;
  }

  start(): void {
    if (this.#life || this.#isStopping) return;
    try {
      this.#begin();
    } catch (cause) {
      // Trying again would not help: there is no place for a socket, or no way to start a process.
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#options.log(`the runtime could not be started: ${why}`);
      this.#become({ is: 'givenUp', since: utcNow(), why });
    }
  }

  #begin(): void {
    const { runtimeFile, dataDirectory, name, env } = this.#options;
    const socketFolder = makeSocketFolder();
    const process = utilityProcess.fork(runtimeFile, ['--data', dataDirectory, '--example'], {
      serviceName: runtimeProcessName,
      env,
    });
    const life: Life = { process, socketFolder, socketPath: null, readyAtMs: null, failure: null };
    this.#life = life;
    this.#goneReason = undefined;
    // A restart keeps saying since when the node is down, not since when this try runs.
    if (this.#state.is !== 'down') this.#become({ is: 'starting', since: utcNow() });
    process.on('message', (message) => this.#take(life, message));
    process.once('exit', (code) => this.#ended(life, code));
    this.post({ type: 'start', dataDirectory, socketDirectory: socketFolder, name });
  }

  /** A person asked: start again at once, with a fresh count. */
  restart(): void {
    this.#restarts = [];
    this.#clearWaiting();
    if (this.#life) this.#life.process.kill();
    else this.start();
  }

  post(message: ToRuntime): void {
    this.#life?.process.postMessage(message);
  }

  /** Resolves when the runtime has ended: in order, or killed after the limit. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#clearWaiting();
    this.#become({ is: 'stopping', since: utcNow() });
    const life = this.#life;
    if (!life) return;
    const ended = new Promise<void>((resolve) => life.process.once('exit', () => resolve()));
    this.post({ type: 'stop' });
    const terminate = setTimeout(() => life.process.kill(), limits.stopMs);
    const kill = setTimeout(() => {
      if (life.process.pid !== undefined) process.kill(life.process.pid, 'SIGKILL');
    }, limits.stopMs + limits.killMs);
    await ended;
    clearTimeout(terminate);
    clearTimeout(kill);
  }

  /** Electron's own word for how our process ended; it may come before or after `exit`. */
  processGone(reason: string, exitCode: number): void {
    this.#goneReason = reason;
    const { is } = this.#state;
    if ((is === 'down' || is === 'givenUp') && !this.#life && !this.#state.next)
      this.#become({ ...this.#state, why: endedBecause(reason, exitCode) });
  }

  #become(state: RuntimeState): void {
    this.#state = state;
    this.#options.onChange(state);
  }

  #clearWaiting(): void {
    if (this.#waiting) clearTimeout(this.#waiting);
    this.#waiting = null;
  }

  #take(life: Life, message: unknown): void {
    if (this.#life !== life) return;
    const parsed = FromRuntime.safeParse(message);
    if (!parsed.success) {
      this.#options.log(`the runtime sent a message nobody knows: ${parsed.error.message}`);
      return;
    }
    const said = parsed.data;
    if (said.type === 'ready') this.#ready(life, said.socketPath, said.name);
    else if (said.type === 'failed') {
      this.#options.log(`the runtime failed (${said.code}): ${said.sentence}`);
      life.failure = { sentence: said.sentence, next: said.next };
      life.process.kill(); // it should end by itself; one that lingers would block the next start
    } else if (said.type === 'runnerWanted') this.#runners.join(said.id, life.process);
    else if (said.type === 'roles') this.#options.onRoles(said.roles, said.headline, said.isPaired);
    else this.#options.log(said.line);
  }

  #ready(life: Life, socketPath: string, name: string): void {
    if (!isSocketInside(life.socketFolder, socketPath)) {
      this.#options.log(`the runtime named a socket outside its folder: ${socketPath}`);
      life.process.kill();
      return;
    }
    life.socketPath = socketPath;
    life.readyAtMs = performance.now();
    if (!this.#isStopping) this.#become({ is: 'ready', since: utcNow(), name });
  }

  #ended(life: Life, exitCode: number): void {
    this.#life = null;
    removeSocketFolder(life.socketFolder);
    this.#options.onRoles([], '', false);
    const why = life.failure?.sentence ?? endedBecause(this.#goneReason, exitCode);
    this.#options.log(`the runtime ended: ${why}`);
    this.#runners.runtimeGone(why);
    if (this.#isStopping) return;
    const nowMs = performance.now();
    const servedMs = life.readyAtMs === null ? 0 : nowMs - life.readyAtMs;
    const next = afterEnd({ restarts: this.#restarts, nowMs, servedMs });
    const since = this.#state.is === 'down' ? this.#state.since : utcNow();
    const told = { since, why, ...(life.failure ? { next: life.failure.next } : {}) };
    if (next.is === 'givenUp') {
      this.#become({ is: 'givenUp', ...told });
      return;
    }
    this.#restarts = next.restarts;
    this.#become({ is: 'down', ...told });
    this.#waiting = setTimeout(() => this.start(), next.waitMs);
  }
}
