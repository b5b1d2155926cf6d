/**
 * What happened, as far as runs are concerned: a sentence for each run that
 * did not go as meant. Runs that succeed are not told: they are the rule.
 */
import type { Entry } from '../../contract/facts.ts';
import type { Happening } from '../../contract/model.ts';
import type { Jobs } from './state.ts';

/** The state already holds the entry. */
export function jobHappening(jobs: Jobs, entry: Entry): Happening | null {
  const { fact } = entry;
  if (fact.kind !== 'runEnded') return null;
  const run = jobs.runs.get(fact.run);
  const told = run && endingOf(fact.state);
  if (!told) return null;
  const name = run.plan.name;
  const because = fact.reason && fact.state !== 'cancelled' ? `: ${fact.reason}` : '';
  const text = `${name} ${told.words}${because}`;
  return {
    position: entry.index,
    at: new Date(entry.at).toISOString(),
    tone: told.tone,
    text,
    subject: name,
    run: run.id,
  };
}

function endingOf(state: string): { tone: Happening['tone']; words: string } | null {
  switch (state) {
    case 'failed':
      return { tone: 'alarm', words: 'failed' };
    case 'unknown':
      return { tone: 'alarm', words: 'has an unknown outcome' };
    case 'cancelled':
      return { tone: 'warn', words: 'was cancelled' };
    default:
      return null;
  }
}
