/** Where people are signed in: one's own places, and for administrators those of others. */
import type { SignedIn } from '../../node-runtime/contract/model.ts';
import { call, type Failure } from '../api.ts';

/** `me`, `everybody`, or the name of a person. */
export type Whose = 'me' | 'everybody' | `of ${string}`;
const queryOf = (whose: Whose) =>
  whose === 'me' ? {} : whose === 'everybody' ? { all: '1' as const } : { user: whose.slice(3) };

class SignedInState {
  whose = $state<Whose>('me');
  list = $state.raw<SignedIn[] | null>(null);
  failure = $state.raw<Failure | null>(null);

  async read(): Promise<void> {
    const { whose } = this;
    try {
      const { sessions } = await call('sessions', { query: queryOf(whose) });
      if (whose !== this.whose) return;
      this.list = sessions;
      this.failure = null;
    } catch (cause) {
      if (whose === this.whose) this.failure = cause as Failure;
    }
  }
  async show(whose: Whose): Promise<void> {
    this.whose = whose;
    this.list = null;
    await this.read();
  }
  async end(session: string): Promise<void> {
    await call('sessionEnd', { params: { session } });
    await this.read();
  }
  /** All of those that are shown, but not the one that asks. */
  async endOthers(): Promise<void> {
    await call('sessionsEnd', { query: { ...queryOf(this.whose), others: '1' } });
    await this.read();
  }
}

export const signedIn = new SignedInState();
