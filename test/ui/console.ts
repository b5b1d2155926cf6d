/**
 * Opens the console in Chromium on fixed answers, and keeps what went wrong in
 * the page: a policy violation or an error in its script fails a test.
 */
import { type Browser, type BrowserContext, chromium, type Page, type Request, type Route } from 'playwright-core';
import type { Cluster, Node } from '../../node-runtime/contract/model.ts';
import type { ConsolePages } from '../support/console-pages.ts';
import { allActs } from './audit-fixtures.ts';
import * as f from './fixtures.ts';

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'], headless: true });

export type Asked = {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: Buffer | null;
};
export type Answer = { status?: number; json?: unknown; body?: string | Buffer; headers?: Record<string, string> };
/** A test's own answers; the first that is not null counts before the fixtures. */
export type Override = (asked: Asked) => Answer | null | Promise<Answer | null>;

export const problem = (status: number, code: string, detail: string, next: string, more: object = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/problem+json' },
  body: JSON.stringify({ type: `errors#${code}`, title: detail, status, code, detail, next, ...more }),
});

function fileAnswer(path: string): Answer {
  if (path.endsWith('.png')) return { body: f.png };
  const text = f.texts[path] ?? `text of ${path}\n`;
  const etag = `"${path}-1"`;
  return { body: text, headers: { etag, 'content-type': 'application/octet-stream' } };
}

function fixtureAnswer(asked: Asked): Answer | null {
  const { method, path, query } = asked;
  const [, sandbox = '', what = '', rest = ''] = /^\/api\/v1\/sandboxes\/([^/]+)\/?([^/]*)\/?(.*)$/.exec(path) ?? [];
  const body =
    asked.body && asked.headers['content-type'] === 'application/json'
      ? (JSON.parse(asked.body.toString()) as Record<string, never>)
      : {};
  if (path === '/api/v1/session') return method === 'DELETE' ? { status: 204 } : { json: f.session };
  if (path === '/api/v1/cluster') return { json: { ...f.cluster, readAt: new Date().toISOString() } };
  if (path === '/api/v1/nodes') return { json: { nodes: [f.node] } };
  if (path === '/api/v1/discovered') return { json: { discovered: [] } };
  if (path === '/api/v1/join-requests') return { json: { requests: [] } };
  if (path === '/api/v1/cluster/quarantine') return { json: { entries: [], more: false } };
  if (path === '/api/v1/cluster/recovery')
    return {
      json: {
        ...f.evidence,
        candidate: { id: 'n-atlas', name: 'atlas', journalEnd: 81_204, term: '1.14.n-atlas' },
        possible: false,
        why: 'atlas is active and answers.',
        nodes: [],
        suggested: [],
      },
    };
  if (path.startsWith('/api/v1/cluster/authority'))
    return { json: method === 'POST' ? f.authorityChanging : f.authority };
  if (path === '/api/v1/audit') return { json: { rows: allActs.slice(0, 200), gaps: [], cursor: '1' } };
  if (path === '/api/v1/users') return { json: { users: f.users } };
  if (path === '/api/v1/sessions')
    return method === 'DELETE'
      ? { status: 204 }
      : { json: { sessions: query.get('all') ? f.everybodySignedIn : query.get('user') ? [] : f.signedIn } };
  if (path.startsWith('/api/v1/sessions/')) return { status: 204 };
  if (what === 'rights') return { json: { ...f.listed, ...body } };
  if (path === '/api/v1/tokens') return { json: { tokens: f.tokens } };
  if (path === '/api/v1/secrets') return { json: { secrets: f.secrets } };
  if (path.startsWith('/api/v1/secrets/') && method === 'PUT')
    return { json: { ...f.secrets[1]!, name: path.slice('/api/v1/secrets/'.length) } };
  if (path.startsWith('/api/v1/secrets/'))
    return { json: { removed: path.slice('/api/v1/secrets/'.length), runs: [] } };
  if (path === '/api/v1/sandboxes')
    return method === 'POST'
      ? { status: 201, json: { ...f.sandboxes[0], ...body } }
      : { json: { sandboxes: f.sandboxes } };
  if (path === '/api/v1/runs' && method === 'POST') return { status: 201, json: f.run };
  if (path === '/api/v1/runs') {
    const states = query.get('state')?.split(',');
    const found = f.manyRuns.filter(
      (run) =>
        (!states || states.includes(run.state)) &&
        (!query.get('sandbox') || run.sandbox === query.get('sandbox')) &&
        (!query.get('text') || JSON.stringify(run).includes(query.get('text')!)),
    );
    return { json: { runs: found.slice(0, Number(query.get('limit') ?? 100)) } };
  }
  if (/\/log\/times$/.test(path))
    return {
      json: {
        times: query.get('offset')
          ? []
          : [
              { offset: 0, at: Date.now() - 8_000 },
              { offset: 60, at: Date.now() - 6_000 },
              { offset: 240, at: Date.now() - 1_000 },
            ],
      },
    };
  if (/\/log$/.test(path)) return { body: f.logText, headers: { 'content-type': 'text/plain' } };
  if (/^\/api\/v1\/runs\/[^/]+(\/cancel)?$/.test(path))
    return {
      json: path.includes('r-8f2d')
        ? f.lostRun
        : path.includes('r-8f22')
          ? f.failedRun
          : path.endsWith('cancel')
            ? { ...f.run, state: 'cancelled' }
            : f.run,
    };
  if (what === 'entries') {
    const entries = f.folders[`${sandbox}:${query.get('path') ?? ''}`] ?? [];
    return { json: { path: query.get('path') ?? '', revision: 7, entries, total: entries.length } };
  }
  if (what === 'search') {
    const text = query.get('text') ?? '';
    const entries = Object.entries(f.folders)
      .filter(([key]) => key.startsWith(`${sandbox}:`))
      .flatMap(([, list]) => list)
      .filter((entry) => entry.path.includes(text));
    return { json: { entries, more: false } };
  }
  if (what === 'files' && method === 'GET') return fileAnswer(decodeURIComponent(rest));
  if (what === 'files' && method === 'PUT') {
    const name = decodeURIComponent(rest);
    return {
      json: {
        path: name,
        name: name.slice(name.lastIndexOf('/') + 1),
        kind: 'file',
        bytes: asked.body?.length ?? 0,
        changedAt: new Date().toISOString(),
        changedBy: 'ops',
        version: 8,
        etag: '"new"',
      },
    };
  }
  if (what === 'files' && method === 'DELETE') return { status: 204 };
  if (what === 'versions') return { json: { versions: f.versions } };
  if (what === 'trash') return { json: { items: f.trash } };
  if (what === 'launch-form') return { json: f.launchForm };
  if (what === 'checks') return { json: String(body['text']).includes('spilt') ? f.wrong : f.goodCheck };
  if (['moves', 'copies', 'restores', 'folders'].includes(what)) return { json: f.folders['ingest:jobs']![2] };
  return null;
}

