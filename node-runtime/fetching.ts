/** What this node fetches from others: snapshots, the files of a run, and the secrets of an attempt. */

import type { Contents } from './contents.ts';
import type { Refusal } from './contract/errors.ts';
import type { AttemptName, Order } from './core/effects.ts';
import type { Position } from './core/journal/tail.ts';
import { type ManifestLine, manifestAt } from './core/sandboxes/listing.ts';
import type { Sandboxes } from './core/sandboxes/sandboxes.ts';
import type { Blobs } from './io/files/blobs.ts';
import type { Peers } from './io/http/peers.ts';
import type { Snapshot } from './io/journal/records.ts';
import type { AttemptOrder } from './io/process/orders.ts';

const SNAPSHOT_CHARS_MAX = 512 * 1024 ** 2;
const MANIFESTS_KEPT = 20;
/** The active may die in the middle of it: the next one, or its standby, gives the same. */
const TRY_FOR_MS = 5 * 60_000;
const AGAIN_MS = 300;

async function textOf(body: AsyncIterable<unknown>, charsMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > charsMax) throw new Error(`an answer of more than ${charsMax} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** P17. Rejects when the node has it no more, or has another one there. */
export async function fetchSnapshot(peers: Peers | null, from: string, at: Position): Promise<Snapshot> {
  if (!peers) throw new Error('this node speaks to no other');
  const answer = await peers.request(from, { method: 'GET', path: `/peer/v1/snapshot?at=${at.index}` });
  const text = await textOf(answer.body, SNAPSHOT_CHARS_MAX);
  if (answer.status !== 200) throw new Error(`${from} answered ${answer.status}`);
  const position = JSON.parse(String(answer.headers['binnacle-snapshot'])) as Position;
  if (position.index !== at.index || position.chain !== at.chain) throw new Error(`${from} has another snapshot there`);
  return { index: at.index, term: at.term, chain: at.chain, text };
}

/** The first answer of any; rejects as the last one did. */
async function anyOf<T>(nodes: string[], ask: (node: string) => Promise<T>): Promise<T> {
  let last: unknown = new Error('no node to ask is known');
  for (const node of nodes) {
    try {
      return await ask(node);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

/** The files of a pinned sandbox for an attempt, all of them here when it resolves. Rejects with a sentence. */
export function makeFilesOf(parts: {
  blobs: Blobs;
  contents: Contents;
  peers(): Peers | null;
  /** The state of this node, where it keeps a journal. */
  sandboxes(): Sandboxes | null;
  sources(): string[];
}) {
  const manifests = new Map<string, ManifestLine[]>();

  async function manifestOf(sandbox: string, revision: number, from: string): Promise<ManifestLine[]> {
    const record = parts.sandboxes()?.get(sandbox);
    if (record && revision <= record.revision) return manifestAt(record, revision);
    const name = `${sandbox}\n${revision}`;
    const known = manifests.get(name);
    if (known) return known;
    const query = new URLSearchParams({ sandbox, revision: String(revision) });
    const answer = await parts.peers()!.request(from, { method: 'GET', path: `/peer/v1/manifest?${query}` });
    const text = await textOf(answer.body, SNAPSHOT_CHARS_MAX);
    if (answer.status !== 200) throw new Error(`the list of files of ${sandbox} was refused: ${text.slice(0, 300)}`);
    const lines = JSON.parse(text) as ManifestLine[];
    manifests.set(name, lines);
    if (manifests.size > MANIFESTS_KEPT) manifests.delete(manifests.keys().next().value!);
    return lines;
  }

  async function fetchAll(order: Order & { revision: number }, from: string): Promise<AttemptOrder['files']> {
    const sources = [from, ...parts.sources().filter((node) => node !== from)];
    const lines = await anyOf(sources, (node) => manifestOf(order.sandbox, order.revision, node));
    await parts.contents.fetch(
      lines.map((line) => line.hash),
      sources,
    );
    return lines.map(({ path, hash, executable }) => ({ path, source: parts.blobs.path(hash), executable }));
  }

  return async (order: Order, from: string): Promise<AttemptOrder['files']> => {
    const { revision } = order;
    if (revision === null) return null;
    const until = performance.now() + TRY_FOR_MS;
    for (;;) {
      try {
        return await fetchAll({ ...order, revision }, from);
      } catch (error) {
        if (performance.now() > until) throw error;
        await new Promise((next) => setTimeout(next, AGAIN_MS));
      }
    }
  };
}

/** All else passes: nobody leads at the moment, or the new active is about to be given the key. */
const FINAL = ['secret_unknown', 'secret_not_given'];
const KEY_MS = 15_000;

/** The secrets of an attempt from whoever leads, by variable. Rejects with a sentence. */
export function makeSecretsOf(parts: {
  lead(): string | null;
  ask(node: string, name: AttemptName): Promise<{ values: Record<string, string> } | Refusal>;
}) {
  return async ({ run, task, number }: Order): Promise<Record<string, string>> => {
    const begun = performance.now();
    for (;;) {
      const lead = parts.lead();
      const given = lead === null ? null : await parts.ask(lead, { run, task, number }).catch(() => null);
      if (given && 'values' in given) return given.values;
      const forMs = given?.code === 'secrets_key_missing' ? KEY_MS : TRY_FOR_MS;
      if (FINAL.includes(given?.code ?? '') || performance.now() - begun > forMs)
        throw new Error(`It was not given its secrets: ${given?.detail ?? 'nobody leads.'}`);
      await new Promise((next) => setTimeout(next, AGAIN_MS));
    }
  };
}
