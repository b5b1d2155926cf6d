/**
 * Serves the built console with its policy, and one live event stream that a
 * test sends into and breaks.
 *
 * No API: answers to /api are given by the test (page.route), so what a screen
 * shows is exactly what the test said. Only the event stream is real, because
 * a browser's interception cannot stream.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type { LiveEvent } from '../../node-runtime/contract/model.ts';

export const policy =
  "default-src 'none'; script-src 'self'; style-src-elem 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types svelte-trusted-html";
const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const root = new URL('../../dist/renderer/', import.meta.url).pathname;

export type ConsolePages = Awaited<ReturnType<typeof serveConsole>>;

export async function serveConsole() {
  const streams = new Set<ServerResponse>();
  const seenIds: string[] = [];
  let refusing = false;
  let position = 100;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://console').pathname;
    if (path === '/api/v1/events') {
      if (refusing) return void request.socket.destroy();
      const lastId = request.headers['last-event-id'];
      seenIds.push(String(lastId ?? ''));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`event: hello\nid: ${position}\ndata: ${JSON.stringify({ resumed: lastId !== undefined })}\n\n`);
      streams.add(response);
      response.on('close', () => streams.delete(response));
      return;
    }
    const file = join(root, path === '/' ? 'index.html' : normalize(path));
    readFile(file).then(
      (bytes) => {
        const type = types[extname(file)] ?? 'application/octet-stream';
        response.writeHead(200, {
          'content-type': type,
          'content-security-policy': policy,
          'x-content-type-options': 'nosniff',
        });
        response.end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    seenIds,
    position: (): number => position,
    send(event: Record<string, unknown> & { kind: LiveEvent['kind'] }): void {
      position++;
      const text = JSON.stringify({ position, at: new Date().toISOString(), ...event });
      for (const stream of streams) stream.write(`id: ${position}\ndata: ${text}\n\n`);
    },
    /** Breaks every stream; new ones are refused until `heal`. */
    cut(): void {
      refusing = true;
      for (const stream of streams) stream.destroy();
    },
    heal(): void {
      refusing = false;
    },
    async close(): Promise<void> {
      for (const stream of streams) stream.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
