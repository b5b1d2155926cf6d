/**
 * The one-time code of an invite as text, and the link that carries it: read
 * in one way by the node that joins, by the desktop program that is opened by
 * a link, and by the page. Pure, and without schemas: the page loads it.
 *
 * A code is `HOST:PORT,…/SECRET.FINGERPRINT`. A link is `binnacle://join/` and
 * the code. That a code has the form says nothing of whether it is good; only
 * the cluster knows that.
 */
import { limits } from './limits.ts';

export type Address = { host: string; port: number };
/** `fingerprint`: the first 128 bits of the authority's, in hexadecimal. */
export type InviteCode = { addresses: Address[]; secret: string; fingerprint: string };

export const joinLinkBegin = 'binnacle://join/';

const NAME = '[\\p{L}\\p{N}](?:[\\p{L}\\p{N}._-]{0,252})';
const V6 = '[0-9a-fA-F:.]{2,45}(?:%[\\w.-]{1,32})?';
const addressForm = new RegExp(`^(?:\\[(${V6})\\]|(${NAME})):(\\d{1,5})$`, 'u');
const codeForm = /^([^/\s]+)\/([a-z2-9]{20})\.([0-9a-f]{32})$/;

/** `HOST:PORT`, `[v6]:PORT` or `[v6%link]:PORT`; null for anything else. */
export function readAddress(text: string): Address | null {
  const found = addressForm.exec(text.trim());
  const port = Number(found?.[3]);
  return found && port >= 1 && port <= 65_535 ? { host: (found[1] ?? found[2])!, port } : null;
}

/** Several with commas between; null when one of them cannot be read, or they are too many. */
export function readAddresses(text: string): Address[] | null {
  if (text.length > limits.inviteCodeCharsMax) return null;
  const found = text.split(',').map(readAddress);
  return found.length <= limits.addressesMax && found.every((one) => one !== null) ? found : null;
}

export function readInviteCode(text: string): InviteCode | null {
  const code = text.trim();
  const [, hosts, secret, fingerprint] = (code.length <= limits.inviteCodeCharsMax && codeForm.exec(code)) || [];
  const addresses = readAddresses(hosts ?? '');
  return addresses && secret && fingerprint ? { addresses, secret, fingerprint } : null;
}

/** What stands in brackets is escaped: programs that pass links on stumble over them. */
export const joinLinkOf = (code: string): string => joinLinkBegin + code.replace(/[[\]%]/g, encodeURIComponent);

/** The code in a link; null when it is no link to join by, or its code has not the form. */
export function codeOfJoinLink(link: string): string | null {
  if (link.slice(0, joinLinkBegin.length).toLowerCase() !== joinLinkBegin) return null;
  try {
    const code = decodeURIComponent(link.slice(joinLinkBegin.length).replace(/\/$/, ''));
    return readInviteCode(code) && code === code.trim() ? code : null;
  } catch {
    return null; // escapes that mean no text
  }
}

/** The code in what a person pasted: the code, its link, or the command; lines may have been broken on the way. */
export function codeInPasted(text: string): string | null {
  if (text.length > 2 * limits.inviteCodeCharsMax) return null;
  const bare = text.trim().replace(/^(?:npx\s+)?binnacle\s+join\s+/, '');
  const whole = bare.replace(/\s*\n\s*/g, '');
  return codeOfJoinLink(whole) ?? (readInviteCode(whole) ? whole : null);
}

/** Hexadecimal in groups of four, as it is compared by people. */
export const inGroups = (fingerprint: string): string => fingerprint.replace(/(.{4})(?=.)/g, '$1 ');
