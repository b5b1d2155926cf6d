/**
 * The launch form: what was typed → typed parameters, or mistakes by field.
 *
 * The node checks again and its word counts; this only spares a round trip
 * and speaks beside the field. An empty optional field is left out, so the
 * default of the job file holds.
 */
import type { Problem } from '../../node-runtime/contract/errors.ts';
import type { ParameterField } from '../../node-runtime/contract/model.ts';

export type Typed = Record<string, string>;
export type Values = Record<string, string | number | boolean>;
export type Further = { name: string; value: string };

export function beginTyped(fields: readonly ParameterField[], given: Values = {}): Typed {
  const typed: Typed = {};
  for (const field of fields) {
    const value = given[field.name] ?? field.default;
    typed[field.name] = value === undefined ? (field.type === 'boolean' ? 'false' : '') : String(value);
  }
  return typed;
}

function checkNumber(field: ParameterField, text: string): string | null {
  const value = Number(text);
  if (!Number.isFinite(value)) return 'This has to be a number.';
  if (field.type === 'integer' && !Number.isInteger(value)) return 'This has to be a whole number.';
  if (field.minimum !== undefined && value < field.minimum) return `The least allowed is ${field.minimum}.`;
  if (field.maximum !== undefined && value > field.maximum) return `The most allowed is ${field.maximum}.`;
  return null;
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u').test(text);
  } catch {
    // A pattern this browser does not read is left to the node.
    return true;
  }
}

/** The mistake in one field, as a sentence, or null. */
export function mistakeIn(field: ParameterField, text: string): string | null {
  if (text === '') return field.required && field.default === undefined ? 'This is needed.' : null;
  if (field.type === 'integer' || field.type === 'number') return checkNumber(field, text);
  if (field.type === 'choice' && field.options && !field.options.includes(text))
    return `Choose one of ${field.options.join(', ')}.`;
  if (field.type === 'date' && !/^\d{4}-\d{2}-\d{2}$/.test(text) && !/^[a-z]+$/.test(text))
    return 'This has to be a date like 2026-11-21.';
  if (field.pattern && !matches(field.pattern, text)) return `This has to look like ${field.pattern}.`;
  return null;
}

const typedValueOf = (field: ParameterField, text: string): string | number | boolean =>
  field.type === 'integer' || field.type === 'number'
    ? Number(text)
    : field.type === 'boolean'
      ? text === 'true'
      : text;

export function parametersOf(
  fields: readonly ParameterField[],
  typed: Typed,
  further: readonly Further[] = [],
): { values: Values; mistakes: Record<string, string> } {
  const values: Values = {};
  const mistakes: Record<string, string> = {};
  for (const field of fields) {
    const text = typed[field.name] ?? '';
    const mistake = mistakeIn(field, text);
    if (mistake) mistakes[field.name] = mistake;
    else if (text !== '') values[field.name] = typedValueOf(field, text);
  }
  for (const { name, value } of further) {
    if (name === '' && value === '') continue;
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name))
      mistakes[`further:${name}`] = 'A name is letters, digits and underline, and does not begin with a digit.';
    else values[name] = value;
  }
  return { values, mistakes };
}

/** The node's problems, each to its field; what names no field is kept under ''. */
export function mistakesFrom(problems: readonly Problem[], fields: readonly ParameterField[]): Record<string, string> {
  const mistakes: Record<string, string> = {};
  for (const problem of problems) {
    const name = problem.path.split(/[./]/).findLast((part) => fields.some((field) => field.name === part)) ?? '';
    mistakes[name] = problem.hint ? `${problem.sentence} ${problem.hint}` : problem.sentence;
  }
  return mistakes;
}
