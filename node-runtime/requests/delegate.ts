/**
 * Mine or whose? Every node takes every request and answers it or passes it
 * on to the node that can, so there is no special address to know.
 *
 * What needs the journal goes to the active; what lies on one node (a local
 * sandbox) goes on from there. Through a fail-over a request waits and is
 * sent again under the same idempotency key, so it acts once. Where nothing
 * can be done the answer says what is missing and since when.
 *
 * Promise: what is not known to be without effect is only sent again under a
 * key (P36); nothing is passed on more than a few times.
 * Rules: P14, P36.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type ErrorCode, errors, type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import { type RouteName, routes } from '../contract/routes.ts';
import { mayActivate } from '../core/cluster/handover.ts';
import { newestKnown } from '../core/cluster/knowledge.ts';
import { isConfirmed } from '../core/node-state.ts';
import type { Delegate, Delegated, Delegation, PassedAnswer } from '../io/http/delegation.ts';
import { headersToPass } from '../io/http/delegation.ts';
import { type PeerAnswer, PeerUnreachable } from '../io/http/peer-requests.ts';
import { nameOf, whyNobody } from './cluster-words.ts';
import type { Parts } from './parts.ts';
import { sandboxRefusal } from './rights.ts';
import { holderOf, isHeldHere, sandboxIn } from './whose.ts';

/** Answered by the node that is asked: they are about that node. */
const HERE: ReadonlySet<RouteName> = new Set([
  ...(['healthz', 'readyz', 'metrics', 'openapi', 'jobFileSchema', 'cluster', 'nodes'] as const),
  'discovered',
  ...(['recovery', 'recover', 'parkingCode', 'quarantine'] as const),
]);
/** Bodies of any length stream through and can't be sent twice. */
const STREAMED: ReadonlySet<RouteName> = new Set(['fileWrite']);
const ENDLESS: ReadonlySet<RouteName> = new Set(['events', 'log']);
const AGAIN_MS = 40;
/** A reader is told sooner that this node is blind than a change is given up. */
const READ_WAIT_MS = 2_500;
const HEADERS_MS = 30_000;
/** The other node did nothing, or it may be asked again under the same key. */
/** Of answers that say nothing of whether it was done: no active decided. */
const UNDECIDED = [429, 503, 507];
const AGAIN_CODES = ['not_active', 'starting', 'stopping', 'no_active'];

/** Another node's refusal, as far as it is read here. */
const Refused = z.object({ code: z.enum(Object.keys(errors) as ErrorCode[]), detail: z.string() });

