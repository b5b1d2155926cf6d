/**
 * Everything on its way into a sandbox: three files at a time, each with
 * progress, cancel, and resume after a break.
 *
 * A file that is new must not overwrite one that appeared meanwhile; a file
 * that replaces carries the etag the person saw. Either refusal is put before
 * the person. Small files go in one request, the rest by flows/upload.
 */
import { call, Failure, open } from '../api.ts';
import { joinPath } from '../flows/paths.ts';
import { type UploadProgress, uploadFile } from '../flows/upload.ts';
import { folder } from './folder.svelte.ts';
import { live } from './live.svelte.ts';
import { session } from './session.svelte.ts';
import { toasts } from './toasts.svelte.ts';

export type Pending = {
  id: number;
  sandbox: string;
  path: string;
  bytes: number;
  sent: number;
  phase: 'queued' | 'sending' | 'waiting' | 'failed' | 'clash';
  sentence: string;
  replaces: boolean;
};
type Job = { file: File; ifMatch: string | undefined; guard: boolean; stop: AbortController };

const atOnce = 3;
const smallBytesMax = 1024 * 1024;
const passing = [
  'unreachable',
  'starting',
  'stopping',
  'no_active',
  'unknown_outcome',
  'too_many',
  'checksum_mismatch',
];
const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((done, failed) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      failed(signal.reason as Error);
    });
  });

class UploadsState {
  list = $state.raw<Pending[]>([]);
  private jobs = new Map<number, Job>();
  private nextId = 1;
  private done = 0;

  readonly total = $derived(this.list.reduce((sum, one) => sum + one.bytes, 0));
  readonly sent = $derived(this.list.reduce((sum, one) => sum + one.sent, 0));

  /** Puts files under a folder of a sandbox; shown at once, sent in turn. */
  add(
    sandbox: string,
    into: string,
    files: readonly { path: string; file: File }[],
    emptyFolders: readonly string[] = [],
  ): void {
    const why = session.mayNotWrite(live.sandbox(sandbox));
    if (why) {
      toasts.say(why, undefined, 'info');
      return;
    }
    const more = files.map(({ path, file }): Pending => {
      const id = this.nextId++;
      const full = joinPath(into, path);
      const there = sandbox === folder.sandbox ? folder.entry(full) : undefined;
      this.jobs.set(id, { file, ifMatch: there?.etag, guard: true, stop: new AbortController() });
      return {
        id,
        sandbox,
        path: full,
        bytes: file.size,
        sent: 0,
        phase: 'queued',
        sentence: '',
        replaces: there !== undefined,
      };
    });
    this.list = [...this.list, ...more];
    for (const path of emptyFolders) {
      call('folderCreate', { params: { sandbox }, body: { path: joinPath(into, path) } }).catch((cause: unknown) => {
        if (!(cause instanceof Failure && cause.code === 'file_exists'))
          toasts.fail(`The folder ${path} was not made`, cause);
      });
    }
    this.turn();
  }
  cancel(id: number): void {
    this.jobs.get(id)?.stop.abort(new DOMException('Cancelled', 'AbortError'));
    this.forget(id);
  }
  cancelAll(): void {
    for (const one of this.list) this.cancel(one.id);
  }
  /** After a failure, or to replace what is there. */
  again(id: number, replace = false): void {
    const job = this.jobs.get(id);
    if (!job) return;
    this.jobs.set(id, {
      ...job,
      guard: !replace,
      ifMatch: replace ? undefined : job.ifMatch,
      stop: new AbortController(),
    });
    this.change(id, { phase: 'queued', sentence: '', sent: 0 });
    this.turn();
  }

  private turn(): void {
    const busy = this.list.filter((one) => one.phase === 'sending' || one.phase === 'waiting').length;
    for (const one of this.list.filter((each) => each.phase === 'queued').slice(0, Math.max(0, atOnce - busy))) {
      this.change(one.id, { phase: 'sending' });
      void this.send(one);
    }
  }
  private async send(one: Pending): Promise<void> {
    const job = this.jobs.get(one.id);
    if (!job) return;
    try {
      const tell = ({ sent, waiting }: UploadProgress): void =>
        this.change(one.id, {
          sent,
          phase: waiting ? 'waiting' : 'sending',
          sentence: waiting ? 'The connection broke; it goes on by itself.' : '',
        });
      if (job.file.size <= smallBytesMax) await this.sendSmall(one, job);
      else await uploadFile(job.file.size, this.door(one, job), tell, job.stop.signal);
      this.done++;
      this.forget(one.id);
    } catch (cause) {
      if (!job.stop.signal.aborted) this.refused(one.id, cause);
    }
    this.turn();
    this.finished(one.sandbox);
  }
  private async sendSmall(one: Pending, job: Job): Promise<void> {
    const headers: Record<string, string> = {};
    if (job.ifMatch) headers['if-match'] = job.ifMatch;
    else if (job.guard) headers['if-none-match'] = '*';
    const params = { sandbox: one.sandbox, path: one.path };
    await open('fileWrite', { params, body: job.file, headers, signal: job.stop.signal });
  }
  private door(one: Pending, job: Job) {
    const at = { sandbox: one.sandbox };
    const key = crypto.randomUUID();
    const guard = job.ifMatch ? { ifMatch: job.ifMatch } : job.guard ? { ifAbsent: true } : {};
    return {
      begin: () => call('uploadCreate', { params: at, body: { path: one.path, bytes: one.bytes, ...guard } }),
      send: (upload: string, offset: number, from: number, to: number, signal: AbortSignal) =>
        call('uploadChunk', {
          params: { ...at, upload },
          query: { offset },
          body: job.file.slice(from, to),
          signal,
          withinMs: 0,
        }),
      stand: (upload: string) => call('upload', { params: { ...at, upload } }),
      complete: (upload: string) => call('uploadComplete', { params: { ...at, upload }, key, withinMs: 120_000 }),
      giveUp: (upload: string) => call('uploadCancel', { params: { ...at, upload } }),
      passes: (cause: unknown) => cause instanceof Failure && passing.includes(cause.code),
      movedOn: (cause: unknown) => cause instanceof Failure && cause.code === 'upload_offset',
      wait,
    };
  }
  private refused(id: number, cause: unknown): void {
    const failure = cause instanceof Failure ? cause : null;
    if (!failure) console.error(cause);
    const clash = failure?.code === 'file_exists' || failure?.code === 'file_changed';
    this.change(id, {
      phase: clash ? 'clash' : 'failed',
      sentence: clash
        ? 'Someone else put a file of this name here meanwhile.'
        : (failure?.message ?? 'The file could not be read from this computer.'),
    });
  }
  private change(id: number, to: Partial<Pending>): void {
    this.list = this.list.map((one) => (one.id === id ? { ...one, ...to } : one));
  }
  private forget(id: number): void {
    this.jobs.delete(id);
    this.list = this.list.filter((one) => one.id !== id);
    this.turn();
  }
  /** Says what came in, once nothing is on the way; what failed stays in the list until a person decides. */
  private finished(sandbox: string): void {
    if (this.done === 0) return;
    if (this.list.some((one) => one.phase === 'queued' || one.phase === 'sending' || one.phase === 'waiting')) return;
    toasts.say(this.done === 1 ? `The file is in ${sandbox}.` : `${this.done} files are in ${sandbox}.`);
    this.done = 0;
    if (sandbox === folder.sandbox) void folder.read();
  }
}

export const uploads = new UploadsState();
