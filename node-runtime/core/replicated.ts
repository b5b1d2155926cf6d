/**
 * What every controller knows: the state that committed entries add up to.
 *
 * `applyEntry` folds one entry in. It asks no clock and no chance, so equal
 * journals give equal states, on the active, on the standby and after a
 * restart. It decides nothing: `wishes.ts` does that before.
 *
 * Rules: P16 (apply in order), decide / apply of ARCHITECTURE.
 */
import type { Charter, Entry, Term } from '../contract/facts.ts';
import type { Happening } from '../contract/model.ts';
import { type Access, applyToAccess, emptyAccess, loadAccess, saveAccess } from './access/access.ts';
import { happeningOf } from './happenings.ts';
import { applyToJobs, emptyJobs, type Jobs, loadJobs, saveJobs } from './jobs/jobs.ts';
import { applyToKeys, type Keys, loadKeys, saveKeys } from './routing/keys.ts';
import {
  applyToSandboxes,
  emptySandboxes,
  loadSandboxes,
  type Sandboxes,
  saveSandboxes,
} from './sandboxes/sandboxes.ts';

export type Member = { id: string; name: string; slots: number };

export type Replicated = {
  cluster: { id: string; name: string } | null;
  charter: Charter | null;
  members: Map<string, Member>;
  access: Access;
  sandboxes: Sandboxes;
  jobs: Jobs;
  keys: Keys;
  /** Newest last. */
  happened: Happening[];
  index: number;
  term: Term | null;
};

/** What an entry touched, so that consoles can be told without comparing states. */
export type Touched = { runs: string[]; happening: Happening | null };

const HAPPENINGS_KEPT = 100;

export const emptyReplicated = (): Replicated => ({
  cluster: null,
  charter: null,
  members: new Map(),
  access: emptyAccess(),
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
    state.members.set(fact.node, { id: fact.node, name: fact.nodeName, slots: 0 });
  } else if (fact.kind === 'activated') {
    state.charter = fact.charter;
    state.members.set(fact.charter.active, { id: fact.charter.active, name: fact.nodeName, slots: fact.slots });
  }
  applyToAccess(state.access, entry);
  applyToSandboxes(state.sandboxes, entry);
  const runs = applyToJobs(state.jobs, entry);
  applyToKeys(state.keys, entry);
  state.index = entry.index;
  state.term = entry.term;
  const happening = happeningOf(state.jobs, entry);
  if (happening) {
    state.happened.push(happening);
    if (state.happened.length > HAPPENINGS_KEPT) state.happened.shift();
  }
  return { runs, happening };
}

/** As JSON text, for a snapshot at `state.index`. */
export function saveReplicated(state: Replicated): string {
  return JSON.stringify({
    version: 1,
    cluster: state.cluster,
    charter: state.charter,
    members: [...state.members.values()],
    access: saveAccess(state.access),
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
    members: new Map((saved.members as Member[]).map((member) => [member.id, member])),
    access: loadAccess(saved.access),
    sandboxes: loadSandboxes(saved.sandboxes),
    jobs: loadJobs(saved.jobs),
    keys: loadKeys(saved.keys),
    happened: saved.happened,
    index: saved.index,
    term: saved.term,
  };
}
