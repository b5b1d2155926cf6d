/**
 * No memory, no vote: who a message is from, and whether this folder is old.
 *
 * A voter is a node with its store; an answer from another store counts for
 * nothing, because no charter names it (P33). Each member notes how often the
 * others' registers were saved and tells them, so that a folder put back from
 * an image is found out by the first member that knew it later (P34). A
 * machine put back while the only one that knew better is away is not found.
 *
 * Rules: P33, P34, section 13.
 */
import type { Member } from './member-state.ts';
import { type Message, PROTOCOL_VERSION } from './messages.ts';
import { note } from './outbox.ts';

/** May this message be read? Notes what it tells of memories on the way. */
export function isReadable(m: Member, from: string, message: Message): boolean {
  if (message.cluster !== m.register.cluster) return false;
  if (message.version > PROTOCOL_VERSION) {
    note(
      m,
      'version',
      `${from} speaks version ${message.version} of the protocol; this node reads up to ${PROTOCOL_VERSION}.`,
    );
    return false;
  }
  const { seen } = message;
  if (seen && seen.store === m.register.store && seen.saves > m.register.saves) {
    retire(m, from);
    return false;
  }
  noteStore(m, from, message);
  return true;
}

/** P34: this folder is an old image. It takes a new store and has no vote until it is seated anew. */
function retire(m: Member, from: string): void {
  m.retired = true;
  m.held = [];
  note(m, 'oldImage', `This folder is an old copy: ${from} has seen a newer one. It joins anew, without a vote.`);
  m.out.push({ effect: 'renewStore' });
}

function noteStore(m: Member, from: string, { store, saves }: Message): void {
  m.stores.set(from, store);
  const before = m.register.seen?.[store] ?? 0;
  if (saves > before) m.register = { ...m.register, seen: { ...m.register.seen, [store]: saves } }; // saved with the next save
}
