/** Nodes that ask to join, read again while a screen shows them: for administrators. */
import type { Duty } from '../../node-runtime/contract/facts.ts';
import type { JoinRequest } from '../../node-runtime/contract/model.ts';
import { call } from '../api.ts';
import { live } from './live.svelte.ts';
import { session } from './session.svelte.ts';

const AGAIN_MS = 2_000;

class JoinRequestsState {
  all = $state.raw<JoinRequest[]>([]);
  readonly waiting = $derived(this.all.filter((one) => one.state === 'waiting'));

  /** Reads until the returned function is called. What can't be read now is shown as it was: the banner says why. */
  follow(): () => void {
    const read = (): void => void this.read().catch(() => undefined);
    read();
    const timer = setInterval(read, AGAIN_MS);
    return () => clearInterval(timer);
  }
  async read(): Promise<void> {
    if (session.mayNotAdminister !== undefined) return;
    this.all = (await call('joinRequests')).requests;
  }
  async approve(request: string, duties: Duty[]): Promise<void> {
    await call('joinApprove', { params: { request }, body: { duties } });
    await Promise.all([this.read(), live.readCluster()]);
  }
  async refuse(request: string): Promise<void> {
    await call('joinRefuse', { params: { request } });
    await this.read();
  }
}

export const joinRequests = new JoinRequestsState();
