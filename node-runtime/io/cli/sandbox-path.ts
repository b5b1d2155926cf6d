/**
 * `SANDBOX/path` as people type it, and names that are safe on this computer.
 *
 * Leaves it to the node to judge what a path may be; only what would lead out
 * of a folder of *this* computer is refused here.
 */
import { misused } from './failure.ts';

export type SandboxPlace = { sandbox: string; path: string; isFolder: boolean };

/** `box` → the top; `box/a/b` → a file or folder; `box/a/` → surely a folder. */
export function sandboxPlace(text: string): SandboxPlace {
  const at = text.indexOf('/');
  const sandbox = at < 0 ? text : text.slice(0, at);
  const path = at < 0 ? '' : text.slice(at + 1).replace(/\/+$/, '');
  if (sandbox === '') throw misused(`"${text}" does not begin with the name of a sandbox.`, 'Write it like box/path.');
  return { sandbox, path, isFolder: path === '' || text.endsWith('/') };
}

export function sandboxPath(text: string): { sandbox: string; path: string } {
  const { sandbox, path } = sandboxPlace(text);
  return { sandbox, path };
}

/** Joins inside a sandbox; '' is the top. */
export const within = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/** May this name, told by a node, become a file in a folder of this computer? */
export const isPlainName = (name: string): boolean =>
  name !== '' &&
  name !== '.' &&
  name !== '..' &&
  !/[/\\\0]/.test(name) &&
  !(process.platform === 'win32' && /[:*?"<>|]/.test(name));
