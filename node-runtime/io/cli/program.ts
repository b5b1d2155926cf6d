/**
 * The tree of commands: names, options, examples, and which function each runs.
 *
 * Only words and wiring; what a command does is in the `*-commands` modules.
 * Help and shell completion both come from this tree, so they cannot miss a
 * command.
 */
import { Command, type Option } from 'commander';
import { limits } from '../../contract/limits.ts';
import type { Role } from '../../contract/model.ts';
import { type AuditOptions, audit } from './audit-command.ts';
import { clusterCommands } from './cluster-tree.ts';
import { completionScript, shells } from './completion.ts';
import { decide, decisions } from './decide-command.ts';
import { exitCodes } from './exit-codes.ts';
import { misused } from './failure.ts';
import * as local from './local-commands.ts';
import { listenAddress } from './parameters.ts';
import * as people from './people-commands.ts';
import * as runs from './run-commands.ts';
import * as sandboxes from './sandbox-commands.ts';
import * as secrets from './secret-commands.ts';
import {
  type Add,
  adder,
  commonOptions,
  groupOf,
  number,
  type Outside,
  option,
  seeHelp,
  sentenceOf,
  several,
} from './tree.ts';

const role = (flags: string): Option =>
  option(flags, 'what it may do')
    .choices(['viewer', 'operator', 'admin'] satisfies Role[])
    .makeOptionMandatory();
const passwordFile = (): Option => option('--password-file <file>', 'read the password from the first line of a file');

const exitCodeHelp = (): string =>
  Object.values(exitCodes)
    .map(({ code, means }) => `  ${String(code).padStart(3)}  ${means}`)
    .join('\n');

