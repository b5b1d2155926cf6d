/**
 * What the desktop program adds to the console: its settings, what was opened
 * outside the page, and a word when a run that this window launched has ended
 * while nobody looked. Does nothing in a browser.
 */
import type { RunSummary } from '../../node-runtime/contract/model.ts';
import { call, Failure } from '../api.ts';
import { type DesktopSettings, desktop, type Opened } from '../desktop.ts';
import { noteOf } from '../flows/note.ts';
import { placeOfLink } from '../flows/opened.ts';
import { live } from './live.svelte.ts';
import { route } from './route.svelte.ts';
import { isOver } from './run.svelte.ts';
import { theme } from './theme.svelte.ts';
import { toasts } from './toasts.svelte.ts';

const earlyMax = 20;
export type OpenedFile = { name: string; text: string };
type Switches = Pick<DesktopSettings, 'startAtLogin' | 'keepAwake' | 'notifyWhenRunsEnd'>;

/** What the bridge answers is no answer of the node; said in the same form. */
const notKept = (): Failure =>
  new Failure({
    status: 0,
    code: 'internal',
    sentence: 'The desktop program could not keep this setting.',
    next: 'Look whether its settings folder can be written, then try again.',
  });

class DesktopState {
  settings = $state.raw<DesktopSettings | null>(null);
  /** A job file of this computer that waits to be put into a sandbox. */
  file = $state.raw<OpenedFile | null>(null);
  /** The code of an invite that came by a link; whoever shows it takes it. */
  invite = $state.raw<string | null>(null);
  private waiting: OpenedFile[] = [];
  /** Files opened before there is a node to put them on. */
  private early: Opened[] = [];
  private launched = new Set<string>();

  constructor() {
    if (!desktop) return;
    const { settings } = desktop;
    theme.onChosen = (choice) => void this.change({ theme: choice });
    settings.get().then(
      (found) => {
        this.settings = found;
        theme.take(found.theme);
      },
      (cause: unknown) => console.error('The settings of this computer could not be read:', cause),
    );
    live.on('run', ({ run }) => this.ended(run));
    live.on('reset', () => {
      for (const run of live.runs ?? []) this.ended(run);
    });
  }

  /** From now on opened things are taken, those that waited first. Returns how to stop it. Without a node, files wait. */
  takeOpened(hasNode: boolean): () => void {
    if (hasNode) for (const opened of this.early.splice(0)) void this.take(opened);
    const take = (opened: Opened): void => {
      if (hasNode || opened.open === 'join') void this.take(opened);
      else if (opened.open === 'jobFile') this.early = [...this.early, opened].slice(-earlyMax);
    };
    return desktop?.onOpen(take) ?? (() => undefined);
  }
  /** The file was put away or given up; the next one has its turn. */
  fileDone(): void {
    this.file = this.waiting.shift() ?? null;
  }
  async change(to: Partial<Switches & Pick<DesktopSettings, 'theme'>>): Promise<void> {
    if (!desktop) return;
    try {
      this.settings = await desktop.settings.set(to);
    } catch (cause) {
      console.error(cause);
      toasts.fail('Nothing was changed', notKept());
    }
  }
  /** A run of this window: when it ends unseen, the person is told. */
  watch(run: string): void {
    if (desktop) this.launched.add(run);
  }
  async restartNode(): Promise<void> {
    await desktop?.runtime.restart();
  }

  private async take(opened: Opened): Promise<void> {
    if (opened.open === 'jobFile') {
      const { name, text } = opened;
      if (this.file) this.waiting.push({ name, text });
      else this.file = { name, text };
      return;
    }
    if (opened.open === 'join') {
      this.invite = opened.code;
      return;
    }
    const isFolder = (sandbox: string, path: string): Promise<boolean> =>
      call('entries', { params: { sandbox }, query: { path, limit: 1 } }).then(
        () => true,
        () => false,
      );
    const place = await placeOfLink(opened, isFolder);
    if (typeof place === 'string') toasts.say(place, undefined, 'info');
    else route.go(place);
  }
  private ended(run: RunSummary): void {
    if (!isOver(run.state) || !this.launched.delete(run.id)) return;
    if (document.visibilityState === 'visible' && document.hasFocus()) return;
    const { title, body } = noteOf(run);
    desktop
      ?.notify(title, body)
      .catch((cause: unknown) => console.error('The end of a run could not be announced:', cause));
  }
}

export const desktopState = new DesktopState();
