/**
 * Joins a cluster (`binnacle join`): asks a member to let this machine in, and
 * writes down identity and memory, all on disk before it returns.
 *
 * With a one-time code: it carries addresses, a secret, and the fingerprint of
 * the cluster's authority. Whoever answers at the address is believed only if
 * its certificate is by that authority. The secret is sent to nobody else.
 *
 * By asking (`--ask`): the authority is taken as it comes with the connection,
 * and believed when a person has compared six words that are made of it. What
 * it is sent before that is worth nothing.
 */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { z } from 'zod';
import { codeInPasted, type InviteCode, readAddresses, readInviteCode } from './contract/invite-code.ts';
import { limits } from './contract/limits.ts';
import { Joined, ProblemDetails } from './contract/model.ts';
import type { Directory } from './contract/peer-messages.ts';
import { routes } from './contract/routes.ts';
import { PROTOCOL_VERSION } from './core/cluster/messages.ts';
import { emptyRegister } from './core/cluster/register.ts';
import { isFounded, places } from './founding.ts';
import type { JoinedNode } from './io/cli/outside.ts';
import { openJournal } from './io/journal/journal.ts';
import { defaultSlots, machineName } from './io/machine/machine.ts';
import { fingerprintOf, identityFrom, machineHosts, makeJoinRequest } from './io/trust/identity.ts';
import { saveIdentity } from './io/trust/identity-store.ts';
import { commitmentTo, makeNumber, sixWords } from './io/trust/six-words.ts';
import { programVersion } from './version.ts';

const ANSWER_MS = 15_000;
const ASK_AGAIN_MS = 1_000;
const CHAIN_MAX = 8;
const ANSWER_BYTES_MAX = 1024 ** 2;

/** A mistake a person can mend; `next` says how. `code`: of the member's refusal, if it was one. */
export class CannotJoin extends Error {
  readonly next: string;
  readonly code: string;
  constructor(sentence: string, next: string, cause?: unknown, code = 'cannot_join') {
    super(sentence, { cause });
    this.next = next;
    this.code = code;
  }
}

/** Said while the lead changes: the same request may be answered in a moment, and is done once (P36). */
class NotNow extends CannotJoin {}

type Where = { data: string; name?: string };

/** `onWords` gets the six words to compare, and the name of the cluster as it calls itself. Aborted, the request is withdrawn. */
export type Asking = Where & {
  address: string;
  onWords(words: string[], clusterName: string, expiresAt: string): void;
  signal?: AbortSignal;
};

export async function join(asked: Where & { code: string }): Promise<JoinedNode> {
  checkEmpty(asked.data);
  return joinWith(asked, readCode(asked.code));
}

/** Asks the member at an address and waits until a person has decided there; throws when they say no, or time is over. */
export async function askToJoin(asked: Asking): Promise<JoinedNode> {
  checkEmpty(asked.data);
  const addresses = readAddresses(asked.address);
  if (!addresses) throw new CannotJoin(`"${asked.address}" is no address.`, 'Write it as HOST:PORT.');
  const { host, port, authority } = await firstThatAnswers(addresses);
  const call = <T>(path: string, shape: { parse(value: unknown): T }, body: object): Promise<T> =>
    ask({ host, port, authority }, path, shape, body);
  const number = makeNumber();
  const name = asked.name ?? machineName();
  const own = await call('/api/v1/join-requests', routes.joinAsk.answer, {
    ...{ name, program: programVersion, commitment: commitmentTo(number) },
  });
  const at = `/api/v1/join-requests/${own.request}`;
  const until = performance.now() + limits.joinRequestMs;
  await call(`${at}/number`, z.null(), { ticket: own.ticket, number });
  asked.onWords(sixWords(fingerprintOf(authority), number, own.number), own.clusterName, own.expiresAt);
  while (!asked.signal?.aborted) {
    const { state, secret } = await call(`${at}/answer`, routes.joinAnswer.answer, { ticket: own.ticket }).catch(
      (error): z.infer<typeof routes.joinAnswer.answer> => {
        // A broken connection answers nothing: while the request lives, it is asked again.
        if (error instanceof CannotJoin || performance.now() > until) throw error;
        return { state: 'waiting' };
      },
    );
    if (state === 'refused')
      throw new CannotJoin('A person at the cluster said no.', 'Ask whoever runs the cluster, then ask again.');
    if (state === 'approved' && secret !== undefined)
      return joinWith(asked, { addresses: [{ host, port }], secret, fingerprint: fingerprintOf(authority) });
    await delay(ASK_AGAIN_MS, undefined, { signal: asked.signal }).catch(() => undefined);
  }
  await call(`${at}/withdraw`, z.null(), { ticket: own.ticket }).catch(() => undefined); // it ends by itself, later
  throw new CannotJoin('Asking was given up.', 'Ask again when somebody is there who can answer.');
}

function checkEmpty(data: string): void {
  if (isFounded(data)) throw new CannotJoin(`${data} holds a node already.`, 'Name an empty folder with --data.');
}

