/**
 * What outside programs and the console see: one schema a thing, types inferred.
 *
 * These are answers, so they describe; what may be *asked* is bounded in
 * `routes.ts`. Times are ISO 8601 strings in UTC, sizes are bytes, durations
 * milliseconds. Words are those of the glossary.
 */
import { z } from 'zod';
import { limits } from './limits.ts';

export const Time = z.iso.datetime().meta({ description: 'UTC time, ISO 8601' });
export const Role = z.enum(['viewer', 'operator', 'admin']).meta({ id: 'Role' });
export type Role = z.infer<typeof Role>;

/** What may be done in a sandbox. `read`: all that changes nothing; without it the sandbox is not even named. */
export const Right = z.enum(['read', 'write', 'execute']).meta({
  id: 'Right',
  description: 'read: look; write: change files; execute: launch, cancel and decide runs. Without read nothing counts',
});
export type Right = z.infer<typeof Right>;
/** Rights of one person or program in one sandbox, or of everybody. */
export const RightsEntry = z
  .object({
    who: z
      .string()
      .regex(/^(everyone|user:[a-z][a-z0-9._-]{0,47}|token:[0-9a-f]{1,64})$/, 'everyone, user:NAME or token:ID'),
    may: z.array(Right).max(3),
  })
  .meta({ id: 'RightsEntry' });
export type RightsEntry = z.infer<typeof RightsEntry>;

export const SandboxName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]*$/, 'lower-case letters, digits, dot, dash and underline; begins with a letter or digit')
  .max(limits.sandboxNameCharsMax);
/** What a token is limited to, whatever its role. */
export const TokenScope = z
  .object({
    sandboxes: z
      .array(z.object({ name: SandboxName, may: z.array(Right).min(1).max(3) }))
      .min(1)
      .max(limits.scopeSandboxesMax),
  })
  .meta({ id: 'TokenScope', description: 'A token with it can do nothing but this, and read how the cluster is' });
export type TokenScope = z.infer<typeof TokenScope>;
/** A path inside a sandbox: relative, `/` between plain names, '' for the top. Checked again where it is used. */
export const SandboxPath = z.string().max(limits.pathBytesMax);

export const Problem = z
  .object({
    path: z.string(),
    line: z.number().int().optional(),
    column: z.number().int().optional(),
    sentence: z.string(),
    hint: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'A mistake at a place. Lines and columns count from 1.' });

/** RFC 9457 problem details: the body of every answer that is not a success. */
export const ProblemDetails = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    next: z.string().meta({ description: 'What to do now, in a sentence' }),
    problems: z.array(Problem).optional(),
    since: Time.optional(),
  })
  .meta({ id: 'ProblemDetails' });
export type ProblemDetails = z.infer<typeof ProblemDetails>;

// ---------------------------------------------------------------- cluster

/** What a node does now, read from the charter; `controller` is one that neither leads nor stands by (it joins, or is down). */
export const NodeRole = z.enum(['active', 'standby', 'controller', 'watch', 'spare', 'worker', 'observer']);
/** What a node is there for, as people decided. */
export const Duty = z.enum(['controller', 'watch', 'worker']).meta({ id: 'Duty' });
export type Duty = z.infer<typeof Duty>;
export const Node = z
  .object({
    id: z.string(),
    name: z.string(),
    address: z.string().optional(),
    roles: z.array(NodeRole),
    duties: z.array(Duty),
    thisNode: z.boolean(),
    drained: z.boolean().meta({ description: 'It keeps what it runs and gets nothing new' }),
    reachable: z.boolean(),
    since: Time.meta({ description: 'Reachable or unreachable since' }),
    version: z.string(),
    platform: z.string(),
    cpuPercent: z.number(),
    memoryFreeBytes: z.number(),
    memoryBytes: z.number(),
    diskFreeBytes: z.number(),
    slots: z.number().int(),
    tasksRunning: z.number().int(),
    /** How far its journal is behind, where it keeps one. */
    lagEntries: z.number().int().optional(),
    roundTripMs: z.number().optional(),
    fingerprint: z.string().optional(),
  })
  .meta({ id: 'Node' });
