/**
 * What nodes say to each other over a peer connection: one schema each.
 *
 * Everything here came over mutual TLS from a member, and is still checked for
 * shape and bound before the core sees it. Members' own messages (`member`)
 * are those of `core/cluster/messages.ts`; the rest is between the active and
 * the workers (P35), and what a node tells of itself.
 */
import { z } from 'zod';
import { limits } from './limits.ts';

const Id = z.string().max(64);
const whole = z.number().int().min(0);
export const TermShape = z.object({ era: whole, number: whole, node: Id });
const Chain = z.string().max(64);
const Hash = z.string().regex(/^[0-9a-f]{64}$/);
const Position = z.object({ index: whole, term: TermShape, chain: Chain });
/** What a parking code says once its signature holds (`io/trust/parking-code.ts`); `voter` is node#store. */
export const ParkedAt = z.object({ cluster: Id, voter: z.string().max(130), term: TermShape, end: Position });
const Voter = z.object({ node: Id, store: Id });
const Incarnation = z.string().max(100);
const Lineage = z.object({ era: whole, claim: Id });
const VoterText = z.string().max(130);
const Sentence = z.string().max(1_000);
const Loss = z.object({
  from: whole,
  upTo: whole.nullable(),
  certain: z.enum(['none', 'at most', 'cannot be excluded']),
});
const Claim = z.object({
  id: Id,
  cluster: Id,
  lost: z.array(VoterText).max(16),
  candidate: Id,
  incarnation: Incarnation,
  newest: TermShape,
  evidence: z.string().max(2_000),
  by: z.string().max(200),
  statement: Sentence,
  at: z.number(),
  expiresAt: z.number(),
  proof: z.object({ voter: VoterText, end: Position }).exactOptional(),
  chosen: z.boolean().exactOptional(),
});
// Later versions may add fields: they are kept, so that a charter handed on is the charter that was decided.
const Charter = z.looseObject({
  term: TermShape,
  follows: TermShape.nullable(),
  active: Id,
  writeSet: z.array(VoterText).max(4),
  voters: z.array(z.array(Voter).max(8)).max(2),
  parked: z.object({ by: z.string().max(200), why: Sentence }).exactOptional(),
  claim: Claim.exactOptional(),
  loss: Loss.exactOptional(),
  lineage: Lineage.exactOptional(),
  lastClaim: Id.exactOptional(),
  reason: Sentence,
  at: z.number(),
});
const Entry = z.object({
  term: TermShape,
  index: whole,
  text: z.string().max(limits.entryBytesMax),
  chain: Chain,
});
const Mark = z.object({ term: TermShape, index: whole, exact: z.boolean() });
const round = whole;

const Body = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ask'), term: TermShape, precheck: z.boolean(), claim: Claim.exactOptional() }),
  z.object({
    kind: z.literal('promised'),
    term: TermShape,
    precheck: z.boolean(),
    accepted: Charter,
    end: Position.nullable(),
    mark: Mark.nullable(),
  }),
  z.object({ kind: z.literal('propose'), charter: Charter }),
  z.object({ kind: z.literal('accepted'), term: TermShape }),
  z.object({
    kind: z.literal('refused'),
    what: z.string().max(40),
    term: TermShape,
    promised: TermShape,
    accepted: Charter,
    why: Sentence,
  }),
  z.object({
    kind: z.literal('append'),
    charter: Charter,
    previous: Position,
    entries: z.array(Entry).max(limits.entriesPerBatchMax),
    committed: whole,
    round,
  }),
  z.object({ kind: z.literal('appended'), term: TermShape, index: whole, round }),
  z.object({ kind: z.literal('mismatch'), term: TermShape, marks: z.array(Position).max(64), round }),
  z.object({ kind: z.literal('confirm'), charter: Charter, index: whole, round }),
  z.object({ kind: z.literal('confirmed'), term: TermShape, index: whole, round }),
  z.object({ kind: z.literal('snapshotOffered'), charter: Charter, at: Position, round }),
  z.object({ kind: z.literal('reminded') }),
  z.object({ kind: z.literal('takeOver'), term: TermShape }),
  z.object({ kind: z.literal('cannotWrite') }),
  z.object({ kind: z.literal('leaving') }),
]);

const MemberMessage = z.looseObject({
  version: whole,
  speaks: whole.exactOptional(),
  cluster: Id,
  store: Id,
  keepsJournal: z.boolean(),
  saves: whole,
  saver: Incarnation,
  seen: z
    .object({ store: Id, savers: z.array(z.object({ incarnation: Incarnation, saves: whole })).max(8) })
    .nullable(),
  body: Body,
});

// ---------------------------------------------------------------- workers

