/**
 * Runs one command line and gives its exit code.
 *
 * The edge of this folder: here, and only here, a failure is printed, once, as
 * a sentence and what to do next. With `--json` it is one problem document on
 * stderr. Never a stack trace; `--verbose` shows the chain of causes. Does not
 * end the process and does not read `process.argv`: that is its caller's part.
 */
import { CommanderError } from 'commander';
import { exitCodes } from './exit-codes.ts';
import { type Failure, failureOf } from './failure.ts';
import type { LocalActs, Terminal } from './outside.ts';
import { buildProgram } from './program.ts';
import { paintFor } from './table.ts';
import { plain } from './words.ts';

/** `argv` are the arguments after the program's name. */
export async function runCommandLine(argv: readonly string[], acts: LocalActs, terminal: Terminal): Promise<number> {
  let code: number = exitCodes.ok.code;
  const program = buildProgram({
    acts,
    terminal,
    ended: (given) => {
      code = given;
    },
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (fault) {
    // Help that was asked for ends well; help in place of a command does not.
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? exitCodes.ok.code : exitCodes.usage.code;
    const failure = failureOf(fault);
    print(failure, argv, terminal);
    return exitCodes[failure.exit].code;
  }
}

function print(failure: Failure, argv: readonly string[], terminal: Terminal): void {
  const options = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  if (options.includes('--json')) terminal.err(`${JSON.stringify(documentOf(failure))}\n`);
  else printForPeople(failure, terminal);
  if (options.includes('--verbose')) for (const line of causesOf(failure)) terminal.err(`${line}\n`);
}

function printForPeople(failure: Failure, terminal: Terminal): void {
  const paint = paintFor(terminal.isTty, terminal.env);
  terminal.err(`${paint('binnacle:', failure.exit === 'interrupted' ? 'yellow' : 'red')} ${plain(failure.message)}\n`);
  for (const { path, line, column, sentence, hint } of failure.problem?.problems ?? []) {
    const at = [path, line, column].filter((part) => part !== undefined && part !== '').join(':');
    terminal.err(`  ${plain(`${at ? `${at}: ` : ''}${sentence}${hint ? ` ${hint}` : ''}`)}\n`);
  }
  if (failure.next) terminal.err(`${plain(failure.next)}\n`);
}

/** The node's own document, or one of the same shape for what never reached a node. */
function documentOf(failure: Failure): object {
  if (failure.problem) return failure.problem;
  return {
    type: 'about:blank',
    title: exitCodes[failure.exit].means,
    status: 0,
    code: failure.exit,
    detail: failure.message,
    next: failure.next ?? '',
  };
}

function causesOf(failure: Failure): string[] {
  const lines: string[] = [];
  for (let cause = failure.cause; cause instanceof Error && lines.length < 10; cause = cause.cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    lines.push(`  because: ${cause.name}${code ? ` ${code}` : ''}: ${plain(cause.message)}`);
  }
  return lines;
}
