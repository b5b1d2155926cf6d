/**
 * Wishes of requests on their way to the core, and answers on their way back.
 *
 * A key that was used gets the answer of then; contents of files are on the
 * standby before an entry names them; a change on a node that does not lead is
 * told to the one that does.
 *
 * Rules: P14, P36.
 */
import { spread } from '../contents.ts';
import type { Refusal } from '../contract/errors.ts';
import type { RouteName } from '../contract/routes.ts';
import { writersOf } from '../core/cluster/charter.ts';
import type { Reply as CoreReply } from '../core/effects.ts';
import { runOf } from '../core/jobs/jobs.ts';
import { isActive } from '../core/node-state.ts';
import type { Replicated } from '../core/replicated.ts';
import { answerOf } from '../core/routing/keys.ts';
import type { Wish } from '../core/wishes.ts';
import type { Asked, Caller, Reply } from '../io/http/asked.ts';
import type { Origin } from '../node.ts';
import { askPeer } from './ask-peer.ts';
import { leaderOf, whyNobody } from './cluster-words.ts';
import type { Parts } from './parts.ts';

type Came = Pick<Asked<RouteName>, 'address' | 'via'>;

/** The idempotency key as the core takes it; `content` tells requests apart whose body is bytes. */
export const keyOf = (asked: { key: string | null; requestHash: string }, content = '') =>
  asked.key === null ? null : { key: asked.key, request: asked.requestHash + content };

/** Where a request came from, as the journal says it. */
export const originOf = ({ address, via }: Came): Origin => ({
  ...(via === undefined ? {} : { via }),
  from: address === 'local' ? 'this computer' : address,
});

/** Sends a wish on its way for the caller of a request. */
export async function wish<N extends RouteName>(
  parts: Parts,
  asked: Pick<Asked<N>, 'caller' | 'key' | 'requestHash'> & Came,
  what: Wish,
  content = '',
): Promise<CoreReply> {
  const key = keyOf(asked, content);
  if (what.wish === 'noteLocalChange' && !isActive(parts.loop.state)) return tellActive(parts, asked, key, what);
  if (what.wish !== 'changeFiles') return parts.loop.ask(asked.caller.by, key, what, originOf(asked));
  // Contents first, then the entry that names them; and again for a standby that joined the pair in between.
  const hashes = what.changes.flatMap((change) => (change.op === 'put' ? [change.hash] : []));
  const before = await spread(hashes, parts.contents, () => otherControllers(parts));
  if (before) return before;
  const reply = await parts.loop.ask(asked.caller.by, key, what, originOf(asked));
  if ('code' in reply) return reply;
  return (await spread(hashes, parts.contents, () => otherControllers(parts))) ?? reply;
}

/** A change in a directory of this node, made already: the active enters it into the journal. */
async function tellActive(
  parts: Parts,
  asked: { caller: Caller } & Came,
  key: { key: string; request: string } | null,
  what: Wish,
): Promise<CoreReply> {
  const leader = leaderOf(parts);
  if (!leader) return whyNobody(parts);
  return askPeer<{ status: number; body: unknown }>(parts, leader, 'wish', {
    ...{ by: asked.caller.by, via: parts.name, ...originOf(asked), key, wish: what },
  });
}

/** Controllers besides this one: whoever stands by has to have everything, one that joins should. */
function otherControllers({ loop, peers }: Parts): { node: string; needed: boolean }[] {
  const { member, self } = loop.state;
  const { phase } = member;
  const writers = writersOf(phase.phase === 'leading' ? phase.charter : member.register.accepted);
  const others = new Set([...writers, ...member.roster.controllers.map((one) => one.node)]);
  others.delete(self.node);
  return [...others]
    .map((node) => ({ node, needed: writers.includes(node) }))
    .filter(({ node, needed }) => needed || peers()?.status(node).connected === true);
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
  if (!parts.loop.state.member.keepsJournal) {
    const leader = leaderOf(parts);
    if (!leader) return whyNobody(parts);
    const query = new URLSearchParams({ by: asked.caller.by, ...key });
    const found = await askPeer<{ status: number; answer: unknown } | null>(parts, leader, `answered?${query}`);
    return found && 'status' in found ? { status: found.status, body: found.answer } : found;
  }
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
