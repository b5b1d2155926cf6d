/**
 * Secrets that programs and browsers show: `bnc_<id>_<43 characters>`.
 *
 * 32 random bytes make the secret; only its sha-256 is kept, so nothing that
 * is stored can be used to sign in. A slow hash is for passwords, which people
 * choose; against 256 random bits no guessing helps. The id is readable, so a
 * leaked token can be named and removed without being shown again.
 */
import { createHash, randomBytes } from 'node:crypto';

const SHAPE = /^bnc_([A-Za-z0-9-]{1,64})_([A-Za-z0-9_-]{43})$/;

/** `hash` is lower-case hex. Throws on an id with other characters than letters, digits and dashes. */
export function makeToken(id: string): { secret: string; hash: string } {
  const secret = `bnc_${id}_${randomBytes(32).toString('base64url')}`;
  if (!SHAPE.test(secret)) throw new Error(`broken promise: ${JSON.stringify(id)} can be no token id`);
  return { secret, hash: hashOf(secret) };
}

/** Null when it has not the shape of a secret; whether it is valid is not known here. */
export function parseToken(text: string): { id: string; hash: string } | null {
  const found = SHAPE.exec(text);
  return found ? { id: found[1]!, hash: hashOf(text) } : null;
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
