/**
 * Commands about runs: launch, runs, run, logs, cancel.
 *
 * With `--follow` stdout carries the outputs only; what happens beside them is
 * said on stderr, and the exit code says how the run ended. Interrupting a
 * command that follows never stops the run.
 */
import { limits } from '../../contract/limits.ts';
import type { Run, RunState, RunSummary, Task } from '../../contract/model.ts';
import type { Query } from '../../contract/routes.ts';
import type { NodeClient } from './client.ts';
import { type Context, withNode } from './context.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { Failure, interrupted, misused } from './failure.ts';
import type { Followed, Follower } from './follow.ts';
import { PrefixedLines, WholeSigns } from './log-text.ts';
import { readParameters } from './parameters.ts';
import { sandboxPath } from './sandbox-path.ts';
import { type Column, stateColour } from './table.ts';
import { counted, durationInWords, momentInWords, plain } from './words.ts';

type LaunchOptions = { parameter?: string[]; follow?: boolean; key?: string };

export async function launch(
  context: Context,
  target: string,
  path: string | undefined,
  options: LaunchOptions,
): Promise<number> {
  const place = path === undefined ? sandboxPath(target) : { sandbox: target, path };
  if (place.path === '') throw misused('Which job file?', 'binnacle launch SANDBOX PATH');
  const given = readParameters(options.parameter ?? []);
  return withNode(context, 'running', async (client) => {
    const parameters = given.size === 0 ? undefined : await typed(client, place, given);
    const run = await client.ask('launch', {
      body: { ...place, ...(parameters ? { parameters } : {}) },
      ...(options.key === undefined ? {} : { key: options.key }),
      again: (key) => `Run the same command with --key ${key}: the job is then launched once, not twice.`,
    });
    if (options.follow) return followToTheEnd(context, client, run, { run: run.id });
    if (context.json) context.document(run);
    else {
      context.say(run.id);
      if (context.terminal.isTty) context.note(`Launched. See its output: binnacle logs -f ${run.id}`);
    }
    return exitCodes.ok.code;
  });
}

/** A value typed on a command line is text; the job file says what it should be. */
async function typed(
  client: NodeClient,
  place: { sandbox: string; path: string },
  given: Map<string, string>,
): Promise<Record<string, string | number | boolean>> {
  const form = await client
    .ask('launchForm', { params: { sandbox: place.sandbox }, query: { path: place.path } })
    .catch((fault: unknown) => {
      // The launch itself refuses with the better sentence.
      if (fault instanceof Failure && fault.exit === 'refused') return null;
      throw fault;
    });
  const types = new Map(form?.parameters.map((field) => [field.name, field.type]));
  return Object.fromEntries(
    [...given].map(([name, text]) => {
      const type = types.get(name);
      if ((type === 'integer' || type === 'number') && text.trim() !== '' && Number.isFinite(Number(text))) {
        return [name, Number(text)];
      }
      if (type === 'boolean' && /^(true|false|yes|no)$/i.test(text)) return [name, /^(true|yes)$/i.test(text)];
      return [name, text];
    }),
  );
}

async function followToTheEnd(context: Context, client: NodeClient, begun: Run, followed: Followed): Promise<number> {
  // Loaded here: it brings the HTTP client with it.
  const { follow } = await import('./follow.ts');
  const follower = context.json ? jsonFollower(context) : textFollower(context, begun, followed.task !== undefined);
  if (context.json) context.jsonLine({ kind: 'run', run: begun });
  else context.note(`Run ${plain(begun.id)} of ${plain(begun.sandbox)}/${plain(begun.path)}`);
  try {
    const run = await follow(client, followed, follower);
    const task = run.tasks.find((each) => each.id === followed.task || each.name === followed.task);
    const state = task?.state ?? run.state;
    if (context.json) context.jsonLine({ kind: 'ended', run });
    else context.note(ending(context, run, task));
    return exitCodeOf(state);
  } catch (fault) {
    if (!(fault instanceof Failure) || fault.exit !== 'interrupted') throw fault;
    throw interrupted(`The run goes on. To stop it: binnacle cancel ${begun.id}`);
  }
}

function ending(context: Context, run: Run, task: Task | undefined): string {
  const what = task ? `Task ${plain(task.name)}` : `Run ${plain(run.id)}`;
  const state = task?.state ?? run.state;
  const reason = task ? task.reason : run.reason;
  const took = !task && run.endedAt ? ` after ${lasted(run, run.endedAt)}` : '';
  return `${what}: ${context.paint(state, stateColour(state))}${took}.${reason ? ` ${plain(reason)}` : ''}`;
}

const lasted = (run: RunSummary, until: string): string =>
  durationInWords(Date.parse(until) - Date.parse(run.startedAt ?? run.launchedAt));

function jsonFollower(context: Context): Follower {
  return {
    output: ({ task, attempt, offset, text }) =>
      context.jsonLine({ kind: 'output', task: task.id, attempt, offset, text }),
    outputEnded: () => undefined,
    taskChanged: (task) => context.jsonLine({ kind: 'task', task }),
    note: () => undefined,
  };
}

