/**
 * One running desktop program: window, tray, runtime, settings, and how they
 * affect each other. Comes to life when the app is ready; ends by `quit`, which
 * asks first when this node's role has consequences, then stops the runtime in
 * order, then lets Electron quit.
 */
import path from 'node:path';
import {
  app,
  type BrowserWindow,
  dialog,
  Menu,
  Notification,
  type NotificationConstructorOptions,
  nativeTheme,
  session,
} from 'electron';
import { serveBridge } from './bridge/bridge.ts';
import { openedSignal } from './bridge/names.ts';
import { childEnvironment } from './host/environment.ts';
import { RuntimeHost, runtimeProcessName } from './host/runtime-host.ts';
import { watchPower } from './power/power.ts';
import type { SettingsChange } from './settings/settings.ts';
import { SettingsFile } from './settings/settings-file.ts';
import { applyStartAtLogin, hiddenSwitch } from './settings/start-at-login.ts';
import { onClose, trayIsShown } from './tray/close-rule.ts';
import { quitQuestion } from './tray/quit-question.ts';
import { makeTray } from './tray/tray.ts';
import { type TrayState, trayState } from './tray/tray-state.ts';
import { guardSession } from './window/guard.ts';
import { menuTemplate } from './window/menu.ts';
import { OpenedQueue } from './window/opened.ts';
import { serveScheme } from './window/scheme.ts';
import { background, bringForward, openWindow } from './window/window.ts';

export type DesktopFiles = {
  preload: string;
  pageFolder: string;
  runtimeFile: string;
  runnerFile: string;
  nodeName: string;
};

class Desktop {
  #files: DesktopFiles;
  #settings = new SettingsFile(app.getPath('userData'));
  #opened = new OpenedQueue(() => this.#window?.webContents.send(openedSignal));
  #runtime: RuntimeHost;
  #window: BrowserWindow | null = null;
  #showTray: ((state: TrayState) => void) | null = null;
  #reviewPower: () => void = () => undefined;
  #roles: string[] = [];
  #isPaired = false;
  #headline = '';
  #quitting: 'no' | 'asking' | 'stopping' | 'now' = 'no';

