/**
 * The attempts of one runner: from an order to the report of its end.
 *
 * An attempt waits (its order is queued, its run folder laid out), runs (its
 * wrapper lives), is cleared (its wrapper ended or it is to be stopped, and
 * processes of it may be left), and is then reported as ended. Nothing is
 * remembered of it here after that: its folder answers when it is asked again.
 *
 * Promises: an attempt begins at most once, whoever asks how often (P35, the
 * claims in attempt-folder.ts); its end is reported when nobody of it is left;
 * nothing is concluded from silence. What cannot be known is reported as lost.
 * Limits in time are kept by the monotonic clock, also for attempts begun
 * under another runner. An attempt with a lease is ended when that is over
 * (lease.ts), whoever else is there.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { AttemptEnd } from '../../contract/facts.ts';
import {
  attemptFolder,
  type FolderState,
  makeFolder,
  readExit,
  readFolder,
  readStop,
  type Stop,
  voidClaim,
  writeEnded,
  writeStop,
} from './attempt-folder.ts';
import { type Outcome, tellEnd, whyNotStartable } from './ending.ts';
import type { Keeper } from './keeper.ts';
import type { Kin, Leader } from './kin.ts';
import { passedOn, spawnWrapper, whyNotSpawned, workingFolder } from './launch.ts';
import type { Lease } from './lease.ts';
import { ageMs, bootId, isAlive, type SeenProcess, signalPid, signalSeen } from './machine-processes.ts';
import {
  type AttemptOrder,
  type AttemptReport,
  isPlainName,
  type KnownAttempt,
  type OrderFile,
  type Recovered,
  type StopCause,
} from './orders.ts';
import { freshGrowth, type Growth, knownGrowth, measureOutput } from './output-growth.ts';
import { layOut } from './run-folder.ts';
import { endMasker, isMasked, startMasker } from './start-masker.ts';
import { type Claim, claimRefused } from './wrapper.ts';

const lookMs = 100;
/** Between two looks while processes are being killed. */
const clearingLookMs = 20;
/** How long an attempt may take to die after SIGKILL (a hanging disk) before its end is reported all the same. */
const clearingMsMax = 10_000;
/** How long a claim may stay without its pid: its wrapper is between creating and writing it. */
const claimWriteMsMax = 500;
/** How long starting may keep the runner from hearing and killing. */
const startingMsMax = 8;
/** Of an attempt whose order is not known, until its claim tells. */
const unknownTerms = { timeoutMs: null, stopGraceMs: 0, outputBytesMax: Number.MAX_SAFE_INTEGER, leased: false };

type Live = {
  attempt: string;
  folder: string;
  order: AttemptOrder | null;
  terms: { timeoutMs: number | null; stopGraceMs: number; outputBytesMax: number; leased: boolean };
  phase: 'waiting' | 'running' | 'clearing';
  /** Of a wrapper that this runner started. */
  child: ChildProcess | null;
  leader: { pid: number; startTicks: number | null } | null;
  directory: string;
  /** Wall time, ms. */
  startedAt: number;
  /** By performance.now(). */
  endsBy: number;
  stop: Stop | null;
  killAt: number;
  /** Those outside the wrapper's group that were asked to end, as pid:start. */
  asked: Set<string>;
  outcome: Outcome | null;
  /** Looks in a row that found nobody. */
  quietLooks: number;
  growth: Growth;
  /** Its masker is waited for; then its end is told. */
  finishing: boolean;
};

/** What stands in an attempt's folder, once no wrapper can change it behind our back. */
type Standing = { kind: 'free'; claim: number } | Exclude<FolderState, { kind: 'unclaimed' }>;

/** What an `Attempts` is given to look after attempts with a lease. */
export type Watch = { lease: Lease; keeper: Pick<Keeper, 'beThere'> };

