/**
 * `binnacle copy-anew`: a controller whose journal is damaged gives it up and
 * copies it anew from the other one (PROTOCOL P33, P25).
 *
 * The damaged journal is put aside, never deleted. The folder begins with a
 * new memory and no vote, so it can't lead before it has everything again. A
 * person says so, since only a person can know that the other controller is
 * well: if both did it by themselves after a power cut, all would be gone.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import type { Directory } from './contract/peer-messages.ts';
import { emptyRegister } from './core/cluster/register.ts';
import { memberFile, places } from './founding.ts';
import { JournalError } from './io/journal/errors.ts';
import { openJournal } from './io/journal/journal.ts';
import { loadIdentity } from './io/trust/identity-store.ts';
import { CannotStart } from './running-node.ts';

export async function copyAnew({ data }: { data: string }): Promise<{ aside: string; from: string[] }> {
  const at = places(data);
  const identity = await loadIdentity(at.trust);
  if (!identity) throw new CannotStart('not_founded', `There is no node in ${data}.`, 'Name its folder with --data.');
  await refuseSound(at.journal);
  const directory = existsSync(memberFile(data))
    ? (JSON.parse(readFileSync(memberFile(data), 'utf8')) as Directory)
    : null;
  const others =
    directory?.nodes.filter((one) => one.id !== identity.nodeId && one.duties.includes('controller')) ?? [];
  if (!directory || others.length === 0)
    throw new CannotStart(
      'journal_damaged',
      'No other controller is known that could give the journal again.',
      'Restore the disk, or restore a backup. Nothing was changed.',
    );
  const aside = `${at.journal}.damaged-${Date.now()}`;
  renameSync(at.journal, aside);
  const journal = await openJournal({
    directory: at.journal,
    onFault: (error) => {
      throw error;
    },
  });
  try {
    const self = { node: identity.nodeId, store: journal.opened.store };
    await Promise.all([
      journal.saveRecord('register', JSON.stringify(emptyRegister(identity.clusterId, self))),
      journal.saveRecord('directory', JSON.stringify({ ...directory, era: 0, position: 0 } satisfies Directory)),
    ]);
  } finally {
    await journal.close();
  }
  return { aside, from: others.map((one) => one.name) };
}

/** A sound journal is not given up, whoever asks. */
async function refuseSound(directory: string): Promise<void> {
  try {
    const journal = await openJournal({ directory, onFault: () => {} });
    await journal.close();
  } catch (error) {
    if (error instanceof JournalError && error.code === 'journal_damaged') return;
    throw error;
  }
  throw new CannotStart('journal_sound', 'This journal is not damaged.', 'Start the node: binnacle node.');
}
