/**
 * The private place of the runtime's socket: a fresh folder that only this
 * person may enter, under a random name, short enough for a unix socket path.
 * On Windows a random beginning of a pipe's name; pipes need no folder.
 *
 * A folder made here is removed when its runtime has ended.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { desktopLimits as limits } from '../limits.ts';

const pipes = '\\\\.\\pipe\\';
const randomPart = 'binnacle-XXXXXX/';

/** Where sockets may live, best first. Pure. */
export function socketBases(env: Readonly<Record<string, string | undefined>>, temporary: string): string[] {
  const bases = [env['XDG_RUNTIME_DIR'] ?? '', temporary, '/tmp'];
  const bytesMax = limits.socketPathBytesMax - randomPart.length - limits.socketNameBytesMax - 1;
  return bases.filter((base) => path.isAbsolute(base) && Buffer.byteLength(base) <= bytesMax);
}

function isFolder(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export function makeSocketFolder(): string {
  if (process.platform === 'win32') return `${pipes}binnacle-${randomBytes(12).toString('hex')}`;
  const base = socketBases(process.env, tmpdir()).find(isFolder);
  if (!base) throw new Error('There is no folder with a path short enough for a socket.');
  return mkdtempSync(path.join(base, 'binnacle-')); // mkdtemp makes it 0700
}

export function removeSocketFolder(folder: string): void {
  if (!folder.startsWith(pipes)) rmSync(folder, { recursive: true, force: true });
}

/** Is the socket that the runtime names where it was told to put it? Pure. */
export function isSocketInside(folder: string, socketPath: string): boolean {
  if (folder.startsWith(pipes)) return socketPath.startsWith(folder);
  return path.dirname(socketPath) === folder && Buffer.byteLength(socketPath) <= limits.socketPathBytesMax;
}
