/**
 * This machine's own worker: obeys the newest active it has seen, remembers
 * attempts durably, has the runner start and stop them, and tells whoever
 * leads what became of them.
 *
 * An attempt is saved with the fence before the runner hears of it, so it is
 * never started twice, whatever dies in between, and never for an active that
 * was replaced (P35). Its end is kept and told again until the active says
 * that the journal holds it. Attempts bound to a lease are ended by the runner
 * when no active was heard for that long. It decides nothing else: which
 * attempts, when and where is the core's.
 */
import type { AttemptEnd, Lineage, Term } from './contract/facts.ts';
import { limits } from './contract/limits.ts';
import type { PeerMessage } from './contract/peer-messages.ts';
import { type Fence, type FenceEffect, fenceStep, freshFence, type Worker, wakeWorker } from './core/cluster/fence.ts';
import { leaseEndsAt, noLease, renewLease, startUntil } from './core/cluster/lease.ts';
import { sameTerm, termText } from './core/cluster/terms.ts';
import type { Timing } from './core/cluster/timing.ts';
import type { AttemptKnown, AttemptName, Order } from './core/effects.ts';
import { attemptText } from './core/workers.ts';
import { DiskFull } from './io/journal/errors.ts';
import type { Journal } from './io/journal/journal.ts';
import type { AttemptRecord } from './io/journal/records.ts';
import type { Runner } from './io/process/connect-runner.ts';
import type { AttemptOrder, AttemptReport } from './io/process/orders.ts';

type Known = { name: AttemptName; order: Order } & (
  | { state: 'saved' }
  | { state: 'running'; at: number | null }
  | { state: 'ended'; end: AttemptEnd }
);

export type WorkerParts = {
  cluster: string;
  slots: number;
  journal: Journal;
  runner: Runner;
  timing: Timing;
  bootId: string;
  /** This machine's clock since its boot, counting sleep, in ms; and the random origin told to others (P35). */
  uptimeMs(): number;
  clockOrigin: number;
  /** Lays the files of a pinned sandbox ready, fetching what is not here. Rejects with a sentence. */
  filesOf(order: Order, from: string): Promise<AttemptOrder['files']>;
  /** The values of the secrets that its task names, by variable, asked of the active. Rejects with a sentence. */
  secretsOf(order: Order): Promise<Record<string, string>>;
  /** To whoever leads, as this worker has seen. */
  send(to: string, message: PeerMessage): void;
  onFault(error: unknown): void;
};

export type OwnWorker = {
  hear(from: string, message: PeerMessage): void;
  running(): number;
  /** Attempts that are known and whose outcome is not committed. */
  spooled(): number;
  /** The reading that the active gives back as a lease. */
  clock(): number;
  close(): void;
};

/** What is kept of an attempt. */
type Kept = { order: Order; bootId: string; from: string };
type KeptFence = Omit<Fence, 'attempts'>;

const TELL_AGAIN_MS = 3_000;
type InTerm = { cluster: string; term: Term; lineage: Lineage | null; number: number };

