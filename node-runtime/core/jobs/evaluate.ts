/**
 * What an expression means, given parameters and results so far.
 *
 * Total: every tree has a value, nothing throws, so a run can't get stuck on a
 * condition. Values of unlike types are equal when they read the same (3 and
 * '3'); numbers are ordered as numbers, other texts letter by letter, which
 * orders dates too.
 */
import type { Comparison, Expression, Literal } from './expression.ts';
import { partsOf } from './expression.ts';

/** What an expression may ask. */
export type Scope = {
  parameter(name: string): Literal;
  state(task: string): string;
  exitCode(task: string): number | null;
  /** All tasks before this one went well, as `success()` sees it. */
  success: boolean;
  failure: boolean;
  cancelled: boolean;
};

export function evaluate(expression: Expression, scope: Scope): Literal {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'parameter':
      return scope.parameter(expression.name);
    case 'result':
      return expression.field === 'state' ? scope.state(expression.task) : scope.exitCode(expression.task);
    case 'not':
      return !holds(evaluate(expression.part, scope));
    case 'and':
      return expression.parts.every((part) => holds(evaluate(part, scope)));
    case 'or':
      return expression.parts.some((part) => holds(evaluate(part, scope)));
    case 'compare':
      return compare(expression.operator, evaluate(expression.left, scope), evaluate(expression.right, scope));
    case 'call':
      return call(expression, scope);
  }
}

function call(expression: Expression & { kind: 'call' }, scope: Scope): boolean {
  const [whole = '', part = ''] = expression.parts.map((one) => textOf(evaluate(one, scope)));
  switch (expression.name) {
    case 'success':
      return scope.success;
    case 'failure':
      return scope.failure;
    case 'always':
      return true;
    case 'cancelled':
      return scope.cancelled;
    case 'contains':
      return whole.includes(part);
    case 'starts_with':
      return whole.startsWith(part);
    case 'ends_with':
      return whole.endsWith(part);
  }
}

/** false, null, 0 and '' do not hold. */
export const holds = (value: Literal): boolean => value !== false && value !== null && value !== 0 && value !== '';

/** How a value reads in text. Nothing reads as nothing. */
export const textOf = (value: Literal): string => (value === null ? '' : String(value));

function compare(operator: Comparison, left: Literal, right: Literal): boolean {
  if (operator === '==') return equal(left, right);
  if (operator === '!=') return !equal(left, right);
  if (left === null || right === null) return false;
  const numbers = [left, right].map(numberOf);
  const [a, b] = numbers.includes(null) ? [textOf(left), textOf(right)] : (numbers as [number, number]);
  switch (operator) {
    case '<':
      return a! < b!;
    case '<=':
      return a! <= b!;
    case '>':
      return a! > b!;
    case '>=':
      return a! >= b!;
  }
}

function equal(left: Literal, right: Literal): boolean {
  if (left === null || right === null) return left === right;
  return left === right || textOf(left) === textOf(right);
}

function numberOf(value: Literal): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : null;
}

/**
 * Whether a condition looks at results itself. One that does not ("params.full")
 * means "if all went well, and this".
 */
export function asksForResults(expression: Expression): boolean {
  for (const part of partsOf(expression)) {
    if (part.kind === 'result') return true;
    if (part.kind === 'call' && ['success', 'failure', 'always', 'cancelled'].includes(part.name)) return true;
  }
  return false;
}
