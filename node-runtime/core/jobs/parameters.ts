/**
 * Parameters: what a job file declares, and what a launch gives.
 *
 * `bindParameters` turns what was given into values of the declared types, or
 * names every mistake. It never guesses: an unknown name is refused, since a
 * misspelt parameter would run with a default nobody meant. Scripts declare
 * nothing and take any name.
 */
import { type Problem, type Refusal, refuse } from '../../contract/errors.ts';
import type { JobFile, ParameterWritten } from '../../contract/job-file.ts';
import { limits } from '../../contract/limits.ts';
import type { ParameterField } from '../../contract/model.ts';
import { readPattern } from './pattern.ts';
import { didYouMean } from './similar-name.ts';

export type ParameterValue = string | number | boolean;
export type ParameterValues = Record<string, ParameterValue>;
export type Bound = { values: ParameterValues } | Refusal;

/** The environment variable that carries a parameter to a process. */
export const parameterVariable = (name: string): string => `PARAM_${name.toUpperCase()}`;

/** The declared parameters, as fields of a form, in the order of the file. A date default may still be a word. */
export function fieldsOf(job: JobFile): ParameterField[] {
  return Object.entries(job.parameters ?? {}).map(([name, written]) => fieldOf(name, written));
}

export function fieldOf(name: string, written: ParameterWritten): ParameterField {
  if (written === null || typeof written !== 'object') return shortField(name, written);
  const field: ParameterField = {
    name,
    type: written.type,
    label: written.label ?? name,
    required: written.default === undefined && written.required !== false,
  };
  if (written.required === true) field.required = true;
  if (written.description !== undefined) field.description = written.description;
  if (written.default !== undefined) field.default = written.default;
  if (written.options !== undefined) field.options = written.options.map(String);
  if (written.minimum !== undefined) field.minimum = written.minimum;
  if (written.maximum !== undefined) field.maximum = written.maximum;
  if (written.pattern !== undefined) field.pattern = written.pattern;
  return field;
}

/** `retries: 3` declares an integer whose default is 3; `site:` a text that has to be given. */
function shortField(name: string, value: ParameterValue | null): ParameterField {
  if (value === null) return { name, type: 'string', label: name, required: true };
  const type = typeof value === 'number' ? (Number.isInteger(value) ? 'integer' : 'number') : typeof value;
  return {
    name,
    type: type as 'string' | 'integer' | 'number' | 'boolean',
    label: name,
    required: false,
    default: value,
  };
}

// ----------------------------------------------------------------- binding

/**
 * @param given by name; numbers and true/false may come as text, as from a command line
 * @param today YYYY-MM-DD where the person is
 * @param open a script, which declares nothing: any name that can become an environment variable is taken
 * @returns values of the declared types; parameters that are optional and not given are absent
 */
export function bindParameters(
  fields: ParameterField[],
  given: Record<string, ParameterValue>,
  { today, open }: { today: string; open: boolean },
): Bound {
  if (open) return bindOpenParameters(given);
  const values: ParameterValues = {};
  const problems: Problem[] = [];
  const wrong = (name: string, sentence: string, hint?: string) =>
    problems.push({ path: `parameters.${name}`, sentence, ...(hint === undefined ? {} : { hint }) });
  const names = new Set(fields.map((field) => field.name));
  for (const name of Object.keys(given)) {
    if (!names.has(name)) wrong(name, `This job has no parameter ${name}.`, didYouMean(name, names));
  }
  for (const field of fields) {
    const value = Object.hasOwn(given, field.name) ? given[field.name] : undefined;
    const taken = isNothing(field, value) ? field.default : value;
    if (taken === undefined) {
      if (field.required) wrong(field.name, `${field.label} has to be given.`);
      continue;
    }
    const fitted = fitValue(field, taken, today);
    if ('sentence' in fitted) wrong(field.name, fitted.sentence, fitted.hint);
    else values[field.name] = fitted.value;
  }
  return problems.length > 0 ? refused(problems) : { values };
}

function bindOpenParameters(given: Record<string, ParameterValue>): Bound {
  const problems: Problem[] = [];
  const wrong = (name: string, sentence: string) => problems.push({ path: `parameters.${name}`, sentence });
  const variables = new Map<string, string>();
  const entries = Object.entries(given);
  if (entries.length > limits.parametersMax) {
    wrong('', `At most ${limits.parametersMax} parameters can be given.`);
    return refused(problems);
  }
  for (const [name, value] of entries) {
    const taken = variables.get(parameterVariable(name));
    const mistake = textMistake(String(value));
    if (!/^[a-zA-Z][a-zA-Z0-9_]{0,63}$/.test(name)) {
      wrong(name, 'A name is made of letters, digits and _, and begins with a letter.');
    } else if (taken !== undefined) {
      wrong(name, `${taken} and ${name} would both be ${parameterVariable(name)}.`);
    } else if (mistake) {
      wrong(name, mistake);
    }
    variables.set(parameterVariable(name), name);
  }
  return problems.length > 0 ? refused(problems) : { values: { ...given } };
}

