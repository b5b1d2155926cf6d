/**
 * The UDP sockets of mDNS: one that hears for each family, joined to the group
 * on every link; one that sends for each address of a link, so that no route
 * is asked and each packet bears the address of the link it goes out on.
 *
 * `fit` may be called at any time with the links there are now: it opens what
 * is missing, closes what is left over, and tries again what failed. Knows
 * nothing of what the packets say.
 *
 * Promise: a fault of one link is told as a fault of that link; nothing throws.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { bounds } from './bounds.ts';
import type { Link } from './links.ts';

export type SocketsOptions = {
  port: number;
  onPacket(bytes: Buffer, from: { address: string; port: number }): void;
  /** From now on something can be sent there, in one family more. */
  onReady(link: Link): void;
  /** Told anew at every try: whoever listens says it once. */
  onFault(linkName: string, fault: NodeJS.ErrnoException): void;
};

type Family = 'udp4' | 'udp6';
type Sender = { link: Link; family: Family; socket: Socket; isReady: boolean };
type Receiver = {
  socket: Socket;
  isReady: boolean;
  /** By the key of a membership, the interface as the system was told it. */
  joined: Map<string, string>;
};

const GROUP = { udp4: '224.0.0.251', udp6: 'ff02::fb' };
const ANY = { udp4: '0.0.0.0', udp6: '::' };
const CLOSE_MS = 500;

