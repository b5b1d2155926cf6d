/**
 * One framed connection with one node whose identity is proved.
 *
 * Messages of one turn of the event loop leave in one write. What does not fit
 * the queue is dropped and counted, never waited for. The connection is judged
 * by what arrives on it: a kernel answers for a stopped process, so only bytes
 * of the node itself count as life, and time in which this process did not run
 * counts for nothing.
 *
 * A dialled connection is open when the other side has spoken: in TLS 1.3 a
 * client that is refused learns it only after its own handshake is over.
 */
import type { TLSSocket } from 'node:tls';
import type { Bounds } from './bounds.ts';
import { FrameBroken, FrameReader, pingFrame, pongFrame } from './peer-frames.ts';

export type LinkTold = {
  opened(link: PeerLink): void;
  message(link: PeerLink, message: unknown, bytes: number): void;
  closed(link: PeerLink, why: string): void;
};

export class PeerLink {
  readonly node: string;
  readonly dialled: boolean;
  openedAt: number | null = null;
  heardAt: number | null = null;
  roundTripMs: number | null = null;
  readonly socket: TLSSocket;
  readonly #bounds: Bounds;
  readonly #told: LinkTold;
  readonly #reader: FrameReader;
  #ended = false;
  #finishing = false;
  #corked = false;
  #sentAt: number;
  /** Silence is counted from here. */
  #quietFrom: number;
  #ping = { number: 0, firstAt: 0, lastAt: 0, answered: true };

  constructor(socket: TLSSocket, node: string, dialled: boolean, bounds: Bounds, told: LinkTold) {
    this.node = node;
    this.dialled = dialled;
    this.socket = socket;
    this.#bounds = bounds;
    this.#told = told;
    this.#reader = new FrameReader(bounds.peerFrameBytesMax);
    this.#sentAt = this.#quietFrom = performance.now();
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => this.#take(piece));
    socket.on('error', (fault) => this.end(fault.message));
    socket.on('end', () => this.end('It closed the connection.'));
    socket.on('close', () => this.end('The connection was closed.'));
  }

  /** Tells that it is there. Apart from the constructor, so that the owner knows the link when it is told. */
  begin(): void {
    if (!this.dialled) this.#open();
    this.#sendPing(performance.now());
  }

  get isOpen(): boolean {
    return this.openedAt !== null && !this.#ended && !this.#finishing;
  }

  /** Bytes that have not left this process. */
  get waitingBytes(): number {
    return this.socket.writableLength;
  }

  write(frame: Buffer): void {
    if (this.#ended || this.#finishing) return;
    if (!this.#corked) {
      this.#corked = true;
      this.socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.socket.uncork();
      });
    }
    this.#sentAt = performance.now();
    this.socket.write(frame);
  }

  /** `pausedMs`: how long this process has not run since the last tick. */
  tick(now: number, pausedMs: number): void {
    this.#quietFrom = Math.min(now, this.#quietFrom + pausedMs);
    const silentMs = now - this.#quietFrom;
    const bounds = this.#bounds;
    if (this.openedAt === null && silentMs > bounds.peerHandshakeMs) return this.end('It did not speak in time.');
    if (silentMs > bounds.peerSilenceMs) return this.end(`Nothing was heard of it for ${Math.round(silentMs)} ms.`);
    const isQuiet = now - this.#sentAt >= bounds.peerPingMs || silentMs >= bounds.peerPingMs;
    if (isQuiet && now - this.#ping.lastAt >= bounds.peerPingMs) this.#sendPing(now);
  }

  /** At once; what was not sent is lost. */
  end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.socket.destroy();
    this.#told.closed(this, why);
  }

  /** Lets go out what was written, then closes. */
  async finish(graceMs: number): Promise<void> {
    if (this.#ended) return;
    this.#finishing = true;
    await new Promise<void>((done) => {
      const timer = setTimeout(done, graceMs);
      this.socket.once('close', done);
      this.socket.end(() => {
        clearTimeout(timer);
        done();
      });
    });
    this.end('This node is stopping.');
  }

  #open(): void {
    this.openedAt = performance.now();
    this.#told.opened(this);
  }

  #take(piece: Buffer): void {
    if (this.#ended) return;
    this.heardAt = this.#quietFrom = performance.now();
    try {
      for (const { frame, bytes } of this.#reader.take(piece)) {
        if (this.openedAt === null) this.#open();
        if ('message' in frame) this.#told.message(this, frame.message, bytes);
        else if ('ping' in frame) this.#answer(frame.ping);
        else this.#answered(frame.pong);
        if (this.#ended) return;
      }
    } catch (fault) {
      if (!(fault instanceof FrameBroken)) throw fault; // ours, of whoever took the message
      this.end(fault.message);
    }
  }

  /** Nothing is said to who does not read: a ping would only wait behind what waits. */
  #sendPing(now: number): void {
    if (this.waitingBytes > this.#bounds.peerQueueBytesMax / 2) return;
    if (this.#ping.answered) this.#ping = { number: this.#ping.number + 1, firstAt: now, lastAt: now, answered: false };
    this.#ping.lastAt = now;
    this.write(pingFrame(this.#ping.number));
  }

  #answer(number: number): void {
    if (this.waitingBytes <= this.#bounds.peerQueueBytesMax) this.write(pongFrame(number));
  }

  #answered(number: number): void {
    if (number !== this.#ping.number || this.#ping.answered) return;
    this.#ping.answered = true;
    this.roundTripMs = performance.now() - this.#ping.firstAt;
  }
}
