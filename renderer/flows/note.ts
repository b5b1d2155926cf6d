/**
 * What a notification says when a run has ended: which, how, and why if it
 * went wrong. Kept within what the desktop program accepts.
 */
import type { RunSummary } from '../../node-runtime/contract/model.ts';

const titleCharsMax = 120;
const bodyCharsMax = 400;
const how: Partial<Record<RunSummary['state'], string>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'was cancelled',
};
const cut = (text: string, chars: number): string => (text.length > chars ? `${text.slice(0, chars - 1)}…` : text);

type Ended = Pick<RunSummary, 'id' | 'name' | 'sandbox' | 'path' | 'state' | 'reason' | 'exitCode'>;

export function noteOf(run: Ended): { title: string; body: string } {
  const end = how[run.state] ?? 'ended, how is not known';
  const room = titleCharsMax - end.length - 1;
  const exit = run.state === 'failed' && run.exitCode !== undefined ? ` Exit ${run.exitCode}.` : '';
  const why = run.reason ? ` ${run.reason}` : exit;
  return {
    title: `${cut(run.name, room)} ${end}`,
    body: cut(`${run.id}, ${run.sandbox}/${run.path}.${why}`, bodyCharsMax),
  };
}
