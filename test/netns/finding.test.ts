/**
 * Real nodes find each other in a network without a way out, and a computer
 * that is none yet finds the cluster to ask: nothing is typed but a name.
 */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Discovered, JoinRequest, Node } from '../../node-runtime/contract/model.ts';
import { Network, whyNoNetworks } from '../support/namespaces.ts';
import { eventually } from '../support/real-node.ts';
import { HostNode } from './host-node.ts';

const why = await whyNoNetworks();
const skipped = why ? ` (skipped: ${why})` : '';

describe.skipIf(why)(`nodes in a network of their own${skipped}`, () => {
  let network: Network;
  let east: HostNode;
  let west: HostNode;
  let fresh: HostNode;

  const found = async (at: HostNode): Promise<Discovered[]> =>
    (await at.must<{ discovered: Discovered[] }>('GET', '/api/v1/discovered')).discovered;
  const named = async (at: HostNode, name: string): Promise<Discovered | null> =>
    (await found(at)).find((one) => one.name === name) ?? null;

  beforeAll(async () => {
    network = await Network.make(['east', 'west', 'fresh']);
    const node = (host: string) => new HostNode(network, host, path.join(network.folder, host, 'data'));
    [east, west, fresh] = [node('east'), node('west'), node('fresh')];
    for (const one of [east, west]) await one.mustCommand(['init', '--cluster', `lab-${one.host}`, '--name', one.host]);
    await east.start();
  }, 60_000);

  afterAll(() => network?.destroy());

  it('hear of one of another cluster within seconds, also after it left', { timeout: 60_000 }, async () => {
    await west.start();
    const begun = performance.now();
    const one = await eventually('west is found', () => named(east, 'west'), 10_000);
    expect(performance.now() - begun).toBeLessThan(5_000); // 2 s by its figures; this machine has more to do
    const address = `${network.address('west')}:7400`;
    expect(one).toMatchObject({ clusterName: 'lab-west', role: 'controller', via: 'mdns', relation: 'other' });
    expect(one.addresses).toContain(address);
    const { out } = await east.command(['nodes', '--discovered']);
    expect(out).toMatch(/west +lab-west +controller +another cluster/);
    await west.stop();
    await eventually('west is gone', async () => (await named(east, 'west')) === null, 10_000);
  });

  it('a computer that is no node yet finds the cluster, asks, and is let in', { timeout: 90_000 }, async () => {
    const asking = fresh.command(['join', '--ask', '--name', 'fresh', '--json']);
    const request = await eventually('it asks', async () => {
      const { requests } = await east.must<{ requests: JoinRequest[] }>('GET', '/api/v1/join-requests');
      return requests[0] ?? null;
    });
    await east.must('POST', `/api/v1/join-requests/${request.id}/approve`, { duties: ['worker'] });
    const ended = await asking;
    expect([ended.code, ended.err]).toEqual([0, '']);
    const [first] = ended.out.split('\n');
    expect(JSON.parse(first!)).toEqual({ words: request.words, cluster: 'lab-east' });
    await fresh.start();
    const { nodes } = await east.must<{ nodes: Node[] }>('GET', '/api/v1/nodes');
    expect(nodes.map((one) => one.name).toSorted()).toEqual(['east', 'fresh']);
    const one = await eventually('it is heard of', () => named(east, 'fresh'), 10_000);
    expect(one).toMatchObject({ relation: 'member', role: 'worker' });
  });

  it('one of two clusters has to be named', { timeout: 60_000 }, async () => {
    await west.start();
    await eventually('west is found', () => named(east, 'west'), 10_000);
    const other = new HostNode(network, 'west', path.join(network.folder, 'other', 'data'));
    const { code, err } = await other.command(['join', '--ask', '--name', 'other']);
    expect(code).not.toBe(0);
    expect(err).toMatch(/Several clusters were found: .*lab-(east|west)/);
  });
});
