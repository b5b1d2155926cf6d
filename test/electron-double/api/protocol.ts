/**
 * The double of `protocol` and `session`.
 *
 * Chromium knows no custom scheme, so scheme://host/path is shown to it as
 * http://host.scheme.electron-double.localhost/path, and mapped back wherever
 * the main process looks. Bodies stream both ways through one loopback server;
 * HTTP/1.1 allows six connections an origin, so use one event stream a window.
 */
import * as http from 'node:http';
import type * as net from 'node:net';
import { Readable } from 'node:stream';
import type * as E from 'electron';
import { schemes } from '../living.ts';
import { note, StrictEmitter, strict } from '../strict.ts';
import { app } from './app.ts';

type Handler = (request: Request) => Response | Promise<Response>;
class Protocol
  extends StrictEmitter('protocol')
  implements Pick<E.Protocol, 'handle' | 'unhandle' | 'isProtocolHandled' | 'registerSchemesAsPrivileged'>
{
  handlers = new Map<string, Handler>();
  registerSchemesAsPrivileged(list: E.CustomScheme[]): void {
    if (app.isReady()) throw new Error('protocol.registerSchemesAsPrivileged should be called before app is ready');
    for (const s of list) schemes.set(s.scheme, s.privileges ?? {});
  }
  handle(scheme: string, handler: (r: Request) => any): void {
    if (this.handlers.has(scheme)) throw new Error('Failed to register protocol: ' + scheme);
    this.handlers.set(scheme, handler as Handler);
  }
  unhandle(scheme: string): void {
    this.handlers.delete(scheme);
  }
  isProtocolHandled(scheme: string): boolean {
    return this.handlers.has(scheme);
  }
}
const SUFFIX = '.electron-double.localhost';
export const toBrowser = (url: string): string => {
  const m = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i.exec(url);
  return m && session.defaultSession.protocol.handlers.has(m[1]!.toLowerCase())
    ? `http://${m[2] || 'host'}.${m[1]!.toLowerCase()}${SUFFIX}${m[3] || '/'}`
    : url;
};
export const fromBrowser = (url: string): string => {
  const m = /^http:\/\/([^/?#]+)(.*)$/.exec(url);
  if (!m?.[1]?.endsWith(SUFFIX)) return url;
  const h = m[1].slice(0, -SUFFIX.length);
  const dot = h.lastIndexOf('.');
  return `${h.slice(dot + 1)}://${h.slice(0, dot)}${m[2] ?? ''}`;
};

/** Bodies must stream both ways, which Fetch interception cannot do: Chromium finds *.electron-double.localhost at this loopback server. */
export const door = new Promise<number>((ok) => {
  const srv = http.createServer(async (q, a) => {
    const url = fromBrowser(`http://${q.headers.host}${q.url}`);
    const handler = session.defaultSession.protocol.handlers.get(url.slice(0, url.indexOf(':')));
    if (!handler) {
      a.writeHead(404).end();
      return;
    }
    const gone = new AbortController();
    a.on('close', () => gone.abort());
    try {
      const bodied = q.method !== 'GET' && q.method !== 'HEAD';
      const res = await handler(
        new Request(url, {
          method: q.method!,
          headers: Object.entries(q.headers).map(([k, v]) => [k, String(v)] as [string, string]),
          signal: gone.signal,
          ...(bodied ? { body: Readable.toWeb(q) as any, duplex: 'half' } : {}),
        } as RequestInit),
      );
      a.writeHead(res.status, [...res.headers].flat());
      a.flushHeaders();
      if (!res.body) {
        a.end();
        return;
      }
      const from = Readable.fromWeb(res.body as any);
      a.on('close', () => from.destroy());
      from.on('error', () => a.destroy());
      from.pipe(a);
    } catch (e) {
      note('protocol-error', String(e));
      a.destroy();
    }
  });
  srv.listen(0, '127.0.0.1', () => ok((srv.address() as net.AddressInfo).port));
  srv.unref();
});

type PermissionRequest = Parameters<E.Session['setPermissionRequestHandler']>[0];
type PermissionCheck = Parameters<E.Session['setPermissionCheckHandler']>[0];
class SessionDouble extends StrictEmitter('session') {
  protocol = new Protocol();
  permissionRequestHandler: PermissionRequest = null;
  permissionCheckHandler: PermissionCheck = null;
  setPermissionRequestHandler(h: PermissionRequest): void {
    this.permissionRequestHandler = h;
  }
  setPermissionCheckHandler(h: PermissionCheck): void {
    this.permissionCheckHandler = h;
  }
  setDevicePermissionHandler(): void {}
  setSpellCheckerEnabled(): void {}
  async clearStorageData(): Promise<void> {}
}
export const session = strict('session', { defaultSession: new SessionDouble() });
