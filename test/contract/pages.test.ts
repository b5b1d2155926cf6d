/** The built console over HTTPS: its files, and nothing else of the disk. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, codeIn, type OpenDoor, problemOf, publicDoor, rawGet, until } from './support/doors.ts';

let folder: string;
let open: OpenDoor;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bn-pages-'));
  await mkdir(join(folder, 'built/assets'), { recursive: true });
  await writeFile(join(folder, 'secret.txt'), 'secret');
  await writeFile(join(folder, 'built/index.html'), '<!doctype html><title>Binnacle</title>');
  await writeFile(join(folder, 'built/assets/app-4f2a.js'), 'export {};');
  await writeFile(join(folder, 'built/assets/app-4f2a.css'), 'a{}');
  await writeFile(join(folder, 'built/assets/font-1.woff2'), Buffer.from([1, 2, 3]));
  await writeFile(join(folder, 'built/icon.svg'), '<svg/>');
  await writeFile(join(folder, 'built/odd.xyz'), 'odd');
  await symlink(join(folder, 'secret.txt'), join(folder, 'built/link.txt'));
  await symlink(folder, join(folder, 'built/out'));
  open = await publicDoor({ pages: join(folder, 'built') });
});
afterAll(async () => {
  await open.close();
  await rm(folder, { recursive: true, force: true });
});

test.each([
  ['/', 'text/html; charset=utf-8', 'no-cache'],
  ['/?x=1', 'text/html; charset=utf-8', 'no-cache'],
  ['/index.html', 'text/html; charset=utf-8', 'no-cache'],
  ['/icon.svg', 'image/svg+xml', 'no-cache'],
  ['/odd.xyz', 'application/octet-stream', 'no-cache'],
  ['/assets/app-4f2a.js', 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
  ['/assets/app-4f2a.css', 'text/css; charset=utf-8', 'public, max-age=31536000, immutable'],
  ['/assets/font-1.woff2', 'font/woff2', 'public, max-age=31536000, immutable'],
])('%s is served as %s', async (path, type, caching) => {
  const got = await ask(open, { path, headers: { 'sec-fetch-site': 'cross-site' } });
  expect([got.status, got.headers['content-type'], got.headers['cache-control']]).toEqual([200, type, caching]);
  expect(got.headers['x-content-type-options']).toBe('nosniff');
});

test('the page gets the policy that its libraries pass, to the letter', async () => {
  const { headers } = await ask(open, { path: '/' });
  expect(headers['content-security-policy']).toBe(
    "default-src 'none'; script-src 'self'; style-src-elem 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html",
  );
  expect(headers['referrer-policy']).toBe('no-referrer');
  expect(headers['cross-origin-opener-policy']).toBe('same-origin');
  expect(headers['cross-origin-resource-policy']).toBe('same-origin');
});

test('the page is asked for again each time, and not sent when it is the same', async () => {
  const { headers } = await ask(open, { path: '/' });
  const again = await ask(open, { path: '/', headers: { 'if-none-match': headers['etag'] as string } });
  expect([again.status, again.text]).toEqual([304, '']);
});

test('HEAD has the headers only', async () => {
  const got = await ask(open, { method: 'HEAD', path: '/' });
  expect([got.status, got.text, got.headers['content-type']]).toEqual([200, '', 'text/html; charset=utf-8']);
});

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s finds no page', async (method) => {
  expect((await ask(open, { method, path: '/index.html' })).status).toBe(404);
});

describe('nothing outside the folder', () => {
  test.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '//etc/passwd',
    '/%2fetc%2fpasswd',
    '/etc/passwd',
    '/link.txt',
    '/out/secret.txt',
    '/index.html%00',
    '/index.html%00.js',
    '/index.html/',
    '/assets',
    '/assets/',
    '/%',
    '/%69ndex.html',
    '/INDEX.HTML',
  ])('%s gives no file', async (target) => {
    const got = await rawGet(open, target);
    expect(Number(got.split(' ')[1])).toBeGreaterThanOrEqual(400);
    expect(['not_found', 'path_refused', 'bad_request']).toContain(codeIn(got));
    expect(got).not.toContain('secret\r\n');
    expect(got).not.toMatch(/root:|secret$/);
  });
});

test('a console that was built again is found without a restart', async () => {
  await writeFile(join(folder, 'built/assets/app-9999.js'), 'export {};');
  await until('the new file', async () => (await ask(open, { path: '/assets/app-9999.js' })).status === 200);
});

test('a folder that is not there is no console, and no fault', async () => {
  const door = await publicDoor({ pages: join(folder, 'nowhere') });
  expect(problemOf(await ask(door, { path: '/' })).code).toBe('not_found');
  expect(door.logged).toEqual([]);
  await door.close();
});
