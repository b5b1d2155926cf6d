/**
 * The masker of one attempt: the process between a job that is given secrets
 * and the file that its output is kept in. What it writes has asterisks where
 * the job wrote a secret value, so no such value ever reaches the disk.
 *
 * Started by the runner before the job, and outlives it and the node like the
 * job does; nobody has to know the values again. It reads them once, from its
 * input (`{ folder, values }`), opens the attempt's `pipe`, says that it is
 * ready, and ends when nobody can write into that any more. While it works its
 * pid and start time stand in `masking` in the attempt's folder.
 *
 * Promise: a job never waits for a disk that is full: what can't be written is
 * dropped after a while, as it would be without a masker.
 */
import { constants, openSync, readFileSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { seeProcess } from './machine-processes.ts';
import { Masking } from './masking.ts';

const fullAgainMs = 200;
const fullTries = 25;
/** After it was asked to end: how long it may be silent before what came is all. */
const silentMs = 50;

// A stop of the attempt is for the job. Who wants this process to end says so by TERM when the job is gone.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGPIPE'] as const) process.on(signal, () => {});
await serve(JSON.parse(readFileSync(0, 'utf8')) as { folder: string; values: string[] });

async function serve({ folder, values }: { folder: string; values: string[] }): Promise<void> {
  const masking = new Masking(values);
  const output = openSync(join(folder, 'output'), 'a', 0o600);
  // Where the runner died meanwhile nobody can write into it: it is at its end at once.
  const pipe = openSync(join(folder, 'pipe'), constants.O_RDONLY | constants.O_NONBLOCK);
  const source = new Socket({ fd: pipe, readable: true, writable: false });
  let timer: NodeJS.Timeout | null = null;
  const endSoon = () => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => source.destroy(), silentMs);
  };
  process.on('SIGTERM', endSoon);
  const own = `${process.pid} ${seeProcess(process.pid)?.startTicks ?? 0}\n`;
  writeFileSync(join(folder, 'masking'), own, { mode: 0o600 });
  unlinkSync(join(folder, 'pipe'));
  process.stdout.write('ready\n');
  try {
    for await (const chunk of source) {
      await write(output, masking.push(chunk as Buffer));
      if (timer !== null) endSoon();
    }
  } catch {
    // It was asked to end, or the pipe broke: what came is all that will come.
  }
  await write(output, masking.end());
  if (readFileSync(join(folder, 'masking'), 'utf8') === own) unlinkSync(join(folder, 'masking'));
  process.exit(0);
}

async function write(output: number, bytes: Buffer): Promise<void> {
  let at = 0;
  for (let tries = 0; at < bytes.length && tries < fullTries; ) {
    try {
      at += writeSync(output, bytes, at);
    } catch {
      tries++;
      await pause(fullAgainMs);
    }
  }
}
