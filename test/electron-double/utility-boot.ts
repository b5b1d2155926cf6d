/**
 * The child side of `utilityProcess.fork()`: gives the script
 * `process.parentPort` and ports transferred to it, then runs it.
 *
 * As in Electron, a utility process does not outlive its app, and messages
 * that come before the script is loaded wait for it.
 */
import { EventEmitter } from 'node:events';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

type FromMain =
  | { k: 'msg'; v: unknown; ports?: string[] }
  | { k: 'port'; p: string; v: unknown }
  | { k: 'close'; p: string };

process.env['ELECTRON_DOUBLE_PROCESS'] = 'utility';
await import('./hooks.ts');
const versions = JSON.parse(process.env['ELECTRON_DOUBLE_VERSIONS'] ?? '{}');
delete process.env['ELECTRON_DOUBLE_VERSIONS'];
delete process.env['ELECTRON_DOUBLE_PROCESS'];
Object.defineProperty(process, 'versions', { value: { ...process.versions, ...versions } });
Object.defineProperty(process, 'type', { value: 'utility' });
const send = process.send!.bind(process);

class Port extends EventEmitter {
  #key: string;
  #started = false;
  #closed = false;
  #queue: unknown[] = [];
  constructor(key: string) {
    super();
    this.#key = key;
  }
  postMessage(v: unknown): void {
    if (!this.#closed) send({ k: 'port', p: this.#key, v });
  }
  start(): void {
    this.#started = true;
    for (const v of this.#queue.splice(0)) this.take(v);
  }
  take(v: unknown): void {
    if (this.#closed) return;
    if (this.#started) this.emit('message', { data: v, ports: [] });
    else this.#queue.push(v);
  }
  close(byOtherEnd = false): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!byOtherEnd) send({ k: 'close', p: this.#key });
    ports.delete(this.#key);
    this.emit('close');
  }
}

class ParentPort extends EventEmitter {
  postMessage(v: unknown): void {
    send({ k: 'msg', v });
  }
}

const ports = new Map<string, Port>();
const parentPort = new ParentPort();
const early: FromMain[] = [];
let isRunning = false;

function take(m: FromMain): void {
  if (m.k === 'msg') parentPort.emit('message', { data: m.v, ports: (m.ports ?? []).map((key) => ports.get(key)) });
  else if (m.k === 'port') ports.get(m.p)?.take(m.v);
  else ports.get(m.p)?.close(true);
}

process.on('message', (message) => {
  const m = message as FromMain;
  if (m.k === 'msg') for (const key of m.ports ?? []) ports.set(key, new Port(key));
  if (isRunning || m.k !== 'msg') take(m);
  else early.push(m);
});
process.on('disconnect', () => process.exit(0));
Object.defineProperty(process, 'parentPort', { value: parentPort });

const script = process.argv[2]!;
process.argv.splice(1, 2, script);
await import(pathToFileURL(path.resolve(script)).href);
isRunning = true;
for (const m of early.splice(0)) take(m);
