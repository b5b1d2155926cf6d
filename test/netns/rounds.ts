/**
 * Rounds of one kind of fault on one cluster while clients work, and the
 * judgement at the end. What the fault is, and whether work must go on while it
 * lasts, is said by the plan; the moment, the length and the victim come from
 * the seed.
 *
 * A failure keeps the history, the journals, the logs and what was done when,
 * and prints the seed.
 */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Chance, chanceOf } from '../simulation/random.ts';
import { remainsOf } from '../support/namespaces.ts';
import {
  checkHistory,
  checkJournal,
  checkKeys,
  checkOneActive,
  checkReads,
  checkRuns,
  checkSameChain,
  checkStarts,
} from './checks.ts';
import type { Clients } from './clients.ts';
import { type Member, NetCluster, type Wishes } from './cluster.ts';
import type { Fault } from './faults.ts';
import { nowMs } from './operation.ts';

export type Plan = {
  name: string;
  members: Member[];
  wishes?: Wishes;
  fault(cluster: NetCluster, chance: Chance): Promise<Fault> | Fault;
  /** How long each lasts. */
  lastsMs: readonly [number, number];
  /** Work goes on while it lasts: a change called after its beginning is acknowledged. */
  worksMeanwhile: boolean;
  /** A lie told on purpose, to see that it is noticed: nothing is kept of it. */
  mayFail?: boolean;
};
export type Result = {
  rounds: number;
  operations: number;
  acknowledged: number;
  unknown: number;
  violations: string[];
  /** From the beginning of the fault (or its end, where no work is possible before) to the next acknowledgement. */
  gapsMs: number[];
};

export const roundsWanted = Number(process.env['BINNACLE_NET_ROUNDS'] ?? 5);
export const seedOf = (name: string): number =>
  Number(
    process.env['BINNACLE_NET_SEED'] ??
      [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7) % 100_000,
  );

const kept = fileURLToPath(new URL('../../test-results/net', import.meta.url));
const AGAIN_MS = 45_000;

export async function playRounds(plan: Plan, rounds: number, seed: number): Promise<Result> {
  const cluster = await NetCluster.make(plan.members, plan.wishes);
  const result = await playOn(cluster, plan, rounds, seed);
  result.violations.push(...remainsOf(cluster.network.id).map((one) => `left behind: ${one}`));
  return result;
}

async function playOn(cluster: NetCluster, plan: Plan, rounds: number, seed: number): Promise<Result> {
  const said: string[] = [];
  const begun = nowMs();
  const say = (line: string) => said.push(`${((nowMs() - begun) / 1000).toFixed(3)} ${line}`);
  let clients: Clients | null = null;
  try {
    say('the cluster has settled');
    clients = cluster.startClients(seed);
    const gapsMs: number[] = [];
    const chance = chanceOf(seed);
    for (let round = 1; round <= rounds; round++) gapsMs.push(await playRound(plan, cluster, clients, chance, say));
    const history = await clients.stop();
    say('the clients have stopped');
    const violations = await judge(cluster, clients);
    const acknowledged = history.filter((one) => one.outcome === 'ok').length;
    const unknown = history.filter((one) => one.outcome === 'unknown').length;
    const result = { rounds, operations: history.length, acknowledged, unknown, violations, gapsMs };
    if (violations.length > 0 && !plan.mayFail) keep(plan, seed, cluster, clients, [...said, ...violations]);
    return result;
  } catch (error) {
    say(`failed: ${(error as Error).message}`);
    for (const node of cluster.nodes) say(`${node.host} sees ${JSON.stringify(await cluster.view(node))}`);
    const where = keep(plan, seed, cluster, clients, said);
    throw new Error(`${plan.name}, BINNACLE_NET_SEED=${seed}: ${(error as Error).message} (kept in ${where})`, {
      cause: error,
    });
  } finally {
    cluster.destroy();
  }
}

async function playRound(
  plan: Plan,
  cluster: NetCluster,
  clients: Clients,
  chance: Chance,
  say: (line: string) => void,
): Promise<number> {
  await cluster.settled();
  await clients.acknowledgedAfter(nowMs(), AGAIN_MS);
  const fault = await plan.fault(cluster, chance);
  await new Promise((done) => setTimeout(done, chance.whole(0, 400)));
  say(`begin: ${fault.name}`);
  const lasts = new Promise((done) => setTimeout(done, chance.whole(...plan.lastsMs)));
  await fault.begin();
  let since = nowMs();
  let next = null;
  try {
    if (plan.worksMeanwhile) {
      next = await clients.acknowledgedAfter(since, AGAIN_MS);
      say(`acknowledged again after ${(next.returnedAt! - since).toFixed(0)} ms, by ${next.node}`);
    }
    await lasts;
  } finally {
    say(`end: ${fault.name}`);
    const ended = nowMs();
    await fault.end();
    if (!plan.worksMeanwhile) since = ended;
  }
  const after = await clients.acknowledgedAfter(nowMs(), AGAIN_MS);
  await cluster.settled();
  say('the cluster has settled');
  return (next ?? after).returnedAt! - since;
}

/** Everything that must hold when all is quiet again. */
async function judge(cluster: NetCluster, clients: Clients): Promise<string[]> {
  const { history } = clients;
  const runs = await cluster.endedRuns();
  const journals = await cluster.journalsAtRest();
  const [one, other] = journals;
  return [
    ...checkKeys(history, one!),
    ...checkHistory(history, one!),
    ...checkOneActive(history),
    ...journals.flatMap(checkJournal),
    ...(other ? checkSameChain(one!, other) : []),
    ...checkStarts(cluster.marks(), one!, runs),
    ...checkRuns(history, runs),
    ...checkReads(history),
    ...(await cluster.leaked()),
  ];
}

/** Puts aside what is needed to understand a failure. */
function keep(plan: Plan, seed: number, cluster: NetCluster, clients: Clients | null, said: string[]): string {
  const at = path.join(kept, `${plan.name.replaceAll(/\W+/g, '-')}-${seed}`);
  mkdirSync(at, { recursive: true });
  writeFileSync(path.join(at, 'said.txt'), `BINNACLE_NET_SEED=${seed}\n${said.join('\n')}\n`);
  writeFileSync(
    path.join(at, 'history.jsonl'),
    (clients?.history ?? []).map((one) => `${JSON.stringify(one)}\n`).join(''),
  );
  writeFileSync(path.join(at, 'marks.json'), JSON.stringify([...cluster.marks()]));
  for (const node of cluster.nodes) {
    writeFileSync(path.join(at, `${node.host}.log`), node.log);
    const journal = path.join(node.data, 'journal');
    if (existsSync(journal)) cpSync(journal, path.join(at, `${node.host}-journal`), { recursive: true });
  }
  return at;
}

/** At most so many at once: clusters side by side share two cores. */
export function lanes(count: number): <T>(act: () => Promise<T>) => Promise<T> {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (act) => {
    if (free === 0) await new Promise<void>((done) => waiting.push(done));
    else free--;
    try {
      return await act();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
