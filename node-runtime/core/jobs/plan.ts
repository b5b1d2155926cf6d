/**
 * What a run will do: a checked job file, or a script, as a Plan.
 *
 * Everything is resolved here (defaults, durations, lists), so that a run
 * never looks at its file again. Only `${{ … }}` and conditions stay as they
 * are: they depend on results.
 */

import type { Plan, TaskPlan } from '../../contract/facts.ts';
import type { JobFile, TaskWritten } from '../../contract/job-file.ts';
import { durationMs } from './duration.ts';
import { needsOf } from './graph.ts';

export const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** What a job file is called when it names itself nothing. */
export const jobName = (job: JobFile | null, path: string): string =>
  job?.name ?? fileName(path).replace(/\.job\.(yaml|json)$/, '');

/** @param job without findings (check.ts) */
export function planOf(job: JobFile, path: string): Plan {
  const tasks = Object.entries(job.tasks).map(([id, task]) => taskPlan(job, id, task, false));
  const last = Object.entries(job.finally ?? {}).map(([id, task]) => taskPlan(job, id, task, true));
  return { name: jobName(job, path), format: 'job', environment: texts(job.env), tasks: [...tasks, ...last] };
}

function taskPlan(job: JobFile, id: string, task: TaskWritten, isLast: boolean): TaskPlan {
  const timeout = task.timeout ?? job.timeout;
  return {
    id,
    name: task.name ?? id,
    needs: needsOf(task),
    finally: isLast,
    ...(task.if === undefined ? {} : { condition: String(task.if) }),
    run: commandOf(task.run),
    environment: texts(task.env),
    ...secretsOf(job, task),
    workingDirectory: plainFolder(task.working_directory ?? ''),
    timeoutMs: timeout === undefined ? null : durationMs(timeout),
    ...retryOf(task.retry),
    continueOnError: task.continue_on_error ?? false,
  };
}

function commandOf(run: TaskWritten['run']): TaskPlan['run'] {
  if (typeof run === 'string') return { shell: run };
  const [program, ...rest] = run.map(String);
  return { program: program!, arguments: rest };
}

/** `retry: 2` allows two more attempts; `attempts: 3` counts the first one too. */
function retryOf(retry: TaskWritten['retry']): Pick<TaskPlan, 'attemptsMax' | 'retryDelayMs' | 'retryBackoff'> {
  if (typeof retry !== 'object') return { attemptsMax: 1 + (retry ?? 0), retryDelayMs: 0, retryBackoff: 1 };
  const delayMs = retry.delay === undefined ? 0 : durationMs(retry.delay);
  return { attemptsMax: retry.attempts, retryDelayMs: delayMs ?? 0, retryBackoff: retry.backoff ?? 1 };
}

/** What the task itself sets goes before the job's. Absent where there are none, as in plans of older versions. */
function secretsOf(job: JobFile, task: TaskWritten): Pick<TaskPlan, 'secrets'> {
  const isOwn = ([variable]: [string, string]) => Object.hasOwn(task.env ?? {}, variable);
  const ofJob = Object.entries(secretVariables(job.secrets)).filter((one) => !isOwn(one));
  const secrets = { ...Object.fromEntries(ofJob), ...secretVariables(task.secrets) };
  return Object.keys(secrets).length === 0 ? {} : { secrets };
}

/** `secrets: [NAME]` gives it under its own name. */
export const secretVariables = (written: JobFile['secrets']): Record<string, string> =>
  Array.isArray(written) ? Object.fromEntries(written.map((name) => [name, name])) : (written ?? {});

const texts = (environment: JobFile['env']): Record<string, string> =>
  Object.fromEntries(Object.entries(environment ?? {}).map(([name, value]) => [name, String(value)]));

const plainFolder = (folder: string): string =>
  folder
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/');

// ------------------------------------------------------------------ scripts

/** The one task of a script. */
export const scriptTask = 'script';

const interpreters: Record<string, string[]> = {
  sh: ['/bin/sh'],
  py: ['python3'],
  js: ['node'],
  mjs: ['node'],
  rb: ['ruby'],
  pl: ['perl'],
  ps1: ['pwsh', '-File'],
};
export const scriptEndings = Object.keys(interpreters);

/**
 * A script runs at the top of its sandbox, by the interpreter that its first
 * line names, else by the one for its ending. Without either an executable
 * file runs by itself and any other by the shell, as a shell would do it.
 *
 * @param firstLine of the file, without its end
 */
export function planOfScript(path: string, firstLine: string, executable: boolean): Plan {
  const script = `./${path}`; // never taken for an option
  const command = interpreterOf(path, firstLine) ?? (executable ? [] : ['/bin/sh']);
  const [program, ...rest] = [...command, script];
  return {
    name: fileName(path),
    format: 'script',
    tasks: [
      {
        id: scriptTask,
        name: fileName(path),
        needs: [],
        finally: false,
        run: { program: program!, arguments: rest },
        environment: {},
        workingDirectory: '',
        timeoutMs: null,
        attemptsMax: 1,
        retryDelayMs: 0,
        retryBackoff: 1,
        continueOnError: false,
      },
    ],
  };
}

/** As the system does it: the interpreter, and the rest of the line as one argument. */
function interpreterOf(path: string, firstLine: string): string[] | null {
  const match = /^\ufeff?#!\s*(\S+)\s*(.*?)\s*$/.exec(firstLine);
  if (match) return match[2] === '' ? [match[1]!] : [match[1]!, match[2]!];
  const ending = /\.([a-z0-9]+)$/.exec(fileName(path))?.[1];
  return ending !== undefined && Object.hasOwn(interpreters, ending) ? interpreters[ending]! : null;
}
