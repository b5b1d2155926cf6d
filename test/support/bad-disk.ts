/**
 * A disk whose syncs fail or hang when it is told so (`bad-disk.c`): for a
 * program that is started with `environment`, and only for files under `part`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('bad-disk.c', import.meta.url));

export type DiskMood = 'works' | 'fails' | 'hangs';

export class BadDisk {
  readonly #file: string;
  readonly #library: string;
  readonly #part: string;

  /** `folder` is for the library and for the word that tells it what to do. */
  constructor({ folder, name, part }: { folder: string; name: string; part: string }) {
    this.#file = path.join(folder, `${name}.disk`);
    this.#library = path.join(folder, 'bad-disk.so');
    this.#part = part;
    if (!existsSync(this.#library))
      execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', this.#library, source, '-ldl']);
    this.become('works');
  }

  get environment(): Record<string, string> {
    return { LD_PRELOAD: this.#library, BAD_DISK_FILE: this.#file, BAD_DISK_PATH: this.#part };
  }

  become(mood: DiskMood): void {
    writeFileSync(this.#file, mood);
  }
}
