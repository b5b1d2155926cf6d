/**
 * Are the parameters of a job file declared in a way that can work: options
 * where there is a choice, bounds the right way round, a pattern that can be
 * read, a default that its own type allows.
 */
import type { JobFile, ParameterWritten } from '../../contract/job-file.ts';
import type { ParameterField } from '../../contract/model.ts';
import type { Finding } from './finding.ts';
import { fieldOf, fitValue, parameterVariable } from './parameters.ts';
import { readPattern } from './pattern.ts';

/** Any day will do: only whether a default is a date is asked. */
const SOME_DAY = '2024-02-29';

export function checkParameters(job: JobFile): Finding[] {
  const findings: Finding[] = [];
  const variables = new Map<string, string>();
  for (const [name, written] of Object.entries(job.parameters ?? {})) {
    const wrong = (key: string | null, sentence: string, hint?: string) =>
      findings.push({
        path: ['parameters', name, ...(key === null ? [] : [key])],
        at: key === null ? 'key' : 'value',
        sentence,
        ...(hint === undefined ? {} : { hint }),
      });
    const variable = parameterVariable(name);
    const taken = variables.get(variable);
    if (taken !== undefined) wrong(null, `${taken} and ${name} would both be ${variable}.`, 'Choose another name.');
    variables.set(variable, name);
    checkParameter(name, written, wrong);
  }
  return findings;
}

type Wrong = (key: string | null, sentence: string, hint?: string) => void;

function checkParameter(name: string, written: ParameterWritten, wrong: Wrong): void {
  const field = fieldOf(name, written);
  const isFull = typeof written === 'object' && written !== null;
  if (isFull) checkRules(field, wrong);
  if (field.default === undefined) return;
  const fitted = fitValue({ ...field, label: 'The default' }, field.default, SOME_DAY);
  const patternWrong = field.pattern !== undefined && 'mistake' in readPattern(field.pattern);
  if ('sentence' in fitted && !patternWrong) {
    if (isFull) wrong('default', fitted.sentence, fitted.hint);
    else wrong(null, fitted.sentence, fitted.hint);
  }
}

function checkRules(field: ParameterField, wrong: Wrong): void {
  const { type, options, minimum, maximum, pattern } = field;
  const isNumber = type === 'integer' || type === 'number';
  const isText = type === 'string' || type === 'text';
  if (type === 'choice' && options === undefined) wrong('type', 'A choice needs options.', 'Add options: [ … ]');
  if (type !== 'choice' && options !== undefined) wrong('options', 'Only a choice has options.', 'Use type: choice.');
  if (options && new Set(options).size < options.length) wrong('options', 'An option is named twice.');
  if (!isNumber && minimum !== undefined) wrong('minimum', 'Only numbers have a minimum.');
  if (!isNumber && maximum !== undefined) wrong('maximum', 'Only numbers have a maximum.');
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    wrong('minimum', 'The minimum is larger than the maximum.');
  }
  if (pattern === undefined) return;
  if (!isText) wrong('pattern', 'Only texts have a pattern.');
  const read = readPattern(pattern);
  if ('mistake' in read) wrong('pattern', `This pattern cannot be read: ${read.mistake}`);
}
