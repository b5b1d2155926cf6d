/** All handlers of the route table; the compiler asks for one that is missing. */
import type { Handlers } from '../io/http/asked.ts';
import { clusterHandlers } from './cluster.ts';
import type { Parts } from './parts.ts';
import { peopleHandlers } from './people.ts';
import { runHandlers } from './runs.ts';
import { sandboxHandlers } from './sandboxes.ts';

export const makeHandlers = (parts: Parts): Handlers => ({
  ...clusterHandlers(parts),
  ...peopleHandlers(parts),
  ...sandboxHandlers(parts),
  ...runHandlers(parts),
});