/** The lab of seven nodes in place of the cluster of one, or what became of it. */
export const ofLab =
  (of: { cluster: Cluster; nodes: Node[] }, more?: Override): Override =>
  async (asked) => {
    const given = await more?.(asked);
    if (given) return given;
    if (asked.method !== 'GET') return null;
    if (asked.path === '/api/v1/cluster') {
      // What is not confirmed is as old as it says.
      return { json: of.cluster.fresh ? { ...of.cluster, readAt: new Date().toISOString() } : of.cluster };
    }
    if (asked.path === '/api/v1/nodes') return { json: { nodes: of.nodes } };
    if (of.cluster.recovery && asked.path === '/api/v1/cluster/recovery') return { json: f.evidence };
    if (of.cluster.journal.quarantined > 0 && asked.path === '/api/v1/cluster/quarantine')
      return { json: { entries: f.quarantined, more: false } };
    return null;
  };

export type Console = {
  page: Page;
  context: BrowserContext;
  asked: Asked[];
  troubles: string[];
  close(): Promise<void>;
};

export async function openConsole(
  browser: Browser,
  pages: ConsolePages,
  of: { hash?: string; theme?: 'dark' | 'light'; width?: number; height?: number; answer?: Override } = {},
): Promise<Console> {
  const context = await browser.newContext({
    viewport: { width: of.width ?? 1440, height: of.height ?? 900 },
    colorScheme: of.theme ?? 'dark',
    reducedMotion: 'reduce',
    locale: 'en-GB',
  });
  const page = await context.newPage();
  // Shorter than a test may take, so that a failure names its step.
  page.setDefaultTimeout(7_000);
  const troubles: string[] = [];
  const asked: Asked[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => {
    // A refused or failed request is the test's own doing; everything else is ours.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      troubles.push(message.text());
  });
  const answer = async (route: Route, request: Request): Promise<void> => {
    const url = new URL(request.url());
    if (url.pathname === '/api/v1/events') return route.continue();
    const one: Asked = {
      method: request.method(),
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers(),
      body: request.postDataBuffer(),
    };
    asked.push(one);
    const given =
      (await of.answer?.(one)) ??
      fixtureAnswer(one) ??
      problem(404, 'not_found', `${one.method} ${one.path} has no answer in the fixtures`, '');
    const { status = 200, json, body, headers = {} } = given;
    await route
      .fulfill({ status, headers, ...(json === undefined ? { body: body ?? '' } : { json }) })
      .catch(() => undefined);
  };
  await page.route('**/api/**', answer);
  await page.goto(`${pages.origin}/${of.hash ?? ''}`);
  return { page, context, asked, troubles, close: () => context.close() };
}
