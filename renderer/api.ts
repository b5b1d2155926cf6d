/**
 * The only place that fetches: a typed `call(name, …)` over the contract's routes.
 *
 * Types come from the route table; the small table below repeats method and
 * path so that no schema library is loaded into the page (a unit test compares
 * the two). Only state/ and flows/ may use this module.
 *
 * Promises: every change carries an Idempotency-Key, and a repeated request
 * carries the same one; every failure is a {@link Failure} with a sentence and
 * a next step.
 */
import type { Problem } from '../node-runtime/contract/errors.ts';
import type * as contract from '../node-runtime/contract/routes.ts';
import type { Setup, SetupBodyOf, SetupRouteName } from '../node-runtime/contract/setup.ts';

type RouteName = contract.RouteName;
/** The large table and the small one of the setup: a name is in one of them. */
type AnswerOf<N> = N extends SetupRouteName ? Setup : N extends RouteName ? contract.AnswerOf<N> : never;
type BodyOf<N> = N extends SetupRouteName ? SetupBodyOf<N> : N extends RouteName ? contract.BodyOf<N> : never;
type Params<N> = N extends RouteName ? contract.Params<N> : object;
type Query<N> = N extends RouteName ? contract.Query<N> : object;

type Address = readonly [method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, change: boolean];
const inSandbox = '/api/v1/sandboxes/{sandbox}';

export const addresses = {
  signIn: ['POST', '/api/v1/session', false],
  signInByLink: ['POST', '/api/v1/session/link', false],
  session: ['GET', '/api/v1/session', false],
  signOut: ['DELETE', '/api/v1/session', false],
  sessions: ['GET', '/api/v1/sessions', false],
  sessionEnd: ['DELETE', '/api/v1/sessions/{session}', true],
  sessionsEnd: ['DELETE', '/api/v1/sessions', true],
  signInLink: ['POST', '/api/v1/sign-in-links', false],
  users: ['GET', '/api/v1/users', false],
  userCreate: ['POST', '/api/v1/users', true],
  userChange: ['PUT', '/api/v1/users/{user}', true],
  userRemove: ['DELETE', '/api/v1/users/{user}', true],
  tokens: ['GET', '/api/v1/tokens', false],
  tokenCreate: ['POST', '/api/v1/tokens', false],
  tokenRemove: ['DELETE', '/api/v1/tokens/{token}', true],
  secrets: ['GET', '/api/v1/secrets', false],
  secretSave: ['PUT', '/api/v1/secrets/{name}', true],
  secretRemove: ['DELETE', '/api/v1/secrets/{name}', true],
  cluster: ['GET', '/api/v1/cluster', false],
  nodes: ['GET', '/api/v1/nodes', false],
  nodeChange: ['PUT', '/api/v1/nodes/{node}', true],
  nodeRemove: ['DELETE', '/api/v1/nodes/{node}', true],
  invite: ['POST', '/api/v1/invites', false],
  authority: ['GET', '/api/v1/cluster/authority', false],
  authorityRotate: ['POST', '/api/v1/cluster/authority/rotate', true],
  discovered: ['GET', '/api/v1/discovered', false],
  joinRequests: ['GET', '/api/v1/join-requests', false],
  joinApprove: ['POST', '/api/v1/join-requests/{request}/approve', false],
  joinRefuse: ['POST', '/api/v1/join-requests/{request}/refuse', false],
  switchOver: ['POST', '/api/v1/cluster/switch-over', false],
  park: ['POST', '/api/v1/cluster/park', false],
  activate: ['POST', '/api/v1/cluster/activate', false],
  recovery: ['GET', '/api/v1/cluster/recovery', false],
  recover: ['POST', '/api/v1/cluster/recovery', false],
  quarantine: ['GET', '/api/v1/cluster/quarantine', false],
  audit: ['GET', '/api/v1/audit', false],
  auditExport: ['GET', '/api/v1/audit/export', false],
  events: ['GET', '/api/v1/events', false],
  sandboxes: ['GET', '/api/v1/sandboxes', false],
  sandboxCreate: ['POST', '/api/v1/sandboxes', true],
  sandbox: ['GET', inSandbox, false],
  sandboxRemove: ['DELETE', inSandbox, true],
  sandboxRights: ['PUT', `${inSandbox}/rights`, true],
  entries: ['GET', `${inSandbox}/entries`, false],
  search: ['GET', `${inSandbox}/search`, false],
  fileRead: ['GET', `${inSandbox}/files/{path*}`, false],
  fileWrite: ['PUT', `${inSandbox}/files/{path*}`, true],
  fileRemove: ['DELETE', `${inSandbox}/files/{path*}`, true],
  folderCreate: ['POST', `${inSandbox}/folders`, true],
  move: ['POST', `${inSandbox}/moves`, true],
  copy: ['POST', `${inSandbox}/copies`, true],
  versions: ['GET', `${inSandbox}/versions/{path*}`, false],
  restore: ['POST', `${inSandbox}/restores`, true],
  trash: ['GET', `${inSandbox}/trash`, false],
  zip: ['GET', `${inSandbox}/zip`, false],
  uploadCreate: ['POST', `${inSandbox}/uploads`, false],
  upload: ['GET', `${inSandbox}/uploads/{upload}`, false],
  uploadChunk: ['PUT', `${inSandbox}/uploads/{upload}`, false],
  uploadComplete: ['POST', `${inSandbox}/uploads/{upload}/complete`, true],
  uploadCancel: ['DELETE', `${inSandbox}/uploads/{upload}`, false],
  check: ['POST', `${inSandbox}/checks`, false],
  launchForm: ['GET', `${inSandbox}/launch-form`, false],
  launch: ['POST', '/api/v1/runs', true],
  runs: ['GET', '/api/v1/runs', false],
  run: ['GET', '/api/v1/runs/{run}', false],
  cancel: ['POST', '/api/v1/runs/{run}/cancel', true],
  decideTask: ['POST', '/api/v1/runs/{run}/tasks/{task}/decision', true],
  log: ['GET', '/api/v1/runs/{run}/tasks/{task}/log', false],
  setup: ['GET', '/api/v1/setup', false],
  setupFound: ['POST', '/api/v1/setup/found', false],
  setupJoin: ['POST', '/api/v1/setup/join', false],
  setupAsk: ['POST', '/api/v1/setup/ask', false],
  setupCancel: ['POST', '/api/v1/setup/cancel', false],
  setupReach: ['PUT', '/api/v1/setup/reach', false],
  logTimes: ['GET', '/api/v1/runs/{run}/tasks/{task}/log/times', false],
} as const satisfies Partial<Record<RouteName | SetupRouteName, Address>>;

