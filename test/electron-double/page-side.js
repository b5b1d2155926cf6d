// Sources that the double runs inside the page, before any page script:
//  - MAIN_WORLD: the page's half of the context bridge
//  - ISOLATED_WORLD: Electron's renderer modules (contextBridge, ipcRenderer, webUtils, webFrame) and the preload itself
/* eslint-disable */

// One half of the bridge. Both worlds share the DOM but no JavaScript objects, as in Electron with
// contextIsolation; a CustomEvent crosses synchronously and its detail is structured-cloned by Chromium itself.
function bridgeHalf(token, mine, theirs) {
  const fns = new Map(),
    pending = new Map(),
    returns = new Map();
  let nextFn = 0,
    nextCall = 0;
  const raw = { add: window.addEventListener.bind(window), fire: window.dispatchEvent.bind(window), CE: CustomEvent };
  const post = (m) => raw.fire(new raw.CE(token + theirs, { detail: m }));
  const isPlain = (v) => {
    const p = Object.getPrototypeOf(v);
    return p === null || Object.getPrototypeOf(p) === null;
  };
  const out = (v, depth) => {
    // value -> wire
    if (depth > 100) throw new Error('contextBridge: the object is nested too deeply');
    if (typeof v === 'function') {
      const id = ++nextFn;
      fns.set(id, v);
      return { t: 'fn', id };
    }
    if (v === null || typeof v !== 'object') {
      if (typeof v === 'symbol') throw new Error('contextBridge: a symbol cannot be sent over the bridge');
      return { t: 'v', v };
    }
    if (typeof v.then === 'function') {
      const id = ++nextFn;
      Promise.resolve(v).then(
        (x) => post({ t: 'settle', id, ok: true, v: out(x, 0) }),
        (e) => post({ t: 'settle', id, ok: false, v: err(e) }),
      );
      return { t: 'p', id };
    }
    if (Array.isArray(v)) return { t: 'a', v: v.map((x) => out(x, depth + 1)) };
    if (v instanceof Error) return { t: 'e', v: err(v) };
    if (!isPlain(v)) return { t: 'v', v }; // Date, Map, Blob, File, ArrayBuffer: Chromium clones them
    const o = {};
    for (const k of Object.keys(v)) o[k] = out(v[k], depth + 1);
    return { t: 'o', v: o };
  };
  const err = (e) => ({
    name: (e && e.name) || 'Error',
    message: (e && e.message) || String(e),
    stack: (e && e.stack) || '',
  });
  const mkErr = (d) => {
    const e = new Error(d.message);
    e.name = d.name;
    return e;
  };
  const into = (w, freeze) => {
    // wire -> value
    switch (w.t) {
      case 'v':
        return w.v;
      case 'e':
        return mkErr(w.v);
      case 'a': {
        const a = w.v.map((x) => into(x, freeze));
        return freeze ? Object.freeze(a) : a;
      }
      case 'o': {
        const o = {};
        for (const k of Object.keys(w.v)) o[k] = into(w.v[k], freeze);
        return freeze ? Object.freeze(o) : o;
      }
      case 'p':
        return new Promise((ok, no) => pending.set(w.id, { ok, no }));
      case 'fn':
        return (...args) => {
          const call = ++nextCall;
          post({ t: 'call', call, id: w.id, args: args.map((a) => out(a, 0)) });
          const r = returns.get(call);
          returns.delete(call);
          if (!r) throw new Error('contextBridge: the other side is gone');
          if (!r.ok) throw mkErr(r.v);
          return into(r.v, false);
        };
    }
  };
  raw.add(token + mine, (e) => {
    const m = e.detail;
    if (!m) return;
    if (m.t === 'call') {
      let r;
      try {
        r = { t: 'ret', call: m.call, ok: true, v: out(fns.get(m.id)(...m.args.map((a) => into(a, false))), 0) };
      } catch (x) {
        r = { t: 'ret', call: m.call, ok: false, v: err(x) };
      }
      post(r);
    } else if (m.t === 'ret') returns.set(m.call, m);
    else if (m.t === 'settle') {
      const p = pending.get(m.id);
      pending.delete(m.id);
      if (p) m.ok ? p.ok(into(m.v, false)) : p.no(mkErr(m.v));
    } else if (m.t === 'expose')
      Object.defineProperty(window, m.key, {
        value: into(m.v, true),
        enumerable: true,
        writable: false,
        configurable: false,
      });
  });
  return { expose: (key, api) => post({ t: 'expose', key, v: out(api, 0) }) };
}

