/** How the audit is shown: areas, tones, and where a row leads. */
import type { AuditArea, AuditRow } from '../../../node-runtime/contract/model.ts';

export const areas: Record<AuditArea, { label: string }> = {
  people: { label: 'People' },
  cluster: { label: 'Cluster' },
  files: { label: 'Files' },
  runs: { label: 'Runs' },
};

type Tone = '' | 'alarm' | 'warn' | 'brass';
const tones: Record<string, Tone> = {
  lossConfirmed: 'alarm',
  joinRefused: 'warn',
  nodeRemoved: 'warn',
  userRemoved: 'warn',
  tokenRemoved: 'warn',
  sandboxRemoved: 'warn',
  leadChanged: 'brass',
  clusterFounded: 'brass',
};
/** What an eye that looks for trouble should find. */
export const toneOf = ({ act }: Pick<AuditRow, 'act'>): Tone => tones[act] ?? '';

/** `runLaunched` → "run launched". */
export const actWords = (act: string): string => act.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** What a row is about, where the console can show that. */
export function leadsTo({
  area,
  act,
  subject,
}: Pick<AuditRow, 'area' | 'act' | 'subject'>): 'run' | 'sandbox' | 'node' | null {
  if (area === 'runs') return 'run';
  if (area === 'files') return act === 'sandboxRemoved' ? null : 'sandbox';
  const isNode = ['nodeJoined', 'nodeChanged', 'dutiesChanged', 'nodeDrained', 'watchAppointed', 'leadChanged'];
  return isNode.includes(act) && subject !== '' ? 'node' : null;
}
