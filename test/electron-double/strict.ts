/**
 * What keeps the double honest: anything of Electron that it lacks throws
 * `ElectronDoubleNotImplemented` at first touch, instead of passing silently.
 *
 * `note` keeps what the app asked of the desktop (links opened, notifications),
 * for somebody who debugs a spec. Specs themselves never read it: they run on
 * real Electron too, where it does not exist.
 */
import { EventEmitter } from 'node:events';

export const log: { at: number; what: string; detail: unknown }[] = [];
export const note = (what: string, detail: unknown = null): void => void log.push({ at: Date.now(), what, detail });

export class NotImplemented extends Error {
  constructor(what: string) {
    super(`electron double: ${what} is not implemented; implement it in the double or run on real Electron`);
    this.name = 'ElectronDoubleNotImplemented';
  }
}
/** Names that test tools and promises look for on any object. */
const harmless = new Set([
  'then',
  'toJSON',
  'constructor',
  'domain',
  '_events',
  '_eventsCount',
  '_maxListeners',
  'inspect',
  'nodeType',
  'asymmetricMatch',
  '$$typeof',
  '__esModule',
  ...(process.platform === 'darwin' ? [] : ['dock']),
]);
/** A prototype that throws for names nobody has: the object itself stays a plain object (no proxy around it). */
const trap = <T extends object>(name: string, base: T): T =>
  new Proxy(base, {
    get(t, k, r) {
      if (typeof k === 'symbol' || k in t || harmless.has(k)) return Reflect.get(t, k, r);
      throw new NotImplemented(`${name}.${k}`);
    },
  });
export const strict = <T extends object>(name: string, o: T): T =>
  Object.setPrototypeOf(o, trap(name, Object.prototype));
export function StrictEmitter(name: string): typeof EventEmitter {
  class Base extends EventEmitter {}
  Object.setPrototypeOf(Base.prototype, trap(name, EventEmitter.prototype));
  return Base as typeof EventEmitter;
}
export class PreventableEvent {
  defaultPrevented = false;
  preventDefault(): void {
    this.defaultPrevented = true;
  }
}