function isolatedWorld(token, makeCodec, bridgeHalf, cfg) {
  const codec = makeCodec();
  const native = globalThis.__electronDoubleSend;
  delete globalThis.__electronDoubleSend;
  const toHost = (m) => native(JSON.stringify(m));
  const bridge = bridgeHalf(token, 'iso', 'main');
  const listeners = new Map();
  const on = (ch, fn, once) => {
    if (!listeners.has(ch)) listeners.set(ch, []);
    listeners.get(ch).push({ fn, once });
  };
  const waiting = new Map();
  let nextId = 0;
  const ports = new Map();
  const ipcRenderer = {
    on(ch, fn) {
      on(ch, fn, false);
      return ipcRenderer;
    },
    addListener(ch, fn) {
      on(ch, fn, false);
      return ipcRenderer;
    },
    once(ch, fn) {
      on(ch, fn, true);
      return ipcRenderer;
    },
    off(ch, fn) {
      return ipcRenderer.removeListener(ch, fn);
    },
    removeListener(ch, fn) {
      const l = listeners.get(ch) || [];
      const i = l.findIndex((x) => x.fn === fn);
      if (i >= 0) l.splice(i, 1);
      return ipcRenderer;
    },
    removeAllListeners(ch) {
      ch === undefined ? listeners.clear() : listeners.delete(ch);
      return ipcRenderer;
    },
    listenerCount(ch) {
      return (listeners.get(ch) || []).length;
    },
    send(ch, ...args) {
      toHost({ k: 'send', ch, a: codec.encode(args) });
    },
    invoke(ch, ...args) {
      const id = ++nextId;
      const a = codec.encode(args);
      return new Promise((ok, no) => {
        waiting.set(id, { ok, no });
        toHost({ k: 'invoke', id, ch, a });
      });
    },
    sendSync() {
      throw new Error('electron double: ipcRenderer.sendSync is not implemented (and blocks the page: use invoke)');
    },
    postMessage(ch, msg) {
      toHost({ k: 'send', ch, a: codec.encode([msg]) });
    },
  };
  globalThis.__electronDoubleReceive = (json) => {
    const m = JSON.parse(json);
    if (m.k === 'reply') {
      const w = waiting.get(m.id);
      waiting.delete(m.id);
      if (w) m.ok ? w.ok(codec.decode(m.v)) : w.no(new Error(m.e));
      return;
    }
    if (m.k === 'port') {
      const p = ports.get(m.p);
      if (!p) return;
      if (m.close) {
        p.close();
        ports.delete(m.p);
      } else p.postMessage(codec.decode(m.v));
      return;
    }
    if (m.k === 'msg') {
      const made = (m.ports || []).map((p) => {
        const c = new MessageChannel();
        ports.set(p, c.port1);
        c.port1.onmessage = (e) => toHost({ k: 'port', p, v: codec.encode(e.data) });
        c.port1.onclose = () => toHost({ k: 'port', p, close: true });
        return c.port2;
      });
      const ev = { sender: ipcRenderer, ports: made, senderId: 0 };
      const args = codec.decode(m.a);
      for (const l of [...(listeners.get(m.ch) || [])]) {
        if (l.once) ipcRenderer.removeListener(m.ch, l.fn);
        l.fn(ev, ...args);
      }
    }
  };
  const contextBridge = {
    exposeInMainWorld(key, api) {
      if (Object.prototype.hasOwnProperty.call(exposed, key))
        throw new Error('Cannot bind an API on top of an existing property on the window object');
      exposed[key] = 1;
      bridge.expose(key, api);
    },
  };
  const exposed = {};
  // The path of a dropped or chosen file: asked of Chromium (DOM.getFileInfo) before the page sees the event.
  const filePaths = new Map();
  const keyOf = (f) => [f.name, f.size, f.lastModified, f.type].join('\u0000');
  const redispatched = new WeakSet();
  const learn = async (files) => {
    await Promise.all(
      [...files].map(
        (f) =>
          new Promise((done) => {
            const id = ++nextId;
            waiting.set(id, {
              ok: (p) => {
                filePaths.set(keyOf(f), p);
                done();
              },
              no: () => done(),
            });
            globalThis.__electronDoubleFiles = globalThis.__electronDoubleFiles || new Map();
            globalThis.__electronDoubleFiles.set(id, f);
            toHost({ k: 'file', id });
          }),
      ),
    );
  };
  for (const type of ['drop', 'change'])
    window.addEventListener(
      type,
      (e) => {
        const files = type === 'drop' ? e.dataTransfer && e.dataTransfer.files : e.target && e.target.files;
        if (!files || files.length === 0 || redispatched.has(e)) return;
        e.stopImmediatePropagation();
        e.preventDefault();
        const target = e.target,
          list = [...files];
        learn(list).then(() => {
          let again;
          if (type === 'drop') {
            const dt = new DataTransfer();
            for (const f of list) dt.items.add(f);
            again = new DragEvent('drop', {
              bubbles: true,
              cancelable: true,
              composed: true,
              dataTransfer: dt,
              clientX: e.clientX,
              clientY: e.clientY,
            });
          } else again = new Event('change', { bubbles: true });
          redispatched.add(again);
          target.dispatchEvent(again);
        });
      },
      true,
    );
  window.addEventListener(token + 'open', (e) => toHost({ k: 'open', url: e.detail }));
  window.addEventListener(
    'click',
    (e) => {
      const a = e.composedPath().find((n) => n.tagName === 'A' && n.target === '_blank');
      if (a) {
        e.preventDefault();
        toHost({ k: 'open', url: a.href });
      }
    },
    true,
  );
  const webUtils = {
    getPathForFile(f) {
      if (!(f instanceof File)) throw new TypeError('getPathForFile: a File is needed');
      return filePaths.get(keyOf(f)) || '';
    },
  };
  const strict = (name, o) =>
    new Proxy(o, {
      get(t, k) {
        if (typeof k === 'symbol' || k in t || k === 'then' || k === 'toJSON') return t[k];
        throw new Error('electron double: ' + name + '.' + String(k) + ' is not implemented');
      },
    });
  const electron = {
    contextBridge: strict('contextBridge', contextBridge),
    ipcRenderer: strict('ipcRenderer', ipcRenderer),
    webUtils,
    webFrame: strict('webFrame', {
      setZoomFactor(z) {
        toHost({ k: 'zoom', z });
      },
    }),
  };
  const process = {
    type: 'renderer',
    sandboxed: true,
    contextIsolated: true,
    platform: cfg.platform,
    arch: cfg.arch,
    versions: cfg.versions,
    env: {},
    argv: cfg.argv,
  };
  // What a sandboxed preload may require; everything else fails here as it fails in Electron.
  const require = (id) => {
    if (id === 'electron' || id === 'electron/renderer') return electron;
    throw new Error(
      'module not found: ' + id + " (a sandboxed preload may only require 'electron', 'events', 'timers', 'url')",
    );
  };
  if (cfg.preload) {
    const module = { exports: {} };
    try {
      (0, eval)(
        '(function (require, module, exports, process, __filename) {' +
          cfg.preload +
          '\n})\n//# sourceURL=' +
          cfg.preloadPath,
      )(require, module, module.exports, process, cfg.preloadPath);
    } catch (e) {
      toHost({ k: 'preload-error', e: String((e && e.stack) || e) });
      console.error('Unable to load preload script: ' + cfg.preloadPath, e);
    }
  }
  toHost({ k: 'preload-done' });
}
// window.open must be refused before a window exists, as Electron does, so the page's own function is replaced.
function pageOpen(token) {
  window.open = (u) => {
    window.dispatchEvent(new CustomEvent(token + 'open', { detail: new URL(u || 'about:blank', location.href).href }));
    return null;
  };
}
export const mainWorldSource = (token) =>
  `(${bridgeHalf})(${JSON.stringify(token)},'main','iso');(${pageOpen})(${JSON.stringify(token)});`;
export const isolatedWorldSource = (token, codecFactory, cfg) =>
  `(${isolatedWorld})(${JSON.stringify(token)},${codecFactory},${bridgeHalf},${JSON.stringify(cfg)});`;
