/**
 * Keeps a node's identity as it should be: its certificate, the authorities it
 * trusts, and at a controller their keys.
 *
 * Certificates end, addresses change, and the authority may be changed while
 * all runs (`core/members/authority.ts` says when each node does what). What
 * only a controller can give is asked of the active, or of the others.
 */
import type { Duty } from './contract/facts.ts';
import type { Directory } from './contract/peer-messages.ts';
import type { Secrets } from './core/secrets/secrets.ts';
import {
  authoritiesOf,
  authorityNamed,
  certifiedBy,
  fingerprintOf,
  type Identity,
  identityFrom,
  keepingKey,
  machineHosts,
  makeJoinRequest,
  needsRenewal,
  renewBy,
  trusting,
} from './io/trust/identity.ts';
import type { ChangeIdentity } from './io/trust/identity-store.ts';
import type { Loop } from './node.ts';
import { askPeer } from './requests/ask-peer.ts';
import { leaderOf } from './requests/cluster-words.ts';
import type { Parts } from './requests/parts.ts';
import { fitsSecrets, keysUsed } from './requests/secrets.ts';

/**
 * Brings the identity to where it should be, each part kept for itself: that an authority is trusted is told to the
 * others before a certificate by it can be had. Rejects when a part could not be done.
 */
export async function renew(
  parts: Parts,
  change: ChangeIdentity,
  duties: () => Duty[],
  keySought: KeySought,
): Promise<void> {
  const authorities = () => parts.directory().authorities;
  await change(async (now) => followed(now, authorities()));
  if (duties().includes('controller')) {
    await change((now) => withKeys(parts, now));
    await change((now) => withSecretsKey(parts, now, keySought));
  }
  await change((now) => certified(parts, now, authorities()?.issuing ?? now.authorityFingerprint));
}

/** Is there something left to follow, which others may wait for? */
export function isBehind({ authorities }: Directory, identity: Identity, duties: Duty[]): boolean {
  // A controller has to have the keys before it may be needed.
  if (duties.includes('controller') && authoritiesOf(identity).some((one) => one.key === undefined)) return true;
  if (!authorities) return false;
  return authorities.issuing !== identity.authorityFingerprint || followed(identity, authorities) !== identity;
}

function followed(now: Identity, authorities: Directory['authorities']): Identity {
  if (!authorities) return now;
  const { trusted } = authorities;
  const wanted = new Set([...trusted.map(fingerprintOf), now.authorityFingerprint]);
  const has = authoritiesOf(now).map((one) => fingerprintOf(one.cert));
  return has.length === wanted.size && has.every((one) => wanted.has(one)) ? now : trusting(now, trusted);
}

/** Controllers keep the keys of all authorities that are trusted: any of them may have to sign. */
async function withKeys(parts: Parts, now: Identity): Promise<Identity> {
  const self = parts.loop.state.self.node;
  const leader = leaderOf(parts);
  const others = parts.directory().nodes.filter((one) => one.duties.includes('controller') && one.id !== self);
  const sources = others.map((one) => one.id).sort((a, b) => Number(b === leader) - Number(a === leader));
  let kept = now;
  for (const { cert, key } of authoritiesOf(now)) {
    if (key !== undefined) continue;
    const fingerprint = fingerprintOf(cert);
    const given = await keyFrom(parts, sources, fingerprint);
    if (given !== null) kept = keepingKey(kept, fingerprint, given);
  }
  return kept;
}

async function keyFrom(parts: Parts, sources: string[], fingerprint: string): Promise<string | null> {
  for (const node of sources) {
    const given = await askPeer<{ key: string }>(parts, node, `authority?${new URLSearchParams({ fingerprint })}`);
    if (!('code' in given)) return given.key;
  }
  return null;
}

/** Whether this node waits to be told the key of the secrets. */
export type KeySought = {
  /** Said to the others too: one that is promoted is not taken for ready before it was given the key. */
  awaits(identity: Identity): boolean;
  /** The active was asked for it and answered, with or without it. */
  answered(wanted: string): void;
};

export function makeKeySought(self: string, loop: () => Loop | undefined): KeySought {
  let askedFor: string | null = null;
  return {
    awaits({ secretsKey }) {
      const state = loop()?.state;
      if (!state || state.lead?.node === self) return false;
      const { secrets } = state.replicated;
      return !fitsSecrets(secretsKey, secrets) && askedFor !== wantedKey(secrets);
    },
    answered: (wanted) => (askedFor = wanted),
  };
}

const wantedKey = (secrets: Secrets): string => [...keysUsed(secrets)].join();

async function withSecretsKey(parts: Parts, now: Identity, keySought: KeySought): Promise<Identity> {
  const { secrets } = parts.loop.state.replicated;
  const leader = leaderOf(parts);
  if (fitsSecrets(now.secretsKey, secrets) || leader === null || leader === parts.loop.state.self.node) return now;
  const given = await askPeer<{ secretsKey?: string }>(parts, leader, 'authority');
  // One that has none itself has answered, too: nobody waits for what is not there.
  if (!('code' in given) || given.code === 'role_missing') keySought.answered(wantedKey(secrets));
  if ('code' in given || given.secretsKey === undefined) return now;
  return identityFrom({ ...now, secretsKey: given.secretsKey });
}

/** With a certificate by the authority that signs now, for the hosts of now. */
async function certified(parts: Parts, now: Identity, issuing: string): Promise<Identity> {
  const hosts = machineHosts();
  const by = authorityNamed(now, issuing);
  if (!by || (issuing === now.authorityFingerprint && !needsRenewal(now, hosts, Date.now()))) return now;
  if (by.key !== undefined) return renewBy(now, { cert: by.cert, key: by.key }, hosts, Date.now());
  const leader = leaderOf(parts);
  if (leader === null || leader === parts.loop.state.self.node) return now;
  const { request } = await makeJoinRequest(now.node.key);
  const given = await askPeer<{ certificate: string }>(parts, leader, 'renew', { request, hosts });
  if ('code' in given) throw new Error(given.detail);
  return certifiedBy(now, by, given.certificate);
}