async function joinWith(asked: Where, code: InviteCode): Promise<JoinedNode> {
  const node = `n-${randomBytes(5).toString('hex')}`;
  const name = asked.name ?? machineName();
  const { key, request: certificateRequest } = await makeJoinRequest();
  const journal = await openJournal({
    directory: places(asked.data).journal,
    onFault: (error) => {
      throw error;
    },
  });
  try {
    const store = journal.opened.store;
    const body = {
      ...{ secret: code.secret, node, store, name, request: certificateRequest, addresses: [], hosts: machineHosts() },
      ...{ slots: defaultSlots(), speaks: PROTOCOL_VERSION, program: programVersion },
    };
    const joined = await askAny(code, body);
    const directory: Directory = {
      era: 0,
      position: 0,
      clusterName: joined.clusterName,
      nodes: [
        ...joined.members.map((one) => ({
          ...{ id: one.node, name: one.name, duties: one.duties, addresses: one.addresses },
        })),
        { id: node, name, duties: joined.duties, addresses: [] },
      ],
    };
    const register = emptyRegister(joined.cluster, { node, store });
    await Promise.all([
      journal.saveRecord('register', JSON.stringify(register)),
      journal.saveRecord('directory', JSON.stringify(directory)),
    ]);
    const identity = identityFrom({
      ...{ clusterName: joined.clusterName, clusterId: joined.cluster, nodeName: name, nodeId: node },
      authority: { cert: joined.authority, ...(joined.authorityKey ? { key: joined.authorityKey } : {}) },
      others: (joined.authorities ?? []).filter((cert) => cert !== joined.authority).map((cert) => ({ cert })),
      node: { cert: joined.certificate, key },
      ...(joined.secretsKey ? { secretsKey: joined.secretsKey } : {}),
    });
    // Last, like at a founding: its presence says that the joining is complete.
    await saveIdentity(places(asked.data).trust, identity);
    return { cluster: joined.clusterName, node: name, duties: joined.duties, fingerprint: identity.fingerprint };
  } finally {
    await journal.close();
  }
}

function readCode(text: string): InviteCode {
  const code = readInviteCode(codeInPasted(text) ?? '');
  if (code) return code;
  throw new CannotJoin('This is not a whole code.', 'Copy all of what binnacle invite printed.');
}

async function firstThatAnswers(addresses: InviteCode['addresses']) {
  let last: unknown;
  for (const { host, port } of addresses) {
    try {
      return { host, port, authority: await authorityAt(host, port, null) };
    } catch (error) {
      last = error;
    }
  }
  throw noAnswer(addresses, last);
}

async function askAny(code: InviteCode, body: object): Promise<Joined> {
  let last: unknown;
  for (const { host, port } of code.addresses) {
    try {
      const authority = await authorityAt(host, port, code.fingerprint);
      return await ask({ host, port, authority }, '/api/v1/join', Joined, body);
    } catch (error) {
      if (error instanceof CannotJoin) throw error;
      last = error;
    }
  }
  throw noAnswer(code.addresses, last);
}

function noAnswer(addresses: InviteCode['addresses'], last: unknown): CannotJoin {
  const tried = addresses.map(({ host, port }) => `${host}:${port}`).join(', ');
  return new CannotJoin(
    `No member answers at ${tried}${last instanceof Error ? `: ${last.message}` : ''}.`,
    'Check the network between the machines, and that other machines may reach the member (--listen, or Settings there).',
    last,
  );
}

/** The authority whose certificate comes with the connection: the one the code names, or the last when there is no code. */
function authorityAt(host: string, port: number, fingerprint: string | null): Promise<string> {
  return new Promise((done, failed) => {
    const socket = connect({
      host,
      port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
    });
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('it did not answer in time')));
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      const chain: Buffer[] = [];
      for (
        let one = socket.getPeerCertificate(true);
        one?.raw && !chain.some((raw) => raw.equals(one.raw)) && chain.length < CHAIN_MAX;
        one = one.issuerCertificate
      )
        chain.push(one.raw);
      socket.destroy();
      const hashes = chain.map((raw) => createHash('sha256').update(raw).digest('hex'));
      const found =
        fingerprint === null ? chain.at(-1) : chain[hashes.findIndex((hash) => hash.startsWith(fingerprint))];
      if (found) return done(new X509Certificate(found).toString());
      failed(
        new CannotJoin(
          `The node at ${host}:${port} is of another cluster than the code, or its authority was changed since.`,
          'Make sure that nobody stands between the machines, and make a new code.',
        ),
      );
    });
  });
}

/** Asks for as long as a fail-over may take. */
async function ask<T>(...asked: Parameters<typeof askOnce<T>>): Promise<T> {
  const until = performance.now() + ANSWER_MS;
  for (;;) {
    try {
      return await askOnce(...asked);
    } catch (error) {
      if (!(error instanceof NotNow) || performance.now() > until) throw error;
      await delay(ASK_AGAIN_MS);
    }
  }
}

function askOnce<T>(
  { host, port, authority }: { host: string; port: number; authority: string },
  path: string,
  shape: { parse(value: unknown): T },
  body: object,
): Promise<T> {
  const text = JSON.stringify(body);
  return new Promise((done, failed) => {
    const asking = request(
      {
        ...{ host, port, method: 'POST', path, ca: authority, agent: false },
        // Proved by the authority; by which name the member is reached says nothing more.
        checkServerIdentity: () => undefined,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        timeout: ANSWER_MS,
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > ANSWER_BYTES_MAX) asking.destroy(new Error('its answer is too long'));
          else chunks.push(chunk);
        });
        answer.on('error', failed);
        answer.on('end', () => {
          try {
            done(readAnswer(answer.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'), shape));
          } catch (error) {
            failed(error);
          }
        });
      },
    );
    asking.on('timeout', () => asking.destroy(new Error('it did not answer in time')));
    asking.on('error', failed);
    asking.end(text);
  });
}

function readAnswer<T>(status: number, text: string, shape: { parse(value: unknown): T }): T {
  if (status < 300) return shape.parse(text === '' ? null : JSON.parse(text));
  const { detail, next, code } = ProblemDetails.parse(JSON.parse(text));
  throw status === 503 ? new NotNow(detail, next) : new CannotJoin(detail, next, undefined, code);
}
