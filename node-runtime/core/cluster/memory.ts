/**
 * No memory, no vote: who a message is from, and whether this folder is old.
 *
 * A voter is a node with its store; an answer from another store counts for
 * nothing, because no charter names it (P33). Each member notes how often the
 * others' registers were saved, and by which of their processes, and tells
 * them, so that a folder put back from an image is found out by the first
 * member that knew it later (P34), also when it was saved again meanwhile. A
 * machine put back while the only one that knew better is away is not found
 * until that one is back.
 *
 * Rules: P33, P34, section 13; S34.
 */
import { writersOf } from './charter.ts';
import { stopActing } from './knowledge.ts';
import type { Member } from './member-state.ts';
import type { Message } from './messages.ts';
import { note, post } from './outbox.ts';
import { lacks, type Register, savers, withSaver } from './register.ts';
import { isSpoken } from './version.ts';

/** May this message be read? Notes what it tells of memories on the way. */
export function isReadable(m: Member, from: string, message: Message): boolean {
  if (message.cluster !== m.register.cluster) return false;
  const { seen } = message;
  if (seen?.store === m.register.store && seen.savers.some((saver) => lacks(m.register, saver))) {
    retire(m, from);
    return false;
  }
  noteStore(m, from, message);
  if (!isSpoken(m, from, message)) return false;
  remind(m, from, message);
  return true;
}

/**
 * An announcement is answered with what was seen of its sender's memory, if
 * that was saved by another process than the one that saved it last: whether
 * it comes from before that or after, only the sender can tell (P34).
 */
function remind(m: Member, to: string, { store, saver, body }: Message): void {
  if (body.kind !== 'confirmed' || body.round !== 0) return;
  const isOther = m.register.seen?.[store]?.some((one) => one.incarnation !== saver);
  if (isOther) post(m, to, { kind: 'reminded' });
}

/** P34: this folder is an old image. It takes a new store and has no vote until it is seated anew. */
function retire(m: Member, from: string): void {
  stopActing(m, 'its folder is an old copy');
  m.retired = true;
  m.held = [];
  note(m, 'oldImage', `This folder is an old copy: ${from} has seen a newer one. It joins anew, without a vote.`);
  m.out.push({ effect: 'renewStore' });
}

function noteStore(m: Member, from: string, { store, saves, saver }: Message): void {
  m.stores.set(from, store);
  const before = m.register.seen?.[store] ?? [];
  const known = withSaver(before, { incarnation: saver, saves }, savers.seenMax);
  if (known !== before) m.register = { ...m.register, seen: { ...m.register.seen, [store]: known } }; // saved with the next save
}

/**
 * S34: may a node whose journal is damaged take a new store and be copied anew
 * (P33, P25)? Only if it was not the only one to hold what was acknowledged;
 * else it refuses to start, and a person decides with what is left. Either way
 * the damaged journal is kept.
 */
export const canBeCopiedAnew = ({ node, accepted }: Register): boolean =>
  writersOf(accepted).some((writer) => writer !== node);
