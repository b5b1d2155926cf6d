/**
 * Should this machine be kept from sleeping? Only if the person asked for it,
 * only on mains power, and only while the node has a role that others or its
 * own jobs depend on. Pure.
 */
import { hasConsequences } from '../tray/quit-question.ts';

export function shouldKeepAwake(facts: { asked: boolean; onBattery: boolean; roles: readonly string[] }): boolean {
  return facts.asked && !facts.onBattery && hasConsequences(facts.roles);
}
