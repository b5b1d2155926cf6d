/**
 * What the command line's exit code says, for scripts.
 *
 * One table: the help text, the documents and the commands all read it. A code
 * once given keeps its meaning. It does not say why; stderr does that.
 */
import type { RunState, TaskState } from '../../contract/model.ts';

export const exitCodes = {
  ok: { code: 0, means: 'done' },
  failed: { code: 1, means: 'the run failed; or doctor found a problem' },
  usage: { code: 2, means: 'the command was not understood' },
  refused: { code: 3, means: 'the node refused; stderr says why and what to do next' },
  unreachable: { code: 4, means: 'no node could be reached, or it is not the one expected' },
  cancelled: { code: 5, means: 'the run was cancelled' },
  unknown: { code: 6, means: 'how the run ended is not known; a person has to decide' },
  here: { code: 7, means: 'something on this computer failed: a file, a folder, a full disk' },
  interrupted: { code: 130, means: 'interrupted with Ctrl-C' },
} as const;

export type ExitName = keyof typeof exitCodes;

/** The exit code of a run or task that has ended; a skipped task is no failure. */
export function exitCodeOf(state: RunState | TaskState): number {
  if (state === 'failed') return exitCodes.failed.code;
  if (state === 'cancelled') return exitCodes.cancelled.code;
  if (state === 'unknown') return exitCodes.unknown.code;
  return exitCodes.ok.code;
}
