/**
 * One run from one seed: a cluster, a time of trouble, a time of peace.
 *
 * During the trouble the invariants are checked at every step. In peace the
 * faults end, people do what the notes ask them for, and within the promised
 * time there must be one active, paired, with three voters (L1, L4), that
 * holds everything ever acknowledged, except what a claim gave up.
 */
import { compareLineages, isPaired, lastSet } from '../../node-runtime/core/cluster/charter.ts';
import { newestKnown } from '../../node-runtime/core/cluster/knowledge.ts';
import { quorumHears } from '../../node-runtime/core/cluster/leading.ts';
import { Violation } from './checks.ts';
import { activate, choose, claim, giveRelease, moods, takeImageOf, trouble } from './faults.ts';
import { CONTROLLERS, type Mutation, newWorld, type SimNode, type World } from './world.ts';

export type RunOptions = {
  seed: number;
  steps: number;
  log?: (line: string) => void;
  mutation?: Mutation | undefined;
  mood?: string | undefined;
};
export type RunResult = {
  seed: number;
  mood: string;
  steps: number;
  counts: Map<string, number>;
  violation: string | null;
  peaceMs: number;
};

const TROUBLE_MS = 40_000;
const PEACE_MS = 40_000;

export function runSeed(options: RunOptions): RunResult {
  const { seed, steps } = options;
  const world = newWorld({
    seed,
    preformed: seed % 3 !== 0,
    small: seed % 4 !== 0,
    speaks: 1,
    log: options.log ?? null,
    mutation: options.mutation,
  });
  const mood = moods.find((one) => one.name === options.mood) ?? moods[seed % moods.length]!;
  const result = { seed, mood: mood.name, counts: world.counts };
  let violation: string | null = null;
  let peaceMs = 0;
  try {
    world.begin();
    const everyMs = 60 * 30 ** world.chance.next();
    const client = (): void => {
      world.clients.act();
      world.after(10 + world.chance.next() * 80, client);
    };
    world.after(200, client);
    world.faultsUntil = TROUBLE_MS;
    world.after(300, () => trouble(world, mood, everyMs));
    if (seed % 3 === 0) world.after(900, () => takeImageOf(world, CONTROLLERS[0]!)); // of the time when it votes alone
    world.run(TROUBLE_MS, steps);
    peaceMs = makePeace(world);
    world.run(world.now + 1_500); // outcomes that workers kept are counted
    checkEnd(world);
  } catch (error) {
    if (!(error instanceof Violation) && !(error instanceof Error && /^broken promise/.test(error.message)))
      throw error;
    violation = error.message;
    world.log(`VIOLATION ${error.message}`);
  }
  return { ...result, steps: world.steps, violation, peaceMs };
}

/** All faults end; then people help where a note asks for them. Returns how long it took. */
function makePeace(world: World): number {
  world.log('peace');
  world.faultsUntil = 0;
  world.trap = null;
  world.blocked.clear();
  Object.assign(world.network, { loss: 0, doubled: 0, slowMs: 2 });
  for (const node of world.nodes.values()) {
    node.disk.state = 'well';
    node.diesAtSave = false;
    node.diesAtClaim = false;
    if (!node.up) world.start(node);
    world.thaw(node);
    world.flush(node);
  }
  for (const worker of world.workers.values()) if (!worker.up) world.machines.restart(worker);
  const begun = world.now;
  // People finish the upgrade that they began, and give back a release that was wrong.
  const { enabled } = world.work;
  for (const machine of [...world.nodes.values(), ...world.workers.values()])
    if (machine.speaks > enabled + 1 || machine.speaks < enabled) giveRelease(world, machine, enabled);
  let helped = 0;
  while (world.now - begun < PEACE_MS) {
    world.blocked.clear(); // cuts that were still to come
    world.run(world.now + 500);
    if (isSettled(world)) {
      const [before] = leaders(world);
      const since = world.now;
      world.run(since + 1_500); // it has to stay so (L5), once the last orders of the trouble are over
      if (isSettled(world) && leaders(world)[0] === before) return since - begun;
    }
    if (world.now - begun > 6_000 * (helped + 1)) help(world, helped++);
  }
  return world.now - begun;
}

/** What a person does after reading the notes: ends a parking, chooses between two eras, confirms what is truly lost. */
function help(world: World, times: number): void {
  const controllers = CONTROLLERS.map((name) => world.node(name)).filter((node) => node.up);
  const divided = controllers.find((node) => node.member.conflict);
  if (divided) return choose(world, divided);
  for (const node of world.nodes.values()) {
    const { needs } = node.member; // its note says which version it needs: it gets a release that reads it
    if (needs && needs.version !== node.speaks) giveRelease(world, node, Math.max(needs.version, 1));
  }
  const confirms = ({ member }: SimNode): boolean =>
    member.phase.phase === 'leading' && quorumHears(member, member.phase);
  if (world.acting().some(confirms)) return;
  activate(world);
  const candidates = controllers.filter((node) => world.roster.controllers.some((one) => one.node === node.name));
  const best = candidates.sort((a, b) => b.disk.entries.length - a.disk.entries.length)[times % candidates.length];
  if (times > 0 && best) claim(world, best, true);
}

/** The actives of the newest era; an older one must have yielded. */
function leaders(world: World): SimNode[] {
  const acting = world.acting();
  return acting.filter(
    (node) => !acting.some((other) => compareLineages(newestKnown(node.member), newestKnown(other.member)) === 'newer'),
  );
}

function isSettled(world: World): boolean {
  const [leader, second] = leaders(world);
  const charter = leader && world.leaderOf(leader);
  return !second && !!charter && isPaired(charter) && charter.voters.length === 1 && lastSet(charter).length === 3;
}

function checkEnd(world: World): void {
  const [leader] = leaders(world);
  if (!leader || !isSettled(world)) {
    const notes = [...world.nodes.values()]
      .map((node) => `${node.name}: ${node.up ? (node.notes.at(-1) ?? '') : 'down'}`)
      .join('; ');
    const charter = leader && world.leaderOf(leader);
    const state = charter
      ? `${leader.name} active, write set ${charter.writeSet.length}, voters ${charter.voters.map((set) => set.length).join('+')}`
      : 'nobody active';
    throw new Violation(`L4: not whole after the faults ended: ${state}. ${notes}`);
  }
  const { desk } = leader;
  if (desk) world.work.atEnd(desk.folded, world.workers.values(), world.now);
  const [fault] = world.clients.faults();
  if (fault) throw new Violation(`I12: ${fault}`);
  const lineage = world.checks.lineageOf(world.leaderOf(leader) ?? newestKnown(leader.member));
  for (const { key, index, chain, lineage: own } of world.acked) {
    if (leader.disk.entries[index - 1]?.chain === chain) continue;
    if (own !== lineage || world.checks.isExcused(own, chain)) continue;
    throw new Violation(`I12: ${key} at ${index} was acknowledged and the active does not have it`);
  }
}
