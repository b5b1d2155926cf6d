/** Where a job file would run now; null when that cannot be said (it has mistakes, nobody answers). */
import type { LaunchForm } from '../../node-runtime/contract/model.ts';
import { call, Failure } from '../api.ts';

export async function readPlacement(sandbox: string, path: string): Promise<LaunchForm['placement'] | null> {
  try {
    return (await call('launchForm', { params: { sandbox }, query: { path } })).placement;
  } catch (cause) {
    if (cause instanceof Failure) return null;
    throw cause;
  }
}
