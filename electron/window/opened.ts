/**
 * Keeps what was opened from outside until the page takes it: links, job
 * files, screens of the menu. The page pulls, so nothing is lost while it
 * loads or reloads; when too much waits, the oldest gives way.
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { limits } from '../../node-runtime/contract/limits.ts';
import { desktopLimits } from '../limits.ts';
import { asksToOpen, isJobFileName, type Opened } from './links.ts';

export class OpenedQueue {
  #waiting: Opened[] = [];
  #arrived: () => void;

  /** `arrived` is called when there is something to take. */
  constructor(arrived: () => void) {
    this.#arrived = arrived;
  }

  add(opened: Opened): void {
    this.#waiting = [...this.#waiting, opened].slice(-desktopLimits.openedMax);
    this.#arrived();
  }

  takeAll(): Opened[] {
    return this.#waiting.splice(0);
  }

  /** Everything a command line names; relative names belong to its working directory. */
  async addCommandLine(argv: readonly string[], workingDirectory: string): Promise<void> {
    const { links, files } = asksToOpen(argv);
    for (const link of links) this.add(link);
    for (const file of files) await this.addFile(path.resolve(workingDirectory, file));
  }

  /** A job file of this computer. One that cannot be read, or is none, is only logged. */
  async addFile(file: string): Promise<void> {
    try {
      const facts = await stat(file);
      if (!isJobFileName(file) || !facts.isFile()) throw new Error('it is not a job file');
      if (facts.size > limits.jobFileBytesMax) throw new Error('it is too large for a job file');
      this.add({ open: 'jobFile', name: path.basename(file), text: await readFile(file, 'utf8') });
    } catch (cause) {
      console.error(`${file} was not opened:`, cause);
    }
  }
}