export class Sockets {
  readonly #options: SocketsOptions;
  readonly #senders = new Map<string, Sender>();
  readonly #receivers = new Map<Family, Receiver>();
  #links: Link[] = [];
  #again: NodeJS.Timeout | undefined;
  /** Given to the system, which has not said yet that it has it. */
  #sending = 0;
  #closed = false;

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  fit(links: Link[]): void {
    if (this.#closed) return;
    this.#links = links;
    for (const family of ['udp4', 'udp6'] as const) this.#hear(family);
    const wanted = new Map(links.flatMap((link) => placesOf(link).map((place) => [place.key, { ...place, link }])));
    for (const [key, sender] of this.#senders) {
      const place = wanted.get(key);
      if (place) sender.link = place.link;
      else this.#drop(key);
    }
    for (const [key, place] of wanted) if (!this.#senders.has(key)) this.#open(key, place);
  }

  /** To all on the link, in every family. */
  send(linkId: string, bytes: Buffer): void {
    for (const { link, family, socket, isReady } of this.#senders.values()) {
      if (link.id !== linkId || !isReady) continue;
      const group = family === 'udp6' ? `${GROUP.udp6}%${link.scope}` : GROUP.udp4;
      this.#give(socket, link, bytes, { address: group, port: this.#options.port });
    }
  }

  /** To one on the link. */
  answer(linkId: string, bytes: Buffer, to: { address: string; port: number }): void {
    const family: Family = to.address.includes(':') ? 'udp6' : 'udp4';
    const fits = (one: Sender): boolean => one.link.id === linkId && one.family === family && one.isReady;
    const sender = [...this.#senders.values()].find(fits);
    if (sender) this.#give(sender.socket, sender.link, bytes, to);
  }

  /** Lets go out what was given. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#again);
    const until = performance.now() + CLOSE_MS;
    while (this.#sending > 0 && performance.now() < until) await new Promise((done) => setTimeout(done, 5));
    for (const { socket } of [...this.#senders.values(), ...this.#receivers.values()]) closeQuietly(socket);
    this.#senders.clear();
    this.#receivers.clear();
  }

  #give(socket: Socket, link: Link, bytes: Buffer, { address, port }: { address: string; port: number }): void {
    try {
      this.#sending++;
      socket.send(bytes, port, address, (fault) => {
        this.#sending--;
        if (fault && !this.#closed) this.#options.onFault(link.name, fault);
      });
    } catch (fault) {
      this.#sending--;
      this.#options.onFault(link.name, fault as Error); // closed a moment ago, with its link
    }
  }

  // ---------------------------------------------------------------- sending

  #open(key: string, { link, family, address, outgoing }: Place & { link: Link }): void {
    const socket = createSocket({ type: family, reuseAddr: true, ipv6Only: family === 'udp6' });
    const sender: Sender = { link, family, socket, isReady: false };
    this.#senders.set(key, sender);
    const failed = (fault: Error): void => {
      if (this.#senders.get(key) === sender) this.#senders.delete(key);
      closeQuietly(socket);
      this.#failed(link, fault);
    };
    socket.on('error', failed);
    socket.on('message', (bytes, from) => this.#came(bytes, from));
    socket.bind({ port: this.#options.port, address, exclusive: true }, () => {
      try {
        socket.setMulticastInterface(outgoing);
        socket.setMulticastTTL(255);
        socket.setMulticastLoopback(true); // other nodes on this machine hear it too
        sender.isReady = true;
      } catch (fault) {
        return failed(fault as Error);
      }
      this.#options.onReady(sender.link);
    });
  }

  #drop(key: string): void {
    const sender = this.#senders.get(key)!;
    this.#senders.delete(key);
    closeQuietly(sender.socket);
  }

  #failed(link: Link, fault: NodeJS.ErrnoException): void {
    if (this.#closed) return;
    if (fault.code !== 'EADDRNOTAVAIL') return this.#options.onFault(link.name, fault);
    // A link-local address is tentative at first: no fault, it only takes a while.
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      this.fit(this.#links);
    }, bounds.tentativeMs);
  }

  // ---------------------------------------------------------------- hearing

  #hear(family: Family): void {
    const places = new Map(
      this.#links.flatMap((link) =>
        placesOf(link)
          .filter((one) => one.family === family)
          .slice(0, 1)
          .map((one) => [one.join, link]),
      ),
    );
    const receiver = this.#receivers.get(family);
    if (receiver) this.#join(family, receiver, places);
    else if (places.size > 0) this.#openReceiver(family);
  }

  #openReceiver(family: Family): void {
    const socket = createSocket({ type: family, reuseAddr: true, ipv6Only: family === 'udp6' });
    const receiver: Receiver = { socket, isReady: false, joined: new Map() };
    this.#receivers.set(family, receiver);
    socket.on('error', (fault) => {
      if (this.#receivers.get(family) === receiver) this.#receivers.delete(family); // opened anew at the next look
      closeQuietly(socket);
      if (!this.#closed) this.#options.onFault(`every interface (${family})`, fault);
    });
    socket.on('message', (bytes, from) => this.#came(bytes, from));
    socket.bind({ port: this.#options.port, address: ANY[family], exclusive: true }, () => {
      receiver.isReady = true;
      socket.setMulticastLoopback(true); // on Windows it is the hearer that says so
      this.#hear(family);
    });
  }

  #join(family: Family, { socket, isReady, joined }: Receiver, places: Map<string, Link>): void {
    if (!isReady) return;
    for (const [place, outgoing] of joined) {
      if (places.has(place)) continue;
      joined.delete(place);
      try {
        socket.dropMembership(GROUP[family], outgoing);
      } catch {
        // The system did it when the interface went.
      }
    }
    for (const [place, link] of places) {
      if (joined.has(place)) continue;
      const outgoing = family === 'udp4' ? link.v4[0]! : `::%${link.scope}`;
      try {
        socket.addMembership(GROUP[family], outgoing);
        joined.set(place, outgoing);
      } catch (fault) {
        this.#options.onFault(link.name, fault as Error);
      }
    }
  }

  #came(bytes: Buffer, { address, port }: RemoteInfo): void {
    if (!this.#closed) this.#options.onPacket(bytes, { address, port });
  }
}

type Place = {
  /** Of the socket that sends. */
  key: string;
  /** Of the membership. */
  join: string;
  family: Family;
  address: string;
  outgoing: string;
};

function placesOf(link: Link): Place[] {
  const v4 = link.v4.map((address): Place => {
    return {
      key: `${link.id} ${address}`,
      join: `${link.id} ${link.v4[0]}`,
      family: 'udp4',
      address,
      outgoing: address,
    };
  });
  if (!link.v6) return v4;
  const join = `${link.id} ${link.v6Index}`;
  const address = `${link.v6}%${link.scope}`;
  return [...v4, { key: `${join} ${link.v6}`, join, family: 'udp6', address, outgoing: `::%${link.scope}` }];
}

function closeQuietly(socket: Socket): void {
  socket.removeAllListeners('message');
  socket.removeAllListeners('error').on('error', () => {}); // it is given up: nobody waits for it
  try {
    socket.close();
  } catch {
    // It never got so far as to be open.
  }
}
