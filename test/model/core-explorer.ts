/**
 * Explores the real core of the cluster: every interleaving of a small bounded
 * cluster, breadth first, with the invariants checked after every step. It
 * runs `memberStep` and `fenceStep` themselves; `explore.mjs` beside it is a
 * model of sections 2 to 5 written apart, for larger bounds.
 *
 *   node test/model/core-explorer.ts [NAME…]          the bounds of CI
 *   node test/model/core-explorer.ts [NAME…] --large  minutes to hours each
 *   node test/model/core-explorer.ts NAME --bounds '{"claims":2}'
 *   node test/model/core-explorer.ts --mutants        each broken rule, as a table
 *   node test/model/core-explorer.ts --mutant 'a claim names no loss'
 *
 * `--max N` ends after N states; `--loud` tells of depths and of what happened.
 * Large ones need --max-old-space-size=14000. Exit code 1: a promise was
 * broken (with the shortest trace to it), a mutant was missed, or not all
 * states were visited.
 *
 * What happens: letters are delivered in any order, late, or never (`twice`
 * bounds those that come again); saves are done in order at any time; a node is
 * killed with any part of its saves done (`crashes`). There is no clock: a
 * controller may ask for a term whenever silence could make it (`tries`), and
 * evidence of life may be old or fresh. Left out: prechecks, which save
 * nothing; snapshots; changes of seats (in `explore.mjs`); leases.
 */
import { parseArgs } from 'node:util';
import type { Bounds } from './core-acts.ts';
import { beginOf, configurations } from './core-configurations.ts';
import { mutants } from './core-mutants.ts';
import { type Found, search } from './core-search.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    large: { type: 'boolean', default: false },
    loud: { type: 'boolean', default: false },
    max: { type: 'string' },
    bounds: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const boundsText = (bounds: Bounds): string =>
  Object.entries(bounds)
    .map((one) => one.join(' '))
    .join(', ');

function explore(name: string, bounds: Bounds, mutant?: string): Found {
  const { world, row } = beginOf(name, bounds, mutant ? mutants[mutant]!.bend : undefined);
  const found = search(world, row, {
    ...(values.max && { statesMax: Number(values.max) }),
    ...(values.loud && { onDepth: (depth, states) => say(`depth ${depth}: ${states}`) }),
  });
  if (values.loud) {
    say(JSON.stringify(world.sizes()));
    say([...found.counts].map(([what, times]) => `${what}: ${times}`).join('; '));
  }
  return found;
}

function tellTrace(found: Found): void {
  say(`VIOLATION ${found.violation}`);
  found.trace.forEach((line, place) => void say(`  ${String(place + 1).padStart(2)}. ${line}`));
}

function exploreMutants(): number {
  let missed = 0;
  say('| Rule | Broken | Configuration | Found by | Steps | States | s |\n|---|---|---|---|---|---|---|');
  for (const [name, { rule, configuration, bounds }] of Object.entries(mutants)) {
    if (values.mutant && values.mutant !== name) continue;
    const found = explore(configuration, bounds, name);
    if (!found.violation) missed++;
    const by = found.violation?.split('\n')[0] ?? '**nothing**';
    say(
      `| ${rule} | ${name} | ${configuration} | ${by} | ${found.depth} | ${found.states} | ${found.seconds.toFixed(1)} |`,
    );
    if (values.mutant && found.violation) tellTrace(found);
  }
  return missed;
}

function exploreAll(): number {
  let failed = 0;
  say('| Configuration | Bounds | States | Transitions | Depth | s | Violations |\n|---|---|---|---|---|---|---|');
  for (const name of positionals.length > 0 ? positionals : Object.keys(configurations)) {
    const { small, large } = configurations[name]!;
    const all = values.bounds ? [JSON.parse(values.bounds) as Bounds] : values.large ? large : small;
    for (const bounds of all) {
      const found = explore(name, bounds);
      if (found.violation || !found.complete) failed++;
      const end = found.violation ?? (found.complete ? 'none' : 'none, NOT COMPLETE');
      const figures = `${found.states} | ${found.transitions} | ${found.depth} | ${found.seconds.toFixed(1)}`;
      say(`| ${name} | ${boundsText(bounds)} | ${figures} | ${end} |`);
      if (found.violation) tellTrace(found);
    }
  }
  return failed;
}

process.exit((values.mutants || values.mutant ? exploreMutants() : exploreAll()) === 0 ? 0 : 1);
