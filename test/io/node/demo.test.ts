/** The whole cluster in one process, as `npm start` and `binnacle demo` run it: begun, stopped and begun again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Cluster } from '../../../node-runtime/contract/model.ts';
import { binnacle, eventually, main } from '../../support/real-node.ts';

const keep = mkdtempSync(path.join(tmpdir(), 'binnacle-keep-'));
const first = path.join(keep, 'ctl-a');
let child: ChildProcess;
afterAll(() => {
  if (child?.exitCode === null) child.kill('SIGKILL');
  rmSync(keep, { recursive: true, force: true, maxRetries: 5 });
});

const asked = async (...words: string[]) => {
  const answer = await binnacle([...words, '--data', first]);
  expect(answer.code, answer.err).toBe(0);
  return answer;
};

async function begin() {
  const demo = spawn(process.execPath, [main, 'demo', '--keep', keep], { stdio: ['ignore', 'pipe', 'pipe'] });
  child = demo;
  let said = '';
  demo.stdout.on('data', (text) => (said += text));
  demo.stderr.on('data', (text) => (said += text));
  await eventually('it is ready', () => {
    if (demo.exitCode !== null) throw new Error(said);
    return said.includes('Ctrl-C');
  });
  expect(said).toContain('5 nodes: ctl-a, ctl-b, deck-1, bench-1, bench-2');
  await eventually('any one may be lost', async () => {
    const cluster = JSON.parse((await asked('status', '--json')).out) as Cluster;
    return cluster.survives.lossOf.length === 3;
  });
}

async function end() {
  child.kill('SIGINT');
  if (child.exitCode === null) await once(child, 'exit');
  expect(child.exitCode).toBe(0);
}

it('is whole again after every stop, whoever was active', { timeout: 120_000 }, async () => {
  await begin();
  // Just begun, the standby may still fetch what the examples hold.
  await eventually(
    'the lead is handed over',
    async () => (await binnacle(['switch-over', '--data', first])).code === 0,
  );
  await end();
  await begin();
  expect((await asked('launch', 'examples/hello.sh', '--follow')).err).toContain('succeeded');
  await end();
  await begin();
  await end();
});
