/**
 * Follows a run to its end: every task's output live, every change of state.
 *
 * Asks for the run at a short interval and keeps one stream open for each
 * attempt that runs. A lost connection loses nothing and doubles nothing: an
 * output goes on at the byte where it broke. An output counts as ended only
 * when the run says that the attempt has ended. Gives up with a Failure after
 * `followRetryMs` without any answer; the run itself goes on.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Attempt, Run, Task } from '../../contract/model.ts';
import { connectionFailure, mayPass, type NodeClient } from './client.ts';
import { Failure, interrupted } from './failure.ts';
import { WholeSigns } from './log-text.ts';

export type Output = { task: Task; attempt: number; offset: number; text: string };

export type Follower = {
  output(output: Output): void;
  /** Nothing more comes of this attempt. */
  outputEnded(task: Task, attempt: number): void;
  taskChanged(task: Task): void;
  /** The connection was lost, or is back. */
  note(sentence: string): void;
};

export type Followed = {
  run: string;
  /** Only this task; otherwise all. */
  task?: string;
  /** Only this attempt; otherwise all in order. */
  attempt?: number;
};

const pollMs = 250;
const pollMsMax = 1_000;
const followRetryMs = 120_000;
const streamsMax = 64;

const hasEnded = (state: Task['state'] | Run['state'] | Attempt['state']): boolean =>
  state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'unknown' || state === 'skipped';

/** Gives the run as it was when it (or the task asked for) had ended. */
export async function follow(client: NodeClient, followed: Followed, follower: Follower): Promise<Run> {
  const follows = new RunFollower(client, followed, follower);
  return follows.toTheEnd();
}

class RunFollower {
  readonly #client: NodeClient;
  readonly #followed: Followed;
  readonly #follower: Follower;
  readonly #states = new Map<string, string>();
  /** Tasks whose output is being read, with the last attempt that was. */
  readonly #reading = new Map<string, { attempt: number; done: boolean }>();
  readonly #noted = new Set<string>();
  readonly #broken = Promise.withResolvers<never>();
  readonly #over = new AbortController();
  #wake = Promise.withResolvers<void>();
  #lostAt: number | null = null;
  #latest: Run | null = null;

  constructor(client: NodeClient, followed: Followed, follower: Follower) {
    this.#client = client;
    this.#followed = followed;
    this.#follower = follower;
    this.#broken.promise.catch(() => undefined);
  }

  async toTheEnd(): Promise<Run> {
    try {
      for (let pauseMs = pollMs; ; pauseMs = Math.min(pauseMs * 1.1, pollMsMax)) {
        const run = await this.#ask();
        if (run && this.#allSeen(run)) return run;
        this.#wake = Promise.withResolvers<void>();
        await this.#pause(pauseMs, Promise.race([this.#wake.promise, this.#broken.promise]));
      }
    } finally {
      // Whoever still reads finds the connection closed, and must not try again.
      this.#over.abort();
    }
  }

  /** Looks at every task; true when nothing more will come. */
  #allSeen(run: Run): boolean {
    const tasks = this.#tasksOf(run);
    for (const task of tasks) this.#see(task);
    const ended =
      hasEnded(run.state) || (this.#followed.task !== undefined && tasks.every((each) => hasEnded(each.state)));
    return ended && this.#allRead(tasks);
  }

  #tasksOf(run: Run): Task[] {
    const name = this.#followed.task;
    if (name === undefined) return run.tasks;
    const task = run.tasks.find((each) => each.id === name) ?? run.tasks.find((each) => each.name === name);
    if (task) return [task];
    throw new Failure('refused', `Run ${run.id} has no task "${name}".`, {
      next: `Its tasks are: ${run.tasks.map((each) => each.id).join(', ') || 'none'}.`,
    });
  }

