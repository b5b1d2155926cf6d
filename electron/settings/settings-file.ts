/**
 * The settings file in the user data folder: read once at start, written
 * whole at each change (temporary file, sync, rename), one write at a time.
 *
 * A damaged file is renamed to `settings.damaged.json` and the defaults hold;
 * `note` says so. A disk that refuses a write is the caller's to tell.
 */
import { readFileSync, renameSync, statSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { desktopLimits as limits } from '../limits.ts';
import { defaultSettings, readSettings, type Settings } from './settings.ts';

export class SettingsFile {
  #file: string;
  #settings: Settings = defaultSettings;
  #writing: Promise<unknown> = Promise.resolve();
  readonly note: string | undefined;

  constructor(folder: string) {
    this.#file = path.join(folder, 'settings.json');
    const size = statSync(this.#file, { throwIfNoEntry: false })?.size;
    if (size === undefined) return;
    const isTooLarge = size > limits.settingsBytesMax;
    const read = readSettings(isTooLarge ? '' : readFileSync(this.#file, 'utf8'));
    this.#settings = read.settings;
    if (!read.note) return;
    const aside = path.join(folder, 'settings.damaged.json');
    renameSync(this.#file, aside);
    this.note = `${read.note} It is kept as ${aside}; the usual settings are used.`;
  }

  get now(): Settings {
    return this.#settings;
  }

  /** Resolves when the change is on disk. It holds for this program at once. */
  async change(change: Partial<Settings>): Promise<Settings> {
    const settings = { ...this.#settings, ...change };
    this.#settings = settings;
    const written = this.#writing.then(() => this.#write(settings));
    this.#writing = written.catch(() => undefined); // a failed write must not block later ones; `written` tells it
    await written;
    return settings;
  }

  async #write(settings: Settings): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true });
    const temporary = `${this.#file}.new`;
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(settings, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, this.#file);
  }
}
