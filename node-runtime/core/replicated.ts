/**
 * What every controller knows: the state that committed entries add up to.
 *
 * `applyEntry` folds one entry in. It asks no clock and no chance, so equal
 * journals give equal states, on the active, on the standby and after a
 * restart. It decides nothing: `wishes.ts` does that before.
 *
 * Rules: P16 (apply in order), decide / apply of ARCHITECTURE.
 */
import type { AttemptEnd, Charter, Entry, Term } from '../contract/facts.ts';
import type { Happening } from '../contract/model.ts';
import { type Access, applyToAccess, emptyAccess, loadAccess, saveAccess } from './access/access.ts';
import { happeningOf } from './happenings.ts';
import { applyToJobs, emptyJobs, type Jobs, loadJobs, saveJobs } from './jobs/jobs.ts';
import { applyToMembers, emptyMembers, loadMembers, type Members, saveMembers } from './members/members.ts';
import { applyToKeys, type Keys, loadKeys, saveKeys } from './routing/keys.ts';
import {
  applyToSandboxes,
  emptySandboxes,
  loadSandboxes,
  type Sandboxes,
  saveSandboxes,
} from './sandboxes/sandboxes.ts';
import { applyToSecrets, emptySecrets, loadSecrets, type Secrets, saveSecrets } from './secrets/secrets.ts';

/** An attempt that a worker told of and the journal did not know, after a confirmed loss (P31). */
export type Adopted = { run: string; task: string; number: number; node: string; at: number; end?: AttemptEnd };

export type Replicated = {
  cluster: { id: string; name: string } | null;
  charter: Charter | null;
  members: Members;
  adopted: Adopted[];
  access: Access;
  secrets: Secrets;
  sandboxes: Sandboxes;
  jobs: Jobs;
  keys: Keys;
  /** Newest last. */
  happened: Happening[];
  index: number;
  term: Term | null;
};

/** What an entry touched, so that consoles can be told without comparing states. */
export type Touched = { runs: string[]; happening: Happening | null; members: boolean };

const HAPPENINGS_KEPT = 100;
const ADOPTED_KEPT = 1_000;

export const emptyReplicated = (): Replicated => ({
  cluster: null,
  charter: null,
  members: emptyMembers(),
  adopted: [],
  access: emptyAccess(),
  secrets: emptySecrets(),
  sandboxes: emptySandboxes(),
  jobs: emptyJobs(),
  keys: new Map(),
  happened: [],
  index: 0,
  term: null,
});

export function applyEntry(state: Replicated, entry: Entry): Touched {
  if (entry.index !== state.index + 1) throw new Error(`broken promise: entry ${entry.index} after ${state.index}`);
  const fact = entry.fact;
  if (fact.kind === 'clusterFounded') {
    state.cluster = { id: fact.cluster, name: fact.name };
  } else if (fact.kind === 'activated') {
    state.charter = fact.charter;
  } else if (fact.kind === 'attemptAdopted') {
    adopt(state.adopted, fact, entry.at);
  }
  const members = applyToMembers(state.members, entry);
  applyToAccess(state.access, entry);
  applyToSecrets(state.secrets, entry);
  applyToSandboxes(state.sandboxes, entry);
  const runs = applyToJobs(state.jobs, entry);
  applyToKeys(state.keys, entry);
  state.index = entry.index;
  state.term = entry.term;
  const happening = happeningOf(state, entry);
  if (happening) {
    state.happened.push(happening);
    if (state.happened.length > HAPPENINGS_KEPT) state.happened.shift();
  }
  return { runs, happening, members };
}

function adopt(
  adopted: Adopted[],
  { kind: _, ...fact }: Extract<Entry['fact'], { kind: 'attemptAdopted' }>,
  at: number,
): void {
  const known = adopted.findIndex(
    (one) => one.run === fact.run && one.task === fact.task && one.number === fact.number && one.node === fact.node,
  );
  if (known >= 0) adopted[known] = { ...adopted[known]!, ...fact };
  else adopted.push({ ...fact, at });
  if (adopted.length > ADOPTED_KEPT) adopted.shift();
}

/** As JSON text, for a snapshot at `state.index`. */
export function saveReplicated(state: Replicated): string {
  return JSON.stringify({
    version: 1,
    cluster: state.cluster,
    charter: state.charter,
    members: saveMembers(state.members),
    adopted: state.adopted,
    access: saveAccess(state.access),
    secrets: saveSecrets(state.secrets),
    sandboxes: saveSandboxes(state.sandboxes),
    jobs: saveJobs(state.jobs),
    keys: saveKeys(state.keys),
    happened: state.happened,
    index: state.index,
    term: state.term,
  });
}

/** Reads {@link saveReplicated} back. Throws with a plain sentence for a version that it cannot read. */
export function loadReplicated(text: string): Replicated {
  const saved = JSON.parse(text);
  if (saved.version !== 1) throw new Error(`The snapshot has version ${saved.version}; this program reads version 1.`);
  return {
    cluster: saved.cluster,
    charter: saved.charter,
    members: loadMembers(saved.members),
    adopted: saved.adopted,
    access: loadAccess(saved.access),
    secrets: loadSecrets(saved.secrets),
    sandboxes: loadSandboxes(saved.sandboxes),
    jobs: loadJobs(saved.jobs),
    keys: loadKeys(saved.keys),
    happened: saved.happened,
    index: saved.index,
    term: saved.term,
  };
}
