/**
 * What is done to nodes and to the lead. Each act asks the node once and then
 * reads the cluster again, so that what is shown is what became of it.
 */
import type { Duty } from '../../node-runtime/contract/facts.ts';
import type { Node } from '../../node-runtime/contract/model.ts';
import { call } from '../api.ts';
import { live } from './live.svelte.ts';

/** A hand-over waits for the standby and for the new active: longer than most requests. */
const leadMs = 60_000;

class MembersState {
  async drain(node: string, drained: boolean): Promise<Node> {
    return this.change(node, { drained });
  }
  async setDuties(node: string, duties: Duty[]): Promise<Node> {
    return this.change(node, { duties });
  }
  async appointWatch(node: string): Promise<Node> {
    return this.change(node, { watch: true });
  }
  async remove(node: string): Promise<void> {
    await call('nodeRemove', { params: { node } });
    await live.readCluster();
  }
  /** The code is shown this once; nobody keeps it. */
  async invite(duties: Duty[], expiresInMinutes: number): Promise<{ code: string; expiresAt: string }> {
    return call('invite', { body: { duties, expiresInMinutes } });
  }
  async switchOver(): Promise<string> {
    return this.lead(() => call('switchOver', { withinMs: leadMs }));
  }
  async park(why: string): Promise<string> {
    return this.lead(() => call('park', { body: { why }, withinMs: leadMs }));
  }
  async activate(): Promise<string> {
    return this.lead(() => call('activate', { withinMs: leadMs }));
  }

  private async change(node: string, body: { duties?: Duty[]; drained?: boolean; watch?: true }): Promise<Node> {
    const changed = await call('nodeChange', { params: { node }, body });
    await live.readCluster();
    return changed;
  }
  private async lead(act: () => Promise<{ sentence: string }>): Promise<string> {
    try {
      return (await act()).sentence;
    } finally {
      await live.readCluster();
    }
  }
}

export const members = new MembersState();
