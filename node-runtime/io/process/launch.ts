/**
 * Starts the wrapper of one attempt.
 *
 * Prepares what the job will see: its folder, its output, its environment
 * (the order's own, five names of the system and Binnacle's marks: never the
 * node's environment). Decides nothing about whether the attempt may start.
 * What cannot be started throws with a sentence for a person.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { AttemptOrder } from './orders.ts';
import { staysInside } from './run-folder.ts';
import { wrapperText, wrapperVariable } from './wrapper.ts';

/** The names of the system that a job gets from the runner, unless its order sets them. */
export const namesPassedOn = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'USER'] as const;
export const plainSearchPath = '/usr/local/bin:/usr/bin:/bin';

export function passedOn(environment: NodeJS.ProcessEnv): Record<string, string> {
  const passed: Record<string, string> = { PATH: plainSearchPath };
  for (const name of namesPassedOn) {
    const value = environment[name];
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}

/** What the job sees. BINNACLE_MARK names the data folder, so that nodes on one machine keep apart. */
export function jobEnvironment(order: AttemptOrder, mark: string): Record<string, string> {
  for (const name of [...Object.keys(order.environment), ...Object.keys(order.secrets ?? {})]) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name === wrapperVariable) {
      throw new Error(`The name of the environment variable "${name}" cannot be passed on to a job.`);
    }
  }
  return {
    ...passedOn(process.env),
    ...order.environment,
    ...order.secrets,
    BINNACLE_RUN: order.run,
    BINNACLE_TASK: order.task,
    BINNACLE_ATTEMPT: order.attempt,
    BINNACLE_ATTEMPT_NUMBER: String(order.number),
    BINNACLE_MARK: mark,
  };
}

/** Where the job begins; throws when that is no folder or leads out of `top`. */
export function workingFolder(top: string, relative: string): string {
  if (relative === '' || relative === '.') return top;
  const path = join(top, relative);
  const found = staysInside(relative) ? statSync(path, { throwIfNoEntry: false }) : undefined;
  if (!found?.isDirectory()) throw new Error(`The working directory "${relative}" does not exist.`);
  if (!`${realpathSync(path)}${sep}`.startsWith(`${realpathSync(top)}${sep}`)) {
    throw new Error(`The working directory "${relative}" leads out of its sandbox.`);
  }
  return path;
}

export type LaunchTerms = {
  order: AttemptOrder;
  folder: string;
  workingFolder: string;
  claim: number;
  bootId: string;
  mark: string;
  cgroup: string | null;
  /** Where its output goes instead of its file: to its masker. */
  pipe: number | null;
};

export function spawnWrapper(launch: LaunchTerms): ChildProcess {
  const { order, folder } = launch;
  const text = wrapperText({
    number: launch.claim,
    bootId: launch.bootId,
    timeoutMs: order.timeoutMs,
    stopGraceMs: order.stopGraceMs,
    outputBytesMax: order.outputBytesMax,
    leased: order.leased,
    cgroup: launch.cgroup,
  });
  const environment = jobEnvironment(order, launch.mark);
  const command = commandLine(order, folder);
  const output = launch.pipe ?? openSync(join(folder, 'output'), 'a', 0o600);
  try {
    return spawn('/bin/sh', ['-c', text, folder, ...command], {
      cwd: launch.workingFolder,
      env: environment,
      detached: true, // its own session: signals to the group reach the job and all it starts
      stdio: ['ignore', output, output],
    });
  } finally {
    if (launch.pipe === null) closeSync(output);
  }
}

function commandLine(order: AttemptOrder, folder: string): string[] {
  if ('shell' in order.command) {
    const script = join(folder, 'script');
    writeFileSync(script, order.command.shell, { mode: 0o600 });
    return ['/bin/sh', '-e', script];
  }
  const { program, arguments: list } = order.command;
  // `exec` of some shells would take it for an option.
  if (program === '' || program.startsWith('-')) throw new Error(`"${program}" is not the name of a program.`);
  return [program, ...list];
}

/** Why `spawn` itself failed, as a sentence. */
export function whyNotSpawned(problem: NodeJS.ErrnoException, workingFolderPath: string): string {
  if (!statSync(workingFolderPath, { throwIfNoEntry: false })?.isDirectory()) {
    return `The working directory "${workingFolderPath}" does not exist.`;
  }
  if (problem.code === 'E2BIG') return 'The arguments and environment of the job are too long for this system.';
  if (problem.code === 'EAGAIN' || problem.code === 'ENOMEM') return 'This machine has no room for another process.';
  if (problem.code === 'EMFILE' || problem.code === 'ENFILE') return 'This machine has no room for another open file.';
  return `The process could not be started: ${problem.message}`;
}
