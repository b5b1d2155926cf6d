/**
 * The needs between the tasks of a job file: circles in them, and which tasks
 * come before which. Sizes are bounded by the job file; nothing here recurses,
 * and what comes before a task is kept as bits, so that large graphs stay fast.
 */
import type { JobFile, TaskWritten } from '../../contract/job-file.ts';

export const needsOf = (task: TaskWritten): string[] =>
  task.needs === undefined ? [] : typeof task.needs === 'string' ? [task.needs] : task.needs;

export type Node = { id: string; section: 'tasks' | 'finally'; task: TaskWritten; needs: number[] };
export type Graph = { nodes: Node[]; indexOf: Map<string, number> };

/** Unknown needs are left out; a task of `finally` whose id is taken is left out too. */
export function graphOf(job: JobFile): Graph {
  const nodes: Node[] = [];
  const indexOf = new Map<string, number>();
  for (const section of ['tasks', 'finally'] as const) {
    for (const [id, task] of Object.entries(job[section] ?? {})) {
      if (indexOf.has(id)) continue;
      indexOf.set(id, nodes.length);
      nodes.push({ id, section, task, needs: [] });
    }
  }
  for (const node of nodes) {
    node.needs = needsOf(node.task).flatMap((need) => indexOf.get(need) ?? []);
  }
  return { nodes, indexOf };
}

/** One circle as node indexes, first and last the same, or null. A task that needs itself is one. */
export function circleIn({ nodes }: Graph): number[] | null {
  const state = new Uint8Array(nodes.length); // 0 not seen, 1 on the way, 2 done
  for (let start = 0; start < nodes.length; start++) {
    if (state[start] !== 0) continue;
    const way: { at: number; next: number }[] = [{ at: start, next: 0 }];
    state[start] = 1;
    for (let top = way.at(-1); top; top = way.at(-1)) {
      const need = nodes[top.at]!.needs[top.next++];
      if (need === undefined) {
        state[top.at] = 2;
        way.pop();
      } else if (state[need] === 1) {
        const from = way.findIndex((step) => step.at === need);
        return [...way.slice(from).map((step) => step.at), need];
      } else if (state[need] === 0) {
        state[need] = 1;
        way.push({ at: need, next: 0 });
      }
    }
  }
  return null;
}

/** `before(a, b)`: does task a surely end before b begins? The graph has no circle. */
export function orderOfGraph({ nodes }: Graph): (a: number, b: number) => boolean {
  const words = Math.ceil(nodes.length / 32);
  const earlier = nodes.map(() => new Uint32Array(words));
  for (const index of needsFirst(nodes)) {
    const bits = earlier[index]!;
    for (const need of nodes[index]!.needs) {
      const inherited = earlier[need]!;
      for (let word = 0; word < words; word++) bits[word]! |= inherited[word]!;
      bits[need >>> 5]! |= 1 << (need & 31);
    }
  }
  return (a, b) => {
    if (nodes[a]!.section === 'tasks' && nodes[b]!.section === 'finally') return true;
    return (earlier[b]![a >>> 5]! & (1 << (a & 31))) !== 0;
  };
}

function needsFirst(nodes: Node[]): number[] {
  const open = nodes.map((node) => node.needs.length);
  const followers: number[][] = nodes.map(() => []);
  for (const [index, node] of nodes.entries()) for (const need of node.needs) followers[need]!.push(index);
  const order = open.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let next = 0; next < order.length; next++) {
    for (const follower of followers[order[next]!]!) {
      open[follower]!--;
      if (open[follower] === 0) order.push(follower);
    }
  }
  return order;
}
