/**
 * What the handlers of requests work with: the loop and the doors of a node,
 * put together once by `running-node.ts`.
 */
import type { Refusal } from '../contract/errors.ts';
import type { RouteName } from '../contract/routes.ts';
import type { Reply as CoreReply } from '../core/effects.ts';
import { runOf } from '../core/jobs/jobs.ts';
import type { Replicated } from '../core/replicated.ts';
import { answerOf } from '../core/routing/keys.ts';
import type { Wish } from '../core/wishes.ts';
import type { Blobs } from '../io/files/blobs.ts';
import type { Uploads } from '../io/files/uploads.ts';
import type { Asked, Log, Reply } from '../io/http/asked.ts';
import type { Journal } from '../io/journal/journal.ts';
import type { Load } from '../io/machine/machine.ts';
import type { Metrics } from '../io/machine/metrics.ts';
import type { Live } from '../live.ts';
import type { Loop } from '../node.ts';

export type Parts = {
  loop: Loop;
  journal: Journal;
  blobs: Blobs;
  uploads: Uploads;
  live: Live;
  log: Log;
  /** The data folder of this node. */
  data: string;
  name: string;
  version: string;
  startedAt: number;
  fingerprint: string;
  /** Where people reach this node, once it listens. */
  address(): string | null;
  load(): Load;
  tasksRunning(): number;
  metrics: Metrics;
  /** credential id → ms of its last use, since this node started */
  lastUsed: Map<string, number>;
};

/** The idempotency key as the core takes it; `content` tells requests apart whose body is bytes. */
export const keyOf = (asked: { key: string | null; requestHash: string }, content = '') =>
  asked.key === null ? null : { key: asked.key, request: asked.requestHash + content };

/** Sends a wish on its way for the caller of a request. */
export async function wish<N extends RouteName>(
  parts: Parts,
  asked: Pick<Asked<N>, 'caller' | 'key' | 'requestHash'>,
  what: Wish,
  content = '',
): Promise<CoreReply> {
  return parts.loop.ask(asked.caller.by, keyOf(asked, content), what);
}

/**
 * What the key of a request was answered with before; a refusal when it meant another request; null when it is new.
 * Asked before anything is looked at or done: the world may have changed since the first time.
 */
export async function answeredBefore(
  parts: Parts,
  asked: Pick<Asked<RouteName>, 'caller' | 'key' | 'requestHash'>,
  content = '',
): Promise<CoreReply | null> {
  const key = keyOf(asked, content);
  if (!key) return null;
  const look = ({ keys }: Replicated) => answerOf(keys, asked.caller.by, key.key, key.request);
  // A new key, the usual case, waits for nothing: the core looks again.
  if (!look(parts.loop.state.replicated)) return null;
  const kept = await parts.loop.read(look);
  if (!kept || 'code' in kept) return kept;
  const { status, answer, run } = kept;
  return { status, body: run === undefined ? answer : await runNow(parts, run) };
}

/** A run as it is now, from memory or the history; at least its id, should both have let it go. */
async function runNow(parts: Parts, id: string): Promise<unknown> {
  const living = await parts.loop.read(({ jobs }) => runOf(jobs, id));
  if (living) return living;
  const filed = await parts.journal.filedRun(id);
  return filed ? JSON.parse(filed) : { id };
}

/** For requests whose body is bytes: whether it is the same request is known only when these are read. */
export const isKeyUsed = async (parts: Parts, asked: Pick<Asked<RouteName>, 'caller' | 'key'>): Promise<boolean> =>
  asked.key !== null && (await answeredBefore(parts, { ...asked, requestHash: '' })) !== null;

/** A core answer as an HTTP one. The body was made by the core for just this route. */
export function replied<N extends RouteName>(reply: CoreReply): Reply<N> {
  if ('code' in reply) return reply;
  const { status, body } = reply;
  return (body === null ? { status } : { status, body }) as Reply<N>;
}

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && 'code' in value && 'detail' in value;