  constructor(files: DesktopFiles) {
    this.#files = files;
    this.#runtime = new RuntimeHost({
      runtimeFile: files.runtimeFile,
      runnerFile: files.runnerFile,
      dataDirectory: path.join(app.getPath('userData'), 'node'),
      name: files.nodeName,
      env: childEnvironment(process.env),
      onChange: () => this.#changed(),
      onRoles: (...is) => this.#rolesAre(...is),
      log: (line) => console.error(`[node] ${line}`),
    });
  }

  /** Before ready: what comes from outside must not be missed. */
  listen(): void {
    app.on('second-instance', (_event, _argv, workingDirectory, data) => {
      this.show();
      const { argv } = data as { argv: string[] };
      void this.#opened.addCommandLine(argv, workingDirectory);
    });
    app.on('open-url', (event, url) => {
      event.preventDefault();
      void this.#opened.addCommandLine([url], '/');
    });
    app.on('open-file', (event, file) => {
      event.preventDefault();
      void this.#opened.addFile(file);
    });
    app.on('activate', () => this.show());
    app.on('window-all-closed', () => app.quit());
    app.on('child-process-gone', (_event, gone) => {
      if (gone.name === runtimeProcessName) this.#runtime.processGone(gone.reason, gone.exitCode);
    });
    app.on('before-quit', (event) => {
      if (this.#quitting === 'now') return;
      event.preventDefault();
      void this.#quit(true);
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void this.#quit(false));
    void this.#opened.addCommandLine(process.argv.slice(1), process.cwd());
  }

  ready(): void {
    nativeTheme.themeSource = this.#settings.now.theme;
    nativeTheme.on('updated', () => this.#window?.setBackgroundColor(background()));
    app.setAsDefaultProtocolClient('binnacle');
    guardSession(session.defaultSession);
    serveScheme(this.#files.pageFolder, this.#runtime);
    this.#serveBridge();
    this.#makeMenu();
    this.#runtime.start();
    if (trayIsShown(process.platform, process.env)) this.#makeTray();
    this.#reviewPower = watchPower({
      post: (message) => this.#runtime.post(message),
      shutDown: () => void this.#quit(false),
      asked: () => this.#settings.now.keepAwake,
      roles: () => this.#roles,
    });
    this.#openWindow(process.argv.includes(hiddenSwitch) && this.#showTray !== null);
    if (this.#settings.note) dialog.showErrorBox('Settings', this.#settings.note);
  }

  show(): void {
    if (this.#window) bringForward(this.#window);
    else if (app.isReady() && this.#quitting === 'no') this.#openWindow(false);
  }

  #openWindow(isHidden: boolean): void {
    const window = openWindow({ preload: this.#files.preload, version: app.getVersion(), isHidden });
    window.on('close', (event) => this.#closing(window, event));
    window.on('closed', () => {
      this.#window = null;
    });
    this.#window = window;
  }

  #closing(window: BrowserWindow, event: { preventDefault: () => void }): void {
    const { toldAboutTray } = this.#settings.now;
    const isQuitting = this.#quitting === 'now';
    const rule = onClose({ isQuitting, hasTray: this.#showTray !== null, told: toldAboutTray });
    if (rule === 'close') return;
    event.preventDefault();
    if (rule === 'ask') return void this.#askClosing(window);
    window.hide();
    if (rule === 'hide') return;
    this.#notify({
      title: 'Binnacle goes on',
      body: 'The node of this computer keeps running; open it from the tray.',
    });
    this.#keep({ toldAboutTray: true });
  }

  /** No tray would bring a hidden window back, so the person says what closing means. */
  async #askClosing(window: BrowserWindow): Promise<void> {
    const question = {
      type: 'question' as const,
      message: 'Close the console?',
      detail: 'The node of this computer can go on in a minimised window, or stop with it.',
      buttons: ['Quit', 'Minimise', 'Cancel'],
      defaultId: 1,
      cancelId: 2,
    };
    const { response } = await dialog.showMessageBox(window, question);
    if (response === 0) await this.#quit(true);
    if (response === 1) window.minimize();
  }

  async #quit(asks: boolean): Promise<void> {
    if (this.#quitting === 'stopping' || this.#quitting === 'now') return;
    if (asks && this.#quitting === 'asking') return;
    if (asks) {
      this.#quitting = 'asking';
      const wanted = await this.#askQuitting().catch((cause) => {
        console.error('the question before quitting could not be asked:', cause);
        return false;
      });
      if (this.#quitting !== 'asking') return; // a signal or a shutdown came meanwhile
      this.#quitting = 'no';
      if (!wanted) return;
    }
    this.#quitting = 'stopping';
    await this.#runtime.stop();
    this.#quitting = 'now';
    app.quit();
  }

  async #askQuitting(): Promise<boolean> {
    const question = quitQuestion(this.#roles, this.#isPaired);
    if (!question) return true;
    const { message, detail, buttons } = question;
    const box = { type: 'question' as const, message, detail, buttons: [...buttons], defaultId: 1, cancelId: 1 };
    const asked = this.#window ? dialog.showMessageBox(this.#window, box) : dialog.showMessageBox(box);
    return (await asked).response === 0;
  }

  #rolesAre(roles: string[], headline: string, isPaired: boolean): void {
    this.#roles = roles;
    this.#isPaired = isPaired;
    this.#headline = headline;
    this.#changed();
    this.#reviewPower();
  }

  #changed(): void {
    this.#showTray?.(trayState(this.#runtime.state, this.#roles, this.#headline));
  }

  #notify(options: NotificationConstructorOptions): void {
    if (!Notification.isSupported()) return;
    const notification = new Notification(options);
    notification.on('click', () => this.show());
    notification.on('failed', (_event, why) => console.error('a notification was not shown:', why));
    notification.show();
  }

  /** A change nobody waits for; one that cannot be written is only logged. */
  #keep(change: { toldAboutTray: true }): void {
    this.#settings.change(change).catch((cause) => console.error('the settings could not be written:', cause));
  }

  async #changeSettings(change: SettingsChange) {
    if (change.startAtLogin !== undefined) await applyStartAtLogin(app, change.startAtLogin);
    const settings = await this.#settings.change(change);
    nativeTheme.themeSource = settings.theme;
    this.#reviewPower();
    return settings;
  }

  #serveBridge(): void {
    const { electron = '', chrome = '' } = process.versions;
    const facts = { version: app.getVersion(), platform: process.platform, electron, chromium: chrome };
    serveBridge(
      {
        'app.facts': () => facts,
        notify: (title, body) => {
          if (this.#settings.now.notifyWhenRunsEnd) this.#notify({ title, body });
        },
        'settings.get': () => this.#settings.now,
        'settings.set': (change) => this.#changeSettings(change),
        'runtime.state': () => this.#runtime.state,
        'runtime.restart': () => this.#runtime.restart(),
        'opened.take': () => this.#opened.takeAll(),
      },
      () => this.#window?.webContents ?? null,
    );
  }

  #makeMenu(): void {
    app.setAboutPanelOptions({ applicationName: 'Binnacle', applicationVersion: app.getVersion() });
    const actions = {
      open: (opened: Parameters<OpenedQueue['add']>[0]) => {
        this.show();
        this.#opened.add(opened);
      },
      openJobFile: () => void this.#chooseJobFile(),
      quit: () => app.quit(),
      about: () => app.showAboutPanel(),
    };
    const template = menuTemplate(actions, { platform: process.platform, isPackaged: app.isPackaged });
    Menu.setApplicationMenu(Menu.buildFromTemplate(template));
  }

  async #chooseJobFile(): Promise<void> {
    const filters = [{ name: 'Job files', extensions: ['yaml', 'yml', 'json'] }];
    const { filePaths } = await dialog.showOpenDialog({ properties: ['openFile'], filters });
    this.show();
    for (const file of filePaths) await this.#opened.addFile(file);
  }

  #makeTray(): void {
    this.#showTray = makeTray(trayState(this.#runtime.state, this.#roles, this.#headline), {
      open: () => this.show(),
      startNode: () => this.#runtime.restart(),
      quit: () => app.quit(),
    });
  }
}

/** Returns at once; the program comes up when Electron is ready. */
export function startDesktop(files: DesktopFiles): void {
  const desktop = new Desktop(files);
  desktop.listen();
  void app.whenReady().then(() => desktop.ready());
}
