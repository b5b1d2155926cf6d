/**
 * One worker of the explorer: the real fence with its disk, as a value.
 *
 * Orders come in any order, from old and new actives; saves are done in order
 * and the power may fail between a save and the start that follows from it.
 * Job processes and leases are left out.
 *
 * Checks: I10 (nothing is started below the fence that is on disk), a start
 * only after its save (P35), and that nothing but another claim is refused as
 * one (P32).
 */
import {
  type Fence,
  type FenceEvent,
  fenceStep,
  type Worker,
  wakeWorker,
} from '../../node-runtime/core/cluster/fence.ts';
import { compareTerms, termText } from '../../node-runtime/core/cluster/terms.ts';
import { broken } from './core-law.ts';
import type { Order, Outcome, Setting } from './core-setting.ts';

export type WorkerNode = {
  name: string;
  worker: Worker;
  saved: Fence;
  pending: Fence[];
  /** Which claim was obeyed in each era; '': none. */
  eras: Record<number, string>;
};

const copyFence = (fence: Fence): Fence => ({
  ...fence,
  attempts: Object.fromEntries(Object.entries(fence.attempts).map(([id, one]) => [id, { ...one }])),
});

function atCopy(
  node: WorkerNode,
  does: (copy: WorkerNode, outcome: Outcome) => void,
): { node: WorkerNode; outcome: Outcome } {
  const { worker } = node;
  const copy = {
    ...node,
    worker: { fence: copyFence(worker.fence), waiting: [...worker.waiting], saving: worker.saving },
    pending: [...node.pending],
    eras: { ...node.eras },
  };
  const outcome: Outcome = { sends: [], seen: [], told: [] };
  does(copy, outcome);
  return { node: copy, outcome };
}

function takes(copy: WorkerNode, given: FenceEvent, outcome: Outcome, setting: Setting): void {
  const event = setting.bend?.worker?.before?.(copy.worker, given) ?? given;
  for (const effect of fenceStep(copy.worker, event)) {
    switch (effect.effect) {
      case 'saveFence':
        copy.pending.push(copyFence(effect.fence));
        if (setting.bend?.worker?.lies) takes(copy, { event: 'saved' }, outcome, setting);
        break;
      case 'start':
        starts(copy, effect.attempt, effect.term, outcome);
        break;
      case 'refuse':
        outcome.told.push(`a worker refuses: ${effect.why}`);
        if (
          effect.why.startsWith('another claim') &&
          'lineage' in event &&
          event.lineage &&
          !copy.eras[event.lineage.era]
        )
          broken('P32', `${copy.name} refuses claim ${event.lineage.claim} as a second one and has obeyed no other`);
        break;
      case 'tellAttempts':
        break;
    }
  }
}

function starts(copy: WorkerNode, attempt: string, term: Fence['term'], outcome: Outcome): void {
  if (compareTerms(term, copy.saved.term) < 0)
    broken('I10', `${copy.name} starts ${attempt} in ${termText(term)} and its fence is ${termText(copy.saved.term)}`);
  const known = copy.saved.attempts[attempt];
  if (!known) broken('P35', `${copy.name} starts ${attempt} before it is on its disk`);
  outcome.seen.push({ seen: 'started', attempt: `${attempt} on ${copy.name}` });
}

export const takeOrder = (node: WorkerNode, order: Order, setting: Setting): { node: WorkerNode; outcome: Outcome } =>
  atCopy(node, (copy, outcome) => {
    const before = node.saved.term;
    takes(copy, order, outcome, setting);
    obeysNothingLower(copy, order, before, outcome);
  });

/** I10: an order of a term below the fence on disk is not taken, and starts nothing. */
function obeysNothingLower(copy: WorkerNode, order: Order, fence: Fence['term'], outcome: Outcome): void {
  const lower = compareTerms(order.term, fence) < 0;
  const refused = outcome.told.some((told) => told.startsWith('a worker refuses'));
  if (lower && !refused)
    broken('I10', `${copy.name} obeys ${termText(order.term)} and its fence is ${termText(fence)}`);
}

export const saveFence = (node: WorkerNode, setting: Setting): { node: WorkerNode; outcome: Outcome } =>
  atCopy(node, (copy, outcome) => {
    const before = copy.saved;
    copy.saved = copy.pending.shift()!;
    if (compareTerms(copy.saved.term, before.term) < 0) broken('I9', `${copy.name} forgets ${termText(before.term)}`);
    obeysOneClaim(copy);
    if (copy.worker.saving > 0) takes(copy, { event: 'saved' }, outcome, setting);
  });

/** P32: of two claims of an era a worker obeys one, for good. */
function obeysOneClaim({ name, saved, eras }: WorkerNode): void {
  const { era, claim } = saved.lineage ?? { era: 0, claim: '' };
  const known = eras[era] ?? claim;
  if (known !== claim) broken('P32', `${name} obeys ${claim || 'nobody'} after claim ${known}`);
  const newest = Math.max(0, ...Object.keys(eras).map(Number));
  if (era < newest) broken('P32', `${name} obeys era ${era} after era ${newest}`);
  eras[era] = claim;
}

/** Its process is gone. */
export const endAttempt = (node: WorkerNode, setting: Setting): { node: WorkerNode; outcome: Outcome } =>
  atCopy(node, (copy, outcome) => {
    const running = runningAttempt(copy);
    if (running) takes(copy, { event: 'ended', attempt: running }, outcome, setting);
  });

export const runningAttempt = ({ worker }: WorkerNode): string | null =>
  Object.entries(worker.fence.attempts).find(([, one]) => one.state === 'started')?.[0] ?? null;

/** The power fails when so many saves are done: which starts were carried out is on its disk or not at all. */
export const crashWorker = (
  node: WorkerNode,
  reached: number,
  setting: Setting,
): { node: WorkerNode; outcome: Outcome } =>
  atCopy(node, (copy, outcome) => {
    if (reached > 0) copy.saved = copy.pending[reached - 1]!;
    copy.pending = [];
    copy.worker = wakeWorker(copyFence(copy.saved));
    setting.bend?.worker?.wakes?.(copy.worker, copy.saved);
    outcome.told.push('a worker is started again');
  });

export const workerText = ({ worker, saved, pending, eras }: WorkerNode): string =>
  JSON.stringify([worker, saved, pending, eras]);
