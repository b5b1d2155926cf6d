/**
 * Stands in for the node runtime in specs of the desktop shell alone: speaks
 * the shell's handshake and answers a few addresses that show what arrived.
 * It keeps nothing and runs no jobs.
 *
 * A file named `fail` in its data folder makes it report `failed`.
 */
import { existsSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import type { FromRuntime, ToRuntime } from '../../../../electron/host/messages.ts';

const parent = process.parentPort;
const say = (message: FromRuntime): void => parent.postMessage(message);
const heard: string[] = [];
const runnerSaid: unknown[] = [];
let closedStreams = 0;
let dataDirectory = '';

function stream(response: http.ServerResponse): void {
  let n = 0;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const timer = setInterval(() => response.write(`data: ${++n}\n\n`), 50);
  response.on('close', () => {
    clearInterval(timer);
    closedStreams++;
  });
}

async function sum(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  let bytes = 0;
  let total = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    for (const byte of part) total += byte;
  }
  response.end(JSON.stringify({ bytes, total }));
}

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stand-in');
  switch (pathname) {
    case '/healthz':
      response.end('ok');
      return;
    case '/api/facts': {
      const { pid, argv, env } = process;
      const facts = { pid, argv: argv.slice(2), env, heard, runnerSaid, closedStreams, headers: request.headers };
      response.end(JSON.stringify(facts));
      return;
    }
    case '/api/stream':
      stream(response);
      return;
    case '/api/echo':
      request.pipe(response);
      return;
    case '/api/sum':
      void sum(request, response);
      return;
    case '/api/roles':
      say({ type: 'roles', roles: searchParams.getAll('role'), headline: 'A headline', isPaired: false });
      response.writeHead(204).end();
      return;
    case '/api/runner':
      say({ type: 'runnerWanted', id: searchParams.get('id') ?? '' });
      response.writeHead(204).end();
      return;
    default:
      response.writeHead(404).end();
  }
}

function start(message: Extract<ToRuntime, { type: 'start' }>): void {
  dataDirectory = message.dataDirectory;
  if (existsSync(path.join(dataDirectory, 'fail'))) {
    say({ type: 'failed', code: 'in_use', sentence: 'Another program uses this folder.', next: 'End it first.' });
    return;
  }
  const socketPath = path.join(message.socketDirectory, 'node.sock');
  http.createServer(answer).listen(socketPath, () => say({ type: 'ready', socketPath, name: message.name }));
}

parent.on('message', (event) => {
  const message = event.data as ToRuntime;
  heard.push(message.type);
  if (message.type === 'start') start(message);
  if (message.type === 'runner') {
    const port = event.ports[0]!;
    port.on('message', (fromRunner) => runnerSaid.push(fromRunner.data));
    port.start();
    port.postMessage({ ask: 'pid', of: message.id });
  }
  if (message.type === 'runnerGone') runnerSaid.push(message);
  if (message.type === 'stop') {
    if (dataDirectory && existsSync(dataDirectory)) writeFileSync(path.join(dataDirectory, 'stopped-in-order'), '');
    process.exit(0);
  }
});
