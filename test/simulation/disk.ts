/**
 * A simulated disk: what is saved survives, what is on its way may not.
 *
 * Saves are done in order. At a crash some beginning of what was on its way
 * has reached the disk, the last batch of entries perhaps in part (torn). A
 * full disk refuses everything; a hanging one does nothing until it is freed.
 */
import type { StoredEntry } from '../../node-runtime/contract/facts.ts';
import type { Effect } from '../../node-runtime/core/cluster/member-state.ts';
import type { Mark } from '../../node-runtime/core/cluster/messages.ts';
import type { Register } from '../../node-runtime/core/cluster/register.ts';
import type { Position } from '../../node-runtime/core/journal/tail.ts';
import type { Chance } from './random.ts';

export type SaveEffect = Extract<Effect, { save: number }>;

export type Disk = {
  register: Register;
  /** Every entry from index 1 on; those up to `dropped` are only in the snapshot. */
  entries: StoredEntry[];
  dropped: number;
  snapshot: Position | null;
  mark: Mark | null;
  quarantine: StoredEntry[];
  pending: SaveEffect[];
  /** The storage knows that entries up to here were saved whole; absent: all that are there. */
  finished?: number;
  state: 'well' | 'full' | 'hangs';
};

export const emptyDisk = (register: Register): Disk => ({
  register,
  entries: [],
  dropped: 0,
  snapshot: null,
  mark: null,
  quarantine: [],
  pending: [],
  state: 'well',
});

/** What the snapshot held that is being installed: the simulation keeps it as the entries it stands for. */
export type Fetched = { at: Position; entries: StoredEntry[] } | null;

export type Saved = { cut: StoredEntry[] };

export function carryOut(disk: Disk, effect: SaveEffect, fetched: Fetched, part?: number): Saved {
  switch (effect.effect) {
    case 'saveRegister':
      disk.register = effect.register;
      return { cut: [] };
    case 'saveMark':
      disk.mark = effect.mark;
      return { cut: [] };
    case 'appendEntries':
      disk.entries.push(...effect.entries.slice(0, part));
      return { cut: [] };
    case 'cutToQuarantine': {
      const cut = disk.entries.splice(effect.after);
      disk.quarantine.push(...cut);
      return { cut };
    }
    case 'installSnapshot': {
      if (fetched?.at.chain !== effect.at.chain)
        throw new Error('simulation: a snapshot is installed that was not fetched');
      const old = disk.entries;
      const cut = old.filter((entry, place) => fetched.entries[place]?.chain !== entry.chain);
      disk.quarantine.push(...old.slice(effect.keep));
      disk.entries = [...fetched.entries];
      disk.snapshot = effect.at;
      disk.dropped = effect.at.index;
      return { cut };
    }
  }
}

/** The power fails: a beginning of what was on its way is on the disk. Returns what reached it. */
export function crash(disk: Disk, chance: Chance): { effect: SaveEffect; part?: number }[] {
  const count = disk.state === 'well' ? chance.whole(0, disk.pending.length) : 0;
  const reached: { effect: SaveEffect; part?: number }[] = disk.pending.slice(0, count).map((effect) => ({ effect }));
  const torn = disk.pending[count];
  if (disk.state === 'well' && torn?.effect === 'appendEntries' && torn.entries.length > 1) {
    reached.push({ effect: torn, part: chance.whole(0, torn.entries.length - 1) });
  }
  disk.pending = [];
  return reached;
}

export const copyOf = (disk: Disk): Disk => ({
  ...disk,
  entries: [...disk.entries],
  quarantine: [...disk.quarantine],
  pending: [],
  state: 'well',
});
