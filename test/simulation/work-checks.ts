/**
 * What must be true of workers, attempts and versions, seen from above.
 *
 * I10 and I11 at every start, P31 after every claim, P35 at every forgetting;
 * section 13: nobody uses a version that was not enabled, none is enabled that
 * a member never said it reads, and nobody acts on what it can't read.
 */
import type { Charter, Term } from '../../node-runtime/contract/facts.ts';
import type { Effect } from '../../node-runtime/core/cluster/member-state.ts';
import type { Message } from '../../node-runtime/core/cluster/messages.ts';
import { compareTerms, termText } from '../../node-runtime/core/cluster/terms.ts';
import type { Folded } from './folded.ts';
import type { Job, SimWorker } from './workers.ts';

export type WorkChecks = ReturnType<typeof newWorkChecks>;

export function newWorkChecks(
  fail: (invariant: string, words: string) => never,
  count: (what: string) => void,
  firstVersion: number,
) {
  const starts = new Map<string, number>();
  const tasks = new Map<string, { started: Set<string>; live: Set<string> }>();
  const taskOf = new Map<string, string>();
  const ends = new Set<string>();
  const byPerson = new Set<string>();
  const givenUp = new Set<string>();
  const claims = new Map<string, Term>();
  const said = new Map<string, number>();
  let enabled = firstVersion;

  const of = (name: string) => {
    const task = tasks.get(name) ?? { started: new Set(), live: new Set() };
    tasks.set(name, task);
    return task;
  };

  return {
    /** I11: an attempt starts once; a task has two attempts only for a reason, and never two at a time. */
    started(attempt: string, worker: string, job: Job): void {
      const times = (starts.get(attempt) ?? 0) + 1;
      starts.set(attempt, times);
      if (times > 1) fail('I11', `attempt ${attempt} was started ${times} times`);
      count('attempts started');
      taskOf.set(attempt, job.task);
      const task = of(job.task);
      const reason = job.leased || byPerson.has(job.task) || claims.size > 0;
      if (task.started.size > 0 && !reason)
        fail('I11', `${job.task} is started again on ${worker}, and nothing allows that`);
      if (task.started.size > 0) count('tasks started again');
      // A person who goes on without a worker, or without an attempt, takes that upon himself.
      if (task.live.size > 0 && !byPerson.has(job.task) && givenUp.size === 0)
        fail('I11', `${attempt} starts on ${worker} while ${[...task.live].join(' and ')} lives`);
      task.started.add(attempt);
      task.live.add(attempt);
    },
    ended: (attempt: string): void => void of(taskOf.get(attempt) ?? '').live.delete(attempt),
    goesAgain: (task: string): void => void byPerson.add(task),
    givenUp: (claim: string, worker: string): void => void givenUp.add(`${claim} ${worker}`),
    /** The first term that acts after a claim: usually, not always, the one that the claim made. */
    acts({ lastClaim, term }: Charter): void {
      if (lastClaim !== undefined && !claims.has(lastClaim)) claims.set(lastClaim, term);
    },

    /** P31: every worker obeys the claim's active, or a person went on without it. */
    placedAfterClaim(task: string, claim: string, workers: Iterable<SimWorker>): void {
      const term = claims.get(claim);
      if (!term) return;
      for (const { name, saved } of workers) {
        if (compareTerms(saved.term, term) >= 0 || givenUp.has(`${claim} ${name}`)) continue;
        fail('P31', `${task}, launched before claim ${claim}, is placed and ${name} was not read`);
      }
      count('tasks of before a claim placed');
    },
    adopted(attempt: string, charter: Charter): void {
      if (charter.lastClaim === undefined)
        fail('P31', `${attempt} is unknown to the journal of ${termText(charter.term)}, and nothing was lost`);
      count('attempts adopted');
    },

    entryCommitted(text: string): void {
      if (text.startsWith('end ')) ends.add(text.split(' ')[1]!);
    },
    /** P35: a worker keeps an outcome until it is committed. */
    forgotten(attempt: string, worker: string, job: Job | null): void {
      if (job?.live) fail('P35', `${worker} is told to forget ${attempt}, which lives`);
      if (job && !ends.has(attempt)) fail('P35', `${worker} forgets ${attempt}, whose outcome is not committed`);
      count('attempts forgotten');
    },
    /** At the end: what workers know, the journal knows. */
    atEnd(folded: Folded, workers: Iterable<SimWorker>, now: number): void {
      for (const { name, jobs } of workers) {
        for (const [attempt, { outcome, endedAt }] of jobs) {
          const known = folded.attempts.get(attempt);
          if (!known) fail('P31', `${name} has ${attempt}, which the journal does not know`);
          if (outcome !== null && known?.state === null && now - endedAt > 1_000)
            fail('P35', `the outcome of ${attempt} on ${name} was not counted`);
        }
      }
    },

    // --------------------------------------------------------- section 13

    says(node: string, speaks: number): void {
      said.set(node, Math.max(said.get(node) ?? 0, speaks));
    },
    messageLeaves(node: string, { version, speaks }: Message): void {
      this.says(node, speaks ?? version);
      if (version > enabled) fail('section 13', `${node} uses version ${version}, which no committed entry enabled`);
    },
    versionCommitted(version: number, members: string[]): void {
      if (version <= enabled) return;
      for (const node of members)
        if ((said.get(node) ?? 0) < version)
          fail('section 13', `version ${version} is enabled and ${node} never said that it reads it`);
      enabled = version;
      count('versions enabled');
    },
    /** Nothing comes of a message that this release can't read. */
    messageTaken(node: string, speaks: number, version: number, effects: Effect[]): void {
      if (version === speaks || version === speaks - 1) return;
      count('messages that could not be read');
      const done = effects.find(
        ({ effect }) => effect !== 'note' && effect !== 'renewStore' && effect !== 'stoppedActing',
      );
      if (done) fail('section 13', `${node} reads ${speaks} and acts on version ${version}: ${done.effect}`);
    },
    get enabled(): number {
      return enabled;
    },
  };
}