export type Node = z.infer<typeof Node>;

export const Happening = z
  .object({
    position: z.number().int(),
    at: Time,
    tone: z.enum(['ok', 'info', 'warn', 'alarm', 'brass']),
    text: z.string(),
    subject: z.string().optional().meta({ description: 'The word in text that names what it is about' }),
    run: z.string().optional(),
    sandbox: z.string().optional().meta({ description: 'The sandbox it is about: who may not read that is not told' }),
  })
  .meta({ id: 'Happening', description: 'One line of "what happened"' });
export type Happening = z.infer<typeof Happening>;

export const Cluster = z
  .object({
    id: z.string(),
    name: z.string(),
    thisNode: z.object({
      id: z.string(),
      name: z.string(),
      roles: z.array(NodeRole),
      version: z.string(),
      startedAt: Time,
    }),
    state: z
      .enum(['working', 'starting', 'waiting', 'parked', 'read_only'])
      .meta({ description: 'parked: stopped on purpose, nobody acts until a person or the stopped node says so' }),
    term: z.string().meta({ description: 'era.number.node' }),
    active: z.string().nullable(),
    standby: z.string().nullable(),
    watch: z.string().nullable(),
    spares: z.array(z.string()),
    mode: z.enum(['solo', 'paired']),
    parked: z.object({ by: z.string(), why: z.string() }).nullable(),
    charter: z
      .object({
        reason: z.string(),
        at: Time,
        writeSet: z.array(z.string()),
        voters: z.array(z.array(z.string())).meta({ description: 'Two sets while seats change' }),
      })
      .nullable(),
    headline: z.string().meta({ description: 'One sentence: how it is' }),
    survives: z.object({
      sentence: z.string(),
      lossOf: z.array(z.string()).meta({ description: 'Nodes any one of which may be lost without stopping work' }),
    }),
    waitsFor: z.array(z.object({ what: z.string(), next: z.string(), since: Time })),
    journal: z.object({
      end: z.number().int(),
      committed: z.number().int(),
      snapshot: z.number().int(),
      lag: z.number().int().meta({ description: 'Entries the standby (or this node, where it follows) is behind' }),
      quarantined: z.number().int().meta({ description: 'Entries cut from this journal and kept aside' }),
    }),
    counts: z.object({
      nodes: z.number().int(),
      sandboxes: z.number().int(),
      runsRunning: z.number().int(),
      runsWaiting: z.number().int(),
      runsToday: z.number().int(),
      failedToday: z.number().int(),
      tasksUnknown: z
        .number()
        .int()
        .meta({ description: 'Attempts whose worker is silent: a person may have to decide' }),
    }),
    happened: z.array(Happening),
    readAt: Time,
    fresh: z.boolean().meta({ description: 'Answered by the active from committed state, confirmed by a quorum' }),
    recovery: z
      .boolean()
      .meta({ description: 'This node can go on only after a person confirms a loss: see /api/v1/cluster/recovery' }),
  })
  .meta({ id: 'Cluster' });
export type Cluster = z.infer<typeof Cluster>;

/** What a node gets that was let in: its identity, and who else there is. */
export const Joined = z
  .object({
    cluster: z.string(),
    clusterName: z.string(),
    certificate: z.string(),
    authority: z.string(),
    /** All that are trusted, while the authority is changed. */
    authorities: z.array(z.string()).max(4).optional(),
    /** Only a controller gets the key of the authority. */
    authorityKey: z.string().optional(),
    /** And the key of the secrets. */
    secretsKey: z.string().optional(),
    duties: z.array(Duty),
    members: z.array(
      z.object({ node: z.string(), name: z.string(), addresses: z.array(z.string()), duties: z.array(Duty) }),
    ),
  })
  .meta({ id: 'Joined' });
export type Joined = z.infer<typeof Joined>;

