/**
 * What every command is given: its common options, a printer, a node.
 *
 * Results go to stdout, everything said beside them to stderr, so that a
 * script can read stdout alone. With `--json` stdout carries JSON only and
 * stderr at most one problem document.
 */

import type { NodeClient } from './client.ts';
import { Failure, interrupted } from './failure.ts';
import { dataFolder, findNode, type PlaceOptions } from './find-node.ts';
import type { LocalActs, Terminal } from './outside.ts';
import { type Column, type Paint, paintFor, table } from './table.ts';

export type Common = PlaceOptions & { json?: boolean; verbose?: boolean; retryFor?: number };

export type Context = {
  terminal: Terminal;
  acts: LocalActs;
  common: Common;
  data: string;
  json: boolean;
  paint: Paint;
  /** A line of the result. */
  say(line: string): void;
  /** A line beside the result; silent with --json. */
  note(line: string): void;
  /** The result as one JSON document. */
  document(value: unknown): void;
  /** One of many JSON documents, each on its line. */
  jsonLine(value: unknown): void;
  /** Prints a table, or a sentence when there is nothing. */
  rows<Row>(columns: Column<Row>[], rows: readonly Row[], empty: string): void;
};

export function contextOf(terminal: Terminal, acts: LocalActs, common: Common): Context {
  const paint = paintFor(terminal.isTty, terminal.env);
  const json = common.json === true;
  const say = (line: string): void => terminal.out(`${line}\n`);
  return {
    terminal,
    acts,
    common,
    data: dataFolder(common, terminal.env),
    json,
    paint,
    say,
    note: (line) => {
      if (!json) terminal.err(`${line}\n`);
    },
    document: (value) => say(JSON.stringify(value, null, terminal.isTty ? 2 : undefined)),
    jsonLine: (value) => say(JSON.stringify(value)),
    rows: (columns, rows, empty) => {
      if (rows.length === 0) say(empty);
      else terminal.out(table(columns, rows, { paint, columns: terminal.isTty ? terminal.columns : null }));
    },
  };
}

const retryMsDefault = 30_000;

/**
 * Runs a command against the node meant. `offline` commands also work while
 * the node of the folder is stopped: it is then started in this process,
 * without network, and stopped again whatever happens.
 */
export async function withNode(
  context: Context,
  offline: 'offline' | 'running',
  act: (client: NodeClient) => Promise<number>,
): Promise<number> {
  return untilInterrupted(async (signal) => {
    const place = await findNode(context.common, context.terminal.env);
    if (place.kind === 'reachable') return asking(context, place, signal, act);
    if (offline === 'running') {
      throw new Failure('unreachable', `The node in ${place.data} is not running.`, {
        next: `Start it: binnacle node --data ${place.data}`,
      });
    }
    return besideStopped(context, place.data, signal, act);
  });
}

async function besideStopped(
  context: Context,
  data: string,
  signal: AbortSignal,
  act: (client: NodeClient) => Promise<number>,
): Promise<number> {
  const node = await context.acts.offline(data).catch((fault: unknown) => {
    const next = (fault as { next?: string }).next;
    const why = fault instanceof Error ? fault.message : String(fault);
    return Promise.reject(new Failure('unreachable', why, { cause: fault, ...(next ? { next } : {}) }));
  });
  context.note(`The node in ${data} is not running; its folder is opened for this command.`);
  try {
    const address = { socketPath: node.socketPath };
    return await asking(context, { address, name: `the node in ${data}` }, signal, act);
  } finally {
    await node.stop();
  }
}

async function asking(
  context: Context,
  place: { address: Parameters<typeof import('./client.ts').openClient>[0]; name: string },
  signal: AbortSignal,
  act: (client: NodeClient) => Promise<number>,
): Promise<number> {
  if (signal.aborted) throw interrupted();
  // Loaded here so that help, completion and `node` do not pay for an HTTP client.
  const { openClient } = await import('./client.ts');
  const retryMs = context.common.retryFor === undefined ? retryMsDefault : context.common.retryFor * 1000;
  const client = openClient(place.address, { name: place.name, signal, retryMs, onRetry: context.note });
  try {
    return await act(client);
  } finally {
    client.close();
  }
}

/** The first Ctrl-C ends a command in order; a second one ends the process, as always. */
async function untilInterrupted(act: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once('SIGINT', onInterrupt);
  try {
    return await act(stop.signal);
  } catch (fault) {
    if (stop.signal.aborted && !(fault instanceof Failure && fault.exit === 'interrupted')) throw interrupted();
    throw fault;
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}
