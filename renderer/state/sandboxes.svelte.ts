/** Making and removing sandboxes, and finding files in all of them. */
import type { Entry, RightsEntry } from '../../node-runtime/contract/model.ts';
import { call } from '../api.ts';
import { live } from './live.svelte.ts';

export type NewSandbox = {
  name: string;
  kind: 'shared' | 'local';
  description: string;
  node?: string;
  directory?: string;
};
export type FoundFile = { sandbox: string; entry: Entry };
const searchedAtOnce = 12;

export async function makeSandbox(of: NewSandbox): Promise<void> {
  await call('sandboxCreate', { body: of });
  await live.readSandboxes();
}
export async function removeSandbox(sandbox: string): Promise<void> {
  await call('sandboxRemove', { params: { sandbox } });
  await live.readSandboxes();
}
/** Who may what in it; null: the role decides. */
export async function changeRights(sandbox: string, rights: RightsEntry[] | null): Promise<void> {
  await call('sandboxRights', { params: { sandbox }, body: { rights } });
  await live.readSandboxes();
}
/** Files whose path holds the text, over the sandboxes; one that cannot answer is left out. */
export async function findFiles(text: string, signal: AbortSignal): Promise<FoundFile[]> {
  const names = (live.sandboxes ?? []).slice(0, searchedAtOnce).map((sandbox) => sandbox.name);
  const answers = await Promise.allSettled(
    names.map((sandbox) => call('search', { params: { sandbox }, query: { text, limit: 20 }, signal })),
  );
  return answers.flatMap((answer, i) =>
    answer.status === 'fulfilled' ? answer.value.entries.map((entry) => ({ sandbox: names[i]!, entry })) : [],
  );
}
