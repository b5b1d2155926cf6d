/**
 * Who keeps the journal, as seats and lines ready to be drawn.
 *
 * The two controllers keep their places when the lead changes hands; a seat
 * that nobody has is said, not left out. Judges nothing: what can be survived
 * is the node's own word. Names may come as ids or as names.
 */
import type { Cluster, Node } from '../../node-runtime/contract/model.ts';

export type SeatTone = 'brass' | 'standby' | 'plain' | 'ghost' | 'alarm';
export type Seat = { node: string | null; name: string; line: string; about: string; tone: SeatTone };
/** `ok`: in step. `warn`: behind. `down`: no answer. `plain`: they hear each other. `none`: nobody is there. */
export type Line = 'ok' | 'warn' | 'down' | 'plain' | 'none';
export type Control = {
  left: Seat;
  right: Seat;
  watch: Seat;
  journal: Line;
  watchLeft: Line;
  watchRight: Line;
  /** Above and below the line between the controllers. */
  above: string;
  below: string;
  others: { name: string; about: string; away: boolean }[];
  survives: 'ok' | 'warn' | 'off';
  spoken: string;
};

const count = (n: number): string => n.toLocaleString('en-GB');
/** 1.84 → "1.8 ms", 0.04 → "under 0.1 ms", 41.3 → "41 ms". */
export function sayRoundTrip(ms: number): string {
  if (ms < 0.1) return 'under 0.1 ms';
  return ms < 9.95 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
export const termNumberOf = (term: string): string => term.split('.')[1] ?? term;
const eraOf = (term: string): number => Number(term.split('.')[0] ?? 0);

export const isNode = (node: Node, of: string | null): boolean => of !== null && (node.id === of || node.name === of);

export function controlOf(cluster: Cluster, nodes: readonly Node[]): Control {
  const nodeOf = (of: string): Node | undefined => nodes.find((node) => isNode(node, of));
  const named = (of: string | null): string | null => (of === null ? null : (nodeOf(of)?.name ?? of));
  const [one, two, ...further] = controllersOf(cluster, nodes);
  const left = one === undefined ? noActive : controllerSeat(cluster, one, nodeOf(one));
  const right = two === undefined ? noSecond : controllerSeat(cluster, two, nodeOf(two));
  const watch = watchSeat(cluster, nodeOf);
  const away = (of: string | undefined): boolean => of !== undefined && nodeOf(of)?.reachable === false;
  const others = [
    ...cluster.spares.map((of) => ({ of, about: 'spare watch' })),
    ...further.map((of) => ({ of, about: 'controller' })),
  ];
  return {
    left,
    right,
    watch,
    journal: journalLine(cluster, two, away(one) || away(two)),
    watchLeft: watchLine(cluster, one, away),
    watchRight: watchLine(cluster, two, away),
    above:
      cluster.active === null ? (cluster.parked ? 'parked' : 'no active') : `journal ${count(cluster.journal.end)}`,
    below: belowOf(cluster, cluster.standby === null ? undefined : nodeOf(cluster.standby), nodes),
    others: others.map(({ of, about }) => ({ name: named(of) ?? of, about, away: away(of) })),
    survives: survivesLeader(cluster, named) ? 'ok' : nodes.length > 1 ? 'warn' : 'off',
    spoken:
      `Active: ${named(cluster.active) ?? 'nobody'}. Standby: ${named(cluster.standby) ?? 'nobody'}. Watch: ${named(cluster.watch) ?? 'nobody'}. ` +
      `Journal at entry ${count(cluster.journal.end)}, ${count(cluster.journal.committed)} committed. ${cluster.survives.sentence}`,
  };
}

/** Well only when also the active may be lost: what cannot do without it is one failure from standing still. */
function survivesLeader(cluster: Cluster, named: (of: string | null) => string | null): boolean {
  const active = named(cluster.active);
  return active !== null && cluster.survives.lossOf.some((of) => named(of) === active);
}

/** Those that count first, so that two can be drawn; the two by name, so that they stay where they are. */
function controllersOf(cluster: Cluster, nodes: readonly Node[]): string[] {
  const idOf = (of: string): string => nodes.find((node) => isNode(node, of))?.id ?? of;
  const nameOf = (id: string): string => nodes.find((node) => node.id === id)?.name ?? id;
  const leading = [cluster.active, cluster.standby, ...(cluster.charter?.writeSet ?? [])];
  const all = [
    ...leading.filter((of) => of !== null).map((of) => idOf(of.split('#')[0] ?? of)),
    ...nodes.filter((node) => node.duties.includes('controller')).map((node) => node.id),
  ];
  const found = [...new Set(all)];
  const drawn = found.slice(0, 2).sort((a, b) => nameOf(a).localeCompare(nameOf(b), 'en', { numeric: true }));
  return [...drawn, ...found.slice(2)];
}

const noActive: Seat = {
  node: null,
  name: 'No active',
  line: 'nothing is decided',
  about: 'No controller is known here.',
  tone: 'alarm',
};
const noSecond: Seat = {
  node: null,
  name: 'No standby',
  line: 'no second copy',
  about: 'No second controller: the journal is on one disk only.',
  tone: 'ghost',
};

function controllerSeat(cluster: Cluster, of: string, node: Node | undefined): Seat {
  const name = node?.name ?? of;
  const is = (role: string | null): boolean => role !== null && (role === of || role === name);
  const seat = (line: string, tone: SeatTone, about: string): Seat => ({
    node: node?.id ?? of,
    name,
    line,
    about,
    tone,
  });
  const away = node !== undefined && !node.reachable;
  if (is(cluster.active)) {
    if (away) return seat('Active · no answer', 'alarm', `${name} was active when it was last heard.`);
    return seat(`Active · ${termOf(cluster)}`, 'brass', `${name} leads in term ${cluster.term}.`);
  }
  if (away) return seat(is(cluster.standby) ? 'Standby · no answer' : 'no answer', 'alarm', `${name} does not answer.`);
  if (is(cluster.standby)) {
    const { lag } = cluster.journal;
    return lag === 0
      ? seat('Standby · in step', 'standby', `${name} holds every entry and can take over.`)
      : seat(`Standby · ${count(lag)} behind`, 'standby', `${name} has not yet confirmed the newest entries.`);
  }
  if (cluster.parked) return seat('Controller · parked', 'plain', `${name} is stopped on purpose.`);
  if (cluster.active === null) return seat('Controller · waits', 'plain', `${name} is there and does not lead.`);
  const behind = node?.lagEntries ?? 0;
  return seat(behind > 0 ? `Joins · ${count(behind)} behind` : 'Controller · joins', 'plain', `${name} catches up.`);
}
const termOf = (cluster: Cluster): string =>
  eraOf(cluster.term) > 0 && termNumberOf(cluster.term).length < 4
    ? `term ${eraOf(cluster.term)}.${termNumberOf(cluster.term)}`
    : `term ${termNumberOf(cluster.term)}`;

function watchSeat(cluster: Cluster, nodeOf: (of: string) => Node | undefined): Seat {
  if (cluster.watch === null) {
    return {
      node: null,
      name: 'No watch',
      line: 'no third vote',
      about: 'Without a watch nobody can take over by itself.',
      tone: 'ghost',
    };
  }
  const node = nodeOf(cluster.watch);
  const name = node?.name ?? cluster.watch;
  if (node && !node.reachable) {
    return { node: node.id, name, line: 'Watch · no answer', about: `${name} does not answer.`, tone: 'alarm' };
  }
  const line = node?.roundTripMs === undefined ? 'Watch' : `Watch · ${sayRoundTrip(node.roundTripMs)}`;
  return { node: node?.id ?? cluster.watch, name, line, about: `${name} votes and keeps no jobs.`, tone: 'plain' };
}

function journalLine(cluster: Cluster, second: string | undefined, away: boolean): Line {
  if (second === undefined) return 'none';
  if (away) return 'down';
  if (cluster.active === null) return 'plain';
  return cluster.standby !== null && cluster.journal.lag === 0 ? 'ok' : 'warn';
}

function watchLine(cluster: Cluster, of: string | undefined, away: (of: string | undefined) => boolean): Line {
  if (cluster.watch === null || of === undefined) return 'none';
  return away(cluster.watch) || away(of) ? 'down' : 'plain';
}

function belowOf(cluster: Cluster, standby: Node | undefined, nodes: readonly Node[]): string {
  const { journal } = cluster;
  if (cluster.active === null) return `entry ${count(journal.end)} here`;
  if (cluster.standby === null) {
    return journal.committed >= journal.end ? 'all committed' : `${count(journal.end - journal.committed)} not yet`;
  }
  const active = nodes.find((node) => isNode(node, cluster.active));
  const ms = standby?.roundTripMs ?? active?.roundTripMs;
  return `behind ${count(journal.lag)}${ms === undefined ? '' : ` · ${sayRoundTrip(ms)}`}`;
}