/** The authority that signs the certificates of the nodes, and how far a change of it has come. */
export const AuthorityStand = z
  .object({
    fingerprint: z.string().meta({ description: 'sha-256 of the certificate of the one that signs' }),
    until: Time,
    step: z.enum(['added', 'turned', 'settled']).meta({
      description: 'added: all learn to trust the new one; turned: it signs; settled: the old one is trusted no more',
    }),
    since: Time.optional(),
    by: z.string().optional(),
    waitsFor: z.array(z.string()).meta({ description: 'Nodes that have not followed this step' }),
    sentence: z.string(),
  })
  .meta({ id: 'AuthorityStand' });
export type AuthorityStand = z.infer<typeof AuthorityStand>;

/** A node that says in the network that it is there. Only a hint: anybody can say anything. */
export const Discovered = z
  .object({
    cluster: z.string(),
    clusterName: z.string(),
    node: z.string(),
    name: z.string(),
    role: z.string(),
    addresses: z.array(z.string()).meta({ description: 'Where it says that it can be asked, HOST:PORT' }),
    via: z.enum(['mdns', 'mdns-js', 'static']),
    seenAt: Time,
    relation: z
      .enum(['member', 'stranger', 'other', 'address'])
      .meta({ description: 'stranger: names this cluster and is no member; other: of another cluster' }),
  })
  .meta({ id: 'Discovered' });
export type Discovered = z.infer<typeof Discovered>;

/** A node that asks to join; the same six words are on its own screen. */
export const JoinRequest = z
  .object({
    id: z.string(),
    name: z.string(),
    program: z.string().meta({ description: 'Version of its program' }),
    address: z.string().meta({ description: 'Where it asked from' }),
    words: z.array(z.string()).meta({ description: 'To be compared with those that the node shows' }),
    state: z.enum(['waiting', 'approved', 'refused']),
    askedAt: Time,
    expiresAt: Time,
  })
  .meta({ id: 'JoinRequest' });
export type JoinRequest = z.infer<typeof JoinRequest>;

/** What a person is shown before a loss is confirmed (PROTOCOL section 9). */
export const Evidence = z
  .object({
    possible: z.boolean().meta({ description: 'A confirmation would be taken here now' }),
    why: z.string().meta({ description: 'Why it is needed, or why it is not possible' }),
    evidence: z.string().meta({ description: 'What the confirmation is bound to; it is void when this changes' }),
    candidate: z.object({ id: z.string(), name: z.string(), journalEnd: z.number().int(), term: z.string() }),
    nodes: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        voter: z.string().meta({ description: 'node#store, as a confirmation names it' }),
        votes: z.boolean(),
        inWriteSet: z.boolean(),
        heardAt: Time.nullable(),
        alive: z.boolean(),
        sentence: z.string(),
      }),
    ),
    suggested: z.array(z.string()).meta({ description: 'Voters (node#store) that would have to be declared lost' }),
    loss: z.string().meta({ description: 'What is lost if the statement is right, in a sentence' }),
    danger: z.string().meta({ description: 'What happens if it is wrong, in a sentence' }),
    opensEra: z.boolean(),
    proofTerm: z.string().meta({
      description: 'A lost controller that can still be reached by a person proves with this term that it has stopped',
    }),
  })
  .meta({ id: 'Evidence' });
export type Evidence = z.infer<typeof Evidence>;

export const QuarantinedEntry = z
  .object({
    id: z.number().int(),
    index: z.number().int(),
    term: z.string(),
    cutAt: Time,
    reason: z.string(),
    at: Time.nullable(),
    by: z.string(),
    kind: z.string(),
    fact: z.unknown(),
  })
  .meta({ id: 'QuarantinedEntry', description: 'An entry that was cut from this journal and is kept aside' });
export type QuarantinedEntry = z.infer<typeof QuarantinedEntry>;

// -------------------------------------------------------------- sandboxes

