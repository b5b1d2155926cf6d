/** What was asked for at one place and is done at another: the palette asks, a screen answers. */
import type { JoinRequest } from '../../node-runtime/contract/model.ts';
import { route } from './route.svelte.ts';

/** A question about the cluster; `node` is the id of the node it is about. */
export type ClusterWish =
  | { what: 'switchOver' | 'park' | 'activate' | 'invite' }
  | { what: 'watch' | 'duties' | 'remove'; node: string }
  | { what: 'letIn' | 'refuseJoin'; request: JoinRequest };

class Wishes {
  newSandbox = $state(false);
  cluster = $state.raw<ClusterWish | null>(null);

  makeSandbox(): void {
    route.go({ screen: 'sandboxes', path: '' });
    this.newSandbox = true;
  }
}

export const wishes = new Wishes();
