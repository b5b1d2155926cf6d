/**
 * What a worker needs to start an attempt: the command with every `${{ … }}`
 * filled, the environment, the bounds. Pure data; how a process is started is
 * the worker's.
 */
import type { TaskPlan } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import { textOf } from './evaluate.ts';
import { parameterVariable } from './parameters.ts';
import { type Progress, scopeOf, taskIndex } from './progress.ts';
import type { RunRecord } from './record.ts';
import { hasSlots } from './slots.ts';
import type { AttemptName, Jobs } from './state.ts';
import { fillShell, fillText } from './template.ts';

export type AttemptOrder = AttemptName & {
  node: string;
  sandbox: string;
  revision: number | null;
  command: TaskPlan['run'];
  environment: Record<string, string>;
  /** Variable → name of the secret it becomes. */
  secrets?: Record<string, string>;
  /** Relative to the top of the sandbox; '' is the top. */
  workingDirectory: string;
  timeoutMs: number | null;
  /** Another attempt may follow elsewhere: the worker ends it when its lease is over (P35). */
  leased: boolean;
};

/** For an attempt that was placed and has not ended. Anything else is our own bug. */
export function orderFor(jobs: Jobs, name: AttemptName): AttemptOrder {
  const run = jobs.runs.get(name.run);
  const progress = jobs.progress.get(name.run);
  const index = progress && taskIndex(progress, name.task);
  const attempt = index === undefined ? undefined : run?.tasks[index]?.attempts[name.number - 1];
  if (!run || !progress || index === undefined || !attempt || attempt.end) {
    throw new Error(`broken promise: no open attempt ${name.run}.${name.task}.${name.number} to order`);
  }
  const plan = run.plan.tasks[index]!;
  return {
    run: name.run,
    task: name.task,
    number: name.number,
    node: attempt.node,
    sandbox: run.sandbox,
    revision: run.revision ?? null,
    ...filled(run, progress, index),
    ...(plan.secrets ? { secrets: plan.secrets } : {}),
    workingDirectory: plan.workingDirectory,
    timeoutMs: plan.timeoutMs,
    leased: name.number < plan.attemptsMax,
  };
}

/** Later ones go before: the job's variables, the task's, parameters, values of `${{ … }}`. */
function filled(run: RunRecord, progress: Progress, index: number): Pick<AttemptOrder, 'command' | 'environment'> {
  const plan = run.plan.tasks[index]!;
  const scope = scopeOf(run, progress, index);
  const environment: Record<string, string> = {};
  for (const texts of [run.plan.environment ?? {}, plan.environment]) {
    for (const [name, text] of Object.entries(texts)) environment[name] = fillText(text, scope);
  }
  for (const [name, value] of Object.entries(run.parameters)) environment[parameterVariable(name)] = textOf(value);
  if ('shell' in plan.run) {
    const { text, variables } = fillShell(plan.run.shell, scope);
    return { command: { shell: text }, environment: { ...environment, ...variables } };
  }
  const program = fillText(plan.run.program, scope);
  return { command: { program, arguments: plan.run.arguments.map((text) => fillText(text, scope)) }, environment };
}

/**
 * Why a task can't be ordered although its job file is right: values grew too
 * long when they were filled in. Null when it can.
 */
export function orderProblem(run: RunRecord, progress: Progress, index: number): string | null {
  if (!isFilledAtAll(run, index)) return null;
  const { command, environment } = filled(run, progress, index);
  const long = Object.entries(environment).find(([, text]) => text.length > limits.environmentCharsMax);
  if (long) return `The value of ${long[0]} has more than ${limits.environmentCharsMax} characters.`;
  if ('shell' in command) return null;
  if (command.program === '') return 'The program has no name: its value is empty.';
  const tooLong = command.arguments.some((text) => text.length > limits.environmentCharsMax);
  return tooLong ? `An argument has more than ${limits.environmentCharsMax} characters.` : null;
}

function isFilledAtAll(run: RunRecord, index: number): boolean {
  const { environment, run: command } = run.plan.tasks[index]!;
  const commandTexts = 'shell' in command ? [command.shell] : [command.program, ...command.arguments];
  const texts = [...commandTexts, ...Object.values(environment), ...Object.values(run.plan.environment ?? {})];
  return texts.some(hasSlots);
}
