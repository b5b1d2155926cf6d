/** The page's small table against the route table it repeats. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { routes } from '../../../node-runtime/contract/routes.ts';
import { setupRoutes } from '../../../node-runtime/contract/setup.ts';
import { addresses, call, Failure, type Name, open, urlOf } from '../../../renderer/api.ts';

const jsonOf = (body: unknown, status = 200): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('the table of addresses', () => {
  it.each(Object.keys(addresses) as Name[])('says the same as the contract about %s', (name) => {
    const { method, path, change } = { ...routes, ...setupRoutes }[name];
    expect(addresses[name]).toEqual([method, path, change]);
  });
});

describe('an address', () => {
  it('keeps slashes of a path and escapes everything else', () => {
    expect(urlOf('fileRead', { params: { sandbox: 'in', path: 'a b/c#d?.txt' } })).toBe(
      '/api/v1/sandboxes/in/files/a%20b/c%23d%3F.txt',
    );
  });
  it('leaves out what is not asked for', () => {
    expect(urlOf('runs', { query: { state: 'running', text: '', cursor: undefined, limit: 5 } })).toBe(
      '/api/v1/runs?state=running&limit=5',
    );
  });
});

describe('a call', () => {
  it('repeats a change that got no answer with the same key, and gives the answer', async () => {
    vi.useFakeTimers();
    const keys: (string | null)[] = [];
    vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
      keys.push(new Headers(init.headers).get('idempotency-key'));
      if (keys.length < 3) throw new TypeError('network');
      return jsonOf({ id: 'r-1' }, 201);
    });
    const answer = call('launch', { body: { sandbox: 's', path: 'a.sh' } });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await answer).toEqual({ id: 'r-1' });
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });
  it('repeats a question only when it is asked with patience, and without a key', async () => {
    vi.useFakeTimers();
    let asked = 0;
    vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
      expect(new Headers(init.headers).has('idempotency-key')).toBe(false);
      asked++;
      if (asked % 2 === 1) throw new TypeError('network');
      return jsonOf({ ok: true });
    });
    const body = { path: 'a.job.yaml', text: '' };
    const answer = call('check', { params: { sandbox: 's' }, body, patient: true });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await answer).toEqual({ ok: true });
    await expect(call('check', { params: { sandbox: 's' }, body })).rejects.toMatchObject({ code: 'unreachable' });
    expect(asked).toBe(3);
  });
  it('does not repeat what was refused', async () => {
    let asked = 0;
    vi.stubGlobal('fetch', async () => {
      asked++;
      return jsonOf(
        { code: 'run_ended', title: 'The run has ended', detail: 'r-1 has ended', next: 'Launch it again.' },
        409,
      );
    });
    const failure = await call('cancel', { params: { run: 'r-1' } }).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({
      code: 'run_ended',
      status: 409,
      message: 'r-1 has ended',
      next: 'Launch it again.',
    });
    expect(asked).toBe(1);
  });
  it('says that the node does not answer when there is no answer', async () => {
    vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('network')));
    await expect(call('cluster')).rejects.toMatchObject({ code: 'unreachable', message: 'The node does not answer.' });
  });
  it('sends no key with a question', async () => {
    let headers = new Headers();
    vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
      headers = new Headers(init.headers);
      return jsonOf({});
    });
    await open('cluster');
    expect(headers.has('idempotency-key')).toBe(false);
  });
});
