/**
 * Visits every state that a configuration allows, breadth first, so that the
 * first broken promise has the shortest trace; prints traces for people.
 */
import type { Charter } from '../../node-runtime/contract/facts.ts';
import type { Body, Message } from '../../node-runtime/core/cluster/messages.ts';
import { termText } from '../../node-runtime/core/cluster/terms.ts';
import { steps } from './core-acts.ts';
import { type Seen, Violation } from './core-law.ts';
import type { Order } from './core-setting.ts';
import { newRows } from './core-states.ts';
import type { World } from './core-world.ts';

export type Found = {
  states: number;
  transitions: number;
  depth: number;
  complete: boolean;
  seconds: number;
  violation: string | null;
  trace: string[];
  counts: Map<string, number>;
};

const CODES = 1 << 28;

export type SearchOptions = {
  statesMax?: number;
  depthMax?: number;
  onDepth?: (depth: number, states: number) => void;
};

export function search(world: World, first: Uint32Array, options: SearchOptions = {}): Found {
  const { statesMax = Number.POSITIVE_INFINITY, depthMax = statesMax, onDepth } = options;
  const begun = performance.now();
  const rows = newRows(world.width);
  const [row, next] = [new Uint32Array(world.width), new Uint32Array(world.width)];
  rows.add(first, 0, 0);
  let [head, transitions, depth, depthEnd] = [0, 0, 0, 1];
  const result = (violation: string | null, trace: string[]): Found => ({
    states: rows.size(),
    transitions,
    depth: violation === null ? depth : trace.length,
    complete: violation === null && head >= rows.size(),
    seconds: (performance.now() - begun) / 1_000,
    violation,
    trace,
    counts: world.counts,
  });
  for (; head < rows.size() && rows.size() < statesMax; head++) {
    if (head === depthEnd) {
      depth++;
      depthEnd = rows.size();
      onDepth?.(depth, rows.size());
      if (depth > depthMax) break;
    }
    rows.copyTo(row, head);
    for (const [at, code] of world.successors(row)) {
      try {
        if (!world.go(row, next, at, code)) continue;
      } catch (error) {
        if (!isBroken(error)) throw error;
        return result(error.message, traceTo(world, rows, head, [at, code]));
      }
      transitions++;
      rows.add(next, head, at * CODES + code);
    }
  }
  return result(null, []);
}

const isBroken = (error: unknown): error is Error =>
  error instanceof Violation || (error instanceof Error && error.message.startsWith('broken promise'));

function traceTo(world: World, rows: ReturnType<typeof newRows>, index: number, last: [number, number]): string[] {
  const path: [number, number][] = [last];
  for (let at = index; at > 0; at = rows.parentOf(at))
    path.unshift([Math.floor(rows.stepOf(at) / CODES), rows.stepOf(at) % CODES]);
  const lines: string[] = [];
  let row = new Uint32Array(world.width);
  rows.copyTo(row, 0);
  path.forEach(([at, code], place) => {
    const said = place === path.length - 1 ? '' : effectsOf(world, row, at, code);
    lines.push(`${lineOf(world, row, at, code)}${said}`);
    if (place === path.length - 1) return;
    const next = new Uint32Array(world.width);
    world.go(row, next, at, code);
    row = next;
  });
  return lines;
}

// ------------------------------------------------------------------- in words

const names = new Map<number, string>(Object.entries(steps).map(([name, code]) => [code, name]));
const wording: Record<string, string> = {
  save: 'has its next save on disk',
  try: 'asks for a new term',
  heartbeat: 'sends its heartbeats',
  propose: 'takes an entry',
  silence: 'has heard nobody for long',
  impatience: 'waits no longer',
  park: 'is parked by a person',
  activate: 'is activated by a person',
  switchOver: 'is told to hand over',
  putBack: 'gets an old image of its folder',
  wipe: 'loses its folder',
  end: 'sees the attempt end',
  choose: 'shows a person the two eras to choose from',
};