export function makeWorker(parts: WorkerParts): OwnWorker {
  const { journal, runner, timing } = parts;
  const clock = (): number => parts.uptimeMs() + parts.clockOrigin;
  const lease = noLease();
  const known = new Map<string, Known>();
  /** Orders that the fence has not decided on yet. */
  const ordered = new Map<string, { order: Order; from: string }>();
  /** To be stopped, though the runner may not have them yet: their order is being saved, or their files are fetched. */
  const stopped = new Set<string>();
  const fence: Worker = wakeWorker(rememberedFence());
  /** What of the fence is on disk: it is gone back to when the disk is full. */
  let saved: KeptFence = withoutAttempts(fence.fence);
  /** Greeted, and not answered yet: the answer waits until what they made the fence remember is saved. */
  const owed = new Set<string>();
  /** Whom this worker obeys and tells: the sender of the newest term. */
  let lead: { node: string; term: Term } | null = null;
  let recovering = false;
  let recovered = false;
  const waiting: (() => void)[] = [];

  function rememberedFence(): Fence {
    const kept = journal.opened.fence === null ? null : (JSON.parse(journal.opened.fence) as KeptFence);
    const attempts = journal.opened.attempts.map((record) => {
      const { order } = JSON.parse(record.text) as Kept;
      return [record.attempt, { term: order.term, state: 'started' as const }];
    });
    return { ...freshFence(parts.cluster), ...kept, attempts: Object.fromEntries(attempts) };
  }

  // --------------------------------------------------------------- orders

  function hear(from: string, message: PeerMessage): void {
    switch (message.kind) {
      case 'greet':
      case 'renew':
      case 'start':
      case 'stop':
      case 'forget':
      case 'sweep':
        break;
      default:
        return;
    }
    if (!recovering) {
      recovering = true;
      void recover();
    }
    if (!recovered) {
      // Nothing is obeyed before it is known what the last life left behind.
      if (message.kind === 'greet') waiting.splice(0, waiting.length, () => hear(from, message));
      return;
    }
    const { cluster, term, lineage, place, granted } = message;
    const order = { cluster, term, lineage, number: place };
    if (message.kind === 'start') return startAsked(from, message.order, order, granted);
    if (message.kind === 'forget') return forget(from, message, order);
    const effects = fenceStep(fence, { event: 'greeted', ...order });
    const refused = effects.some((effect) => effect.effect === 'refuse');
    if (message.kind === 'greet' && !refused) owed.add(from);
    carryOut(effects, from);
    if (refused) return;
    renew(granted);
    if (message.kind === 'stop') stop(attemptText(message));
    else if (message.kind === 'sweep') runner.sweep([message.run]);
  }

  /** The active of the obeyed term gave back a reading of this clock: the lease runs from there. */
  function renew(granted: number | null): void {
    renewLease(lease, granted, clock());
    if (granted !== null) runner.renewLease(leaseEndsAt(lease, timing) - parts.clockOrigin);
  }

  function stop(attempt: string): void {
    const one = known.get(attempt);
    if (ordered.has(attempt) || (one && one.state !== 'ended')) stopped.add(attempt);
    runner.stop(attempt, 'cancelled');
  }

  function startAsked(from: string, order: Order, inTerm: InTerm, granted: number | null): void {
    const attempt = attemptText(order);
    // Also of one that is known: the order may come in a higher term, which has to be taken first.
    if (!known.has(attempt)) ordered.set(attempt, { order, from });
    const now = clock();
    const bound = order.leased ? { until: startUntil(granted, now, timing), now } : {};
    const effects = fenceStep(fence, { event: 'startAsked', attempt, ...inTerm, ...bound });
    if (!effects.some((effect) => effect.effect === 'refuse')) renew(granted);
    else if (!(attempt in fence.fence.attempts)) ordered.delete(attempt);
    carryOut(effects, from);
    if (known.has(attempt)) tell(attempt);
  }

  function carryOut(effects: FenceEffect[], from: string): void {
    for (const effect of effects) {
      switch (effect.effect) {
        case 'saveFence':
          save(effect, from);
          break;
        case 'refuse':
          parts.send(from, { kind: 'fenced', term: effect.term, lineage: fence.fence.lineage, why: effect.why });
          break;
        case 'start':
          start(effect.attempt);
          break;
        case 'tellAttempts':
          obeyed(from);
          for (const node of owed) greeted(node);
          owed.clear();
          break;
        case 'notStarted':
          notStarted(effect.attempt);
          break;
      }
    }
  }

  function obeyed(from: string): void {
    if (!lead || !sameTerm(lead.term, fence.fence.term)) lead = { node: from, term: fence.fence.term };
  }

  function save({ changed }: Extract<FenceEffect, { effect: 'saveFence' }>, from: string): void {
    const { attempts, ...kept } = fence.fence;
    const gone = changed.attempts.filter((attempt) => !(attempt in attempts));
    const records = changed.attempts.flatMap((attempt) => {
      const one = ordered.get(attempt);
      return one ? [recordOf(attempt, one)] : [];
    });
    const text = changed.fence ? JSON.stringify(kept satisfies KeptFence) : null;
    journal.saveAttempts(records, text, gone).then(
      () => {
        saved = kept;
        carryOut(fenceStep(fence, { event: 'saved', now: clock() }), from);
        if (gone.length > 0) runner.forget(gone);
      },
      (error) => {
        if (!(error instanceof DiskFull)) return parts.onFault(error);
        // Not saved, so not obeyed: as if it had never come. It is greeted and ordered again.
        fence.saving -= 1;
        fence.waiting = [];
        owed.clear();
        const known = { ...fence.fence.attempts };
        for (const attempt of changed.attempts) if (ordered.delete(attempt)) delete known[attempt];
        fence.fence = { ...saved, attempts: known };
      },
    );
  }

  function recordOf(attempt: string, { order, from }: { order: Order; from: string }): AttemptRecord {
    const kept: Kept = { order, bootId: parts.bootId, from };
    return { attempt, term: termText(order.term), state: 'saved', text: JSON.stringify(kept) };
  }

  function start(attempt: string): void {
    const one = ordered.get(attempt);
    ordered.delete(attempt);
    if (!one) throw new Error(`broken promise: ${attempt} is to be started and was not ordered`);
    const { run, task, number } = one.order;
    known.set(attempt, { name: { run, task, number }, order: one.order, state: 'saved' });
    fetched(one.order, one.from).then(
      ({ files, secrets }) => {
        runner.start({ ...processOrder(attempt, one.order, files), ...(secrets ? { secrets } : {}) });
        if (stopped.has(attempt)) runner.stop(attempt, 'cancelled');
      },
      (error: Error) =>
        heard({
          attempt,
          type: 'ended',
          end: {
            at: Date.now(),
            state: 'failed',
            cause: 'cannot_start',
            detail: error.message.slice(0, 1_000),
            outputBytes: 0,
            outputCut: false,
          },
        }),
    );
  }

  /** What an attempt needs that no order carries; secrets last, so that they are as new as can be. They are saved nowhere. */
  async function fetched(order: Order, from: string) {
    const files = await parts.filesOf(order, from).catch((error: Error) => {
      throw new Error(`The files of its sandbox could not be fetched: ${error.message}`);
    });
    return { files, secrets: order.secrets ? await parts.secretsOf(order) : null };
  }

  /** A newer term or the end of its lease came between its save and its start: it never will be started. */
  function notStarted(attempt: string): void {
    const one = ordered.get(attempt);
    ordered.delete(attempt);
    if (!one) return;
    const { run, task, number } = one.order;
    const detail = 'The order came too late to be obeyed; it was never started here.';
    const end: AttemptEnd = {
      at: Date.now(),
      state: 'failed',
      cause: 'lost',
      detail,
      outputBytes: 0,
      outputCut: false,
    };
    known.set(attempt, { name: { run, task, number }, order: one.order, state: 'ended', end });
    stopped.delete(attempt);
    tell(attempt);
  }

  // --------------------------------------------------------------- reports

  function heard(report: AttemptReport): void {
    const one = known.get(report.attempt);
    if (!one || one.state === 'ended') return;
    const { name, order } = one;
    if (report.type === 'ended') {
      known.set(report.attempt, { name, order, state: 'ended', end: report.end });
      stopped.delete(report.attempt);
      noteEnded(report.attempt);
    } else known.set(report.attempt, { name, order, state: 'running', at: report.at });
    tell(report.attempt);
  }

  /** What the fence remembers of it; its outcome is kept by its wrapper until it is forgotten, so nothing is saved. */
  function noteEnded(attempt: string): void {
    const one = fence.fence.attempts[attempt];
    if (one) one.state = 'ended';
  }

  function tell(attempt: string): void {
    const one = known.get(attempt);
    if (!one || !lead) return;
    const { node, term } = lead;
    if (one.state === 'running' && one.at !== null)
      parts.send(node, { kind: 'started', term, ...one.name, at: one.at });
    if (one.state === 'ended') parts.send(node, { kind: 'ended', term, ...one.name, end: one.end });
  }

  function greeted(from: string): void {
    const attempts: AttemptKnown[] = [...known.values()].map((one) =>
      one.state === 'ended'
        ? { ...one.name, state: 'ended', end: one.end }
        : { ...one.name, state: 'running', at: one.state === 'running' ? one.at : null },
    );
    parts.send(from, { kind: 'greeted', term: fence.fence.term, clock: clock(), slots: parts.slots, attempts });
  }

  /** Its outcome is committed: nothing of it has to be remembered, and a later start of it can't come any more. */
  function forget(from: string, name: AttemptName, inTerm: InTerm): void {
    const attempt = attemptText(name);
    const one = known.get(attempt);
    if (one && one.state !== 'ended') return; // it still runs here: its end is told first
    const effects = fenceStep(fence, { event: 'forgotten', attempt, ...inTerm });
    if (!effects.some((effect) => effect.effect === 'refuse')) known.delete(attempt);
    carryOut(effects, from);
  }

  // -------------------------------------------------------------- recovery

  /** Once a life: asks the runner what became of what this worker remembers from the last one. */
  async function recover(): Promise<void> {
    try {
      const remembered = journal.opened.attempts.map((record) => ({ record, kept: JSON.parse(record.text) as Kept }));
      for (const { record, kept } of remembered) {
        const { run, task, number } = kept.order;
        known.set(record.attempt, { name: { run, task, number }, order: kept.order, state: 'saved' });
      }
      const found = await runner.recover(
        remembered.map(({ record, kept }) => ({
          attempt: record.attempt,
          order: processOrder(record.attempt, kept.order, []),
          bootId: kept.bootId,
          state: record.state === 'running' ? 'running' : 'saved',
        })),
      );
      for (const { attempt, found: what } of found) {
        const one = known.get(attempt);
        if (what === 'neverStarted') {
          // Proved by its claim file, and for good: it may be ordered again.
          known.delete(attempt);
          delete fence.fence.attempts[attempt];
        } else if (what === 'watched' && one?.state === 'saved')
          known.set(attempt, { ...one, state: 'running', at: Date.now() });
      }
      recovered = true;
      for (const go of waiting.splice(0)) go();
    } catch (error) {
      parts.onFault(error);
    }
  }

  runner.onReport(heard);
  // Ends are told again until the active says that they are committed.
  const telling = setInterval(() => {
    for (const [attempt, one] of known) if (one.state === 'ended') tell(attempt);
  }, TELL_AGAIN_MS);

  return {
    hear,
    clock,
    running: () => [...known.values()].filter((one) => one.state === 'running').length,
    spooled: () => known.size,
    close: () => clearInterval(telling),
  };
}

function withoutAttempts({ attempts: _, ...kept }: Fence): KeptFence {
  return kept;
}

function processOrder(attempt: string, order: Order, files: AttemptOrder['files']): AttemptOrder {
  const { run, task, number, workingDirectory, command, environment, timeoutMs, leased } = order;
  return {
    ...{ attempt, run, task, number, workingDirectory, command, environment, timeoutMs, leased },
    term: termText(order.term),
    files: order.revision === null ? null : files,
    directory: order.revision === null ? (order.directory ?? '/nowhere') : null,
    stopGraceMs: limits.stopGraceMs,
    outputBytesMax: limits.outputBytesMax,
  };
}
