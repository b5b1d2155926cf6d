/**
 * All handlers of the route table; the compiler asks for one that is missing.
 *
 * A full disk is a refusal wherever it is met, not a mistake of ours.
 */
import { refuse } from '../contract/errors.ts';
import type { Handlers } from '../io/http/asked.ts';
import { clusterHandlers } from './cluster.ts';
import type { Parts } from './parts.ts';
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
    const act = handle as (asked: unknown) => unknown;
    return [
      name,
      async (asked: unknown) => {
        try {
          return await act(asked);
        } catch (error) {
          if (!isDiskFull(error)) throw error;
          return refuse('disk_full', `The disk of ${parts.name} is full.`);
        }
      },
    ];
  });
  return Object.fromEntries(guarded);
}

/** The doors to the disk each say it by an error of this name, also as the cause of another. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === 'DiskFull' || error.constructor.name === 'DiskFull' || isDiskFull(error.cause);
}
