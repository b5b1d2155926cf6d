/**
 * The double of `ipcMain`: handlers by channel. What arrives is decoded and
 * handed on by the window it came from (`web-contents.ts`).
 */
import type * as E from 'electron';
import { StrictEmitter } from '../strict.ts';

class IpcMain extends StrictEmitter('ipcMain') implements Pick<E.IpcMain, 'handle' | 'handleOnce' | 'removeHandler'> {
  handlers = new Map<string, (e: any, ...a: any[]) => any>();
  handle(ch: string, fn: (e: E.IpcMainInvokeEvent, ...a: any[]) => any): void {
    if (this.handlers.has(ch)) throw new Error(`Attempted to register a second handler for '${ch}'`);
    this.handlers.set(ch, fn);
  }
  handleOnce(ch: string, fn: (e: E.IpcMainInvokeEvent, ...a: any[]) => any): void {
    this.handle(ch, (e, ...a) => {
      this.removeHandler(ch);
      return fn(e, ...a);
    });
  }
  removeHandler(ch: string): void {
    this.handlers.delete(ch);
  }
}

export const ipcMain = new IpcMain();
