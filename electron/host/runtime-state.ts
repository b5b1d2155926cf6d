/**
 * What the shell knows about the node runtime, and how it says so to the page.
 *
 * `since` is when this state began, as ISO 8601 in UTC: a page that cannot
 * reach its node shows it, so that nobody takes old figures for new ones.
 */
import { errors } from '../../node-runtime/contract/errors.ts';
import type { ProblemDetails } from '../../node-runtime/contract/model.ts';

export type RuntimeState =
  | { is: 'starting'; since: string }
  | { is: 'ready'; since: string; name: string }
  /** It ended and is being started again. */
  | { is: 'down'; since: string; why: string; next?: string }
  /** It ended too often; a person has to start it. */
  | { is: 'givenUp'; since: string; why: string; next?: string }
  | { is: 'stopping'; since: string };

function sentences(state: RuntimeState): { detail: string; next: string } {
  const next = errors.starting.next;
  switch (state.is) {
    case 'starting':
      return { detail: 'The node on this computer is starting.', next };
    case 'ready':
      return { detail: 'The node on this computer does not answer.', next };
    case 'down':
      return {
        detail: `The node on this computer stopped: ${state.why} It is being started again.`,
        next: state.next ?? next,
      };
    case 'givenUp':
      return {
        detail: `The node on this computer stopped too often: ${state.why}`,
        next: state.next ?? 'Start it again from this window or from the tray.',
      };
    case 'stopping':
      return { detail: 'Binnacle is quitting.', next: errors.stopping.next };
  }
}

/** The body of the 503 that the page gets while its node cannot answer. */
export function runtimeProblem(state: RuntimeState): ProblemDetails {
  const code = state.is === 'stopping' ? 'stopping' : 'starting';
  const { title, status } = errors[code];
  return { type: `/docs/errors.md#${code}`, title, status, code, ...sentences(state), since: state.since };
}

/** A sentence about how a utility process ended, from Electron's own words for it. */
export function endedBecause(reason: string | undefined, exitCode: number): string {
  switch (reason) {
    case 'crashed':
      return `it crashed (code ${exitCode}).`;
    case 'oom':
    case 'memory-eviction':
      return 'there was not enough memory.';
    case 'killed':
      return 'it was killed.';
    case 'launch-failed':
    case 'integrity-failure':
      return `it could not be started (${reason}, code ${exitCode}).`;
    default:
      return `it ended with code ${exitCode}.`;
  }
}
