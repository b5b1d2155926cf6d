/**
 * Checks the text of a job file and reads it: YAML, JSON or a script.
 *
 * Every mistake has a line, a column and what would be right, as far as that
 * can be said. Mistakes of writing come from yaml-text.ts, of shape from the
 * schema, of meaning from core/jobs; here all get their places. Never throws
 * and never takes long, whatever the text.
 */
import { errors, type Problem } from '../contract/errors.ts';
import { JobFile } from '../contract/job-file.ts';
import { limits } from '../contract/limits.ts';
import type { JobCheck } from '../contract/model.ts';
import { checkJob } from '../core/jobs/check.ts';
import type { Finding, KeyPath } from '../core/jobs/finding.ts';
import { fileName, jobName, scriptEndings } from '../core/jobs/plan.ts';
import { lackOfSecrets, type Secrets } from '../core/secrets/secrets.ts';
import type { Positions } from '../io/files/yaml-positions.ts';
import { type LossyNumber, readYaml, type YamlText } from '../io/files/yaml-text.ts';
import { findingsOfIssues, nameOf, valueAt } from './job-words.ts';

export type CheckedJob = {
  check: Omit<JobCheck, 'problems'> & { problems: Problem[] };
  /** Null for a script, and for a job file with mistakes. */
  job: JobFile | null;
};

/** Can a file of this name be launched? Others can if their text begins with `#!`. */
export const isJobPath = (path: string): boolean => isJobFilePath(path) || isScriptPath(path);

export const isJobFilePath = (path: string): boolean => /[^/]\.job\.(yaml|json)$/.test(path);
const isScriptPath = (path: string): boolean => scriptEndings.some((ending) => path.endsWith(`.${ending}`));

export const isScriptText = (text: string): boolean => /^\ufeff?#!/.test(text);

/** @param path decides how the text is read; @param text the whole file */
export function checkJobText(path: string, text: string): CheckedJob {
  if (!isJobFilePath(path)) return checkScript(path, text);
  if (Buffer.byteLength(text) > limits.jobFileBytesMax) {
    const sentence = `A job file has at most ${limits.jobFileBytesMax} bytes.`;
    return wrong([{ path: '', line: 1, column: 1, sentence, hint: 'Move long texts into files of their own.' }]);
  }
  const read = readYaml(text.replace(/^\ufeff/, ''), path.endsWith('.json'));
  return 'problems' in read ? wrong(read.problems) : checkValue(path, read);
}

function checkScript(path: string, text: string): CheckedJob {
  if (isScriptPath(path) || isScriptText(text)) {
    return { check: { format: 'script', ok: true, name: fileName(path), tasks: 1, problems: [] }, job: null };
  }
  const sentence = 'This file is not a job file and not a script.';
  const hint = `Name it *.job.yaml, *.job.json or *.${scriptEndings.join(', *.')}, or begin it with #!`;
  return { check: { format: 'script', ok: false, tasks: 0, problems: [{ path: '', sentence, hint }] }, job: null };
}

const wrong = (problems: Problem[], name?: string, tasks = 0): CheckedJob => ({
  check: {
    format: 'job',
    ok: false,
    ...(name === undefined ? {} : { name }),
    tasks,
    problems: problems.slice(0, limits.jobProblemsMax),
  },
  job: null,
});

// ----------------------------------------------------------------- meaning

function checkValue(path: string, { value, positions, lossyNumbers }: YamlText): CheckedJob {
  if (value === null)
    return wrong([
      {
        path: '',
        line: 1,
        column: 1,
        sentence: 'The file is empty.',
        hint: 'Begin with tasks: an id and, below it, run: …',
      },
    ]);
  const shape = JobFile.safeParse(value);
  const findings: Finding[] = [...forbiddenKeys(value), ...lossyNumbers.filter(isPassedOn).map(lossyFinding)];
  if (shape.success) findings.push(...checkJob(shape.data));
  else findings.push(...findingsOfIssues(shape.error.issues, value), ...checkTheRest(value, shape.error.issues));
  if (findings.length === 0 && shape.success) {
    const tasks = Object.keys(shape.data.tasks).length + Object.keys(shape.data.finally ?? {}).length;
    return {
      check: { format: 'job', ok: true, name: jobName(shape.data, path), tasks, problems: [] },
      job: shape.data,
    };
  }
  const problems = findings.map((finding) => problemAt(finding, positions)).sort(inOrder);
  const name = valueAt(value, ['name']);
  const tasks = valueAt(value, ['tasks']);
  const count = typeof tasks === 'object' && tasks !== null ? Object.keys(tasks).length : 0;
  return wrong(
    distinct(problems),
    typeof name === 'string' ? name.slice(0, limits.nameBytesMax) : jobName(null, path),
    count,
  );
}

