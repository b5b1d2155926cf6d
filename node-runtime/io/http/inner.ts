/**
 * Addresses that only members use: `/peer/v1/<name>/…` on the peer door.
 *
 * They are no part of the API and may change with any version. Each name has
 * one handler, given from outside; who asks is proved by the connection. On
 * all other doors there is nothing at these addresses.
 */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { refuse } from '../../contract/errors.ts';
import { splitTarget } from './addresses.ts';
import type { Refused } from './answers.ts';
import { type HeldBody, readWhole, streamOf } from './bodies.ts';
import type { Bounds } from './bounds.ts';

export type InnerAsked = {
  method: string;
  /** What follows the name, raw: `/` or `/blobs/3f…`. */
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
  /** The member that asks. */
  node: string;
  stream(): Readable;
  /** Rejects with {@link InnerRefused} when it is larger or too slow. */
  body(bytesMax: number): Promise<Buffer>;
  /** Aborted when the other side left. */
  signal: AbortSignal;
};
export type InnerAnswer = { status: number; headers?: Record<string, string>; body?: Buffer | Readable | string };
export type Inner = Record<string, (asked: InnerAsked) => Promise<InnerAnswer | Refused>>;

/** A refusal that reaches the edge through a handler that need not look at it. */
export class InnerRefused extends Error {
  override name = 'InnerRefused';
  readonly refused: Refused;
  constructor(refused: Refused) {
    super(refused.detail);
    this.refused = refused;
  }
}

export const INNER_PREFIX = '/peer/v1/';

export async function askInner(
  inner: Inner,
  request: IncomingMessage,
  node: string,
  held: HeldBody,
  bounds: Bounds,
  signal: AbortSignal,
): Promise<InnerAnswer | Refused> {
  const { path, query } = splitTarget(request.url ?? '');
  const [name = '', ...rest] = path.slice(INNER_PREFIX.length).split('/');
  const handler = Object.hasOwn(inner, name) ? inner[name] : undefined;
  if (!handler) return refuse('not_found', `There is nothing at ${path.slice(0, 200)}.`);
  try {
    return await handler({
      ...{ method: request.method ?? 'GET', path: `/${rest.join('/')}`, query: new URLSearchParams(query) },
      ...{ headers: request.headers, node, signal },
      stream() {
        held.taken = true;
        return streamOf(request);
      },
      async body(bytesMax) {
        const found = await readWhole(request, bytesMax, bounds.requestTimeoutMs);
        if (Buffer.isBuffer(found)) return found;
        throw new InnerRefused(found);
      },
    });
  } catch (fault) {
    if (fault instanceof InnerRefused) return fault.refused;
    throw fault;
  }
}
