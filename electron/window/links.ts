/**
 * What a `binnacle://` link or a command line asks to open, as a closed union:
 * a raw address is never handed on, and a link opens a screen, it never acts.
 *
 * `binnacle://runs/<run>`, `binnacle://sandboxes/<name>/<path>`,
 * `binnacle://join/<code>` and the bare screens are known; anything else is
 * nothing. Pure.
 */
import { codeOfJoinLink } from '../../node-runtime/contract/invite-code.ts';
import { limits } from '../../node-runtime/contract/limits.ts';
import { desktopLimits } from '../limits.ts';

export const screens = [
  ...['overview', 'nodes', 'sandboxes', 'jobs', 'runs'],
  ...['schedules', 'recovery', 'audit', 'settings'],
] as const;
export type Screen =
  | 'overview'
  | 'nodes'
  | 'sandboxes'
  | 'jobs'
  | 'runs'
  | 'schedules'
  | 'recovery'
  | 'audit'
  | 'settings';

export type Link =
  | { open: 'screen'; screen: Screen }
  | { open: 'run'; run: string }
  | { open: 'sandbox'; sandbox: string; path: string }
  /** The code of an invite. It is shown; whether it is used, the person says there. */
  | { open: 'join'; code: string };

/** What reaches the page: a link, or a job file from this computer with its text. */
export type Opened = Link | { open: 'jobFile'; name: string; text: string };

const isScreen = (name: string): name is Screen => (screens as readonly string[]).includes(name);
const runId = /^[A-Za-z0-9._-]{1,64}$/;
const sandboxName = /^[a-z0-9][a-z0-9._-]*$/;
/** Plain names only: nothing empty, no way up, no control characters or backslashes. */
const isPlain = (part: string) => part !== '' && part !== '.' && part !== '..' && !/[\p{Cc}\\/]/u.test(part);

function decodedParts(pathname: string): string[] | null {
  try {
    const parts = pathname.split('/').slice(1).map(decodeURIComponent);
    if (parts.at(-1) === '') parts.pop();
    return parts.every(isPlain) ? parts : null;
  } catch {
    return null;
  }
}

/** `URL` folds these silently; a link that says one place and means another is refused instead. */
const hasWayUp = (text: string) => /(^|[/\\])(\.|%2e){1,2}([/\\?#]|$)/i.test(text);

export function parseLink(text: string): Link | null {
  if (text.length > desktopLimits.linkCharsMax) return null;
  const code = codeOfJoinLink(text);
  if (code !== null) return { open: 'join', code };
  if (hasWayUp(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.protocol !== 'binnacle:' || url.username || url.password || url.port) return null;
  const screen = url.host || 'overview';
  const parts = decodedParts(url.pathname);
  if (!isScreen(screen) || parts === null) return null;
  const [first, ...rest] = parts;
  if (first === undefined) return { open: 'screen', screen };
  if (screen === 'runs') return rest.length === 0 && runId.test(first) ? { open: 'run', run: first } : null;
  if (screen !== 'sandboxes' || !sandboxName.test(first) || first.length > limits.sandboxNameCharsMax) return null;
  const path = rest.join('/');
  if (Buffer.byteLength(path) > limits.pathBytesMax || rest.length > limits.pathDepthMax) return null;
  return { open: 'sandbox', sandbox: first, path };
}

export const isJobFileName = (name: string): boolean => /\.job\.(ya?ml|json)$/i.test(name);

/** What a command line asks to open: links, and names of job files as they were typed. */
export function asksToOpen(argv: readonly string[]): { links: Link[]; files: string[] } {
  const links = argv.filter((a) => /^binnacle:/i.test(a)).map(parseLink);
  const files = argv.filter((a) => !a.startsWith('-') && !/^[a-z]+:\/\//i.test(a) && isJobFileName(a));
  return {
    links: links.filter((link) => link !== null).slice(0, desktopLimits.openedMax),
    files: files.slice(0, desktopLimits.openedMax),
  };
}
