/**
 * All handlers of the route table; the compiler asks for one that is missing.
 *
 * A full disk is a refusal wherever it is met, not a mistake of ours.
 */
import { refuse } from '../contract/errors.ts';
import { type RouteName, routes } from '../contract/routes.ts';
import { termText } from '../core/cluster/terms.ts';
import { isConfirmed } from '../core/node-state.ts';
import type { Asked, Handlers, Reply } from '../io/http/asked.ts';
import { NotActive } from '../node.ts';
import { clusterHandlers } from './cluster.ts';
import { memberHandlers } from './members.ts';
import type { Parts } from './parts.ts';
import { peopleHandlers } from './people.ts';
import { runHandlers } from './runs.ts';
import { sandboxHandlers } from './sandboxes.ts';
import { secretHandlers, withHiddenHash } from './secrets.ts';
import { answeredBefore, replied } from './wish.ts';

export function makeHandlers(parts: Parts): Handlers {
  const handlers: Handlers = {
    ...clusterHandlers(parts),
    ...peopleHandlers(parts),
    ...secretHandlers(parts),
    ...sandboxHandlers(parts),
    ...runHandlers(parts),
    ...memberHandlers(parts),
  };
  const guarded = Object.entries(handlers).map(([name, handle]) => {
    const act = handle as (asked: Asked<RouteName>) => Reply<RouteName> | Promise<Reply<RouteName>>;
    const isBytes = routes[name as RouteName].body === 'bytes';
    return [
      name,
      async (given: Asked<RouteName>) => {
        try {
          const asked = await withHiddenHash(parts, name as RouteName, given);
          if ('code' in asked) return asked;
          // The same request again: the answer of then, also when what it was about is gone by now (P36).
          // Where the body is bytes it has to be read first to be the same: the handler sees to it.
          const before = isBytes ? null : await answeredBefore(parts, asked);
          return before
            ? replied(before)
            : await labelled(parts, routes[name as RouteName].method === 'GET', () => act(asked));
        } catch (error) {
          if (error instanceof NotActive) return refuse('not_active', error.message);
          if (!isDiskFull(error)) throw error;
          return refuse('disk_full', `The disk of ${parts.name} is full.`);
        }
      },
    ];
  });
  return Object.fromEntries(guarded);
}

/**
 * P36: an answer says how fresh it is. One that began at an active which was
 * replaced meanwhile is not given: the next active may answer it.
 */
async function labelled<N extends RouteName>(
  parts: Parts,
  isRead: boolean,
  act: () => Reply<N> | Promise<Reply<N>>,
): Promise<Reply<N>> {
  const began = actingTerm(parts);
  const reply = await act();
  if ('code' in reply) return reply;
  if (isRead && began !== null && began !== actingTerm(parts))
    return refuse('not_active', `${parts.name} was replaced before it could confirm what it read.`);
  const { member, replicated } = parts.loop.state;
  const how: Record<string, string> = {
    'binnacle-read': began === null ? 'local' : 'fresh',
    'binnacle-position': String(began === null ? replicated.index : member.committed),
    'binnacle-term': termText(member.register.accepted.term),
  };
  if (began === null) how['binnacle-age-ms'] = String(Math.max(0, Math.round(member.now - member.heardActiveAt)));
  return { ...reply, headers: { ...how, ...reply.headers } };
}

function actingTerm({ loop }: Parts): string | null {
  const { phase } = loop.state.member;
  return isConfirmed(loop.state) && phase.phase === 'leading' ? termText(phase.charter.term) : null;
}

/** The doors to the disk each say it by an error of this name, also as the cause of another; the system by a code. */
function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) return true;
  return error.name === 'DiskFull' || error.constructor.name === 'DiskFull' || isDiskFull(error.cause);
}
