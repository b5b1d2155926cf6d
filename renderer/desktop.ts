/**
 * What the desktop program offers to this page, if the page runs inside it.
 *
 * Everything here is optional: in a browser there is no `window.binnacle` and
 * the console works without. Never guess by user agent; ask this module.
 */
export type DesktopBridge = {
  version: string;
  platform: string;
  /** Paths of dropped files on this computer, in the same order; '' where there is none. */
  pathsOf?: (files: File[]) => string[];
  startAtLogin?: { get(): Promise<boolean>; set(on: boolean): Promise<void> };
};

declare global {
  interface Window {
    binnacle?: DesktopBridge;
  }
}

export const desktop: DesktopBridge | null = window.binnacle ?? null;
