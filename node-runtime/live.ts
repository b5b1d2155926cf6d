/**
 * Live events on their way from the loop to the consoles: keeps the newest few
 * thousand so that a console that lost its connection can go on where it was,
 * and hands each to everybody who listens now.
 *
 * What is older than what is kept cannot be replayed: the console is told so
 * and reads everything anew. Nothing is kept over a restart.
 */

import { limits } from './contract/limits.ts';
import type { LiveEvent } from './contract/model.ts';

export type Live = {
  publish(events: LiveEvent[]): void;
  /** Everything after a journal position, or 'gone' when that is not kept any more. */
  replay(after: number): LiveEvent[] | 'gone';
  subscribe(listener: (event: LiveEvent) => void): () => void;
  position(): number;
};

/** `start` is the journal position at which this node woke up: nothing before it can be replayed. */
export function makeLive(start: number): Live {
  let kept: LiveEvent[] = [];
  /** Events at or before this position are not kept. */
  let forgotten = start;
  let newest = start;
  const listeners = new Set<(event: LiveEvent) => void>();
  return {
    publish(events) {
      for (const event of events) {
        kept.push(event);
        newest = Math.max(newest, event.position);
        for (const listener of listeners) listener(event);
      }
      if (kept.length > limits.eventsKept * 2) {
        forgotten = kept[kept.length - limits.eventsKept - 1]!.position;
        // Never cut between two events of one position: a console would miss the second.
        kept = kept.filter((event) => event.position > forgotten);
      }
    },
    replay(after) {
      if (after < forgotten || after > newest) return 'gone';
      return kept.filter((event) => event.position > after);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    position: () => newest,
  };
}
