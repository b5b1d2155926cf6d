/**
 * Reads a password or a secret: from a terminal without showing it, from a file, or from
 * stdin of a script. Never from an argument, which others could see in the
 * list of processes and in a shell's history.
 */
import { readFile } from 'node:fs/promises';
import { limits } from '../../contract/limits.ts';
import { fileFailure, interrupted, misused } from './failure.ts';
import type { Terminal, TerminalInput } from './outside.ts';

/** What may come before the end of a line: a bound, so that a wrong file is not read whole. */
const inputCharsMax = limits.secretBytesMax;

export async function newPassword(terminal: Terminal, name: string, file: string | undefined): Promise<string> {
  const password = await readPassword(terminal, `New password of ${name}`, file);
  if (file === undefined && terminal.stdin.isTTY && (await prompt(terminal, 'Once more')) !== password) {
    throw misused('The two passwords are not the same.');
  }
  return checked(password);
}

/** Null when nobody gave one and nobody can be asked for one. */
export async function passwordFromFile(file: string | undefined): Promise<string | undefined> {
  return file === undefined ? undefined : checked(await fromFile(file));
}

export type SecretFrom = { stdin?: boolean; file?: string };

/** The value of a secret, all lines of it; one end of line at its end is not part of it. */
export async function newSecret(terminal: Terminal, name: string, { stdin, file }: SecretFrom): Promise<string> {
  if (stdin === true && file !== undefined) throw misused('Either --stdin or --file, not both.');
  if (file !== undefined) {
    const text = await readFile(file, 'utf8').catch((fault: unknown) => Promise.reject(fileFailure(file, fault)));
    return fitting(text.replace(/\r?\n$/, ''));
  }
  if (stdin === true) return fitting((await whole(terminal.stdin)).replace(/\r?\n$/, ''));
  if (!terminal.stdin.isTTY)
    throw misused('There is nobody to type the value.', 'Give it with --stdin or --file; never as an argument.');
  const value = await prompt(terminal, `Value of ${name}`);
  if ((await prompt(terminal, 'Once more')) !== value) throw misused('The two values are not the same.');
  return fitting(value);
}

function fitting(value: string): string {
  const { secretCharsMin: min, secretBytesMax: max } = limits;
  if (value.trim().length < min)
    throw misused(
      `A secret has at least ${min} characters: a shorter one could not be kept out of the output of jobs.`,
    );
  if (Buffer.byteLength(value) > max) throw misused(`A secret has at most ${max} bytes.`);
  return value;
}

async function whole(stdin: TerminalInput): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const part of stdin) {
    text += part;
    if (text.length > limits.secretBytesMax + 2) break; // more than there may be, also without its end
  }
  return text;
}

function checked(password: string): string {
  const { passwordCharsMin: min, passwordCharsMax: max } = limits;
  if (password.length >= min && password.length <= max) return password;
  throw misused(`A password has ${min} to ${max} characters; this one has ${password.length}.`);
}

async function readPassword(terminal: Terminal, asked: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return fromFile(file);
  return terminal.stdin.isTTY ? prompt(terminal, asked) : firstLine(terminal.stdin);
}

async function fromFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((fault: unknown) => Promise.reject(fileFailure(file, fault)));
  return withoutEnd(text);
}

const withoutEnd = (text: string): string => text.replace(/\r?\n[\s\S]*$/, '');

async function firstLine(stdin: TerminalInput): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const part of stdin) {
    text += part;
    if (text.includes('\n') || text.length > inputCharsMax) break;
  }
  return withoutEnd(text);
}

/** One line in raw mode: nothing is echoed, backspace and Ctrl-U work, Ctrl-C and Ctrl-D give up. */
async function prompt(terminal: Terminal, asked: string): Promise<string> {
  const { stdin } = terminal;
  terminal.err(`${asked}: `);
  stdin.setEncoding('utf8');
  stdin.setRawMode?.(true);
  try {
    return await new Promise((done, fail) => {
      let typed = '';
      const take = (part: string | Buffer): void => {
        for (const sign of String(part)) {
          if (sign === '\r' || sign === '\n') {
            end(() => done(typed));
            break;
          }
          if (sign === '\u0003' || sign === '\u0004') {
            end(() => fail(interrupted()));
            break;
          }
          if (sign === '\u007f' || sign === '\b') typed = [...typed].slice(0, -1).join('');
          else if (sign === '\u0015') typed = '';
          else if (sign >= ' ' && typed.length < inputCharsMax) typed += sign;
        }
      };
      const gone = (): void => end(() => fail(interrupted()));
      const end = (settle: () => void): void => {
        stdin.removeListener('data', take);
        stdin.removeListener('end', gone);
        stdin.pause();
        settle();
      };
      stdin.on('data', take);
      stdin.once('end', gone);
      stdin.resume();
    });
  } finally {
    stdin.setRawMode?.(false);
    terminal.err('\n');
  }
}
