/**
 * What a mistake in the shape of a job file is called, in words a person
 * understands: from the issues of the schema to findings with a hint. Knows
 * what other systems call things, and what a later version will know.
 */
import type { z } from 'zod';
import { parameterTypes } from '../contract/job-file.ts';
import type { Finding, KeyPath } from '../core/jobs/finding.ts';
import { didYouMean } from '../core/jobs/similar-name.ts';

type Issue = z.core.$ZodIssue;

const keysOf = {
  job: ['name', 'description', 'parameters', 'env', 'secrets', 'timeout', 'tasks', 'finally'],
  parameter: ['type', 'label', 'description', 'default', 'required', 'options', 'minimum', 'maximum', 'pattern'],
  task: ['name', 'needs', 'run', 'env', 'secrets', 'working_directory', 'timeout', 'retry', 'if', 'continue_on_error'],
  retry: ['attempts', 'delay', 'backoff'],
};

/** Known to the design, not to this version: ignoring them would do something else than was asked for. */
const later = new Set([
  'each',
  'matrix',
  'runs_on',
  'locks',
  'lock',
  'pools',
  'pool',
  'schedule',
  'schedules',
  'on',
  'listeners',
  'job',
  'approve',
  'artifacts',
  'inputs',
  'outputs',
  'output',
  'priority',
  'concurrency',
  'limits',
  'resources',
  'notify',
]);

/** What other systems call it → what it is called here. */
const otherWords: Record<string, string> = {
  steps: 'tasks',
  jobs: 'tasks',
  stages: 'tasks',
  script: 'run',
  command: 'run',
  cmd: 'run',
  shell: 'run',
  exec: 'run',
  depends_on: 'needs',
  'depends-on': 'needs',
  dependencies: 'needs',
  after: 'needs',
  requires: 'needs',
  when: 'if',
  condition: 'if',
  only: 'if',
  retries: 'retry',
  'continue-on-error': 'continue_on_error',
  allow_failure: 'continue_on_error',
  ignore_errors: 'continue_on_error',
  cwd: 'working_directory',
  workdir: 'working_directory',
  'working-directory': 'working_directory',
  directory: 'working_directory',
  environment: 'env',
  secret: 'secrets',
  variables: 'env',
  params: 'parameters',
  'timeout-minutes': 'timeout',
  cleanup: 'finally',
  min: 'minimum',
  max: 'maximum',
  values: 'options',
  choices: 'options',
  title: 'label',
  max_attempts: 'attempts',
  count: 'attempts',
  wait: 'delay',
  interval: 'delay',
};

/** @param value the file as plain values, to say what was found */
export function findingsOfIssues(issues: readonly Issue[], value: unknown): Finding[] {
  return issues.flatMap((issue) => findingsOf(issue, [], value));
}

function findingsOf(issue: Issue, above: KeyPath, value: unknown): Finding[] {
  const path = [...above, ...(issue.path as KeyPath)];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key));
  if (issue.code === 'invalid_key') return [wrongKey(path, issue.issues[0]?.message)];
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.find((branch) => branch.every((one) => one.path.length > 0 || !isWholeMismatch(one)));
    if (meant && meant.length > 0) return meant.flatMap((one) => findingsOf(one, path, value));
  }
  return [wrongValue(issue, path, valueAt(value, path))];
}

/** Is the branch of a union another kind of thing altogether? */
const isWholeMismatch = (issue: Issue): boolean => issue.code === 'invalid_type' || issue.code === 'invalid_union';

function unknownKey(path: KeyPath, key: string): Finding {
  const known = keysAt(path);
  const shown = key.length > 60 ? `${key.slice(0, 60)}…` : key;
  const place: Pick<Finding, 'path' | 'at'> = { path: [...path, key], at: 'key' };
  const word = Object.hasOwn(otherWords, key) ? otherWords[key]! : null;
  if (word && known.includes(word))
    return { ...place, sentence: `${shown} is not known here.`, hint: `It is called ${word} here.` };
  if (later.has(key))
    return {
      ...place,
      sentence: `${shown} is not supported by this version.`,
      hint: 'Take it out: it would have no effect.',
    };
  const hint = didYouMean(key, known) ?? `Known here: ${known.join(', ')}.`;
  return { ...place, sentence: `${shown} is not known here.`, hint };
}

