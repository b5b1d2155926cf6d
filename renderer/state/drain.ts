/** Gives a node no new work, or work again: said, and taken back with one click. */
import type { Node } from '../../node-runtime/contract/model.ts';
import { members } from './members.svelte.ts';
import { toasts } from './toasts.svelte.ts';

export async function drainNode(node: Pick<Node, 'id' | 'name'>, drained: boolean): Promise<void> {
  try {
    const { tasksRunning } = await members.drain(node.id, drained);
    const left = tasksRunning === 0 ? 'nothing runs on it' : `${tasksRunning} of its tasks run to their end`;
    toasts.say(drained ? `${node.name} gets nothing new; ${left}.` : `${node.name} takes work again.`, {
      label: 'Undo',
      run: () => void drainNode(node, !drained),
    });
  } catch (cause) {
    toasts.fail(drained ? `${node.name} was not drained` : `${node.name} takes no work yet`, cause);
  }
}