const refused = (problems: Problem[]): Refusal =>
  refuse(
    'parameters_wrong',
    problems.length === 1 ? problems[0]!.sentence : `${problems.length} parameters do not fit.`,
    problems.slice(0, limits.jobProblemsMax),
  );

/** An empty field of a form means "not given", except for texts, which may be empty. */
const isNothing = (field: ParameterField, value: ParameterValue | undefined): boolean =>
  value === undefined || (value === '' && (field.required || (field.type !== 'string' && field.type !== 'text')));

// ----------------------------------------------------------------- fitting

export type Fitted = { value: ParameterValue } | { sentence: string; hint?: string };

/** The value in the type of the field, or what is wrong with it. */
export function fitValue(field: ParameterField, value: ParameterValue, today: string): Fitted {
  switch (field.type) {
    case 'string':
    case 'text':
      return fitText(field, String(value));
    case 'integer':
    case 'number':
      return fitNumber(field, value);
    case 'boolean':
      if (value === true || value === 'true') return { value: true };
      if (value === false || value === 'false') return { value: false };
      return { sentence: `${field.label} must be true or false.` };
    case 'date':
      return fitDate(field, String(value), today);
    case 'choice':
      return fitChoice(field, String(value));
  }
}

function fitText(field: ParameterField, value: string): Fitted {
  const mistake = textMistake(value);
  if (mistake) return { sentence: mistake };
  if (field.type === 'string' && /[\r\n]/.test(value)) {
    return { sentence: `${field.label} must be a single line.`, hint: 'A parameter of type text may have several.' };
  }
  if (field.pattern === undefined) return { value };
  const pattern = readPattern(field.pattern);
  if ('mistake' in pattern) return { sentence: `The pattern of ${field.label} cannot be read: ${pattern.mistake}` };
  if (!pattern.matches(value)) return { sentence: `${field.label} has to look like ${field.pattern}` };
  return { value };
}

function textMistake(value: string): string | null {
  if (value.length > limits.parameterCharsMax)
    return `A value may have at most ${limits.parameterCharsMax} characters.`;
  return value.includes('\0') ? 'A value may not contain the character NUL.' : null;
}

function fitNumber(field: ParameterField, given: ParameterValue): Fitted {
  const isText = typeof given === 'string' && /^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?\s*$/.test(given);
  const value = typeof given === 'number' ? given : isText ? Number(given) : Number.NaN;
  if (!Number.isFinite(value)) return { sentence: `${field.label} must be a number.` };
  if (field.type === 'integer' && !Number.isSafeInteger(value))
    return { sentence: `${field.label} must be a whole number.` };
  if (field.minimum !== undefined && value < field.minimum) {
    return { sentence: `${field.label} must be at least ${field.minimum}.` };
  }
  if (field.maximum !== undefined && value > field.maximum) {
    return { sentence: `${field.label} must be at most ${field.maximum}.` };
  }
  return { value };
}

function fitChoice(field: ParameterField, value: string): Fitted {
  const options = field.options ?? [];
  if (options.includes(value)) return { value };
  const hint = didYouMean(value, options);
  const shown = options.length > 8 ? `${options.slice(0, 8).join(', ')}, …` : options.join(', ');
  return { sentence: `${field.label} must be one of ${shown}.`, ...(hint === undefined ? {} : { hint }) };
}

const dayWords: Record<string, number> = { yesterday: -1, today: 0, tomorrow: 1 };

function fitDate(field: ParameterField, value: string, today: string): Fitted {
  if (Object.hasOwn(dayWords, value)) return { value: dayAfter(today, dayWords[value]!) };
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(value);
  if (!match || dayAfter(value, 0) !== value) {
    return { sentence: `${field.label} must be a date.`, hint: 'Write YYYY-MM-DD, or today, yesterday, tomorrow.' };
  }
  return { value };
}

/** `date` is YYYY-MM-DD; a day that does not exist comes out as another one. */
function dayAfter(date: string, days: number): string {
  const [year, month, day] = date.split('-').map(Number);
  return new Date(Date.UTC(year!, month! - 1, day! + days)).toISOString().slice(0, 10);
}

/** The fields as a launch form shows them: words for days are resolved. */
export function fieldsOn(fields: ParameterField[], today: string): ParameterField[] {
  return fields.map((field) => {
    if (field.default === undefined) return field;
    const fitted = fitValue(field, field.default, today);
    return 'value' in fitted ? { ...field, default: fitted.value } : field;
  });
}