function keysAt(path: KeyPath): string[] {
  if (path.length === 0) return keysOf.job;
  if (path[0] === 'parameters') return keysOf.parameter;
  return path.at(-1) === 'retry' && path.length === 3 ? keysOf.retry : keysOf.task;
}

function wrongKey(path: KeyPath, message: string | undefined): Finding {
  const name = String(path.at(-1)).slice(0, 60);
  const rule = message?.startsWith('must') ? message : 'must not be that long';
  return { path, at: 'key', sentence: `The name ${name} ${rule}.` };
}

// ------------------------------------------------------------------ values

function wrongValue(issue: Issue, path: KeyPath, found: unknown): Finding {
  const name = nameOf(path);
  const place: Pick<Finding, 'path' | 'at'> = { path, at: 'value' };
  if (found === undefined) return missing(path);
  if (issue.code === 'invalid_value') return notOneOf(issue, path, found);
  if (issue.message.startsWith('must'))
    return { ...place, sentence: `${name} ${issue.message}, not ${kindOf(found)}.` };
  switch (issue.code) {
    case 'invalid_type':
      return {
        ...place,
        sentence: `${name} must be ${wantedKind(issue.expected)}, not ${kindOf(found)}.`,
        ...hintFor(found, path),
      };
    case 'too_small':
      return {
        ...place,
        sentence: `${name} must ${issue.origin === 'number' || issue.origin === 'int' ? `be at least ${issue.minimum}` : 'not be empty'}.`,
      };
    case 'too_big':
      return { ...place, sentence: `${name} must ${tooBigWords(issue)}.` };
    default:
      return { ...place, sentence: `${name} is not right: ${issue.message}.` };
  }
}

function tooBigWords(issue: Issue & { code: 'too_big' }): string {
  if (issue.origin === 'string') return `have at most ${issue.maximum} characters`;
  if (issue.origin === 'array') return `have at most ${issue.maximum} items`;
  return `be at most ${issue.maximum}`;
}

function missing(path: KeyPath): Finding {
  const name = String(path.at(-1));
  const above = path.slice(0, -1);
  const where = above.length === 0 ? 'The file' : nameOf(above);
  const hints: Record<string, string> = {
    run: 'Add run: with text for the shell, or a list: the program and its arguments.',
    tasks: 'Add tasks: with an id and, below it, run: …',
    type: `Add type: one of ${parameterTypes.join(', ')}.`,
    attempts: 'Add attempts: how many there may be in all.',
  };
  const hint = hints[name];
  return { path: above, at: 'key', sentence: `${where} has no ${name}.`, ...(hint ? { hint } : {}) };
}

function notOneOf(issue: Issue & { code: 'invalid_value' }, path: KeyPath, found: unknown): Finding {
  const options = issue.values.map(String);
  const hint = (typeof found === 'string' && didYouMean(found, options)) || `It is one of ${options.join(', ')}.`;
  const shown = typeof found === 'string' ? found.slice(0, 60) : kindOf(found);
  return { path, at: 'value', sentence: `${nameOf(path)} cannot be ${shown}.`, hint };
}

function hintFor(found: unknown, path: KeyPath): { hint?: string } {
  if (path[0] === 'tasks' && path.length === 2 && typeof found === 'string')
    return { hint: 'Write run: before the text.' };
  if (path.length === 1 && (path[0] === 'tasks' || path[0] === 'finally') && Array.isArray(found))
    return { hint: 'Write id: instead of - before each.' };
  return {};
}

/** `tasks.load.needs[0]`: how a place is called. */
export function nameOf(path: KeyPath): string {
  if (path.length === 0) return 'A job file';
  return path.reduce<string>(
    (name, part) => (typeof part === 'number' ? `${name}[${part}]` : name === '' ? part : `${name}.${part}`),
    '',
  );
}

const wantedKind = (expected: string): string =>
  ({ string: 'a text', number: 'a number', int: 'a whole number', boolean: 'true or false', array: 'a list' })[
    expected
  ] ?? 'a map of names and values';

function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string')
    return value.length > 40 ? 'this text' : value === '' ? 'an empty text' : `the text ${JSON.stringify(value)}`;
  return typeof value === 'object' ? 'a map' : String(value);
}

export function valueAt(value: unknown, path: KeyPath): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}
