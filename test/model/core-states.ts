/**
 * Millions of states in little memory: each is a row of small numbers, kept
 * once, with the row it came from and the step between them.
 *
 * Rows are compared whole, so no two states are ever taken for one.
 */
const CHUNK = 1 << 16;

export type Rows = ReturnType<typeof newRows>;

export function newRows(width: number) {
  const rows: Uint32Array[] = [];
  const parents: Uint32Array[] = [];
  const steps: Uint32Array[] = [];
  let capacity = 1 << 16;
  let places = new Int32Array(capacity).fill(-1);
  let hashes = new Uint32Array(capacity);
  let count = 0;

  function hashOf(row: Uint32Array): number {
    let hash = 0x9e37_79b1;
    for (let place = 0; place < width; place++) {
      hash = Math.imul(hash ^ row[place]!, 0x85eb_ca6b);
      hash ^= hash >>> 15;
      hash = Math.imul(hash, 0xc2b2_ae35);
      hash ^= hash >>> 13;
    }
    return hash >>> 0;
  }

  function isAt(index: number, row: Uint32Array): boolean {
    const chunk = rows[index >>> 16]!;
    const from = (index & (CHUNK - 1)) * width;
    for (let place = 0; place < width; place++) if (chunk[from + place] !== row[place]) return false;
    return true;
  }

  function grow(): void {
    const [old, oldHashes] = [places, hashes];
    capacity *= 2;
    places = new Int32Array(capacity).fill(-1);
    hashes = new Uint32Array(capacity);
    old.forEach((index, from) => {
      if (index < 0) return;
      let place = oldHashes[from]! & (capacity - 1);
      while (places[place]! >= 0) place = (place + 1) & (capacity - 1);
      places[place] = index;
      hashes[place] = oldHashes[from]!;
    });
  }

  return {
    size: () => count,
    /** False: it was there. */
    add(row: Uint32Array, parent: number, step: number): boolean {
      if (count * 10 > capacity * 6) grow();
      const hash = hashOf(row);
      let place = hash & (capacity - 1);
      while (places[place]! >= 0) {
        if (hashes[place] === hash && isAt(places[place]!, row)) return false;
        place = (place + 1) & (capacity - 1);
      }
      const chunk = count >>> 16;
      if (!rows[chunk]) {
        rows[chunk] = new Uint32Array(CHUNK * width);
        parents[chunk] = new Uint32Array(CHUNK);
        steps[chunk] = new Uint32Array(CHUNK);
      }
      rows[chunk]!.set(row, (count & (CHUNK - 1)) * width);
      parents[chunk]![count & (CHUNK - 1)] = parent;
      steps[chunk]![count & (CHUNK - 1)] = step;
      places[place] = count;
      hashes[place] = hash;
      count++;
      return true;
    },
    copyTo(row: Uint32Array, index: number): void {
      const from = (index & (CHUNK - 1)) * width;
      row.set(rows[index >>> 16]!.subarray(from, from + width));
    },
    parentOf: (index: number): number => parents[index >>> 16]![index & (CHUNK - 1)]!,
    stepOf: (index: number): number => steps[index >>> 16]![index & (CHUNK - 1)]!,
  };
}

/** Equal values get equal numbers; each is kept once, under its text. */
export function newNumbers<T>(textOf: (value: T) => string) {
  const numbers = new Map<string, number>();
  const values: T[] = [];
  return {
    values,
    of(value: T): number {
      const text = textOf(value);
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, values.length);
      return values.push(value) - 1;
    },
  };
}
