/**
 * All handlers of the route table; the compiler asks for one that is missing.
 *
 * A full disk is a refusal wherever it is met, not a mistake of ours.
 */
import { refuse } from '../contract/errors.ts';
import { type RouteName, routes } from '../contract/routes.ts';
import type { Asked, Handlers } from '../io/http/asked.ts';
import { clusterHandlers } from './cluster.ts';
import { answeredBefore, type Parts, replied } from './parts.ts';
import { peopleHandlers } from './people.ts';
import { runHandlers } from './runs.ts';
import { sandboxHandlers } from './sandboxes.ts';

export function makeHandlers(parts: Parts): Handlers {
  const handlers: Handlers = {
    ...clusterHandlers(parts),
    ...peopleHandlers(parts),
    ...sandboxHandlers(parts),
    ...runHandlers(parts),
  };
  const guarded = Object.entries(handlers).map(([name, handle]) => {
    const act = handle as (asked: Asked<RouteName>) => unknown;
    const isBytes = routes[name as RouteName].body === 'bytes';
    return [
      name,
      async (asked: Asked<RouteName>) => {
        try {
          // The same request again: the answer of then, also when what it was about is gone by now (P36).
          // Where the body is bytes it has to be read first to be the same: the handler sees to it.
          const before = isBytes ? null : await answeredBefore(parts, asked);
          return before ? replied(before) : await act(asked);
        } catch (error) {
          if (!isDiskFull(error)) throw error;
          return refuse('disk_full', `The disk of ${parts.name} is full.`);
        }
      },
    ];
  });
  return Object.fromEntries(guarded);
}

/** The doors to the disk each say it by an error of this name, also as the cause of another; the system by a code. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) return true;
  return error.name === 'DiskFull' || error.constructor.name === 'DiskFull' || isDiskFull(error.cause);
}
