/**
 * What a member waits for while nobody acts, in words (L3).
 *
 * Read from its state, so it is true at any moment; it decides nothing.
 * Rules: P5, P18, P19, P22, P27, P32.
 */
import { holds, isQuorum, votersOf, voterText, writersOf } from './charter.ts';
import { heardWithin, isAlive, newestKnown, selfText } from './knowledge.ts';
import { quorumHears } from './leading.ts';
import type { Member } from './member-state.ts';

export function obstacleInWords(m: Member, nameOf: (node: string) => string): { what: string; next: string } {
  const newest = newestKnown(m);
  const names = (nodes: string[]): string => [...new Set(nodes)].map(nameOf).join(' or ');
  if (m.conflict)
    return {
      what: 'a person to choose one of two controllers that both lead after a confirmed loss',
      next: 'Look at both, then confirm one: binnacle recover.',
    };
  if (votersOf(newest).length === 0)
    return { what: 'the active controller to let this node in', next: 'Start the controllers of the cluster.' };
  if (newest.parked)
    return {
      what: `${nameOf(newest.active)}, which was stopped for maintenance (${newest.parked.why})`,
      next: 'Start it again, or activate another controller of the pair: binnacle activate.',
    };
  const heard = new Set([
    selfText(m),
    ...votersOf(newest)
      .map(voterText)
      // It counts as alive for longer, but what does not answer now is what is waited for.
      .filter((text) => isAlive(m, text) && heardWithin(m, text.split('#')[0]!, 2 * m.timing.suspectMs)),
  ]);
  const silent = votersOf(newest)
    .filter((voter) => !heard.has(voterText(voter)))
    .map((voter) => voter.node);
  if (m.keepsJournal && !holds(newest, m.self))
    return {
      what: names(writersOf(newest)),
      next: `Only ${names(writersOf(newest))} surely has all that was acknowledged. Bring it back; if it is lost for good: binnacle recover.`,
    };
  if (!isQuorum(newest, heard))
    return {
      what: names(silent),
      next: 'Bring it back or mend the network; work then goes on by itself. If it is lost for good: binnacle recover.',
    };
  return { what: `${names(writersOf(newest))} to become active`, next: 'This takes a moment.' };
}

/** Can this controller go on only after a person confirms a loss (section 9)? */
export function needsRecovery(m: Member): boolean {
  if (!m.keepsJournal || votersOf(newestKnown(m)).length === 0) return false;
  if (m.phase.phase === 'leading' && quorumHears(m, m.phase)) return false;
  if (m.conflict) return true;
  const newest = newestKnown(m);
  if (newest.parked || (m.phase.phase !== 'leading' && m.now - m.heardActiveAt < 2 * m.timing.suspectMs)) return false;
  const heard = new Set([
    selfText(m),
    ...votersOf(newest)
      .map(voterText)
      .filter((text) => isAlive(m, text)),
  ]);
  return !holds(newest, m.self) || !isQuorum(newest, heard);
}