export const SandboxKind = z.enum(['shared', 'local', 'partitioned']);
export const Sandbox = z
  .object({
    name: SandboxName,
    kind: SandboxKind,
    node: z.string().optional().meta({ description: 'Where a local sandbox lies' }),
    directory: z.string().optional(),
    description: z.string(),
    revision: z.number().int().meta({ description: 'Grows with every change; a run pins it' }),
    files: z.number().int(),
    bytes: z.number().int(),
    createdAt: Time,
    createdBy: z.string(),
    may: z.array(Right).optional().meta({ description: 'What the caller may do in it' }),
    rights: z
      .array(RightsEntry)
      .optional()
      .meta({ description: 'Who may what, told to administrators; absent: the role decides' }),
  })
  .meta({ id: 'Sandbox' });
export type Sandbox = z.infer<typeof Sandbox>;

export const JobCheck = z
  .object({
    format: z.enum(['job', 'script']),
    ok: z.boolean(),
    name: z.string().optional(),
    tasks: z.number().int(),
    problems: z.array(Problem),
    warnings: z
      .array(Problem)
      .optional()
      .meta({ description: 'Not mistakes of the file: what is missing for a launch now, such as a secret' }),
  })
  .meta({ id: 'JobCheck', description: 'What checking a job file found' });
export type JobCheck = z.infer<typeof JobCheck>;

export const Entry = z
  .object({
    path: z.string(),
    name: z.string(),
    kind: z.enum(['file', 'folder']),
    bytes: z.number().int(),
    changedAt: Time,
    changedBy: z.string().optional(),
    version: z.number().int().optional().meta({ description: 'Counts from 1 for each file of a kept sandbox' }),
    etag: z.string().optional(),
    items: z.number().int().optional().meta({ description: 'Entries in a folder' }),
    executable: z.boolean().optional(),
    job: JobCheck.optional(),
  })
  .meta({ id: 'Entry', description: 'A file or folder in a sandbox' });
export type Entry = z.infer<typeof Entry>;

export const FileVersion = z
  .object({
    version: z.number().int(),
    revision: z.number().int(),
    bytes: z.number().int(),
    hash: z.string(),
    at: Time,
    by: z.string(),
    removed: z.boolean(),
    current: z.boolean(),
  })
  .meta({ id: 'FileVersion' });
export type FileVersion = z.infer<typeof FileVersion>;

export const TrashItem = z
  .object({
    path: z.string(),
    bytes: z.number().int(),
    removedAt: Time,
    removedBy: z.string(),
    version: z.number().int(),
  })
  .meta({ id: 'TrashItem' });
export type TrashItem = z.infer<typeof TrashItem>;

export const Upload = z
  .object({
    id: z.string(),
    sandbox: SandboxName,
    path: z.string(),
    bytes: z.number().int(),
    offset: z.number().int().meta({ description: 'Bytes received and kept; go on from here' }),
    chunkBytesMax: z.number().int(),
    expiresAt: Time,
  })
  .meta({ id: 'Upload' });
export type Upload = z.infer<typeof Upload>;

// ------------------------------------------------------------------- runs

export const RunState = z.enum(['queued', 'waiting', 'running', 'succeeded', 'failed', 'cancelled', 'unknown']);
export type RunState = z.infer<typeof RunState>;
export const TaskState = z.enum([
  'waiting',
  'queued',
  'running',
  'succeeded',
  'failed',
  'skipped',
  'cancelled',
  'unknown',
]);
export type TaskState = z.infer<typeof TaskState>;

export const Attempt = z
  .object({
    number: z.number().int(),
    node: z.string(),
    term: z.string(),
    state: z.enum(['placed', 'running', 'lost', 'succeeded', 'failed', 'cancelled', 'unknown']),
    placedAt: Time,
    startedAt: Time.optional(),
    endedAt: Time.optional(),
    exitCode: z.number().int().optional(),
    signal: z.string().optional(),
    cause: z
      .enum(['exit', 'signal', 'timeout', 'cancelled', 'cannot_start', 'lost'])
      .optional()
      .meta({ description: 'Why it ended' }),
    detail: z.string().optional(),
    outputBytes: z.number().int(),
    outputCut: z.boolean(),
  })
  .meta({ id: 'Attempt' });
export type Attempt = z.infer<typeof Attempt>;

