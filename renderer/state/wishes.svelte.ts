/** What was asked for at one place and is done at another: the palette asks, a screen answers. */
import { route } from './route.svelte.ts';

class Wishes {
  newSandbox = $state(false);

  makeSandbox(): void {
    route.go({ screen: 'sandboxes', path: '' });
    this.newSandbox = true;
  }
}

export const wishes = new Wishes();
