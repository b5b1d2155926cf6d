/**
 * The six words that two people compare when a node asks to join.
 *
 * Both sides make them from what each has seen: the cluster's authority, as it
 * came with the connection, and a number from each side. The node commits to
 * its number before it hears the member's and shows it after, so nobody in
 * between can look for numbers that make both screens alike: whoever tries has
 * one chance in 2^66.
 *
 * Leaves out who may compare and what follows: `requests/join-requests.ts`.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { wordlist } from '@scure/bip39/wordlists/english.js';

const WORDS = 6;
const BITS = 11;

/** 32 random bytes, hexadecimal. */
export const makeNumber = (): string => randomBytes(32).toString('hex');

const hashOf = (what: string, ...parts: string[]): Buffer =>
  createHash('sha256')
    .update([what, ...parts].join('\n'))
    .digest();

/** What a node says of its number before it shows it, hexadecimal. */
export const commitmentTo = (number: string): string => hashOf('binnacle join commitment', number).toString('hex');

export const isCommittedTo = (commitment: string, number: string): boolean => {
  const [said, shown] = [Buffer.from(commitment, 'hex'), Buffer.from(commitmentTo(number), 'hex')];
  return said.length === shown.length && timingSafeEqual(said, shown);
};

/** `authorityFingerprint`: sha-256 of the authority's certificate, hexadecimal. The numbers are {@link makeNumber}s. */
export function sixWords(authorityFingerprint: string, ofNode: string, ofMember: string): string[] {
  let bits = BigInt(`0x${hashOf('binnacle join words', authorityFingerprint, ofNode, ofMember).toString('hex')}`);
  const words: string[] = [];
  while (words.length < WORDS) {
    words.push(wordlist[Number(bits & ((1n << BigInt(BITS)) - 1n))]!);
    bits >>= BigInt(BITS);
  }
  return words;
}
