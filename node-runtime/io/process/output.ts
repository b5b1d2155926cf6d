/**
 * Reads the output of attempts, in the node process, by byte offset.
 *
 * `output` is both streams of the job in the order they were written. What
 * lies beyond the attempt's limit is never shown, also before the runner has
 * cut it. Following ends when the attempt's end is known from its folder and
 * all was read; it also waits for an attempt that has not begun. Of an attempt
 * with secrets the file never holds a value (masker.ts), so nothing has to be
 * hidden here. Lines, colours and encodings are the reader's business.
 */
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../contract/limits.ts';
import { attemptFolder } from './attempt-folder.ts';
import { readClaim } from './wrapper.ts';

const pollMs = 100;
/** With a watcher, a rare look for what it may have missed. */
const watchedPollMs = 1_000;
const followBytesMax = 64 * 1024;

export type OutputPart = {
  bytes: Uint8Array;
  /** How long the output is now. */
  outputBytes: number;
};

/** At most `max` bytes (and never more than the limit of one read) from `offset`; none where nothing was written. */
export async function readOutput(dataDir: string, attempt: string, offset: number, max: number): Promise<OutputPart> {
  const folder = attemptFolder(dataDir, attempt);
  const file = await openIfThere(join(folder, 'output'));
  if (file === null) return { bytes: new Uint8Array(), outputBytes: 0 };
  try {
    const outputBytes = Math.min((await file.stat()).size, (await knownOf(folder)).outputBytesMax);
    return {
      bytes: await readPart(file, offset, Math.min(max, limits.logReadBytesMax, outputBytes - offset)),
      outputBytes,
    };
  } finally {
    await file.close();
  }
}

/** When the output had reached which length: `atMs` is wall time. Both only grow, unless the clock was set. */
export async function readTimes(dataDir: string, attempt: string): Promise<{ offset: number; atMs: number }[]> {
  const text = await readFile(join(attemptFolder(dataDir, attempt), 'times'), 'utf8').catch(noneIfMissing);
  const lines = (text ?? '').split('\n');
  lines.pop(); // what follows the last newline is not complete
  return lines.map((line) => {
    const [offset, atMs] = line.split(' ');
    return { offset: Number(offset), atMs: Number(atMs) };
  });
}

/** The output from `offset` on as it grows, until the attempt has ended or `signal` is aborted. */
export async function* followOutput(
  dataDir: string,
  attempt: string,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const folder = attemptFolder(dataDir, attempt);
  const bell = new Bell(folder, signal);
  let file: FileHandle | null = null;
  let position = offset;
  try {
    while (!signal.aborted) {
      // In this order: what was written before the end is there when the end is.
      const { hasEnded, outputBytesMax } = await knownOf(folder);
      file ??= await openIfThere(join(folder, 'output'));
      const room = file === null ? 0 : outputBytesMax - position;
      const bytes = file === null ? new Uint8Array() : await readPart(file, position, Math.min(room, followBytesMax));
      if (bytes.length > 0) {
        position += bytes.length;
        yield bytes;
      } else if (hasEnded) {
        return;
      } else {
        await bell.rung();
      }
    }
  } finally {
    bell.close();
    await file?.close();
  }
}

const noneIfMissing = (problem: NodeJS.ErrnoException): null => {
  if (problem.code === 'ENOENT') return null;
  throw problem;
};

const openIfThere = (path: string): Promise<FileHandle | null> => open(path).catch(noneIfMissing);

async function readPart(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  if (length <= 0) return new Uint8Array();
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(buffer, 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

type Known = { outputBytesMax: number; hasEnded: boolean };

/** What the attempt's folder tells a reader: its limit stands in its claim, its end there or in `ended`. */
async function knownOf(folder: string): Promise<Known> {
  const names = (await readdir(folder).catch(noneIfMissing)) ?? [];
  const known: Known = {
    outputBytesMax: Number.POSITIVE_INFINITY,
    hasEnded: names.includes('ended') || names.includes('copied'),
  };
  for (const name of names.filter((one) => one.startsWith('claim-'))) {
    const claim = readClaim(await readFile(join(folder, name), 'utf8').catch(() => '')); // voided claims are folders
    if (claim) known.outputBytesMax = claim.outputBytesMax;
    if (claim?.exitCode != null) known.hasEnded = true;
  }
  // Its masker may still have something to write.
  if (names.includes('masking')) known.hasEnded = false;
  return known;
}

/** Rings when something in the folder changes, and now and then in case nobody tells. */
class Bell {
  #folder: string;
  #signal: AbortSignal;
  #watcher: FSWatcher | null = null;
  #hasRung = false;
  #wake: (() => void) | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ring = () => {
    this.#hasRung = true;
    this.#wake?.();
  };

  constructor(folder: string, signal: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
    signal.addEventListener('abort', this.#ring);
  }

  async rung(): Promise<void> {
    this.#listen();
    if (!this.#hasRung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#timer = setTimeout(resolve, this.#watcher ? watchedPollMs : pollMs);
      await promise;
      clearTimeout(this.#timer);
      this.#wake = null;
    }
    this.#hasRung = false;
  }

  #listen(): void {
    if (this.#watcher) return;
    try {
      this.#watcher = watch(this.#folder, this.#ring);
      this.#watcher.on('error', () => this.#unwatch());
      this.#hasRung = true; // what changed before there was a watcher
    } catch {
      this.#watcher = null; // No folder yet, or no watchers left: the poll does it.
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  close(): void {
    this.#unwatch();
    if (this.#timer) clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#ring);
  }
}
