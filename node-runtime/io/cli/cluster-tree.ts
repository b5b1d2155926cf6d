/**
 * The part of the tree of commands that is about the cluster: names, options,
 * examples, and which function each runs. Only words and wiring.
 */
import type { Command, Option } from 'commander';
import type { Duty } from '../../contract/facts.ts';
import * as authority from './authority-commands.ts';
import * as cluster from './cluster-commands.ts';
import { misused } from './failure.ts';
import * as lead from './lead-commands.ts';
import * as members from './member-commands.ts';
import * as recovery from './recovery-commands.ts';
import * as asking from './request-commands.ts';
import { type Add, groupOf, number, option, several } from './tree.ts';

const duties: readonly Duty[] = ['controller', 'watch', 'worker'];
const isDuty = (text: string): text is Duty => (duties as readonly string[]).includes(text);

/** `--role controller --role worker` or `--role controller,worker`. */
const dutyOption = (): Option =>
  option('--role <role>', `what it is there for: ${duties.join(', ')}; may be repeated`)
    .argParser((text: string, earlier: Duty[] = []) => {
      const given = text.split(',').map((each) => each.trim());
      const wrong = given.find((each) => !isDuty(each));
      if (wrong !== undefined) throw misused(`"${wrong}" is no role.`, `Roles: ${duties.join(', ')}.`);
      return [...new Set([...earlier, ...given.filter(isDuty)])];
    })
    .makeOptionMandatory();

const statementChars = (text: string): string => {
  if (text.trim() !== '' && text.length <= 1_000) return text;
  throw misused('--statement is a sentence of 1 to 1000 characters.');
};
const whyChars = (text: string): string => {
  if (text.trim() !== '' && text.length <= 500) return text;
  throw misused('--why is a sentence of 1 to 500 characters.');
};

export function clusterCommands(program: Command, add: Add): void {
  program.commandsGroup('The cluster:');
  add(program, 'status', {
    summary: 'how the cluster is, what it can survive, what it waits for',
    act: (context) => cluster.status(context),
  });
  add(program, 'nodes', {
    summary: 'the nodes: what each does, what it is for, how far it is behind',
    options: [option('--discovered', 'instead, what this node hears of in the network: hints only')],
    act: (context, options: { discovered?: boolean }) =>
      options.discovered ? cluster.discovered(context) : cluster.nodes(context),
  });
  const ofAuthority = groupOf(program, 'authority', 'who signs the certificates of the nodes');
  add(ofAuthority, 'show', {
    summary: 'which it is, and how far a change of it has come',
    act: (context) => authority.show(context),
  });
  add(ofAuthority, 'rotate', {
    summary: 'put a new one in its place while all goes on',
    examples: ['binnacle authority rotate', 'binnacle authority rotate --yes --json'],
    options: [option('--yes', 'do not ask')],
    act: (context, options) => authority.rotate(context, options),
  });
  memberCommands(program, add);
  leadCommands(program, add);
}

function memberCommands(program: Command, add: Add): void {
  add(program, 'invite', {
    summary: 'make a one-time code with which a node joins; printed only once',
    examples: [
      'binnacle invite --role controller',
      'CODE=$(binnacle invite --role watch --expires 30)',
      'binnacle invite --role controller --role worker --json',
    ],
    options: [dutyOption(), number('--expires <minutes>', 'useless after so many minutes (default a day)', 1, 10_080)],
    act: (context, options) => members.invite(context, options),
  });
  const requests = groupOf(program, 'requests', 'nodes that ask to join: binnacle join ADDRESS --ask');
  add(requests, 'list', { summary: 'who asks, from where, with which words', act: (context) => asking.list(context) });
  add(requests, 'approve <request>', {
    summary: 'let a node in; the six words have to be the same on its screen',
    examples: ['binnacle requests approve 3f09ab12cd --role worker'],
    options: [dutyOption(), option('--yes', 'do not ask: the words were compared')],
    act: (context, options, [request = '']) => asking.approve(context, request, options),
  });
  add(requests, 'refuse <request>', {
    summary: 'do not let a node in',
    act: (context, _, [request = '']) => asking.refuse(context, request),
  });
  add(program, 'drain <node>', {
    summary: 'give a node no new work; what runs there runs on',
    examples: ['binnacle drain delta', 'binnacle drain delta --undo'],
    options: [option('--undo', 'let it take work again')],
    act: (context, options, [node = '']) => members.drain(context, node, options),
  });
  add(program, 'roles <node>', {
    summary: 'change what a node is there for',
    examples: ['binnacle roles cirrus --role worker', 'binnacle roles borea --role controller,worker'],
    options: [dutyOption()],
    act: (context, options, [node = '']) => members.roles(context, node, options),
  });
  add(groupOf(program, 'watch', 'the third voter, which decides who leads'), 'appoint <node>', {
    summary: 'say which node is wanted as the watch first',
    examples: ['binnacle watch appoint deck-17'],
    act: (context, _, [node = '']) => members.appointWatch(context, node),
  });
  add(program, 'remove <node>', {
    summary: 'remove a node from the cluster; asks for its name to be typed',
    examples: ['binnacle remove quay-2', 'binnacle remove quay-2 --yes'],
    options: [option('--yes', 'do not ask')],
    act: (context, options, [node = '']) => members.remove(context, node, options),
  });
}

function leadCommands(program: Command, add: Add): void {
  add(program, 'switch-over', {
    summary: 'hand the lead to the standby; nothing is lost',
    act: (context) => lead.switchOver(context),
  });
  add(program, 'park', {
    summary: 'stop for maintenance: nobody acts and nobody takes over',
    examples: ['binnacle park --why "new switch in rack B"'],
    options: [option('--why <text>', 'shown to everybody until it ends').argParser(whyChars).makeOptionMandatory()],
    act: (context, options) => lead.park(context, options),
  });
  add(program, 'activate', {
    summary: 'end a stop for maintenance at this controller',
    act: (context) => lead.activate(context),
  });
  add(program, 'parking-code <term>', {
    summary: 'stop this controller for good, and prove it with a code for: recover --proof',
    examples: ['binnacle parking-code 0.12.n-0a1b2c3d4e --data /srv/binnacle'],
    act: (context, _options, [term = '']) => recovery.parkingCode(context, term),
  });
  add(program, 'recover', {
    summary: 'show the evidence of a loss, and confirm it in words',
    examples: [
      'binnacle recover                       # shows what is known, then asks',
      'binnacle recover --show                # only looks',
      'binnacle recover --json                # only looks, for scripts',
      'binnacle recover --lost ctl-a --statement "ctl-a burned, seen by Ada" --evidence "$SEEN" --yes',
    ],
    options: [
      option('--show', 'show the evidence, confirm nothing'),
      several('--lost <node>', 'declared lost; may be repeated (default: what is suggested)'),
      option('--statement <text>', 'what you state, kept in the journal').argParser(statementChars),
      option('--evidence <text>', 'what you saw; refused when it has changed'),
      option('--proof <code>', 'the parking code of a lost controller: then nothing is taken on trust'),
      option('--chosen', 'two eras stand against each other, and this one shall go on'),
      option('--yes', 'do not ask for the words to be typed'),
    ],
    act: (context, options) => recovery.recover(context, options),
  });
  add(program, 'quarantine', {
    summary: 'entries that were cut from the journal of a node and kept aside',
    examples: ['binnacle quarantine', 'binnacle quarantine --json > quarantine.json'],
    act: (context) => recovery.quarantine(context),
  });
}
