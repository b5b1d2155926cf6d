/**
 * Which paths a sandbox knows: relative, plain names, `/` between them.
 *
 * One gate for all kinds of sandbox and all ways in. It is stricter than any
 * one system: what passes here means the same file on Linux, macOS and
 * Windows, so a sandbox can be carried between them. Names are never mended in
 * silence; the refusal says which rule a name breaks. Symlinks are not seen
 * here: io/files keeps them in.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import { limits } from '../../contract/limits.ts';

/** Names that begin so are Binnacle's own (trash, temporary files). */
export const RESERVED_PREFIX = '.binnacle';

/** Windows opens a device for these, with any ending, in any folder. */
const DEVICES = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$/;
/** Turn the direction of text, so that a name reads as another one. */
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
/** Some file systems compare names as if these were not there. */
const UNSEEN = /[\u200b-\u200f\u2060-\u2064\ufeff]/g;

/**
 * The path itself, or `path_refused` with a sentence that names the rule.
 * The top folder `''` passes with `allowTop` only.
 */
export function checkPath(path: string, options: { allowTop?: boolean } = {}): string | Refusal {
  const broken = brokenRule(path, options.allowTop === true);
  return broken === null ? path : refuse('path_refused', broken);
}

function brokenRule(path: string, allowTop: boolean): string | null {
  if (path === '') return allowTop ? null : 'The path is empty: name a file or folder inside the sandbox.';
  if (!path.isWellFormed()) return 'The path is not valid Unicode text.';
  if (utf8Bytes(path) > limits.pathBytesMax) return `The path is longer than ${limits.pathBytesMax} bytes.`;
  if (hasControl(path)) return 'The path has a control character (such as NUL, a line break or a tab).';
  if (DIRECTION.test(path)) return 'The path has a hidden character that turns the direction of text.';
  if (path.normalize('NFC') !== path) {
    return `${shown(path)} is not in Unicode normal form NFC: the same letters are written with separate accents.`;
  }
  if (path.includes('\\')) return `${shown(path)} has a backslash: folders are separated by "/".`;
  if (path.includes(':')) return `${shown(path)} has a colon: it could name a drive or a hidden stream on Windows.`;
  if (path.startsWith('/')) return `${shown(path)} begins with "/": paths start at the top of the sandbox.`;
  if (path.endsWith('/')) return `${shown(path)} ends with "/": name the folder without it.`;
  const names = path.split('/');
  if (names.length > limits.pathDepthMax) return `The path is more than ${limits.pathDepthMax} folders deep.`;
  for (const name of names) {
    const broken = brokenNameRule(name);
    if (broken !== null) return broken;
  }
  return null;
}

function brokenNameRule(name: string): string | null {
  if (name === '') return 'The path has an empty name: two "/" follow each other.';
  if (name === '.' || name === '..') return `"${name}" is not allowed in a path: write the path without it.`;
  if (utf8Bytes(name) > limits.nameBytesMax) {
    return `The name ${shown(name)} is longer than ${limits.nameBytesMax} bytes.`;
  }
  if (name.endsWith('.') || name.endsWith(' ')) {
    return `The name ${shown(name)} ends with a dot or a space, which Windows drops.`;
  }
  const folded = foldName(name);
  if (DEVICES.test(folded.split('.')[0]!.trimEnd())) return `The name ${shown(name)} means a device on Windows.`;
  if (folded.replace(UNSEEN, '').startsWith(RESERVED_PREFIX)) {
    return `Names that begin with "${RESERVED_PREFIX}" are reserved, so ${shown(name)} cannot be used.`;
  }
  return null;
}

/**
 * Equal for two names that a file system without case would take for one.
 * After Unicode's full case folding, by way of the upper case so that ß meets
 * SS and final sigma meets sigma. The dotless ı stays a letter of its own.
 */
export function foldName(name: string): string {
  if (isPlain(name)) return name.toLowerCase();
  const folded = name.split('ı').map((part) => part.toLowerCase().toUpperCase().toLowerCase());
  return folded.join('ı').normalize('NFC');
}

/** `a/b/c` → `a/b`; a name at the top → `''`. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export const joined = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/** What decides how a file is read: `.job.yaml` as one, else the part after the last dot. */
export function endingOf(path: string): string {
  const name = nameOf(path).toLowerCase();
  const job = /\.job\.(yaml|yml|json)$/.exec(name);
  if (job) return job[0];
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? '' : name.slice(dot);
}

/** Length in UTF-8, for well-formed text. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // each half of a surrogate pair counts two of its four bytes
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : unit >= 0xd800 && unit <= 0xdfff ? 2 : 3;
  }
  return bytes;
}

function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7e) return false;
  return true;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f) || unit === 0x2028 || unit === 0x2029) return true;
  }
  return false;
}

/** Quoted and cut, so that a refusal stays one readable sentence. */
function shown(text: string): string {
  return text.length <= 80 ? `"${text}"` : `"${text.slice(0, 77).toWellFormed()}…"`;
}
