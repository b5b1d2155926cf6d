/**
 * What consoles are told about an entry: small events, read from the state
 * right after the entry was applied. They are held until it is committed.
 */
import type { Entry } from '../contract/facts.ts';
import type { LiveEvent } from '../contract/model.ts';
import { summaryOf, taskOf } from './jobs/jobs.ts';
import type { Replicated, Touched } from './replicated.ts';

const PATHS_TOLD_MAX = 100;

export function eventsOf(state: Replicated, entry: Entry, touched: Touched, isAudited = false): LiveEvent[] {
  const stamp = { position: entry.index, at: new Date(entry.at).toISOString() };
  const events: LiveEvent[] = [];
  const fact = entry.fact;
  if (fact.kind === 'filesChanged') {
    const paths = fact.changes.flatMap((change) => ('to' in change ? [change.path, change.to] : [change.path]));
    const revision = state.sandboxes.get(fact.sandbox)?.revision ?? 0;
    events.push({
      kind: 'files',
      ...stamp,
      sandbox: fact.sandbox,
      revision,
      paths: paths.length > PATHS_TOLD_MAX ? [] : paths,
    });
  } else if (fact.kind === 'localFilesChanged') {
    events.push({ kind: 'files', ...stamp, sandbox: fact.sandbox, revision: 0, paths: fact.paths });
  } else if (fact.kind === 'sandboxRightsChanged') {
    events.push({ kind: 'sandbox', ...stamp, name: fact.name, change: 'rights' });
  } else if (fact.kind === 'sandboxCreated' || fact.kind === 'sandboxRemoved') {
    events.push({
      kind: 'sandbox',
      ...stamp,
      name: fact.name,
      change: fact.kind === 'sandboxCreated' ? 'created' : 'removed',
    });
  } else if (fact.kind === 'activated' || touched.members) {
    events.push({ kind: 'cluster', ...stamp });
  } else if ('task' in fact && fact.kind !== 'attemptAdopted') {
    const task = taskOf(state.jobs, fact.run, fact.task);
    const sandbox = state.jobs.runs.get(fact.run)?.sandbox;
    if (task) events.push({ kind: 'task', ...stamp, run: fact.run, ...(sandbox ? { sandbox } : {}), task });
  }
  for (const run of touched.runs) {
    const summary = summaryOf(state.jobs, run);
    if (summary) events.push({ kind: 'run', ...stamp, run: summary });
  }
  if (isAudited) events.push({ kind: 'audited', ...stamp });
  if (touched.happening) events.push({ kind: 'happened', ...stamp, happening: touched.happening });
  return events;
}
