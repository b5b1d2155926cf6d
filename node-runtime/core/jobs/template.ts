/**
 * Fills `${{ … }}` with values.
 *
 * In shell text a value never becomes text: each place is replaced by a
 * reference to an environment variable that carries it, quoted where the text
 * does not quote it already. So no parameter can add a command, an argument or
 * a redirection, whatever it holds. In a list of arguments and in environment
 * values, which no shell reads, the value itself is put in.
 *
 * Mistakes are found when the file is checked; here they leave the place empty.
 */
import { evaluate, type Scope, textOf } from './evaluate.ts';
import { parseExpression } from './expression.ts';
import { type ShellPlace, shellSlotsOf } from './shell-text.ts';
import { hasSlots, type Slot, slotsOf } from './slots.ts';

export const valueVariable = (number: number): string => `BINNACLE_VALUE_${number}`;

const valueAt = (slot: Slot, scope: Scope): string => {
  const parsed = parseExpression(slot.source);
  return 'mistake' in parsed ? '' : textOf(evaluate(parsed.expression, scope));
};

/** For text that no shell reads. */
export function fillText(text: string, scope: Scope): string {
  if (!hasSlots(text)) return text;
  return replaced(text, slotsOf(text), (slot) => valueAt(slot, scope));
}

/** For shell text: the text with references, and the variables they refer to. */
export function fillShell(text: string, scope: Scope): { text: string; variables: Record<string, string> } {
  const variables: Record<string, string> = {};
  if (!hasSlots(text)) return { text, variables };
  let count = 0;
  const filled = replaced(text, shellSlotsOf(text), (slot) => {
    const name = valueVariable(++count);
    variables[name] = valueAt(slot, scope);
    return referenceIn(slot.place, name);
  });
  return { text: filled, variables };
}

function referenceIn(place: ShellPlace, name: string): string {
  return place === 'plain' ? `"\${${name}}"` : `\${${name}}`;
}

function replaced<S extends Slot>(text: string, slots: S[], by: (slot: S) => string): string {
  let filled = '';
  let at = 0;
  for (const slot of slots) {
    filled += text.slice(at, slot.start) + by(slot);
    at = slot.end;
  }
  return filled + text.slice(at);
}
