/**
 * Reads the small languages of arguments: `name=value`, numbers, addresses.
 *
 * Pure. What is wrong is a usage failure with a sentence that names it.
 */
import { misused } from './failure.ts';

/** `-p name=value …`; the value may hold further `=`. A name given twice is a mistake, not a choice. */
export function readParameters(texts: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1) throw misused(`"${text}" is no parameter.`, 'Write it like -p name=value.');
    const name = text.slice(0, at);
    if (found.has(name)) throw misused(`The parameter "${name}" is given twice.`);
    found.set(name, text.slice(at + 1));
  }
  return found;
}

/** A whole number between bounds, as a parser for an option. */
export const wholeNumber =
  (what: string, min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw misused(`${what} is a whole number from ${min} to ${max}, not "${text}".`);
    }
    return value;
  };

const portOf = (text: string): number => {
  const port = /^(?:\[[0-9a-fA-F:.]+\]|[^:\s/]+):(\d{1,5})$/.exec(text)?.[1];
  return port === undefined || Number(port) > 65_535 ? -1 : Number(port);
};

/** `host:port`, `[v6]:port`; port 0 lets the system choose. Returned as given. */
export function listenAddress(text: string): string {
  if (portOf(text) >= 0) return text;
  throw misused(`"${text}" is no address to listen at.`, 'Write it like 0.0.0.0:7400 or [::]:7400.');
}
