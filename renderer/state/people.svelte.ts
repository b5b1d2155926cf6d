/** People who may sign in and tokens of programs: for administrators. */
import type { Role, Token, TokenScope, User } from '../../node-runtime/contract/model.ts';
import { call, type Failure } from '../api.ts';

class PeopleState {
  users = $state.raw<User[]>([]);
  tokens = $state.raw<Token[]>([]);
  failure = $state.raw<Failure | null>(null);

  async read(): Promise<void> {
    try {
      const [{ users }, { tokens }] = await Promise.all([call('users'), call('tokens')]);
      this.users = users;
      this.tokens = tokens;
      this.failure = null;
    } catch (cause) {
      this.failure = cause as Failure;
    }
  }
  async addUser(name: string, role: Role, password: string): Promise<void> {
    await call('userCreate', { body: { name, role, password } });
    await this.read();
  }
  async changeUser(user: string, to: { role?: Role; password?: string }): Promise<void> {
    await call('userChange', { params: { user }, body: to });
    await this.read();
  }
  async removeUser(user: string): Promise<void> {
    await call('userRemove', { params: { user } });
    await this.read();
  }
  /** Gives the secret, which the node shows only this once. */
  async addToken(of: { label: string; role: Role; days: number | undefined; scope?: TokenScope }): Promise<string> {
    const { label, role, days, scope } = of;
    const made = await call('tokenCreate', { body: { role, label, expiresInDays: days, scope } });
    await this.read();
    return made.secret;
  }
  async removeToken(token: string): Promise<void> {
    await call('tokenRemove', { params: { token } });
    await this.read();
  }
  async signInLink(role: Role): Promise<{ address: string; expiresAt: string }> {
    const { code, expiresAt } = await call('signInLink', { body: { role } });
    return { address: `${location.origin}/#/link/${encodeURIComponent(code)}`, expiresAt };
  }
}

export const people = new PeopleState();
