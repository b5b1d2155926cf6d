/**
 * So much a second and no more, for each of many. Pure; forgets all at the
 * turn of a second, so it holds at most `keysMax` of them.
 */
export class Quota {
  readonly #perKey: number;
  readonly #keysMax: number;
  readonly #inAll: number;
  #beganMs = Number.NEGATIVE_INFINITY;
  #taken = new Map<string, number>();
  #takenInAll = 0;

  constructor({ perKey, inAll, keysMax }: { perKey: number; inAll: number; keysMax: number }) {
    this.#perKey = perKey;
    this.#inAll = inAll;
    this.#keysMax = keysMax;
  }

  /** False: not within this second. */
  take(key: string, amount: number, nowMs: number): boolean {
    if (nowMs - this.#beganMs >= 1_000) {
      this.#beganMs = nowMs;
      this.#taken.clear();
      this.#takenInAll = 0;
    }
    const ofKey = (this.#taken.get(key) ?? 0) + amount;
    const isFull = !this.#taken.has(key) && this.#taken.size >= this.#keysMax;
    if (isFull || ofKey > this.#perKey || this.#takenInAll + amount > this.#inAll) return false;
    this.#taken.set(key, ofKey);
    this.#takenInAll += amount;
    return true;
  }
}
