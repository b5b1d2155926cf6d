/**
 * The doubles of `Menu`, `MenuItem` and `Tray`: they keep what the app set, and
 * a menu item can be clicked by a spec. Looks cannot be proven here.
 */
import type * as E from 'electron';
import { windows } from '../living.ts';
import { note, StrictEmitter } from '../strict.ts';

const focused = () => [...windows].find((w) => w.isFocused()) ?? null;

export class MenuItemDouble {
  [k: string]: any;
  constructor(o: E.MenuItemConstructorOptions) {
    Object.assign(this, {
      enabled: true,
      visible: true,
      checked: false,
      type: o.submenu ? 'submenu' : 'normal',
      label: '',
      ...o,
    });
    if (Array.isArray(o.submenu)) this['submenu'] = MenuDouble.buildFromTemplate(o.submenu);
    const click = o.click;
    this['click'] = (ev?: any, win?: any) => {
      if (this['type'] === 'checkbox') this['checked'] = !this['checked'];
      click?.(this as any, win ?? (focused() as any), ev ?? {});
    };
  }
}
export class MenuDouble extends StrictEmitter('Menu') {
  static #app: MenuDouble | null = null;
  items: MenuItemDouble[] = [];
  static buildFromTemplate(t: (E.MenuItemConstructorOptions | E.MenuItem)[]): MenuDouble {
    const m = new MenuDouble();
    m.items = t.map((o) => new MenuItemDouble(o as E.MenuItemConstructorOptions));
    return m;
  }
  static setApplicationMenu(m: MenuDouble | null): void {
    this.#app = m;
  }
  static getApplicationMenu(): MenuDouble | null {
    return this.#app;
  }
  append(i: MenuItemDouble): void {
    this.items.push(i);
  }
  getMenuItemById(id: string): MenuItemDouble | null {
    for (const i of this.items) {
      if (i['id'] === id) return i;
      const s = i['submenu']?.getMenuItemById(id);
      if (s) return s;
    }
    return null;
  }
  popup(): void {
    note(
      'menu-popup',
      this.items.map((i) => i['label']),
    );
  }
}
export class TrayDouble extends StrictEmitter('Tray') {
  static all: TrayDouble[] = [];
  image: unknown;
  tooltip = '';
  menu: MenuDouble | null = null;
  title = '';
  #dead = false;
  constructor(image: unknown) {
    super();
    this.image = image;
    TrayDouble.all.push(this);
  }
  setToolTip(t: string): void {
    this.tooltip = t;
  }
  setContextMenu(m: MenuDouble | null): void {
    this.menu = m;
  }
  setImage(i: unknown): void {
    this.image = i;
    note('tray-image');
  }
  setTitle(t: string): void {
    this.title = t;
  }
  destroy(): void {
    this.#dead = true;
  }
  isDestroyed(): boolean {
    return this.#dead;
  }
  popUpContextMenu(): void {}
}
