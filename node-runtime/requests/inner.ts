/**
 * What only members ask each other over HTTP (`/peer/v1/…`): snapshots,
 * contents of files, output of attempts, and what a node without a journal
 * has to ask the active for.
 */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { pageOf } from '../auditing.ts';
import { refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import { answerOf } from '../core/routing/keys.ts';
import { manifestAt } from '../core/sandboxes/listing.ts';
import { sandboxNamed } from '../core/sandboxes/sandboxes.ts';
import type { Wish } from '../core/wishes.ts';
import type { Handlers } from '../io/http/asked.ts';
import { SaidCaller } from '../io/http/delegation.ts';
import type { Inner, InnerAnswer } from '../io/http/inner.ts';
import { followOutput, readOutput, readTimes } from '../io/process/output.ts';
import { publicKeyHash } from '../io/trust/certificates.ts';
import { authorityNamed, signJoinRequest } from '../io/trust/identity.ts';
import { issuingAuthority } from './authority.ts';
import { identify } from './identify.ts';
import { readJobSource } from './job-source.ts';
import { makeLocalDirectory } from './local-sandboxes.ts';
import type { Parts } from './parts.ts';
import { secretsFor, takeSecretsKey } from './secrets.ts';

/** What a handler is given when a member asks. */
const ASKED_BY_NODE = {
  caller: { by: 'node', name: 'node', role: 'viewer', kind: 'program' },
  ...{ params: {}, query: {}, body: undefined, key: null, headers: {}, requestHash: '', head: false },
  ...{ address: 'member', secure: true },
} as const;
const HASH = /^\/([0-9a-f]{64})$/;
const ATTEMPT = /^\/([A-Za-z0-9_][A-Za-z0-9._-]{0,200})$/;
const json = (body: unknown): InnerAnswer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

const GapAsked = z.object({ from: z.number().int().min(1), to: z.number().int().min(1) });
const WishAsked = z.object({
  by: z.string().max(200),
  via: z.string().max(64),
  from: z.string().min(1).max(100).exactOptional(),
  key: z.object({ key: z.string().max(200), request: z.string().max(200) }).nullable(),
  // Only what a holder of local files tells: all else goes through the API.
  wish: z.looseObject({ wish: z.literal('noteLocalChange') }),
});

export function innerRoutes(parts: Parts, handlers: Handlers): Inner {
  const { loop, blobs, journal } = parts;
  return {
    /** `at=index`: the newest snapshot of this journal, if it is that one. */
    async snapshot({ query }) {
      const { snapshot } = await journal.load();
      if (!snapshot || String(snapshot.index) !== query.get('at'))
        return refuse('not_found', 'There is no snapshot at that entry any more.');
      const { text, ...position } = snapshot;
      return {
        status: 200,
        headers: { 'content-type': 'application/json', 'binnacle-snapshot': JSON.stringify(position) },
        body: Readable.from([Buffer.from(text)]),
      };
    },

    async blobs({ method, path, stream }) {
      const hash = HASH.exec(path)?.[1];
      if (!hash) return refuse('not_found', 'That is no content.');
      if (method === 'PUT') {
        const kept = await blobs.store(stream(), { bytesMax: limits.fileBytesMax, expected: hash });
        return 'code' in kept ? kept : { status: 204 };
      }
      if (!(await blobs.has(hash))) return refuse('not_found', 'That content is not here.');
      return method === 'HEAD' ? { status: 200 } : { status: 200, body: blobs.read(hash) };
    },

    /** Every file as a run that pinned that revision sees it. */
    async manifest({ query }) {
      const record = await loop.read((state) => sandboxNamed(state.sandboxes, query.get('sandbox') ?? ''));
      if ('code' in record) return record;
      const revision = Number(query.get('revision'));
      if (!Number.isInteger(revision) || revision < 0 || revision > record.revision)
        return refuse('version_unknown', `${record.name} has no revision ${query.get('revision')}.`);
      return json(manifestAt(record, revision));
    },

    async output({ path, query, signal }) {
      const attempt = ATTEMPT.exec(path)?.[1];
      if (!attempt) return refuse('not_found', 'That is no attempt.');
      const from = Number(query.get('from') ?? 0);
      const { outputBytes } = await readOutput(parts.data, attempt, 0, 0);
      const headers = { 'binnacle-log-end': String(outputBytes) };
      const start = from < 0 ? Math.max(0, outputBytes + from) : from;
      if (query.get('follow') === '1')
        return { status: 200, headers, body: Readable.from(followOutput(parts.data, attempt, start, signal)) };
      const limit = Math.min(Number(query.get('limit') ?? limits.logReadBytesMax), limits.logReadBytesMax);
      const { bytes } = await readOutput(parts.data, attempt, start, limit);
      return { status: 200, headers, body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    },

    async times({ path }) {
      const attempt = ATTEMPT.exec(path)?.[1];
      return attempt ? json(await readTimes(parts.data, attempt)) : refuse('not_found', 'That is no attempt.');
    },

    /** The active's view of the cluster, for a node that shows it to somebody. */
    async cluster({ signal, body }) {
      const said = (await body(16_384)).toString('utf8');
      // A node of an older version does not say for whom: then for somebody who is on no list.
      const caller = said === '' ? ASKED_BY_NODE.caller : SaidCaller.parse(JSON.parse(said));
      const reply = await handlers.cluster({ ...ASKED_BY_NODE, caller, signal });
      return 'code' in reply ? reply : json(reply.body);
    },

    async nodes({ signal }) {
      const reply = await handlers.nodes({ ...ASKED_BY_NODE, signal });
      return 'code' in reply ? reply : json((reply.body as { nodes: unknown }).nodes);
    },

    /** Whose token or session is this? Asked by nodes that keep no journal. */
    async identify({ body }) {
      const shown = z
        .object({ bearer: z.string().max(512).exactOptional(), session: z.string().max(512).exactOptional() })
        .parse(JSON.parse((await body(4096)).toString('utf8')));
      const caller = await identify(parts, shown);
      return 'code' in caller ? caller : json(caller);
    },

    /** A local sandbox's record with who may what in it, for the node that holds its directory. */
    async sandbox({ query }) {
      const record = await parts.sandbox(query.get('name') ?? '');
      if ('code' in record) return record;
      const { tree: _, ...rest } = record;
      return json(rest);
    },

    async wish({ body }) {
      const asked = WishAsked.parse(JSON.parse((await body(limits.jsonBodyBytesMax)).toString('utf8')));
      const { by, key, via, from } = asked;
      const reply = await loop.ask(by, key, asked.wish as unknown as Wish, { via, ...(from ? { from } : {}) });
      return 'code' in reply ? reply : json(reply);
    },

    async answered({ query }) {
      const [by, key, request] = ['by', 'key', 'request'].map((name) => query.get(name) ?? '') as [
        string,
        string,
        string,
      ];
      const kept = await loop.read(({ keys }) => answerOf(keys, by, key, request));
      return kept && 'code' in kept ? kept : json(kept);
    },

    /** Rows of the audit that another controller lacks. */
    async audit({ query }) {
      const gap = GapAsked.parse({ from: Number(query.get('from')), to: Number(query.get('to')) });
      await parts.audit.flush();
      const { replicated, known } = loop.state;
      return json(await pageOf(journal, gap, Math.min(replicated.index, known)));
    },

    /** Only controllers keep the keys of authorities and that of the secrets; one that was promoted asks for them. */
    async authority({ node, query }) {
      const isController = loop.state.replicated.members.nodes.get(node)?.duties.includes('controller') === true;
      const identity = parts.identity();
      const { secretsKey } = identity;
      const wanted = query.get('fingerprint') ?? identity.authorityFingerprint;
      const key = authorityNamed(identity, wanted)?.key;
      if (!isController || key === undefined)
        return refuse('role_missing', 'Only a controller gets this, from a controller.');
      return json({ key, ...(secretsKey === undefined ? {} : { secretsKey }) });
    },

    /** Tokens and sessions that another controller saw. */
    async used({ body }) {
      const { used } = z
        .object({
          used: z.array(z.object({ id: z.string().max(64), at: z.number() })).max(limits.lastUsesPerEntryMax),
        })
        .parse(JSON.parse((await body(65_536)).toString('utf8')));
      const noted = await loop.ask('node', null, { wish: 'noteUses', used });
      return 'code' in noted ? noted : json({});
    },

    /** The active makes sure that its standby holds the key of the secrets. */
    async secretsKey({ node, body }) {
      const { key } = z
        .object({ key: z.string().regex(/^[0-9a-f]{64}$/) })
        .parse(JSON.parse((await body(1024)).toString('utf8')));
      const taken = await takeSecretsKey(parts, node, key);
      return 'code' in taken ? taken : json(taken);
    },

    /** What an attempt of that node is given; see there who gets what. */
    async secrets({ node, body }) {
      const name = z
        .object({ run: z.string().max(64), task: z.string().max(128), number: z.number().int().min(1) })
        .parse(JSON.parse((await body(1024)).toString('utf8')));
      const given = await secretsFor(parts, node, name);
      return 'code' in given ? given : json(given);
    },

    /** A new certificate for a member's present key, when the old one ends or its addresses are others. */
    async renew({ node, body }) {
      const asked = z
        .object({ request: z.string().max(8192), hosts: z.array(z.string().max(255)).max(32) })
        .parse(JSON.parse((await body(65_536)).toString('utf8')));
      const member = loop.state.replicated.members.nodes.get(node);
      if (!member) return refuse('node_unknown', 'It is no member of this cluster.');
      if (member.key !== undefined && publicKeyHash(asked.request) !== member.key)
        return refuse('certificate_refused', `${member.name} joined with another key than this one.`);
      const of = { nodeId: node, nodeName: member.name, hosts: asked.hosts };
      return json({ certificate: await signJoinRequest(issuingAuthority(parts), asked.request, of) });
    },

    /** The text of a job file in a local sandbox of this node. */
    async source({ query }) {
      const source = await readJobSource(parts, query.get('sandbox') ?? '', query.get('path') ?? '');
      return 'code' in source ? source : json(source);
    },

    async measure({ query }) {
      const record = await parts.sandbox(query.get('sandbox') ?? '');
      return 'code' in record ? record : json(await parts.viewOfLocal(record));
    },

    async makeLocal({ body }) {
      const asked = z
        .object({ name: z.string().max(64), directory: z.string().max(limits.pathBytesMax).nullable() })
        .parse(JSON.parse((await body(16_384)).toString('utf8')));
      const made = await makeLocalDirectory(parts.data, asked.name, asked.directory);
      return typeof made === 'string' ? json({ directory: made }) : made;
    },
  };
}
