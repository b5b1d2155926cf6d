/**
 * The audit: which entries somebody will ask about, and the one sentence each
 * gets: who did what, to what, and how it was before.
 *
 * Told are changes that people and programs made, and what nodes did that
 * changes the cluster (a new lead, a node that joined). Not told is what
 * follows by itself: attempts that start and end, runs that end. Pure, from
 * the entry and the state *before* it, so every controller files equal rows.
 *
 * Promise: every kind of fact is decided about here (the compiler asks for
 * it), and no row holds a secret or the hash of one.
 */
import type { Entry } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import type { AuditRow } from '../../contract/model.ts';
import { termText } from '../cluster/terms.ts';
import type { Replicated } from '../replicated.ts';
import { ofCluster } from './of-cluster.ts';
import { ofFiles } from './of-files.ts';
import { ofNodes } from './of-nodes.ts';
import { ofPeople } from './of-people.ts';
import { type Change, type Of, type Told, whoOf } from './words.ts';

/** Evidence and statement of a confirmed loss are kept whole: their own bounds are these. */
const STATEMENT_CHARS_MAX = 2_000;

/** The row of an entry; null when nobody changed anything by it. `state` does not hold the entry yet. */
export function auditOf(state: Replicated, entry: Entry): AuditRow | null {
  const told = toldOf(state, entry);
  if (!told) return null;
  const { by = entry.by, area, act, subject, sentence } = told;
  const changes = (told.changes ?? []).filter((one) => one !== null);
  const listed = changes.slice(0, limits.auditChangesMax).map(clipped);
  return {
    ...{ index: entry.index, term: termText(entry.term), at: new Date(entry.at).toISOString() },
    ...{ by, who: whoOf(state, { by, via: entry.via }), via: entry.via, area, act },
    ...(entry.from === undefined ? {} : { from: entry.from }),
    ...{ subject: clip(subject), sentence: clip(sentence, STATEMENT_CHARS_MAX), changes: listed },
    ...(changes.length > listed.length ? { more: changes.length - listed.length } : {}),
  };
}

const clip = (text: string, max: number = limits.auditCharsMax): string =>
  text.length <= max ? text : `${text.slice(0, max - 1)}…`;

function clipped({ what, before, after }: Change): Change {
  const max = what === 'evidence' || what === 'statement' ? STATEMENT_CHARS_MAX : limits.auditCharsMax;
  return {
    what: clip(what),
    ...(before === undefined ? {} : { before: clip(before, max) }),
    ...(after === undefined ? {} : { after: clip(after, max) }),
  };
}

function toldOf(state: Replicated, entry: Entry): Told | null {
  const { fact } = entry;
  const who = whoOf(state, entry);
  switch (fact.kind) {
    // What follows by itself, and what the history of runs tells better.
    case 'workerRead':
    case 'tokensUsed':
    case 'attemptPlaced':
    case 'attemptStarted':
    case 'attemptLost':
    case 'attemptAdopted':
    case 'taskSkipped':
    case 'runEnded':
      return null;
    case 'attemptEnded':
      return entry.by === 'node' ? null : taskDecided(fact, who);
    case 'clusterFounded':
    case 'activated':
    case 'versionEnabled':
    case 'leadAsked':
    case 'authorityAdded':
    case 'authorityTurned':
    case 'authoritySettled':
      return ofCluster(state, fact, who);
    case 'nodeJoined':
    case 'nodeChanged':
    case 'dutiesChanged':
    case 'watchAppointed':
    case 'nodeDrained':
    case 'nodeRemoved':
    case 'inviteMade':
    case 'inviteRemoved':
    case 'joinRefused':
      return ofNodes(state, fact, who);
    case 'userCreated':
    case 'userChanged':
    case 'userRemoved':
    case 'tokenCreated':
    case 'tokenRemoved':
    case 'sessionsEnded':
    case 'secretSaved':
    case 'secretRemoved':
      return ofPeople(state, fact, who, entry.by);
    case 'sandboxCreated':
    case 'sandboxRemoved':
    case 'sandboxRightsChanged':
    case 'filesChanged':
    case 'localFilesChanged':
      return ofFiles(state, fact, who);
    case 'runLaunched':
      return {
        ...{ area: 'runs', act: 'runLaunched', subject: fact.run },
        sentence: `${who} launched ${fact.path} of ${fact.sandbox} as ${fact.run}`,
        changes: [fact.revision === undefined ? null : { what: 'revision', after: String(fact.revision) }],
      };
    case 'cancelAsked': {
      const name = state.jobs.runs.get(fact.run)?.plan.name;
      const sentence = `${who} cancelled ${fact.run}${name ? ` (${name})` : ''}`;
      return { area: 'runs', act: 'runCancelled', subject: fact.run, sentence };
    }
  }
}

// ------------------------------------------------------------------- runs

function taskDecided({ run, task, end, retryAt }: Of<'attemptEnded'>, who: string): Told {
  const came = retryAt !== undefined ? 'is to be started again' : end.state === 'succeeded' ? 'succeeded' : 'failed';
  const sentence = `${who} decided that ${task} of ${run}, whose worker was lost, ${came}`;
  return { area: 'runs', act: 'taskDecided', subject: run, sentence, changes: [{ what: task, after: came }] };
}
