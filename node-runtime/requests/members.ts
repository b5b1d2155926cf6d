/**
 * Requests that change who belongs to the cluster and who leads it: invites,
 * joining, duties, removal, hand-over, parking, a confirmed loss.
 *
 * The rules are the core's; here secrets and certificates are made, and what
 * the core says is put into words.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type Refusal, refuse } from '../contract/errors.ts';
import type { Claim, Duty } from '../contract/facts.ts';
import { limits } from '../contract/limits.ts';
import type { Evidence } from '../contract/model.ts';
import { holds, votersOf, voterText } from '../core/cluster/charter.ts';
import { isAlive, newestKnown } from '../core/cluster/knowledge.ts';
import { evidenceOf, objectionToClaim, opensEra } from '../core/cluster/loss.ts';
import { compareTerms, nextTerm, parseTerm, termText } from '../core/cluster/terms.ts';
import { needsRecovery, obstacleInWords } from '../core/cluster/waiting.ts';
import { openEntry } from '../core/folding.ts';
import { endOf } from '../core/journal/tail.ts';
import type { Invite } from '../core/members/members.ts';
import { isActive } from '../core/node-state.ts';
import { answerOf } from '../core/routing/keys.ts';
import type { Handlers } from '../io/http/asked.ts';
import { publicKeyHash } from '../io/trust/certificates.ts';
import { type Authority, authoritiesOf, fingerprintOf, type Identity, signJoinRequest } from '../io/trust/identity.ts';
import { makeParkingCode, readParkingCode } from '../io/trust/parking-code.ts';
import { issuingAuthority } from './authority.ts';
import { nodeView } from './cluster.ts';
import { inNames, leaderOf, nameOf, removedWords } from './cluster-words.ts';
import { newJoinRequests } from './join-requests.ts';
import type { Parts } from './parts.ts';
import { isRefusal, originOf, replied, wish } from './wish.ts';

type MemberRoutes =
  | 'nodeChange'
  | 'nodeRemove'
  | 'invite'
  | 'join'
  | 'discovered'
  | 'joinRequests'
  | 'joinAsk'
  | 'joinShow'
  | 'joinAnswer'
  | 'joinWithdraw'
  | 'joinApprove'
  | 'joinRefuse'
  | 'switchOver'
  | 'park'
  | 'activate'
  | 'recovery'
  | 'recover'
  | 'parkingCode'
  | 'quarantine';

/** Letters and digits that are not mistaken for each other when typed. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const SECRET_CHARS = 20;
const CLAIM_MS = 10 * 60_000;
const SWITCH_MS = 4_000;

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

function makeSecret(): string {
  const letters: string[] = [];
  while (letters.length < SECRET_CHARS) {
    const byte = randomBytes(1)[0]!;
    if (byte < ALPHABET.length * 8) letters.push(ALPHABET[byte % ALPHABET.length]!);
  }
  return letters.join('');
}

function makeInvite(duties: Duty[], forMs: number): { secret: string; invite: Invite } {
  const secret = makeSecret();
  const id = randomBytes(6).toString('hex');
  return { secret, invite: { id, hash: hashOf(secret), duties: [...new Set(duties)], expiresAt: Date.now() + forMs } };
}

export function memberHandlers(parts: Parts): Pick<Handlers, MemberRoutes> {
  const { loop } = parts;
  const asking = newJoinRequests(() => parts.identity().authorityFingerprint);

  return {
    async nodeChange(asked) {
      const { duties, drained, watch } = asked.body;
      const change = {
        ...(duties === undefined ? {} : { duties }),
        ...(drained === undefined ? {} : { drained }),
        ...(watch === undefined ? {} : { watch }),
      };
      const reply = await wish(parts, asked, { wish: 'changeNode', node: asked.params.node, ...change });
      return 'code' in reply ? reply : { body: nodeView(parts, (reply.body as { node: string }).node) };
    },

    async nodeRemove(asked) {
      return replied(await wish(parts, asked, { wish: 'removeNode', node: asked.params.node }));
    },

    async invite(asked) {
      const addresses = parts.doorAddresses();
      if (addresses.length === 0)
        return refuse(
          'limit_reached',
          `${parts.name} is open to this computer only: let other machines reach it (Settings), or start it with --listen HOST:PORT.`,
        );
      const { duties, expiresInMinutes } = asked.body;
      const { secret, invite } = makeInvite(
        duties,
        expiresInMinutes === undefined ? limits.inviteMs : expiresInMinutes * 60_000,
      );
      const made = await wish(parts, { ...asked, key: null }, { wish: 'invite', invite });
      if ('code' in made) return made;
      const code = `${addresses.join(',')}/${secret}.${fingerprintOf(issuingAuthority(parts).cert).slice(0, 32)}`;
      return {
        status: 201,
        body: { code, duties: invite.duties, expiresAt: new Date(invite.expiresAt).toISOString() },
      };
    },

    async join(asked) {
      const { body } = asked;
      const { secret, node, name, request, hosts, speaks, program, store, addresses, slots } = body;
      const identity = parts.identity();
      const authority = issuingAuthority(parts);
      if (authority.key === undefined)
        return refuse('not_active', `${parts.name} does not keep the key of the authority.`);
      const hash = hashOf(secret);
      // Nothing is signed for somebody who does not know a secret; who used it before gets the same answer by its key.
      const { invites } = loop.state.replicated.members;
      const { nodes } = loop.state.replicated.members;
      // Until it has come in, whose answer may have been lost; then nobody gets the answer again.
      const isAgain =
        !nodes.get(node)?.trust && answerOf(loop.state.replicated.keys, 'node', `join ${hash}`, '') !== null;
      const isKnown = [...invites.values()].some((one) => one.hash === hash) || isAgain;
      if (!isKnown) return refuse('invite_invalid', 'The code is unknown, was used, or its time is over.');
      const certificate = await signed(authority, request, { nodeId: node, nodeName: name, hosts });
      if (isRefusal(certificate)) return certificate;
      const key = { key: `join ${hash}`, request: hashOf(`${node}\n${request}`) };
      const joining = { hash, node, name, store, addresses, slots, speaks, program, key: publicKeyHash(request) };
      const reply = await loop.ask('node', key, { wish: 'join', ...joining }, originOf(asked));
      if ('code' in reply)
        return reply.code === 'key_reused'
          ? refuse('invite_invalid', 'The code is unknown, was used, or its time is over.')
          : reply;
      const { duties } = reply.body as { duties: ('controller' | 'watch' | 'worker')[] };
      const self = loop.state.self.node;
      const members = parts.directory().nodes.map((one) => ({
        ...{ node: one.id, name: one.name, duties: one.duties },
        // Of this node the journal knows it a second after its start; who joins before would never find it.
        addresses: one.id === self ? parts.peerAddresses() : one.addresses,
      }));
      return {
        status: 201,
        body: {
          ...{ cluster: identity.clusterId, clusterName: identity.clusterName, certificate },
          authority: authority.cert,
          authorities: authoritiesOf(identity).map((one) => one.cert),
          ...(duties.includes('controller') ? keysOf(authority, identity) : {}),
          ...{ duties, members },
        },
      };
    },

    discovered: () => ({ body: { discovered: parts.discovered() } }),

    joinRequests: () => ({ body: { requests: asking.list() } }),

    joinAsk({ body, address }) {
      // Said now, not after people have compared words.
      if (parts.directory().nodes.some((one) => one.name === body.name))
        return refuse('name_taken', `A node called ${body.name} is in the cluster already.`);
      const one = asking.ask(body, address);
      if ('code' in one) return one;
      const expiresAt = new Date(one.askedAt + limits.joinRequestMs).toISOString();
      const { clusterName } = parts.identity();
      const { id: request, ticket, ofMember: number } = one;
      return { status: 201, body: { request, ticket, number, clusterName, expiresAt } };
    },

    joinShow({ params, body }) {
      const one = asking.show(params.request, body.ticket, body.number);
      return 'code' in one ? one : { status: 204 };
    },

    joinAnswer({ params, body }) {
      const answer = asking.answer(params.request, body.ticket);
      return 'code' in answer ? answer : { body: answer };
    },

    joinWithdraw({ params, body }) {
      const one = asking.withdraw(params.request, body.ticket);
      return 'code' in one ? one : { status: 204 };
    },

    async joinApprove(asked) {
      const one = asking.findWaiting(asked.params.request);
      if ('code' in one) return one;
      const { secret, invite } = makeInvite(asked.body.duties, limits.joinRequestMs);
      const made = await wish(parts, { ...asked, key: null }, { wish: 'invite', invite });
      if ('code' in made) return made;
      asking.approved(one, secret);
      return { body: asking.list().find((other) => other.id === one.id)! };
    },

    async joinRefuse(asked) {
      const one = asking.findWaiting(asked.params.request);
      if ('code' in one) return one;
      const { name, address } = one;
      const said = await wish(parts, { ...asked, key: null }, { wish: 'refuseJoin', name, address });
      if ('code' in said) return said;
      asking.refused(one);
      return { status: 204 };
    },

    async switchOver(asked) {
      const said = await wish(parts, { ...asked, key: null }, { wish: 'askLead', what: 'switchOver' });
      if ('code' in said) return said;
      const { ok, words } = await loop.wish({ wish: 'switchOver' });
      if (!ok) return refuse('switch_refused', `${sentence(inNames(parts.directory(), words))}`);
      const deadline = performance.now() + SWITCH_MS;
      while (performance.now() < deadline) {
        const leader = leaderOf(parts);
        if (leader && (leader !== loop.state.self.node || isActive(loop.state)) && leader !== '') {
          if (leader === loop.state.self.node)
            return refuse('switch_refused', `It did not come about in time; ${parts.name} goes on in a new term.`);
          const active = nameOf(parts, leader);
          return { body: { sentence: `${active} is active now.`, active } };
        }
        await new Promise((next) => setTimeout(next, 10));
      }
      return refuse('unknown_outcome', 'The hand-over has begun and nobody is active yet.');
    },

    async park(asked) {
      const { body, caller } = asked;
      const said = await wish(parts, { ...asked, key: null }, { wish: 'askLead', what: 'park', why: body.why });
      if ('code' in said) return said;
      const { ok, words } = await loop.wish({ wish: 'park', by: caller.by, why: body.why });
      if (!ok && isActive(loop.state)) return refuse('switch_refused', sentence(inNames(parts.directory(), words)));
      return {
        body: {
          sentence: `Parked: nobody acts until ${parts.name} is started again or a person activates a controller.`,
        },
      };
    },

    async activate({ caller }) {
      const { ok, words } = await loop.wish({ wish: 'activate', by: caller.by });
      if (!ok) return refuse('switch_refused', sentence(inNames(parts.directory(), words)));
      return { body: { sentence: `${parts.name} asks to become active.` } };
    },

    recovery: () => ({ body: evidenceView(parts) }),

    async recover({ body, caller }) {
      if (parts.isRemoved()) return refuse('node_removed', removedWords(parts));
      const { member } = loop.state;
      const newest = newestKnown(member);
      const now = Date.now();
      const claim: Claim = {
        id: randomBytes(8).toString('hex'),
        cluster: member.register.cluster,
        lost: body.lost,
        candidate: member.self.node,
        incarnation: member.incarnation,
        newest: newest.term,
        evidence: body.evidence,
        by: caller.by,
        statement: body.statement,
        at: now,
        expiresAt: now + CLAIM_MS,
        ...(body.chosen ? { chosen: true } : {}),
      };
      if (body.proof !== undefined) {
        const proof = readParkingCode(
          body.proof,
          authoritiesOf(parts.identity()).map((one) => one.cert),
        );
        if (!proof || proof.cluster !== claim.cluster || !body.lost.includes(proof.voter))
          return refuse('recovery_refused', 'This is no parking code of a controller that is declared lost.');
        if (compareTerms(proof.term, newest.term) <= 0)
          return refuse(
            'recovery_refused',
            'This parking code is older than what is known here: that node went on after it.',
          );
        claim.proof = { voter: proof.voter, end: proof.end };
      }
      const known = new Set(votersOf(newest).map(voterText));
      const stranger = body.lost.find((text) => !known.has(text));
      if (stranger) return refuse('recovery_refused', `${stranger} is no voter of the newest charter.`);
      const { ok, words } = await loop.wish({ wish: 'claim', claim });
      if (!ok) return refuse('recovery_refused', sentence(inNames(parts.directory(), words)));
      parts.log.warn({ claim }, `${caller.by} confirmed a loss.`);
      return { body: { sentence: `Confirmed. ${parts.name} asks the voters that are left.` } };
    },

    async parkingCode({ body }) {
      const term = parseTerm(body.term)!;
      const { ok, words, end } = await loop.wish({ wish: 'parkingCode', term });
      if (!ok || !end) return refuse('recovery_refused', sentence(inNames(parts.directory(), words)));
      const { register, self } = loop.state.member;
      const code = makeParkingCode(parts.identity(), { cluster: register.cluster, voter: voterText(self), term, end });
      return {
        body: {
          code,
          sentence: `${parts.name} has stopped for good below that term; its journal ends at entry ${end.index}.`,
        },
      };
    },

    async quarantine({ query }) {
      const limit = query.limit ?? 200;
      const found = await parts.journal.quarantined(query.after ?? 0, limit + 1);
      const entries = found.slice(0, limit).map(({ id, entry: stored, cutAt, reason }) => {
        const entry = openEntry(stored);
        return {
          ...{ id, index: stored.index, term: termText(stored.term), cutAt: new Date(cutAt).toISOString(), reason },
          ...{ at: new Date(entry.at).toISOString(), by: entry.by, kind: entry.fact.kind, fact: entry.fact },
        };
      });
      return { body: { entries, more: found.length > limit } };
    },
  };

  async function signed(
    authority: Authority,
    request: string,
    of: { nodeId: string; nodeName: string; hosts: string[] },
  ): Promise<string | Refusal> {
    try {
      return await signJoinRequest(authority, request, of);
    } catch (error) {
      return refuse('bad_request', error instanceof Error ? error.message : String(error));
    }
  }
}

/** What only a controller is given. */
const keysOf = ({ key }: Authority, { secretsKey }: Identity) => ({
  authorityKey: key,
  ...(secretsKey === undefined ? {} : { secretsKey }),
});

