/** Who shows this cookie or token. A node that keeps no journal asks the active. */
import { type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import { credentialOf, usesToNote } from '../core/access/access.ts';
import type { Caller, Shown } from '../io/http/asked.ts';
import { parseToken } from '../io/trust/tokens.ts';
import { askPeer } from './ask-peer.ts';
import { leaderOf, whyNobody } from './cluster-words.ts';
import type { Parts } from './parts.ts';

export async function identify(parts: Parts, shown: Shown): Promise<Caller | Refusal> {
  const secret = parseToken(shown.bearer ?? shown.session ?? '');
  const use = shown.bearer === undefined ? 'session' : 'token';
  if (!secret)
    return use === 'token'
      ? refuse('token_invalid', 'This is not a token.')
      : refuse('sign_in_needed', 'This session has ended.');
  const { state } = parts.loop;
  if (!state.member.keepsJournal) {
    const leader = leaderOf(parts);
    return leader ? askPeer<Caller>(parts, leader, 'identify', shown) : whyNobody(parts);
  }
  const found = credentialOf(state.replicated.access, secret.hash, use, Date.now());
  if ('code' in found) return found;
  noteUsed(parts, found.id);
  const { id, ...who } = found;
  return { ...who, credential: id };
}

/** When it was last seen: as this node knows, or as the journal does (to the hour). */
export function lastUse(parts: Parts, credential: string): number | undefined {
  const kept = parts.loop.state.replicated.access.tokens.get(credential)?.lastUsedAt;
  const seen = parts.lastUsed.get(credential);
  return kept === undefined ? seen : Math.max(kept, seen ?? 0);
}

/** Uses that the journal does not know yet go into it; a node that does not lead tells the one that does. */
export async function noteUses(parts: Parts): Promise<void> {
  const { state } = parts.loop;
  if (!state.member.keepsJournal) return; // it asked the active, which saw them
  const used = usesToNote(state.replicated.access, parts.lastUsed);
  if (used.length === 0) return;
  const leader = leaderOf(parts);
  if (leader === state.self.node) await parts.loop.ask('node', null, { wish: 'noteUses', used });
  else if (leader !== null) await askPeer(parts, leader, 'used', { used });
}

/** Newest last. Of sessions that are long over nobody asks: the table forgets the oldest. */
export function noteUsed({ lastUsed }: Parts, credential: string): void {
  lastUsed.delete(credential);
  lastUsed.set(credential, Date.now());
  if (lastUsed.size > limits.tokensMax) lastUsed.delete(lastUsed.keys().next().value!);
}
