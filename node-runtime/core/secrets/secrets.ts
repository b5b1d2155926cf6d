/**
 * Secrets by name, as the journal keeps them: sealed texts that only a
 * controller can open (`io/trust/sealing.ts`), never a value.
 *
 * A new value takes the place of the old one under the next version; who may
 * have one is decided elsewhere, from runs and their plans. Sealing happens
 * before a wish comes here, for the version that follows, so that a sealed
 * text fits one name and one version only.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { Entry, Fact } from '../../contract/facts.ts';
import { limits } from '../../contract/limits.ts';
import type { Secret } from '../../contract/model.ts';
import { didYouMean } from '../jobs/similar-name.ts';

export type KnownSecret = {
  name: string;
  version: number;
  sealed: string;
  description?: string;
  savedAt: number;
  savedBy: string;
};
export type Secrets = Map<string, KnownSecret>;
type Decision = { facts: Fact[] } | Refusal;

export const emptySecrets = (): Secrets => new Map();

// ------------------------------------------------------------------ apply

/** Folds one entry in, in place. Entries about other things change nothing. */
export function applyToSecrets(state: Secrets, { fact, at, by }: Entry): void {
  if (fact.kind === 'secretRemoved') state.delete(fact.name);
  else if (fact.kind === 'secretSaved') {
    const { kind: _, ...secret } = fact;
    state.set(fact.name, { ...secret, savedAt: at, savedBy: by });
  }
}

// ----------------------------------------------------------------- decide

/** The version that a new value has to be sealed for. */
export const nextVersion = (state: Secrets, name: string): number => (state.get(name)?.version ?? 0) + 1;

export function decideSaveSecret(
  state: Secrets,
  { name, version, sealed, description }: { name: string; version: number; sealed: string; description?: string },
): Decision {
  const known = state.get(name);
  if (version !== nextVersion(state, name))
    return refuse('too_many', `${name} was saved by somebody else in this moment.`);
  if (!known && state.size >= limits.secretsMax)
    return refuse('limit_reached', `There are ${limits.secretsMax} secrets, the most a cluster keeps.`);
  const about = description ?? known?.description;
  return {
    facts: [{ kind: 'secretSaved', name, version, sealed, ...(about ? { description: about } : {}) }],
  };
}

export function decideRemoveSecret(state: Secrets, name: string): Decision {
  return state.has(name) ? { facts: [{ kind: 'secretRemoved', name }] } : unknownSecret(state, name);
}

/** Null when there are all that are named. */
export function lackOfSecrets(state: Secrets, named: readonly string[]): Refusal | null {
  const missing = named.filter((name) => !state.has(name));
  if (missing.length === 0) return null;
  if (missing.length === 1) return unknownSecret(state, missing[0]!);
  return refuse('secret_unknown', `These secrets are named and there are none of these names: ${missing.join(', ')}.`);
}

export function unknownSecret(state: Secrets, name: string): Refusal {
  const hint = didYouMean(name, state.keys());
  return refuse('secret_unknown', `There is no secret ${name}.${hint ? ` ${hint}` : ''}`);
}

// ------------------------------------------------------------------- read

/** As shown outside; never the sealed text. Throws for a name that is not there: the caller has just decided about it. */
export function secretView(state: Secrets, name: string, runs: readonly string[] = []): Secret {
  const secret = state.get(name);
  if (!secret) throw new Error(`broken promise: no secret ${name}`);
  const { version, description, savedAt, savedBy } = secret;
  return {
    ...{ name, version, savedAt: new Date(savedAt).toISOString(), savedBy, runs: [...runs] },
    ...(description === undefined ? {} : { description }),
  };
}

/** By name. */
export const secretViews = (state: Secrets, runs: Map<string, string[]>): Secret[] =>
  [...state.keys()].sort().map((name) => secretView(state, name, runs.get(name)));

// --------------------------------------------------------------- snapshot

/** Plain JSON, in the order of saving, so that equal states save equally. */
export const saveSecrets = (state: Secrets): unknown => [...state.values()];

/** Snapshots of older versions have none. */
export const loadSecrets = (saved: unknown): Secrets =>
  new Map(((saved ?? []) as KnownSecret[]).map((secret) => [secret.name, secret]));
