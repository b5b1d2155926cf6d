/**
 * Places of tasks in the graph: left to right by what they need (dagre).
 *
 * A need that names no task of the run is left out. `finally` tasks stand
 * after the last of the others, as they run then.
 */
import { graphlib, layout } from '@dagrejs/dagre';

export type Box = { id: string; x: number; y: number };
export type Line = { from: string; to: string; path: string };
export type Drawn = { boxes: Box[]; lines: Line[]; width: number; height: number };
type Node = { id: string; needs: readonly string[]; finally: boolean };

export const boxWidth = 164;
export const boxHeight = 52;

function edgesOf(tasks: readonly Node[]): [string, string][] {
  const ids = new Set(tasks.map((task) => task.id));
  const edges: [string, string][] = tasks.flatMap((task) =>
    task.needs.filter((need) => ids.has(need)).map((need): [string, string] => [need, task.id]),
  );
  const needed = new Set(edges.map(([from]) => from));
  const lasts = tasks.filter((task) => !task.finally && !needed.has(task.id));
  for (const task of tasks) {
    if (task.finally && !edges.some(([, to]) => to === task.id))
      for (const last of lasts) edges.push([last.id, task.id]);
  }
  return edges;
}

/** The same picture mirrored at the middle when that puts more tasks in the order of the file. */
function upright(boxes: Box[]): Box[] {
  let inOrder = 0;
  boxes.forEach((a, i) => {
    for (const b of boxes.slice(i + 1, i + 40)) if (a.x === b.x) inOrder += Math.sign(b.y - a.y);
  });
  if (inOrder >= 0) return boxes;
  const bottom = Math.max(...boxes.map((box) => box.y)) + Math.min(...boxes.map((box) => box.y));
  return boxes.map((box) => ({ ...box, y: bottom - box.y }));
}

export function laidOut(tasks: readonly Node[]): Drawn {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: 'LR', nodesep: 12, ranksep: 52, marginx: 2, marginy: 2 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const task of tasks) graph.setNode(task.id, { width: boxWidth, height: boxHeight });
  const edges = edgesOf(tasks);
  for (const [from, to] of edges) graph.setEdge(from, to);
  layout(graph);
  const boxes = upright(
    tasks.map((task): Box => {
      const at = graph.node(task.id) as { x: number; y: number };
      return { id: task.id, x: at.x - boxWidth / 2, y: at.y - boxHeight / 2 };
    }),
  );
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const lines = edges.map(([from, to]): Line => {
    const a = byId.get(from)!;
    const b = byId.get(to)!;
    const x1 = a.x + boxWidth;
    const y1 = a.y + boxHeight / 2;
    const y2 = b.y + boxHeight / 2;
    const bend = Math.max(20, (b.x - x1) / 2);
    return {
      from,
      to,
      path: y1 === y2 ? `M${x1} ${y1}H${b.x}` : `M${x1} ${y1}C${x1 + bend} ${y1} ${b.x - bend} ${y2} ${b.x} ${y2}`,
    };
  });
  const right = Math.max(0, ...boxes.map((box) => box.x + boxWidth));
  const bottom = Math.max(0, ...boxes.map((box) => box.y + boxHeight));
  return { boxes, lines, width: right + 4, height: bottom + 4 };
}