function textFollower(context: Context, run: Run, one: boolean): Follower {
  const many = !one && run.tasks.length > 1;
  const lines = new Map<string, PrefixedLines>();
  const linesOf = (task: Task): PrefixedLines => {
    const found = lines.get(task.id) ?? new PrefixedLines(prefixOf(context, run, task));
    lines.set(task.id, found);
    return found;
  };
  return {
    output: ({ task, text }) => context.terminal.out(many ? linesOf(task).take(text) : text),
    outputEnded: (task) => {
      if (many) context.terminal.out(linesOf(task).end());
    },
    taskChanged: (task) => {
      const worth = task.state !== 'waiting' && task.state !== 'queued';
      if (many && worth) context.note(`${plain(task.name)}: ${context.paint(task.state, stateColour(task.state))}`);
    },
    note: context.note,
  };
}

const prefixCharsMax = 24;
function prefixOf(context: Context, run: Run, task: Task): string {
  const widest = Math.min(prefixCharsMax, Math.max(...run.tasks.map((each) => each.name.length)));
  return `${context.paint(plain(task.name).slice(0, prefixCharsMax).padEnd(widest), 'grey')} | `;
}

export async function logs(
  context: Context,
  id: string,
  task: string | undefined,
  options: { follow?: boolean; attempt?: number },
): Promise<number> {
  return withNode(context, 'running', async (client) => {
    const run = await client.ask('run', { params: { run: id } });
    if (options.attempt !== undefined) attemptsOf(run, task, options.attempt);
    if (options.follow) {
      const followed: Followed = { run: id };
      if (task !== undefined) followed.task = task;
      if (options.attempt !== undefined) followed.attempt = options.attempt;
      return followToTheEnd(context, client, run, followed);
    }
    const one = task !== undefined;
    const follower = context.json ? jsonFollower(context) : textFollower(context, run, one);
    for (const { task: of, attempt } of attemptsOf(run, task, options.attempt)) {
      await readOutput(client, run, of, attempt, follower);
    }
    return exitCodes.ok.code;
  });
}

type Chosen = { task: Task; attempt: number };

/** What to show: of one task or all, one attempt or the last one of each. */
function attemptsOf(run: Run, name: string | undefined, number: number | undefined): Chosen[] {
  const found = run.tasks.filter((task) => name === undefined || task.id === name || task.name === name);
  if (name !== undefined && found.length === 0) {
    throw new Failure('refused', `Run ${run.id} has no task "${name}".`, {
      next: `Its tasks are: ${run.tasks.map((task) => task.id).join(', ') || 'none'}.`,
    });
  }
  const chosen = found.flatMap((task) => {
    const attempts = task.attempts.filter((each) => number === undefined || each.number === number);
    const last = attempts.at(-1);
    return last ? [{ task, attempt: last.number }] : [];
  });
  if (number !== undefined && chosen.length === 0) {
    throw new Failure('refused', `There is no attempt ${number}.`, { next: `See: binnacle run ${run.id}` });
  }
  return chosen;
}

/** An output as it is now, in parts; ends at the byte that was last when it was asked. */
async function readOutput(client: NodeClient, run: Run, task: Task, attempt: number, to: Follower): Promise<void> {
  const signs = new WholeSigns();
  for (let got = limits.logReadBytesMax; got >= limits.logReadBytesMax; ) {
    const before = signs.offset;
    const opened = await client
      .open('log', {
        params: { run: run.id, task: task.id },
        query: { attempt, offset: signs.offset, limit: limits.logReadBytesMax },
      })
      .catch((fault: unknown) => {
        if (fault instanceof Failure && fault.code === 'log_unknown') return null;
        throw fault;
      });
    if (!opened) break;
    const { connectionFailure } = await import('./client.ts');
    try {
      for await (const bytes of opened.body as AsyncIterable<Buffer>) {
        const { offset, text } = signs.take(bytes);
        if (text !== '') to.output({ task, attempt, offset, text });
      }
    } catch (fault) {
      throw connectionFailure(client, fault);
    }
    got = signs.offset - before;
  }
  const { offset, text } = signs.end();
  if (text !== '') to.output({ task, attempt, offset, text });
  to.outputEnded(task, attempt);
}

const states = ['queued', 'waiting', 'running', 'succeeded', 'failed', 'cancelled', 'unknown'] satisfies RunState[];
const runsShown = 20;

