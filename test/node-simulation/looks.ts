/** Looks at a node's state that several parts of the simulation take. */
import { openAttempt } from '../../node-runtime/core/jobs/record.ts';
import type { Replicated } from '../../node-runtime/core/replicated.ts';

export type Unfinished = { run: string; task: string; node: string | null; lost: boolean };

export function unfinishedTasks({ jobs }: Replicated): Unfinished[] {
  return [...jobs.progress.keys()].flatMap((id) => {
    const run = jobs.runs.get(id)!;
    return run.tasks.flatMap((task, place) => {
      if (task.ended) return [];
      const open = openAttempt(task);
      return [{ run: id, task: run.plan.tasks[place]!.id, node: open?.node ?? null, lost: open?.lost === true }];
    });
  });
}
