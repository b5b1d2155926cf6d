/** What a node is there for, in words; and when a choice of duties makes sense at all. */
import type { Duty } from '../../node-runtime/contract/facts.ts';

export const duties: readonly { value: Duty; label: string; hint: string }[] = [
  {
    value: 'controller',
    label: 'Controller',
    hint: 'Keeps the journal; leads, or stands by to take over. A cluster has two.',
  },
  {
    value: 'watch',
    label: 'Watch',
    hint: 'Votes on who leads and keeps no jobs. One is seated, any number are spare.',
  },
  { value: 'worker', label: 'Worker', hint: 'Runs tasks. A controller or a watch may be one too.' },
];

/** The mistake in a choice, as a sentence, or null. The node may still refuse. */
export function mistakeInDuties(chosen: ReadonlySet<Duty>): string | null {
  if (chosen.size === 0) return 'Choose at least one.';
  if (chosen.has('controller') && chosen.has('watch')) {
    return 'A controller already votes: choose controller or watch, not both.';
  }
  return null;
}

export const sayDuties = (chosen: readonly Duty[]): string => (chosen.length > 0 ? chosen.join(', ') : 'none');
