import type { Mutation } from './world.ts';
export const mutants: Record<string, () => Mutation> = {};
