// A very small Chrome DevTools Protocol client over Node's own WebSocket: no dependency.
import { EventEmitter } from 'node:events';

export class Cdp extends EventEmitter {
  #ws!: WebSocket;
  #id = 0;
  #waiting = new Map<number, { ok: (v: any) => void; no: (e: Error) => void; method: string }>();
  #sessions = new Map<string, CdpSession>();
  readonly closed: Promise<void>;
  #closed!: () => void;
  constructor() {
    super();
    this.setMaxListeners(0);
    this.closed = new Promise((r) => (this.#closed = r));
  }

  static async connect(url: string): Promise<Cdp> {
    const c = new Cdp();
    c.#ws = new WebSocket(url);
    await new Promise<void>((ok, no) => {
      c.#ws.onopen = () => ok();
      c.#ws.onerror = () => no(new Error('cannot reach ' + url));
    });
    c.#ws.onmessage = (e) => c.#take(JSON.parse(String(e.data)));
    c.#ws.onclose = () => {
      for (const w of c.#waiting.values()) w.no(new Error(`${w.method}: the browser is gone`));
      c.#waiting.clear();
      c.#closed();
    };
    return c;
  }
  send<T = any>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.#id;
    return new Promise((ok, no) => {
      if (this.#ws.readyState !== WebSocket.OPEN) return no(new Error(`${method}: the browser is gone`));
      this.#waiting.set(id, { ok, no, method });
      this.#ws.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }
  session(id: string): CdpSession {
    const s = new CdpSession(this, id);
    this.#sessions.set(id, s);
    return s;
  }
  drop(id: string): void {
    this.#sessions.delete(id);
  }
  close(): void {
    this.#ws.close();
  }
  #take(m: any): void {
    if (m.id !== undefined) {
      const w = this.#waiting.get(m.id);
      this.#waiting.delete(m.id);
      if (m.error) w?.no(new Error(`${w.method}: ${m.error.message}`));
      else w?.ok(m.result);
      return;
    }
    if (m.sessionId) this.#sessions.get(m.sessionId)?.emit(m.method, m.params);
    else this.emit(m.method, m.params);
  }
}
export class CdpSession extends EventEmitter {
  readonly cdp: Cdp;
  readonly id: string;
  constructor(cdp: Cdp, id: string) {
    super();
    this.setMaxListeners(0);
    this.cdp = cdp;
    this.id = id;
  }
  send<T = any>(method: string, params: object = {}): Promise<T> {
    return this.cdp.send<T>(method, params, this.id);
  }
}