export class Attempts {
  #dataDir: string;
  #kin: Kin;
  #watch: Watch;
  #report: (report: AttemptReport) => void;
  #boot = bootId();
  /** The node is gone: nothing begins any more, and this is called when nobody with a lease is left. */
  #leaving: (() => void) | null = null;
  #lives = new Map<string, Live>();
  /** Steps of starting, each short; taken a few at a time. */
  #queue: (() => void)[] = [];
  #files = new Map<string, OrderFile[]>();
  #layouts = new Map<string, Promise<string>>();
  #timer: NodeJS.Timeout | null = null;
  #timerDue = Number.POSITIVE_INFINITY;

  constructor(dataDir: string, kin: Kin, watch: Watch, report: (report: AttemptReport) => void) {
    this.#dataDir = dataDir;
    this.#kin = kin;
    this.#watch = watch;
    this.#report = report;
  }

  /** What a run's folder shall hold; said before the first start of the run. */
  layout(run: string, files: OrderFile[]): void {
    if (!this.#layouts.has(run)) this.#files.set(run, files);
  }

  /** The run's folder is to be removed: it may be laid out again only by a new `layout`. */
  async dropLayout(run: string): Promise<void> {
    const layout = this.#layouts.get(run);
    this.#files.delete(run);
    this.#layouts.delete(run);
    await layout?.catch(() => {});
  }

  start(order: AttemptOrder): void {
    const live = this.#lives.get(order.attempt);
    if (live) {
      live.order ??= order;
      if (live.phase !== 'waiting') this.#tellStarted(live);
      return;
    }
    const fresh = this.#admit(order.attempt, order, order);
    this.#enqueue(() => this.#startFirst(fresh));
  }

  stop(attempt: string, cause: StopCause): void {
    const live = this.#lives.get(attempt);
    if (!live || live.stop !== null || live.phase === 'clearing') return;
    const stop = this.#stopFor(cause);
    if (live.phase === 'waiting') live.stop = stop;
    else this.#beginStop(live, stop);
  }

  #stopFor(cause: StopCause): Stop {
    return { cause, silentMs: cause === 'lease' ? this.#watch.lease.silentMs() : null };
  }

  /** Finds out what became of attempts begun under another runner, perhaps under another node. */
  recover(known: KnownAttempt[]): Promise<Recovered[]> {
    return Promise.all(
      known.map(async (one): Promise<Recovered> => {
        const before = this.#lives.get(one.attempt);
        if (before) {
          before.order ??= one.order;
          if (before.phase !== 'waiting') this.#tellStarted(before);
          return { attempt: one.attempt, found: 'watched' };
        }
        const live = this.#admit(one.attempt, one.order, one.order ?? unknownTerms);
        const found = await this.#resume(live, one);
        if (found === 'neverStarted') this.#lives.delete(one.attempt);
        return { attempt: one.attempt, found };
      }),
    );
  }

  /**
   * Finds living attempts with a lease that an earlier runner began: it may be
   * over before a node asks for them, since a node asks only when an active
   * controller was heard.
   */
  adoptLeased(): void {
    if (process.platform !== 'linux') return;
    // A job may have given others of its processes any name.
    for (const attempt of this.#kin.living().filter(isPlainName)) {
      const claimed = this.#claimedWithLease(attempt);
      if (claimed) this.#takeUp(this.#admit(attempt, null, unknownTerms), claimed);
    }
  }

  #claimedWithLease(attempt: string): Exclude<Standing, { kind: 'free' | 'ended' }> | null {
    const folder = attemptFolder(this.#dataDir, attempt);
    if (!existsSync(folder)) return null;
    let state = readFolder(folder);
    // It may have ended between our reading its exit and looking for it.
    if (state.kind === 'claimed' && state.claim && !isAlive(state.claim)) state = readFolder(folder);
    const isOurs = (claim: Claim | null) => claim?.leased === true && claim.bootId === this.#boot;
    return (state.kind === 'claimed' || state.kind === 'exited') && isOurs(state.claim) ? state : null;
  }

  /**
   * The node is gone. What has not begun is left as it is, for the next runner;
   * attempts with a lease are watched until they have ended, `done` follows.
   */
  leave(done: () => void): void {
    if (this.#leaving !== null) return;
    this.#leaving = done;
    this.#queue.length = 0;
    for (const live of this.#lives.values()) if (live.phase === 'waiting') this.#lives.delete(live.attempt);
    this.#leaveIfAlone();
    this.#lookWithin(lookMs);
  }

  #leaveIfAlone(): void {
    const isNeeded = this.#kin.hasLeftLeased || [...this.#lives.values()].some((live) => live.terms.leased);
    if (!isNeeded) this.#leaving?.();
  }

  // ------------------------------------------------------------- starting

  #admit(attempt: string, order: AttemptOrder | null, terms: Live['terms']): Live {
    const live: Live = {
      attempt,
      folder: attemptFolder(this.#dataDir, attempt),
      order,
      terms: {
        timeoutMs: terms.timeoutMs,
        stopGraceMs: terms.stopGraceMs,
        outputBytesMax: terms.outputBytesMax,
        leased: terms.leased ?? false, // an older version kept none
      },
      phase: 'waiting',
      child: null,
      leader: null,
      directory: '',
      startedAt: 0,
      endsBy: Number.POSITIVE_INFINITY,
      stop: null,
      killAt: Number.POSITIVE_INFINITY,
      asked: new Set(),
      outcome: null,
      quietLooks: 0,
      growth: freshGrowth(),
      finishing: false,
    };
    this.#lives.set(attempt, live);
    return live;
  }

  /** Starting a process takes about a millisecond; between some of them the runner hears and kills. */
  #enqueue(step: () => void): void {
    if (this.#queue.push(step) === 1) setImmediate(() => this.#takeSteps());
  }

  #takeSteps(): void {
    const until = performance.now() + startingMsMax;
    while (this.#queue.length > 0 && performance.now() < until) {
      this.#queue[0]!();
      this.#queue.shift();
    }
    if (this.#queue.length > 0) setImmediate(() => this.#takeSteps());
  }

  #startFirst(live: Live): void {
    if (process.platform !== 'linux') {
      this.#cannotStart(live, 'Jobs cannot be run on this system yet, only on Linux.');
      return;
    }
    try {
      if (!makeFolder(live.folder)) void this.#startAgain(live);
      else this.#prepare(live, 1);
    } catch (problem) {
      this.#cannotStart(live, `The folder of the attempt could not be made: ${(problem as Error).message}`);
    }
  }

  /** The folder is there: an order said twice, or one that was on its way when a runner ended. */
  async #startAgain(live: Live): Promise<void> {
    try {
      const standing = await this.#standing(live.folder);
      if (standing.kind === 'free') this.#prepare(live, standing.claim);
      else this.#takeUp(live, standing);
    } catch (problem) {
      this.#giveUp(live, `Its folder cannot be read: ${(problem as Error).message}`);
    }
  }

