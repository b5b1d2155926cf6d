/**
 * All handlers of the route table; the compiler asks for one that is missing.
 *
 * Before any of them rights are asked, so that none can forget to. A full disk
 * is a refusal wherever it is met, not a mistake of ours.
 */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { refuse } from '../contract/errors.ts';
import { type RouteName, routes } from '../contract/routes.ts';
import { termText } from '../core/cluster/terms.ts';
import { isConfirmed } from '../core/node-state.ts';
import type { Asked, Handlers, Reply } from '../io/http/asked.ts';
import { NotActive } from '../node.ts';
import { auditHandlers } from './audit.ts';
import { authorityHandlers } from './authority.ts';
import { clusterHandlers } from './cluster.ts';
import { memberHandlers } from './members.ts';
import type { Parts } from './parts.ts';
import { peopleHandlers } from './people.ts';
import { rightsRefusal } from './rights.ts';
import { runHandlers } from './runs.ts';
import { sandboxHandlers } from './sandboxes.ts';
import { secretHandlers, withHiddenHash } from './secrets.ts';
import { sessionHandlers } from './sessions.ts';
import { answeredBefore, replied } from './wish.ts';

/** A change of seats takes some milliseconds; a fail-over is not waited for here. */
const AGAIN_MS = 500;
const LOOK_MS = 10;

export function makeHandlers(parts: Parts): Handlers {
  const handlers: Handlers = {
    ...auditHandlers(parts),
    ...clusterHandlers(parts),
    ...peopleHandlers(parts),
    ...sessionHandlers(parts),
    ...secretHandlers(parts),
    ...sandboxHandlers(parts),
    ...runHandlers(parts),
    ...memberHandlers(parts),
    ...authorityHandlers(parts),
  };
  const guarded = Object.entries(handlers).map(([name, handle]) => {
    const act = handle as (asked: Asked<RouteName>) => Reply<RouteName> | Promise<Reply<RouteName>>;
    const { body, method } = routes[name as RouteName];
    const [isBytes, isRead] = [body === 'bytes', method === 'GET'];
    return [
      name,
      async (given: Asked<RouteName>) => {
        try {
          const refused = await rightsRefusal(parts, name as RouteName, given);
          if (refused) return refused;
          const asked = await withHiddenHash(parts, name as RouteName, given);
          if ('code' in asked) return asked;
          // The same request again: the answer of then, also when what it was about is gone by now (P36).
          // Where the body is bytes it has to be read first to be the same: the handler sees to it.
          const before = isBytes ? null : await answeredBefore(parts, asked);
          return before ? replied(before) : await labelled(parts, { isRead, mayRepeat: !isBytes }, () => act(asked));
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
 * replaced meanwhile is not given: the next active may answer it. Where that
 * is the same node (a seat was changed), it reads again.
 */
async function labelled<N extends RouteName>(
  parts: Parts,
  how: { isRead: boolean; mayRepeat: boolean },
  act: () => Reply<N> | Promise<Reply<N>>,
  triesLeft = 3,
): Promise<Reply<N>> {
  const { isRead, mayRepeat } = how;
  const began = actingTerm(parts);
  const reply = await confirmed(parts, began, isRead, act);
  if (reply instanceof NotActive) {
    if (isRead && triesLeft > 0 && (await actsAgain(parts))) return labelled(parts, how, act, triesLeft - 1);
    throw reply;
  }
  if ('code' in reply) {
    // Said by a node that changes seats, too, before it begins anything: it acts again in a moment.
    const isAgain = reply.code === 'starting' && mayRepeat && triesLeft > 0 && (await actsAgain(parts));
    return isAgain ? labelled(parts, how, act, triesLeft - 1) : reply;
  }
  const { member, replicated } = parts.loop.state;
  const said: Record<string, string> = {
    'binnacle-read': began === null ? 'local' : 'fresh',
    'binnacle-position': String(began === null ? replicated.index : member.committed),
    'binnacle-term': termText(member.register.accepted.term),
  };
  if (began === null) said['binnacle-age-ms'] = String(Math.max(0, Math.round(member.now - member.heardActiveAt)));
  return { ...reply, headers: { ...said, ...reply.headers } };
}

/** The answer, or that this node did not act in one term from its beginning to its end. */
async function confirmed<N extends RouteName>(
  parts: Parts,
  began: string | null,
  isRead: boolean,
  act: () => Reply<N> | Promise<Reply<N>>,
): Promise<Reply<N> | NotActive> {
  try {
    const reply = await act();
    if ('code' in reply || !isRead || began === null || began === actingTerm(parts)) return reply;
    if (reply.body instanceof Readable) reply.body.destroy();
    return new NotActive(`${parts.name} was replaced before it could confirm what it read.`);
  } catch (error) {
    if (error instanceof NotActive) return error;
    throw error;
  }
}

async function actsAgain(parts: Parts): Promise<boolean> {
  const until = performance.now() + AGAIN_MS;
  while (actingTerm(parts) === null && performance.now() < until) await delay(LOOK_MS);
  return actingTerm(parts) !== null;
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
