/** A laptop as the watch: its desktop program says before it sleeps that there is no fail-over until it is back (P24). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import type { Cluster } from '../../node-runtime/contract/model.ts';
import { eventually, RealNode } from '../support/real-node.ts';
import { type Desktop, launchDesktop } from './support/desktop.ts';

const door = ['--listen', '127.0.0.1:0'];
let userData: string;
let a: RealNode;
let b: RealNode;
let desktop: Desktop;
const view = (): Promise<Cluster> => a.must<Cluster>('GET', '/api/v1/cluster');

beforeAll(async () => {
  userData = mkdtempSync(path.join(tmpdir(), 'bin-deck-'));
  a = await RealNode.found();
  await a.start(door);
  b = await RealNode.join(a, 'borea', ['controller', 'worker']);
  await b.start(door);
  await RealNode.join(a, 'deck', ['watch'], path.join(userData, 'node'));
  desktop = await launchDesktop({ userData });
}, 90_000);
afterAll(async () => {
  await desktop?.close();
  for (const node of [a, b]) await node?.remove();
  rmSync(userData, { recursive: true, force: true, maxRetries: 5 });
});

it('has the seat, says that it leaves before it sleeps, and is back when it wakes', { timeout: 90_000 }, async () => {
  const paired = (cluster: Cluster) => cluster.fresh && cluster.mode === 'paired';
  await eventually('the laptop is the watch', async () => paired(await view()), 40_000);
  await desktop.app.evaluate(({ powerMonitor }) => void powerMonitor.emit('suspend'));
  await eventually('everybody is told', async () =>
    (await view()).survives.sentence.startsWith("deck can't be reached: no fail-over"),
  );
  await desktop.app.evaluate(({ powerMonitor }) => void powerMonitor.emit('resume'));
  await eventually('it counts again', async () => (await view()).survives.lossOf.length > 0);
});
