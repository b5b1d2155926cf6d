/**
 * "Did you mean …?": the known name that is nearest to a misspelt one.
 *
 * Pure and bounded: long names are not compared, and at most a third of the
 * letters may differ, so that the suggestion is one a person would make.
 */
const CHARS_MAX = 64;
const CANDIDATES_MAX = 1_000;

/** The nearest of `known`, or null when none is near. */
export function similarName(name: string, known: Iterable<string>): string | null {
  if (name.length > CHARS_MAX) return null;
  const lower = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  let seen = 0;
  for (const candidate of known) {
    if (++seen > CANDIDATES_MAX) break;
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = letterDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

export function didYouMean(name: string, known: Iterable<string>): string | undefined {
  const similar = similarName(name, known);
  return similar === null ? undefined : `Did you mean ${similar}?`;
}

/** Letters to change, add, drop or swap with their neighbour. */
function letterDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(last[column]! + 1, next[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, before[column - 2]! + 1);
      next.push(cost);
    }
    [before, last] = [last, next];
  }
  return last[b.length]!;
}
