/**
 * The one route table: every address of the HTTP API, who may use it, what it
 * takes and what it gives. The server's routing and checks, the OpenAPI
 * document, the clients' types and `docs/api.md` all come from here, so none
 * can drift.
 *
 * `role` is the least role needed; `nobody` means without signing in.
 * `change` marks requests that alter state: they take an `Idempotency-Key`.
 */
import { z } from 'zod';
import { limits } from './limits.ts';
import * as m from './model.ts';

export type Body = z.ZodType | 'bytes' | null;
/**
 * What somebody needs in the sandbox that a route is about: the one in its address, that of the run in its address, or
 * the one its body names. `administer`: nobody who is limited to sandboxes.
 */
export type Need = m.Right | 'administer';
/** What a success carries: JSON of a schema, or a stream of another media type. */
export type Answer = z.ZodType | { media: string } | null;
export type Route = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `{name}` is one segment, `{name*}` the rest of the path. */
  path: string;
  role: 'nobody' | m.Role;
  /** Null for a route that is about no single sandbox or run. */
  needs: Need | null;
  change: boolean;
  status: 200 | 201 | 204;
  summary: string;
  params: z.ZodObject;
  query: z.ZodObject;
  body: Body;
  answer: Answer;
};

type Loose = Partial<Pick<Route, 'params' | 'query' | 'body' | 'answer' | 'change' | 'status' | 'needs'>>;
const none = z.object({});
type Filled<R extends Loose> = {
  params: R extends { params: infer P extends z.ZodObject } ? P : typeof none;
  query: R extends { query: infer Q extends z.ZodObject } ? Q : typeof none;
  body: R extends { body: infer B extends Body } ? B : null;
  answer: R extends { answer: infer A extends Answer } ? A : null;
};
type Made<R extends Loose> = Omit<Route, 'params' | 'query' | 'body' | 'answer'> & Filled<R>;

export function route<R extends Loose>(
  method: Route['method'],
  path: string,
  role: Route['role'],
  summary: string,
  rest: R,
): Made<R> {
  const made = {
    method,
    path,
    role,
    summary,
    needs: rest.needs ?? null,
    change: rest.change ?? method !== 'GET',
    status: rest.status ?? (rest.answer ? 200 : 204),
    params: rest.params ?? none,
    query: rest.query ?? none,
    body: rest.body ?? null,
    answer: rest.answer ?? null,
  };
  return made as unknown as Made<R>;
}

const inSandbox = z.object({ sandbox: m.SandboxName });
const atFile = z.object({ sandbox: m.SandboxName, path: m.SandboxPath.min(1) });
const inUpload = z.object({ sandbox: m.SandboxName, upload: z.string().max(64) });
const ofRun = z.object({ run: z.string().max(64) });
const ofNode = z.object({ node: z.string().min(1).max(64).meta({ description: 'its id, or its name' }) });
const ofRequest = z.object({ request: z.string().max(64) });
const Hex64 = z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits');
const ofTask = z.object({ run: z.string().max(64), task: z.string().max(128) });
const Name = z.string().regex(/^[a-z][a-z0-9._-]{0,47}$/, 'lower-case letters, digits, dot, dash, underline');
const Password = z.string().min(limits.passwordCharsMin).max(limits.passwordCharsMax);
const whole = (max: number) => z.coerce.number().int().min(0).max(max);
const page = { cursor: z.string().max(2048).optional(), limit: whole(limits.listPageMax).min(1).optional() };
const ParameterValue = z.union([z.string().max(limits.parameterCharsMax), z.number(), z.boolean()]);
const text = { media: 'text/plain' };
const auditFilter = {
  who: z
    .string()
    .max(100)
    .optional()
    .meta({ description: 'a name of a person, or as in `by`: token:ID, desktop, node' }),
  act: z
    .string()
    .regex(/^[A-Za-z]{1,40}$/, 'letters')
    .optional()
    .meta({ description: 'one act, as runLaunched, or an area: people, cluster, files, runs' }),
  subject: z.string().max(300).optional().meta({ description: 'exactly this person, node, sandbox or run' }),
  via: z.string().max(64).optional().meta({ description: 'through this node' }),
  since: m.Time.optional(),
  until: m.Time.optional().meta({ description: 'before this time' }),
  text: z.string().max(200).optional().meta({ description: 'somewhere in what a row says' }),
};
const anyState = m.RunState.options.join('|');

