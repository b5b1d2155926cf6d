/**
 * Commands that act in this process: init, join, node, demo, doctor.
 *
 * They only read options and print; the acts themselves are given by whoever
 * starts the command line.
 */
import type { Context } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { misused } from './failure.ts';
import type { Finding, Founded, ReadyNode } from './outside.ts';
import { passwordFromFile } from './secret-entry.ts';
import type { Colour } from './table.ts';
import { plain } from './words.ts';

type InitOptions = { cluster: string; name?: string; admin?: string; passwordFile?: string };

export async function init(context: Context, options: InitOptions): Promise<number> {
  const password = await passwordFromFile(options.passwordFile);
  const founded = await context.acts.init({
    data: context.data,
    cluster: options.cluster,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.admin === undefined ? {} : { admin: options.admin }),
    ...(password === undefined ? {} : { password }),
  });
  if (context.json) context.document({ ...founded, data: context.data });
  else showFounded(context, founded);
  return exitCodes.ok.code;
}

function showFounded(context: Context, founded: Founded): void {
  context.say(`The cluster "${founded.cluster}" was made, with the node "${founded.node}" in ${context.data}.`);
  context.say(`Fingerprint  ${founded.fingerprint}`);
  context.say(`Sign in as   ${founded.admin}`);
  if (founded.password !== null) {
    context.say(`Password     ${context.paint(founded.password, 'bold')}   (shown only this once)`);
  }
  context.say(`\nStart it: binnacle node --data ${context.data} --listen 0.0.0.0:7400`);
}

type JoinOptions = { name?: string; ask?: boolean };

export async function join(context: Context, code: string, options: JoinOptions): Promise<number> {
  const { name } = options;
  const where = { data: context.data, ...(name === undefined ? {} : { name }) };
  const joined = await (options.ask
    ? context.acts.askToJoin({
        ...where,
        address: code || (await addressFound(context)),
        onWords: (...told) => showWords(context, ...told),
      })
    : context.acts.join({ ...where, code: code || missingCode() }));
  if (context.json) context.document({ ...joined, data: context.data });
  else {
    context.say(`"${joined.node}" has joined the cluster "${joined.cluster}" as ${joined.duties.join(' and ')}.`);
    context.say(`Fingerprint  ${joined.fingerprint}`);
    context.say(`\nStart it: binnacle node --data ${context.data} --listen 0.0.0.0:7400`);
  }
  return exitCodes.ok.code;
}

const missingCode = (): never => {
  throw misused('A code is missing.', 'On a member: binnacle invite. Or ask to be let in: binnacle join --ask');
};

/** Of the one cluster that is around. Which of several is meant, a person says. */
async function addressFound(context: Context): Promise<string> {
  context.note('Looking for a cluster in the network…');
  const found = await context.acts.lookAround();
  const clusters = new Map(found.map((one) => [one.cluster, one]));
  const [only] = clusters.values();
  if (clusters.size === 1 && only && only.addresses.length > 0) return only.addresses.join(',');
  if (clusters.size === 0)
    throw misused(
      'No cluster was found in the network.',
      'Name the address of a member: binnacle join HOST:PORT --ask',
    );
  const list = [...clusters.values()].map((one) => `${plain(one.clusterName)} at ${plain(one.addresses[0] ?? '')}`);
  throw misused(`Several clusters were found: ${list.join('; ')}.`, 'Name one: binnacle join HOST:PORT --ask');
}

/** For people on stderr, what is on stdout is the result; for programs a line of its own before it. */
function showWords(context: Context, words: string[], clusterName: string): void {
  if (context.json) return context.jsonLine({ words, cluster: clusterName });
  context.note(
    `Asked the cluster that calls itself "${plain(clusterName)}". Compare these six words with its console:`,
  );
  context.note(`\n    ${context.paint(words.join('  '), 'bold')}\n`);
  context.note('If they are the same there, somebody may let this node in: binnacle requests list. Waiting for that…');
}

type NodeOptions = {
  listen?: string;
  peers?: string;
  name?: string;
  example?: boolean;
  links?: 'lan' | 'slow';
  discovery?: 'off' | 'own' | 'all';
};

export async function node(context: Context, options: NodeOptions): Promise<number> {
  return context.acts.node({
    data: context.data,
    listen: options.listen ?? null,
    peers: options.peers ?? null,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.example === undefined ? {} : { example: options.example }),
    ...(options.links === undefined ? {} : { links: options.links }),
    ...(options.discovery === undefined ? {} : { discovery: options.discovery }),
    onReady: (ready) => showReady(context, ready),
  });
}

function showReady(context: Context, ready: ReadyNode): void {
  if (context.json) {
    // Named one by one: whoever calls may hand over more than is meant to be printed.
    const { name, url, fingerprint, socketPath } = ready;
    context.jsonLine({ kind: 'ready', name, url, fingerprint, socketPath });
    return;
  }
  context.say(`Node ${context.paint(ready.name, 'bold')} is ready.`);
  if (ready.url === null) context.say('It is reached on this computer only; --listen HOST:PORT opens it to others.');
  else {
    context.say(`Console      ${ready.url}`);
    context.say(`Fingerprint  ${ready.fingerprint}`);
  }
}

/** Two controllers, a watch, two workers; more are workers. */
const demoNodes = 5;
export const demoNodesMax = 12;
export async function copyAnew(context: Context): Promise<number> {
  const { aside, from } = await context.acts.copyAnew({ data: context.data });
  if (context.json) context.document({ aside, from });
  else {
    context.say(`The damaged journal was put aside: ${aside}`);
    context.say(`Start the node again: it gets all of it from ${from.join(' or ')}, and then stands by.`);
  }
  return exitCodes.ok.code;
}

type DemoOptions = { keep?: string; open?: boolean; nodes?: number };

export async function demo(context: Context, options: DemoOptions): Promise<number> {
  return context.acts.demo({
    open: options.open !== false,
    nodes: options.nodes ?? demoNodes,
    ...(options.keep === undefined ? {} : { keep: options.keep }),
    say: (line) => (context.json ? context.jsonLine({ kind: 'said', text: line }) : context.say(line)),
  });
}

const marks: Record<Finding['level'], [mark: string, colour: Colour | undefined]> = {
  ok: ['ok     ', 'green'],
  note: ['note   ', 'blue'],
  warning: ['warning', 'yellow'],
  problem: ['problem', 'red'],
};

export async function doctor(context: Context): Promise<number> {
  const findings = await context.acts.doctor({ data: context.data });
  const problems = findings.filter((each) => each.level === 'problem').length;
  if (context.json) context.document({ data: context.data, findings });
  else {
    for (const { level, what, next } of findings) {
      const [mark, colour] = marks[level];
      context.say(`${context.paint(mark, colour)}  ${what}`);
      if (next !== undefined) context.say(`         ${next}`);
    }
  }
  return problems > 0 ? exitCodes.failed.code : exitCodes.ok.code;
}
