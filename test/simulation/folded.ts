/**
 * What the entries of the simulation say: tasks, attempts, keys, claims and
 * enabled versions, folded from their texts as the application does it.
 *
 *   task T retry|once [W]   a task was launched, perhaps for one worker only
 *   place X T W             attempt X of it was placed
 *   end X STATE             its outcome; `lost` and `notStarted` free the task
 *   again T                 a person decided that a lost attempt is over
 *   adopt X T W             a worker knew an attempt that the journal did not (P31)
 *   read C W, away C W      after claim C worker W was read, or a person went on without it
 *   enable V                all can read version V (section 13)
 *   activated TERM C        first entry of a term; C is the claim it rests on, or -
 *   anything else           a client's key
 */
export type Task = { leased: boolean; only: string | null; launched: number; live: string | null; done: boolean };
export type Attempt = { task: string; worker: string; placed: number; state: string | null; ended: number };
export type Folded = {
  /** Entries up to here were folded. */
  index: number;
  tasks: Map<string, Task>;
  attempts: Map<string, Attempt>;
  keys: Map<string, number>;
  claim: { id: string; index: number; unread: Set<string> } | null;
  enabled: number;
  /** Tasks that a person let start again. */
  byPerson: Set<string>;
};

export const nothingFolded = (): Folded => ({
  index: 0,
  tasks: new Map(),
  attempts: new Map(),
  keys: new Map(),
  claim: null,
  enabled: 1,
  byPerson: new Set(),
});

export function fold(folded: Folded, text: string, workers: readonly string[]): void {
  folded.index++;
  const { index } = folded;
  const [kind = '', a = '', b = '', c = ''] = text.split(' ');
  switch (kind) {
    case 'task':
      folded.tasks.set(a, { leased: b === 'retry', only: c || null, launched: index, live: null, done: false });
      return;
    case 'place':
    case 'adopt':
      return placed(folded, a, b, c, index, kind === 'adopt');
    case 'end':
      return ended(folded, a, b, index);
    case 'again':
      folded.byPerson.add(a);
      return;
    case 'read':
    case 'away':
      if (folded.claim?.id === a) folded.claim.unread.delete(b);
      return;
    case 'enable':
      folded.enabled = Math.max(folded.enabled, Number(a));
      return;
    case 'activated':
      if (b !== '-' && b !== folded.claim?.id) folded.claim = { id: b, index, unread: new Set(workers) };
      return;
    default:
      if (!folded.keys.has(text)) folded.keys.set(text, index);
  }
}

/** An adopted attempt is the newer one: what the journal knows from before the claim may have ended in what was given up. */
function placed(
  folded: Folded,
  attempt: string,
  name: string,
  worker: string,
  index: number,
  isAdopted: boolean,
): void {
  folded.attempts.set(attempt, { task: name, worker, placed: index, state: null, ended: 0 });
  const task = folded.tasks.get(name);
  if (task && (task.live === null || isAdopted) && !task.done) task.live = attempt;
}

function ended(folded: Folded, name: string, state: string, index: number): void {
  const attempt = folded.attempts.get(name);
  if (!attempt || attempt.state !== null) return;
  Object.assign(attempt, { state, ended: index });
  const task = folded.tasks.get(attempt.task);
  if (!task || task.live !== name) return;
  task.live = null;
  const goesAgain = state === 'notStarted' || (state === 'lost' && task.leased) || state === 'givenUp';
  task.done = !goesAgain;
}
