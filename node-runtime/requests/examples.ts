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
  const deadline = Date.now() + DEADLINE_MS;
  while (!isActive(loop.state)) {
    if (Date.now() > deadline) throw new Error('This node did not become active; its log says why.');
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

export async function putExamples(parts: Parts, example: typeof exampleSandbox): Promise<void> {
  const { loop } = parts;
  await untilActive(loop);
  if (loop.state.replicated.sandboxes.size > 0) return;
  const { name, description } = example;
  const made = await loop.ask('node', null, { wish: 'createSandbox', name, storage: 'kept', description });
  if ('code' in made) throw new Error(made.detail);
  const files = keptFiles(parts, name);
  const asking = {
    caller: { by: 'node', name: 'node', role: 'admin', kind: 'desktop' },
    key: null,
    requestHash: '',
  } as const;
  for (const { path, text, executable } of example.files) {
    const done = await files.write(asking, path, Readable.from([Buffer.from(text)]), { executable });
    if ('code' in done) throw new Error(done.detail);
  }
}
