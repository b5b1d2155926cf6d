/**
 * What the desktop program offers to this page, if the page runs inside it.
 *
 * In a browser there is no `window.binnacle` and the console works without.
 * Never guess by user agent; ask this module. The shapes are those of
 * electron/bridge/names.ts, written again because the page knows nothing of
 * the shell's code; a test holds the two together.
 */
export type ThemeChoice = 'system' | 'light' | 'dark';

/** Settings of this computer, kept by the desktop program. */
export type DesktopSettings = {
  theme: ThemeChoice;
  startAtLogin: boolean;
  keepAwake: boolean;
  notifyWhenRunsEnd: boolean;
  toldAboutTray: boolean;
};

/** How the node inside the desktop program is; `since` is ISO 8601. */
export type RuntimeState =
  | { is: 'starting'; since: string }
  | { is: 'ready'; since: string; name: string }
  | { is: 'down'; since: string; why: string; next?: string }
  | { is: 'givenUp'; since: string; why: string; next?: string }
  | { is: 'stopping'; since: string };

export type DesktopScreen =
  | 'overview'
  | 'nodes'
  | 'sandboxes'
  | 'jobs'
  | 'runs'
  | 'schedules'
  | 'recovery'
  | 'audit'
  | 'settings';

/** Something a person opened outside the page: a link, a screen of the menu, a job file of this computer. */
export type Opened =
  | { open: 'screen'; screen: DesktopScreen }
  | { open: 'run'; run: string }
  | { open: 'sandbox'; sandbox: string; path: string }
  | { open: 'join'; code: string }
  | { open: 'jobFile'; name: string; text: string };

export type DesktopBridge = {
  version: string;
  platform: string;
  facts(): Promise<{ version: string; platform: string; electron: string; chromium: string }>;
  notify(title: string, body: string): Promise<void>;
  settings: { get(): Promise<DesktopSettings>; set(change: Partial<DesktopSettings>): Promise<DesktopSettings> };
  startAtLogin: { get(): Promise<boolean>; set(on: boolean): Promise<void> };
  runtime: { state(): Promise<RuntimeState>; restart(): Promise<void> };
  /** Paths of dropped files on this computer, in the same order; '' where there is none. */
  pathsOf(files: File[]): string[];
  /** Called with everything opened so far and from now on. Returns how to stop it. */
  onOpen(callback: (opened: Opened) => void): () => void;
};

declare global {
  interface Window {
    binnacle?: DesktopBridge;
  }
}

export const desktop: DesktopBridge | null = window.binnacle ?? null;
