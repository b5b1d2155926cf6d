/**
 * Requests about secrets, their key, and giving them to attempts.
 *
 * A value comes in once and is sealed before the core sees a wish; it leaves
 * only to the node that runs an attempt whose task names it, while it runs.
 * The key is kept by controllers alone, beside that of the authority.
 *
 * Promise: nothing is sealed with a key that a controller of the write set
 * does not hold, so that no fail-over loses a secret that was acknowledged.
 */
import { type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import type { RouteName } from '../contract/routes.ts';
import { writersOf } from '../core/cluster/charter.ts';
import type { AttemptName } from '../core/effects.ts';
import { runsBySecret, secretsOfAttempt } from '../core/jobs/jobs.ts';
import { isConfirmed } from '../core/node-state.ts';
import { nextVersion, type Secrets, secretViews, unknownSecret } from '../core/secrets/secrets.ts';
import type { Asked, Handlers } from '../io/http/asked.ts';
import { identityFrom } from '../io/trust/identity.ts';
import { isSecretsKey, keyedHash, keyIdOf, makeSecretsKey, openSealed, seal, sealedBy } from '../io/trust/sealing.ts';
import { NotActive } from '../node.ts';
import { askPeer } from './ask-peer.ts';
import { nameOf, whyNobody } from './cluster-words.ts';
import type { Parts } from './parts.ts';
import { replied, wish } from './wish.ts';

/** Somebody else may save the same name in between. */
const SAVE_TRIES = 5;
const HAND_OVER_MS = 5_000;
const AGAIN_MS = 100;
const ASK_MS = 2_000;

export function secretHandlers(parts: Parts): Pick<Handlers, 'secrets' | 'secretSave' | 'secretRemove'> {
  const { loop } = parts;
  return {
    async secrets() {
      return { body: { secrets: await loop.read((state) => secretViews(state.secrets, runsBySecret(state.jobs))) } };
    },

    async secretSave(asked) {
      const { name } = asked.params;
      const { value, description } = asked.body;
      const unfit = whyUnfit(value);
      if (unfit) return refuse('secret_unfit', unfit);
      const key = await sharedKey(parts);
      if (typeof key !== 'string') return key;
      const cluster = parts.identity().clusterId;
      for (let tries = 1; ; tries++) {
        const version = nextVersion(loop.state.replicated.secrets, name);
        const sealed = seal(key, value, { cluster, name, version });
        const about = description === undefined ? {} : { description };
        const reply = await wish(parts, asked, { wish: 'saveSecret', name, version, sealed, ...about });
        if ('code' in reply && reply.code === 'too_many' && tries < SAVE_TRIES) continue;
        // And once more, for a standby that joined the pair in between.
        return 'code' in reply ? reply : ((await handOver(parts, key)) ?? replied(reply));
      }
    },

    async secretRemove(asked) {
      return replied(await wish(parts, asked, { wish: 'removeSecret', name: asked.params.name }));
    },
  };
}

function whyUnfit(value: string): string | null {
  const { secretCharsMin: min, secretBytesMax: max } = limits;
  if (value.trim().length < min)
    return `A secret has at least ${min} characters besides blanks: a shorter one could not be kept out of the output of jobs.`;
  if (Buffer.byteLength(value) > max) return `A secret has at most ${max} bytes.`;
  if (value.includes('\0')) return 'A secret cannot hold the character NUL: no program could be given it.';
  return value.isWellFormed() ? null : 'A secret has to be text.';
}

// -------------------------------------------------------------- their key

/** Is it the key that the secrets of this state were sealed with? Any will do while there are none. */
export function fitsSecrets(key: string | undefined, secrets: Secrets): boolean {
  const used = keysUsed(secrets);
  return used.size === 0 ? key !== undefined : key !== undefined && used.has(keyIdOf(key));
}

export const keysUsed = (secrets: Secrets): Set<string | null> =>
  new Set([...secrets.values()].map((one) => sealedBy(one.sealed)));

/** The key of the cluster's secrets, held by every controller of the write set when it is given out here. */
async function sharedKey(parts: Parts): Promise<string | Refusal> {
  const key = await ownKey(parts);
  return typeof key === 'string' ? ((await handOver(parts, key)) ?? key) : key;
}

/** Requests that come together must not make a key each. */
const looking = new WeakMap<Parts, Promise<string | Refusal>>();

/** Of this node; else of another controller; else, where nothing was sealed yet, a new one. */
function ownKey(parts: Parts): Promise<string | Refusal> {
  const { secretsKey: own } = parts.identity();
  const known = looking.get(parts);
  if (known) return known;
  if (own !== undefined && fitsSecrets(own, parts.loop.state.replicated.secrets)) return Promise.resolve(own);
  const found = findKey(parts).finally(() => looking.delete(parts));
  looking.set(parts, found);
  return found;
}

async function findKey(parts: Parts): Promise<string | Refusal> {
  const { secrets } = parts.loop.state.replicated;
  for (const node of otherControllers(parts)) {
    const given = await askPeer<{ secretsKey?: string }>(parts, node, 'authority', undefined, ASK_MS).catch(() => null);
    if (!given || 'code' in given || !isSecretsKey(given.secretsKey) || !fitsSecrets(given.secretsKey, secrets))
      continue;
    await keep(parts, given.secretsKey);
    return given.secretsKey;
  }
  if (secrets.size > 0) return keyMissing(parts);
  const made = makeSecretsKey();
  await keep(parts, made);
  return made;
}

const keep = (parts: Parts, secretsKey: string): Promise<void> =>
  parts.changeIdentity(async (now) => identityFrom({ ...now, secretsKey }));

const keyMissing = ({ name }: Parts): Refusal =>
  refuse('secrets_key_missing', `${name} does not have the key that the secrets were sealed with.`);

function otherControllers({ directory, loop }: Parts): string[] {
  const isOther = ({ id, duties }: { id: string; duties: string[] }) =>
    id !== loop.state.self.node && duties.includes('controller');
  return directory()
    .nodes.filter(isOther)
    .map((one) => one.id);
}

/**
 * Null when each controller of the write set has it. Waits a moment for one that does not answer: it may be on its way
 * out of the write set. Others get it as well, if they can be reached.
 */
async function handOver(parts: Parts, key: string): Promise<Refusal | null> {
  const needed = neededControllers(parts);
  const isSpare = (node: string) => !needed.includes(node) && parts.peers()?.status(node).connected === true;
  for (const node of otherControllers(parts).filter(isSpare)) await give(parts, node, key);
  const until = performance.now() + HAND_OVER_MS;
  for (;;) {
    let lack: Refusal | null = null;
    for (const node of neededControllers(parts)) lack ??= await give(parts, node, key);
    if (lack === null || lack.code === 'secrets_key_missing' || performance.now() > until) return lack;
    await new Promise((next) => setTimeout(next, AGAIN_MS));
  }
}

function neededControllers({ loop }: Parts): string[] {
  const { phase, self, register } = loop.state.member;
  const charter = phase.phase === 'leading' ? phase.charter : register.accepted;
  return writersOf(charter).filter((node) => node !== self.node);
}

async function give(parts: Parts, node: string, key: string): Promise<Refusal | null> {
  const taken = await askPeer<{ id: string }>(parts, node, 'secretsKey', { key }, ASK_MS).catch(() => null);
  if (taken && !('code' in taken)) return null;
  if (taken?.code === 'secrets_key_missing') return taken;
  return refuse('node_unreachable', `${nameOf(parts, node)} stands by and did not take the key of the secrets yet.`);
}

/** Another controller hands it over. One that is in use here is not given up for it. */
export async function takeSecretsKey(parts: Parts, node: string, key: string): Promise<{ id: string } | Refusal> {
  if (!isController(parts, node)) return refuse('role_missing', 'Only a controller hands this over.');
  const { secretsKey: own } = parts.identity();
  if (own === key) return { id: keyIdOf(key) };
  const used = keysUsed(parts.loop.state.replicated.secrets);
  if (own !== undefined && used.has(keyIdOf(own)) && !used.has(keyIdOf(key)))
    return refuse(
      'secrets_key_missing',
      `The secrets are sealed with the key that ${parts.name} has, and not with this one.`,
    );
  await keep(parts, key);
  return { id: keyIdOf(key) };
}

const isController = ({ loop, directory }: Parts, node: string): boolean =>
  (loop.state.replicated.members.nodes.get(node) ?? directory().nodes.find((one) => one.id === node))?.duties.includes(
    'controller',
  ) === true;

// ----------------------------------------------------------------- giving

/**
 * The secrets of an attempt, by environment variable: only while it is placed on the node that asks and has not ended,
 * and only those that its task names.
 */
export async function secretsFor(
  parts: Parts,
  node: string,
  name: AttemptName,
): Promise<{ values: Record<string, string> } | Refusal> {
  if (!isConfirmed(parts.loop.state)) return whyNobody(parts);
  const found = await parts.loop
    .read((state) => ({ named: secretsOfAttempt(state.jobs, node, name), secrets: new Map(state.secrets) }))
    .catch(notActive);
  if ('code' in found) return found;
  if (!isConfirmed(parts.loop.state)) return whyNobody(parts);
  const { named, secrets } = found;
  if (!named) return refuse('secret_not_given', 'That attempt is not placed on this node, or has ended.');
  const cluster = parts.identity().clusterId;
  const values: [string, string][] = [];
  const key = await ownKey(parts);
  if (typeof key !== 'string') return key;
  for (const [variable, secret] of Object.entries(named)) {
    const known = secrets.get(secret);
    if (!known) return unknownSecret(secrets, secret);
    const value = openSealed(key, known.sealed, { ...known, cluster });
    if (value === null) return keyMissing(parts);
    values.push([variable, value]);
  }
  return { values: Object.fromEntries(values) };
}

/** It was replaced while it read: whoever leads now may give them. */
function notActive(error: unknown): Refusal {
  if (error instanceof NotActive) return refuse('not_active', error.message);
  throw error;
}

// ------------------------------------------------- hashes of what is asked

/** Their bodies hold what could be guessed from a hash. */
const HIDDEN: ReadonlySet<RouteName> = new Set(['secretSave', 'userCreate', 'userChange']);

/**
 * The journal keeps a hash of each request that has an Idempotency-Key. Of one with a secret or a password it is made
 * with the key of the secrets; where there is none yet, of the address alone.
 */
export async function withHiddenHash<N extends RouteName>(
  parts: Parts,
  route: N,
  asked: Asked<N>,
): Promise<Asked<N> | Refusal> {
  if (!HIDDEN.has(route) || asked.key === null) return asked;
  const key = route === 'secretSave' ? await ownKey(parts) : parts.identity().secretsKey;
  if (key !== undefined && typeof key !== 'string') return key;
  const requestHash =
    key === undefined ? `${route} ${JSON.stringify(asked.params)}` : keyedHash(key, asked.requestHash);
  return { ...asked, requestHash };
}
