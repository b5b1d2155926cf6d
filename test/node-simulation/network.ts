/**
 * The simulated network between nodes: one connection for each two of them, as
 * `io/http/peers.ts` holds it.
 *
 * In order on one connection. What is on its way when a connection breaks is
 * lost, or comes late, after what a newer connection brought. A cut is noticed
 * after a while, until then one direction may still work. Both ends must know
 * each other as members. What is sent is copied, and read through its schema.
 */
import { type PeerMessage, PeerMessageShape } from '../../node-runtime/contract/peer-messages.ts';
import type { World } from './world.ts';

type Link = { open: boolean; epoch: number; dialling: boolean; arrives: Map<string, number> };

export class Network {
  slowMs = 2;
  /** Chance that a message breaks its connection. */
  breaks = 0;
  readonly blocked = new Set<string>();
  private readonly world: World;
  private readonly links = new Map<string, Link>();
  private looked = 0;

  constructor(world: World) {
    this.world = world;
  }

  private link(a: string, b: string): Link {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`;
    const known = this.links.get(key);
    if (known) return known;
    const made: Link = { open: false, epoch: 0, dialling: false, arrives: new Map() };
    this.links.set(key, made);
    return made;
  }

  private mayConnect(a: string, b: string): boolean {
    const [one, other] = [this.world.nodes.get(a), this.world.nodes.get(b)];
    if (!one?.up || !other?.up || this.blocked.has(`${a}>${b}`) || this.blocked.has(`${b}>${a}`)) return false;
    return one.knows(b) && other.knows(a) && (one.isController() || other.isController());
  }

  /** Dials again and again where it is wanted. */
  look(): void {
    const names = [...this.world.nodes.keys()];
    for (const [place, a] of names.entries()) {
      for (const b of names.slice(place + 1)) {
        const link = this.link(a, b);
        if (link.open && !(this.world.node(a).knows(b) && this.world.node(b).knows(a))) this.break(a, b);
        if (link.open || link.dialling || !this.mayConnect(a, b)) continue;
        link.dialling = true;
        this.world.after(5 + this.world.chance.next() * 60, () => this.opened(a, b, link));
      }
    }
  }

  private opened(a: string, b: string, link: Link): void {
    link.dialling = false;
    if (link.open || !this.mayConnect(a, b)) return;
    link.open = true;
    link.epoch++;
    for (const [at, other] of [
      [a, b],
      [b, a],
    ] as const)
      this.world.node(at).at(this.world.chance.next() * 3, () => {
        if (link.open) this.world.node(at).dispatch({ event: 'peerConnected', node: other });
      });
  }

  break(a: string, b: string): void {
    const link = this.link(a, b);
    if (!link.open) return;
    link.open = false;
    link.epoch++;
    link.arrives.clear();
  }

  breakAllOf(name: string): void {
    for (const other of this.world.nodes.keys()) if (other !== name) this.break(name, other);
  }

  send(from: string, to: string, message: PeerMessage): void {
    const { chance } = this.world;
    const link = this.link(from, to);
    if (!link.open || !this.world.node(from).knows(to)) return;
    if (this.blocked.has(`${from}>${to}`)) {
      const { epoch } = link;
      this.world.after(300 + chance.next() * 1_200, () => link.epoch === epoch && this.break(from, to));
      return;
    }
    if (chance.happens(this.breaks)) return this.break(from, to);
    const copy = this.copied(from, message);
    const slowly = chance.happens(0.01) ? 30 : 1;
    const at = Math.max(link.arrives.get(from) ?? 0, this.world.now + this.slowMs * (0.5 + chance.next()) * slowly);
    link.arrives.set(from, at);
    const { epoch } = link;
    const survives = chance.happens(0.3); // of what is on its way when the connection breaks
    this.world.after(at - this.world.now, () => {
      if (link.epoch !== epoch && !survives) return;
      const target = this.world.node(to);
      if (!target.up || this.blocked.has(`${from}>${to}`) || !target.knows(from)) return;
      target.at(0, () => target.hear(from, copy));
    });
  }

  /** As it comes out of the frames at the other end. What the schema refuses would be dropped there: a fault. */
  private copied(from: string, message: PeerMessage): PeerMessage {
    const copy = JSON.parse(JSON.stringify(message)) as PeerMessage;
    if (message.kind !== 'member' || this.looked++ % 8 === 0) {
      const read = PeerMessageShape.safeParse(copy);
      if (!read.success)
        this.world.fail(`${from} sends a ${message.kind} that nobody can read: ${read.error.issues[0]?.message}`);
    }
    return copy;
  }
}
