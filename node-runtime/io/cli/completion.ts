/**
 * Completion scripts for shells, made from the tree of commands.
 *
 * Completes commands and options; anything else falls back to file names. Asks
 * no node, so it is quick and works anywhere. zsh uses the bash script through
 * its own compatibility layer.
 */
import type { Command } from 'commander';
import { misused } from './failure.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;

export function completionScript(program: Command, shell: string): string {
  if (shell === 'bash') return bashScript(program);
  if (shell === 'zsh') return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(program)}`;
  if (shell === 'fish') return fishScript(program);
  throw misused(`There is no completion for "${shell}".`, `Shells: ${shells.join(', ')}.`);
}

type Place = { command: Command; path: string[] };

function placesOf(command: Command, path: string[] = []): Place[] {
  return [{ command, path }, ...command.commands.flatMap((each) => placesOf(each, [...path, each.name()]))];
}

const flagsOf = (command: Command): string[] =>
  [...command.options.flatMap((each) => [each.long, each.short]), '--help'].filter((flag) => flag != null);

function bashScript(program: Command): string {
  const places = placesOf(program);
  const walk = places.filter(({ path }) => path.length > 0).map(({ path }) => `      '${path.join(' ')}'`);
  const cases = places.map(({ command, path }) => {
    const words = [...command.commands.map((each) => each.name()), ...flagsOf(command)];
    return `    '${path.join(' ')}') words='${words.join(' ')}' ;;`;
  });
  return `_binnacle() {
  local current="\${COMP_WORDS[COMP_CWORD]}" at='' words='' next i
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${at:+$at }\${COMP_WORDS[i]}"
    case "$next" in
${walk.join(' | \\\n')}) at="$next" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _binnacle binnacle
`;
}

const quoted = (text: string): string => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;

function fishScript(program: Command): string {
  const lines = placesOf(program).flatMap(({ command, path }) => {
    const names = command.commands.map((each) => each.name());
    const here = conditionOf(path, names);
    const commands = command.commands.map(
      (each) => `complete -c binnacle -f -n ${quoted(here)} -a ${each.name()} -d ${quoted(each.description())}`,
    );
    const options = command.options.map((each) => {
      const short = each.short ? ` -s ${each.short.slice(1)}` : '';
      const long = each.long ? ` -l ${each.long.slice(2)}` : '';
      const value = each.required ? ' -r' : '';
      return `complete -c binnacle -n ${quoted(here)}${short}${long}${value} -d ${quoted(each.description)}`;
    });
    return [...commands, ...options];
  });
  return `${lines.join('\n')}\n`;
}

/** True where the words so far name exactly this command. */
function conditionOf(path: string[], below: string[]): string {
  if (path.length === 0) return '__fish_use_subcommand';
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const notBelow = below.length > 0 ? [`not __fish_seen_subcommand_from ${below.join(' ')}`] : [];
  return [...seen, ...notBelow].join('; and ');
}
