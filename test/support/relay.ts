/**
 * A relay between a host and the hub (`links.c`): its frames come late, twice,
 * out of order or not at all, as a seed decides. Both directions alike.
 *
 * While it is in place the host's port is off the bridge; cuts of `Network`
 * stay in force, since they know both ways. Removed, the host is back on the
 * bridge and the relay has told what it did to the frames.
 */
import type { ChildProcess } from 'node:child_process';
import type { Network } from './namespaces.ts';

export type Chances = {
  seed: number;
  delayMs?: number;
  jitterMs?: number;
  /** Of a hundred frames. */
  lossPercent?: number;
  duplicatePercent?: number;
  /** So many are held back by `reorderMs`, so that later ones overtake them. */
  reorderPercent?: number;
  reorderMs?: number;
};
type Count = {
  taken: number;
  sent: number;
  lost: number;
  doubled: number;
  heldBack: number;
  overtaken: number;
  /** Frames it had no room for, or that a link refused. */
  refused: number;
};
/** `forth` is what the host sends, `back` what it gets. */
export type Relayed = { forth: Count; back: Count };

const READY_MS = 5_000;

export class Relay {
  readonly #network: Network;
  readonly #host: string;
  readonly #child: ChildProcess;
  #said = '';

  private constructor(network: Network, host: string, child: ChildProcess) {
    this.#network = network;
    this.#host = host;
    this.#child = child;
    child.stdout!.on('data', (text) => (this.#said += text));
    child.stderr!.on('data', (text) => (this.#said += text));
  }

  static async put(network: Network, host: string, chances: Chances): Promise<Relay> {
    await network.takePortOff(host, true);
    const relay = new Relay(network, host, network.spawnLinks(['relay', `p-${host}`, `q-${host}`, ...words(chances)]));
    try {
      await relay.#ready();
    } catch (error) {
      relay.#child.kill('SIGKILL');
      await network.takePortOff(host, false);
      throw error;
    }
    return relay;
  }

  #ready(): Promise<void> {
    return new Promise((done, failed) => {
      const late = setTimeout(() => failed(new Error(`the relay does not start: ${this.#said}`)), READY_MS);
      this.#child.stdout!.on('data', () => {
        if (!this.#said.includes('ready\n')) return;
        clearTimeout(late);
        done();
      });
      this.#child.once('exit', (code) => {
        clearTimeout(late);
        failed(new Error(`the relay ended with ${code}: ${this.#said}`));
      });
    });
  }

  async remove(): Promise<Relayed> {
    const over = new Promise((done) => this.#child.once('close', done));
    this.#child.stdin!.end();
    await over;
    await this.#network.takePortOff(this.#host, false);
    const last = this.#said.trim().split('\n').at(-1)!;
    if (!last.startsWith('{')) throw new Error(`the relay did not end in order: ${this.#said}`);
    return JSON.parse(last) as Relayed;
  }
}

function words(chances: Chances): string[] {
  const micros = (ms: number | undefined) => String(Math.round((ms ?? 0) * 1000));
  const thousandths = (percent: number | undefined) => String(Math.round((percent ?? 0) * 10));
  return [
    ...['--seed', String(chances.seed), '--delay-us', micros(chances.delayMs), '--jitter-us', micros(chances.jitterMs)],
    ...['--loss', thousandths(chances.lossPercent), '--duplicate', thousandths(chances.duplicatePercent)],
    ...['--reorder', thousandths(chances.reorderPercent), '--reorder-us', micros(chances.reorderMs)],
  ];
}
