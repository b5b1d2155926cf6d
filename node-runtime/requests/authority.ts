/**
 * Requests about the authority of the cluster: which it is, and another one in
 * its place. The steps are the core's (`core/members/authority.ts`).
 */
import { X509Certificate } from 'node:crypto';
import { refuse } from '../contract/errors.ts';
import type { AuthorityStand } from '../contract/model.ts';
import { notFollowed } from '../core/members/members.ts';
import type { Handlers } from '../io/http/asked.ts';
import { type Authority, authorityNamed, fingerprintOf, makeNextAuthority } from '../io/trust/identity.ts';
import { nameOf } from './cluster-words.ts';
import type { Parts } from './parts.ts';
import { wish } from './wish.ts';

/** The one that signs now; without its key where this node does not keep it. */
export function issuingAuthority(parts: Parts): Authority {
  const identity = parts.identity();
  const issuing = parts.loop.state.replicated.members.authorities?.issuing;
  return (issuing === undefined ? undefined : authorityNamed(identity, issuing)) ?? identity.authority;
}

export function authorityHandlers(parts: Parts): Pick<Handlers, 'authority' | 'authorityRotate'> {
  return {
    authority: () => ({ body: standOf(parts) }),

    async authorityRotate(asked) {
      const before = issuingAuthority(parts).cert;
      await parts.changeIdentity(makeNextAuthority);
      const { next } = parts.identity();
      if (!next) return refuse('authority_changing', 'Another change began at the same moment.');
      const named = (cert: string) => ({ fingerprint: fingerprintOf(cert), cert });
      const reply = await wish(parts, asked, {
        ...{ wish: 'rotateAuthority', before: named(before), next: named(next.cert) },
      });
      return 'code' in reply ? reply : { body: standOf(parts) };
    },
  };
}

function standOf(parts: Parts): AuthorityStand {
  const { members } = parts.loop.state.replicated;
  const { authorities } = members;
  const { cert } = issuingAuthority(parts);
  const waitsFor = notFollowed(members).map((node) => nameOf(parts, node));
  return {
    ...{ fingerprint: fingerprintOf(cert), until: new Date(new X509Certificate(cert).validTo).toISOString() },
    step: authorities?.step ?? 'settled',
    ...(authorities && { since: new Date(authorities.at).toISOString(), by: authorities.by }),
    waitsFor,
    sentence: sentenceOf(authorities?.step, waitsFor),
  };
}

function sentenceOf(step: AuthorityStand['step'] | undefined, waitsFor: string[]): string {
  const who = waitsFor.join(', ');
  if (step === 'added') return `All nodes learn to trust the new authority${who ? `; ${who} not yet` : ''}.`;
  if (step === 'turned')
    return `The new authority signs; all nodes get new certificates${who ? `; ${who} not yet` : ''}.`;
  return 'All nodes trust this authority, and no other.';
}
