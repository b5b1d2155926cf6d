/**
 * Seals the values of secrets for the journal, and opens them again.
 *
 * AES-256-GCM under a key that only controllers keep. A sealed text names its
 * key and is bound to its cluster, name and version: put anywhere else it does
 * not open. The cluster's one key is never used itself, only keys derived from
 * it, each for one purpose; it has nothing to do with that of the authority,
 * so that either can be changed alone.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const KEY = /^[0-9a-f]{64}$/;
const SEALED = /^s1\.([0-9a-f]{16})\.([\w-]{16})\.([\w-]{22,})$/;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export type SealedFor = { cluster: string; name: string; version: number };

/** 256 random bits, as hex. */
export const makeSecretsKey = (): string => randomBytes(32).toString('hex');

export const isSecretsKey = (text: unknown): text is string => typeof text === 'string' && KEY.test(text);

const derived = (key: string, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', Buffer.from(key, 'hex'), '', `binnacle ${purpose}`, 32));

/** Names a key without telling it. */
export const keyIdOf = (key: string): string => derived(key, 'key id').subarray(0, 8).toString('hex');

/** Of a text whose hash alone could be guessed from: equal for equal texts, and of no use without the key. */
export const keyedHash = (key: string, text: string): string =>
  createHmac('sha256', derived(key, 'hash')).update(text).digest('hex');

/** Which key opens it; null for what is no sealed text. */
export const sealedBy = (sealed: string): string | null => SEALED.exec(sealed)?.[1] ?? null;

const boundTo = ({ cluster, name, version }: SealedFor): Buffer =>
  Buffer.from(JSON.stringify([cluster, name, version]));

export function seal(key: string, value: string, of: SealedFor): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', derived(key, 'seal'), nonce).setAAD(boundTo(of));
  const text = Buffer.concat([cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `s1.${keyIdOf(key)}.${nonce.toString('base64url')}.${text.toString('base64url')}`;
}

/** The value; null when it was sealed by another key, for something else, or was changed. */
export function openSealed(key: string, sealed: string, of: SealedFor): string | null {
  const [, keyId, nonce, text] = SEALED.exec(sealed) ?? [];
  if (keyId !== keyIdOf(key) || nonce === undefined || text === undefined) return null;
  const bytes = Buffer.from(text, 'base64url');
  const opener = createDecipheriv('aes-256-gcm', derived(key, 'seal'), Buffer.from(nonce, 'base64url'), {
    authTagLength: TAG_BYTES,
  });
  opener.setAAD(boundTo(of)).setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([opener.update(bytes.subarray(0, -TAG_BYTES)), opener.final()]).toString('utf8');
  } catch {
    return null; // its tag does not fit: that is the answer
  }
}
