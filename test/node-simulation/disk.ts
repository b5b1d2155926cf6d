/**
 * The simulated disk of one node: what `io/journal` keeps, with its promises.
 *
 * Writes and reads wait in one queue and are done in groups, one sync a group;
 * a write is answered when it is kept. At a crash a group that was on its way
 * is there whole or not at all. A full disk keeps nothing of what waits, a
 * hanging one answers late. A promise that the real journal would call broken
 * is thrown here too. `history` is for the checks alone: every entry that the
 * journal stands for, also those behind a snapshot.
 */
import type { StoredEntry } from '../../node-runtime/contract/facts.ts';
import { chainOf, chainStart } from '../../node-runtime/io/journal/chain.ts';
import type { AttemptRecord, JournalEnd, Loaded, Snapshot } from '../../node-runtime/io/journal/records.ts';
import type { Chance } from '../simulation/random.ts';

export const KEPT_BEFORE_SNAPSHOT = 20;

export type FetchedSnapshot = Snapshot & { history: StoredEntry[] };

export type Kept = {
  store: string;
  records: Loaded['records'];
  floor: JournalEnd;
  snapshot: Snapshot | null;
  /** After the floor. */
  entries: StoredEntry[];
  history: StoredEntry[];
  quarantine: StoredEntry[];
  attempts: Map<string, AttemptRecord>;
};

export const emptyKept = (store: string): Kept => ({
  store,
  records: { register: null, mark: null, fence: null, directory: null, committed: null },
  floor: { index: 0, term: null, chain: chainStart },
  snapshot: null,
  entries: [],
  history: [],
  quarantine: [],
  attempts: new Map(),
});

export const copyOf = (kept: Kept): Kept => ({
  ...kept,
  records: { ...kept.records },
  entries: [...kept.entries],
  history: [...kept.history],
  quarantine: [...kept.quarantine],
  attempts: new Map(kept.attempts),
});

export const endOfKept = ({ entries, floor }: Kept): JournalEnd => {
  const { index, term, chain } = entries.at(-1) ?? floor;
  return { index, term, chain };
};

const promised = (holds: boolean, sentence: string): void => {
  if (!holds) throw new Error(`broken promise: ${sentence}`);
};

// ---------------------------------------------------------------- what is written

export const saveRecord =
  (name: keyof Kept['records'], text: string) =>
  (kept: Kept): void => {
    kept.records[name] = text;
  };

export const append = (entries: StoredEntry[]) => (kept: Kept) => {
  let end = endOfKept(kept);
  for (const entry of entries) {
    promised(entry.index === end.index + 1, `entry ${entry.index} is appended after ${end.index}`);
    promised(entry.chain === chainOf(end.chain, entry.term, entry.index, entry.text), `the chain at ${entry.index}`);
    end = entry;
  }
  kept.entries.push(...entries);
  kept.history.push(...entries);
};

export const cutAfter = (index: number) => (kept: Kept) => {
  promised(index >= (kept.snapshot?.index ?? 0), `a cut after ${index} goes behind the snapshot`);
  const at = kept.entries.findIndex((entry) => entry.index > index);
  if (at < 0) return;
  promised(at > 0 || kept.floor.index === index, `entry ${index} is not kept`);
  kept.quarantine.push(...kept.entries.splice(at));
  kept.history.length = index;
};

export const saveSnapshot = (snapshot: Snapshot) => (kept: Kept) => {
  const { index, chain } = snapshot;
  promised(
    index >= (kept.snapshot?.index ?? 0) && index <= endOfKept(kept).index,
    `a snapshot at ${index} is outside of what is kept`,
  );
  promised(kept.history[index - 1]?.chain === chain, `the snapshot at ${index} has another chain`);
  kept.snapshot = snapshot;
  const dropTo = index - KEPT_BEFORE_SNAPSHOT;
  if (dropTo <= kept.floor.index) return;
  const { term, chain: at } = kept.history[dropTo - 1]!;
  kept.floor = { index: dropTo, term, chain: at };
  kept.entries = kept.entries.filter((entry) => entry.index > dropTo);
};

