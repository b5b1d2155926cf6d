/**
 * One folder of a sandbox as it is now: its entries page by page, kept live,
 * a search below it, and everything that can be done to files.
 */
import { limits } from '../../node-runtime/contract/limits.ts';
import type { Entry, FileVersion, RunSummary, TrashItem } from '../../node-runtime/contract/model.ts';
import { call, type Failure, urlOf } from '../api.ts';
import { folderOf, freeName, joinPath, nameOf } from '../flows/paths.ts';
import { live } from './live.svelte.ts';
import { toasts } from './toasts.svelte.ts';

/** The first rows are to be there at once; what follows comes in larger pieces. */
const firstEntries = 200;
const pageEntries = limits.listPageMax;
const soonMs = 200;

class FolderState {
  sandbox = $state('');
  path = $state('');
  entries = $state.raw<Entry[]>([]);
  total = $state(0);
  /** Nothing of the folder is left to read. */
  whole = $state(false);
  phase = $state<'reading' | 'ready' | 'failed'>('reading');
  failure = $state.raw<Failure | null>(null);
  found = $state.raw<{ text: string; entries: Entry[]; more: boolean } | null>(null);
  lastRuns = $state.raw<ReadonlyMap<string, RunSummary>>(new Map());

  private cursor: string | undefined;
  private reading = 0;
  private more: { turn: number; read: Promise<void> } | null = null;
  private tookMs = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    live.on('files', (event) => {
      if (event.sandbox === this.sandbox) this.readSoon();
    });
    live.on('reset', () => {
      if (this.sandbox) this.readSoon();
    });
    live.on('run', ({ run }) => {
      if (run.sandbox !== this.sandbox) return;
      const before = this.lastRuns.get(run.path);
      if (!before || before.launchedAt <= run.launchedAt) this.lastRuns = new Map(this.lastRuns).set(run.path, run);
    });
  }

  show(sandbox: string, path: string): void {
    if (sandbox === this.sandbox && path === this.path && this.phase !== 'failed') return;
    const other = sandbox !== this.sandbox;
    this.sandbox = sandbox;
    this.path = path;
    this.entries = [];
    this.cursor = undefined;
    this.whole = false;
    this.found = null;
    this.phase = 'reading';
    void this.read();
    if (other) void this.readLastRuns();
  }

  /** Reads the first page, or as many entries as were shown before. */
  async read(): Promise<void> {
    const turn = ++this.reading;
    const wanted = this.entries.length;
    const begun = performance.now();
    try {
      let entries: Entry[] = [];
      let cursor: string | undefined;
      do {
        const answer = await this.page(cursor, wanted <= firstEntries ? firstEntries : pageEntries);
        if (turn !== this.reading) return;
        entries = entries.concat(answer.entries);
        cursor = answer.cursor;
        this.total = answer.total;
      } while (cursor && entries.length < wanted);
      this.tookMs = performance.now() - begun;
      this.entries = entries;
      this.cursor = cursor;
      this.whole = cursor === undefined;
      this.phase = 'ready';
      this.failure = null;
      // Most folders are whole with this; of larger ones the rest comes when a person goes there.
      if (entries.length <= firstEntries) void this.readMore();
    } catch (cause) {
      if (turn !== this.reading) return;
      this.failure = cause as Failure;
      this.phase = 'failed';
    }
  }
  /** The next entries; what is asked for while it reads gets the same answer. */
  readMore(): Promise<void> {
    if (this.more?.turn === this.reading) return this.more.read;
    const more = { turn: this.reading, read: this.readNext() };
    this.more = more;
    void more.read.finally(() => {
      if (this.more === more) this.more = null;
    });
    return more.read;
  }
  /** Reads on until an entry is there or nothing is left: an address may name one far down. */
  async readUntil(path: string): Promise<void> {
    const { sandbox, path: at } = this;
    while (this.phase === 'ready' && this.cursor && sandbox === this.sandbox && at === this.path && !this.entry(path)) {
      const before = this.entries.length;
      await this.readMore();
      if (this.entries.length === before) return;
    }
  }
  private async readNext(): Promise<void> {
    if (!this.cursor || this.phase !== 'ready') return;
    const turn = this.reading;
    const answer = await this.page(this.cursor, pageEntries).catch(() => null);
    if (!answer || turn !== this.reading) return;
    this.entries = this.entries.concat(answer.entries);
    this.cursor = answer.cursor;
    this.whole = answer.cursor === undefined;
  }
  async search(text: string): Promise<void> {
    if (text.trim() === '') {
      this.found = null;
      return;
    }
    try {
      const answer = await call('search', {
        params: { sandbox: this.sandbox },
        query: { text: text.trim(), limit: 500 },
      });
      this.found = { text, entries: answer.entries, more: answer.more };
    } catch (cause) {
      toasts.fail('Searching did not work', cause);
    }
  }
  entry(path: string): Entry | undefined {
    return (
      this.entries.find((entry) => entry.path === path) ?? this.found?.entries.find((entry) => entry.path === path)
    );
  }

  // ---- what can be done. Each says what it did and offers the way back.

  async makeFolder(name: string): Promise<void> {
    await call('folderCreate', { params: this.at, body: { path: joinPath(this.path, name) } });
    await this.read();
  }
  async makeFile(name: string, text: string): Promise<Entry> {
    const params = { ...this.at, path: joinPath(this.path, name) };
    const entry = await call('fileWrite', { params, body: new Blob([text]), headers: { 'if-none-match': '*' } });
    await this.read();
    return entry;
  }
  async moveTo(paths: readonly string[], folder: string): Promise<void> {
    for (const path of paths) await this.moveOne(path, joinPath(folder, nameOf(path)));
    const undo = () =>
      this.undoing(() => Promise.all(paths.map((path) => this.moveOne(joinPath(folder, nameOf(path)), path))));
    toasts.say(`${sayWhat(paths)} moved to ${folder || this.sandbox}.`, { label: 'Undo', run: undo });
    await this.read();
  }
  async rename(path: string, name: string): Promise<void> {
    const to = joinPath(folderOf(path), name);
    await this.moveOne(path, to);
    toasts.say(`${nameOf(path)} is now ${name}.`, {
      label: 'Undo',
      run: () => this.undoing(() => this.moveOne(to, path)),
    });
    await this.read();
  }
  async duplicate(path: string): Promise<void> {
    const name = freeName(nameOf(path), (free) => this.entries.some((entry) => entry.name === free));
    await this.copyTo(path, joinPath(folderOf(path), name));
  }
  async copyTo(path: string, to: string): Promise<void> {
    await call('copy', { params: this.at, body: { path, to } });
    toasts.say(`${nameOf(path)} copied to ${to}.`);
    await this.read();
  }
  /** To the trash; the undo puts back exactly what this took. */
  async remove(paths: readonly string[]): Promise<void> {
    const at = this.at;
    const folders = paths.filter((path) => this.entry(path)?.kind === 'folder');
    const before = new Set((await this.trash()).map((item) => `${item.path}@${item.version}`));
    for (const path of paths) await call('fileRemove', { params: { ...at, path } });
    const undo = () =>
      this.undoing(async () => {
        const items = (await call('trash', { params: at })).items;
        const ours = items.filter(
          (item) =>
            !before.has(`${item.path}@${item.version}`) &&
            paths.some((path) => item.path === path || item.path.startsWith(`${path}/`)),
        );
        for (const item of ours)
          await call('restore', { params: at, body: { path: item.path, version: item.version } });
        for (const folder of folders) {
          if (!ours.some((item) => item.path.startsWith(`${folder}/`)))
            await call('folderCreate', { params: at, body: { path: folder } });
        }
      });
    toasts.say(`${sayWhat(paths)} moved to the trash.`, { label: 'Undo', run: undo });
    await this.read();
  }

  async trash(): Promise<TrashItem[]> {
    return (await call('trash', { params: this.at })).items;
  }
  async versions(path: string): Promise<FileVersion[]> {
    return (await call('versions', { params: { ...this.at, path } })).versions;
  }
  async restore(path: string, version: number): Promise<void> {
    await call('restore', { params: this.at, body: { path, version } });
    toasts.say(`${nameOf(path)} is back as it was in version ${version}.`);
    await this.read();
  }

  downloadUrl(path: string, version?: number): string {
    return urlOf('fileRead', { params: { ...this.at, path }, query: { download: '1', version } });
  }
  zipUrl(path: string): string {
    return urlOf('zip', { params: this.at, query: { path } });
  }

  private get at(): { sandbox: string } {
    return { sandbox: this.sandbox };
  }
  private page(cursor: string | undefined, limit: number) {
    return call('entries', { params: this.at, query: { path: this.path, cursor, limit } });
  }
  private async moveOne(path: string, to: string): Promise<void> {
    await call('move', { params: this.at, body: { path, to } });
  }
  private undoing(undo: () => Promise<unknown>): void {
    undo()
      .then(() => this.read())
      .catch((cause: unknown) => toasts.fail('Undo did not work', cause));
  }
  private async readLastRuns(): Promise<void> {
    const sandbox = this.sandbox;
    this.lastRuns = new Map();
    const answer = await call('runs', { query: { sandbox, limit: 200 } }).catch(() => null);
    if (!answer || sandbox !== this.sandbox) return;
    const last = new Map<string, RunSummary>();
    for (const run of answer.runs) if (!last.has(run.path)) last.set(run.path, run);
    this.lastRuns = last;
  }
  private readSoon(): void {
    // Many changes cause one reading, but a stream of them must not put it off for ever.
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined;
        void this.read();
      },
      Math.max(soonMs, 2 * this.tookMs),
    );
  }
}

const sayWhat = (paths: readonly string[]): string =>
  paths.length === 1 ? nameOf(paths[0]!) : `${paths.length} things`;
export const folder = new FolderState();
