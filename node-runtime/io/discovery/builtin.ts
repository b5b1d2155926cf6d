/**
 * Our own mDNS: asks for nodes, tells of this one, remembers what it hears.
 *
 * Works without a default route, on every interface, in IPv4 and on IPv6
 * link-local addresses; interfaces may come and go. The parts that decide are
 * pure (`packet`, `cache`, `answers`, `turns`, `links`); here they meet sockets
 * and one timer.
 *
 * Promise: nothing that is heard blocks or ends the process. Bad packets are
 * counted, not told one by one; a fault of an interface is said once.
 *
 * When a node dies without a goodbye it stays here until its time to live is
 * over: whether a node lives is known by talking to it, not from here.
 */
import { networkInterfaces } from 'node:os';
import { announcement, goodbye, isAskedFor, isOurQuestion, legacyAnswer, question } from './answers.ts';
import { bounds } from './bounds.ts';
import { Cache } from './cache.ts';
import type { Found } from './found.ts';
import { type Announced, textStrings } from './hints.ts';
import { type IsUsed, type Link, linkOfSender, linksOf } from './links.ts';
import { type Heard, readPacket } from './packet.ts';
import { Quota } from './quota.ts';
import { Sockets } from './sockets.ts';
import { Turns } from './turns.ts';

export type BuiltinOptions = {
  port: number;
  isUsed: IsUsed;
  /** Something was heard or is over; perhaps nothing that matters. */
  onHeard(): void;
  onFault(linkName: string, fault: NodeJS.ErrnoException): void;
};
/** Packets that were dropped, and why. */
export type Dropped = { bad: number; offLink: number; tooMany: number; turnedAway: number };

