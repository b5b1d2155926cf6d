/**
 * A worker's fence: whom it obeys, and that it starts an attempt once.
 *
 * A worker keeps the highest term it has seen and obeys nothing older; a
 * higher one is saved before it is obeyed. It obeys no older lineage either,
 * whatever its term: who only heard of an era may lead in a term of it (P32).
 * A second claim of an era it has seen is refused for good. Attempts are saved before they are started, and
 * forgotten when the active has committed their outcome. The active numbers
 * what it sends in a term, so that a start which was overtaken by the
 * forgetting of its attempt is known for what it is.
 *
 * Leaves out processes and how leases are renewed (`lease.ts`). Promise: an
 * attempt starts at most once, and never for an active that was replaced.
 * Rules: P31, P32, P35.
 */
import type { Lineage, Term } from '../../contract/facts.ts';
import { compareTerms, sameTerm } from './terms.ts';

export type Fence = {
  cluster: string;
  term: Term;
  /** The newest claim that opened an era, of those it has obeyed; its active may lead in terms of a later era. */
  lineage: Lineage | null;
  /** Newest number of a forgetting, and the term it is of: starts up to it are too old. */
  forgotten?: { term: Term; number: number };
  /** Attempts not forgotten: saved with the term in which they were started. */
  attempts: Record<string, { term: Term; state: 'starting' | 'started' | 'ended' }>;
};

/** `number`: the place of the order among all that this active sent in the term; absent: 0. */
type Order = { cluster: string; term: Term; lineage: Lineage | null; number?: number };

export type FenceEvent =
  | ({ event: 'greeted' } & Order)
  /** `until`: an attempt with a lease is not started from then on; `now` is the worker's clock. */
  | ({ event: 'startAsked'; attempt: string; until?: number; now?: number } & Order)
  /** The active has committed the outcome of the attempt. */
  | ({ event: 'forgotten'; attempt: string } & Order)
  /** Its process is gone; the host keeps the outcome until it is forgotten. */
  | { event: 'ended'; attempt: string }
  /** All that was given to be saved is on disk. */
  | { event: 'saved'; now?: number };

export type FenceEffect =
  /** `changed` names what a shell has to save; an attempt that is not in the fence any more is deleted. */
  | { effect: 'saveFence'; fence: Fence; changed: { fence: boolean; attempts: string[] } }
  | { effect: 'refuse'; term: Term; why: string }
  | { effect: 'tellAttempts'; term: Term; attempts: Fence['attempts'] }
  | { effect: 'start'; attempt: string; term: Term }
  /** A newer term or the end of its lease came before its start: it never will be started. */
  | { effect: 'notStarted'; attempt: string };

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
    for (const waiting of worker.waiting.splice(0)) obey(worker, waiting, event.now, out);
    return out;
  }
  if (event.event === 'ended') {
    const attempt = worker.fence.attempts[event.attempt];
    if (!attempt || attempt.state === 'ended') return out;
    attempt.state = 'ended';
    save(worker, worker.fence, { fence: false, attempts: [event.attempt] }, out);
    return out;
  }
  const why = objection(worker.fence, event);
  if (why) return [{ effect: 'refuse', term: worker.fence.term, why }];
  take(worker, event, out);
  if (worker.saving > 0) worker.waiting.push(event);
  else obey(worker, event, 'now' in event ? event.now : undefined, out);
  return out;
}

type Ordered = Exclude<FenceEvent, { event: 'saved' | 'ended' }>;

function save(worker: Worker, fence: Fence, changed: { fence: boolean; attempts: string[] }, out: FenceEffect[]): void {
  worker.fence = fence;
  worker.saving += 1;
  out.push({ effect: 'saveFence', fence, changed });
}

/** Changes what the fence remembers, before anything is done. */
function take(worker: Worker, event: Ordered, out: FenceEffect[]): void {
  const { fence } = worker;
  const isHigher = compareTerms(event.term, fence.term) > 0;
  const next: Fence = isHigher ? { ...fence, term: event.term, lineage: event.lineage } : { ...fence };
  const known = event.event !== 'greeted' && event.attempt in fence.attempts;
  if (event.event === 'startAsked' && !known) {
    next.attempts = { ...fence.attempts, [event.attempt]: { term: event.term, state: 'starting' } };
    return save(worker, next, { fence: isHigher, attempts: [event.attempt] }, out);
  }
  if (event.event === 'forgotten') {
    const { [event.attempt]: _gone, ...attempts } = fence.attempts;
    const before = fence.forgotten && sameTerm(fence.forgotten.term, event.term) ? fence.forgotten.number : -1;
    if (!known && !isHigher && (event.number ?? 0) <= before) return; // told twice
    next.forgotten = { term: event.term, number: Math.max(before, event.number ?? 0) };
    const changed = { fence: true, attempts: known ? [event.attempt] : [] };
    return save(worker, { ...next, attempts }, changed, out);
  }
  if (isHigher) save(worker, next, { fence: true, attempts: [] }, out);
}

function objection(fence: Fence, event: Ordered): string | null {
  if (event.cluster !== fence.cluster) return 'another cluster';
  if (compareTerms(event.term, fence.term) < 0) return 'a newer term is obeyed here';
  const [own, its] = [fence.lineage?.era ?? 0, event.lineage?.era ?? 0];
  if (its < own) return 'a newer era is obeyed here';
  if (its === own && event.lineage?.claim !== fence.lineage?.claim) return 'another claim of this era is obeyed here';
  if (event.event !== 'startAsked' || event.attempt in fence.attempts) return null;
  const { forgotten } = fence;
  const isOld = forgotten && sameTerm(forgotten.term, event.term) && (event.number ?? 0) <= forgotten.number;
  if (isOld) return 'this order is older than the newest forgetting';
  return isOver(event, event.now) ? 'the lease of this order is over' : null;
}

/** Without a reading of the clock nobody can say that the lease still runs. */
const isOver = ({ until }: { until?: number }, now: number | undefined): boolean =>
  until !== undefined && !(now !== undefined && now < until);

/** P35: looks at the fence once more after the save; only what is still unstarted starts. */
function obey(worker: Worker, event: FenceEvent, now: number | undefined, out: FenceEffect[]): void {
  if (event.event === 'saved' || event.event === 'ended') return;
  const why = objection(worker.fence, event);
  if (why) {
    if (event.event === 'startAsked') neverStart(worker, event.attempt, out);
    return void out.push({ effect: 'refuse', term: worker.fence.term, why });
  }
  if (event.event === 'startAsked') start(worker, event, now, out);
  out.push({ effect: 'tellAttempts', term: worker.fence.term, attempts: worker.fence.attempts });
}

function start(
  worker: Worker,
  event: Extract<FenceEvent, { event: 'startAsked' }>,
  now: number | undefined,
  out: FenceEffect[],
): void {
  const { attempt, term } = event;
  const known = worker.fence.attempts[attempt];
  if (known?.state !== 'starting') return;
  if (isOver(event, now)) return neverStart(worker, attempt, out);
  known.state = 'started';
  out.push({ effect: 'start', attempt, term });
}

/** It was saved, and something came between: told as ended, so that nobody waits for it. */
function neverStart(worker: Worker, attempt: string, out: FenceEffect[]): void {
  const known = worker.fence.attempts[attempt];
  if (known?.state !== 'starting') return;
  known.state = 'ended';
  out.push({ effect: 'notStarted', attempt });
}