export function buildProgram(outside: Outside): Command {
  const program = new Command('binnacle')
    .description('Runs jobs on a handful to a few hundred machines, and keeps running them when one dies.')
    .enablePositionalOptions()
    .version(outside.terminal.version ?? 'unknown', '--version', 'print the version')
    .configureOutput({
      writeOut: outside.terminal.out,
      writeErr: outside.terminal.err,
      // Said once, at the edge, in the same form as every other failure.
      outputError: () => undefined,
      getOutHelpWidth: () => outside.terminal.columns,
      getErrHelpWidth: () => outside.terminal.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText(
      'after',
      `
Examples:
  binnacle demo                                    look at it, in a folder that goes away
  binnacle init --cluster lab                      make a cluster of one on this computer
  binnacle node --listen 0.0.0.0:7400              run the node
  binnacle invite --role controller,worker         let another computer in; there: binnacle join CODE
  binnacle sandbox put report.py lab/jobs/         bring a job file
  binnacle launch lab/jobs/report.py --follow      run it and see its output
  TOKEN=$(binnacle token create --role operator)   let a program in

Exit codes:
${exitCodeHelp()}`,
    );
  for (const each of commonOptions()) program.addOption(each);
  program.exitOverride((error) => {
    throw error.exitCode === 0 || error.code === 'commander.help'
      ? error
      : misused(sentenceOf(error.message), seeHelp(program));
  });
  const add = adder(outside);
  nodeCommands(program, add);
  clusterCommands(program, add);
  runCommands(program, add);
  sandboxCommands(program, add);
  peopleCommands(program, add);
  otherCommands(program, add);
  return program;
}

function nodeCommands(program: Command, add: Add): void {
  program.commandsGroup('The node of this computer:');
  add(program, 'node', {
    summary: 'run the node of a folder until it is told to stop',
    examples: ['binnacle node --listen 0.0.0.0:7400', 'binnacle node --data /srv/binnacle --name ctl-a'],
    options: [
      option('--listen <host:port>', 'open it to others; without, only this computer reaches it').argParser(
        listenAddress,
      ),
      option(
        '--peers <host:port>',
        'where the other nodes of the cluster reach it (default: the port after --listen)',
      ).argParser(listenAddress),
      option('--name <name>', 'how this node is called'),
      option('--links <kind>', 'how patient it is; all nodes of a cluster alike').choices(['lan', 'slow']),
      option(
        '--discovery <how>',
        'tell the network of this node and find others: own mDNS, also mdns-js, or not',
      ).choices(['own', 'all', 'off']),
      option('--example', 'put a sandbox with examples into a new cluster'),
    ],
    act: (context, options) => local.node(context, options),
  });
  add(program, 'init', {
    summary: 'make a cluster of one in an empty folder',
    examples: ['binnacle init --cluster lab', 'binnacle init --cluster lab --data /srv/binnacle --admin ada'],
    options: [
      option('--cluster <name>', 'name of the cluster').makeOptionMandatory(),
      option('--name <name>', 'name of this node (default: of this computer)'),
      option('--admin <name>', 'name of the first administrator'),
      passwordFile(),
    ],
    act: (context, options) => local.init(context, options),
  });
  add(program, 'join [code]', {
    summary: 'join a cluster with the code of an invite, or ask a member to be let in, in an empty folder',
    examples: [
      'binnacle join CODE',
      'binnacle join CODE --data /srv/binnacle --name borea',
      'binnacle join atlas.lan:7400 --ask      # six words to compare, and somebody there says yes',
      'binnacle join --ask                     # finds the cluster in the network',
    ],
    options: [
      option('--name <name>', 'name of this node (default: of this computer)'),
      option('--ask', 'instead of a code the address of a member, or none: a person there decides'),
    ],
    act: (context, options, [code = '']) => local.join(context, code, options),
  });
  add(program, 'demo', {
    summary: 'run a cluster with examples to look at: two controllers, a watch, two workers',
    examples: ['binnacle demo', 'binnacle demo --nodes 1', 'binnacle demo --keep ./try --no-open'],
    options: [
      number('--nodes <n>', 'how many nodes (default 5; 1 is a cluster of one)', 1, local.demoNodesMax),
      option('--keep <dir>', 'keep its data in this folder'),
      option('--no-open', 'do not open the console in a browser'),
    ],
    act: (context, options) => local.demo(context, options),
  });
  add(program, 'copy-anew', {
    summary: 'give up a damaged journal, so that the other controller gives it again',
    examples: ['binnacle copy-anew --data /srv/binnacle'],
    act: (context) => local.copyAnew(context),
  });
  add(program, 'doctor', {
    summary: 'look for what is wrong with the node of a folder',
    act: (context) => local.doctor(context),
  });
}

function runCommands(program: Command, add: Add): void {
  program.commandsGroup('Runs:');
  add(program, 'launch <sandbox> [path]', {
    summary: 'launch a job file; prints the id of the run',
    examples: [
      'binnacle launch lab jobs/report.job.yaml',
      'binnacle launch lab/jobs/report.py -p day=2026-03-01 --follow',
      'RUN=$(binnacle launch lab/nightly.sh --key nightly-2026-03-01)   # twice is once',
    ],
    options: [
      several('-p, --parameter <name=value>', 'a parameter; may be repeated'),
      option('-f, --follow', 'print the outputs until it ends; the exit code says how'),
      option('--key <key>', 'the same key launches once, however often it is sent').argParser((text) => {
        if (text !== '' && text.length <= limits.idempotencyKeyCharsMax) return text;
        throw misused(`A key has 1 to ${limits.idempotencyKeyCharsMax} characters.`);
      }),
    ],
    act: (context, options, [sandbox = '', path]) => runs.launch(context, sandbox, path, options),
  });
  add(program, 'runs', {
    summary: 'runs, newest first',
    examples: ['binnacle runs --state running,queued', 'binnacle runs --all --json'],
    options: [
      option('--state <states>', 'only these, comma between'),
      option('--sandbox <name>', 'only of this sandbox'),
      number('--limit <n>', 'how many (default 20)', 1, 1_000_000),
      option('--all', 'all that are kept'),
    ],
    act: (context, options) => runs.runs(context, options),
  });
  add(program, 'run <run>', {
    summary: 'one run with its tasks',
    act: (context, _, [id = '']) => runs.run(context, id),
  });
  add(program, 'logs <run> [task]', {
    summary: 'the outputs of a run, or of one task',
    examples: ['binnacle logs r-42', 'binnacle logs -f r-42 build', 'binnacle logs r-42 build --attempt 1'],
    options: [
      option('-f, --follow', 'go on until it ends; the exit code says how'),
      number('--attempt <n>', 'of this attempt, not the last one', 1, limits.attemptsMax),
    ],
    act: (context, options, [id = '', task]) => runs.logs(context, id, task, options),
  });
  add(program, 'cancel <run>', {
    summary: 'cancel a run: terminate, then kill',
    act: (context, _, [id = '']) => runs.cancel(context, id),
  });
  add(program, 'decide <run> <task> <decision>', {
    summary: `say what became of a task whose worker is silent: ${decisions.join(', ')}`,
    examples: [
      'binnacle decide r-42 load again        # start it elsewhere; it may then have run twice',
      'binnacle decide r-42 load succeeded    # you have seen that its work is done',
    ],
    act: (context, _, [id = '', task = '', decision = '']) => decide(context, id, task, decision),
  });
}

function sandboxCommands(program: Command, add: Add): void {
  program.commandsGroup('Files, people, programs:');
  const sandbox = groupOf(program, 'sandbox', 'files in sandboxes; a file is named like SANDBOX/path');
  add(sandbox, 'ls [target]', {
    summary: 'all sandboxes, or what is in a folder of one',
    act: (context, _, [target]) => sandboxes.list(context, target),
  });
  add(sandbox, 'create <name>', {
    summary: 'make a sandbox',
    examples: ['binnacle sandbox create lab', 'binnacle sandbox create plc --directory /srv/plc'],
    options: [
      option('--kind <kind>', 'shared (kept by the cluster) or local (a directory of one node)'),
      option('--directory <dir>', 'an existing directory of the node; makes it local'),
      option('--on <node>', 'which node holds a local one'),
      option('--description <text>', 'what it is for'),
    ],
    act: (context, options, [name = '']) => sandboxes.create(context, name, options),
  });
  add(sandbox, 'get <target> [local]', {
    summary: 'fetch a file, or a folder with -r; - prints it',
    examples: ['binnacle sandbox get lab/out/result.csv', 'binnacle sandbox get -r lab/out ./results'],
    options: [
      option('-r, --recursive', 'a folder with all in it'),
      number('--version <n>', 'an older version', 1, 1e9),
    ],
    act: (context, options, [target = '', place]) => sandboxes.get(context, target, place, options),
  });
  add(sandbox, 'put <files...>', {
    summary: 'bring files (and folders with -r); the last argument says where to',
    examples: ['binnacle sandbox put report.py lab/jobs/', 'binnacle sandbox put -r ./jobs lab/'],
    options: [
      option('-r, --recursive', 'folders with all in them'),
      option('--no-replace', 'refuse if a file of that name is there'),
    ],
    act: (context, options, args) => {
      const target = args.at(-1);
      if (args.length < 2 || target === undefined)
        throw misused('Where to?', 'binnacle sandbox put FILE… SANDBOX/path/');
      return sandboxes.put(context, args.slice(0, -1), target, options);
    },
  });
  add(sandbox, 'rm <target>', {
    summary: 'move a file or folder to the trash',
    options: [option('--whole', 'remove a whole sandbox, named without a path')],
    act: (context, options, [target = '']) => sandboxes.remove(context, target, options),
  });
  add(sandbox, 'rights <name>', {
    summary: 'show or set who may read, write and execute in a sandbox; without any the role decides',
    examples: [
      'binnacle sandbox rights lab',
      'binnacle sandbox rights lab --set everyone:r --set user:ops:rwx --set token:4f1c22aa90be:rx',
      'binnacle sandbox rights lab --clear',
    ],
    options: [
      several('--set <who:rwx>', 'everyone, user:NAME or token:ID with letters of r, w, x; all of them make the list'),
      option('--clear', 'no rights of its own: the role decides'),
    ],
    act: (context, options, [name = '']) => sandboxes.rights(context, name, options),
  });
  add(sandbox, 'history <file>', {
    summary: 'the versions of a file',
    act: (context, _, [target = '']) => sandboxes.history(context, target),
  });
  add(sandbox, 'restore <file>', {
    summary: 'make an older version the newest; also undoes rm',
    options: [number('--version <n>', 'which one, see history', 1, 1e9).makeOptionMandatory()],
    act: (context, options: { version: number }, [target = '']) => sandboxes.restore(context, target, options.version),
  });
}

function peopleCommands(program: Command, add: Add): void {
  const token = groupOf(program, 'token', 'tokens that let programs in');
  add(token, 'create', {
    summary: 'make a token and print it; it is shown only once',
    examples: [
      'binnacle token create --role operator --label ci --expires 90',
      'binnacle token create --role operator --label nightly --sandbox lab:rx    # nothing but that',
    ],
    options: [
      role('--role <role>'),
      option('--label <text>', 'what it is for'),
      number('--expires <days>', 'useless after so many days', 1, 3650),
      several('--sandbox <name:rwx>', 'limits it to this sandbox with these rights; may be repeated'),
    ],
    act: (context, options) => people.tokenCreate(context, options),
  });
  add(token, 'ls', { summary: 'all tokens', act: (context) => people.tokenList(context) });
  add(token, 'rm <token>', {
    summary: 'remove a token; it is useless at once',
    act: (context, _, [id = '']) => people.tokenRemove(context, id),
  });
  const session = groupOf(program, 'session', 'where people are signed in');
  const whose = () => [option('--user <name>', 'of this person'), option('--all', 'of everybody')];
  add(session, 'ls', {
    summary: 'where you are signed in; administrators see others too',
    examples: ['binnacle session ls --all', 'binnacle session ls --user ops'],
    options: whose(),
    act: (context, options) => people.sessionList(context, options),
  });
  add(session, 'end <session>', {
    summary: 'end a session; it is useless at once, at every node',
    act: (context, _, [id = '']) => people.sessionEnd(context, id),
  });
  add(session, 'end-all', {
    summary: 'sign out everywhere',
    examples: ['binnacle session end-all --user ops'],
    options: whose(),
    act: (context, options) => people.sessionEndAll(context, options),
  });
  const secret = groupOf(program, 'secret', 'secrets by name, given to the tasks that name them');
  add(secret, 'ls', { summary: 'all secrets, without their values', act: (context) => secrets.secretList(context) });
  add(secret, 'set <name>', {
    summary: 'save a secret or give it a new value; asks for it without showing it',
    examples: [
      'binnacle secret set DB_PASSWORD',
      'pass show db | binnacle secret set DB_PASSWORD --stdin',
      'binnacle secret set SSH_KEY --file ~/.ssh/id_lab --description "for the plant"',
    ],
    options: [
      option('--stdin', 'take the value from standard input'),
      option('--file <file>', 'take the value from a file'),
      option('--description <text>', 'what it is for; everybody may read it'),
    ],
    act: (context, options, [name = '']) => secrets.secretSet(context, name, options),
  });
  add(secret, 'rm <name>', {
    summary: 'remove a secret; what names it can no longer start',
    act: (context, _, [name = '']) => secrets.secretRemove(context, name),
  });
  const user = groupOf(program, 'user', 'people who may sign in');
  add(user, 'ls', { summary: 'all people', act: (context) => people.userList(context) });
  add(user, 'add <name>', {
    summary: 'add a person; the password is asked for, or read from stdin',
    options: [role('--role <role>'), passwordFile()],
    act: (context, options, [name = '']) => people.userAdd(context, name, options),
  });
  add(user, 'passwd <name>', {
    summary: 'set a new password',
    options: [passwordFile()],
    act: (context, options, [name = '']) => people.userPassword(context, name, options),
  });
  add(user, 'role <name>', {
    summary: 'change what a person may do',
    options: [role('--role <role>')],
    act: (context, options: { role: Role }, [name = '']) => people.userRole(context, name, options.role),
  });
  add(user, 'rm <name>', {
    summary: 'remove a person',
    act: (context, _, [name = '']) => people.userRemove(context, name),
  });
  add(program, 'audit', {
    summary: 'who did what, from where, when; newest first',
    examples: [
      'binnacle audit --who noor --since 7d',
      'binnacle audit --act people                       # or cluster, files, runs; or one act: userChanged',
      'binnacle audit --subject line-qa --text nightly',
      'binnacle audit --since 2026-03-01 --export march.csv',
    ],
    options: [
      option('--who <name>', 'of this person; token:ID, desktop or node for others'),
      option('--act <act>', 'only this area (people, cluster, files, runs) or this act'),
      option('--subject <name>', 'only what was done to this person, node, sandbox or run'),
      option('--via <node>', 'only what came through this node'),
      option('--since <time>', 'a date, a time, or how long ago: 30min, 2h, 7d'),
      option('--until <time>', 'before this time'),
      option('--text <text>', 'somewhere in what is told'),
      number('--limit <n>', 'how many (default 20)', 1, 1_000_000),
      option('--all', 'all there is'),
      option('--export <file>', 'all of it into FILE.csv (spreadsheets) or FILE.jsonl (lines of JSON)'),
    ],
    act: (context, options: AuditOptions) => audit(context, options),
  });
}

function otherCommands(program: Command, add: Add): void {
  program.commandsGroup('Other:');
  program.helpCommand('help [command]', 'how a command is used');
  add(program, 'completion <shell>', {
    summary: `print completion for ${shells.join(', ')}`,
    examples: [
      'source <(binnacle completion bash)',
      'binnacle completion fish > ~/.config/fish/completions/binnacle.fish',
    ],
    act: async (context, _, [shell = '']) => {
      context.terminal.out(completionScript(program, shell));
      return exitCodes.ok.code;
    },
  });
}
