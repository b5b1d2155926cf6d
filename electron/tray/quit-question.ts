/**
 * What quitting would cost, in words. A node whose role has consequences is
 * not taken away by a careless click; one without is not asked about. Pure.
 */

export type QuitQuestion = { message: string; detail: string; buttons: [quit: string, keep: string] };

/** Does anything stop or wait when this node stops? */
export function hasConsequences(roles: readonly string[]): boolean {
  return roles.some((role) => role !== 'observer');
}

const losses: Record<string, string> = {
  active: 'Jobs that are running go on; nothing new starts until Binnacle runs again.',
  standby: 'Work goes on, but nobody can take over from the active until Binnacle runs again here.',
  watch: 'Work goes on. Without a spare watch no fail-over is possible until Binnacle runs again here.',
  worker: 'Jobs that are running here go on; this computer takes no new ones until Binnacle runs again.',
};
const handsOver =
  'The standby takes the lead first, if it is in step, and work goes on there. Nobody can take over from it until Binnacle runs again here.';

/** Null when quitting costs nobody anything. `isPaired`: another controller stands by. */
export function quitQuestion(roles: readonly string[], isPaired: boolean): QuitQuestion | null {
  if (!hasConsequences(roles)) return null;
  const role = roles.find((held) => held in losses) ?? roles.find((held) => held !== 'observer') ?? '';
  const detail =
    (role === 'active' && isPaired ? handsOver : losses[role]) ??
    `This node is ${role}; its cluster does without it until Binnacle runs again.`;
  return { message: 'Quit Binnacle on this computer?', detail, buttons: ['Quit', 'Keep running'] };
}
