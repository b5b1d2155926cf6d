// MessageChannelMain / MessagePortMain, and their transfer to utility processes and pages.
import { EventEmitter } from 'node:events';
import type * as E from 'electron';

/** Where a transferred port's messages go when its other end lives in another process. */
export type PortRoute = { post(value: unknown, ports: MessagePortMainDouble[]): void; close(): void };
let nextPort = 0;

export class MessagePortMainDouble
  extends EventEmitter
  implements Pick<E.MessagePortMain, 'start' | 'close' | 'postMessage'>
{
  readonly key = `p${process.pid}-${++nextPort}`;
  peer: MessagePortMainDouble | null = null;
  #route: PortRoute | null = null;
  #started = false;
  #queue: { data: unknown; ports: MessagePortMainDouble[] }[] = [];
  #closed = false;
  neutered = false;
  postMessage(message: any, transfer: E.MessagePortMain[] = []): void {
    if (this.neutered) throw new Error('This port has been transferred');
    if (this.#closed || !this.peer) return;
    const ports = transfer.map((p) => take(p));
    // the same process: clone, as Electron does, so that nobody shares an object by accident
    this.peer.deliver(structuredClone(message), ports);
  }
  deliver(data: unknown, ports: MessagePortMainDouble[]): void {
    if (this.#closed) return;
    if (this.#route) {
      this.#route.post(data, ports);
      return;
    }
    if (!this.#started) {
      this.#queue.push({ data, ports });
      return;
    }
    queueMicrotask(() => this.emit('message', { data, ports }));
  }
  start(): void {
    if (this.#started) return;
    this.#started = true;
    const q = this.#queue;
    this.#queue = [];
    for (const m of q) this.deliver(m.data, m.ports);
  }
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#route?.close();
    const p = this.peer;
    this.peer = null;
    queueMicrotask(() => this.emit('close'));
    p?.close();
  }
  /** From now on what arrives for this port goes to another process. */
  reroute(route: PortRoute): void {
    this.neutered = true;
    this.#route = route;
    const q = this.#queue;
    this.#queue = [];
    for (const m of q) route.post(m.data, m.ports);
  }
  /** A message that came back from the process that holds this port. */
  fromRemote(data: unknown, ports: MessagePortMainDouble[] = []): void {
    this.peer?.deliver(data, ports);
  }
  get isClosed(): boolean {
    return this.#closed;
  }
}
export function take(p: unknown): MessagePortMainDouble {
  if (!(p instanceof MessagePortMainDouble)) throw new TypeError('Found invalid object in transferList');
  if (p.neutered) throw new Error('This port has been transferred already');
  return p;
}
export class MessageChannelMainDouble {
  readonly port1 = new MessagePortMainDouble();
  readonly port2 = new MessagePortMainDouble();
  constructor() {
    this.port1.peer = this.port2;
    this.port2.peer = this.port1;
  }
}
