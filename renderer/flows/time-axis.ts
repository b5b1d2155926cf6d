/**
 * The time line under the attempts of a run: where it begins and how long it is.
 *
 * At least a second, so that a run of some milliseconds is a bar on an axis and
 * not an axis of nothing; a clock of this computer that is behind the node's
 * never makes it negative.
 */
type Ran = { startedAt?: string | undefined; endedAt?: string | undefined };

const spanMsMin = 1_000;
/** Room at the right of what still runs. */
const ahead = 1.12;

export type Axis = { fromMs: number; toMs: number; spanMs: number };

export function axisOf(attempts: readonly Ran[], now: number, over: boolean): Axis {
  const begins = attempts.flatMap((one) => (one.startedAt ? [Date.parse(one.startedAt)] : []));
  const ends = attempts.flatMap((one) => (one.endedAt ? [Date.parse(one.endedAt)] : []));
  const fromMs = begins.reduce((least, one) => Math.min(least, one), begins[0] ?? now);
  const lastMs = [...begins, ...ends].reduce((most, one) => Math.max(most, one), over ? fromMs : now);
  const toMs = Math.max(lastMs, fromMs + spanMsMin);
  return { fromMs, toMs, spanMs: (toMs - fromMs) * (over ? 1 : ahead) };
}

/** Left edge and width of an attempt, in per cent of the axis. */
export function barOf(one: Ran, axis: Axis, now: number): { left: number; width: number } {
  if (!one.startedAt) return { left: 0, width: 0 };
  const begin = Date.parse(one.startedAt);
  const end = Math.max(begin, one.endedAt ? Date.parse(one.endedAt) : now);
  return { left: ((begin - axis.fromMs) / axis.spanMs) * 100, width: ((end - begin) / axis.spanMs) * 100 };
}
