/**
 * When a link is due an announcement or a question. Pure: the clock and chance
 * come in.
 *
 * Questions multiply: each is answered by every node. So answers to all are at
 * most one in `replyEveryMs`, which keeps what came meanwhile, and nobody asks
 * what another has just asked, for the answers go to all.
 */
import { bounds } from './bounds.ts';

export class Turns {
  readonly #chance: () => number;
  #announceAtMs: number[] = [];
  #isAsked = false;
  #queryAtMs: number[] = [];
  #queryAgainAtMs = 0;
  #announcedAtMs = Number.NEGATIVE_INFINITY;

  /** A link came. `chance` gives 0 to 1. */
  constructor(nowMs: number, chance: () => number) {
    this.#chance = chance;
    this.#queryAtMs = bounds.queryAtMs.map((afterMs) => nowMs + afterMs);
    this.#queryAgainAtMs = this.#laterThan(nowMs);
    this.announceAnew(nowMs);
  }

  /** There is news of this node. */
  announceAnew(nowMs: number): void {
    this.#announceAtMs = bounds.announceAtMs.map((afterMs) => nowMs + afterMs);
  }

  /** Somebody wants to hear of this node. */
  asked(): void {
    this.#isAsked = true;
  }

  /** Somebody asked what this node would ask. The first few questions are asked all the same: answers may be lost. */
  otherAsked(nowMs: number): void {
    this.#queryAgainAtMs = this.#laterThan(nowMs);
  }

  /** What is to be sent now; it counts as sent. */
  take(nowMs: number): { announce: boolean; query: boolean } {
    const mayAnnounce = nowMs - this.#announcedAtMs >= bounds.replyEveryMs;
    const announce = mayAnnounce && (this.#isAsked || this.#announceAtMs.some((atMs) => atMs <= nowMs));
    if (announce) {
      this.#isAsked = false;
      this.#announcedAtMs = nowMs;
      this.#announceAtMs = this.#announceAtMs.filter((atMs) => atMs > nowMs);
    }
    const query = this.#queryAgainAtMs <= nowMs || this.#queryAtMs.some((atMs) => atMs <= nowMs);
    if (query) {
      this.#queryAgainAtMs = this.#laterThan(nowMs);
      this.#queryAtMs = this.#queryAtMs.filter((atMs) => atMs > nowMs);
    }
    return { announce, query };
  }

  #laterThan(nowMs: number): number {
    return nowMs + bounds.queryEveryMs + this.#chance() * bounds.querySpreadMs;
  }
}