export const Task = z
  .object({
    id: z.string(),
    name: z.string(),
    state: TaskState,
    needs: z.array(z.string()),
    finally: z.boolean(),
    continueOnError: z.boolean(),
    condition: z.string().optional(),
    secrets: z.array(z.string()).optional().meta({ description: 'Names of the secrets it is given' }),
    attemptsMax: z.number().int(),
    attempts: z.array(Attempt),
    nextAttemptAt: Time.optional(),
    reason: z.string().optional().meta({ description: 'Why it waits, was skipped or failed, in a sentence' }),
  })
  .meta({ id: 'Task' });
export type Task = z.infer<typeof Task>;

export const RunSummary = z
  .object({
    id: z.string(),
    sandbox: z.string(),
    path: z.string(),
    name: z.string(),
    state: RunState,
    launchedAt: Time,
    startedAt: Time.optional(),
    endedAt: Time.optional(),
    by: z.string(),
    nodes: z.array(z.string()),
    tasksTotal: z.number().int(),
    tasksEnded: z.number().int(),
    exitCode: z.number().int().optional().meta({ description: 'Of the task that decided the end' }),
    reason: z.string().optional(),
  })
  .meta({ id: 'RunSummary' });
export type RunSummary = z.infer<typeof RunSummary>;

export const Run = RunSummary.extend({
  revision: z.number().int().optional().meta({ description: 'The pinned version of the sandbox' }),
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  term: z.string(),
  via: z.string(),
  tasks: z.array(Task),
}).meta({ id: 'Run' });
export type Run = z.infer<typeof Run>;

export const ParameterField = z
  .object({
    name: z.string(),
    type: z.enum(['string', 'text', 'integer', 'number', 'boolean', 'date', 'choice']),
    label: z.string(),
    description: z.string().optional(),
    required: z.boolean(),
    default: z.union([z.string(), z.number(), z.boolean()]).optional(),
    options: z.array(z.string()).optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    pattern: z.string().optional(),
  })
  .meta({ id: 'ParameterField', description: 'One field of the launch form' });
export type ParameterField = z.infer<typeof ParameterField>;

/** What the console needs to draw the launch form of a job file. */
export const LaunchForm = z
  .object({
    sandbox: z.string(),
    path: z.string(),
    name: z.string(),
    description: z.string().optional(),
    format: z.enum(['job', 'script']),
    parameters: z.array(ParameterField),
    /** Scripts take any further parameters; job files only those declared. */
    open: z.boolean(),
    tasks: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        needs: z.array(z.string()),
        finally: z.boolean(),
        secrets: z.array(z.string()).optional(),
      }),
    ),
    secrets: z
      .array(z.object({ name: z.string(), known: z.boolean() }))
      .optional()
      .meta({ description: 'All that its tasks name; without one that is not known it cannot be launched' }),
    placement: z
      .array(z.object({ node: z.string(), suits: z.boolean(), sentence: z.string() }))
      .meta({ description: 'Where it would run now, and why not elsewhere' }),
  })
  .meta({ id: 'LaunchForm' });
export type LaunchForm = z.infer<typeof LaunchForm>;

// ----------------------------------------------------------------- people

export const User = z
  .object({ name: z.string(), role: Role, createdAt: Time, lastSignInAt: Time.optional() })
  .meta({ id: 'User' });
export type User = z.infer<typeof User>;

export const Token = z
  .object({
    id: z.string(),
    label: z.string(),
    role: Role,
    createdAt: Time,
    createdBy: z.string(),
    expiresAt: Time.optional(),
    lastUsedAt: Time.optional(),
    scope: TokenScope.optional(),
  })
  .meta({ id: 'Token' });
export type Token = z.infer<typeof Token>;

export const SecretName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'letters, digits and underline; does not begin with a digit')
  .max(limits.secretNameCharsMax);
export const Secret = z
  .object({
    name: SecretName,
    description: z.string().optional(),
    version: z.number().int().meta({ description: 'Counts from 1, grows with every new value' }),
    savedAt: Time,
    savedBy: z.string(),
    runs: z.array(z.string()).meta({ description: 'Runs that have not ended and name it' }),
  })
  .meta({ id: 'Secret', description: 'A secret by name. Its value is given to tasks only, and shown nowhere' });
