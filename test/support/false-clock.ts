/**
 * A clock that can be set wrong while a program runs (libfaketime): the offset
 * stands in a file, the program is started with `environment`.
 *
 * The wall clock may go anywhere. The monotonic clock is left alone, or jumps
 * with it; then only forward, since no kernel ever sets it back and Node
 * rightly aborts when it sees that.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';

const libraryFolders = ['/usr/lib', '/usr/local/lib'];
/** How long a program goes by the offset it read before. */
export const NOTICED_MS = 1_000;

/** The library for programs with threads, or null where it is not installed (Debian: `faketime`). */
export function falseClockLibrary(): string | null {
  for (const folder of libraryFolders) {
    for (const name of ['.', ...readdirSync(folder)]) {
      const at = `${folder}/${name}/faketime`;
      try {
        const found = readdirSync(at).find((file) => file.startsWith('libfaketimeMT.so'));
        if (found) return `${at}/${found}`;
      } catch {
        // No such folder here; the next one may have it.
      }
    }
  }
  return null;
}

export class FalseClock {
  readonly #file: string;
  readonly #monotonicToo: boolean;
  readonly #library: string;
  #offsetSeconds = 0;

  constructor(file: string, { monotonicToo }: { monotonicToo: boolean }) {
    const library = falseClockLibrary();
    if (!library) throw new Error('libfaketime is not installed (package faketime)');
    this.#library = library;
    this.#file = file;
    this.#monotonicToo = monotonicToo;
    this.set(0);
  }

  get environment(): Record<string, string> {
    const keep = { DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: String(NOTICED_MS / 1000),
      ...(this.#monotonicToo ? {} : keep),
    };
  }

  get offsetSeconds(): number {
    return this.#offsetSeconds;
  }

  set(offsetSeconds: number): void {
    if (this.#monotonicToo && offsetSeconds < this.#offsetSeconds) throw new Error('a monotonic clock never goes back');
    this.#offsetSeconds = offsetSeconds;
    writeFileSync(this.#file, `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}\n`);
  }
}

/** The library leaves shared memory behind when a process is killed, also that of a child: what belongs to none goes. */
export function removeClockRemains(): void {
  for (const name of readdirSync('/dev/shm')) {
    const pid = /^(?:sem\.faketime_sem_|faketime_shm_)(\d+)$/.exec(name)?.[1];
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(`/dev/shm/${name}`, { force: true });
  }
}
