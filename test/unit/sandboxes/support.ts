/** Short ways to write sandbox tests: entries, puts, and a sandbox that takes changes. */
import type { Entry, Fact, FileChange } from '../../../node-runtime/contract/facts.ts';
import {
  applyToSandboxes,
  type Decided,
  decideChanges,
  decideCreateSandbox,
  emptySandboxes,
  type Guard,
  type Sandboxes,
} from '../../../node-runtime/core/sandboxes/sandboxes.ts';

export const START = Date.UTC(2026, 0, 1);

/** Sixty-four letters that stand for a content. */
export const hashOf = (content: number): string => content.toString(16).padStart(64, '0');

export const put = (path: string, content = 1, more: Partial<Extract<FileChange, { op: 'put' }>> = {}): FileChange => ({
  op: 'put',
  path,
  hash: hashOf(content),
  bytes: content,
  executable: false,
  ...more,
});

export function entry(fact: Fact, index: number, by = 'user:ada'): Entry {
  return { term: { era: 1, number: 1, node: 'n' }, index, at: START + index * 1000, by, via: 'n', fact };
}

/** One kept sandbox "lab", changed the way the active does it: decide, then apply. */
export class Lab {
  state: Sandboxes = emptySandboxes();
  entries: Entry[] = [];

  constructor() {
    this.take(decideCreateSandbox(this.state, { name: 'lab', storage: 'kept', description: '' }));
  }

  get record() {
    return this.state.get('lab')!;
  }

  /** The code of the refusal, or 'done'. */
  change(changes: FileChange | FileChange[], guard?: Guard): string {
    return this.take(decideChanges(this.state, 'lab', [changes].flat(), guard));
  }

  take(decided: Decided): string {
    if ('code' in decided) return decided.code;
    for (const fact of decided.facts) {
      const made = entry(fact, this.entries.length + 1);
      this.entries.push(made);
      applyToSandboxes(this.state, made);
    }
    return 'done';
  }
}