function lineOf(world: World, row: Uint32Array, at: number, code: number): string {
  const name = world.names[at]!;
  const letter = world.letterOf(code);
  if (letter) {
    const kept = (code & 1) === 1 ? ' (it will come again)' : '';
    return `${name} gets from ${letter.from}: ${wordsOf(letter.content)}${kept}`;
  }
  if (code >= steps.confirm) return `${name}: a person confirms claim ${code - steps.confirm}`;
  if (code >= steps.show) return `${name} shows the evidence for claim ${code - steps.show}`;
  if (code >= steps.crash)
    return `${name} is killed and started again, ${code - steps.crash} saves on its way were done`;
  const { kind, node } = world.nodeAt(row, at);
  const what = code === steps.save && kind === 'member' ? ` (${node.pending[0]?.effect})` : '';
  return `${name} ${wording[names.get(code)!] ?? code}${what}`;
}

function effectsOf(world: World, row: Uint32Array, at: number, code: number): string {
  const { told, sends, seen } = world.doneOf(row, at, code);
  const parts = [
    ...told.map((one) => `"${one}"`),
    ...seen.flatMap(seenWords),
    ...sends.map(({ to, content }) => `to ${world.names[to]}: ${wordsOf(content)}`),
  ];
  return parts.length === 0 ? '' : `\n       → ${parts.join('; ')}`;
}

function seenWords(one: Seen): string[] {
  if (one.seen === 'activated')
    return [`ACTIVE in ${charterWords(one.charter)}${one.loss ? ` loss ${one.loss.certain}` : ''}`];
  if (one.seen === 'committed') return [`COMMITS ${one.from} to ${one.from + one.chains.length - 1}`];
  if (one.seen === 'applied') return [`applies ${one.from} to ${one.from + one.chains.length - 1}`];
  if (one.seen === 'accepted') return [`accepted ${charterWords(one.charter)}`];
  if (one.seen === 'promised') return [`promised ${termText(one.term)}`];
  if (one.seen === 'cut') return [`CUTS from ${one.first}`];
  if (one.seen === 'stopped') return [`stops acting in ${termText(one.term)}`];
  return one.seen === 'started' ? [`STARTS ${one.attempt}`] : [];
}

const charterWords = (charter: Charter): string =>
  `${termText(charter.term)}[follows ${charter.follows ? termText(charter.follows) : '-'}, writes ${charter.writeSet.map((one) => one.split('#')[0]).join('+')}, votes ${charter.voters.map((set) => set.map((one) => one.node).join('+')).join(' and ')}${charter.parked ? ', parked' : ''}${charter.lineage ? `, era of ${charter.lineage.claim}` : ''}${charter.claim ? `, claim ${charter.claim.id}` : ''}]`;

function wordsOf(content: Message | Order): string {
  if (!('body' in content))
    return `${content.event} ${termText(content.term)}${'attempt' in content ? ` ${content.attempt}` : ''}`;
  const { body } = content;
  return `${body.kind}${bodyWords(body)}`;
}

function bodyWords(body: Body): string {
  switch (body.kind) {
    case 'ask':
      return ` ${termText(body.term)}${body.claim ? ` with claim ${body.claim.id}` : ''}`;
    case 'promised':
      return ` ${termText(body.term)}, accepted ${termText(body.accepted.term)}, end ${body.end?.index ?? '-'}`;
    case 'propose':
      return ` ${charterWords(body.charter)}`;
    case 'refused':
      return ` ${body.what} ${termText(body.term)}: ${body.why} (promised ${termText(body.promised)}, accepted ${termText(body.accepted.term)})`;
    case 'append':
      return ` ${termText(body.charter.term)}, ${body.entries.length} after ${body.previous.index}, committed ${body.committed}`;
    case 'confirm':
      return ` ${termText(body.charter.term)} up to ${body.index}`;
    case 'appended':
    case 'confirmed':
      return ` ${termText(body.term)} up to ${body.index}`;
    case 'mismatch':
    case 'accepted':
    case 'takeOver':
      return ` ${termText(body.term)}`;
    default:
      return '';
  }
}
