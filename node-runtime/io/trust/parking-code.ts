/**
 * Parking codes: a node's own word that it has stopped for good, to be carried
 * by a person (PROTOCOL section 9).
 *
 * Signed with the node's key over its memory, the end of its journal and the
 * term it has promised; the certificate comes along, so whoever has the
 * cluster's authority can check it without having met the node.
 *
 * Promise: a code that is read says what that node signed, and nothing else.
 */
import { createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import type { z } from 'zod';
import { ParkedAt } from '../../contract/peer-messages.ts';
import { nodeIdOf } from './certificates.ts';
import type { Identity } from './identity.ts';

const CHARS_MAX = 8_000;
const encoded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

export function makeParkingCode(identity: Identity, parked: z.infer<typeof ParkedAt>): string {
  const text = Buffer.from(JSON.stringify(parked));
  const signature = sign('sha256', text, identity.node.key);
  return [text, signature, new X509Certificate(identity.node.cert).raw].map(encoded).join('.');
}

/** What the code says, or null when it is none of this cluster, was altered, or is of another node than it says. */
export function readParkingCode(code: string, authorities: string[]): z.infer<typeof ParkedAt> | null {
  if (code.length > CHARS_MAX) return null;
  try {
    const [text, signature, certificate] = code
      .trim()
      .split('.')
      .map((part) => Buffer.from(part, 'base64url'));
    const cert = new X509Certificate(certificate!);
    if (!authorities.some((one) => cert.verify(new X509Certificate(one).publicKey))) return null;
    if (!verify('sha256', text!, createPublicKey(cert.publicKey.export({ type: 'spki', format: 'pem' })), signature!))
      return null;
    const parked = ParkedAt.parse(JSON.parse(text!.toString('utf8')));
    return parked.voter.split('#')[0] === nodeIdOf(cert) ? parked : null;
  } catch {
    return null; // what can't be read is no code
  }
}
