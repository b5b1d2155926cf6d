/**
 * With what somebody signed in, in plain words, read from a User-Agent.
 *
 * It is what the program says of itself: shown so that people recognise their
 * own devices, never judged by. What is not known is shown by its first word.
 */
import { limits } from '../../contract/limits.ts';

/** In this order: each of them also calls itself by names that follow. */
const programs: [RegExp, string][] = [
  [/\bElectron\//, 'a desktop program'],
  [/\b(?:Edg|EdgA|EdgiOS)\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:HeadlessChrome|Chrome|CriOS)\//, 'Chrome'],
  [/\bChromium\//, 'Chromium'],
  [/\bVersion\/.*\bSafari\//, 'Safari'],
  [/^binnacle\//, 'the command line'],
  [/^curl\//, 'curl'],
];
const systems: [RegExp, string][] = [
  [/\bAndroid\b/, 'Android'],
  [/\b(?:iPhone|iPod)\b/, 'an iPhone'],
  [/\biPad\b/, 'an iPad'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\b(?:Macintosh|Mac OS X|Darwin)\b/i, 'macOS'],
  [/\bLinux\b|\bX11\b/i, 'Linux'],
];

/** "Firefox on Linux"; null when nothing was said. */
export function programInWords(userAgent: string | undefined): string | null {
  const said = (userAgent ?? '').slice(0, 400);
  const system = nameIn(systems, said);
  const program = nameIn(programs, said) ?? firstWord(said);
  if (program === null) return system === null ? null : `something on ${system}`;
  return (system === null ? program : `${program} on ${system}`).slice(0, limits.programWordsCharsMax);
}

const nameIn = (known: [RegExp, string][], said: string): string | null =>
  known.find(([pattern]) => pattern.test(said))?.[1] ?? null;

const firstWord = (said: string): string | null => /^[A-Za-z][A-Za-z0-9._-]{0,30}/.exec(said)?.[0] ?? null;
