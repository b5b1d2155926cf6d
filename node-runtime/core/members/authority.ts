/**
 * The authority that signs the certificates of the nodes, and how another one
 * takes its place while all goes on.
 *
 * Three steps, each taken once every member has followed the one before.
 * *added*: all trust both, and the controllers keep the new key. *turned*: the
 * new one signs, all have a certificate by it. *settled*: only the new one is
 * trusted. A node that is away is waited for; one that does not come back is
 * removed by a person, and then waited for no more.
 *
 * Promise: no member is ever shown a certificate by an authority that it does
 * not trust yet, or no more.
 */
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { AuthorityCertificate, Entry, Fact, NodeTrust } from '../../contract/facts.ts';

export type Authorities = {
  /** The one that signs comes last. */
  trusted: AuthorityCertificate[];
  /** Fingerprint of the one that signs. */
  issuing: string;
  step: 'added' | 'turned' | 'settled';
  /** Of the last step, wall time in ms. */
  at: number;
  by: string;
};
export type Follower = { id: string; isController: boolean; trust?: NodeTrust };

/** Null until the authority was changed for the first time: nodes know it from their joining. */
export function applyToAuthorities(state: Authorities | null, { fact, at, by }: Entry): Authorities | null {
  switch (fact.kind) {
    case 'authorityAdded':
      return { trusted: [fact.before, fact.next], issuing: fact.before.fingerprint, step: 'added', at, by };
    case 'authorityTurned':
      return state && { ...state, issuing: state.trusted.at(-1)!.fingerprint, step: 'turned', at };
    case 'authoritySettled':
      return state && { ...state, trusted: state.trusted.slice(-1), step: 'settled', at };
    default:
      return state;
  }
}

/**
 * Until the new one signs it may be replaced by yet another: whoever made it may be gone with its key.
 * @param before the one that signs now, as the node that decides knows it
 */
export function decideRotate(
  state: Authorities | null,
  before: AuthorityCertificate,
  next: AuthorityCertificate,
): { facts: Fact[] } | Refusal {
  if (state?.step === 'turned')
    return refuse('authority_changing', 'The last change is not over: some nodes have no new certificate yet.');
  if (state && state.issuing !== before.fingerprint)
    return refuse('authority_changing', 'This node has not followed the last change yet.');
  return { facts: [{ kind: 'authorityAdded', before, next }] };
}

/** Who has not followed the present step. */
export function awaited(state: Authorities | null, members: Follower[]): string[] {
  if (!state || state.step === 'settled') return [];
  const next = state.trusted.at(-1)!.fingerprint;
  const hasFollowed = ({ isController, trust }: Follower): boolean => {
    if (state.step === 'turned') return trust?.issuer === next;
    return trust?.authorities.includes(next) === true && (!isController || trust.keeps.includes(next));
  };
  return members.filter((one) => !hasFollowed(one)).map((one) => one.id);
}

/** The next step, once all have followed. */
export function nextStep(state: Authorities | null, members: Follower[]): Fact[] {
  if (!state || state.step === 'settled' || awaited(state, members).length > 0) return [];
  return [{ kind: state.step === 'added' ? 'authorityTurned' : 'authoritySettled' }];
}
