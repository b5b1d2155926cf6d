/**
 * The evidence for confirming a loss at this node, kept live while a screen
 * shows it; and what was cut from this node's journal.
 *
 * A confirmation carries the evidence that the person was shown. When that is
 * refused because it changed, the new evidence is read at once; nothing is
 * ever confirmed anew on the person's behalf.
 */
import type { Evidence, QuarantinedEntry } from '../../node-runtime/contract/model.ts';
import { call, type Failure, urlOf } from '../api.ts';
import { live } from './live.svelte.ts';

const readEveryMs = 2_000;
const shownEntries = 200;

class RecoveryState {
  evidence = $state.raw<Evidence | null>(null);
  failure = $state.raw<Failure | null>(null);
  /** When it was last so. */
  readAt = $state(0);
  entries = $state.raw<QuarantinedEntry[]>([]);
  more = $state(false);
  /** What the node answered to a confirmation. */
  done = $state<string | null>(null);
  private turn = 0;

  /** Keeps reading until the returned function is called. */
  show(): () => void {
    const turn = ++this.turn;
    this.evidence = null;
    this.failure = null;
    this.done = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = async (): Promise<void> => {
      await this.read();
      if (turn === this.turn) timer = setTimeout(() => void again(), readEveryMs);
    };
    void again();
    void this.readQuarantine();
    return () => {
      clearTimeout(timer);
      this.turn++;
    };
  }
  async confirm(evidence: Evidence, lost: string[], statement: string): Promise<void> {
    // Of two eras that stand against each other the other one is alive, and this person knows it (P32).
    const chosen = evidence.nodes.some((node) => node.alive && lost.includes(node.voter));
    try {
      const body = { evidence: evidence.evidence, lost, statement, ...(chosen ? { chosen } : {}) };
      this.done = (await call('recover', { body, withinMs: 60_000 })).sentence;
    } finally {
      await Promise.all([this.read(), live.readCluster()]);
    }
  }
  get quarantineUrl(): string {
    return urlOf('quarantine', { query: { limit: 1_000 } });
  }

  private async read(): Promise<void> {
    const { turn } = this;
    try {
      const evidence = await call('recovery');
      if (turn !== this.turn) return;
      this.evidence = evidence;
      this.failure = null;
      this.readAt = Date.now();
    } catch (cause) {
      if (turn === this.turn) this.failure = cause as Failure;
    }
  }
  private async readQuarantine(): Promise<void> {
    const { turn } = this;
    const page = await call('quarantine', { query: { limit: shownEntries } }).catch(() => null);
    if (!page || turn !== this.turn) return;
    this.entries = page.entries;
    this.more = page.more;
  }
}

export const recovery = new RecoveryState();