/** `__proto__` is a name like any other in a file and like no other in the program. */
function forbiddenKeys(value: unknown, path: KeyPath = []): Finding[] {
  if (typeof value !== 'object' || value === null || path.length > 8) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const place = [...path, Array.isArray(value) ? Number(key) : key];
    if (key === '__proto__')
      return [{ path: place, at: 'key', sentence: `${key} cannot be used as a name.` } satisfies Finding];
    return forbiddenKeys(inner, place);
  });
}

const isPassedOn = ({ path }: LossyNumber): boolean =>
  path[0] === 'env' || path.includes('options') || (path[2] !== undefined && ['env', 'run'].includes(String(path[2])));

/** `VERSION: 1.10` would become 1.1: a number that is passed on as text has to be written as it will read. */
const lossyFinding = ({ path, source, value }: LossyNumber): Finding => ({
  path,
  at: 'value',
  sentence: `${source.slice(0, 40)} would be passed on as ${value}.`,
  hint: 'Put it in quotes to keep it as it is.',
});

/**
 * Mistakes of meaning in a file whose shape is wrong in places: those places
 * are left out, and what is found beside them is told as well, so that a
 * person does not mend a file in two rounds.
 */
function checkTheRest(
  value: unknown,
  issues: readonly { code?: string; path: PropertyKey[]; keys?: string[] }[],
): Finding[] {
  const copy = structuredClone(value);
  const left: KeyPath[] = [];
  for (const issue of issues) {
    const path = issue.path as KeyPath;
    for (const key of issue.code === 'unrecognized_keys' ? (issue.keys ?? []) : [null]) {
      left.push(leaveOut(copy, key === null ? path : [...path, key]));
    }
  }
  const again = JobFile.safeParse(copy);
  if (!again.success) return [];
  const isLeft = (path: KeyPath) => left.some((place) => place.every((key, index) => path[index] === key));
  return checkJob(again.data).filter((finding) => !isLeft(finding.path));
}

/**
 * Takes the smallest part out that can be missing, or puts a right one in its
 * place: a whole parameter, a task that is none, a setting of a task.
 */
function leaveOut(value: unknown, path: KeyPath): KeyPath {
  const isTask = path[0] === 'tasks' || path[0] === 'finally';
  const place = path.slice(0, path[0] === 'parameters' ? 2 : isTask ? 3 : 1);
  const holder = valueAt(value, place.slice(0, -1));
  const last = place.at(-1);
  if (typeof holder !== 'object' || holder === null || last === undefined) return path;
  const parts = holder as Record<string | number, unknown>;
  if (place[0] === 'parameters' && place.length === 2) parts[last] = '';
  else if (isTask && place.length === 2) parts[last] = { run: ':' };
  else if (isTask && last === 'run') parts[last] = ':';
  else delete parts[last];
  return place;
}

// ---------------------------------------------------------------- warnings

/** What a right job file names that the cluster does not have now: it can be kept, and launched when that is there. */
export function warningsOf(path: string, text: string, job: JobFile, secrets: Secrets): Problem[] {
  const read = readYaml(text.replace(/^\ufeff/, ''), path.endsWith('.json'));
  if ('problems' in read) return [];
  const lists: [KeyPath, JobFile['secrets']][] = [[['secrets'], job.secrets]];
  for (const section of ['tasks', 'finally'] as const)
    for (const [id, task] of Object.entries(job[section] ?? {})) lists.push([[section, id, 'secrets'], task.secrets]);
  const findings = lists.flatMap(([place, written]) =>
    Object.entries(written ?? {}).flatMap(([key, name]) => {
      const lack = lackOfSecrets(secrets, [name]);
      const at = [...place, Array.isArray(written) ? Number(key) : key];
      return lack
        ? [{ path: at, at: 'value', sentence: lack.detail, hint: errors[lack.code].next } satisfies Finding]
        : [];
    }),
  );
  return findings.map((finding) => problemAt(finding, read.positions)).slice(0, limits.jobProblemsMax);
}

// ---------------------------------------------------------------- problems

function problemAt(finding: Finding, positions: Positions): Problem {
  const { path, sentence, hint } = finding;
  const problem: Problem = { path: path.length === 0 ? '' : nameOf(path), ...positions.of(finding), sentence };
  return hint === undefined ? problem : { ...problem, hint };
}

const inOrder = (a: Problem, b: Problem): number => a.line! - b.line! || a.column! - b.column!;

const distinct = (problems: Problem[]): Problem[] => {
  const seen = new Set<string>();
  return problems.filter(({ line, column, sentence }) => {
    const key = `${line}:${column} ${sentence}`;
    return !seen.has(key) && seen.add(key);
  });
};