const sentence = (words: string): string =>
  `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? '' : '.'}`;

/** What a person is shown before a loss is confirmed here; the confirmation is bound to `evidence` (P28). */
export function evidenceView(parts: Parts): Evidence {
  const { member } = parts.loop.state;
  const newest = newestKnown(member);
  const self = voterText(member.self);
  const name = (node: string): string => nameOf(parts, node);
  const end = endOf(member.journal);
  const now = Date.now();
  const writers = newest.writeSet;
  const texts = [...new Set([...votersOf(newest).map(voterText), ...writers.filter((text) => text.includes('#'))])];
  const nodes = texts
    .filter((text) => text !== self)
    .map((text) => {
      const node = text.split('#')[0]!;
      const heard = member.heard.get(node);
      const heardAt = heard === undefined ? null : new Date(now - (member.now - heard)).toISOString();
      const alive = isAlive(member, text);
      const votes = votersOf(newest).some((voter) => voterText(voter) === text);
      const inWriteSet = writers.includes(text) || writers.includes(node);
      return {
        id: node,
        name: name(node),
        voter: text,
        votes,
        inWriteSet,
        heardAt,
        alive,
        sentence: said(name(node), alive, heardAt, inWriteSet),
      };
    });
  const suggested = nodes.filter((one) => one.votes && !one.alive).map((one) => one.voter);
  const claim = {
    ...{ id: 'shown', cluster: member.register.cluster, lost: suggested, candidate: member.self.node },
    ...{ incarnation: member.incarnation, newest: newest.term, evidence: evidenceOf(member), by: '', statement: '' },
    ...{ at: now, expiresAt: now + CLAIM_MS },
  };
  const objection = parts.isRemoved()
    ? removedWords(parts)
    : needsRecovery(member)
      ? objectionToClaim(member, claim)
      : 'the rules can go on by themselves';
  const { what } = obstacleInWords(member, name);
  const isComplete = holds(newest, member.self);
  const marks = nodes.filter((one) => one.inWriteSet).map((one) => one.name);
  return {
    possible: objection === null,
    why:
      objection === null
        ? `Nobody acts: the cluster waits for ${what}.`
        : sentence(inNames(parts.directory(), objection)),
    evidence: claim.evidence,
    candidate: { id: member.self.node, name: parts.name, journalEnd: end.index, term: termText(end.term) },
    nodes,
    suggested,
    loss: isComplete
      ? `${parts.name} holds everything that was acknowledged: nothing is lost by it.`
      : `${parts.name} may lack what was acknowledged since it was last in step (its journal ends at entry ${end.index}). It is listed exactly where the watch remembers, when ${marks.join(' or ')} returns, from its quarantine.`,
    danger: `If ${suggested.map((text) => name(text.split('#')[0]!)).join(' or ') || 'it'} still runs somewhere, it may go on working beyond the cut: tasks may run twice, and what it acknowledges there will be set aside when it returns.`,
    opensEra: opensEra(member, newest, claim),
    proofTerm: termText(nextTerm(member.self.node, [member.register.promised, newest.term, member.highest])),
  };
}

function said(name: string, alive: boolean, heardAt: string | null, inWriteSet: boolean): string {
  if (alive) return `${name} was heard a moment ago: it can't be declared lost.`;
  const when = heardAt ? `${name} is silent` : `${name} was not heard since this node was started`;
  return inWriteSet ? `${when}; it holds all that was acknowledged.` : `${when}.`;
}