export class Builtin {
  readonly #options: BuiltinOptions;
  readonly #sockets: Sockets;
  readonly #cache = new Cache();
  readonly #turns = new Map<string, Turns>();
  readonly #dropped = { bad: 0, offLink: 0, tooMany: 0 };
  readonly #reading = new Quota({
    perKey: bounds.bytesPerSenderPerSecond,
    inAll: bounds.bytesPerSecond,
    keysMax: bounds.sendersCountedMax,
  });
  readonly #legacy = new Quota({
    perKey: bounds.legacyRepliesPerLinkPerSecond,
    inAll: bounds.legacyRepliesPerLinkPerSecond * bounds.linksMax,
    keysMax: bounds.linksMax,
  });
  #links: Link[] = [];
  #self: Announced | null = null;
  /** When something is over next. After something was heard: at the next tick, not with every packet of a flood. */
  #expiresAtMs = Number.POSITIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #ticking: NodeJS.Timeout | undefined;

  constructor(options: BuiltinOptions) {
    this.#options = options;
    this.#sockets = new Sockets({
      port: options.port,
      onPacket: (bytes, from) => this.#came(bytes, from),
      onReady: (link) => this.#ready(link),
      onFault: (linkName, fault) => this.#failed(linkName, fault),
    });
  }

  start(): void {
    this.#ticking = setInterval(() => this.#tick(), bounds.tickMs);
    this.#tick();
  }

  /** What is told of this node from now on; null: nothing. */
  announce(self: Announced | null): void {
    if (self) textStrings(self); // what cannot be announced is whoever calls to hear of, not the timer
    const isOther = this.#self?.node !== self?.node;
    if (this.#self && isOther) this.#sayGoodbye(this.#self);
    this.#self = self;
    for (const turns of this.#turns.values()) turns.announceAnew(performance.now());
    this.#send();
  }

  found(): Found[] {
    const nowMs = performance.now();
    const toWall = Date.now() - nowMs;
    return this.#cache.found(nowMs).map((found) => ({ ...found, seenAt: Math.round(found.seenAt + toWall) }));
  }

  get dropped(): Dropped {
    return { ...this.#dropped, turnedAway: this.#cache.turnedAway };
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    // First of all: our own goodbye is heard here too, and must not be answered with an announcement.
    this.#stopped = true;
    clearInterval(this.#ticking);
    if (this.#self) this.#sayGoodbye(this.#self);
    await this.#sockets.close();
  }

  // ------------------------------------------------------------------- time

  #tick(): void {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs >= bounds.lookEveryMs) this.#look(nowMs);
    this.#send();
    if (this.#expiresAtMs <= nowMs) this.#expire(nowMs);
  }

  #expire(nowMs: number): void {
    this.#expiresAtMs = this.#cache.expire(nowMs) ?? Number.POSITIVE_INFINITY;
    this.#options.onHeard();
  }

  #look(nowMs: number): void {
    this.#lookedAtMs = nowMs;
    const before = this.#links;
    this.#links = linksOf(networkInterfaces(), this.#options.isUsed);
    for (const { id } of before) if (!this.#links.some((link) => link.id === id)) this.#forget(id, nowMs);
    for (const link of this.#links) {
      const old = before.find(({ id }) => id === link.id);
      if (old && old.announced.join() !== link.announced.join()) this.#turns.get(link.id)?.announceAnew(nowMs);
    }
    this.#sockets.fit(this.#links);
  }

  /** What fails because its interface has just gone is no fault of it: the next look will see that. */
  #failed(linkName: string, fault: NodeJS.ErrnoException): void {
    const known = this.#links.find(({ name }) => name === linkName);
    const isThere = linksOf(networkInterfaces(), this.#options.isUsed).some(({ id }) => id === known?.id);
    if (known && !isThere) this.#lookedAtMs = Number.NEGATIVE_INFINITY;
    else this.#options.onFault(linkName, fault);
  }

  #forget(linkId: string, nowMs: number): void {
    this.#turns.delete(linkId);
    this.#cache.forgetLink(linkId);
    this.#expire(nowMs);
  }

  /** In one family more: whoever speaks only that one has heard nothing yet. */
  #ready(link: Link): void {
    this.#turns.set(link.id, new Turns(performance.now(), Math.random));
    this.#send();
  }

  #send(): void {
    if (this.#stopped) return;
    for (const link of this.#links) {
      const due = this.#turns.get(link.id)?.take(performance.now());
      if (due?.announce && this.#self) this.#sockets.send(link.id, announcement(this.#self, link.announced));
      if (due?.query) this.#sockets.send(link.id, question());
    }
  }

  #sayGoodbye(self: Announced): void {
    for (const link of this.#links) this.#sockets.send(link.id, goodbye(self, link.announced));
  }

  // ---------------------------------------------------------------- packets

  #came(bytes: Buffer, from: { address: string; port: number }): void {
    if (this.#stopped) return;
    const nowMs = performance.now();
    const link = linkOfSender(from.address, this.#links);
    if (!link) return void this.#dropped.offLink++;
    try {
      this.#read(bytes, link, from, nowMs);
    } catch (fault) {
      this.#options.onFault(link.name, fault as Error); // a mistake of ours, which nobody on the link may use to end us
    }
  }

  #read(bytes: Buffer, link: Link, from: { address: string; port: number }, nowMs: number): void {
    if (!this.#reading.take(from.address, Math.max(bytes.length, bounds.packetBytesCountedMin), nowMs))
      return void this.#dropped.tooMany++;
    const heard = readPacket(bytes);
    if (!heard) return void this.#dropped.bad++;
    if (heard.isQuery) return this.#answer(heard, link, from, nowMs);
    // Answers from another port are no mDNS, but a guess of somebody far away.
    if (from.port !== this.#options.port) return void this.#dropped.bad++;
    const came = { link: link.id, scope: link.scope, onLoopback: link.isLoopback, sender: from.address };
    this.#cache.hear(heard.records, came, nowMs);
    this.#expiresAtMs = nowMs;
    this.#options.onHeard();
  }

  #answer(heard: Heard, link: Link, from: { address: string; port: number }, nowMs: number): void {
    const turns = this.#turns.get(link.id);
    if (from.port === this.#options.port) {
      if (isOurQuestion(heard)) turns?.otherAsked(nowMs);
      if (this.#self && isAskedFor(heard, this.#self)) turns?.asked();
      return this.#send();
    }
    const answer = this.#self && legacyAnswer(heard, this.#self, link.announced);
    if (answer && this.#legacy.take(link.id, 1, nowMs)) this.#sockets.answer(link.id, answer, from);
  }
}
