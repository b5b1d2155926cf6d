/** Where the console is, following the address bar. */
import { hashOf, type Place, placeOf } from '../flows/route.ts';

class RouteState {
  place = $state.raw<Place>(placeOf(location.hash));
  /** Asked before leaving; gives a sentence when something would be lost. */
  guard: (() => string | null) | null = null;
  private last = location.hash;

  constructor() {
    window.addEventListener('hashchange', () => this.follow());
    window.addEventListener('beforeunload', (event) => {
      if (this.guard?.()) event.preventDefault();
    });
  }

  go(place: Place, replace = false): void {
    const hash = hashOf(place);
    if (replace) {
      history.replaceState(null, '', hash);
      this.follow();
    } else location.hash = hash;
  }

  private follow(): void {
    if (location.hash === this.last) return;
    const loss = this.guard?.();
    if (loss && !window.confirm(loss)) {
      history.replaceState(null, '', this.last);
      return;
    }
    if (loss) this.guard = null;
    this.last = location.hash;
    this.place = placeOf(location.hash);
  }
}

export const route = new RouteState();
export const to = hashOf;
