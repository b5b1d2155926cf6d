/**
 * One file under a person's eyes: what kind it is, the part of it that is
 * shown, and, when it is edited, the steps of flows/edit with its checks.
 */
import type { Entry, JobCheck } from '../../node-runtime/contract/model.ts';
import { call, Failure, open } from '../api.ts';
import { beginEdit, type EditEvent, type EditState, edited } from '../flows/edit.ts';
import { live } from './live.svelte.ts';
import { toasts } from './toasts.svelte.ts';

export type Shown =
  | { kind: 'text' | 'table'; text: string; from: number; to: number; whole: boolean }
  | { kind: 'image'; source: string }
  | { kind: 'bytes'; dump: string };

const partBytes = 256 * 1024;
const imageBytesMax = 10 * 1024 * 1024;
export const editBytesMax = 1024 * 1024;
const imageTypes: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  svg: 'image/svg+xml',
  bmp: 'image/bmp',
  ico: 'image/x-icon',
};
const endingOf = (path: string): string => path.slice(path.lastIndexOf('.') + 1).toLowerCase();
export const isJobFile = (path: string): boolean => /\.job\.(ya?ml|json)$/i.test(path);

const dataUrlOf = (bytes: Blob): Promise<string> =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => failed(reader.error ?? new Error('The image could not be read.'));
    reader.readAsDataURL(bytes);
  });

function dumpOf(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, 1_024); at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const hex = part.map((b) => b.toString(16).padStart(2, '0')).join(' ');
    const text = part.map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : '·')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}

class FileState {
  sandbox = $state('');
  entry = $state.raw<Entry | null>(null);
  shown = $state.raw<Shown | null>(null);
  failure = $state.raw<Failure | null>(null);
  edit = $state.raw<EditState | null>(null);
  check = $state.raw<JobCheck | null>(null);

  private turn = 0;
  private checkTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    live.on('files', (event) => {
      if (event.sandbox !== this.sandbox || !this.entry || this.edit) return;
      if (event.paths.length === 0 || event.paths.includes(this.entry.path)) void this.read(0);
    });
  }

  show(sandbox: string, entry: Entry | null): void {
    if (sandbox === this.sandbox && entry?.path === this.entry?.path && entry?.etag === this.entry?.etag) return;
    this.sandbox = sandbox;
    this.entry = entry;
    this.shown = null;
    this.failure = null;
    this.check = entry?.job ?? null;
    if (entry?.kind === 'file') void this.read(0);
    else this.turn++;
  }

  /** Reads the part that begins at `from`; at the end for a negative one. */
  async read(from: number): Promise<void> {
    const entry = this.entry;
    if (entry?.kind !== 'file') return;
    const turn = ++this.turn;
    try {
      const shown = await this.partOf(entry, from < 0 ? Math.max(0, entry.bytes - partBytes) : from);
      if (turn === this.turn) {
        this.shown = shown;
        this.failure = null;
      }
    } catch (cause) {
      if (turn === this.turn) this.failure = cause as Failure;
    }
  }

  private async partOf(entry: Entry, from: number): Promise<Shown> {
    const type = imageTypes[endingOf(entry.name)];
    if (type && entry.bytes <= imageBytesMax) {
      const response = await open('fileRead', { params: this.at(entry) });
      return { kind: 'image', source: await dataUrlOf(new Blob([await response.arrayBuffer()], { type })) };
    }
    const to = Math.min(entry.bytes, from + partBytes);
    const ranged = entry.bytes > partBytes;
    const headers: Record<string, string> = ranged ? { range: `bytes=${from}-${to - 1}` } : {};
    const response = await open('fileRead', { params: this.at(entry), headers });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (from === 0 && bytes.subarray(0, 8_192).includes(0)) return { kind: 'bytes', dump: dumpOf(bytes) };
    const table = ['csv', 'tsv'].includes(endingOf(entry.name));
    return {
      kind: table ? 'table' : 'text',
      text: new TextDecoder().decode(bytes),
      from,
      to: from + bytes.length,
      whole: !ranged || bytes.length >= entry.bytes,
    };
  }
  private at(entry: Entry): { sandbox: string; path: string } {
    return { sandbox: this.sandbox, path: entry.path };
  }

  async textOfVersion(path: string, version: number): Promise<string> {
    const response = await open('fileRead', {
      params: { sandbox: this.sandbox, path },
      query: { version },
      headers: { range: `bytes=0-${partBytes - 1}` },
    });
    return response.text();
  }

  // ---- editing

  async beginEdit(): Promise<void> {
    if (!this.entry) return;
    const { text, etag } = await this.readWhole(this.entry);
    this.edit = beginEdit(text, etag);
    this.checkSoon(0);
  }
  endEdit(): void {
    this.edit = null;
    clearTimeout(this.checkTimer);
    void this.read(0);
  }
  step(event: EditEvent): void {
    if (!this.edit) return;
    this.edit = edited(this.edit, event);
    if (event.kind === 'typed' || event.kind === 'kept') this.checkSoon(300);
  }
  async save(): Promise<boolean> {
    const entry = this.entry;
    if (!entry || this.edit?.phase !== 'open') return false;
    const { text, etag } = this.edit;
    this.step({ kind: 'saveAsked' });
    try {
      const query = entry.executable ? { executable: '1' as const } : {};
      const kept = await call('fileWrite', {
        params: this.at(entry),
        query,
        body: new Blob([text]),
        headers: { 'if-match': etag },
      });
      this.step({ kind: 'saved', etag: kept.etag ?? '' });
      this.entry = kept;
      this.check = kept.job ?? this.check;
      return true;
    } catch (cause) {
      this.step({ kind: 'saveFailed' });
      if (cause instanceof Failure && cause.code === 'file_changed') await this.bringBoth(entry);
      else toasts.fail('The file was not saved', cause);
      return false;
    }
  }
  private async bringBoth(entry: Entry): Promise<void> {
    try {
      const theirs = await this.readWhole(entry);
      this.step({ kind: 'foundChanged', theirs: theirs.text, theirsEtag: theirs.etag });
    } catch (cause) {
      toasts.fail('The newer version could not be read', cause);
    }
  }
  private async readWhole(entry: Entry): Promise<{ text: string; etag: string }> {
    const response = await open('fileRead', { params: this.at(entry), headers: { 'cache-control': 'no-cache' } });
    return { text: await response.text(), etag: response.headers.get('etag') ?? entry.etag ?? '' };
  }
  private checkSoon(ms: number): void {
    clearTimeout(this.checkTimer);
    const entry = this.entry;
    if (!entry || !isJobFile(entry.path)) return;
    this.checkTimer = setTimeout(() => {
      const text = this.edit?.text;
      if (text === undefined) return;
      call('check', { params: { sandbox: this.sandbox }, body: { path: entry.path, text } }).then(
        (check) => {
          if (this.edit?.text === text) this.check = check;
        },
        (cause: unknown) => {
          // Checking while typing is a help; saving checks again.
          if (!(cause instanceof Failure)) throw cause;
        },
      );
    }, ms);
  }
}

export const file = new FileState();