export function makeDelegate(parts: Parts): Delegate {
  let waiting = 0;

  async function delegate(asked: Delegated): Promise<Delegation> {
    if (HERE.has(asked.name)) return { mine: true };
    if (asked.name === 'activate') return toActivated(asked);
    const { loop } = parts;
    if (isConfirmed(loop.state)) {
      const holder = holderOf(parts, asked.name, asked.target);
      return holder ? toHolder(asked, holder) : mine();
    }
    if (asked.hops > 0 && (isHeldHere(parts, asked.name, asked.target) || isForHolder(asked))) return { mine: true };
    return toActive(asked);
  }

  /** Answered here, and how fresh that is said also where it is refused: a "no" of a blind node is not certain. */
  function mine(): Delegation {
    return { mine: true, headers: { 'binnacle-read': isConfirmed(parts.loop.state) ? 'fresh' : 'local' } };
  }

  /** A node without a journal can't see whose a sandbox is; the active that passed it on could. */
  const isForHolder = (asked: Delegated): boolean =>
    !parts.loop.state.member.keepsJournal && asked.via === parts.loop.state.lead?.node;

  async function toActive(asked: Delegated): Promise<Delegation> {
    if (asked.hops >= limits.hopsMax)
      return refuse('hops_exceeded', `${asked.hops} nodes passed it on, the last one to ${parts.name}.`);
    if (waiting >= limits.activeWaitingMax)
      return refuse('too_many', `${waiting} requests wait at ${parts.name} for an active.`);
    waiting++;
    try {
      return await untilAnswered(asked);
    } finally {
      waiting--;
    }
  }

  async function untilAnswered(asked: Delegated): Promise<Delegation> {
    const isRead = asked.method === 'GET' || asked.method === 'HEAD';
    const begun = performance.now();
    const key = asked.change ? (asked.headers['idempotency-key'] ?? randomUUID()) : null;
    const waitMs = isRead || asked.hops > 0 ? READ_WAIT_MS : limits.activeWaitMs;
    let refused: Refusal | null = null;
    /** Some try may have been done, or may still be: then no refusal of a node that decides nothing says "not done". */
    let doubtful = false;
    const unknown = (): Refusal =>
      refuse('unknown_outcome', 'It may have been done: the node that led was lost in the middle of it.');
    while (performance.now() - begun < waitMs && !asked.signal.aborted) {
      const { state } = parts.loop;
      if (isConfirmed(state)) return delegate(asked); // it has become this node
      const lead = state.lead?.node;
      const isOthers = lead !== undefined && lead !== state.self.node;
      // Nobody else could do it either: no need to wait to say why.
      if (state.diskFull && !isOthers) {
        if (isRead && state.member.keepsJournal) return mine();
        return doubtful ? unknown() : refuse('disk_full', `The disk of ${parts.name} is full.`);
      }
      if (isOthers) {
        const outcome = await pass(asked, lead, key);
        if ('answer' in outcome) {
          const { status, body } = outcome.answer;
          if (!doubtful || !UNDECIDED.includes(status)) return outcome;
          if (body && !Buffer.isBuffer(body)) body.destroy();
          return unknown();
        }
        if (!outcome.again) return outcome.refused;
        refused = outcome.refused;
        doubtful ||= key !== null && outcome.doubtful;
      }
      await new Promise((next) => setTimeout(next, AGAIN_MS));
    }
    // Blind, and honest about it: what this node itself knows, labelled with its age.
    if (isRead && parts.loop.state.member.keepsJournal) return mine();
    if (refused && !AGAIN_CODES.includes(refused.code)) return refused;
    return doubtful ? unknown() : whyNobody(parts);
  }

  /** `doubtful`: it may have been done. */
  type Outcome = { answer: PassedAnswer } | { again: boolean; refused: Refusal; doubtful: boolean };

  async function pass(asked: Delegated, to: string, key: string | null): Promise<Outcome> {
    const peers = parts.peers();
    if (!peers) return { again: true, refused: whyNobody(parts), doubtful: false };
    const isStream = STREAMED.has(asked.name);
    const hasBody = asked.method !== 'GET' && asked.method !== 'HEAD' && asked.method !== 'DELETE';
    const body = !hasBody ? undefined : isStream ? asked.stream() : await asked.body();
    if (body !== undefined && 'code' in body) return { again: false, refused: body as Refusal, doubtful: false };
    const { 'content-length': _, ...headers }: Record<string, string> = headersToPass(asked, asked.caller, parts.name);
    try {
      const answer = await peers.request(to, {
        method: asked.method,
        path: asked.target,
        headers: key === null ? headers : { ...headers, 'idempotency-key': key },
        ...(body === undefined ? {} : { body }),
        signal: asked.signal,
        headersTimeoutMs: HEADERS_MS,
      });
      return judge(asked, answer, !isStream, key);
    } catch (error) {
      if (!(error instanceof PeerUnreachable)) throw error;
      const isSafe = !isStream && (!error.sent || key !== null || asked.method === 'GET' || asked.method === 'HEAD');
      return isSafe
        ? { again: true, refused: whyNobody(parts), doubtful: error.sent }
        : {
            again: false,
            doubtful: true,
            refused: refuse('unknown_outcome', `${nameOf(parts, to)} did not answer in the middle of it.`),
          };
    }
  }

  /** Another node's refusal that only means "not me, not now" is not the answer: it is asked again. */
  async function judge(
    asked: Delegated,
    answer: PeerAnswer,
    isRepeatable: boolean,
    key: string | null,
  ): Promise<Outcome> {
    const position = Number(answer.headers['binnacle-position']);
    if (asked.method === 'GET' && answer.status < 300 && Number.isSafeInteger(position)) parts.loop.passedOn(position);
    if (answer.status !== 503 || !String(answer.headers['content-type']).includes('problem+json'))
      return { answer: { ...answer, ...(ENDLESS.has(asked.name) ? { endless: true } : {}) } };
    const chunks: Buffer[] = [];
    for await (const chunk of answer.body) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks);
    const problem = Refused.safeParse(parsed(text.toString('utf8')));
    if (!problem.success) return { answer: { ...answer, body: text } };
    const { code, detail } = problem.data;
    const mayRepeat = AGAIN_CODES.includes(code) || (code === 'unknown_outcome' && key !== null);
    if (isRepeatable && mayRepeat)
      return { again: true, refused: refuse(code, detail), doubtful: code === 'unknown_outcome' };
    return { answer: { ...answer, body: text } };
  }

  /** A parking is ended at a controller that may: this one, one that its charter names, or one that knows the charter. */
  async function toActivated(asked: Delegated): Promise<Delegation> {
    const { member, self } = parts.loop.state;
    const newest = newestKnown(member);
    const able = newest.parked ? mayActivate(newest) : [];
    if (able.includes(self.node) || asked.hops >= limits.hopsMax) return { mine: true };
    const controllers = parts.directory().nodes.filter((node) => node.duties.includes('controller'));
    const others = able.length > 0 ? able : member.keepsJournal ? [] : controllers.map((node) => node.id);
    for (const node of others) {
      const outcome = await pass(asked, node, asked.headers['idempotency-key'] ?? null);
      if ('answer' in outcome) return outcome;
    }
    return { mine: true };
  }

  /** A local sandbox of another node: that node answers, or the answer says which one is missing, at once. */
  async function toHolder(asked: Delegated, holder: string): Promise<Delegation> {
    if (asked.hops >= limits.hopsMax) return refuse('hops_exceeded', `${asked.hops} nodes passed it on.`);
    const identified = asked.caller ?? (await parts.identifyShown(asked));
    if ('code' in identified) return identified;
    // The holder asks this too; but should it be away, nobody learns from that what they may not know of.
    const refused = await sandboxRefusal(
      parts,
      identified,
      sandboxIn(asked.target)!,
      routes[asked.name].needs ?? 'read',
    );
    if (refused?.code === 'sandbox_unknown') return mine();
    const outcome = await pass({ ...asked, caller: identified }, holder, asked.headers['idempotency-key'] ?? null);
    if ('answer' in outcome) return outcome;
    const since = parts.peers()?.status(holder);
    return {
      ...refuse('node_unreachable', `${nameOf(parts, holder)} holds this and does not answer.`),
      ...(since && !since.connected ? { since: wallOf(since.since) } : {}),
    };
  }

  return delegate;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const wallOf = (performanceMs: number): string =>
  new Date(Date.now() - performance.now() + performanceMs).toISOString();
