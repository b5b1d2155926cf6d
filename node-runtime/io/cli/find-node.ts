/**
 * Which node is spoken to, and how it is known to be the right one.
 *
 * Either a node of this computer, found through its data folder and reached by
 * its private socket, or a node named by address. An address needs a token and
 * a way to know the node: the fingerprint of its certificate, or an authority.
 * There is no way to skip that. Says *stopped* only when nobody answers at the
 * socket; whether the folder can be opened is for who opens it to find out.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Failure, fileFailure, misused } from './failure.ts';

type Env = Readonly<Record<string, string | undefined>>;

export type Trust = { fingerprint: string } | { authority: string };
export type Address = { socketPath: string } | { url: string; token: string; trust: Trust };
export type Place = { kind: 'reachable'; address: Address; name: string } | { kind: 'stopped'; data: string };

export type PlaceOptions = { data?: string; url?: string; token?: string; fingerprint?: string; ca?: string };

/** What a running node writes to `running.json` in its data folder. */
export type RunningNode = { pid: number; socketPath: string; url: string | null; fingerprint: string; name: string };

/** Where a node keeps its data when nobody says otherwise, by platform. */
export function defaultDataFolder(env: Env, platform: NodeJS.Platform = process.platform): string {
  const home = env['HOME'] || homedir();
  if (platform === 'win32') return join(env['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), 'Binnacle', 'node');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'Binnacle', 'node');
  return join(env['XDG_DATA_HOME'] || join(home, '.local', 'share'), 'binnacle', 'node');
}

export const dataFolder = (options: PlaceOptions, env: Env): string =>
  resolve(options.data || env['BINNACLE_DATA'] || defaultDataFolder(env));

/** Hex of sha-256, with or without colons and `sha256:` → 64 small hex digits, or null. */
export function readFingerprint(text: string): string | null {
  const hex = text
    .trim()
    .replace(/^sha-?256[:= ]/i, '')
    .replace(/[:\s]/g, '')
    .toLowerCase();
  return /^[0-9a-f]{64}$/.test(hex) ? hex : null;
}

/** The flag wins over the environment, an address over a folder. */
export async function findNode(options: PlaceOptions, env: Env): Promise<Place> {
  if (options.url !== undefined && options.data !== undefined) {
    throw misused('--url and --data name two different nodes.', 'Give one of them.');
  }
  const url = options.url ?? (options.data === undefined ? env['BINNACLE_URL'] : undefined);
  if (url) return { kind: 'reachable', ...(await byAddress(url, options, env)) };
  return byFolder(dataFolder(options, env));
}

async function byAddress(text: string, options: PlaceOptions, env: Env): Promise<{ address: Address; name: string }> {
  const url = readUrl(text);
  const token = options.token ?? env['BINNACLE_TOKEN'];
  if (!token) {
    throw misused(
      `A token is needed to speak to ${url.host}.`,
      'Make one on that node: binnacle token create --role operator. Give it with BINNACLE_TOKEN or --token.',
    );
  }
  return { address: { url: url.origin, token, trust: await trustOf(url.host, options, env) }, name: url.host };
}

function readUrl(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  if (!url?.hostname) throw misused(`"${text}" is no address.`, 'Write it like https://deck-17:7400.');
  if (url.protocol !== 'https:') {
    throw misused(`${text} is not encrypted: a token sent there could be read by others.`, 'Use https://.');
  }
  return url;
}

async function trustOf(host: string, options: PlaceOptions, env: Env): Promise<Trust> {
  const pin = options.fingerprint ?? env['BINNACLE_FINGERPRINT'];
  if (pin) {
    const fingerprint = readFingerprint(pin);
    if (fingerprint) return { fingerprint };
    throw misused(`"${pin}" is no fingerprint.`, 'It is a sha-256: 64 hex digits, with or without colons.');
  }
  const file = options.ca ?? env['BINNACLE_CA'];
  if (file) {
    const authority = await readFile(file, 'utf8').catch((fault: unknown) => Promise.reject(fileFailure(file, fault)));
    return { authority };
  }
  throw misused(
    `How ${host} is known to be the right node is not said, so nothing is sent to it.`,
    `Run "binnacle status" on that node: it shows the fingerprint. Give it with --fingerprint or BINNACLE_FINGERPRINT.`,
  );
}

async function byFolder(data: string): Promise<Place> {
  const running = await readRunning(join(data, 'running.json'));
  if (running && isAlive(running.pid) && (await answers(running.socketPath, data))) {
    return { kind: 'reachable', address: { socketPath: running.socketPath }, name: running.name };
  }
  if (existsSync(data)) return { kind: 'stopped', data };
  throw new Failure('unreachable', `There is no node in ${data}.`, {
    next: 'Make a cluster with binnacle init --cluster NAME, name another folder with --data, or a node with --url.',
  });
}

/** Null when the file is missing, or is not what a node writes. */
async function readRunning(file: string): Promise<RunningNode | null> {
  try {
    const read = JSON.parse(await readFile(file, 'utf8')) as Partial<RunningNode> | null;
    if (typeof read?.pid !== 'number' || typeof read.socketPath !== 'string') return null;
    return { url: null, fingerprint: '', name: 'this computer', ...read } as RunningNode;
  } catch (fault) {
    const code = (fault as NodeJS.ErrnoException).code;
    if (code === undefined || code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw fileFailure(file, fault);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (fault) {
    // EPERM: it lives, but belongs to somebody else.
    return (fault as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The number of a dead process may have gone to another: only an answer at the socket proves a node. */
function answers(socketPath: string, data: string): Promise<boolean> {
  return new Promise((done, fail) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', (fault: NodeJS.ErrnoException) => {
      if (fault.code === 'EACCES' || fault.code === 'EPERM') {
        const next = 'Use the account the node runs under, or an address with a token: --url, --token, --fingerprint.';
        fail(new Failure('unreachable', `The node in ${data} belongs to another person.`, { next, cause: fault }));
      } else done(false);
    });
  });
}
