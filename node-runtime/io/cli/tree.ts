/**
 * What the tree of commands is built with: options, leaves, groups.
 *
 * The common options may stand before the command or after it; a mistake is
 * told in one form everywhere. Knows no command by name.
 */
import { type Command, Option } from 'commander';
import { type Common, type Context, contextOf } from './context.ts';
import { misused } from './failure.ts';
import type { LocalActs, Terminal } from './outside.ts';
import { wholeNumber } from './parameters.ts';

export type Outside = { acts: LocalActs; terminal: Terminal; ended(code: number): void };
type Act = (context: Context, options: never, args: string[]) => Promise<number>;
type Leaf = { summary: string; examples?: string[]; options?: Option[]; act: Act };
export type Add = (parent: Command, usage: string, leaf: Leaf) => void;

export const option = (flags: string, description: string): Option => new Option(flags, description);
export const number = (flags: string, description: string, min: number, max: number): Option =>
  option(flags, description).argParser(wholeNumber(flags.replace(/ .*/, ''), min, max));
/** An option that may be given several times; each adds to the list. */
export const several = (flags: string, description: string): Option =>
  option(flags, description).argParser((text: string, earlier: string[] = []) => [...earlier, text]);

/** Not shared between commands: an Option remembers the command it belongs to. */
export function commonOptions(): Option[] {
  return [
    option('--data <dir>', 'the folder of a node of this computer (BINNACLE_DATA)').helpGroup('Which node:'),
    option('--url <https://host:port>', 'a node by address (BINNACLE_URL)').helpGroup('Which node:'),
    option('--token <token>', 'token for that address (BINNACLE_TOKEN)').helpGroup('Which node:'),
    option('--fingerprint <sha256>', 'of its certificate, or of its authority (BINNACLE_FINGERPRINT)').helpGroup(
      'Which node:',
    ),
    option('--ca <file>', 'or the authority that signed it, PEM (BINNACLE_CA)').helpGroup('Which node:'),
    number('--retry-for <seconds>', 'repeat a change while nobody answers (default 30)', 0, 3600).helpGroup(
      'Which node:',
    ),
    option('--json', 'print JSON: one document, or one a line for streams').helpGroup('Output:'),
    option('--verbose', 'show the cause of a failure').helpGroup('Output:'),
  ];
}

export const sentenceOf = (message: string): string => {
  const text = message.replace(/^error: /, '').replace(/\n/g, ' ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!)]$/.test(text) ? '' : '.'}`;
};

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}
export const seeHelp = (command: Command): string => `See: ${nameOf(command)} --help`;

export function adder({ acts, terminal, ended }: Outside): Add {
  return (parent, usage, { summary, examples, options, act }) => {
    const command = parent.command(usage).description(summary);
    for (const each of [...(options ?? []), ...commonOptions()]) command.addOption(each);
    if (examples) command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`);
    command.exitOverride((error) => {
      throw error.exitCode === 0 ? error : misused(sentenceOf(error.message), seeHelp(command));
    });
    command.action(async () => {
      const given: Common = command.optsWithGlobals();
      const context = contextOf(terminal, acts, given);
      ended(await act(context, given as never, command.args));
    });
  };
}

export function groupOf(program: Command, name: string, summary: string): Command {
  const group = program.command(name).description(summary);
  return group.exitOverride((error) => {
    throw error.exitCode === 0 || error.code === 'commander.help'
      ? error
      : misused(sentenceOf(error.message), seeHelp(group));
  });
}
