/**
 * When a byte of output was written, from the marks that the runner left.
 *
 * A mark says "by this time the output was this long", so what was written
 * between two marks came at the later one at the latest, and the runner looks
 * often. Lines newer than the last mark get that one, and where no mark is
 * known yet the start of the attempt: never later than the truth.
 */
export type TimeMark = { offset: number; at: number };

/** `marks` grow in both; gives ms, or null when not even the start is known. */
export function timeOfByte(marks: readonly TimeMark[], offset: number, startedAt: number | null): number | null {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle]!.offset > offset) high = middle;
    else low = middle + 1;
  }
  return marks[low]?.at ?? marks.at(-1)?.at ?? startedAt;
}
