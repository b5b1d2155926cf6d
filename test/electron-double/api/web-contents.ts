/**
 * The double of `webContents`: one page of the real Chromium, with Electron's
 * renderer modules injected before any script of the page (`page-side.js`).
 *
 * Isolation is real: the preload runs in an isolated world of the page. What the
 * app must keep off (nodeIntegration and the like) throws here.
 */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import type * as E from 'electron';
import type { CdpSession } from '../cdp.ts';
import { makeCodec } from '../codec.js';
import { host } from '../host.ts';
import { type LivingWindow, targets } from '../living.ts';
import { isolatedWorldSource, mainWorldSource } from '../page-side.js';
import { type MessagePortMainDouble, take } from '../ports.ts';
import { NotImplemented, note, PreventableEvent, StrictEmitter } from '../strict.ts';
import { app } from './app.ts';
import { ipcMain } from './ipc-main.ts';
import { fromBrowser, session, toBrowser } from './protocol.ts';

const codec = makeCodec();
/** What a page tells its window. */
export type Owner = LivingWindow & { windowId: number; pageLoaded(): void };

let nextWebContents = 0;
export class WebContentsDouble
  extends StrictEmitter('webContents')
  implements
    Pick<
      E.WebContents,
      | 'send'
      | 'postMessage'
      | 'isDestroyed'
      | 'setWindowOpenHandler'
      | 'getURL'
      | 'executeJavaScript'
      | 'isLoading'
      | 'isCrashed'
      | 'isDevToolsOpened'
      | 'reload'
    >
{
  readonly id = ++nextWebContents;
  readonly session = session.defaultSession;
  readonly prefs: E.WebPreferences;
  readonly owner: Owner;
  page: CdpSession | null = null;
  targetId = '';
  world = 0;
  mainWorld = 0;
  url = '';
  frameId = '';
  #opened: Promise<void>;
  #loading = false;
  #crash = false;
  #dead = false;
  #openHandler: Parameters<E.WebContents['setWindowOpenHandler']>[0] | null = null;
  #ports = new Map<string, MessagePortMainDouble>();
  #outbox: string[] = [];
  #preloadDone = false;
  readonly mainFrame: any;
  constructor(owner: Owner, prefs: E.WebPreferences, opts: E.BrowserWindowConstructorOptions) {
    super();
    this.setMaxListeners(0);
    this.owner = owner;
    this.prefs = prefs;
    if (prefs.nodeIntegration) throw new NotImplemented('webPreferences.nodeIntegration (and it should stay off)');
    if (prefs.contextIsolation === false)
      throw new NotImplemented('webPreferences.contextIsolation: false (and it should stay on)');
    if (prefs.sandbox === false && !app.sandboxAll)
      throw new NotImplemented('webPreferences.sandbox: false (and it should stay on)');
    const self = this;
    this.mainFrame = {
      get url() {
        return self.url;
      },
      get origin() {
        try {
          const u = new URL(self.url);
          return `${u.protocol}//${u.host}`;
        } catch {
          return 'null';
        }
      },
      parent: null,
      top: null as any,
      routingId: 1,
      processId: 1,
      get frameToken() {
        return self.frameId;
      },
      send: (ch: string, ...a: any[]) => self.send(ch, ...a),
      isDestroyed: () => self.#dead,
    };
    this.mainFrame.top = this.mainFrame;
    this.#opened = this.#open(opts);
    this.#opened.catch((e) => {
      if (!host.stopping) console.error('electron double: cannot open a window:', e);
    });
  }
  async #open(opts: E.BrowserWindowConstructorOptions): Promise<void> {
    const width = opts.width ?? 800,
      height = opts.height ?? 600;
    const { targetId } = await host.cdp.send('Target.createTarget', {
      url: 'about:blank',
      newWindow: true,
      width,
      height,
    });
    this.targetId = targetId;
    targets.set(targetId, this.owner);
    const { sessionId } = await host.cdp.send('Target.attachToTarget', { targetId, flatten: true });
    const page = (this.page = host.cdp.session(sessionId));
    page.on('Runtime.executionContextCreated', ({ context }) => {
      if (context.name === 'Electron Isolated Context') this.world = context.id;
      else if (context.auxData?.isDefault && (!this.frameId || context.auxData.frameId === this.frameId))
        this.mainWorld = context.id;
    });
    page.on('Runtime.bindingCalled', ({ name, payload, executionContextId }) => {
      if (name === '__electronDoubleSend' && executionContextId === this.world)
        void this.#fromPage(JSON.parse(payload));
    });
    page.on('Runtime.consoleAPICalled', (m) =>
      this.emit('console-message', {
        level: m.type,
        message: (m.args ?? []).map((a: any) => a.value ?? a.description).join(' '),
      }),
    );
    page.on('Runtime.exceptionThrown', ({ exceptionDetails: d }) =>
      note('page-exception', d.exception?.description ?? d.text),
    );
    page.on('Fetch.requestPaused', (r) => void this.#serve(r));
    page.on('Page.frameNavigated', ({ frame }) => {
      if (!frame.parentId) {
        this.frameId = frame.id;
        this.url = fromBrowser(frame.url);
        if (frame.url !== 'about:blank') this.emit('did-navigate', new PreventableEvent(), this.url, 200, '');
      }
    });
    page.on('Page.domContentEventFired', () => {
      if (this.url && this.url !== 'about:blank') this.emit('dom-ready');
    });
    page.on('Page.loadEventFired', () => {
      if (!this.url || this.url === 'about:blank') return;
      this.#loading = false;
      this.emit('did-finish-load');
      this.emit('did-stop-loading');
      this.owner.pageLoaded();
    });
    const token = '\u0001ed' + crypto.randomBytes(12).toString('hex');
    const preload = this.prefs.preload;
    const cfg = {
      preload: preload ? fs.readFileSync(preload, 'utf8') : '',
      preloadPath: preload ?? '',
      platform: process.platform,
      arch: process.arch,
      versions: {
        electron: process.versions['electron'],
        chrome: process.versions['chrome'],
        node: process.versions.node,
      },
      argv: this.prefs.additionalArguments ?? [],
    };
    await Promise.all([
      page.send('Page.enable'),
      page.send('Runtime.enable'),
      page.send('DOM.enable'),
      page.send('Runtime.addBinding', {
        name: '__electronDoubleSend',
        executionContextName: 'Electron Isolated Context',
      }),
      page.send('Page.addScriptToEvaluateOnNewDocument', {
        source: `if (location.href !== 'about:blank') ${mainWorldSource(token)}`,
      }),
      page.send('Page.addScriptToEvaluateOnNewDocument', {
        worldName: 'Electron Isolated Context',
        source: `if (location.href !== 'about:blank') ${isolatedWorldSource(token, makeCodec.toString(), cfg)}`,
      }),
      // every request that the browser makes: custom schemes are served here, navigations are asked about here
      page.send('Fetch.enable', { patterns: [{ urlPattern: '*', resourceType: 'Document' }] }),
      page.send('Runtime.runIfWaitingForDebugger').catch(() => {}),
    ]);
    const { windowId } = await host.cdp.send('Browser.getWindowForTarget', { targetId });
    this.owner.windowId = windowId;
    if (opts.width || opts.height || opts.x !== undefined)
      await host.cdp
        .send('Browser.setWindowBounds', {
          windowId,
          bounds: { width, height, ...(opts.x !== undefined ? { left: opts.x, top: opts.y } : {}) },
        })
        .catch(() => {});
  }
  async #serve(r: any): Promise<void> {
    const page = this.page!;
    const url = fromBrowser(r.request.url);
    try {
      const isTop =
        r.resourceType === 'Document' && (!this.frameId || r.frameId === this.frameId || r.frameId === this.targetId);
      if (isTop && this.url && this.url !== 'about:blank' && r.request.url !== this.expected) {
        const e = Object.assign(new PreventableEvent(), { url });
        this.emit('will-navigate', e, url);
        if (e.defaultPrevented) {
          await page.send('Fetch.failRequest', { requestId: r.requestId, errorReason: 'Aborted' });
          return;
        }
      }
      const handler = session.defaultSession.protocol.handlers.get(url.slice(0, url.indexOf(':')));
      if (!handler) {
        await page.send('Fetch.continueRequest', { requestId: r.requestId });
        return;
      }
      const res = await handler(
        new Request(url, { method: r.request.method, headers: r.request.headers, body: r.request.postData }),
      );
      await page.send('Fetch.fulfillRequest', {
        requestId: r.requestId,
        responseCode: res.status,
        responseHeaders: [...res.headers].map(([name, value]) => ({ name, value })),
        body: Buffer.from(await res.arrayBuffer()).toString('base64'),
      });
    } catch (e) {
      note('protocol-error', String(e));
      await page.send('Fetch.failRequest', { requestId: r.requestId, errorReason: 'Failed' }).catch(() => {});
    }
  }
  expected = '';
  async load(url: string): Promise<void> {
    await this.#opened;
    this.#loading = true;
    this.#preloadDone = false;
    this.#outbox = [];
    this.url = url;
    this.expected = toBrowser(url);
    const done = new Promise<void>((ok) => this.once('did-finish-load', () => ok()));
    const { errorText } = await this.page!.send('Page.navigate', { url: this.expected });
    if (errorText) {
      const e = Object.assign(new Error(`${errorText} loading '${url}'`), { code: errorText, url });
      this.emit('did-fail-load', new PreventableEvent(), -2, errorText, url, true);
      throw e;
    }
    await done;
  }
  #event(ports: MessagePortMainDouble[] = []): any {
    const self = this;
    return {
      sender: self,
      senderFrame: self.mainFrame,
      frameId: 1,
      processId: 1,
      ports,
      type: 'frame',
      returnValue: undefined,
      reply: (ch: string, ...a: any[]) => self.send(ch, ...a),
      preventDefault() {},
      defaultPrevented: false,
    };
  }
  async #fromPage(m: any): Promise<void> {
    switch (m.k) {
      case 'preload-done':
        this.#preloadDone = true;
        for (const o of this.#outbox.splice(0)) this.#deliver(o);
        break;
      case 'preload-error':
        note('preload-error', m.e);
        this.emit('preload-error', new PreventableEvent(), this.prefs.preload, new Error(m.e));
        break;
      case 'send': {
        const a: any = codec.decode(m.a);
        this.emit('ipc-message', this.#event(), m.ch, ...a);
        ipcMain.emit(m.ch, this.#event(), ...a);
        break;
      }
      case 'invoke': {
        let out: object;
        try {
          const h = ipcMain.handlers.get(m.ch);
          if (!h) throw new Error(`No handler registered for '${m.ch}'`);
          out = {
            k: 'reply',
            id: m.id,
            ok: true,
            v: codec.encode(await h(this.#event(), ...(codec.decode(m.a) as any[]))),
          };
        } catch (e) {
          out = { k: 'reply', id: m.id, ok: false, e: `Error invoking remote method '${m.ch}': ${e}` };
        }
        this.#deliver(JSON.stringify(out));
        break;
      }
      case 'port': {
        const p = this.#ports.get(m.p);
        if (!p) break;
        if (m.close) {
          this.#ports.delete(m.p);
          p.close();
        } else p.fromRemote(codec.decode(m.v));
        break;
      }
      case 'open': {
        const r = this.#askOpen(m.url);
        if (r !== 'deny') throw new NotImplemented("setWindowOpenHandler answering 'allow'");
        break;
      }
      case 'file': {
        // which path does this File have? Chromium knows; ask it about the object in the isolated world
        try {
          const { result } = await this.page!.send('Runtime.evaluate', {
            contextId: this.world,
            expression: `(() => { const f = globalThis.__electronDoubleFiles.get(${m.id}); globalThis.__electronDoubleFiles.delete(${m.id}); return f })()`,
          });
          const { path: p } = await this.page!.send('DOM.getFileInfo', { objectId: result.objectId });
          this.#deliver(JSON.stringify({ k: 'reply', id: m.id, ok: true, v: codec.encode(p) }));
        } catch (e) {
          this.#deliver(JSON.stringify({ k: 'reply', id: m.id, ok: false, e: String(e) }));
        }
        break;
      }
    }
  }
  #deliver(json: string): void {
    if (this.#dead || !this.page) return;
    void this.page
      .send('Runtime.evaluate', {
        contextId: this.world,
        expression: `__electronDoubleReceive(${JSON.stringify(json)})`,
      })
      .catch(() => {});
  }
  #queue(json: string): void {
    if (this.#preloadDone) this.#deliver(json);
    else this.#outbox.push(json);
  }
  send(ch: string, ...a: any[]): void {
    if (this.#dead) throw new Error('Object has been destroyed');
    this.#queue(JSON.stringify({ k: 'msg', ch, a: codec.encode(a) }));
  }
  postMessage(ch: string, message: any, transfer: E.MessagePortMain[] = []): void {
    const keys = transfer.map((t) => {
      const p = take(t);
      this.#ports.set(p.key, p);
      p.reroute({
        post: (v) => this.#queue(JSON.stringify({ k: 'port', p: p.key, v: codec.encode(v) })),
        close: () => this.#queue(JSON.stringify({ k: 'port', p: p.key, close: true })),
      });
      return p.key;
    });
    this.#queue(JSON.stringify({ k: 'msg', ch, a: codec.encode([message]), ports: keys }));
  }
  async executeJavaScript(code: string): Promise<any> {
    await this.#opened;
    const { result, exceptionDetails } = await this.page!.send('Runtime.evaluate', {
      expression: code,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }
  setWindowOpenHandler(h: Parameters<E.WebContents['setWindowOpenHandler']>[0]): void {
    this.#openHandler = h;
  }
  #askOpen(browserUrl: string): 'allow' | 'deny' {
    const url = fromBrowser(browserUrl);
    const { action } = this.#openHandler?.({
      url,
      frameName: '',
      features: '',
      disposition: 'foreground-tab',
      referrer: { url: this.url, policy: 'default' },
    }) ?? { action: 'allow' as const };
    note('window-open', { url, action });
    return action;
  }
  /** A window came up that the page-side refusal did not see (a subframe, say): close it. */
  opened(targetId: string): void {
    note('window-open-unseen', targetId);
    void host.cdp.send('Target.closeTarget', { targetId }).catch(() => {});
  }
  getURL(): string {
    return this.url;
  }
  isDestroyed(): boolean {
    return this.#dead;
  }
  isLoading(): boolean {
    return this.#loading;
  }
  isCrashed(): boolean {
    return this.#crash;
  }
  isDevToolsOpened(): boolean {
    return false;
  }
  openDevTools(): void {}
  reload(): void {
    void this.page?.send('Page.reload');
  }
  close(opts?: { waitForBeforeUnload?: boolean }): void {
    void opts;
    this.owner.close();
  }
  crashed(): void {
    this.#crash = true;
    this.emit('render-process-gone', new PreventableEvent(), { reason: 'crashed', exitCode: 5 });
  }
  destroyed(): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const p of this.#ports.values()) p.close();
    this.emit('destroyed');
  }
  get opening(): Promise<void> {
    return this.#opened;
  }
}
