/**
 * Plays a scenario: lines of orders, and under each what an operator sees.
 *
 * The cluster is the simulated one (`test/simulation/world.ts`) with the real
 * core. Orders begin at the margin; what was seen is indented below the order
 * during which it was seen. `REWRITE=1` renews what was seen; the reviewer
 * reads the difference.
 */

import type { Claim } from '../../node-runtime/contract/facts.ts';
import { isPaired, votersOf } from '../../node-runtime/core/cluster/charter.ts';
import { newestKnown } from '../../node-runtime/core/cluster/knowledge.ts';
import { evidenceOf } from '../../node-runtime/core/cluster/loss.ts';
import { emptyRegister } from '../../node-runtime/core/cluster/register.ts';
import { emptyDisk } from '../simulation/disk.ts';
import { newWorld, type SimNode, type World } from '../simulation/world.ts';

type Order = (world: World, words: string[], say: (line: string) => void, shown: Map<string, Claim>) => void;

const ms = (words: string[]): number => Number(words[0]) * (words[1] === 's' ? 1_000 : 1);
const names = (text: string): string[] => text.split(',');

function whole(world: World): string {
  const [leader, second] = world.acting();
  if (!leader) return 'nobody acts';
  if (second) return `${leader.name} and ${second.name} act`;
  const charter = world.leaderOf(leader)!;
  const seats = charter.voters
    .map((set) =>
      set
        .map((one) => one.node)
        .sort()
        .join('+'),
    )
    .join(' and ');
  return `${leader.name} acts, ${isPaired(charter) ? 'paired' : 'solo'}, voters ${seats}`;
}

function waitFor(world: World, limitMs: number, test: () => boolean): boolean {
  const end = world.now + limitMs;
  while (!test() && world.now < end) world.run(world.now + 10);
  return test();
}

function acknowledged(world: World): string {
  const [leader] = world.acting();
  if (!leader) return 'nobody acts';
  const lost = world.acked.filter(({ index, chain }) => leader.disk.entries[index - 1]?.chain !== chain).length;
  return lost === 0
    ? 'nothing acknowledged is lost'
    : `${lost} acknowledged entries are not in the journal of ${leader.name}`;
}

function claimAt(world: World, node: SimNode, lost: string[], chosen = false): Claim {
  const { member } = node;
  const newest = newestKnown(member);
  const voters = votersOf(newest)
    .filter((voter) => lost.includes(voter.node))
    .map((voter) => `${voter.node}#${voter.store}`);
  return {
    id: `claim-${node.name}-${Math.round(world.now)}`,
    cluster: 'lab',
    lost: [...new Set(voters)],
    candidate: node.name,
    incarnation: member.incarnation,
    newest: newest.term,
    evidence: evidenceOf(member),
    by: 'ops',
    statement: 'destroyed',
    at: world.wallOf(node),
    expiresAt: world.wallOf(node) + 600_000,
    ...(chosen && { chosen }),
  };
}

