/**
 * Numbers as people read them: sizes, durations, times of day.
 *
 * Sizes are decimal (1 kB = 1,000 B). Times are local; a time of another day
 * carries its day. Everything takes its "now" as an argument.
 */
const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** 611 → "611 B", 2_100 → "2.1 kB". */
export function sizeOf(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** 212 → "212 ms", 8_400 → "8.4 s", 192_000 → "3 m 12 s". */
export function durationOf(ms: number): string {
  if (ms < 0) return '0 s';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const s = Math.round(ms / 1_000);
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} m ${String(s % 60).padStart(2, '0')} s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${String(Math.floor((s % 3_600) / 60)).padStart(2, '0')} m`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3_600)} h`;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const hourMinute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayMonth = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const whole = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'medium' });

export const clockOf = (at: Date): string => clock.format(at);
export const clockMsOf = (at: Date): string => `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;

/** Today: "10:42:07". Another day: "14 Nov 16:20". Another year: "14 Nov 2024". */
export function momentOf(at: Date, now: Date): string {
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  if (at.getFullYear() === now.getFullYear()) return `${dayMonth.format(at)} ${hourMinute.format(at)}`;
  return `${dayMonth.format(at)} ${at.getFullYear()}`;
}
export const wholeMomentOf = (at: Date): string => whole.format(at);

export const countOf = (n: number): string => n.toLocaleString('en-GB');
export const plural = (n: number, one: string, many = `${one}s`): string => `${countOf(n)} ${n === 1 ? one : many}`;
