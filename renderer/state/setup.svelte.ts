/**
 * How the node of this computer comes to be, as the desktop program's runtime
 * says it; and whether other machines may reach it, which in a browser nobody asks.
 */
import type { Setup } from '../../node-runtime/contract/setup.ts';
import { call, Failure } from '../api.ts';
import { desktop } from '../desktop.ts';

const AGAIN_MS = 700;
const WATCH_MS = 2_000;

/** A way that was not even begun. */
export function whyNot(cause: unknown): { sentence: string; next: string } {
  if (cause instanceof Failure) return { sentence: cause.message, next: cause.next };
  throw cause;
}

class SetupState {
  now = $state.raw<Setup | null>(null);

  /** Reads until the returned function is called. While the node starts nobody answers: that is no news. */
  follow(onDone: () => void): () => void {
    let stopped = false;
    const read = async (): Promise<void> => {
      await this.read();
      if (stopped) return;
      if (this.now?.step === 'done') onDone();
      else setTimeout(() => void read(), AGAIN_MS);
    };
    void read();
    return () => (stopped = true);
  }
  /** For a screen that shows how it is reached. Returns how to stop it. */
  watch(): () => void {
    if (!desktop) return () => undefined;
    void this.read();
    const timer = setInterval(() => void this.read(), WATCH_MS);
    return () => clearInterval(timer);
  }
  private async read(): Promise<void> {
    try {
      this.now = await call('setup');
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
    }
  }
  async found(cluster: string, name: string, open: boolean): Promise<void> {
    this.now = await call('setupFound', { body: { cluster, name, open } });
  }
  async join(code: string, name: string): Promise<void> {
    this.now = await call('setupJoin', { body: { code, name } });
  }
  async ask(address: string, name: string): Promise<void> {
    this.now = await call('setupAsk', { body: { address, name } });
  }
  /** What became of it is read anyway. */
  async cancel(): Promise<void> {
    await call('setupCancel').catch((cause: unknown) => {
      if (!(cause instanceof Failure)) throw cause;
    });
    await this.read();
  }
  async letReach(open: boolean): Promise<void> {
    this.now = await call('setupReach', { body: { open } });
  }
}

export const setup = new SetupState();
