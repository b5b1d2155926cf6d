/** What a node answers for a change that it passed on, when the first try may have been done. */
import { expect, it } from 'vitest';
import { makeDelegate } from '../../../node-runtime/requests/delegate.ts';
import type { Parts } from '../../../node-runtime/requests/parts.ts';

type Answer = { status: number; headers: Record<string, string>; body: AsyncIterable<Buffer> | Buffer };

const problem = (status: number, code: string): Answer => ({
  ...{ status, headers: { 'content-type': 'application/problem+json' } },
  body: status === 503 ? chunks(code) : Buffer.from(code),
});
async function* chunks(code: string): AsyncIterable<Buffer> {
  yield Buffer.from(JSON.stringify({ code, detail: `it said ${code}` }));
}

/** The active as others meet it, one answer after the other. */
function passing(...answers: Answer[]) {
  const member = { keepsJournal: true, phase: { phase: 'quiet' }, register: { accepted: { active: 'n-b' } } };
  const state = { lead: { node: 'n-b' }, self: { node: 'n-a', name: 'a' }, diskFull: false, member };
  const parts = {
    ...{ name: 'a', loop: { state, passedOn: () => undefined } },
    peers: () => ({ request: async () => answers.shift() }),
    directory: () => ({ nodes: [] }),
  };
  const asked = {
    ...{ name: 'launch', method: 'POST', target: '/api/v1/runs', hops: 0, change: true, caller: null, via: null },
    ...{
      headers: { 'idempotency-key': 'k' },
      signal: new AbortController().signal,
      body: async () => Buffer.from('{}'),
    },
  };
  return makeDelegate(parts as unknown as Parts)(asked as never);
}

it('is that it is not known, when a later try is refused by a node that decides nothing', async () => {
  const reply = await passing(problem(503, 'unknown_outcome'), problem(507, 'disk_full'));
  expect(reply).toMatchObject({ code: 'unknown_outcome' });
});

it('is what the active says under the same key, which knows whether it was done', async () => {
  const done = { status: 201, headers: {}, body: Buffer.from('{}') };
  expect(await passing(problem(503, 'unknown_outcome'), done)).toMatchObject({ answer: { status: 201 } });
  const refused = problem(409, 'sandbox_unknown');
  expect(await passing(problem(503, 'unknown_outcome'), refused)).toMatchObject({ answer: { status: 409 } });
});

it('is the refusal itself, when no try can have been done', async () => {
  const reply = await passing(problem(503, 'not_active'), problem(507, 'disk_full'));
  expect(reply).toMatchObject({ answer: { status: 507 } });
});
