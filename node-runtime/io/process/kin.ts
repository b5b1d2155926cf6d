/**
 * All processes that belong to an attempt, however far they went from it.
 *
 * Found through the attempt's cgroup where it has one, else by its mark and
 * its session. One look through /proc serves every attempt that asks at the
 * same time. A process is signalled only just after it was seen with its pid
 * and start time; a group only while its leader is known to live.
 */
import type { Cgroups } from './cgroups.ts';
import {
  type Found,
  findMarked,
  type OwnSession,
  type SeenProcess,
  seeProcess,
  signalPid,
  signalSeen,
} from './machine-processes.ts';

const leftLookMs = 500;

export type Leader = { attempt: string; pid: number | null; leaderAlive: boolean };

export class Kin {
  readonly mark: string;
  readonly cgroups: Cgroups | null;
  /** Attempts that ended well and may have left processes in sessions of their own; whether they had a lease. */
  #left = new Map<string, boolean>();
  #leftLookAt = 0;

  constructor(mark: string, cgroups: Cgroups | null) {
    this.mark = mark;
    this.cgroups = cgroups;
  }

  get hasLeft(): boolean {
    return this.#left.size > 0;
  }

  get hasLeftLeased(): boolean {
    return [...this.#left.values()].includes(true);
  }

  /**
   * True when nobody seems to be left of an attempt whose leader just ended.
   * Costs one call. Without a cgroup, processes in sessions of their own are
   * looked for a moment later, by `killLeft`.
   */
  isAlone(attempt: string, leader: number, leased: boolean): boolean {
    if (this.cgroups?.members(attempt)) return this.cgroups.clear(attempt);
    if (signalPid(-leader, 0)) return false;
    this.#left.set(attempt, leased);
    return true;
  }

  /** Attempts of which marked processes live, ended or not. */
  living(): string[] {
    return [...findMarked(this.mark, new Map()).keys()];
  }

  /** True when a look that found nobody needs no second one: a process between two programs shows no mark. */
  isCertain(attempt: string): boolean {
    return this.cgroups?.members(attempt) != null;
  }

  find(leaders: Leader[]): Found {
    const found: Found = new Map();
    const sessions = new Map<number, OwnSession>();
    let mustLook = false;
    for (const { attempt, pid, leaderAlive } of leaders) {
      const members = this.cgroups?.members(attempt);
      if (members)
        found.set(
          attempt,
          members.map(seeProcess).filter((seen): seen is SeenProcess => seen !== null),
        );
      else mustLook = true;
      if (!members && pid !== null) sessions.set(pid, { attempt, leaderAlive });
    }
    if (mustLook)
      for (const [attempt, seen] of findMarked(this.mark, sessions)) if (!found.has(attempt)) found.set(attempt, seen);
    return found;
  }

  /** Ends them at once, without asking. */
  kill(leader: Leader, found: SeenProcess[]): void {
    this.cgroups?.kill(leader.attempt);
    if (leader.pid !== null && leader.leaderAlive) signalPid(-leader.pid, 'SIGKILL');
    for (const seen of found) signalSeen(seen, 'SIGKILL');
  }

  /** Kills what attempts that ended have left behind; attempts with such processes are looked at again. */
  killLeft(now: number): void {
    if (this.#left.size === 0 || now - this.#leftLookAt < leftLookMs) return;
    this.#leftLookAt = now;
    const looked = this.#left;
    this.#left = new Map();
    for (const [attempt, seen] of findMarked(this.mark, new Map())) {
      const leased = looked.get(attempt);
      if (leased === undefined) continue;
      this.#left.set(attempt, leased);
      for (const one of seen) signalSeen(one, 'SIGKILL');
    }
  }
}
