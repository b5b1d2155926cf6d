/**
 * Puts the example sandbox there when there is no sandbox at all yet, by the
 * same wishes a person's requests become.
 */
import { Readable } from 'node:stream';
import { isActive } from '../core/node-state.ts';
import type { exampleSandbox } from '../examples.ts';
import type { Loop } from '../node.ts';
import { keptFiles } from './kept-files.ts';
import type { Parts } from './parts.ts';

const POLL_MS = 50;
const DEADLINE_MS = 30_000;

/** Resolves when this node acts; throws when it does not within half a minute. */
export async function untilActive(loop: Loop): Promise<void> {
  await whoActs([loop]);
}

/** Which of these nodes acts; throws when none does within half a minute. */
export const whoActs = (loops: Loop[]): Promise<Loop> => soon(() => loops.find((loop) => isActive(loop.state)));

async function soon<T>(look: () => T | undefined): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('No node became active; the log says why.');
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** Does nothing in a cluster that another node leads: it has what it needs. */
export async function putExamples(parts: Parts, example: typeof exampleSandbox): Promise<void> {
  const { loop } = parts;
  const self = loop.state.self.node;
  const leads = await soon(() => (isActive(loop.state) ? self : loop.state.lead?.node));
  if (leads !== self || !isActive(loop.state)) return;
  if (loop.state.replicated.sandboxes.size > 0) return;
  const { name, description } = example;
  const made = await loop.ask('node', null, { wish: 'createSandbox', name, storage: 'kept', description });
  if ('code' in made) throw new Error(made.detail);
  const files = keptFiles(parts, name);
  const asking = {
    caller: { by: 'node', name: 'node', role: 'admin', kind: 'desktop' },
    key: null,
    requestHash: '',
    address: 'local',
  } as const;
  for (const { path, text, executable } of example.files) {
    const done = await files.write(asking, path, Readable.from([Buffer.from(text)]), { executable });
    if ('code' in done) throw new Error(done.detail);
  }
}
