/**
 * The doubles of `Notification` and `dialog`. A dialog that no spec has scripted
 * rejects: nobody is there to answer it.
 */
import { EventEmitter } from 'node:events';
import type * as E from 'electron';
import { note, PreventableEvent, strict } from '../strict.ts';

export class NotificationDouble extends EventEmitter {
  static isSupported(): boolean {
    return true;
  }
  static all: NotificationDouble[] = [];
  [k: string]: any;
  constructor(o: E.NotificationConstructorOptions = {}) {
    super();
    Object.assign(this, { title: '', body: '', silent: false, actions: [], ...o });
  }
  show(): void {
    NotificationDouble.all.push(this);
    note('notification', { title: this['title'], body: this['body'] });
    queueMicrotask(() => this.emit('show', new PreventableEvent()));
  }
  close(): void {
    this.emit('close', new PreventableEvent());
  }
}
const unscripted = (n: string) => async (): Promise<never> => {
  throw new Error(
    `electron double: ${n} was called and no answer is scripted; stub it from the test with electronApp.evaluate(({ dialog }) => { dialog.${n} = ... })`,
  );
};
export const dialog = strict('dialog', {
  showMessageBox: unscripted('showMessageBox'),
  showOpenDialog: unscripted('showOpenDialog'),
  showSaveDialog: unscripted('showSaveDialog'),
  showErrorBox: (t: string, c: string) => {
    note('error-box', { t, c });
    console.error(`[error box] ${t}: ${c}`);
  },
});
