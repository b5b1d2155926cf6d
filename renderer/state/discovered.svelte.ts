/** What this node hears of in the network, read again while a screen shows it. */
import type { Discovered } from '../../node-runtime/contract/model.ts';
import { call } from '../api.ts';

const AGAIN_MS = 2_000;

class DiscoveredState {
  all = $state.raw<Discovered[]>([]);
  /** Members are in the table of nodes already. */
  readonly others = $derived(this.all.filter((one) => one.relation !== 'member'));

  /** Reads until the returned function is called. What can't be read now is shown as it was: the banner says why. */
  follow(): () => void {
    const read = (): void =>
      void call('discovered').then(
        ({ discovered }) => (this.all = discovered),
        () => undefined,
      );
    read();
    const timer = setInterval(read, AGAIN_MS);
    return () => clearInterval(timer);
  }
}

export const discovered = new DiscoveredState();
