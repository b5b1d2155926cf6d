/**
 * The double of `BrowserWindow`: visibility, focus and bounds are remembered
 * here, since a headless Chromium has no window manager to ask; the page itself
 * is a real one (`web-contents.ts`).
 */
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as E from 'electron';
import { host } from '../host.ts';
import { targets, windows } from '../living.ts';
import { note, PreventableEvent, StrictEmitter, strict } from '../strict.ts';
import { app } from './app.ts';
import { WebContentsDouble } from './web-contents.ts';

export class BrowserWindowDouble
  extends StrictEmitter('BrowserWindow')
  implements
    Pick<
      E.BrowserWindow,
      | 'loadURL'
      | 'show'
      | 'hide'
      | 'close'
      | 'destroy'
      | 'isVisible'
      | 'isDestroyed'
      | 'focus'
      | 'isFocused'
      | 'isMinimized'
      | 'restore'
      | 'minimize'
      | 'maximize'
      | 'isMaximized'
      | 'getTitle'
      | 'setTitle'
      | 'getBounds'
      | 'setBounds'
      | 'setMenuBarVisibility'
      | 'flashFrame'
      | 'setProgressBar'
    >
{
  static #all = new Set<BrowserWindowDouble>();
  static #next = 0;
  static getAllWindows(): BrowserWindowDouble[] {
    return [...this.#all];
  }
  static getFocusedWindow(): BrowserWindowDouble | null {
    return [...this.#all].find((w) => w.isFocused()) ?? null;
  }
  static fromWebContents(wc: WebContentsDouble | null): BrowserWindowDouble | null {
    return [...this.#all].find((w) => w.webContents === wc || w.webContents.id === wc?.id) ?? null;
  }
  static fromId(id: number): BrowserWindowDouble | null {
    return [...this.#all].find((w) => w.id === id) ?? null;
  }
  readonly id = ++BrowserWindowDouble.#next;
  readonly webContents: WebContentsDouble;
  windowId = 0;
  #opts: E.BrowserWindowConstructorOptions;
  #visible: boolean;
  #dead = false;
  #min = false;
  #max = false;
  #title: string;
  #focused = false;
  #shownOnce = false;
  constructor(opts: E.BrowserWindowConstructorOptions = {}) {
    super();
    this.setMaxListeners(0);
    if (!app.isReady()) throw new Error('Cannot create BrowserWindow before app is ready');
    this.#opts = opts;
    this.#visible = opts.show !== false;
    this.#title = opts.title ?? app.getName();
    this.webContents = new WebContentsDouble(this, opts.webPreferences ?? {}, opts);
    BrowserWindowDouble.#all.add(this);
    windows.add(this);
    app.emit('browser-window-created', new PreventableEvent(), this);
    app.emit('web-contents-created', new PreventableEvent(), this.webContents);
  }
  loadURL(url: string): Promise<void> {
    return this.webContents.load(url);
  }
  loadFile(f: string): Promise<void> {
    return this.webContents.load(pathToFileURL(path.resolve(app.getAppPath(), f)).href);
  }
  pageLoaded(): void {
    if (!this.#shownOnce) {
      this.#shownOnce = true;
      this.emit('ready-to-show');
    }
  }
  show(): void {
    this.#visible = true;
    this.#min = false;
    this.emit('show');
    this.focus();
  }
  showInactive(): void {
    this.#visible = true;
    this.emit('show');
  }
  hide(): void {
    this.#visible = false;
    this.emit('hide');
  }
  isVisible(): boolean {
    return this.#visible;
  }
  isDestroyed(): boolean {
    return this.#dead;
  }
  focus(): void {
    for (const w of BrowserWindowDouble.#all) w.#focused = false;
    this.#focused = true;
    this.emit('focus');
  }
  isFocused(): boolean {
    return this.#focused && this.#visible;
  }
  isMinimized(): boolean {
    return this.#min;
  }
  minimize(): void {
    this.#min = true;
    this.emit('minimize');
  }
  restore(): void {
    this.#min = false;
    this.emit('restore');
  }
  maximize(): void {
    this.#max = true;
    this.emit('maximize');
  }
  unmaximize(): void {
    this.#max = false;
    this.emit('unmaximize');
  }
  isMaximized(): boolean {
    return this.#max;
  }
  isFullScreen(): boolean {
    return false;
  }
  getTitle(): string {
    return this.#title;
  }
  setTitle(t: string): void {
    this.#title = t;
  }
  getBounds(): E.Rectangle {
    return {
      x: this.#opts.x ?? 0,
      y: this.#opts.y ?? 0,
      width: this.#opts.width ?? 800,
      height: this.#opts.height ?? 600,
    };
  }
  setBounds(b: Partial<E.Rectangle>): void {
    Object.assign(this.#opts, b);
    void this.webContents.opening
      .then(() =>
        host.cdp.send('Browser.setWindowBounds', {
          windowId: this.windowId,
          bounds: { left: b.x, top: b.y, width: b.width, height: b.height },
        }),
      )
      .catch(() => {});
    this.emit('resize');
  }
  setMenuBarVisibility(): void {}
  setBackgroundColor(): void {}
  flashFrame(f: boolean): void {
    note('flashFrame', f);
  }
  setProgressBar(p: number): void {
    note('setProgressBar', p);
  }
  setMenu(): void {}
  close(): void {
    if (this.#dead) return;
    const e = new PreventableEvent();
    this.emit('close', e);
    if (!e.defaultPrevented) this.destroy();
  }
  destroy(): void {
    if (this.#dead) return;
    this.gone();
    void this.webContents.opening
      .then(() => host.cdp.send('Target.closeTarget', { targetId: this.webContents.targetId }))
      .catch(() => {});
  }
  gone(): void {
    if (this.#dead) return;
    this.#dead = true;
    BrowserWindowDouble.#all.delete(this);
    windows.delete(this);
    targets.delete(this.webContents.targetId);
    this.webContents.destroyed();
    this.emit('closed');
    app.windowGone();
  }
}
export const webContents = {
  getAllWebContents: () => BrowserWindowDouble.getAllWindows().map((w) => w.webContents),
  fromId: (id: number) => BrowserWindowDouble.getAllWindows().find((w) => w.webContents.id === id)?.webContents,
  fromDevToolsTargetId: (t: string) => targets.get(t)?.webContents,
};
