/**
 * Durations as people write them: 45s, 10m, 1h30m, 2d, or seconds as a number.
 */
const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;

/** Milliseconds, or null when it is not a duration. A number means seconds. */
export function durationMs(written: string | number): number | null {
  if (typeof written === 'number') return Number.isFinite(written) && written >= 0 ? Math.round(written * 1_000) : null;
  const match = /^(?=\d)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/.exec(written);
  if (!match) return null;
  const [, days, hours, minutes, seconds] = match;
  const part = (digits: string | undefined, unit: keyof typeof unitsMs) => Number(digits ?? 0) * unitsMs[unit];
  return part(days, 'd') + part(hours, 'h') + part(minutes, 'm') + part(seconds, 's');
}

/** For people: `2 h 30 min`, `45 s`. */
export function durationText(ms: number): string {
  const parts: string[] = [];
  let rest = Math.round(ms / 1_000);
  for (const [seconds, unit] of [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
  ] as const) {
    if (rest >= seconds) parts.push(`${Math.floor(rest / seconds)} ${unit}`);
    rest %= seconds;
  }
  if (rest > 0 || parts.length === 0) parts.push(`${rest} s`);
  return parts.join(' ');
}
