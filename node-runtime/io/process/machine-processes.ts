/**
 * The processes of this machine, as Linux tells of them in /proc.
 *
 * A pid alone names nobody: numbers come back. Here a process is its pid AND
 * its start time, and whoever is to be signalled is looked at again first, so
 * that a stranger is never killed. Marked processes are those that carry the
 * mark of one data folder in their environment, however far they fled from
 * their parents; one that empties its environment is not found this way
 * (its session or its cgroup still tells).
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Kernel clock ticks a second as shown to programs: 100 on every Linux. */
const ticksPerSecond = 100;

export type SeenProcess = {
  pid: number;
  group: number;
  session: number;
  /** Clock ticks after boot. Together with the pid it names a process. */
  startTicks: number;
};

const quietly = (path: string): Buffer | null => {
  try {
    return readFileSync(path);
  } catch {
    // It ended meanwhile, or belongs to someone else: both mean "not ours to see".
    return null;
  }
};

/** Names this boot of the machine; '' where the system has none. */
export const bootId = (): string => quietly('/proc/sys/kernel/random/boot_id')?.toString().trim() ?? '';

/** The line of /proc/PID/stat; null for none, for zombies and for a line cut short. */
export function readStatLine(line: string): SeenProcess | null {
  // The name stands in parentheses and may itself hold spaces and parentheses.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const startTicks = Number(fields[19]);
  if (fields.length < 20 || fields[0] === 'Z' || fields[0] === 'X' || !Number.isInteger(startTicks)) return null;
  return { pid: Number.parseInt(line, 10), group: Number(fields[2]), session: Number(fields[3]), startTicks };
}

export function seeProcess(pid: number): SeenProcess | null {
  const line = quietly(`/proc/${pid}/stat`);
  return line === null ? null : readStatLine(line.toString('latin1'));
}

export function isAlive(process: { pid: number; startTicks: number }): boolean {
  return seeProcess(process.pid)?.startTicks === process.startTicks;
}

/** How long ago a process with this start time began, by the clock that no one sets. */
export function ageMs(startTicks: number): number {
  const uptimeSeconds = Number.parseFloat(quietly('/proc/uptime')?.toString() ?? '0');
  return Math.max(0, uptimeSeconds * 1000 - (startTicks * 1000) / ticksPerSecond);
}

/** Sends a signal to a process that is still the one seen. */
export function signalSeen(seen: { pid: number; startTicks: number }, signal: NodeJS.Signals): void {
  if (isAlive(seen)) signalPid(seen.pid, signal);
}

/** Sends a signal to a pid, or a group when negative; one that is gone or not ours is no error. */
export function signalPid(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === 'EPERM') return true;
    return false;
  }
}

export type Found = Map<string, SeenProcess[]>;

/** A session that belongs to an attempt: its number is its leader's pid. */
export type OwnSession = { attempt: string; leaderAlive: boolean };

/**
 * All living processes marked with `BINNACLE_MARK=mark`, by attempt; and those
 * in one of `sessions`, which also shows processes that emptied their
 * environment. About 10 to 40 µs a process of the machine.
 */
export function findMarked(mark: string, sessions: Map<number, OwnSession>): Found {
  const found: Found = new Map();
  const strangers = takenByStrangers(sessions);
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const attempt = markedAttempt(mark, quietly(`/proc/${name}/environ`));
    if (attempt === null && sessions.size === 0) continue;
    const seen = seeProcess(Number(name));
    if (seen === null) continue;
    const owner = attempt ?? (strangers.has(seen.session) ? undefined : sessions.get(seen.session)?.attempt);
    if (owner !== undefined) found.set(owner, [...(found.get(owner) ?? []), seen]);
  }
  return found;
}

/** A session's number is free again when its last process ended: a living leader after ours is a stranger. */
function takenByStrangers(sessions: Map<number, OwnSession>): Set<number> {
  const taken = new Set<number>();
  for (const [pid, { leaderAlive }] of sessions) if (!leaderAlive && seeProcess(pid) !== null) taken.add(pid);
  return taken;
}

function markedAttempt(mark: string, environment: Buffer | null): string | null {
  if (environment === null || !environment.includes(`BINNACLE_MARK=${mark}\0`)) return null;
  let attempt: string | null = null;
  let marked = false;
  for (const entry of environment.toString('latin1').split('\0')) {
    if (entry === `BINNACLE_MARK=${mark}`) marked = true;
    else if (entry.startsWith('BINNACLE_ATTEMPT=')) attempt = entry.slice('BINNACLE_ATTEMPT='.length);
  }
  return marked ? attempt : null;
}
