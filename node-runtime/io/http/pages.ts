/**
 * The built console, for browsers.
 *
 * The folder is listed and a request can only name what is on the list, so no
 * path trick leads out of it; links in the folder are not followed. Files of
 * `/assets/` carry a hash in their name and are kept for good by the browser,
 * all others are asked for again each time. Views are after the `#`, so `/` is
 * the only address of the page. The only file access of this folder of ours.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { matches, pageHeaders } from './answers.ts';

export type Page = { status: 200 | 304; headers: Record<string, string>; bytes: Buffer | null };
export type Pages = { find(path: string, ifNoneMatch: string | undefined): Promise<Page | null> };

const LIST_AGAIN_MS = 1_000;

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};

/** Without a folder nothing is ever found. `path` is raw, as it came. */
export function makePages(folder: string | null): Pages {
  let listed = new Set<string>();
  let listedAt = Number.NEGATIVE_INFINITY;

  const isThere = async (path: string): Promise<boolean> => {
    if (!listed.has(path) && folder && performance.now() - listedAt > LIST_AGAIN_MS) {
      listedAt = performance.now();
      listed = await list(folder); // it may have been built again
    }
    return listed.has(path);
  };

  return {
    async find(path, ifNoneMatch) {
      const name = path === '/' ? '/index.html' : path;
      if (!folder || !(await isThere(name))) return null;
      const bytes = await readFile(join(folder, name)).catch(gone);
      return bytes && pageOf(name, bytes, ifNoneMatch);
    },
  };
}

function gone(cause: NodeJS.ErrnoException): null {
  if (cause.code === 'ENOENT') return null;
  throw new Error('A file of the console cannot be read.', { cause });
}

function pageOf(name: string, bytes: Buffer, ifNoneMatch: string | undefined): Page {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  const hashed = name.startsWith('/assets/');
  const headers: Record<string, string> = {
    ...pageHeaders,
    'cache-control': hashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag,
  };
  if (matches(ifNoneMatch, etag)) return { status: 304, headers, bytes: null };
  headers['content-type'] = types[extname(name)] ?? 'application/octet-stream';
  return { status: 200, headers, bytes };
}

/** Plain files below a folder, as request paths. A folder that isn't there has none. */
async function list(folder: string): Promise<Set<string>> {
  const found = new Set<string>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause) => gone(cause) ?? []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const below = join(entry.parentPath, entry.name).slice(folder.replace(/[\\/]+$/, '').length);
    found.add(below.replaceAll('\\', '/'));
  }
  return found;
}
