/**
 * A worker's fence: whom it obeys, and that it starts an attempt once.
 *
 * A worker keeps the highest term it has seen and obeys nothing older; a
 * higher one is saved before it is obeyed. A second claim of an era it has
 * seen is refused for good. Attempts are saved before they are started.
 *
 * Leaves out processes and leases. Promise: an attempt starts at most once,
 * without any clock, and never for an active that was replaced.
 * Rules: P31, P32, P35.
 */
import type { Term } from '../../contract/facts.ts';
import { compareTerms } from './terms.ts';

export type Fence = {
  cluster: string;
  term: Term;
  /** The claim that opened the era of that term, if one did. */
  lineage: string | null;
  /** Attempts ever taken: saved with the term in which they were started. */
  attempts: Record<string, { term: Term; state: 'starting' | 'started' | 'ended' }>;
};

export type FenceEvent =
  | { event: 'greeted'; cluster: string; term: Term; lineage: string | null }
  | { event: 'startAsked'; cluster: string; term: Term; lineage: string | null; attempt: string }
  /** All that was given to be saved is on disk. */
  | { event: 'saved' };

export type FenceEffect =
  | { effect: 'saveFence'; fence: Fence }
  | { effect: 'refuse'; term: Term; why: string }
  | { effect: 'tellAttempts'; term: Term; attempts: Fence['attempts'] }
  | { effect: 'start'; attempt: string; term: Term };

export type Worker = { fence: Fence; waiting: FenceEvent[]; saving: number };

export const freshFence = (cluster: string): Fence => ({
  cluster,
  term: { era: 0, number: 0, node: '' },
  lineage: null,
  attempts: {},
});

/** After a start nothing is known of what was being started: the host looks (its claim file knows), nothing starts again. */
export function wakeWorker(fence: Fence): Worker {
  const attempts = Object.entries(fence.attempts).map(([id, one]) => [
    id,
    one.state === 'starting' ? { ...one, state: 'started' as const } : { ...one },
  ]);
  return { fence: { ...fence, attempts: Object.fromEntries(attempts) }, waiting: [], saving: 0 };
}

export function fenceStep(worker: Worker, event: FenceEvent): FenceEffect[] {
  const out: FenceEffect[] = [];
  if (event.event === 'saved') {
    worker.saving -= 1;
    if (worker.saving > 0) return out;
    for (const waiting of worker.waiting.splice(0)) obey(worker, waiting, out);
    return out;
  }
  const why = objection(worker.fence, event);
  if (why) return [{ effect: 'refuse', term: worker.fence.term, why }];
  const { fence } = worker;
  const attempt = event.event === 'startAsked' && !(event.attempt in fence.attempts) ? event.attempt : null;
  if (compareTerms(event.term, fence.term) > 0 || attempt) {
    const attempts = attempt
      ? { ...fence.attempts, [attempt]: { term: event.term, state: 'starting' as const } }
      : fence.attempts;
    worker.fence = { ...fence, term: event.term, lineage: event.lineage, attempts };
    worker.saving += 1;
    out.push({ effect: 'saveFence', fence: worker.fence });
  }
  if (worker.saving > 0) worker.waiting.push(event);
  else obey(worker, event, out);
  return out;
}

function objection(fence: Fence, event: Exclude<FenceEvent, { event: 'saved' }>): string | null {
  if (event.cluster !== fence.cluster) return 'another cluster';
  if (compareTerms(event.term, fence.term) < 0) return 'a newer term is obeyed here';
  const sameEra = event.term.era === fence.term.era;
  return sameEra && event.lineage !== fence.lineage && fence.term.node !== ''
    ? 'another claim of this era is obeyed here'
    : null;
}

/** P35: looks at the fence once more after the save; only what is still unstarted starts. */
function obey(worker: Worker, event: FenceEvent, out: FenceEffect[]): void {
  if (event.event === 'saved') return;
  const why = objection(worker.fence, event);
  if (why) return void out.push({ effect: 'refuse', term: worker.fence.term, why });
  if (event.event === 'startAsked') {
    const attempt = worker.fence.attempts[event.attempt];
    if (attempt?.state === 'starting') {
      attempt.state = 'started';
      out.push({ effect: 'start', attempt: event.attempt, term: event.term });
    }
  }
  out.push({ effect: 'tellAttempts', term: worker.fence.term, attempts: worker.fence.attempts });
}
