/** Which secrets a plan names. Values are never part of a plan. */
import type { Plan } from '../../contract/facts.ts';

/** Each once, by name. */
export const secretNames = (secrets: Record<string, string>): string[] => [...new Set(Object.values(secrets))].sort();

export const secretsNamedIn = (plan: Plan): string[] =>
  [...new Set(plan.tasks.flatMap(({ secrets }) => (secrets ? Object.values(secrets) : [])))].sort();
