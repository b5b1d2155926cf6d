/**
 * One cgroup v2 for each attempt, where this process may make them.
 *
 * A cgroup holds every descendant of the wrapper, also one that changed its
 * session, lost its parent or emptied its environment, and `cgroup.kill` ends
 * all of them at once. Whether it works is tried at the start with a real
 * process, not guessed from permissions. Sets no limits on what a job uses.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Cgroups = {
  /** The folder that holds them, each as `a-ATTEMPT`. */
  base: string;
  /** Makes the attempt's cgroup; its path, or null when that failed. */
  make(attempt: string): string | null;
  /** Pids in it, zombies included; null when the attempt has none. */
  members(attempt: string): number[] | null;
  kill(attempt: string): void;
  /** Removes it; true when it is gone or nobody is in it. */
  clear(attempt: string): boolean;
  /** Removes the folder of them all, if nothing is left in it. */
  close(): void;
};

export function openCgroups(mark: string): Cgroups | null {
  try {
    const base = join(ownCgroup(), `binnacle-${mark}`);
    mkdirSync(base, { recursive: true });
    return isUsable(base) ? cgroupsIn(base) : null;
  } catch {
    // No cgroup v2, or not ours to divide: processes are then found by their mark.
    return null;
  }
}

function ownCgroup(): string {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '));
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'));
  if (!mount || !own) throw new Error('no cgroup v2 here');
  return join(mount.split(' ')[4] ?? '', own[1] ?? '');
}

function isUsable(base: string): boolean {
  const probe = join(base, `probe-${process.pid}`);
  mkdirSync(probe);
  try {
    return spawnSync('/bin/sh', ['-c', 'echo $$ >"$0/cgroup.procs"', probe], { stdio: 'ignore' }).status === 0;
  } finally {
    rmdirSync(probe);
  }
}

function cgroupsIn(base: string): Cgroups {
  const of = (attempt: string) => join(base, `a-${attempt}`);
  const members = (attempt: string): number[] | null => {
    try {
      return readFileSync(join(of(attempt), 'cgroup.procs'), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map(Number);
    } catch {
      return null;
    }
  };
  return {
    base,
    members,
    make(attempt) {
      try {
        mkdirSync(of(attempt), { recursive: true });
        return of(attempt);
      } catch {
        return null; // Full, or no longer ours: this attempt does without.
      }
    },
    kill(attempt) {
      try {
        writeFileSync(join(of(attempt), 'cgroup.kill'), '1');
      } catch {
        // Gone, or a kernel before 5.14: the caller also kills the members one by one.
      }
    },
    clear(attempt) {
      try {
        rmdirSync(of(attempt));
        return true;
      } catch (problem) {
        if ((problem as NodeJS.ErrnoException).code === 'ENOENT') return true;
        return isEmpty(of(attempt));
      }
    },
    close() {
      try {
        rmdirSync(base);
      } catch {
        // Jobs live on in it; the next runner uses it again.
      }
    },
  };
}

/** True also where the job made cgroups of its own inside, which then stay behind, empty. */
function isEmpty(path: string): boolean {
  try {
    return /^populated 0$/m.test(readFileSync(join(path, 'cgroup.events'), 'utf8'));
  } catch {
    return true;
  }
}