  #prepare(live: Live, claim: number): void {
    const order = live.order!;
    if (order.directory !== null) {
      this.#connect(live, claim, order.directory);
      return;
    }
    const ready = this.#layouts.get(order.run) ?? this.#layOut(order.run);
    ready.then(
      (folder) => this.#enqueue(() => this.#connect(live, claim, folder)),
      (problem: Error) => this.#cannotStart(live, `The files of the run could not be laid out: ${problem.message}`),
    );
  }

  /** Between a job with secrets and its output there is a masker, and it is there first. */
  #connect(live: Live, claim: number, top: string): void {
    const values = Object.values(live.order!.secrets ?? {});
    if (values.length === 0) {
      this.#launch(live, claim, top, null);
      return;
    }
    startMasker(live.folder, values).then(
      (pipe) =>
        this.#enqueue(() => {
          try {
            this.#launch(live, claim, top, pipe);
          } finally {
            closeSync(pipe);
          }
        }),
      ({ message }: Error) =>
        this.#cannotStart(live, `What keeps its secrets out of the output could not be started: ${message}.`),
    );
  }

  #layOut(run: string): Promise<string> {
    const files = this.#files.get(run);
    const layout = files
      ? layOut(this.#dataDir, run, files)
      : Promise.reject(new Error('the node did not say which files they are'));
    this.#layouts.set(run, layout);
    layout.then(
      () => this.#files.delete(run),
      () => this.#layouts.delete(run), // the next attempt tries again
    );
    return layout;
  }

  #launch(live: Live, claim: number, top: string, pipe: number | null): void {
    const order = live.order!;
    if (this.#leaving !== null) {
      this.#lives.delete(live.attempt);
      return;
    }
    if (live.terms.leased) {
      this.#watch.keeper.beThere();
      if (this.#watch.lease.isOver()) live.stop ??= this.#stopFor('lease');
    }
    if (live.stop !== null) {
      this.#cannotStart(live, 'Stopped before it began.');
      return;
    }
    live.directory = top;
    try {
      live.directory = workingFolder(top, order.workingDirectory);
      const { folder, directory } = live;
      const cgroup = this.#kin.cgroups?.make(live.attempt) ?? null;
      const mark = this.#kin.mark;
      const where = { folder, workingFolder: directory, claim, bootId: this.#boot, mark, cgroup, pipe };
      const child = spawnWrapper({ order, ...where });
      child.on('error', (problem) => this.#cannotStart(live, whyNotSpawned(problem, directory)));
      if (child.pid !== undefined) this.#launched(live, child, child.pid);
    } catch (problem) {
      const { code, message } = problem as NodeJS.ErrnoException;
      this.#cannotStart(live, code === undefined ? message : whyNotSpawned(problem as Error, live.directory));
    }
  }

  #launched(live: Live, child: ChildProcess, pid: number): void {
    child.on('exit', (code, signal) => this.#wrapperEnded(live, code, signal));
    live.child = child;
    live.leader = { pid, startTicks: null };
    live.phase = 'running';
    live.startedAt = Date.now();
    if (live.terms.timeoutMs !== null) live.endsBy = performance.now() + live.terms.timeoutMs;
    this.#tellStarted(live);
    this.#lookWithin(lookMs);
  }

  /** Only where it is sure that no wrapper ran or will run the job. */
  #cannotStart(live: Live, detail: string): void {
    live.outcome = { kind: 'cannotStart', detail, at: Date.now() };
    this.#finish(live);
  }

  // ----------------------------------------------------------- recovering

  /** Reads a folder so that no late wrapper can make the answer wrong: what is unclaimed is voided first. */
  async #standing(folder: string): Promise<Standing> {
    const deadline = performance.now() + claimWriteMsMax;
    for (;;) {
      const state = readFolder(folder);
      if (state.kind === 'unclaimed') {
        if (voidClaim(folder, state.next)) return { kind: 'free', claim: state.next + 1 };
      } else if (state.kind !== 'claimed' || performance.now() > deadline) {
        return state;
      } else if (state.claim !== null) {
        // It may have ended between our reading its exit and looking for it.
        return isAlive(state.claim) ? state : (readFolder(folder) as Standing);
      } else {
        await pause(10);
      }
    }
  }

  async #resume(live: Live, known: KnownAttempt): Promise<Recovered['found']> {
    if (process.platform !== 'linux') return 'neverStarted';
    try {
      // Its start was told, so it had a folder; what stood in it nobody knows any more.
      const isGone = known.state === 'running' && !existsSync(live.folder);
      if (!isGone) makeFolder(live.folder);
      if (known.bootId !== this.#boot) return this.#resumeAfterBoot(live, known);
      if (isGone) return this.#giveUp(live, 'It had begun, but the files that would tell how it went are gone.');
      const standing = await this.#standing(live.folder);
      // Also where a start was told: that is a moment before the wrapper claims it.
      return standing.kind === 'free' ? 'neverStarted' : this.#takeUp(live, standing);
    } catch (problem) {
      return this.#giveUp(live, `Its folder cannot be read: ${(problem as Error).message}`);
    }
  }

  /** Claims are not synced: after another boot, only a complete end proves anything. */
  #resumeAfterBoot(live: Live, known: KnownAttempt): Recovered['found'] {
    const state = existsSync(live.folder) ? readFolder(live.folder) : null;
    if (state?.kind === 'ended' || state?.kind === 'exited') return this.#takeUp(live, state);
    const what = known.state === 'running' ? 'while it ran' : 'before it was known whether it had begun';
    live.outcome = { kind: 'lost', detail: `The machine was restarted ${what}.`, at: Date.now() };
    this.#finish(live);
    return 'lost';
  }

  #takeUp(live: Live, standing: Exclude<Standing, { kind: 'free' }>): 'watched' | 'ended' | 'lost' {
    if (standing.kind === 'ended') {
      this.#lives.delete(live.attempt);
      this.#report({ attempt: live.attempt, type: 'ended', end: standing.end });
      return 'ended';
    }
    live.growth = knownGrowth(live.folder);
    live.startedAt = standing.claimedAt;
    this.#adoptTerms(live, standing.claim);
    this.#tellStarted(live);
    const stop = readStop(live.folder) ?? live.stop;
    if (standing.kind === 'claimed' && live.leader !== null && this.#isLeaderAlive(live)) {
      live.stop = null;
      if (stop !== null) this.#beginStop(live, stop);
      return 'watched';
    }
    live.stop = readStop(live.folder);
    // It may have ended since its standing was read.
    const exit = standing.kind === 'exited' ? standing : readExit(live.folder);
    if (exit !== null) {
      this.#clear(live, { kind: 'code', code: exit.code, at: exit.at });
      return 'ended';
    }
    return this.#giveUp(live, 'Its wrapper ended without saying how the job went.');
  }

  #adoptTerms(live: Live, claim: Claim | null): void {
    live.phase = 'running';
    this.#lookWithin(lookMs);
    if (claim === null) return;
    live.terms = claim;
    live.leader = claim.bootId === this.#boot ? claim : null;
    if (claim.timeoutMs !== null) live.endsBy = performance.now() + claim.timeoutMs - ageMs(claim.startTicks);
  }

  /** Nobody can know how it went. Whatever still runs of it is ended before that is said. */
  #giveUp(live: Live, detail: string): 'lost' {
    this.#clear(live, { kind: 'lost', detail, at: Date.now() });
    return 'lost';
  }

  // --------------------------------------------------------------- ending

  #isLeaderAlive(live: Live): boolean {
    // A child of ours keeps its number until Node has told us of its end.
    if (live.child) return live.child.exitCode === null && live.child.signalCode === null;
    const { leader } = live;
    return leader !== null && leader.startTicks !== null && isAlive({ pid: leader.pid, startTicks: leader.startTicks });
  }

  #beginStop(live: Live, stop: Stop): void {
    // The job ended by itself already: that is how it ended.
    if (readExit(live.folder) !== null) return;
    // For whoever has to tell the end should this runner die meanwhile.
    asFarAsPossible(() => writeStop(live.folder, stop));
    live.stop = stop;
    const graceMs = stop.cause === 'lease' ? this.#watch.lease.graceMs() : live.terms.stopGraceMs;
    live.killAt = performance.now() + graceMs;
    if (this.#isLeaderAlive(live)) {
      signalPid(-live.leader!.pid, 'SIGTERM');
      // A job that was halted hears nothing until it goes on.
      signalPid(-live.leader!.pid, 'SIGCONT');
    }
    this.#lookWithin(0);
  }

  #wrapperEnded(live: Live, code: number | null, signal: NodeJS.Signals | null): void {
    const at = Date.now();
    // The wrapper ends with the job's code; only the one that it also uses itself needs a look.
    const kept = code !== null && code !== claimRefused ? code : readExit(live.folder)?.code;
    if (kept !== undefined) this.#clear(live, { kind: 'code', code: kept, at });
    else if (signal !== null) this.#clear(live, { kind: 'killed', signal, at });
    else {
      const detail = 'The attempt could not be marked as begun, so it was not begun. Is the disk full?';
      this.#clear(live, { kind: 'cannotStart', detail, at });
    }
  }

  #clear(live: Live, outcome: Outcome): void {
    live.outcome = outcome;
    live.phase = 'clearing';
    // Where this runner was late, the keeper has ended it.
    if (live.terms.leased && this.#watch.lease.isOver()) live.stop ??= readStop(live.folder);
    if (live.stop === null) {
      if (live.child && this.#kin.isAlone(live.attempt, live.leader!.pid, live.terms.leased)) {
        this.#finish(live);
        return;
      }
      live.killAt = performance.now();
    }
    this.#lookWithin(0);
  }

  #finish(live: Live, remark?: string): void {
    if (live.finishing) return;
    live.finishing = true;
    if (!isMasked(live.folder)) this.#tellFinished(live, remark);
    else
      void endMasker(live.folder).then((missing) =>
        this.#tellFinished(live, [remark, missing].filter(Boolean).join(' ') || undefined),
      );
  }

  #tellFinished(live: Live, remark?: string): void {
    const { order, folder } = live;
    const outcome = live.outcome!;
    const { outputBytesMax } = live.terms;
    asFarAsPossible(() => {
      if (outcome.kind !== 'code') makeFolder(folder);
      measureOutput(folder, live.growth, { outputBytesMax, startedAt: live.startedAt, now: outcome.at, final: true });
    });
    const told = tellEnd(outcome, live.stop, order, live.terms.timeoutMs, this.#whyNotStartable(live, outcome));
    const end: AttemptEnd = {
      at: Math.round(outcome.at),
      ...told,
      ...(remark ? { detail: told.detail ? `${told.detail} ${remark}` : remark } : {}),
      outputBytes: live.growth.bytes,
      outputCut: live.growth.cut,
    };
    // Where a wrapper kept an exit code, that and `stopped-because` say the same again.
    if (outcome.kind !== 'code') asFarAsPossible(() => writeEnded(folder, end));
    this.#kin.cgroups?.clear(live.attempt);
    this.#lives.delete(live.attempt);
    this.#report({ attempt: live.attempt, type: 'ended', end });
    if (this.#leaving !== null) this.#lookWithin(0);
  }

  #whyNotStartable(live: Live, outcome: Outcome): string | null {
    const command = live.order?.command;
    if (outcome.kind !== 'code' || (outcome.code !== 126 && outcome.code !== 127)) return null;
    if (!command || !('program' in command) || live.directory === '') return null;
    const searchPath = live.order?.environment['PATH'] ?? passedOn(process.env)['PATH']!;
    return whyNotStartable(command.program, live.directory, searchPath);
  }

  #tellStarted(live: Live): void {
    this.#report({ attempt: live.attempt, type: 'started', at: Math.round(live.startedAt) });
  }

  // -------------------------------------------------------------- looking

  #lookWithin(ms: number): void {
    const due = performance.now() + ms;
    if (this.#timer !== null && this.#timerDue <= due) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#look();
    }, ms);
  }

  /** One look at everything that lives; the next follows only while there is something to look at. */
  #look(): void {
    const now = performance.now();
    const leased = [...this.#lives.values()].filter((live) => live.terms.leased);
    if (leased.length > 0) this.#lookAtLease(leased, now);
    for (const live of this.#lives.values()) if (live.phase === 'running') this.#lookAtRunning(live, now);
    const pressed = [...this.#lives.values()].filter((live) => live.phase === 'clearing' || live.stop !== null);
    this.#press(pressed.filter((live) => live.phase !== 'waiting'));
    this.#kin.killLeft(now);
    const isClosing = (live: Live) => this.#lives.has(live.attempt) && (now >= live.killAt || live.quietLooks > 0);
    if (pressed.some(isClosing)) this.#lookWithin(clearingLookMs);
    else if (this.#lives.size > 0 || this.#kin.hasLeft) this.#lookWithin(lookMs);
    if (this.#leaving !== null) this.#leaveIfAlone();
  }

  /** By the clock that counts sleep, at each look: no timer of ours does. */
  #lookAtLease(leased: Live[], now: number): void {
    const { lease, keeper } = this.#watch;
    keeper.beThere();
    if (!lease.isOver()) return;
    for (const live of leased) {
      if (live.stop !== null) live.killAt = Math.min(live.killAt, now + lease.graceMs());
      else if (live.phase === 'waiting') live.stop = this.#stopFor('lease');
      else if (live.phase === 'running') this.#beginStop(live, this.#stopFor('lease'));
    }
  }

  #lookAtRunning(live: Live, now: number): void {
    const { outputBytesMax } = live.terms;
    const { startedAt } = live;
    asFarAsPossible(() =>
      measureOutput(live.folder, live.growth, { outputBytesMax, startedAt, now: Date.now(), final: false }),
    );
    if (!live.child && !this.#isLeaderAlive(live)) this.#adoptedEnded(live);
    else if (live.stop === null && now >= live.endsBy) this.#beginStop(live, this.#stopFor('timeout'));
  }

  #adoptedEnded(live: Live): void {
    const exit = readExit(live.folder);
    const at = Date.now();
    if (exit !== null) this.#clear(live, { kind: 'code', ...exit });
    else if (performance.now() >= live.killAt) this.#clear(live, { kind: 'killed', signal: 'SIGKILL', at });
    else this.#giveUp(live, 'Its wrapper was ended before it could say how the job went.');
  }

  /** Asks those outside the group to end, kills when the time is over, finishes when nobody is left. */
  #press(lives: Live[]): void {
    if (lives.length === 0) return;
    const leaders = lives.map((live): Leader & { live: Live } => {
      return { live, attempt: live.attempt, pid: live.leader?.pid ?? null, leaderAlive: this.#isLeaderAlive(live) };
    });
    const found = this.#kin.find(leaders);
    const now = performance.now();
    for (const leader of leaders) this.#pressOne(leader.live, leader, found.get(leader.attempt) ?? [], now);
  }

  #pressOne(live: Live, leader: Leader, left: SeenProcess[], now: number): void {
    if (live.phase === 'clearing' && left.length === 0) {
      live.quietLooks++;
      const isGone = this.#kin.isCertain(live.attempt) ? this.#kin.cgroups?.clear(live.attempt) : live.quietLooks >= 2;
      if (isGone) this.#finish(live);
      return;
    }
    live.quietLooks = 0;
    if (now >= live.killAt) {
      this.#kin.kill(leader, left);
      const pids = left.map((seen) => seen.pid).join(', ');
      const isStuck = live.phase === 'clearing' && now - live.killAt > clearingMsMax;
      if (isStuck) this.#finish(live, `Processes of this attempt could not be ended: ${pids}.`);
      return;
    }
    for (const seen of left) {
      const name = `${seen.pid}:${seen.startTicks}`;
      if (seen.group === leader.pid || live.asked.has(name)) continue;
      live.asked.add(name);
      signalSeen(seen, 'SIGTERM');
      signalSeen(seen, 'SIGCONT');
    }
  }
}

/** For what is written for comfort, not for proof: a full disk must not keep a job from being ended and told of. */
function asFarAsPossible(act: () => void): void {
  try {
    act();
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === undefined) throw problem;
  }
}
