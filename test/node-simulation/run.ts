/**
 * One run from one seed: a cluster of one grows, a time of trouble, a time of
 * peace. In peace the faults end, people do what they would be asked for, and
 * within a minute the cluster has come to rest with all that was acknowledged.
 */
import { isPaired, votersOf } from '../../node-runtime/core/cluster/charter.ts';
import { endOf } from '../../node-runtime/core/journal/tail.ts';
import { Violation } from './checks.ts';
import { activate, choose, claim, moods, startAgain, trouble } from './faults.ts';
import { unfinishedTasks } from './looks.ts';
import type { SimNode } from './node.ts';
import { CONTROLLERS, World } from './world.ts';

const GROWING_MS = 6_000;
const TROUBLE_MS = 24_000;
const PEACE_MS = 60_000;

export type RunResult = {
  seed: number;
  mood: string;
  steps: number;
  counts: Map<string, number>;
  violation: string | null;
  lines: string[];
  restMs: number;
};

export async function runSeed(seed: number, tell: ((line: string) => void) | null = null): Promise<RunResult> {
  const world = new World(seed, tell);
  const mood = moods[seed % moods.length]!;
  let violation: string | null = null;
  let restMs = 0;
  try {
    world.found();
    world.clients.begin();
    world.faultsUntil = GROWING_MS + TROUBLE_MS;
    // Half of them grow in quiet, the others in trouble.
    world.after(seed % 4 < 2 || mood.name === 'losses' ? GROWING_MS : 500, () => trouble(world, mood));
    looks(world);
    await world.run(world.faultsUntil);
    restMs = await comeToRest(world, tell);
    atEnd(world);
  } catch (error) {
    if (!(error instanceof Violation) && !(error instanceof Error && /broken promise/.test(error.message))) {
      world.log(`FAULT ${(error as Error).stack}`);
      throw Object.assign(error as Error, {
        message: `seed ${seed}: ${(error as Error).message}\n${world.lines.join('\n')}`,
      });
    }
    violation = `${error.message}${error.cause instanceof Error ? `\n${error.cause.stack}` : ''}`;
    world.log(`VIOLATION ${violation}`);
  }
  const { counts, lines, steps } = world;
  return { seed, mood: mood.name, steps, counts, violation, lines, restMs };
}

function looks(world: World): void {
  world.after(700, () => {
    const replays = world.chance.happens(0.25) ? world.chance.pick(CONTROLLERS) : null;
    for (const name of CONTROLLERS) {
      const node = world.nodes.get(name);
      if (node) world.checks.look(node, name === replays);
    }
    looks(world);
  });
}

async function comeToRest(world: World, tell: ((line: string) => void) | null): Promise<number> {
  world.log('peace');
  world.clients.stop();
  const begun = world.now;
  Object.assign(world.network, { breaks: 0, slowMs: 2 });
  for (const node of world.nodes.values()) {
    node.disk.state = 'well';
    node.skewMs = 0;
    node.blobsMissing = 0;
    startAgain(world, node);
    node.thaw();
  }
  let helped = begun;
  let said: string | null = null;
  while (world.now - begun < PEACE_MS) {
    world.network.blocked.clear();
    await world.run(world.now + 250);
    for (const node of world.nodes.values()) startAgain(world, node); // kills that were still to come
    const why = unrest(world);
    if (why !== said && tell) tell(`${(world.now / 1_000).toFixed(3).padStart(8)} … ${why}`);
    said = why;
    if (why === null) {
      const since = world.now;
      await world.run(world.now + 1_500);
      if (unrest(world) === null) return since - begun;
    }
    if (world.now - helped < 6_000) continue;
    helped = world.now;
    help(world);
  }
  throw new Violation(`L4: not at rest a minute after the faults ended: ${unrest(world)}`);
}

/** What a person does after reading what is shown. */
function help(world: World): void {
  const controllers = CONTROLLERS.map((name) => world.node(name)).filter((node) => node.up && !node.waking);
  const divided = controllers.find((node) => node.state.member.conflict);
  if (divided) return choose(world, divided);
  if (world.active().length > 0) return world.clients.decide();
  activate(world);
  for (const node of controllers) claim(world, node, []);
}

/** What is not yet as it should be, in words; null: at rest. */
function unrest(world: World): string | null {
  const [active, second] = world.active();
  if (!active) return `nobody acts: ${CONTROLLERS.map((name) => stand(world.nodes.get(name))).join('; ')}`;
  if (second) return `${active.id} and ${second.id} act`;
  const { member, replicated, held, waiting } = active.state;
  const charter = member.register.accepted;
  if (replicated.members.nodes.size >= 3) {
    if (!isPaired(charter)) return `${active.id} is not paired: ${stand(world.nodes.get('ctl-b'))}`;
    if (charter.voters.length > 1 || votersOf(charter).length !== 3) return `voters ${JSON.stringify(charter.voters)}`;
  }
  if (world.clients.open > 0) return `${world.clients.open} requests are not answered`;
  const unfinished = unfinishedTasks(replicated);
  if (unfinished.length > 0) return `${unfinished.length} tasks have not ended, ${JSON.stringify(unfinished[0])}`;
  if (replicated.jobs.progress.size > 0) return `${replicated.jobs.progress.size} runs have not ended`;
  if (replicated.members.unread) return `workers are unread: ${replicated.members.unread.workers.join()}`;
  if (held.length > 0 || waiting.length > 0) return `${held.length} things are held, ${waiting.length} wishes wait`;
  if (member.committed !== endOf(member.journal).index) return 'the end of the journal is not committed';
  const spooling = [...world.nodes.values()].find((node) => (node.worker?.spooled() ?? 0) > 0);
  if (spooling) return `${spooling.id} still remembers ${spooling.worker!.spooled()} attempts`;
  return null;
}

function stand(node: SimNode | undefined): string {
  if (!node?.up || node.waking) return `${node?.id ?? 'ctl-b'} is not there`;
  const { member, rebuilding, diskFull } = node.state;
  return `${node.id} ${member.phase.phase}${rebuilding ? ', rebuilding' : ''}${diskFull ? ', full' : ''}, journal ${endOf(member.journal).index}, committed ${member.committed}, ${member.noted}`;
}

function atEnd(world: World): void {
  const [active] = world.active();
  const index = active!.state.replicated.index;
  const claimNow = world.checks.claimOf(active!);
  for (const name of CONTROLLERS) {
    const node = world.nodes.get(name);
    if (!node) continue;
    world.checks.look(node, true);
    if (node.state.replicated.index !== index)
      world.fail(`${name} knows ${node.state.replicated.index} of ${index} entries`);
    for (const ack of world.checks.acknowledged) {
      if (world.checks.isExcused(ack, claimNow)) {
        world.count('acknowledged and given up by a claim');
        continue;
      }
      const stored = node.disk.kept.history[ack.index - 1];
      if (stored?.chain !== ack.chain) world.fail(`I12: ${ack.key} was acknowledged and ${name} does not have it`);
      if (ack.what !== 'launch') continue;
      const run = node.state.replicated.jobs.runs.get(ack.run!);
      if (!run?.end)
        world.fail(`I12: ${ack.run} was acknowledged and ${run ? 'has not ended' : 'is not there'} at ${name}`);
    }
  }
}
