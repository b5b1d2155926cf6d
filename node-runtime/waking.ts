/**
 * Wakes a node from its disk: register, journal tail, and the state that the
 * committed entries add up to.
 *
 * Entries are folded in slices so that the loop of the node is never blocked
 * for long, also while it follows an active.
 */
import type { ReadActs } from './auditing.ts';
import type { StoredEntry } from './contract/facts.ts';
import type { AuditRow } from './contract/model.ts';
import { auditOf } from './core/audit/audit.ts';
import { noCharter } from './core/cluster/charter.ts';
import type { Mark } from './core/cluster/messages.ts';
import type { Register } from './core/cluster/register.ts';
import type { Timing } from './core/cluster/timing.ts';
import { activationText, openEntry } from './core/folding.ts';
import type { Position, Tail } from './core/journal/tail.ts';
import type { NodeState } from './core/node-state.ts';
import { applyEntry, emptyReplicated, loadReplicated, type Replicated } from './core/replicated.ts';
import { wake } from './core/step.ts';
import { chainOf } from './io/journal/chain.ts';
import type { Journal } from './io/journal/journal.ts';
import type { JournalEnd, Loaded } from './io/journal/records.ts';

const SLICE = 500;

const positionOf = ({ index, term, chain }: JournalEnd): Position => ({ index, term: term ?? noCharter.term, chain });

type Kept = Pick<Loaded, 'snapshot' | 'entries' | 'auditedUpTo'>;
/** Told which rows of the audit were made on the way: of entries that it may lack. */
export type OnRead = (acts: ReadActs) => void;

async function fold(kept: Kept, to: () => number, onRead?: OnRead): Promise<Replicated> {
  const replicated = kept.snapshot ? loadReplicated(kept.snapshot.text) : emptyReplicated();
  const from = replicated.index;
  const rows: AuditRow[] = [];
  for (const [count, stored] of kept.entries.entries()) {
    if (stored.index > to()) break;
    if (count % SLICE === SLICE - 1) await new Promise((next) => setImmediate(next));
    const entry = openEntry(stored);
    const row = onRead && entry.index > kept.auditedUpTo ? auditOf(replicated, entry) : null;
    if (row) rows.push(row);
    applyEntry(replicated, entry);
  }
  onRead?.({ from, upTo: replicated.index, rows });
  return replicated;
}

/** Reads the state anew as it is on disk now, up to an entry that is asked for when it is got to. */
export async function foldFromDisk(
  journal: Journal,
  until: () => { to: number },
  onRead?: OnRead,
): Promise<Replicated> {
  return fold(await journal.load(), () => until().to, onRead);
}

export async function wakeFromDisk(asked: {
  journal: Journal;
  self: NodeState['self'];
  keepsJournal: boolean;
  timing: Timing;
  incarnation: string;
  /** Monotonic ms. */
  now: number;
  diskFull: boolean;
  /** Known to be committed, besides what was noted on disk. */
  committed?: number;
  snapshotEvery?: number;
  onRead?: OnRead;
}): Promise<NodeState> {
  const { journal, self, keepsJournal, timing } = asked;
  const kept = await journal.load();
  const register = JSON.parse(kept.records.register!) as Register;
  const mark = kept.records.mark === null ? null : (JSON.parse(kept.records.mark) as Mark);
  const tail = tailOf(kept, timing.tailEntriesMax);
  const committed = Math.max(asked.committed ?? 0, Number(kept.records.committed ?? 0));
  const replicated = keepsJournal
    ? await fold(kept, () => Math.max(committed, tail.base.index), asked.onRead)
    : emptyReplicated();
  const { snapshot } = kept;
  return wake({
    self,
    member: {
      register,
      keepsJournal,
      journal: tail,
      snapshot: snapshot ? { index: snapshot.index, term: snapshot.term, chain: snapshot.chain } : null,
      dropped: kept.floor.index,
      committed,
      mark,
      roster: { controllers: [], watch: null, spares: [] },
      timing,
      craft: { chainOf, activationText: (charter, loss) => activationText(self.name, charter, loss) },
      enabled: replicated.members.version,
      incarnation: asked.incarnation,
      now: asked.now,
    },
    replicated,
    snapshot: snapshot?.index ?? 0,
    diskFull: asked.diskFull,
    ...(asked.snapshotEvery === undefined ? {} : { snapshotEvery: asked.snapshotEvery }),
  });
}

/** The newest entries, as many as are kept in memory; never from behind the snapshot. */
function tailOf({ snapshot, floor, entries, end }: Loaded, entriesMax: number): Tail {
  const surplus = Math.max(0, entries.length - entriesMax);
  const before: JournalEnd | StoredEntry | null = surplus > 0 ? entries[surplus - 1]! : snapshot;
  const base = positionOf(before ?? (entries.length > 0 ? floor : end));
  return { base, entries: entries.slice(surplus) };
}
