/**
 * The text of an `if`. People who know CI systems wrap it in `${{ … }}`; that
 * is allowed and means the same.
 */
import { type Expression, type Mistake, parseExpression } from './expression.ts';
import { slotAt, slotOpening } from './slots.ts';

/** The expression in a condition, and where in the text it begins. */
export function conditionIn(text: string): { source: string; sourceAt: number } {
  const start = text.length - text.trimStart().length;
  if (!text.startsWith(slotOpening, start)) return { source: text, sourceAt: 0 };
  const slot = slotAt(text, start);
  return slot.closed && slot.end === text.trimEnd().length ? slot : { source: text, sourceAt: 0 };
}

/** Places are counted in the expression, not in the text. */
export const parseCondition = (text: string): { expression: Expression } | { mistake: Mistake } =>
  parseExpression(conditionIn(text).source);
