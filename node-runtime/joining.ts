/**
 * Joins a cluster with a one-time code (`binnacle join`): asks a member to let
 * this machine in, and writes down identity and memory, all on disk before it
 * returns.
 *
 * The code carries addresses, a secret, and the fingerprint of the cluster's
 * authority: whoever answers at the address is believed only if its
 * certificate is by that authority. The secret is sent to nobody else.
 */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { Joined, ProblemDetails } from './contract/model.ts';
import type { Directory } from './contract/peer-messages.ts';
import { PROTOCOL_VERSION } from './core/cluster/messages.ts';
import { emptyRegister } from './core/cluster/register.ts';
import { isFounded, places } from './founding.ts';
import type { JoinedNode } from './io/cli/outside.ts';
import { openJournal } from './io/journal/journal.ts';
import { defaultSlots, machineName } from './io/machine/machine.ts';
import { identityFrom, machineHosts, makeJoinRequest } from './io/trust/identity.ts';
import { saveIdentity } from './io/trust/identity-store.ts';
import { programVersion } from './version.ts';

const ANSWER_MS = 15_000;
const ANSWER_BYTES_MAX = 1024 ** 2;

type Code = { addresses: { host: string; port: number }[]; secret: string; fingerprint: string };

/** A mistake a person can mend; `next` says how. */
class CannotJoin extends Error {
  readonly next: string;
  constructor(sentence: string, next: string, cause?: unknown) {
    super(sentence, { cause });
    this.next = next;
  }
}

export async function join(asked: { data: string; code: string; name?: string }): Promise<JoinedNode> {
  if (isFounded(asked.data))
    throw new CannotJoin(`${asked.data} holds a node already.`, 'Name an empty folder with --data.');
  const code = readCode(asked.code);
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
      node: { cert: joined.certificate, key },
    });
    // Last, like at a founding: its presence says that the joining is complete.
    await saveIdentity(places(asked.data).trust, identity);
    return { cluster: joined.clusterName, node: name, duties: joined.duties, fingerprint: identity.fingerprint };
  } finally {
    await journal.close();
  }
}

function readCode(text: string): Code {
  const match = /^([^/\s]+)\/([a-z2-9]{20})\.([0-9a-f]{32})$/.exec(text.trim());
  const addresses = (match?.[1] ?? '').split(',').flatMap((one) => {
    const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(one);
    return parts ? [{ host: (parts[1] ?? parts[2])!, port: Number(parts[3]) }] : [];
  });
  if (!match || addresses.length === 0)
    throw new CannotJoin('This is not a whole code.', 'Copy all of what binnacle invite printed.');
  return { addresses, secret: match[2]!, fingerprint: match[3]! };
}

async function askAny(code: Code, body: object): Promise<Joined> {
  let last: unknown;
  for (const { host, port } of code.addresses) {
    try {
      const authority = await authorityAt(host, port, code.fingerprint);
      return await ask(host, port, authority, body);
    } catch (error) {
      if (error instanceof CannotJoin) throw error;
      last = error;
    }
  }
  const tried = code.addresses.map(({ host, port }) => `${host}:${port}`).join(', ');
  throw new CannotJoin(
    `No member answers at ${tried}${last instanceof Error ? `: ${last.message}` : ''}.`,
    'Check the network between the machines, and that the member runs with --listen.',
    last,
  );
}

/** The authority whose certificate comes with the connection, if it is the one the code names. */
function authorityAt(host: string, port: number, fingerprint: string): Promise<string> {
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
      let one = socket.getPeerCertificate(true);
      const seen = new Set<string>();
      while (one?.raw && !seen.has(one.fingerprint256)) {
        seen.add(one.fingerprint256);
        if (createHash('sha256').update(one.raw).digest('hex').startsWith(fingerprint)) {
          socket.destroy();
          return done(new X509Certificate(one.raw).toString());
        }
        one = one.issuerCertificate;
      }
      socket.destroy();
      failed(
        new CannotJoin(
          `The node at ${host}:${port} is of another cluster than the code.`,
          'Make sure that nobody stands between the machines, and make a new code.',
        ),
      );
    });
  });
}

function ask(host: string, port: number, authority: string, body: object): Promise<Joined> {
  const text = JSON.stringify(body);
  return new Promise((done, failed) => {
    const asking = request(
      {
        ...{ host, port, method: 'POST', path: '/api/v1/join', ca: authority, agent: false },
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
            done(readAnswer(answer.statusCode ?? 0, Buffer.concat(chunks).toString('utf8')));
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

function readAnswer(status: number, text: string): Joined {
  if (status === 201) return Joined.parse(JSON.parse(text));
  const { detail, next } = ProblemDetails.parse(JSON.parse(text));
  throw new CannotJoin(detail, next);
}
