/**
 * This machine's own worker: remembers attempts durably, has the runner start
 * and stop them, and tells the loop what became of them.
 *
 * An attempt is saved with its term before the runner hears of it, so it is
 * never started twice, whatever dies in between (P35). Its end is kept until
 * the journal holds it. It decides nothing: which attempts, when and where is
 * the core's.
 */
import path from 'node:path';
import type { AttemptEnd, Term } from './contract/facts.ts';
import { limits } from './contract/limits.ts';
import { termText } from './core/cluster/terms.ts';
import type { AttemptKnown, AttemptName, Event, Order } from './core/effects.ts';
import { manifestAt } from './core/sandboxes/listing.ts';
import type { Sandboxes } from './core/sandboxes/sandboxes.ts';
import { attemptText } from './core/step.ts';
import type { Blobs } from './io/files/blobs.ts';
import { DiskFull } from './io/journal/errors.ts';
import type { Journal } from './io/journal/journal.ts';
import type { Runner } from './io/process/connect-runner.ts';
import type { AttemptOrder, AttemptReport } from './io/process/orders.ts';
import type { Hands } from './node.ts';

type Known = { name: AttemptName; order: AttemptOrder } & (
  | { state: 'saved' }
  | { state: 'running'; at: number }
  | { state: 'ended'; end: AttemptEnd }
);

export type WorkerParts = {
  node: string;
  slots: number;
  journal: Journal;
  blobs: Blobs;
  runner: Runner;
  bootId: string;
  sandboxes(): Sandboxes;
  dispatch(event: Event): void;
  onFault(error: unknown): void;
};

const AGAIN_MS = 1_000;

export type OwnWorker = Hands & { running(): number };

/** What is kept of an attempt: its order without the list of files, which the pinned revision gives again. */
type Kept = { order: Omit<AttemptOrder, 'files'>; sandbox: string; revision: number | null; bootId: string };

export function makeOwnWorker(parts: WorkerParts): OwnWorker {
  const { journal, runner } = parts;
  const known = new Map<string, Known>();
  /** Null until the runner has told what became of the attempts of the last life. */
  let recovering: Promise<void> | null = null;
  let greeted = false;

  const filesOf = (sandbox: string, revision: number | null): AttemptOrder['files'] => {
    if (revision === null) return null;
    const record = parts.sandboxes().get(sandbox);
    // An attempt that ended may outlive its sandbox, and another may bear the name by now.
    if (!record || revision > record.revision) return [];
    return manifestAt(record, revision).map(({ path, hash, executable }) => ({
      path,
      source: parts.blobs.path(hash),
      executable,
    }));
  };

  const save = (
    attempt: string,
    state: 'saved' | 'running' | 'ended',
    order: AttemptOrder,
    of: { sandbox: string; revision: number | null },
  ) => {
    const { files: _, ...rest } = order;
    const kept: Kept = { order: rest, ...of, bootId: parts.bootId };
    return journal.saveAttempts([{ attempt, term: order.term, state, text: JSON.stringify(kept) }]);
  };

  function heard(report: AttemptReport): void {
    const one = known.get(report.attempt);
    if (!one || one.state === 'ended') return;
    if (report.type === 'ended')
      known.set(report.attempt, { name: one.name, order: one.order, state: 'ended', end: report.end });
    else known.set(report.attempt, { name: one.name, order: one.order, state: 'running', at: report.at });
    if (greeted) tell(report.attempt);
  }

  function tell(attempt: string): void {
    const one = known.get(attempt)!;
    if (one.state === 'running')
      parts.dispatch({ event: 'attemptStarted', name: one.name, at: one.at, now: Date.now() });
    if (one.state === 'ended') {
      parts.dispatch({ event: 'attemptEnded', name: one.name, end: one.end, now: Date.now(), random: Math.random() });
    }
  }

  /** Once a life: asks the runner about what this worker remembers from the last one. */
  async function recover(): Promise<void> {
    const remembered = journal.opened.attempts.map((record) => ({ record, kept: JSON.parse(record.text) as Kept }));
    for (const { record, kept } of remembered) {
      const { run, task, number } = kept.order;
      const order = { ...kept.order, files: filesOf(kept.sandbox, kept.revision) };
      known.set(record.attempt, { name: { run, task, number }, order, state: 'saved' });
    }
    const found = await runner.recover(
      remembered.map(({ record, kept }) => ({
        attempt: record.attempt,
        order: known.get(record.attempt)!.order,
        bootId: kept.bootId,
        state: record.state === 'running' ? 'running' : 'saved',
      })),
    );
    for (const { attempt, found: what } of found) {
      const one = known.get(attempt);
      if (what === 'neverStarted') known.delete(attempt);
      else if (what === 'watched' && one?.state === 'saved')
        known.set(attempt, { ...one, state: 'running', at: Date.now() });
    }
  }

  runner.onReport(heard);

  const worker: OwnWorker = {
    greet(_term: Term) {
      recovering ??= recover();
      recovering.then(() => {
        greeted = true;
        const attempts: AttemptKnown[] = [...known.values()].map((one) =>
          one.state === 'ended' ? { ...one.name, state: 'ended', end: one.end } : { ...one.name, state: 'running' },
        );
        parts.dispatch({
          event: 'workerGreeted',
          node: parts.node,
          slots: parts.slots,
          attempts,
          now: Date.now(),
          random: Math.random(),
        });
        // A start that was heard while nobody acted, or by the life before, may not be in the journal yet.
        for (const [attempt, one] of known) if (one.state === 'running') tell(attempt);
      }, parts.onFault);
    },

    start(order: Order) {
      const attempt = attemptText(order);
      if (known.has(attempt)) return tell(attempt);
      const record = parts.sandboxes().get(order.sandbox);
      const made: AttemptOrder = {
        attempt,
        run: order.run,
        task: order.task,
        number: order.number,
        term: termText(order.term),
        files: filesOf(order.sandbox, order.revision),
        directory: order.revision === null ? (record?.directory ?? path.join('/', 'nowhere')) : null,
        workingDirectory: order.workingDirectory,
        command: order.command,
        environment: order.environment,
        timeoutMs: order.timeoutMs,
        stopGraceMs: limits.stopGraceMs,
        outputBytesMax: limits.outputBytesMax,
      };
      known.set(attempt, {
        name: { run: order.run, task: order.task, number: order.number },
        order: made,
        state: 'saved',
      });
      save(attempt, 'saved', made, { sandbox: order.sandbox, revision: order.revision }).then(
        () => runner.start(made),
        (error) => {
          known.delete(attempt);
          if (!(error instanceof DiskFull)) return parts.onFault(error);
          // Not saved, so not started; greeting anew makes the core send it again.
          setTimeout(() => worker.greet(order.term), AGAIN_MS);
        },
      );
    },

    stop(name) {
      runner.stop(attemptText(name), 'cancelled');
    },

    forget(name) {
      const attempt = attemptText(name);
      if (!known.delete(attempt)) return;
      journal.forgetAttempts([attempt]).then(
        () => runner.forget([attempt]),
        (error) => (error instanceof DiskFull ? undefined : parts.onFault(error)),
      );
    },

    sweep: (run) => runner.sweep([run]),
    running: () => [...known.values()].filter((one) => one.state === 'running').length,
  };
  return worker;
}
