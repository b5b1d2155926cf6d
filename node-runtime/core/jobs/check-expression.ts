/**
 * Do the names in an expression exist, and are their values known by then?
 *
 * A task may look at results of tasks that surely end before it begins: those
 * it needs, directly or not. A task of finally may look at all others.
 */
import type { ParameterField } from '../../contract/model.ts';
import { type Expression, type Mistake, parseExpression, partsOf } from './expression.ts';
import type { Graph } from './graph.ts';
import { didYouMean } from './similar-name.ts';

export type Surroundings = {
  fields: Map<string, ParameterField>;
  graph: Graph;
  /** Null when the needs are a circle, which is told elsewhere. */
  before: ((a: number, b: number) => boolean) | null;
};

const endStates = ['succeeded', 'failed', 'skipped', 'cancelled', 'unknown'];

/** The first mistake. `task` is the index of the task it stands in; null outside of any task. */
export function checkExpression(source: string, task: number | null, around: Surroundings): Mistake | null {
  const parsed = parseExpression(source);
  if ('mistake' in parsed) return parsed.mistake;
  for (const part of partsOf(parsed.expression)) {
    const mistake = partMistake(part, task, around);
    if (mistake) return mistake;
  }
  return null;
}

function partMistake(part: Expression, task: number | null, around: Surroundings): Mistake | null {
  switch (part.kind) {
    case 'parameter':
      return parameterMistake(part, around);
    case 'result':
      return resultMistake(part, task, around);
    case 'compare':
      return stateMistake(part.left, part.right) ?? stateMistake(part.right, part.left);
    case 'call':
      if (task !== null || part.parts.length > 0) return null;
      return { at: part.at, sentence: `${part.name}() means nothing outside of a task.` };
    default:
      return null;
  }
}

function parameterMistake({ at, name }: Expression & { kind: 'parameter' }, { fields }: Surroundings): Mistake | null {
  if (fields.has(name)) return null;
  const hint = didYouMean(name, fields.keys()) ?? 'Declare it under parameters.';
  return { at, sentence: `There is no parameter ${name}.`, hint };
}

function resultMistake(
  part: Expression & { kind: 'result' },
  task: number | null,
  around: Surroundings,
): Mistake | null {
  const { at, task: name } = part;
  const index = around.graph.indexOf.get(name);
  if (index === undefined) {
    const hint = didYouMean(name, around.graph.indexOf.keys());
    return { at, sentence: `There is no task ${name}.`, ...(hint === undefined ? {} : { hint }) };
  }
  if (task === null) return { at, sentence: 'Results of tasks are not known here.', hint: 'Use it inside a task.' };
  if (around.before === null || around.before(index, task)) return null;
  const own = index === task ? 'its own result is not known before it ends' : `${name} may not have ended by then`;
  return {
    at,
    sentence: `This cannot be known: ${own}.`,
    hint: index === task ? 'Leave it out.' : `Add ${name} to needs.`,
  };
}

/** `tasks.load.state == 'success'` would never hold. */
function stateMistake(result: Expression, other: Expression): Mistake | null {
  if (result.kind !== 'result' || result.field !== 'state' || other.kind !== 'literal') return null;
  if (typeof other.value === 'string' && endStates.includes(other.value)) return null;
  const written = String(other.value);
  const alike = endStates.find((state) => state.slice(0, 4) === written.slice(0, 4)); // success, failure
  const hint = alike ? `Did you mean ${alike}?` : `States are ${endStates.join(', ')}.`;
  return { at: other.at, sentence: `No task ever ends as ${other.value}.`, hint };
}
