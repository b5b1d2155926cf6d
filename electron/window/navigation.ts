/**
 * Where the page may go, what it may use, what a new window becomes. Pure.
 *
 * The page stays on its own origin. A new window is always refused; a link to
 * `https:` opens in the person's browser instead, re-written by `URL` so that
 * nothing but an address is handed to the desktop.
 */
import { consoleOrigin } from '../bridge/sender.ts';

function parsed(address: string): URL | null {
  return URL.canParse(address) ? new URL(address) : null;
}

export function mayNavigate(address: string): boolean {
  const url = parsed(address);
  return url !== null && `${url.protocol}//${url.host}` === consoleOrigin && url.username === '' && url.password === '';
}

/** The address to open outside, or null if nothing is to be opened. */
export function outside(address: string): string | null {
  const url = parsed(address);
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return null;
  return url.href;
}

/** Everything is denied but putting text on the clipboard, which copy buttons need after a click. */
export function mayUse(permission: string, origin: string): boolean {
  return permission === 'clipboard-sanitized-write' && mayNavigate(origin);
}
