/**
 * mdns-js in a process of its own: one packet can send it into an endless loop,
 * and another ends its process. So it says every moment that it lives, and
 * whoever started it ends it when it does not. Only browses, never advertises.
 *
 * The library runs in a thread of this process, so that this process can end
 * with the one that started it, also while the library loops.
 *
 * What it hears is passed on cut to a bound and otherwise as it came.
 */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { bounds } from './bounds.ts';
import type { Said } from './mdns-js.ts';

const say = (said: Said): void => parentPort?.postMessage(said);

const texts = (given: unknown): string[] =>
  [given]
    .flat()
    .filter((one) => typeof one === 'string')
    .slice(0, bounds.textStringsMax)
    .map((one) => one.slice(0, bounds.textBytesMax));

if (isMainThread) {
  process.on('disconnect', () => process.exit());
  const thread = new Worker(new URL(import.meta.url));
  thread.on('message', (said: Said) => process.send?.(said));
  thread.on('error', () => {}); // 'exit' follows
  thread.on('exit', () => process.exit(1));
} else await listen();

async function listen(): Promise<void> {
  const library = await import('mdns-js').catch(() => null);
  if (!library) {
    setInterval(() => say({ kind: 'missing' }), bounds.heartbeatMs); // until it is heard and this process is ended
    return;
  }
  const mdns = library.default;
  // Without it, it would need a default route, and end when there is none.
  mdns.excludeInterface('0.0.0.0');
  const browser = mdns.createBrowser(mdns.tcp('binnacle'));
  browser.on('update', ({ addresses, port, txt }) =>
    say({ kind: 'heard', addresses: texts(addresses), port: Number(port), strings: texts(txt) }),
  );
  const ask = (): void => {
    browser.connections = {};
    browser.discover();
  };
  browser.on('ready', () => {
    ask();
    setInterval(ask, bounds.guardedQueryEveryMs);
  });
  say({ kind: 'alive' });
  setInterval(() => say({ kind: 'alive' }), bounds.heartbeatMs);
}