const AttemptId = { run: Id, task: z.string().max(128), number: whole };
const AttemptEnd = z.object({
  at: z.number(),
  state: z.enum(['succeeded', 'failed', 'cancelled', 'unknown']),
  cause: z.enum(['exit', 'signal', 'timeout', 'cancelled', 'cannot_start', 'lost']),
  exitCode: z.number().int().exactOptional(),
  signal: z.string().max(40).exactOptional(),
  detail: z.string().max(2_000).exactOptional(),
  outputBytes: whole,
  outputCut: z.boolean(),
});
/** In whose name an order is given: the worker obeys nothing below its fence (P35). */
const Lead = {
  cluster: Id,
  term: TermShape,
  lineage: Lineage.nullable(),
  /** The place of this order among all that this active sent in the term; not the number of an attempt. */
  place: whole,
  /** A reading of the worker's own clock, given back: its lease runs from there (`core/cluster/lease.ts`). */
  granted: z.number().nullable(),
};
/** A reading of the worker's own clock: the active gives it back when a quorum has confirmed its term since. */
const clock = z.number();
const text = z.string().max(limits.environmentCharsMax * 2);
const OrderShape = z.object({
  ...AttemptId,
  node: Id,
  sandbox: z.string().max(64),
  /** Of a local sandbox on that node; kept ones are pinned by their revision. */
  directory: z.string().max(limits.pathBytesMax).nullable(),
  revision: whole.nullable(),
  command: z.union([
    z.object({ program: text, arguments: z.array(text).max(1_000) }),
    z.object({ shell: z.string().max(limits.scriptCharsMax * 2) }),
  ]),
  environment: z.record(z.string().max(200), text),
  /** Names only: the worker asks for the values when it starts the attempt. */
  secrets: z.record(z.string().max(limits.nameBytesMax), z.string().max(limits.secretNameCharsMax)).exactOptional(),
  workingDirectory: z.string().max(limits.pathBytesMax),
  timeoutMs: z.number().nullable(),
  leased: z.boolean(),
  term: TermShape,
});

/** Who belongs to the cluster, as of a journal position: for nodes that keep no journal. */
export const DirectoryShape = z.object({
  /** Compared before the position: after a confirmed loss positions may go back. */
  era: whole,
  position: whole,
  clusterName: z.string().max(200),
  nodes: z
    .array(
      z.object({
        id: Id,
        name: z.string().max(64),
        duties: z.array(z.enum(['controller', 'watch', 'worker'])).max(3),
        addresses: z.array(z.string().max(300)).max(16),
        /** Hex sha-256 of its public key; nobody with another one is it. */
        key: Hash.exactOptional(),
      }),
    )
    .max(limits.nodesMax),
  /** Certificates to trust, while the authority is changed and after: in PEM, and the fingerprint of the one that signs. */
  authorities: z.object({ trusted: z.array(z.string().max(4_096)).min(1).max(2), issuing: Hash }).exactOptional(),
});
export type Directory = z.infer<typeof DirectoryShape>;

export const LoadShape = z.object({
  cpuPercent: z.number(),
  memoryFreeBytes: z.number(),
  memoryBytes: z.number(),
  diskFreeBytes: z.number(),
});

export const PeerMessageShape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('member'), message: MemberMessage }),
  // active → worker
  z.object({ kind: z.literal('greet'), ...Lead }),
  /** Once a second: the lease of attempts that may be started again elsewhere is renewed by it (P35). */
  z.object({ kind: z.literal('renew'), ...Lead }),
  z.object({ kind: z.literal('start'), ...Lead, order: OrderShape }),
  z.object({ kind: z.literal('stop'), ...Lead, ...AttemptId }),
  z.object({ kind: z.literal('forget'), ...Lead, ...AttemptId }),
  z.object({ kind: z.literal('sweep'), ...Lead, run: Id }),
  // worker → active
  z.object({
    kind: z.literal('greeted'),
    term: TermShape,
    clock,
    slots: whole,
    attempts: z
      .array(
        z.union([
          z.object({ ...AttemptId, state: z.literal('running'), at: z.number().nullable() }),
          z.object({ ...AttemptId, state: z.literal('ended'), end: AttemptEnd }),
        ]),
      )
      .max(limits.entriesPerBatchMax),
  }),
  z.object({ kind: z.literal('started'), term: TermShape, ...AttemptId, at: z.number() }),
  z.object({ kind: z.literal('ended'), term: TermShape, ...AttemptId, end: AttemptEnd }),
  /** A worker obeys a newer term than the one it was ordered in. */
  z.object({ kind: z.literal('fenced'), term: TermShape, lineage: Lineage.nullable(), why: Sentence }),
  // any node
  z.object({ kind: z.literal('directory'), directory: DirectoryShape }),
  /** To a node of this cluster's authority that is no member, or no more; its connection is closed after it. */
  z.object({ kind: z.literal('notMember') }),
  /** Where nodes were last met: addresses to try, never to be trusted. */
  z.object({
    kind: z.literal('hints'),
    nodes: z
      .array(z.object({ node: Id, addresses: z.array(z.string().max(300)).max(limits.addressesMax) }))
      .max(limits.nodesMax),
  }),
  /** What a node says of itself, to whoever leads: once a second to the active, and at each connection. */
  z.object({
    kind: z.literal('told'),
    store: Id,
    name: z.string().max(64),
    addresses: z.array(z.string().max(300)).max(16),
    slots: whole,
    speaks: whole,
    program: z.string().max(40),
    load: LoadShape,
    tasksRunning: whole,
    platform: z.string().max(200),
    startedAt: z.number(),
    /** Higher is better for a watch: mains power, wired, long up, not on a controller's host (P23). */
    watchRank: z.number(),
    /** Contents of files that its journal speaks of and that it does not hold yet; controllers only. */
    blobsMissing: whole,
    committed: whole,
    clock,
    /** Of its public key, and its certificates by their fingerprints. */
    key: Hash.exactOptional(),
    trust: z.object({ issuer: Hash, authorities: z.array(Hash).max(4), keeps: z.array(Hash).max(4) }).exactOptional(),
  }),
]);
export type PeerMessage = z.infer<typeof PeerMessageShape>;
export type Told = Extract<PeerMessage, { kind: 'told' }>;
