/**
 * 200 launches while the node is killed with -9 at random moments and started
 * again: every acknowledged launch is there, ran once, and has a result.
 * A few rounds here; `BINNACLE_KILL_ROUNDS=50` for a release.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Run, RunSummary } from '../../../node-runtime/contract/model.ts';
import { eventually, RealNode } from '../../support/real-node.ts';

const rounds = Number(process.env['BINNACLE_KILL_ROUNDS'] ?? 2);
const LAUNCHES = 200;
const LANES = 8;

let node: RealNode | null = null;
afterEach(async () => {
  await node?.remove();
  node = null;
});

/** Launches with one key until it is known what became of it, as a careful client does (P36). */
async function launch(at: RealNode, key: string): Promise<string> {
  return eventually(
    'a launch is acknowledged',
    async () => {
      const body = { sandbox: 'work', path: 'mark.sh' };
      const answer = await at.ask('POST', '/api/v1/runs', body, { 'idempotency-key': key }).catch(() => null);
      if (answer?.status === 201) return (JSON.parse(answer.text) as Run).id;
      if (answer && answer.status !== 503) throw new Error(`refused: ${answer.status} ${answer.text}`);
      return false;
    },
    60_000,
  );
}

async function everyRun(at: RealNode): Promise<RunSummary[]> {
  const runs: RunSummary[] = [];
  let cursor = '';
  do {
    const page = await at.must<{ runs: RunSummary[]; cursor?: string }>('GET', `/api/v1/runs?limit=500${cursor}`);
    runs.push(...page.runs);
    cursor = page.cursor ? `&cursor=${encodeURIComponent(page.cursor)}` : '';
  } while (cursor);
  return runs;
}

describe('a node that is killed while it works (P1, P14, P35, P36)', () => {
  for (let round = 1; round <= rounds; round++) {
    it(`round ${round}: keeps every acknowledged launch, runs it once, knows its result`, {
      timeout: 180_000,
    }, async () => {
      const at = await RealNode.found();
      node = at;
      const marks = path.join(at.data, 'marks');
      writeFileSync(marks, '');
      await at.start();
      await at.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
      await at.put(
        'work',
        'mark.sh',
        `#!/bin/sh\necho "$BINNACLE_RUN" >> '${marks}'\nsleep 0.0$(( $$ % 10 ))\n`,
        '?executable=1',
      );

      const acknowledged: string[] = [];
      let next = 0;
      const lane = async () => {
        while (next < LAUNCHES) {
          next++;
          acknowledged.push(await launch(at, randomUUID()));
        }
      };
      let kills = 0;
      const work = Promise.all(Array.from({ length: LANES }, lane));
      let working = true;
      work.finally(() => (working = false)).catch(() => {});
      while (working) {
        await new Promise((done) => setTimeout(done, 50 + Math.random() * 400));
        if (!working && kills > 0) break;
        await at.kill();
        kills++;
        await at.start();
      }
      await work;
      expect(kills).toBeGreaterThan(0);
      expect(new Set(acknowledged).size).toBe(LAUNCHES);

      const runs = await eventually(
        'every run has ended',
        async () => {
          const all = await everyRun(at);
          return all.every((run) => !['queued', 'waiting', 'running'].includes(run.state)) && all;
        },
        60_000,
      );
      expect(runs.map((run) => run.id).sort()).toEqual([...acknowledged].sort());
      expect(runs.filter((run) => run.state !== 'succeeded').map((run) => [run.id, run.state, run.reason])).toEqual([]);
      const ran = readFileSync(marks, 'utf8').trim().split('\n').sort();
      expect(ran).toEqual([...acknowledged].sort());
    });
  }
});
