/**
 * Keeps a copy of the output of an attempt that ran on another machine, where
 * the readers of `output.ts` find it.
 *
 * Written beside and renamed when complete: a copy is whole or not there.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attemptFolder } from './attempt-folder.ts';

/** Does nothing where there is a folder of that attempt already: then it ran here, or was copied before. */
export async function keepOutputCopy(
  dataDir: string,
  attempt: string,
  outputBytes: number,
  from: { times: { offset: number; atMs: number }[]; output(): AsyncIterable<Uint8Array> },
): Promise<void> {
  const folder = attemptFolder(dataDir, attempt);
  if (existsSync(folder)) return;
  const making = join(dataDir, 'attempts', `.copy-${randomUUID()}`);
  await mkdir(making, { recursive: true, mode: 0o700 });
  try {
    await using file = await open(join(making, 'output'), 'wx', 0o600);
    let bytes = 0;
    for await (const chunk of from.output()) {
      await file.write(chunk);
      bytes += chunk.length;
    }
    if (bytes < outputBytes) throw new Error(`only ${bytes} of ${outputBytes} bytes of output came`);
    const times = from.times.map(({ offset, atMs }) => `${offset} ${atMs}\n`).join('');
    await writeFile(join(making, 'times'), times, { mode: 0o600 });
    await writeFile(join(making, 'copied'), '', { mode: 0o600 }); // whoever follows it knows that it has ended
    await rename(making, folder);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw error;
  }
}
