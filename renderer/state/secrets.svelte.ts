/** Secrets by name: what there is, never a value. Values go to the node once and are kept nowhere here. */
import type { Secret } from '../../node-runtime/contract/model.ts';
import { call, type Failure } from '../api.ts';

class SecretsState {
  all = $state.raw<Secret[]>([]);
  isRead = $state(false);
  failure = $state.raw<Failure | null>(null);

  async read(): Promise<void> {
    try {
      this.all = (await call('secrets')).secrets;
      this.failure = null;
      this.isRead = true;
    } catch (cause) {
      this.failure = cause as Failure;
    }
  }
  async save(name: string, value: string, description: string): Promise<void> {
    await call('secretSave', { params: { name }, body: { value, description } });
    await this.read();
  }
  async remove(name: string): Promise<void> {
    await call('secretRemove', { params: { name } });
    await this.read();
  }
}

export const secrets = new SecretsState();