const orders: Record<string, Order> = {
  wait: (world, words) => world.run(world.now + ms(words)),
  kill(world, [list]) {
    for (const name of names(list!)) world.stop(world.node(name));
  },
  start(world, [list]) {
    for (const name of names(list!)) world.start(world.node(name));
  },
  freeze(world, [name, , ...time]) {
    const node = world.node(name!);
    node.frozenUntil = world.now + ms(time);
    world.after(ms(time) + 0.1, () => world.thaw(node));
  },
  cut(world, [a, way, b]) {
    for (const from of names(a!)) {
      for (const to of names(b!)) {
        world.blocked.add(`${from}>${to}`);
        if (way === 'from') world.blocked.add(`${to}>${from}`);
      }
    }
  },
  heal: (world) => world.blocked.clear(),
  network: (world, [loss, , doubled, , slow]) =>
    void Object.assign(world.network, {
      loss: Number(loss) / 100,
      doubled: Number(doubled) / 100,
      slowMs: Number(slow),
    }),
  disk(world, [name, state]) {
    const node = world.node(name!);
    node.disk.state = state as 'well';
    world.flush(node);
  },
  /** The disk is lost while the node runs or after it was killed; its folder is made anew. */
  wipe(world, [name]) {
    const node = world.node(name!);
    world.stop(node);
    world.replaceStore(node, emptyDisk(emptyRegister('lab', { node: name!, store: world.newStore() })));
  },
  image(world, [name]) {
    world.node(name!).image = world.image(world.node(name!));
  },
  restore(world, [name]) {
    const node = world.node(name!);
    world.stop(node);
    world.checks.forget(node.disk.register.store);
    node.disk = node.image!;
    world.start(node);
  },
  spare(world, [name]) {
    world.roster.spares = [{ node: name!, store: world.node(name!).disk.register.store }];
    world.tellRoster();
  },
  replace(world, [out, , comes]) {
    const voter = { node: comes!, store: world.node(comes!).disk.register.store };
    world.roster.controllers = world.roster.controllers.map((one) => (one.node === out ? voter : one));
    if (world.roster.watch?.node === out) world.roster.watch = voter;
    if (!world.node(comes!).up) world.start(world.node(comes!));
    world.tellRoster();
  },
  remove(world, [name]) {
    world.roster.controllers = world.roster.controllers.filter((one) => one.node !== name);
    if (world.roster.watch?.node === name) world.roster.watch = null;
    world.tellRoster();
  },
  /** The network address changes: for the core only silence, until the node is found again. */
  carry(world, [name, , ...time]) {
    const { nodes } = world;
    const ways = [...nodes.keys()].flatMap((other) => [`${name}>${other}`, `${other}>${name}`]);
    for (const way of ways) world.blocked.add(way);
    world.after(ms(time), () => {
      for (const way of ways) world.blocked.delete(way);
    });
  },
  /** The power fails in the middle of its last entry, while it is down. */
  tear: (world, [name]) => world.tear(world.node(name!).disk),
  /** A bit flips in the middle of its journal, while it is down. */
  flip: (world, [name]) => world.flip(world.node(name!).disk),
  /** Stops a node or worker, puts the release there that reads this version, starts it. */
  release(world, [name, version]) {
    const worker = world.workers.get(name!);
    if (worker) {
      world.machines.stop(worker);
      worker.speaks = Number(version);
      return world.machines.restart(worker);
    }
    const node = world.node(name!);
    world.stop(node);
    node.speaks = Number(version);
    world.start(node);
  },
  /** Which version each running node writes, and what stands still for want of a release. */
  versions(world, _words, say) {
    const nodes = [...world.nodes.values()].filter((node) => node.up);
    say(nodes.map(({ name, member, speaks }) => `${name} reads ${speaks}, writes ${member.enabled}`).join('; '));
    for (const { name, member } of nodes) if (member.needs) say(`${name} needs version ${member.needs.version}`);
  },
  journal(world, [name], say) {
    const { entries, quarantine } = world.node(name!).disk;
    const [leader] = world.acting();
    const there = leader ? leader.disk.entries.filter((entry, place) => entries[place]?.chain === entry.chain) : [];
    const same = leader !== undefined && there.length >= leader.member.committed;
    say(
      `${same ? 'holds all that is committed' : 'lacks entries'}, ${quarantine.length > 0 ? 'some' : 'none'} in quarantine`,
    );
  },
  /** Clocks jump: the node's own, in hours. */
  clock(world, [name, hours]) {
    world.node(name!).clock.base += Number(hours) * 3_600_000;
  },
  'switch-over': (world, [name]) => world.wish(world.node(name!), { wish: 'switchOver' }),
  park: (world, [name]) => world.wish(world.node(name!), { wish: 'park', by: 'ops', why: 'maintenance' }),
  activate: (world, [name]) => world.wish(world.node(name!), { wish: 'activate', by: 'ops' }),
  leave: (world, [name]) =>
    world.wish(world.node(name!), { wish: 'leave', onShutdown: 'handOver', why: 'is shut down' }),
  show: (world, [name, , lost], _say, shown) => void shown.set(name!, claimAt(world, world.node(name!), names(lost!))),
  confirm: (world, [name], _say, shown) => world.wish(world.node(name!), { wish: 'claim', claim: shown.get(name!)! }),
  choose: (world, [name]) =>
    world.wish(world.node(name!), {
      wish: 'claim',
      claim: claimAt(
        world,
        world.node(name!),
        votersOf(newestKnown(world.node(name!).member))
          .map((one) => one.node)
          .filter((one) => one !== name),
        true,
      ),
    }),
  parking(world, [name, , , at], say, shown) {
    const [node, candidate] = [world.node(name!), world.node(at!)];
    const end = node.disk.entries.at(-1)!;
    const { promised } = candidate.member.register;
    world.wish(node, { wish: 'parkingCode', term: { ...promised, number: promised.number + 50, node: at! } });
    const claim = shown.get(at!)!;
    claim.proof = {
      voter: `${name}#${node.disk.register.store}`,
      end: { index: end.index, term: end.term, chain: end.chain },
    };
    say(`${name} shows where its journal ends`);
  },
  /** `run backup on bench-1 [retry]`: with a retry it may go elsewhere. */
  run(world, [task, , worker, retry]) {
    world.propose(retry ? `task ${task} retry` : `task ${task} once ${worker}`);
  },
  within(world, words, say) {
    const limit = ms(words);
    const [name, what] = words.slice(2);
    const begun = world.now;
    const test = (): boolean =>
      name === 'whole'
        ? /paired, voters \S+\+\S+\+\S+$/.test(whole(world))
        : what === 'follows'
          ? world.node(name!).member.followed !== null && world.node(name!).member.phase.phase === 'quiet'
          : world.acting().some((node) => node.name === name);
    if (waitFor(world, limit, test)) return say(`yes: ${whole(world)}`);
    say(`NO, not after ${Math.round(world.now - begun)} ms: ${whole(world)}`);
  },
  state: (world, _words, say) => say(whole(world)),
  check: (world, _words, say) => say(acknowledged(world)),
  expect(world, words, say) {
    say(words.join(' ') === whole(world) ? 'yes' : `NO: ${whole(world)}`);
  },
  'worker-restart'(world, [name]) {
    const worker = world.workers.get(name!)!;
    world.machines.stop(worker);
    world.machines.restart(worker);
  },
  attempts(world, _words, say) {
    say(
      `${world.counts.get('attempts started') ?? 0} started, ${world.counts.get('starts refused by a fence') ?? 0} refused`,
    );
  },
};

/** Plays the orders of a text; returns the text with what was seen. */
export function play(text: string): string {
  const given = text.split('\n').filter((line) => line !== '' && !line.startsWith('  '));
  const shown: string[] = [];
  const claims = new Map<string, Claim>();
  const say = (line: string): void => void shown.push(`  ${line}`);
  let world: World | null = null;
  let quiet = false;
  let keys = 0;
  for (const line of given) {
    if (line.startsWith('#')) {
      shown.push(line);
      continue;
    }
    const [order = '', ...words] = line.split(/\s+/);
    shown.push(line);
    if (order === 'cluster') {
      const log = (told: string): void => say(told.trim().replace(/^[\d.]+ /, ''));
      world = newWorld({ seed: 7, preformed: words[0] === 'formed', small: true, speaks: 1, log });
      world.begin();
      const client = (w: World): void => {
        if (!quiet) w.propose(`k${++keys}`);
        w.after(20, () => client(w));
      };
      client(world);
      continue;
    }
    if (order === 'clients') {
      quiet = words[0] === 'off';
      continue;
    }
    const carryOut = orders[order];
    if (!carryOut || !world) throw new Error(`no such order: ${line}`);
    carryOut(world, words, say, claims);
  }
  return `${shown.join('\n')}\n`;
}