export async function runs(
  context: Context,
  options: { state?: string; limit?: number; all?: boolean; sandbox?: string },
): Promise<number> {
  const unknown = options.state?.split(',').find((state) => !(states as string[]).includes(state));
  if (unknown !== undefined) throw misused(`"${unknown}" is no state of a run.`, `States: ${states.join(', ')}.`);
  const wanted = options.all ? Number.POSITIVE_INFINITY : (options.limit ?? runsShown);
  return withNode(context, 'running', async (client) => {
    const found: RunSummary[] = [];
    let cursor: string | undefined;
    do {
      const query: Partial<Query<'runs'>> = { limit: Math.min(limits.runsPageMax, wanted - found.length) };
      if (options.state !== undefined) query.state = options.state;
      if (options.sandbox !== undefined) query.sandbox = options.sandbox;
      if (cursor !== undefined) query.cursor = cursor;
      const page = await client.ask('runs', { query });
      found.push(...page.runs);
      cursor = page.runs.length > 0 ? page.cursor : undefined;
    } while (cursor !== undefined && found.length < wanted);
    if (context.json) context.document({ runs: found, ...(cursor ? { cursor } : {}) });
    else {
      context.rows(runColumns, found, 'No runs.');
      if (cursor !== undefined) context.note('There are more: --limit N or --all.');
    }
    return exitCodes.ok.code;
  });
}

const took = (run: RunSummary): string => (run.startedAt ? lasted(run, run.endedAt ?? new Date().toISOString()) : '');

const runColumns: Column<RunSummary>[] = [
  { title: 'RUN', cell: (run) => run.id },
  { title: 'STATE', cell: (run) => run.state, colour: (run) => stateColour(run.state) },
  { title: 'JOB FILE', cell: (run) => `${run.sandbox}/${run.path}`, shrinks: true },
  { title: 'LAUNCHED', cell: (run) => momentInWords(run.launchedAt) },
  { title: 'TOOK', cell: took, right: true },
  { title: 'TASKS', cell: (run) => `${run.tasksEnded}/${run.tasksTotal}`, right: true },
  { title: 'BY', cell: (run) => run.by },
  { title: 'REASON', cell: (run) => run.reason ?? '', shrinks: true },
];

export async function run(context: Context, id: string): Promise<number> {
  return withNode(context, 'running', async (client) => {
    const found = await client.ask('run', { params: { run: id } });
    if (context.json) context.document(found);
    else show(context, found);
    return exitCodes.ok.code;
  });
}

function show(context: Context, run: Run): void {
  const where = run.nodes.length > 0 ? ` on ${run.nodes.map(plain).join(', ')}` : '';
  context.say(
    `Run ${plain(run.id)} of ${plain(run.sandbox)}/${plain(run.path)}: ${context.paint(run.state, stateColour(run.state))}`,
  );
  if (run.reason) context.say(plain(run.reason));
  context.say(`Launched ${momentInWords(run.launchedAt)} by ${plain(run.by)}${where}.`);
  if (run.startedAt) context.say(`${run.endedAt ? 'Took' : 'Runs for'} ${took(run)}.`);
  const parameters = Object.entries(run.parameters);
  for (const [name, value] of parameters) context.say(`  ${plain(name)} = ${plain(String(value))}`);
  context.say('');
  context.rows(taskColumns, run.tasks, 'No tasks.');
  for (const task of run.tasks) {
    if (task.attempts.at(-1)?.state !== 'lost') continue;
    context.say(
      `${context.paint('!', 'yellow')} ${plain(task.name)} waits for its worker, or for you: binnacle decide ${plain(run.id)} ${plain(task.id)} again|succeeded|failed`,
    );
  }
}

const taskColumns: Column<Task>[] = [
  { title: 'TASK', cell: (task) => task.id },
  { title: 'STATE', cell: (task) => task.state, colour: (task) => stateColour(task.state) },
  { title: 'ATTEMPTS', cell: (task) => `${task.attempts.length}/${task.attemptsMax}`, right: true },
  { title: 'NODE', cell: (task) => task.attempts.at(-1)?.node ?? '' },
  { title: 'EXIT', cell: (task) => exitOf(task), right: true },
  { title: 'TOOK', cell: (task) => attemptTook(task), right: true },
  { title: 'NEEDS', cell: (task) => task.needs.join(', '), shrinks: true },
  { title: 'WHY', cell: (task) => task.reason ?? task.attempts.at(-1)?.detail ?? '', shrinks: true },
];

function exitOf(task: Task): string {
  const last = task.attempts.at(-1);
  return last?.signal ?? (last?.exitCode === undefined ? '' : String(last.exitCode));
}

function attemptTook(task: Task): string {
  const last = task.attempts.at(-1);
  if (!last?.startedAt || !last.endedAt) return '';
  return durationInWords(Date.parse(last.endedAt) - Date.parse(last.startedAt));
}

export async function cancel(context: Context, id: string): Promise<number> {
  return withNode(context, 'running', async (client) => {
    const run = await client.ask('cancel', { params: { run: id } });
    if (context.json) context.document(run);
    else {
      const left = run.tasks.filter((task) => task.state === 'running').length;
      const waits = left > 0 ? ` ${counted(left, 'task is', 'tasks are')} being ended.` : '';
      context.say(`Run ${plain(run.id)}: cancelling was asked, it is now ${run.state}.${waits}`);
    }
    return exitCodes.ok.code;
  });
}
