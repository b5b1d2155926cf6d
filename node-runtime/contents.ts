/**
 * Contents of kept files on more than one node.
 *
 * The active gives what is uploaded to the other controllers before it says
 * "done". A controller that was away fetches what it lacks in the background
 * and says how much that is, so that nobody pairs with it before (the roster's
 * `unready`). Workers fetch what a run needs, and keep it.
 *
 * Promise: a content is here when its bytes are on disk and hash to its name.
 */
import type { Refusal } from './contract/errors.ts';
import { refuse } from './contract/errors.ts';
import { limits } from './contract/limits.ts';
import type { Replicated } from './core/replicated.ts';
import { contentsOf } from './core/sandboxes/listing.ts';
import type { Blobs } from './io/files/blobs.ts';
import type { Peers } from './io/http/peers.ts';

export type Contents = {
  /** Fetches what is not here, from any of these nodes. Rejects with a sentence. */
  fetch(hashes: string[], from: string[]): Promise<void>;
  /** Gives contents to a node that may lack them. Rejects with PeerUnreachable or a sentence. */
  give(hashes: string[], to: string): Promise<void>;
  /** Entries speak of these now. */
  expect(hashes: string[]): void;
  /** All that the state speaks of: what of it is not here? */
  expectAll(state: Replicated): void;
  missing(): number;
  close(): void;
};

const AT_ONCE = 4;
const AGAIN_MS = 1_000;

export function makeContents(parts: {
  blobs: Blobs;
  peers(): Peers | null;
  /** Nodes that may hold what is missing, best first. */
  sources(): string[];
  warn(what: object, sentence: string): void;
}): Contents {
  const { blobs } = parts;
  const wanted = new Set<string>();
  /** Being looked for on disk. */
  let looking = 0;
  let filling = false;
  let closed = false;

  async function fetchOne(hash: string, from: string[]): Promise<void> {
    if (await blobs.has(hash)) return;
    let why = 'no node that may have it is known';
    for (const node of from) {
      try {
        const answer = await parts.peers()!.request(node, { method: 'GET', path: `/peer/v1/blobs/${hash}` });
        if (answer.status !== 200) {
          answer.body.resume();
          why = `${node} does not have it`;
          continue;
        }
        const kept = await blobs.store(answer.body, { bytesMax: limits.fileBytesMax, expected: hash });
        if (!('code' in kept)) return;
        why = kept.detail;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      }
    }
    throw new Error(`the content ${hash.slice(0, 12)}… could not be fetched: ${why}`);
  }

  async function eachOf(hashes: string[], act: (hash: string) => Promise<void>): Promise<void> {
    const waiting = [...new Set(hashes)];
    const lane = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined && !closed; next = waiting.pop()) await act(next);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }

  async function giveOne(hash: string, to: string): Promise<void> {
    const peers = parts.peers();
    if (!peers) throw new Error('this node speaks to no other');
    const path = `/peer/v1/blobs/${hash}`;
    const known = await peers.request(to, { method: 'HEAD', path });
    known.body.resume();
    if (known.status === 200) return;
    const answer = await peers.request(to, { method: 'PUT', path, body: blobs.read(hash) });
    answer.body.resume();
    if (answer.status !== 204) throw new Error(`${to} did not take a content (${answer.status})`);
  }

  async function note(hashes: string[]): Promise<void> {
    looking++;
    try {
      await eachOf(hashes, async (hash) => {
        if (!(await blobs.has(hash))) wanted.add(hash);
      });
    } finally {
      looking--;
    }
    void fill();
  }

  /** One at a time through all that is missing; what can't be had now is tried again. */
  async function fill(): Promise<void> {
    if (filling || closed) return;
    filling = true;
    try {
      for (const hash of [...wanted]) {
        if (closed) return;
        await fetchOne(hash, parts.sources()).then(
          () => wanted.delete(hash),
          (error) => parts.warn({ err: error }, 'A content of a file is missing here; it is tried again.'),
        );
      }
    } finally {
      filling = false;
    }
    if (wanted.size > 0 && !closed) setTimeout(() => void fill(), AGAIN_MS).unref();
  }

  return {
    fetch: (hashes, from) => eachOf(hashes, (hash) => fetchOne(hash, from)),
    give: (hashes, to) => eachOf(hashes, (hash) => giveOne(hash, to)),
    expect: (hashes) =>
      void note(hashes).catch((error) => parts.warn({ err: error }, 'Contents could not be looked for.')),
    expectAll: (state) =>
      void note([...state.sandboxes.values()].flatMap((record) => contentsOf(record))).catch((error) =>
        parts.warn({ err: error }, 'Contents could not be looked for.'),
      ),
    missing: () => wanted.size + looking,
    close: () => {
      closed = true;
    },
  };
}

/** Gives contents to every controller that counts; one of the write set has to have them before "done" is said. */
export async function spread(
  hashes: string[],
  contents: Pick<Contents, 'give'>,
  nodes: () => { node: string; needed: boolean }[],
): Promise<Refusal | null> {
  const deadline = performance.now() + limits.activeWaitMs;
  const done = new Set<string>();
  for (;;) {
    const open = nodes().filter(({ node }) => !done.has(node));
    const failed = await Promise.all(
      open.map(async ({ node }) => {
        try {
          await contents.give(hashes, node);
          done.add(node);
          return null;
        } catch (error) {
          return error instanceof Error ? error.message : String(error);
        }
      }),
    );
    const why = open.flatMap(({ needed }, at) => (needed && failed[at] ? [failed[at]] : []))[0];
    if (why === undefined) return null;
    // The charter names a standby that can't take it: either it can in a moment, or it is no standby any more.
    if (performance.now() > deadline)
      return refuse('unknown_outcome', `The contents could not be put on the standby: ${why}.`);
    await new Promise((next) => setTimeout(next, 100));
  }
}
