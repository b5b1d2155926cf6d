/**
 * A queue that gives the smallest first, in logarithmic time. Entries that
 * have become void are dropped when they come up, or all at once by `sweep`,
 * which happens by itself often enough that they never pile up.
 */
export class Heap<T> {
  #items: T[] = [];
  readonly #before: (a: T, b: T) => boolean;
  #sweepAt = 1_024;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  /** In no order. */
  all(): readonly T[] {
    return this.#items;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#rise(this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    const last = this.#items.pop();
    if (first === undefined || last === undefined || this.#items.length === 0) return first;
    this.#items[0] = last;
    this.#sink(0);
    return first;
  }

  /** Drops void entries when the queue has doubled since the last time. */
  sweepWhenGrown(isValid: (item: T) => boolean): void {
    if (this.#items.length < this.#sweepAt) return;
    this.#items = this.#items.filter(isValid);
    for (let at = (this.#items.length >>> 1) - 1; at >= 0; at--) this.#sink(at);
    this.#sweepAt = Math.max(1_024, 2 * this.#items.length);
  }

  #rise(start: number): void {
    const items = this.#items;
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.#before(items[at]!, items[parent]!)) return;
      [items[at], items[parent]] = [items[parent]!, items[at]!];
      at = parent;
    }
  }

  #sink(start: number): void {
    const items = this.#items;
    let at = start;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < items.length && this.#before(items[child]!, items[least]!)) least = child;
      }
      if (least === at) return;
      [items[at], items[least]] = [items[least]!, items[at]!];
      at = least;
    }
  }
}
