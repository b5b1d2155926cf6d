/**
 * "What happened": one plain sentence for each entry worth telling.
 *
 * Most entries are not (a task started, a file was saved by hand a moment
 * ago); what a person would want to read in the morning is. Each part of the
 * core words its own facts; this file words those of the cluster itself.
 */
import type { Entry } from '../contract/facts.ts';
import type { Happening } from '../contract/model.ts';
import { termText } from './cluster/terms.ts';
import { jobHappening } from './jobs/happening.ts';
import type { Jobs } from './jobs/jobs.ts';

export function happeningOf(jobs: Jobs, entry: Entry): Happening | null {
  const told = (tone: Happening['tone'], text: string, subject?: string): Happening => ({
    position: entry.index,
    at: new Date(entry.at).toISOString(),
    tone,
    text,
    ...(subject === undefined ? {} : { subject }),
  });
  const who = personOf(entry.by);
  const fact = entry.fact;
  switch (fact.kind) {
    case 'clusterFounded':
      return told('brass', `${fact.nodeName} founded the cluster ${fact.name}`, fact.nodeName);
    case 'activated':
      return told(
        'brass',
        `${fact.nodeName} is active in term ${termText(fact.charter.term).split('.')[1]}`,
        fact.nodeName,
      );
    case 'sandboxCreated':
      return told('info', `${fact.name} was made by ${who}`, fact.name);
    case 'sandboxRemoved':
      return told('warn', `${fact.name} was removed by ${who}`, fact.name);
    case 'userCreated':
      return told('info', `${fact.name} may sign in as ${fact.role}, added by ${who}`, fact.name);
    case 'userRemoved':
      return told('warn', `${fact.name} may no longer sign in, removed by ${who}`, fact.name);
    case 'tokenCreated':
      return fact.use === 'token'
        ? told('info', `Token ${fact.label} (${fact.role}) made by ${who}`, fact.label)
        : null;
    default:
      return jobHappening(jobs, entry);
  }
}

/** `user:ops` → ops; `token:ab12` → token ab12; the desktop and the node by those words. */
export function personOf(by: string): string {
  if (by.startsWith('user:')) return by.slice(5);
  if (by.startsWith('token:')) return `token ${by.slice(6)}`;
  return by === 'desktop' ? 'this computer' : by === 'node' ? 'the cluster' : by;
}
