/** What will happen, by time; a binary heap. Equal times keep the order in which they were added. */
export type Due = { at: number; order: number; happens: () => void };

export function dueQueue() {
  const heap: Due[] = [];
  let order = 0;
  const before = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
  return {
    size: () => heap.length,
    nextAt: () => heap[0]?.at ?? Number.POSITIVE_INFINITY,
    add(at: number, happens: () => void): void {
      const due = { at, order: order++, happens };
      let place = heap.push(due) - 1;
      while (place > 0) {
        const parent = (place - 1) >> 1;
        if (!before(due, heap[parent]!)) break;
        heap[place] = heap[parent]!;
        place = parent;
      }
      heap[place] = due;
    },
    take(): Due | undefined {
      const first = heap[0];
      const last = heap.pop();
      if (heap.length === 0 || !last) return first;
      let place = 0;
      for (;;) {
        let child = place * 2 + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
        if (!before(heap[child]!, last)) break;
        heap[place] = heap[child]!;
        place = child;
      }
      heap[place] = last;
      return first;
    },
  };
}
