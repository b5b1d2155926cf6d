/**
 * A process that appends to a journal and says on stdout what was acknowledged,
 * to be killed by a test at any moment.
 *
 *   appender.ts FOLDER steps COUNT EACH   COUNT transactions, then kills itself
 *   appender.ts FOLDER stream WRITERS     appends until it is killed or the journal fails
 *   appender.ts FOLDER hold               holds the folder
 */
import { openJournal } from '../../../node-runtime/io/journal/journal.ts';
import { entriesMaker } from './entries-maker.ts';

const [folder, mode, first, second] = process.argv.slice(2) as [string, string, string, string];
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const journal = await openJournal({ directory: folder, onFault: (error) => say(`fault ${error.code}`) }).catch(
  (error) => {
    say(`refused ${error.code} ${error.message}`);
    process.exit(1);
  },
);
const make = entriesMaker(journal.opened.end);
say('open');

if (mode === 'steps') {
  for (let step = 0; step < Number(first); step++) {
    const entries = make(Number(second));
    await journal.append(entries);
    say(`acknowledged ${entries.at(-1)!.index}`);
  }
  process.kill(process.pid, 'SIGKILL');
}
if (mode === 'stream') {
  const writer = async (): Promise<void> => {
    for (;;) {
      const entries = make(1);
      await journal.append(entries);
      say(`acknowledged ${entries[0]!.index}`);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Number(first) }, writer));
  for (const end of ends) if (end.status === 'rejected') say(`rejected ${end.reason.code}`);
  await journal.append(make(1)).catch((error) => say(`afterwards ${error.code}`));
  process.exit(0);
}
if (mode === 'hold') setInterval(() => {}, 1 << 30);
