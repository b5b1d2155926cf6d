/**
 * The double of Electron's `app`: paths, switches, quitting, single instance.
 *
 * Quitting follows Electron's order: before-quit, close of every window,
 * will-quit, quit; each of the first three can be prevented. A second instance
 * hands its argv to the first through a socket named after the user data folder.
 */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import type * as E from 'electron';
import { makeCodec } from '../codec.js';
import { host } from '../host.ts';
import { windows } from '../living.ts';
import { NotImplemented, note, PreventableEvent, StrictEmitter } from '../strict.ts';

const codec = makeCodec();

class App
  extends StrictEmitter('app')
  implements
    Pick<
      E.App,
      | 'quit'
      | 'exit'
      | 'relaunch'
      | 'isReady'
      | 'whenReady'
      | 'focus'
      | 'getAppPath'
      | 'getPath'
      | 'setPath'
      | 'getVersion'
      | 'getName'
      | 'setName'
      | 'getLocale'
      | 'requestSingleInstanceLock'
      | 'hasSingleInstanceLock'
      | 'releaseSingleInstanceLock'
      | 'setAsDefaultProtocolClient'
      | 'isDefaultProtocolClient'
      | 'removeAsDefaultProtocolClient'
      | 'setLoginItemSettings'
      | 'enableSandbox'
      | 'disableHardwareAcceleration'
      | 'setAppUserModelId'
      | 'getAppMetrics'
      | 'setBadgeCount'
      | 'setAboutPanelOptions'
      | 'showAboutPanel'
    >
{
  name = 'Electron';
  version = '0.0.0';
  appPath = '';
  packaged = false;
  #paths = new Map<string, string>();
  #ready = false;
  #quitting = false;
  #exiting = false;
  #readyPromise: Promise<void>;
  #resolveReady!: () => void;
  sandboxAll = false;
  #lock: net.Server | null = null;
  #lockFile = '';
  #notifying: Promise<void> = Promise.resolve();
  commandLine = {
    switches: new Map<string, string>(),
    appendSwitch(n: string, v = '') {
      this.switches.set(n.replace(/^--/, ''), v);
    },
    hasSwitch(n: string) {
      return this.switches.has(n);
    },
    getSwitchValue(n: string) {
      return this.switches.get(n) ?? '';
    },
    removeSwitch(n: string) {
      this.switches.delete(n);
    },
    appendArgument() {},
  };
  constructor() {
    super();
    this.setMaxListeners(0);
    this.#readyPromise = new Promise((r) => (this.#resolveReady = r));
  }
  get isPackaged(): boolean {
    return this.packaged;
  }
  isReady(): boolean {
    return this.#ready;
  }
  whenReady(): Promise<void> {
    return this.#readyPromise;
  }
  becomeReady(): void {
    this.#ready = true;
    this.#resolveReady();
    this.emit('ready', new PreventableEvent(), {});
  }
  getVersion(): string {
    return this.version;
  }
  getName(): string {
    return this.name;
  }
  setName(n: string): void {
    this.name = n;
  }
  getLocale(): string {
    return 'en-US';
  }
  getAppPath(): string {
    return this.appPath;
  }
  getPath(n: string): string {
    const set = this.#paths.get(n);
    if (set) return set;
    const home = os.homedir();
    switch (n) {
      case 'home':
        return home;
      case 'appData':
        return process.env['XDG_CONFIG_HOME'] ?? path.join(home, '.config');
      case 'userData':
      case 'sessionData': {
        const s = this.commandLine.getSwitchValue('user-data-dir');
        const d = s || path.join(this.getPath('appData'), this.name);
        fs.mkdirSync(d, { recursive: true });
        return d;
      }
      case 'temp':
        return os.tmpdir();
      case 'logs':
        return path.join(this.getPath('userData'), 'logs');
      case 'crashDumps':
        return path.join(this.getPath('userData'), 'Crashpad');
      case 'exe':
        return process.argv[0]!;
      case 'downloads':
      case 'documents':
      case 'desktop':
        return path.join(home, n[0]!.toUpperCase() + n.slice(1));
    }
    throw new Error(`Failed to get '${n}' path`);
  }
  setPath(n: string, p: string): void {
    if (!path.isAbsolute(p)) throw new Error('Path must be absolute');
    this.#paths.set(n, p);
    if (n === 'userData') fs.mkdirSync(p, { recursive: true });
  }
  requestSingleInstanceLock(additionalData: Record<any, any> = {}): boolean {
    const dir = this.getPath('userData');
    this.#lockFile = path.join(dir, 'SingletonLock.double');
    const sock = path.join(
      os.tmpdir(),
      'ed-' + crypto.createHash('sha1').update(dir).digest('hex').slice(0, 16) + '.sock',
    );
    for (;;) {
      try {
        fs.writeFileSync(this.#lockFile, String(process.pid), { flag: 'wx' });
        break;
      } catch {
        let alive = false;
        try {
          process.kill(Number(fs.readFileSync(this.#lockFile, 'utf8')), 0);
          alive = true;
        } catch {
          /* the holder is gone */
        }
        if (!alive) {
          fs.rmSync(this.#lockFile, { force: true });
          continue;
        }
        this.#notifying = new Promise((done) => {
          const c = net.connect(sock, () => {
            c.end(codec.encode({ argv: process.argv, cwd: process.cwd(), additionalData }));
          });
          c.on('close', () => done());
          c.on('error', () => done());
        });
        return false;
      }
    }
    fs.rmSync(sock, { force: true });
    this.#lock = net
      .createServer((c) => {
        let s = '';
        c.setEncoding('utf8')
          .on('data', (d) => (s += d))
          .on('end', () => {
            const m: any = codec.decode(s);
            this.emit('second-instance', new PreventableEvent(), m.argv, m.cwd, m.additionalData);
          });
      })
      .listen(sock);
    this.#lock.unref();
    process.on('exit', () => {
      fs.rmSync(this.#lockFile, { force: true });
      fs.rmSync(sock, { force: true });
    });
    return true;
  }
  hasSingleInstanceLock(): boolean {
    return this.#lock !== null;
  }
  releaseSingleInstanceLock(): void {
    this.#lock?.close();
    this.#lock = null;
    fs.rmSync(this.#lockFile, { force: true });
  }
  setAsDefaultProtocolClient(p: string): boolean {
    note('setAsDefaultProtocolClient', p);
    return true;
  }
  isDefaultProtocolClient(): boolean {
    return false;
  }
  removeAsDefaultProtocolClient(): boolean {
    return true;
  }
  /** macOS and Windows only, in Electron too: on Linux a call is a mistake of the app. */
  setLoginItemSettings(s: E.Settings): void {
    if (process.platform === 'linux') throw new NotImplemented('app.setLoginItemSettings on Linux');
    note('setLoginItemSettings', s);
  }
  enableSandbox(): void {
    this.sandboxAll = true;
  }
  disableHardwareAcceleration(): void {}
  setAppUserModelId(): void {}
  setBadgeCount(n = 0): boolean {
    note('setBadgeCount', n);
    return true;
  }
  setDesktopName(n: string): void {
    note('setDesktopName', n);
  }
  setAboutPanelOptions(o: E.AboutPanelOptionsOptions): void {
    note('setAboutPanelOptions', o);
  }
  showAboutPanel(): void {
    note('showAboutPanel');
  }
  getAppMetrics(): E.ProcessMetric[] {
    return [];
  }
  focus(): void {}
  relaunch(): void {
    note('relaunch');
  }
  exit(code = 0): void {
    if (this.#exiting) return;
    this.#exiting = true;
    void this.#notifying.then(() => host.stop(code));
  }
  quit(): void {
    if (this.#quitting) return;
    const e = new PreventableEvent();
    this.emit('before-quit', e);
    if (e.defaultPrevented) return;
    this.#quitting = true;
    for (const w of [...windows]) {
      w.close();
      if (!w.isDestroyed()) {
        this.#quitting = false;
        return;
      }
    }
    this.#finishQuit();
  }
  #finishQuit(): void {
    const e = new PreventableEvent();
    this.emit('will-quit', e);
    if (e.defaultPrevented) {
      this.#quitting = false;
      return;
    }
    this.emit('quit', new PreventableEvent(), 0);
    this.exit(0);
  }
  windowGone(): void {
    if (windows.size > 0 || this.#quitting) return;
    if (this.listenerCount('window-all-closed') > 0) this.emit('window-all-closed');
    else this.quit();
  }
}

export const app = new App();