export const installSnapshot =
  ({ history, ...snapshot }: FetchedSnapshot, keep: number) =>
  (kept: Kept): void => {
    kept.quarantine.push(...kept.entries.filter((entry) => entry.index > keep));
    const { index, term, chain } = snapshot;
    Object.assign(kept, { floor: { index, term, chain }, snapshot, entries: [], history: [...history] });
  };

export const renewStore = (store: string, register: string) => (kept: Kept) => {
  kept.store = store;
  kept.records.register = register;
};

export const saveAttempts =
  (records: AttemptRecord[], fence: string | null, gone: string[]) =>
  (kept: Kept): void => {
    if (fence !== null) kept.records.fence = fence;
    for (const record of records) kept.attempts.set(record.attempt, record);
    for (const attempt of gone) kept.attempts.delete(attempt);
  };

export function load(kept: Kept): Loaded {
  const { records, store, floor, snapshot } = kept;
  const entries = kept.entries.filter((entry) => entry.index > (snapshot?.index ?? 0));
  // Rows of all of them are made again at each reading, and have to be the same.
  return { records: { ...records }, store, floor, snapshot, entries, end: endOfKept(kept), auditedUpTo: 0 };
}

// --------------------------------------------------------------------- the disk

type Op = { write: boolean; does: (kept: Kept) => void; done: () => void; full: () => void };
/** What the disk needs of the world around it. */
export type Surroundings = { after(ms: number, happens: () => unknown): void; chance: Chance };

export class SimDisk {
  kept: Kept;
  state: 'well' | 'full' | 'hangs' = 'well';
  private readonly around: Surroundings;
  private readonly syncMs: number;
  private pending: Op[] = [];
  private group: Op[] = [];
  private flushing = false;
  private power = 0;

  constructor(around: Surroundings, kept: Kept) {
    this.around = around;
    this.kept = kept;
    this.syncMs = 1 + around.chance.next() * 4;
  }

  write(does: (kept: Kept) => void, done: () => void, full: () => void): void {
    this.pending.push({ write: true, does, done, full });
    this.flush();
  }

  read<T>(look: (kept: Kept) => T, got: (value: T) => void): void {
    let value: T;
    const does = (kept: Kept): void => {
      value = look(kept);
    };
    this.pending.push({ write: false, does, done: () => got(value), full: () => {} });
    this.flush();
  }

  /** The power fails. What was on its way is there whole, or not at all. */
  crash(): void {
    this.power++;
    const writes = this.group.filter((op) => op.write);
    if (this.state === 'well' && this.around.chance.happens(0.5)) for (const op of writes) op.does(this.kept);
    this.pending = [];
    this.group = [];
    this.flushing = false;
  }

  flush(): void {
    if (this.flushing || this.pending.length === 0) return;
    this.flushing = true;
    this.group = this.pending;
    this.pending = [];
    const { power } = this;
    const slowly = this.around.chance.happens(0.04) ? 20 : 1;
    this.around.after(this.syncMs * (0.5 + this.around.chance.next()) * slowly, () => this.synced(power));
  }

  private synced(power: number): void {
    if (power !== this.power) return;
    if (this.state === 'hangs') return this.around.after(20, () => this.synced(power));
    const { group } = this;
    this.group = [];
    this.flushing = false;
    const refused = this.state === 'full' && group.some((op) => op.write);
    const late = refused ? this.pending.filter((op) => op.write) : [];
    if (refused) this.pending = this.pending.filter((op) => !op.write);
    const kept = refused ? group.filter((op) => !op.write) : group;
    for (const op of kept) op.does(this.kept);
    for (const op of kept) op.done();
    if (power !== this.power) return;
    for (const op of refused ? [...group.filter((op) => op.write), ...late] : []) op.full();
    if (power === this.power) this.flush();
  }
}
