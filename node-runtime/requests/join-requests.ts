/**
 * Nodes that ask to join (`binnacle join --ask`), until a person has compared
 * six words and said yes or no.
 *
 * Kept in the memory of the active alone, few and for minutes: a stranger
 * writes nothing into the journal. Another active knows none, and the node
 * asks again, with other words. A yes makes an invite for what the person
 * chose, whose secret only the asking node hears; from there on it joins like
 * any other. What people decided is journaled.
 *
 * Promise: nobody is let in whose words nobody saw, and what cannot be told
 * apart from a stranger's request is never more than a row on a screen.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import type { JoinRequest } from '../contract/model.ts';
import type { BodyOf } from '../contract/routes.ts';
import { isCommittedTo, makeNumber, sixWords } from '../io/trust/six-words.ts';

type Known = {
  id: string;
  ticket: string;
  name: string;
  program: string;
  address: string;
  askedAt: number;
  commitment: string;
  /** The member's number, told after the commitment. */
  ofMember: string;
  /** Null until the node has shown its number: before that it is on no screen. */
  words: string[] | null;
  answer: { state: 'waiting' } | { state: 'approved'; secret: string } | { state: 'refused' };
};

export type JoinRequests = ReturnType<typeof newJoinRequests>;

/** `now` in ms since 1970; `authorityFingerprint` of this cluster. */
export function newJoinRequests(authorityFingerprint: () => string, now = Date.now) {
  const known = new Map<string, Known>();

  function forgetOld(): void {
    for (const [id, { askedAt }] of known) if (now() - askedAt > limits.joinRequestMs) known.delete(id);
  }

  function find(id: string): Known | Refusal {
    forgetOld();
    return (
      known.get(id) ?? refuse('join_request_unknown', 'This request to join is not known here, or its time is over.')
    );
  }

  /** Only who made it may go on with it. */
  function findOwn(id: string, ticket: string): Known | Refusal {
    const one = find(id);
    if ('code' in one) return one;
    const [told, own] = [ticket, one.ticket].map((text) => createHash('sha256').update(text).digest());
    return timingSafeEqual(told!, own!) ? one : refuse('join_request_unknown', 'This request to join is not yours.');
  }

  /** What a person may decide about: its words are on both screens, and nobody has decided. */
  function findWaiting(id: string): (Known & { words: string[] }) | Refusal {
    const one = find(id);
    if ('code' in one) return one;
    if (one.words === null || one.answer.state !== 'waiting')
      return refuse('join_request_unknown', `${one.name} waits for no answer.`);
    return one as Known & { words: string[] };
  }

  return {
    ask({ name, program, commitment }: BodyOf<'joinAsk'>, address: string): Known | Refusal {
      forgetOld();
      const fromThere = [...known.values()].filter((one) => one.address === address).length;
      if (known.size >= limits.joinRequestsMax || fromThere >= limits.joinRequestsPerAddressMax)
        return refuse('too_many', 'Too many nodes ask to join at the moment.');
      const one: Known = {
        ...{ id: randomBytes(5).toString('hex'), ticket: randomBytes(16).toString('hex') },
        ...{ name, program, address, askedAt: now(), commitment, ofMember: makeNumber(), words: null },
        answer: { state: 'waiting' },
      };
      known.set(one.id, one);
      return one;
    },

    /** Repeating it changes nothing; another number is none that it committed to. */
    show(id: string, ticket: string, number: string): Known | Refusal {
      const one = findOwn(id, ticket);
      if ('code' in one) return one;
      if (!isCommittedTo(one.commitment, number)) {
        known.delete(id);
        return refuse('join_request_unknown', 'This is not the number that was committed to.');
      }
      one.words ??= sixWords(authorityFingerprint(), number, one.ofMember);
      return one;
    },

    answer: (id: string, ticket: string): Known['answer'] | Refusal => {
      const one = findOwn(id, ticket);
      return 'code' in one ? one : one.answer;
    },

    /** Who asked does not want it any more. What was decided stays decided. */
    withdraw(id: string, ticket: string): Known | Refusal {
      const one = findOwn(id, ticket);
      if (!('code' in one)) known.delete(id);
      return one;
    },

    /** The oldest first. */
    list(): JoinRequest[] {
      forgetOld();
      return [...known.values()].flatMap((one) => (one.words === null ? [] : [viewOf(one, one.words)]));
    },

    findWaiting,
    approved(one: Known, secret: string): void {
      one.answer = { state: 'approved', secret };
    },
    refused(one: Known): void {
      one.answer = { state: 'refused' };
    },
  };
}

const viewOf = ({ id, name, program, address, askedAt, answer }: Known, words: string[]): JoinRequest => ({
  ...{ id, name, program, address, words, state: answer.state },
  askedAt: new Date(askedAt).toISOString(),
  expiresAt: new Date(askedAt + limits.joinRequestMs).toISOString(),
});
