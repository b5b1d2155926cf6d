/**
 * Two controllers and a watch, when disks fail: a damaged journal is copied
 * anew from the other controller (S34), and a controller that a person can
 * still reach proves by its parking code that it has stopped (S19).
 */
import { closeSync, existsSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster, Evidence } from '../../../node-runtime/contract/model.ts';
import { loadIdentity } from '../../../node-runtime/io/trust/identity-store.ts';
import { makeParkingCode } from '../../../node-runtime/io/trust/parking-code.ts';
import { binnacle, elsewhere, eventually, RealNode, refusalOf } from '../../support/real-node.ts';

const door = ['--listen', '127.0.0.1:0'];
let a: RealNode;
let b: RealNode;
let watch: RealNode;
const view = (node: RealNode): Promise<Cluster> => node.must<Cluster>('GET', '/api/v1/cluster');

const whole = (node: RealNode): Promise<Cluster> =>
  eventually(
    'paired, with three voters',
    async () => {
      const cluster = await view(node).catch(() => null);
      return cluster?.fresh && cluster.mode === 'paired' && cluster.charter?.voters.flat().length === 3
        ? cluster
        : null;
    },
    40_000,
  );

beforeAll(async () => {
  a = await RealNode.found();
  await a.start(door);
  b = await RealNode.join(a, 'borea', ['controller', 'worker']);
  watch = await RealNode.join(a, 'deck', ['watch']);
  await Promise.all([b, watch].map((node) => node.start(door)));
  await whole(a);
  await a.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
  await a.put('work', 'true.sh', '#!/bin/sh\ntrue\n');
}, 120_000);

afterAll(async () => {
  for (const node of [a, b, watch]) await node?.remove();
});

/** Turns bits in every page of the journal but the first, as a failing disk would. */
function damage(node: RealNode): void {
  const file = path.join(node.data, 'journal', 'journal.db');
  const descriptor = openSync(file, 'r+');
  for (let at = 4_096; at < statSync(file).size; at += 4_096)
    for (const place of [0, 2_000, 4_000]) writeSync(descriptor, Buffer.alloc(64, 0xa5), 0, 64, at + place);
  closeSync(descriptor);
}

describe('two controllers and a watch, when disks fail', () => {
  it('P33: a sound journal is not given up; a damaged one is put aside and copied anew', {
    timeout: 120_000,
  }, async () => {
    const run = await a.through('work', 'true.sh');
    expect(await b.stop()).toBe(0);
    const sound = await binnacle(['copy-anew', '--data', b.data]);
    expect([sound.code !== 0, sound.err]).toEqual([true, expect.stringContaining('not damaged')]);
    damage(b);
    const refused = await binnacle(['node', '--data', b.data]);
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain('binnacle copy-anew');
    const given = await binnacle(['copy-anew', '--json', '--data', b.data]);
    expect([given.code, JSON.parse(given.out).from]).toEqual([0, ['atlas']]);
    expect(readdirSync(b.data).some((name) => name.startsWith('journal.damaged-'))).toBe(true);
    await b.start(door, {}, 'alive');
    await whole(b);
    expect((await b.run(run.id)).state).toBe('succeeded');
    expect(existsSync(path.join(b.data, 'blobs'))).toBe(true);
  });

  it('S19: a parking code of the other controller proves that nothing is lost', { timeout: 120_000 }, async () => {
    const run = await a.through('work', 'true.sh');
    await whole(a);
    await Promise.all([a, b, watch].map((node) => node.kill()));
    rmSync(watch.data, { recursive: true, force: true, maxRetries: 5 });
    // Both come back where the other does not find them: their ports are others by now.
    await a.start(await elsewhere(), {}, 'alive');
    await b.start(await elsewhere(), {}, 'alive');
    const shown = await eventually(
      'a person is needed',
      async () => {
        const one = await b.must<Evidence>('GET', '/api/v1/cluster/recovery');
        return one.possible && one;
      },
      40_000,
    );
    const lost = { evidence: shown.evidence, lost: shown.suggested, statement: 'I stand before it.' };
    const forged = await b.ask('POST', '/api/v1/cluster/recovery', { ...lost, proof: 'e30.e30.e30' });
    expect(refusalOf(forged)).toBe('409 recovery_refused');
    const code = await binnacle(['parking-code', shown.proofTerm, '--json', '--data', a.data]);
    expect(code.err).toBe('');
    const proof = (JSON.parse(code.out) as { code: string }).code;
    const altered = `${proof.slice(0, 20)}${proof[20] === 'A' ? 'B' : 'A'}${proof.slice(21)}`;
    expect(refusalOf(await b.ask('POST', '/api/v1/cluster/recovery', { ...lost, proof: altered }))).toBe(
      '409 recovery_refused',
    );
    // Signed by the right node, but in a term that is over.
    const [voter = ''] = shown.suggested;
    const identity = (await loadIdentity(path.join(a.data, 'trust')))!;
    const term = { era: 0, number: 1, node: identity.nodeId };
    const old = { cluster: identity.clusterId, voter, term, end: { index: 1, term, chain: '' } };
    const outdated = await b.ask('POST', '/api/v1/cluster/recovery', {
      ...lost,
      proof: makeParkingCode(identity, old),
    });
    expect(outdated.text).toContain('older than what is known');
    await b.must('POST', '/api/v1/cluster/recovery', { ...lost, proof });
    const after = await eventually('it leads', async () => {
      const cluster = await view(b);
      return cluster.fresh && cluster;
    });
    expect(after.happened.some((one) => one.text.includes('Nothing that was acknowledged is lost.'))).toBe(true);
    expect((await b.run(run.id)).state).toBe('succeeded');
    expect((await b.through('work', 'true.sh')).state).toBe('succeeded');
  });
});
