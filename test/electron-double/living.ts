/**
 * What is alive in the double: windows, utility processes, privileged schemes.
 *
 * A plain registry, so that `app` can close windows and windows can tell `app`
 * that the last one is gone without the modules importing each other.
 */
import type { EventEmitter } from 'node:events';
import type * as E from 'electron';

/** As much of a window as others need to know. */
export type LivingWindow = EventEmitter & {
  readonly id: number;
  readonly webContents: EventEmitter & { readonly id: number; opened(targetId: string): void; crashed(): void };
  close(): void;
  gone(): void;
  isDestroyed(): boolean;
  isFocused(): boolean;
};

export const windows = new Set<LivingWindow>();
/** DevTools target id → window. */
export const targets = new Map<string, LivingWindow>();
export const utilityProcesses = new Set<{ kill(): boolean }>();
export const schemes = new Map<string, E.Privileges>();
