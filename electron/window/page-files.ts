/**
 * Serves the built page: GET of a file inside its folder, with the policy's
 * headers; anything else is 404. A path is decoded once and resolved before it
 * is compared, so no `..`, escaped or not, leads out.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pageHeaders } from './content-policy.ts';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
};

/** The file meant by a URL's path, or null if it is none inside `folder`. Pure. */
export function pageFile(folder: string, pathname: string): string | null {
  let decoded: string;
  try {
    decoded = decodeURIComponent(pathname === '/' ? '/index.html' : pathname);
  } catch {
    return null;
  }
  if (decoded.includes('\0') || decoded.includes('\\')) return null;
  const file = path.resolve(folder, `.${decoded}`);
  return file.startsWith(folder + path.sep) ? file : null;
}

const nothingHere = () => new Response(null, { status: 404, headers: pageHeaders });
const isAbsence = (cause: unknown) =>
  ['ENOENT', 'EISDIR', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '');

export async function answerPage(folder: string, method: string, pathname: string): Promise<Response> {
  const file = method === 'GET' ? pageFile(folder, pathname) : null;
  if (!file) return nothingHere();
  try {
    const body = new Uint8Array(await readFile(file));
    const type = types[path.extname(file)] ?? 'application/octet-stream';
    return new Response(body, { headers: { ...pageHeaders, 'content-type': type } });
  } catch (cause) {
    if (isAbsence(cause)) return nothingHere();
    throw new Error(`A file of the page cannot be read: ${file}`, { cause });
  }
}
