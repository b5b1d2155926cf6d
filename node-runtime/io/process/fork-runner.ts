/**
 * Starts a runner as a child of a daemon node.
 *
 * Nothing of the node's environment goes with it but the few names that jobs
 * may see, so no secret can leak into a job by way of the runner. In the
 * desktop program forking is switched off; there the host brings a channel to
 * a utility process instead, of the same shape.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { passedOn } from './launch.ts';
import type { Channel } from './orders.ts';

/** The runner beside this module: a source while developing, else the bundled `runner.js`. */
const entryBeside = (): string =>
  fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './runner.ts' : './runner.js', import.meta.url));

/** How long an exit may come after its line was closed. */
const goneMs = 50;

export function forkRunner(entry: string = entryBeside()): Channel {
  const child = fork(entry, [], {
    env: passedOn(process.env),
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let why: string | null = null;
  const gone: ((why: string) => void)[] = [];
  const tellGone = (sentence: string) => {
    if (why !== null) return;
    why = sentence;
    for (const hear of gone) hear(sentence);
  };
  child.on('exit', (code, signal) => tellGone(`The runner ended (${signal ?? `code ${code}`}).`));
  child.on('error', (problem) => tellGone(`The runner could not be started: ${problem.message}`));
  // Mostly its exit is told a moment later. If not, it stays for attempts with a lease, and must hold
  // nobody; the next runner on the folder ends it.
  child.on('disconnect', () => {
    child.unref();
    setTimeout(() => tellGone('The line to the runner was closed.'), goneMs);
  });
  return {
    // What cannot be sent any more is sent again to the next runner.
    send: (message) => void (child.connected && child.send(message as object, () => {})),
    onMessage: (hear) => void child.on('message', hear),
    onGone: (hear) => {
      if (why === null) gone.push(hear);
      else hear(why);
    },
    stop: () => void child.kill('SIGKILL'),
  };
}