  #see(task: Task): void {
    if (this.#states.get(task.id) !== task.state) {
      this.#states.set(task.id, task.state);
      this.#follower.taskChanged(task);
    }
    const last = task.attempts.at(-1);
    if (last?.state === 'lost') {
      this.#noteOnce(
        `lost ${task.id} ${last.number}`,
        `${last.node} does not answer, so what became of ${task.name} is not known. It goes on when ${last.node} is back; ` +
          `or decide: binnacle decide ${this.#followed.run} ${task.id} again|succeeded|failed`,
      );
    }
    const reading = this.#reading.get(task.id);
    if (reading && !reading.done) return;
    const next = this.#attemptsOf(task).find((attempt) => attempt.number > (reading?.attempt ?? 0));
    if (!next || next.state === 'placed' || this.#open() >= streamsMax) return;
    const now = { attempt: next.number, done: false };
    this.#reading.set(task.id, now);
    this.#read(task, next.number)
      .then(() => {
        now.done = true;
        this.#wake.resolve();
      })
      .catch(this.#broken.reject);
  }

  #noteOnce(about: string, sentence: string): void {
    if (this.#noted.has(about)) return;
    this.#noted.add(about);
    this.#follower.note(sentence);
  }

  #attemptsOf(task: Task): Attempt[] {
    const only = this.#followed.attempt;
    return only === undefined ? task.attempts : task.attempts.filter((attempt) => attempt.number === only);
  }

  #open(): number {
    return [...this.#reading.values()].filter((each) => !each.done).length;
  }

  #allRead(tasks: Task[]): boolean {
    return tasks.every((task) => {
      const reading = this.#reading.get(task.id);
      // An attempt that was placed and never started has no output.
      const last = this.#attemptsOf(task).findLast((attempt) => attempt.state !== 'placed');
      return !last || (reading?.done === true && reading.attempt >= last.number);
    });
  }

  /** One attempt's output from its first byte to its end, over as many connections as it takes. */
  async #read(task: Task, attempt: number): Promise<void> {
    const signs = new WholeSigns();
    const give = ({ offset, text }: { offset: number; text: string }): void => {
      if (text !== '') this.#follower.output({ task, attempt, offset, text });
    };
    for (let pauseMs = pollMs; ; pauseMs = Math.min(pauseMs * 2, pollMsMax)) {
      const before = signs.offset;
      const endedBefore = hasEnded(this.#attempt(task.id, attempt)?.state ?? 'running');
      const outcome = await this.#readOnce(task, attempt, signs.offset, (bytes) => give(signs.take(bytes)));
      if (this.#over.signal.aborted) return;
      if (outcome === 'end') await this.#ask();
      const now = this.#attempt(task.id, attempt);
      const nothingNew = signs.offset === before;
      const complete = signs.offset >= (now?.outputBytes ?? 0) || (nothingNew && endedBefore);
      if (outcome === 'none' || (outcome === 'end' && now && hasEnded(now.state) && complete)) break;
      // The worker that holds the rest is gone; what it had is not waited for.
      if (outcome === 'lost' && now?.state === 'unknown') break;
      if (!nothingNew) pauseMs = pollMs;
      await this.#pause(pauseMs);
    }
    give(signs.end());
    this.#follower.outputEnded(task, attempt);
  }

  /** `end`: the node said that is all for now. `lost`: ask again. `none`: there is no output and will be none. */
  async #readOnce(
    task: Task,
    attempt: number,
    offset: number,
    take: (bytes: Uint8Array) => void,
  ): Promise<'end' | 'lost' | 'none'> {
    try {
      const { body } = await this.#client.open('log', {
        params: { run: this.#followed.run, task: task.id },
        query: { attempt, offset, follow: '1' },
      });
      for await (const bytes of body as AsyncIterable<Buffer>) {
        this.#heard();
        take(bytes);
      }
      return 'end';
    } catch (fault) {
      const failure = fault instanceof Failure ? fault : connectionFailure(this.#client, fault);
      if (this.#over.signal.aborted) return 'none';
      if (failure.code === 'log_unknown') {
        return hasEnded(this.#attempt(task.id, attempt)?.state ?? 'running') ? 'none' : 'lost';
      }
      if (mayPass(failure)) {
        this.#lost(failure);
        return 'lost';
      }
      if (failure.code === 'node_unreachable') {
        // The cluster answers, only the worker is silent: it may be back, and has kept the output.
        this.#noteOnce(`silent ${task.id} ${attempt}`, `The output of ${task.name} waits: ${failure.message}`);
        return 'lost';
      }
      if (failure.exit !== 'refused') throw failure;
      this.#follower.note(`The output of ${task.name} cannot be shown: ${failure.message}`);
      return 'none';
    }
  }

  #attempt(task: string, number: number): Attempt | undefined {
    return this.#latest?.tasks.find((each) => each.id === task)?.attempts.find((each) => each.number === number);
  }

  async #ask(): Promise<Run | null> {
    try {
      const run = await this.#client.ask('run', { params: { run: this.#followed.run } });
      this.#heard();
      this.#latest = run;
      return run;
    } catch (fault) {
      if (!(fault instanceof Failure) || !mayPass(fault)) throw fault;
      this.#lost(fault);
      return null;
    }
  }

  #heard(): void {
    if (this.#lostAt !== null) this.#follower.note('Connected again.');
    this.#lostAt = null;
  }

  #lost(failure: Failure): void {
    const now = Date.now();
    if (this.#lostAt === null) {
      this.#lostAt = now;
      this.#follower.note(`${failure.message} The run goes on; trying again.`);
    } else if (now - this.#lostAt > followRetryMs) throw failure;
  }

  /** Until the time is over or `sooner` is; leaves no timer behind. */
  async #pause(pauseMs: number, sooner?: Promise<void>): Promise<void> {
    const done = new AbortController();
    const signal = AbortSignal.any([this.#client.signal, this.#over.signal, done.signal]);
    const time = wait(pauseMs, undefined, { signal }).catch(() => {
      if (this.#client.signal.aborted) throw interrupted();
    });
    try {
      await (sooner ? Promise.race([time, sooner]) : time);
    } finally {
      done.abort();
    }
  }
}