export type Name = keyof typeof addresses;
type Loose<T> = { [K in keyof T]?: T[K] | undefined };
type BodyFor<N extends Name> = N extends RouteName
  ? contract.Routes[N]['body'] extends 'bytes'
    ? Blob
    : BodyOf<N>
  : BodyOf<N>;
export type Asked<N extends Name> = {
  params?: Params<N>;
  query?: Loose<Query<N>>;
  body?: BodyFor<N>;
  headers?: Record<string, string>;
  /** Kept by the caller when it repeats a change by itself. */
  key?: string;
  signal?: AbortSignal;
  /** Asked again, like a change, while the failure is one that passes: for what somebody waits for. */
  patient?: boolean;
  /** Milliseconds before a request without an answer counts as failed; 0 for none. */
  withinMs?: number;
};

/** What could not be done, in words for people. `code` is of the contract, or `unreachable`. */
export class Failure extends Error {
  readonly status: number;
  readonly code: string;
  readonly next: string;
  readonly problems: Problem[];
  readonly since: string | undefined;

  constructor(of: {
    status: number;
    code: string;
    sentence: string;
    next: string;
    problems?: Problem[];
    since?: string;
  }) {
    super(of.sentence);
    this.name = 'Failure';
    this.status = of.status;
    this.code = of.code;
    this.next = of.next;
    this.problems = of.problems ?? [];
    this.since = of.since;
  }
}

/** Told of every failure: the session learns of a lost sign-in, the live state of a node that is down. */
export const failureListeners = new Set<(failure: Failure, name: Name) => void>();

const unreachable = (): Failure =>
  new Failure({
    status: 0,
    code: 'unreachable',
    sentence: 'The node does not answer.',
    next: 'Check that it runs and that this computer reaches it; the console tries again by itself.',
  });

