/** The authority that signs certificates of nodes: read while it is looked at, and oftener while it is changed. */
import type { AuthorityStand } from '../../node-runtime/contract/model.ts';
import { call, type Failure } from '../api.ts';

const lookMs = { settled: 60_000, changing: 1_000 };

class AuthorityState {
  stand = $state.raw<AuthorityStand | null>(null);
  failure = $state.raw<Failure | null>(null);

  /** Returns how to stop looking. */
  watch(): () => void {
    let timer: ReturnType<typeof setTimeout>;
    let isOver = false;
    const look = async (): Promise<void> => {
      await this.read();
      const isChanging = this.stand !== null && this.stand.step !== 'settled';
      if (!isOver) timer = setTimeout(() => void look(), isChanging ? lookMs.changing : lookMs.settled);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }
  async rotate(): Promise<void> {
    this.stand = await call('authorityRotate');
  }

  private async read(): Promise<void> {
    try {
      this.stand = await call('authority');
      this.failure = null;
    } catch (cause) {
      this.failure = cause as Failure;
    }
  }
}

export const authority = new AuthorityState();
