/**
 * Figures of a cluster of real processes on one machine: two controllers, a
 * watch, and a node without a duty of its own to ask. Everything is asked over
 * HTTP at that node, as a program would, so a fail-over is seen as users see it.
 */
import { readFileSync } from 'node:fs';
import type { Cluster, Run } from '../../node-runtime/contract/model.ts';
import type { RealNode as Node } from '../support/real-node.ts';

process.env['BINNACLE_TEST_BUILT'] = '1';
const { eventually, RealNode } = await import('../support/real-node.ts');

const door = ['--listen', '127.0.0.1:0'];

export type BenchCluster = {
  controllers: Record<string, Node>;
  watch: Node;
  asked: Node;
  view(): Promise<Cluster>;
  /** Paired, with three voters, and answering. */
  whole(): Promise<Cluster>;
  launch(): Promise<Run>;
};

export async function withCluster<T>(act: (cluster: BenchCluster) => Promise<T>): Promise<T> {
  const a = await RealNode.found();
  const nodes = [a];
  try {
    await a.start(door);
    const b = await RealNode.join(a, 'borea', ['controller', 'worker']);
    const watch = await RealNode.join(a, 'deck', ['watch']);
    const asked = await RealNode.join(a, 'desk', ['worker']);
    nodes.push(b, watch, asked);
    await Promise.all([b, watch, asked].map((node) => node.start(door)));
    const view = () => asked.must<Cluster>('GET', '/api/v1/cluster');
    const whole = () =>
      eventually(
        'the cluster is whole',
        async () => {
          const cluster = await view().catch(() => null);
          return cluster?.fresh && cluster.mode === 'paired' && cluster.charter?.voters.flat().length === 3
            ? cluster
            : null;
        },
        60_000,
      );
    await whole();
    await asked.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
    await asked.put('work', 'true.sh', '#!/bin/true\n', '?executable=1');
    const launch = () => asked.must<Run>('POST', '/api/v1/runs', { sandbox: 'work', path: 'true.sh' });
    return await act({ controllers: { atlas: a, borea: b }, watch, asked, view, whole, launch });
  } finally {
    for (const node of nodes.reverse()) await node.remove();
  }
}

/** `kill -9` of the active → a new launch is acknowledged, in ms, each time. */
export async function killsMs({ controllers, whole, launch }: BenchCluster, count: number): Promise<number[]> {
  const took: number[] = [];
  for (let round = 0; round < count; round++) {
    const { active } = await whole();
    const dying = controllers[active!]!;
    await launch();
    const begun = performance.now();
    await dying.kill();
    await launch();
    took.push(performance.now() - begun);
    await dying.start(door);
  }
  await whole();
  return took;
}

/** Longest time between two acknowledged launches around a switch-over, in ms, each time. */
export async function switchGapsMs({ asked, whole, launch }: BenchCluster, count: number): Promise<number[]> {
  const gaps: number[] = [];
  for (let round = 0; round < count; round++) {
    await whole();
    let done = false;
    let last = performance.now();
    let longest = 0;
    const client = (async () => {
      while (!done) {
        await launch();
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }
    })();
    await eventually('launches are under way', () => longest > 0);
    longest = 0;
    await asked.must('POST', '/api/v1/cluster/switch-over', {});
    done = true;
    await client;
    gaps.push(longest);
  }
  return gaps;
}

/** Processor seconds of a process so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
