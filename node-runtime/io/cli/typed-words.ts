/**
 * Asks for words to be typed before something that cannot be taken back.
 *
 * What has to be typed is shown and must be typed whole; case and spaces
 * between words do not count. Never asks where nobody can answer: a script
 * says `--yes`. Ctrl-C and the end of the input give up, and nothing was done.
 */
import { interrupted, misused } from './failure.ts';
import type { Terminal, TerminalInput } from './outside.ts';

const lineCharsMax = 4_000;

const same = (a: string, b: string): boolean => folded(a) === folded(b);
const folded = (text: string): string => text.trim().replace(/\s+/g, ' ').toLowerCase();

/** Returns when the words were typed; any other words are a "no". */
export async function wordsTyped(terminal: Terminal, words: string, signal: AbortSignal): Promise<void> {
  if (!terminal.stdin.isTTY) {
    throw misused('Nobody can be asked here, so nothing was done.', 'Look first, then give --yes.');
  }
  terminal.err(`Type ${words}\n> `);
  if (!same(await line(terminal.stdin, signal), words)) throw misused('These are other words; nothing was done.');
}

/** One line as the terminal gives it, which shows what is typed. What came after it is left for who asks next. */
function line(stdin: TerminalInput, signal: AbortSignal): Promise<string> {
  stdin.setEncoding('utf8');
  return new Promise((done, fail) => {
    let typed = '';
    const settle = (settled: () => void): void => {
      stdin.removeListener('data', take);
      stdin.removeListener('end', gone);
      signal.removeEventListener('abort', gone);
      stdin.pause();
      settled();
    };
    const take = (part: string | Buffer): void => {
      typed += String(part);
      const end = typed.search(/\r?\n/);
      if (end < 0 && typed.length <= lineCharsMax) return;
      const rest = end < 0 ? '' : typed.slice(end).replace(/^\r?\n/, '');
      settle(() => done(end < 0 ? typed : typed.slice(0, end)));
      if (rest !== '') stdin.unshift(rest);
    };
    const gone = (): void => settle(() => fail(interrupted('Nothing was done.')));
    if (signal.aborted) return gone();
    stdin.on('data', take);
    stdin.once('end', gone);
    signal.addEventListener('abort', gone, { once: true });
    stdin.resume();
  });
}
