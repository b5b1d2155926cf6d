/**
 * The limits as numbers, so that a test may run a server with tiny ones.
 * In earnest they are exactly those of the contract.
 */
import { limits } from '../../contract/limits.ts';

export type Bounds = { [K in keyof typeof limits]: number };

export const boundsWith = (changed: Partial<Bounds> = {}): Bounds => ({ ...limits, ...changed });
