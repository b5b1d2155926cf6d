/**
 * The page's own origin, `app://console`: the API goes to the runtime, the
 * rest are files of the built page. One function answers every request of the
 * window, so main keeps free of other work.
 */
import { protocol } from 'electron';
import { forward, type RuntimeDoor } from './api-forward.ts';
import { answerPage } from './page-files.ts';

const scheme = 'app';
const host = 'console';
export const consoleAddress = `${scheme}://${host}/`;

/** Has to be called before the app is ready. */
export function registerScheme(): void {
  const privileges = { standard: true, secure: true, supportFetchAPI: true, codeCache: true };
  protocol.registerSchemesAsPrivileged([{ scheme, privileges }]);
}

/** `pageFolder` is absolute. */
export function serveScheme(pageFolder: string, runtime: RuntimeDoor): void {
  protocol.handle(scheme, (request) => {
    const url = new URL(request.url);
    if (url.host !== host) return new Response(null, { status: 404 });
    const isApi = url.pathname.startsWith('/api/') || url.pathname === '/healthz';
    return isApi ? forward(request, runtime) : answerPage(pageFolder, request.method, url.pathname);
  });
}