async function failureOf(response: Response): Promise<Failure> {
  const text = await response.text().catch(() => '');
  try {
    const body = JSON.parse(text) as {
      code?: string;
      title?: string;
      detail?: string;
      next?: string;
      problems?: Problem[];
      since?: string;
    };
    return new Failure({
      status: response.status,
      code: body.code ?? 'internal',
      sentence: body.detail || body.title || 'This could not be done.',
      next: body.next ?? '',
      ...(body.problems ? { problems: body.problems } : {}),
      ...(body.since ? { since: body.since } : {}),
    });
  } catch {
    return new Failure({
      status: response.status,
      code: 'internal',
      sentence: `The node answered ${response.status} in a form the console does not know.`,
      next: 'Reload the console; it may be older or newer than the node.',
    });
  }
}

/** The address of a route, also for links that the browser follows itself (downloads). */
export function urlOf<N extends Name>(name: N, asked: Pick<Asked<N>, 'params' | 'query'> = {}): string {
  const params = (asked.params ?? {}) as Record<string, string>;
  const path = addresses[name][1].replace(/\{(\w+)(\*?)\}/g, (_, word: string, rest: string) => {
    const value = String(params[word] ?? '');
    return rest ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value);
  });
  const query = new URLSearchParams();
  for (const [word, value] of Object.entries(asked.query ?? {})) {
    if (value !== undefined && value !== '') query.set(word, String(value));
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

function requestOf<N extends Name>(name: N, asked: Asked<N>, key: string | undefined): RequestInit {
  const headers: Record<string, string> = { ...asked.headers };
  if (key) headers['idempotency-key'] = key;
  let body: BodyInit | undefined;
  if (asked.body instanceof Blob) {
    body = asked.body;
    headers['content-type'] ??= 'application/octet-stream';
  } else if (asked.body !== undefined) {
    body = JSON.stringify(asked.body);
    headers['content-type'] = 'application/json';
  }
  const signals = [asked.signal, asked.withinMs === 0 ? undefined : AbortSignal.timeout(asked.withinMs ?? 30_000)];
  const signal = AbortSignal.any(signals.filter((one) => one !== undefined));
  return {
    method: addresses[name][0],
    headers,
    signal,
    credentials: 'same-origin',
    ...(body === undefined ? {} : { body }),
  };
}

/** One request, one answer with a good status; anything else is thrown as a {@link Failure}. */
async function once<N extends Name>(name: N, asked: Asked<N>, key: string | undefined): Promise<Response> {
  let failure: Failure;
  try {
    const response = await fetch(urlOf(name, asked), requestOf(name, asked, key));
    if (response.ok || response.status === 304) return response;
    failure = await failureOf(response);
  } catch (cause) {
    if (asked.signal?.aborted) throw cause;
    failure = unreachable();
  }
  for (const listener of failureListeners) listener(failure, name);
  throw failure;
}

/** A fail-over takes a second or two; each node also waits for a new active before it refuses. */
const pausesMs = [250, 1_000, 2_500, 4_000];
const passing = new Set(['unreachable', 'unknown_outcome', 'starting', 'stopping', 'no_active', 'not_active']);
const worthRepeating = (failure: unknown): boolean => failure instanceof Failure && passing.has(failure.code);

/**
 * The response itself, for bytes and streams. A change that may have been lost is asked again, same key; so is what is
 * asked with patience.
 */
export async function open<N extends Name>(name: N, asked: Asked<N> = {}): Promise<Response> {
  const isChange = addresses[name][2];
  if (!isChange && !asked.patient) return once(name, asked, asked.key);
  const key = isChange ? (asked.key ?? crypto.randomUUID()) : asked.key;
  for (let tried = 0; ; tried++) {
    try {
      return await once(name, asked, key);
    } catch (failure) {
      const pauseMs = pausesMs[tried];
      if (pauseMs === undefined || !worthRepeating(failure) || asked.signal?.aborted) throw failure;
      await new Promise((done) => setTimeout(done, pauseMs));
    }
  }
}

/** The JSON answer of a route, typed by the contract. */
export async function call<N extends Name>(name: N, asked: Asked<N> = {}): Promise<AnswerOf<N>> {
  const response = await open(name, asked);
  if (response.status === 204) return undefined as AnswerOf<N>;
  return (await response.json()) as AnswerOf<N>;
}
