/**
 * A small disk of its own: a file system in memory, mounted on a folder, that a
 * ballast file fills to the last byte and that has room again when the ballast
 * is gone. Needs root on Linux; whoever makes one takes it down.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

export class SmallDisk {
  readonly at: string;

  constructor(at: string, { mebibytes }: { mebibytes: number }) {
    mkdirSync(at, { recursive: true });
    const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', at], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`no small disk can be mounted on ${at}: ${made.stderr}`);
    this.at = at;
  }

  /** Takes every byte there is, also those that became free since the last time. */
  fill(): void {
    const ballast = openSync(path.join(this.at, 'ballast'), 'a');
    try {
      for (const bytes of [1024 ** 2, 4096, 1]) writeUntilFull(ballast, Buffer.alloc(bytes));
    } finally {
      closeSync(ballast);
    }
  }

  makeRoom(): void {
    rmSync(path.join(this.at, 'ballast'), { force: true });
  }

  remove(): void {
    // What still holds it (a job that is just ending) does not keep it in the tree.
    if (spawnSync('umount', [this.at]).status !== 0) spawnSync('umount', ['-l', this.at]);
    rmSync(this.at, { recursive: true, force: true });
  }
}

function writeUntilFull(file: number, block: Buffer): void {
  try {
    for (;;) writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
