/**
 * The bridge between page and main: the name of each channel and the shape of
 * what goes through. Types and strings only, so that the preload, which must
 * be one small file, can take it in whole. The checks are in `arguments.ts`.
 *
 * Everything that a page in a browser can do too goes over HTTP; these
 * channels carry only what a desktop adds.
 */
import type { RuntimeState } from '../host/runtime-state.ts';
import type { Settings } from '../settings/settings.ts';
import type { Opened } from '../window/links.ts';

export const channels = {
  facts: 'app.facts',
  notify: 'notify',
  settingsGet: 'settings.get',
  settingsSet: 'settings.set',
  runtimeState: 'runtime.state',
  runtimeRestart: 'runtime.restart',
  takeOpened: 'opened.take',
} as const;

/** Main → page, without contents: something was opened, take it. */
export const openedSignal = 'opened.arrived';
/** Switch by which the window tells its preload the version. */
export const versionSwitch = '--binnacle-version=';

export type AppFacts = { version: string; platform: string; electron: string; chromium: string };

/** What the page finds as `window.binnacle`; absent in a browser. */
export type DesktopBridge = {
  version: string;
  platform: string;
  facts(): Promise<AppFacts>;
  /** Shows a notification if the person wants them; a click brings the window back. */
  notify(title: string, body: string): Promise<void>;
  settings: { get(): Promise<Settings>; set(change: Partial<Settings>): Promise<Settings> };
  startAtLogin: { get(): Promise<boolean>; set(on: boolean): Promise<void> };
  runtime: { state(): Promise<RuntimeState>; restart(): Promise<void> };
  /** Paths of dropped or chosen files on this computer, in the same order; '' where there is none. */
  pathsOf(files: File[]): string[];
  /** Called with everything opened so far and from now on: deep links, job files. Returns how to stop it. */
  onOpen(callback: (opened: Opened) => void): () => void;
};
