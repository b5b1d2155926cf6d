/**
 * Stands in for the runner in specs of the desktop shell alone: answers one
 * question over the line to the runtime, and leaves when that is gone.
 */
import type { ToRunner } from '../../../../electron/host/messages.ts';

process.parentPort.on('message', (event) => {
  const message = event.data as ToRunner;
  if (message.type === 'runtimeGone') process.exit(0);
  const port = event.ports[0]!;
  port.on('message', (question) => port.postMessage({ of: (question.data as { of: string }).of, pid: process.pid }));
  port.start();
});
