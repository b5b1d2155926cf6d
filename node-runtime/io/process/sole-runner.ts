/**
 * Makes sure that this runner is the only one on its data folder.
 *
 * A runner ends itself when its node is gone, but a moment may pass. Until the
 * old one is surely gone nothing may be concluded about attempts, since it
 * could still start one. It is known by pid and start time, so a stranger who
 * was given its number is left alone. Keeps no lock: two nodes on one folder
 * are prevented by the node's own lock.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readIfThere } from './attempt-folder.ts';
import { bootId, isAlive, seeProcess, signalSeen } from './machine-processes.ts';

const waitMsMax = 10_000;

export const soleRunnerFile = (dataDir: string): string => join(dataDir, 'attempts', '.runner');

/** Ends the runner before this one and waits until it is gone; throws when it cannot be ended. */
export async function becomeSoleRunner(dataDir: string): Promise<void> {
  for (const name of ['attempts', 'work']) mkdirSync(join(dataDir, name), { recursive: true, mode: 0o700 });
  const file = soleRunnerFile(dataDir);
  const [pid, startTicks, boot] = (readIfThere(file) ?? '').trim().split(' ');
  const before = { pid: Number(pid), startTicks: Number(startTicks) };
  if (boot === bootId() && before.pid !== process.pid) await endRunner(before);
  const self = seeProcess(process.pid);
  writeFileSync(`${file}.new`, `${process.pid} ${self?.startTicks ?? 0} ${bootId()}\n`);
  renameSync(`${file}.new`, file);
}

async function endRunner(before: { pid: number; startTicks: number }): Promise<void> {
  const deadline = performance.now() + waitMsMax;
  while (isAlive(before)) {
    if (performance.now() > deadline) throw new Error(`The runner before this one (${before.pid}) cannot be ended.`);
    signalSeen(before, 'SIGKILL');
    await pause(5);
  }
}