export const routes = {
  // watching the node itself
  healthz: route('GET', '/healthz', 'nobody', 'Is the process alive', { answer: text }),
  readyz: route('GET', '/readyz', 'nobody', 'Can this node serve requests now', { answer: text }),
  metrics: route('GET', '/metrics', 'viewer', 'Prometheus metrics', { answer: text }),
  openapi: route('GET', '/api/v1/openapi.json', 'nobody', 'This document', { answer: { media: 'application/json' } }),
  jobFileSchema: route('GET', '/api/v1/job-file.schema.json', 'nobody', 'JSON Schema of job files, for editors', {
    answer: { media: 'application/schema+json' },
  }),

  // who
  signIn: route('POST', '/api/v1/session', 'nobody', 'Sign in with name and password', {
    body: z.object({ name: z.string().max(64), password: z.string().max(limits.passwordCharsMax) }),
    answer: m.Session,
    change: false,
  }),
  signInByLink: route('POST', '/api/v1/session/link', 'nobody', 'Sign in with the code of a one-time link', {
    body: z.object({ code: z.string().max(128) }),
    answer: m.Session,
    change: false,
  }),
  session: route('GET', '/api/v1/session', 'viewer', 'Who am I and what may I do', { answer: m.Session }),
  signOut: route('DELETE', '/api/v1/session', 'viewer', 'Sign out', { change: false }),
  sessions: route('GET', '/api/v1/sessions', 'viewer', 'Where one is signed in; administrators see others too', {
    query: z.object({ user: z.string().max(64).optional(), all: z.enum(['1']).optional() }),
    answer: z.object({ sessions: z.array(m.SignedIn) }),
  }),
  sessionEnd: route('DELETE', '/api/v1/sessions/{session}', 'viewer', 'End a session; it is useless at once', {
    params: z.object({ session: z.string().max(64) }),
  }),
  sessionsEnd: route(
    'DELETE',
    '/api/v1/sessions',
    'viewer',
    'Sign out everywhere: own sessions, for administrators those of a person or all; others=1 spares this one',
    {
      query: z.object({
        user: z.string().max(64).optional(),
        all: z.enum(['1']).optional(),
        others: z.enum(['1']).optional(),
      }),
    },
  ),
  signInLink: route('POST', '/api/v1/sign-in-links', 'admin', 'Make a one-time sign-in link', {
    body: z.object({ role: m.Role.optional() }),
    answer: z.object({ code: z.string(), expiresAt: m.Time }),
    status: 201,
    change: false,
  }),
  users: route('GET', '/api/v1/users', 'admin', 'People who may sign in', {
    answer: z.object({ users: z.array(m.User) }),
  }),
  userCreate: route('POST', '/api/v1/users', 'admin', 'Add a person', {
    body: z.object({ name: Name, role: m.Role, password: Password }),
    answer: m.User,
    status: 201,
  }),
  userChange: route('PUT', '/api/v1/users/{user}', 'admin', 'Change role or password of a person', {
    params: z.object({ user: z.string().max(64) }),
    body: z.object({ role: m.Role.optional(), password: Password.optional() }),
    answer: m.User,
  }),
  userRemove: route('DELETE', '/api/v1/users/{user}', 'admin', 'Remove a person', {
    params: z.object({ user: z.string().max(64) }),
  }),
  tokens: route('GET', '/api/v1/tokens', 'admin', 'Tokens of programs', {
    answer: z.object({ tokens: z.array(m.Token) }),
  }),
  tokenCreate: route('POST', '/api/v1/tokens', 'admin', 'Make a token; it is shown only once', {
    body: z.object({
      role: m.Role,
      label: z.string().max(80).optional(),
      expiresInDays: z.number().int().min(1).max(3650).optional(),
      scope: m.TokenScope.optional(),
    }),
    answer: m.Token.extend({ secret: z.string() }),
    status: 201,
    change: false,
  }),
  tokenRemove: route('DELETE', '/api/v1/tokens/{token}', 'admin', 'Remove a token; it is useless at once', {
    params: z.object({ token: z.string().max(64) }),
  }),

  // secrets
  secrets: route('GET', '/api/v1/secrets', 'operator', 'Secrets by name; their values are given to tasks only', {
    answer: z.object({ secrets: z.array(m.Secret) }),
  }),
  secretSave: route('PUT', '/api/v1/secrets/{name}', 'admin', 'Save a secret, or give it a new value', {
    params: z.object({ name: m.SecretName }),
    body: z.object({
      value: z.string().max(limits.secretBytesMax),
      description: z.string().max(limits.secretDescriptionCharsMax).optional(),
    }),
    answer: m.Secret,
  }),
  secretRemove: route('DELETE', '/api/v1/secrets/{name}', 'admin', 'Remove a secret; says which runs still name it', {
    params: z.object({ name: m.SecretName }),
    answer: z.object({ removed: z.string(), runs: z.array(z.string()) }),
  }),

  // cluster
  cluster: route('GET', '/api/v1/cluster', 'viewer', 'Term, roles, what can be survived, what is waited for', {
    answer: m.Cluster,
  }),
  nodes: route('GET', '/api/v1/nodes', 'viewer', 'The nodes of the cluster', {
    answer: z.object({ nodes: z.array(m.Node) }),
  }),
  nodeChange: route('PUT', '/api/v1/nodes/{node}', 'admin', 'Change what a node is there for, or drain it', {
    params: ofNode,
    body: z.object({
      duties: z.array(m.Duty).max(3).optional(),
      drained: z.boolean().optional(),
      watch: z.literal(true).optional().meta({ description: 'appoint it as the watch that is wanted first' }),
    }),
    answer: m.Node,
  }),
  nodeRemove: route('DELETE', '/api/v1/nodes/{node}', 'admin', 'Remove a node; its certificate is useless at once', {
    params: ofNode,
  }),
  invite: route('POST', '/api/v1/invites', 'admin', 'Make a one-time code with which a node joins', {
    body: z.object({
      duties: z.array(m.Duty).min(1).max(3),
      expiresInMinutes: z.number().int().min(1).max(10_080).optional(),
    }),
    answer: z.object({ code: z.string(), duties: z.array(m.Duty), expiresAt: m.Time }),
    status: 201,
    change: false,
  }),
  join: route('POST', '/api/v1/join', 'nobody', 'A node joins with a one-time code', {
    body: z.object({
      secret: z.string().max(64),
      node: z.string().regex(/^n-[0-9a-f]{10}$/),
      store: z.string().regex(/^[0-9a-f]{32}$/),
      name: z.string().min(1).max(64),
      request: z.string().max(8192).meta({ description: 'PKCS#10 request, PEM' }),
      addresses: z.array(z.string().max(300)).max(16),
      hosts: z.array(z.string().max(255)).max(32),
      slots: whole(limits.slotsMax),
      speaks: whole(1000),
      program: z.string().max(40),
    }),
    answer: m.Joined,
    status: 201,
    change: false,
  }),
  authority: route('GET', '/api/v1/cluster/authority', 'viewer', 'The authority that signs certificates of nodes', {
    answer: m.AuthorityStand,
  }),
  authorityRotate: route(
    'POST',
    '/api/v1/cluster/authority/rotate',
    'admin',
    'Put a new authority in the place of the one that signs, while all goes on',
    { answer: m.AuthorityStand },
  ),
  discovered: route('GET', '/api/v1/discovered', 'viewer', 'Nodes that this one hears of in the network: hints only', {
    answer: z.object({ discovered: z.array(m.Discovered) }),
  }),
  joinRequests: route('GET', '/api/v1/join-requests', 'admin', 'Nodes that ask to join and wait for a person', {
    answer: z.object({ requests: z.array(m.JoinRequest) }),
  }),
  joinAsk: route('POST', '/api/v1/join-requests', 'nobody', 'A node asks to join; it commits to a number', {
    body: z.object({
      name: z.string().min(1).max(64),
      program: z.string().max(40),
      commitment: Hex64.meta({ description: 'sha-256 of the number that it will show' }),
    }),
    answer: z.object({
      request: z.string(),
      ticket: z.string().meta({ description: 'Known to this node alone' }),
      number: z.string().meta({ description: "The member's, told after the commitment" }),
      clusterName: z.string(),
      expiresAt: m.Time,
    }),
    status: 201,
    change: false,
  }),
  joinShow: route('POST', '/api/v1/join-requests/{request}/number', 'nobody', 'It shows its number: six words follow', {
    params: ofRequest,
    body: z.object({ ticket: z.string().max(64), number: Hex64 }),
    change: false,
  }),
  joinAnswer: route('POST', '/api/v1/join-requests/{request}/answer', 'nobody', 'What a person has said to it', {
    params: ofRequest,
    body: z.object({ ticket: z.string().max(64) }),
    answer: z.object({
      state: m.JoinRequest.shape.state,
      secret: z.string().optional().meta({ description: 'Of the one-time code to join with' }),
    }),
    change: false,
  }),
  joinWithdraw: route('POST', '/api/v1/join-requests/{request}/withdraw', 'nobody', 'It does not ask any more', {
    params: ofRequest,
    body: z.object({ ticket: z.string().max(64) }),
    change: false,
  }),
  joinApprove: route(
    'POST',
    '/api/v1/join-requests/{request}/approve',
    'admin',
    'Let it in: the words were compared on both screens',
    {
      params: ofRequest,
      body: z.object({ duties: z.array(m.Duty).min(1).max(3) }),
      answer: m.JoinRequest,
      change: false,
    },
  ),
  joinRefuse: route('POST', '/api/v1/join-requests/{request}/refuse', 'admin', 'Do not let it in', {
    params: ofRequest,
    change: false,
  }),
  switchOver: route(
    'POST',
    '/api/v1/cluster/switch-over',
    'operator',
    'Hand the lead to the standby; nothing is lost; refused with the reason when it is not in step',
    { answer: z.object({ sentence: z.string(), active: z.string() }), change: false },
  ),
  park: route('POST', '/api/v1/cluster/park', 'admin', 'Stop for maintenance: nobody acts, no fail-over', {
    body: z.object({ why: z.string().min(1).max(500) }),
    answer: z.object({ sentence: z.string() }),
    change: false,
  }),
  activate: route('POST', '/api/v1/cluster/activate', 'admin', 'End a parking at this controller', {
    answer: z.object({ sentence: z.string() }),
    change: false,
  }),
  recovery: route('GET', '/api/v1/cluster/recovery', 'admin', 'Evidence for confirming a loss at this controller', {
    answer: m.Evidence,
  }),
  recover: route(
    'POST',
    '/api/v1/cluster/recovery',
    'admin',
    'Confirm a loss at this controller, bound to the evidence',
    {
      body: z.object({
        evidence: z.string().max(2000),
        lost: z.array(z.string().max(128)).max(8),
        statement: z.string().min(1).max(1000),
        proof: z.string().max(8_000).optional().meta({ description: 'the parking code of a lost controller' }),
        chosen: z
          .boolean()
          .optional()
          .meta({ description: 'two eras stand against each other and this one is chosen' }),
      }),
      answer: z.object({ sentence: z.string() }),
      change: false,
    },
  ),
  parkingCode: route(
    'POST',
    '/api/v1/cluster/parking-code',
    'admin',
    'This controller stops for good below a term, and proves it by a code to be carried to another',
    {
      body: z.object({
        term: z
          .string()
          .regex(/^\d{1,9}\.\d{1,15}\.[a-z0-9-]{1,64}$/)
          .meta({ description: 'as the evidence of the other controller says' }),
      }),
      answer: z.object({ code: z.string(), sentence: z.string() }),
      change: false,
    },
  ),
  quarantine: route(
    'GET',
    '/api/v1/cluster/quarantine',
    'admin',
    'Entries that were cut from this journal, oldest first',
    {
      query: z.object({ after: whole(Number.MAX_SAFE_INTEGER).optional(), limit: whole(1000).min(1).optional() }),
      answer: z.object({ entries: z.array(m.QuarantinedEntry), more: z.boolean() }),
    },
  ),
  audit: route('GET', '/api/v1/audit', 'admin', 'Who did what, from where, when: newest first', {
    query: z.object({
      ...auditFilter,
      cursor: z.string().max(20).optional(),
      limit: whole(limits.auditPageMax).min(1).optional(),
    }),
    answer: z.object({
      rows: z.array(m.AuditRow),
      cursor: z.string().optional(),
      gaps: z
        .array(z.object({ from: z.number().int(), to: z.number().int() }))
        .meta({ description: 'Entries of the journal of which the answering node has no rows (yet)' }),
    }),
  }),
  auditExport: route('GET', '/api/v1/audit/export', 'admin', 'The same, all of it, as CSV or as lines of JSON', {
    query: z.object({ ...auditFilter, format: z.enum(['csv', 'jsonl']).optional() }),
    answer: { media: 'text/csv' },
  }),
  events: route('GET', '/api/v1/events', 'viewer', 'Live events (SSE); resume with Last-Event-ID', {
    query: z.object({ after: whole(Number.MAX_SAFE_INTEGER).optional() }),
    answer: { media: 'text/event-stream' },
  }),

  // sandboxes
  sandboxes: route('GET', '/api/v1/sandboxes', 'viewer', 'All sandboxes', {
    answer: z.object({ sandboxes: z.array(m.Sandbox) }),
  }),
  sandboxCreate: route('POST', '/api/v1/sandboxes', 'operator', 'Make a sandbox', {
    body: z.object({
      name: m.SandboxName,
      kind: m.SandboxKind,
      description: z.string().max(500).optional(),
      node: z.string().max(64).optional(),
      directory: z
        .string()
        .max(limits.pathBytesMax)
        .optional()
        .meta({ description: 'local only, administrators only: an existing directory of the node, by absolute path' }),
    }),
    answer: m.Sandbox,
    status: 201,
  }),
  sandbox: route('GET', '/api/v1/sandboxes/{sandbox}', 'viewer', 'One sandbox', {
    needs: 'read',
    params: inSandbox,
    answer: m.Sandbox,
  }),
  sandboxRemove: route(
    'DELETE',
    '/api/v1/sandboxes/{sandbox}',
    'admin',
    'Remove a sandbox; a directory of a local one is left alone',
    {
      needs: 'administer',
      params: inSandbox,
    },
  ),
  sandboxRights: route(
    'PUT',
    '/api/v1/sandboxes/{sandbox}/rights',
    'admin',
    'Say who may what in a sandbox; null: the role decides',
    {
      needs: 'administer',
      params: inSandbox,
      body: z.object({ rights: z.array(m.RightsEntry).max(limits.rightsEntriesMax).nullable() }),
      answer: m.Sandbox,
    },
  ),
  entries: route(
    'GET',
    '/api/v1/sandboxes/{sandbox}/entries',
    'viewer',
    'What is in a folder: folders first, then by name',
    {
      needs: 'read',
      params: inSandbox,
      query: z.object({ path: m.SandboxPath.default(''), ...page }),
      answer: z.object({
        path: z.string(),
        revision: z.number().int(),
        entries: z.array(m.Entry),
        total: z.number().int(),
        cursor: z.string().optional(),
      }),
    },
  ),
  search: route('GET', '/api/v1/sandboxes/{sandbox}/search', 'viewer', 'Files whose path contains a text', {
    needs: 'read',
    params: inSandbox,
    query: z.object({ text: z.string().min(1).max(200), limit: whole(500).min(1).optional() }),
    answer: z.object({ entries: z.array(m.Entry), more: z.boolean() }),
  }),
  fileRead: route(
    'GET',
    '/api/v1/sandboxes/{sandbox}/files/{path*}',
    'viewer',
    'A file; Range and If-None-Match are honoured',
    {
      needs: 'read',
      params: atFile,
      query: z.object({ version: whole(1e9).min(1).optional(), download: z.enum(['1']).optional() }),
      answer: { media: 'application/octet-stream' },
    },
  ),
  fileWrite: route(
    'PUT',
    '/api/v1/sandboxes/{sandbox}/files/{path*}',
    'operator',
    'Write a file; If-Match or If-None-Match: * guard it',
    {
      needs: 'write',
      params: atFile,
      query: z.object({ executable: z.enum(['0', '1']).optional() }),
      body: 'bytes',
      answer: m.Entry,
    },
  ),
  fileRemove: route(
    'DELETE',
    '/api/v1/sandboxes/{sandbox}/files/{path*}',
    'operator',
    'Move a file or folder to the trash',
    { needs: 'write', params: atFile },
  ),
  folderCreate: route('POST', '/api/v1/sandboxes/{sandbox}/folders', 'operator', 'Make a folder', {
    needs: 'write',
    params: inSandbox,
    body: z.object({ path: m.SandboxPath.min(1) }),
    answer: m.Entry,
    status: 201,
  }),
  move: route('POST', '/api/v1/sandboxes/{sandbox}/moves', 'operator', 'Rename or move a file or folder', {
    needs: 'write',
    params: inSandbox,
    body: z.object({ path: m.SandboxPath.min(1), to: m.SandboxPath.min(1) }),
    answer: m.Entry,
  }),
  copy: route('POST', '/api/v1/sandboxes/{sandbox}/copies', 'operator', 'Copy a file or folder', {
    needs: 'write',
    params: inSandbox,
    body: z.object({ path: m.SandboxPath.min(1), to: m.SandboxPath.min(1) }),
    answer: m.Entry,
    status: 201,
  }),
  versions: route(
    'GET',
    '/api/v1/sandboxes/{sandbox}/versions/{path*}',
    'viewer',
    'The versions of a file, newest first',
    {
      needs: 'read',
      params: atFile,
      answer: z.object({ versions: z.array(m.FileVersion) }),
    },
  ),
  restore: route(
    'POST',
    '/api/v1/sandboxes/{sandbox}/restores',
    'operator',
    'Make an older version the newest; also undoes a delete',
    {
      needs: 'write',
      params: inSandbox,
      body: z.object({ path: m.SandboxPath.min(1), version: z.number().int().min(1) }),
      answer: m.Entry,
    },
  ),
  trash: route('GET', '/api/v1/sandboxes/{sandbox}/trash', 'viewer', 'Deleted files that can be restored', {
    needs: 'read',
    params: inSandbox,
    answer: z.object({ items: z.array(m.TrashItem) }),
  }),
  zip: route('GET', '/api/v1/sandboxes/{sandbox}/zip', 'viewer', 'A folder as one zip', {
    needs: 'read',
    params: inSandbox,
    query: z.object({ path: m.SandboxPath.default('') }),
    answer: { media: 'application/zip' },
  }),
  uploadCreate: route('POST', '/api/v1/sandboxes/{sandbox}/uploads', 'operator', 'Begin a resumable upload', {
    needs: 'write',
    params: inSandbox,
    body: z.object({
      path: m.SandboxPath.min(1),
      bytes: z.number().int().min(0).max(limits.fileBytesMax),
      hash: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional()
        .meta({ description: 'sha-256, checked at the end' }),
      executable: z.boolean().optional(),
      ifMatch: z.string().max(100).optional(),
      ifAbsent: z.boolean().optional(),
    }),
    answer: m.Upload,
    status: 201,
    change: false,
  }),
  upload: route('GET', '/api/v1/sandboxes/{sandbox}/uploads/{upload}', 'operator', 'Where an upload stands', {
    needs: 'write',
    params: inUpload,
    answer: m.Upload,
  }),
  uploadChunk: route('PUT', '/api/v1/sandboxes/{sandbox}/uploads/{upload}', 'operator', 'The next bytes of an upload', {
    needs: 'write',
    params: inUpload,
    query: z.object({ offset: whole(limits.fileBytesMax) }),
    body: 'bytes',
    answer: m.Upload,
    change: false,
  }),
  uploadComplete: route(
    'POST',
    '/api/v1/sandboxes/{sandbox}/uploads/{upload}/complete',
    'operator',
    'Make the uploaded file visible, at once and whole',
    {
      needs: 'write',
      params: inUpload,
      answer: m.Entry,
    },
  ),
  uploadCancel: route('DELETE', '/api/v1/sandboxes/{sandbox}/uploads/{upload}', 'operator', 'Give up an upload', {
    needs: 'write',
    params: inUpload,
    change: false,
  }),

  // jobs and runs
  check: route(
    'POST',
    '/api/v1/sandboxes/{sandbox}/checks',
    'viewer',
    'Check the text of a job file without keeping it',
    {
      needs: 'read',
      params: inSandbox,
      body: z.object({ path: m.SandboxPath.min(1), text: z.string().max(limits.jobFileBytesMax) }),
      answer: m.JobCheck,
      change: false,
    },
  ),
  launchForm: route(
    'GET',
    '/api/v1/sandboxes/{sandbox}/launch-form',
    'viewer',
    'Parameters, tasks and where it would run',
    {
      needs: 'read',
      params: inSandbox,
      query: z.object({ path: m.SandboxPath.min(1) }),
      answer: m.LaunchForm,
    },
  ),
  launch: route('POST', '/api/v1/runs', 'operator', 'Launch a job file', {
    needs: 'execute',
    body: z.object({
      sandbox: m.SandboxName,
      path: m.SandboxPath.min(1),
      parameters: z.record(z.string().max(64), ParameterValue).optional(),
    }),
    answer: m.Run,
    status: 201,
  }),
  runs: route('GET', '/api/v1/runs', 'viewer', 'Runs, newest first', {
    query: z.object({
      state: z
        .string()
        .max(200)
        .regex(
          new RegExp(`^(${anyState})(,(${anyState}))*$`),
          `one or more of ${m.RunState.options.join(', ')}; comma between`,
        )
        .optional()
        .meta({ description: 'one or more states, comma between' }),
      sandbox: z.string().max(64).optional(),
      path: z.string().max(limits.pathBytesMax).optional(),
      text: z.string().max(200).optional(),
      cursor: z.string().max(100).optional(),
      limit: whole(limits.runsPageMax).min(1).optional(),
    }),
    answer: z.object({ runs: z.array(m.RunSummary), cursor: z.string().optional() }),
  }),
  run: route('GET', '/api/v1/runs/{run}', 'viewer', 'One run with tasks and attempts', {
    needs: 'read',
    params: ofRun,
    answer: m.Run,
  }),
  cancel: route('POST', '/api/v1/runs/{run}/cancel', 'operator', 'Cancel a run: terminate, then kill', {
    needs: 'execute',
    params: ofRun,
    answer: m.Run,
  }),
  decideTask: route(
    'POST',
    '/api/v1/runs/{run}/tasks/{task}/decision',
    'operator',
    'Decide what an attempt of a lost worker came to',
    {
      needs: 'execute',
      params: ofTask,
      body: z.object({ decision: z.enum(['again', 'succeeded', 'failed']) }),
      answer: m.Run,
    },
  ),
  log: route(
    'GET',
    '/api/v1/runs/{run}/tasks/{task}/log',
    'viewer',
    'Output of an attempt from a byte offset; follow=1 streams until it ends',
    {
      needs: 'read',
      params: ofTask,
      query: z.object({
        attempt: whole(limits.attemptsMax).min(1).optional(),
        offset: z.coerce.number().int().optional().meta({ description: 'negative: so many bytes before the end' }),
        limit: whole(limits.logReadBytesMax).optional(),
        follow: z.enum(['0', '1', 'true', 'false']).optional(),
      }),
      answer: text,
    },
  ),
  logTimes: route(
    'GET',
    '/api/v1/runs/{run}/tasks/{task}/log/times',
    'viewer',
    'When which byte of the output was written',
    {
      needs: 'read',
      params: ofTask,
      query: z.object({
        attempt: whole(limits.attemptsMax).min(1).optional(),
        offset: whole(Number.MAX_SAFE_INTEGER).optional(),
      }),
      answer: z.object({ times: z.array(z.object({ offset: z.number().int(), at: z.number() })) }),
    },
  ),
};

export type Routes = typeof routes;
export type RouteName = keyof Routes;

type In<T> = T extends z.ZodType ? z.infer<T> : T extends 'bytes' ? AsyncIterable<Uint8Array> : undefined;
/** What a handler is given and what it gives back, per route; used by server and clients. */
export type Params<N extends RouteName> = z.infer<Routes[N]['params']>;
export type Query<N extends RouteName> = z.infer<Routes[N]['query']>;
export type BodyOf<N extends RouteName> = In<Routes[N]['body']>;
export type AnswerOf<N extends RouteName> = Routes[N]['answer'] extends z.ZodType
  ? z.infer<Routes[N]['answer']>
  : unknown;
