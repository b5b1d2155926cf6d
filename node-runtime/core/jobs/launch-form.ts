/**
 * What the console needs before a launch: the parameters as fields, the tasks,
 * and where it would run now, in sentences.
 */

import type { Plan } from '../../contract/facts.ts';
import type { JobFile } from '../../contract/job-file.ts';
import type { LaunchForm, ParameterField } from '../../contract/model.ts';
import { fieldsOn } from './parameters.ts';
import { secretNames, secretsNamedIn } from './secret-names.ts';
import type { Jobs } from './state.ts';

/** `node` is the id of the node; `name` is how people call it. */
export type FormWorker = { node: string; name?: string; slots: number; taking: boolean };

/**
 * @param job null for a script, which takes any parameter
 * @param today YYYY-MM-DD, for defaults like yesterday
 */
export function launchFormOf(
  jobs: Jobs,
  {
    sandbox,
    path,
    job,
    plan,
    fields,
    workers,
    today,
    isSecret,
  }: {
    sandbox: string;
    path: string;
    job: JobFile | null;
    plan: Plan;
    fields: ParameterField[];
    workers: FormWorker[];
    today: string;
    /** Is there a secret of that name? */
    isSecret(name: string): boolean;
  },
): LaunchForm {
  const named = secretsNamedIn(plan);
  return {
    sandbox,
    path,
    name: plan.name,
    ...(job?.description === undefined ? {} : { description: job.description }),
    format: plan.format,
    parameters: fieldsOn(fields, today),
    open: job === null,
    tasks: plan.tasks.map(({ id, name, needs, finally: last, secrets }) => ({
      ...{ id, name, needs, finally: last },
      ...(secrets ? { secrets: secretNames(secrets) } : {}),
    })),
    ...(named.length > 0 ? { secrets: named.map((name) => ({ name, known: isSecret(name) })) } : {}),
    placement: workers.map((worker) => placementOn(jobs, worker)),
  };
}

function placementOn(jobs: Jobs, { node, name = node, slots, taking }: FormWorker): LaunchForm['placement'][number] {
  const free = Math.max(0, slots - (jobs.placed.get(node)?.size ?? 0));
  if (!taking) return { node: name, suits: false, sentence: `Not on ${name}: it takes no tasks now.` };
  if (slots === 0) return { node: name, suits: false, sentence: `Not on ${name}: it has no slots for tasks.` };
  if (free === 0)
    return { node: name, suits: true, sentence: `On ${name} it would wait: all ${slots} slots are taken.` };
  return { node: name, suits: true, sentence: `Runs on ${name}: ${free} of ${slots} slots free.` };
}