export type Secret = z.infer<typeof Secret>;

export const Session = z
  .object({
    name: z.string(),
    role: Role,
    kind: z.enum(['person', 'program', 'desktop']),
    expiresAt: Time.optional(),
    /** What this role may do, said by the node so that the console never guesses. */
    may: z.object({ change: z.boolean(), launch: z.boolean(), administer: z.boolean() }),
    scope: TokenScope.optional().meta({ description: 'Of a token that is limited to sandboxes' }),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof Session>;

// ------------------------------------------------------------------ audit

export const AuditArea = z.enum(['people', 'cluster', 'files', 'runs']).meta({ id: 'AuditArea' });
export type AuditArea = z.infer<typeof AuditArea>;

export const AuditRow = z
  .object({
    index: z.number().int().meta({ description: 'Of the entry in the journal' }),
    term: z.string().meta({ description: 'In which it was written: era.number.node' }),
    at: Time,
    by: z.string().meta({ description: '`user:NAME`, `token:ID`, `desktop` or `node`' }),
    who: z.string().meta({ description: 'The same for people: as it was called then' }),
    from: z.string().optional().meta({ description: 'Address, or "this computer"; absent for what nodes do' }),
    via: z.string().meta({ description: 'Through which node it came' }),
    area: AuditArea,
    act: z.string().meta({ description: 'What was done, in one word: runLaunched, userChanged…' }),
    subject: z.string().meta({ description: 'Whom or what it was done to' }),
    sentence: z.string(),
    changes: z.array(z.object({ what: z.string(), before: z.string().optional(), after: z.string().optional() })),
    more: z.number().int().optional().meta({ description: 'So many changes are not listed: there are too many' }),
  })
  .meta({ id: 'AuditRow', description: 'Who did what, from where, when' });
export type AuditRow = z.infer<typeof AuditRow>;
/** A place where somebody is signed in. */
export const SignedIn = z
  .object({
    id: z.string(),
    who: z.string().meta({ description: 'Name of the person; who made the one-time link where it was one' }),
    role: Role,
    byLink: z.boolean().meta({ description: 'Signed in with a one-time link, not with a password' }),
    since: Time,
    expiresAt: Time,
    lastSeenAt: Time.optional().meta({ description: 'As the node that answers saw it; else to the hour' }),
    from: z.string().optional().meta({ description: 'The address it was signed in from' }),
    program: z.string().optional().meta({ description: 'With what, in words; as the program said itself' }),
    thisOne: z.boolean(),
  })
  .meta({ id: 'SignedIn' });
export type SignedIn = z.infer<typeof SignedIn>;

// ----------------------------------------------------------------- events

/**
 * One line of the event stream. `position` is the journal position it follows
 * from (SSE `id`). Events carry what changed, small; large things are named
 * so that who cares fetches them.
 */
export const LiveEvent = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('run'), position: z.number(), at: Time, run: RunSummary }),
    z.object({
      kind: z.literal('task'),
      position: z.number(),
      at: Time,
      run: z.string(),
      sandbox: z.string().optional(),
      task: Task,
    }),
    z.object({
      kind: z.literal('files'),
      position: z.number(),
      at: Time,
      sandbox: z.string(),
      revision: z.number(),
      paths: z.array(z.string()).meta({ description: 'What changed; empty means many' }),
    }),
    z.object({
      kind: z.literal('sandbox'),
      position: z.number(),
      at: Time,
      name: z.string(),
      change: z.enum(['created', 'removed', 'rights']),
    }),
    z.object({ kind: z.literal('cluster'), position: z.number(), at: Time }),
    z
      .object({ kind: z.literal('audited'), position: z.number(), at: Time })
      .meta({ description: 'Somebody changed something: who and what is told to administrators who ask' }),
    z.object({ kind: z.literal('happened'), position: z.number(), at: Time, happening: Happening }),
  ])
  .meta({ id: 'LiveEvent' });
export type LiveEvent = z.infer<typeof LiveEvent>;
