/**
 * Entries that 256 writers have committed at once: by the journal of one node
 * alone, and replicated and synced on two (S6). The active runs in this
 * process, so that the journal and its replication are measured and not HTTP.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StoredEntry } from '../../node-runtime/contract/facts.ts';
import { isActive } from '../../node-runtime/core/node-state.ts';
import type { Wish } from '../../node-runtime/core/wishes.ts';
import { found } from '../../node-runtime/founding.ts';
import { chainOf, chainStart } from '../../node-runtime/io/journal/chain.ts';
import { openJournal } from '../../node-runtime/io/journal/journal.ts';
import { makeLog } from '../../node-runtime/io/machine/log.ts';
import { startNode } from '../../node-runtime/running-node.ts';

process.env['BINNACLE_TEST_BUILT'] = '1';
const { eventually, RealNode } = await import('../support/real-node.ts');

const WRITERS = 256;
const wish: Wish = {
  wish: 'noteLocalChange',
  sandbox: 'bench',
  act: 'write',
  paths: ['a/path/of/usual/length.txt'],
  answer: { status: 204, body: null },
};

async function perSecond(count: number, write: () => Promise<unknown>): Promise<number> {
  let left = count;
  const writer = async () => {
    while (left-- > 0) await write();
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: WRITERS }, writer));
  return count / ((performance.now() - begun) / 1_000);
}

/** The journal worker alone: what one disk gives. */
export async function alonePerSecond(count: number): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), 'binnacle-bench-'));
  const journal = await openJournal({
    directory,
    onFault: (error) => {
      throw error;
    },
  });
  const term = { era: 0, number: 1, node: 'n-bench' };
  let chain = chainStart;
  let index = 0;
  const entry = (): StoredEntry => {
    index += 1;
    const text = JSON.stringify({
      at: Date.now(),
      by: 'bench',
      via: 'bench',
      fact: wish,
    });
    chain = chainOf(chain, term, index, text);
    return { term, index, text, chain };
  };
  try {
    await perSecond(count / 10, () => journal.append([entry()]));
    return await perSecond(count, () => journal.append([entry()]));
  } finally {
    await journal.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Committed by both controllers, with the whole node around it: decided, applied, replicated, answered. */
export async function replicatedPerSecond(count: number): Promise<{ alone: number; paired: number }> {
  const data = mkdtempSync(path.join(tmpdir(), 'binnacle-bench-'));
  await found({ data, cluster: 'bench', name: 'atlas', password: 'not-a-secret-here' });
  const log = makeLog('atlas', 'error');
  const node = await startNode({ data, listen: '127.0.0.1:0', peers: '127.0.0.1:0', host: null, log });
  const member = new RealNode(data);
  const others: InstanceType<typeof RealNode>[] = [];
  const write = async (): Promise<void> => {
    const reply = await node.loop.ask('bench', null, wish);
    if ('code' in reply) throw new Error(reply.detail);
  };
  try {
    await eventually('it acts', () => isActive(node.loop.state));
    await perSecond(count / 10, write);
    const alone = await perSecond(count, write);
    for (const [name, duty] of [
      ['borea', 'controller'],
      ['deck', 'watch'],
    ] as const) {
      others.push(await (await RealNode.join(member, name, [duty])).start(['--listen', '127.0.0.1:0']));
    }
    await eventually(
      'paired, with three voters',
      () => {
        const { phase } = node.loop.state.member;
        return (
          isActive(node.loop.state) &&
          phase.phase === 'leading' &&
          phase.charter.writeSet.length === 2 &&
          phase.charter.voters.flat().length === 3
        );
      },
      60_000,
    );
    await perSecond(count / 10, write);
    return { alone, paired: await perSecond(count, write) };
  } finally {
    for (const other of others.reverse()) await other.remove();
    await node.stop();
    rmSync(data, { recursive: true, force: true });
  }
}
