/**
 * `binnacle doctor`: looks at a data folder and this machine, and says what it
 * finds, each finding with a next step. Changes nothing; what a running node
 * holds is asked of it, what a stopped one left is opened and verified.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isFounded, places } from './founding.ts';
import type { Finding } from './io/cli/outside.ts';
import { openBlobs } from './io/files/blobs.ts';
import { JournalError } from './io/journal/errors.ts';
import { openJournal } from './io/journal/journal.ts';
import { freeBytes } from './io/machine/machine.ts';
import { certificateEnd } from './io/trust/identity.ts';
import { loadIdentity } from './io/trust/identity-store.ts';

const DAY_MS = 86_400_000;
const LOW_BYTES = 1024 ** 3;

export async function examine(data: string): Promise<Finding[]> {
  if (!isFounded(data)) {
    return [
      {
        level: 'problem',
        what: `There is no node in ${data}.`,
        next: `Make one: binnacle init --data ${data} --cluster NAME`,
      },
    ];
  }
  return [
    ...(await space(data)),
    ...(await certificate(data)),
    ...running(data),
    ...(await journal(data)),
    ...(await leftovers(data)),
  ];
}

async function space(data: string): Promise<Finding[]> {
  const free = await freeBytes(data);
  const gib = (free / 1024 ** 3).toFixed(1);
  if (free < LOW_BYTES)
    return [
      {
        level: 'warning',
        what: `Only ${gib} GiB are free where the data lies.`,
        next: 'Free some space: when none is left nothing can be changed.',
      },
    ];
  return [{ level: 'ok', what: `${gib} GiB are free where the data lies.` }];
}

async function certificate(data: string): Promise<Finding[]> {
  try {
    const identity = await loadIdentity(places(data).trust);
    if (!identity) return [];
    const days = Math.floor((certificateEnd(identity) - Date.now()) / DAY_MS);
    if (days < 30)
      return [
        {
          level: 'warning',
          what: `The certificate of this node ends in ${days} days.`,
          next: 'Restart the node: it renews it by itself.',
        },
      ];
    return [{ level: 'ok', what: `The certificate of this node is good for ${days} days.` }];
  } catch (error) {
    return [{ level: 'problem', what: sentence(error), next: 'Restore the folder "trust" from a backup.' }];
  }
}

function running(data: string): Finding[] {
  const file = places(data).running;
  if (!existsSync(file))
    return [{ level: 'note', what: 'The node is not running.', next: `Start it: binnacle node --data ${data}` }];
  try {
    const { pid, name } = JSON.parse(readFileSync(file, 'utf8'));
    process.kill(pid, 0);
    return [{ level: 'ok', what: `The node ${name} is running (process ${pid}).` }];
  } catch {
    return [
      {
        level: 'note',
        what: 'The node is not running; it was not stopped in order.',
        next: 'Start it: it finds its jobs again.',
      },
    ];
  }
}

async function journal(data: string): Promise<Finding[]> {
  try {
    const opened = await openJournal({ directory: places(data).journal, onFault: () => {} });
    try {
      const notes: Finding[] = opened.opened.notes.map((what) => ({ level: 'note', what }));
      const problems = await opened.verify();
      if (problems.length === 0)
        notes.push({
          level: 'ok',
          what: `The journal is whole: ${opened.opened.end.index} entries, each with its checksum and chain.`,
        });
      for (const problem of problems)
        notes.push({
          level: 'problem',
          what: sentence(problem),
          next: 'Do not delete anything. Take a copy of the folder, then restore a backup.',
        });
      return notes;
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (error instanceof JournalError && error.code === 'folder_in_use') {
      return [{ level: 'note', what: 'The journal is in use by the running node, which checks it at every start.' }];
    }
    return [
      {
        level: 'problem',
        what: sentence(error),
        next: 'Do not delete anything. Take a copy of the folder, then restore a backup.',
      },
    ];
  }
}

async function leftovers(data: string): Promise<Finding[]> {
  try {
    await openBlobs(places(data).blobs);
    return [{ level: 'ok', what: 'The store of files can be read and written.' }];
  } catch (error) {
    return [{ level: 'problem', what: sentence(error), next: `Look at the rights of ${places(data).blobs}.` }];
  }
}

const sentence = (error: unknown): string =>
  error && typeof error === 'object' && 'message' in error
    ? String(error.message)
    : error && typeof error === 'object' && 'sentence' in error
      ? String(error.sentence)
      : String(error);
