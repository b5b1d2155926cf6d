/** What a node is there for, in words; when a choice of duties makes sense at all, and which one lends itself. */
import type { Duty } from '../../node-runtime/contract/facts.ts';
import type { Node } from '../../node-runtime/contract/model.ts';

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

export type Suggestion = { duties: readonly Duty[]; why: string };

/** What a cluster of these nodes lacks most; what it is good for, in a sentence. */
export function suggestDuties(nodes: readonly Pick<Node, 'duties'>[]): Suggestion {
  const has = (duty: Duty): number => nodes.filter((node) => node.duties.includes(duty)).length;
  if (has('controller') < 2)
    return {
      duties: ['controller'],
      why: 'Suggested because there is one controller only: a second one holds all that was acknowledged, and can take over. It may be a worker too.',
    };
  if (has('watch') === 0)
    return {
      duties: ['watch'],
      why: 'Suggested because there is no watch: with one, any one of the three machines can be lost and work goes on.',
    };
  return { duties: ['worker'], why: 'Suggested because controllers and watch are there: more workers run more tasks.' };
}

/** The mistake in a choice, as a sentence, or null. The node may still refuse. */
export function mistakeInDuties(chosen: ReadonlySet<Duty>): string | null {
  if (chosen.size === 0) return 'Choose at least one.';
  if (chosen.has('controller') && chosen.has('watch')) {
    return 'A controller already votes: choose controller or watch, not both.';
  }
  return null;
}

export const sayDuties = (chosen: readonly Duty[]): string => (chosen.length > 0 ? chosen.join(', ') : 'none');
