/**
 * The command with which a person says what became of an attempt whose worker
 * is silent. Only a person can: the cluster never guesses.
 */
import type { BodyOf } from '../../contract/routes.ts';
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { misused } from './failure.ts';
import { plain } from './words.ts';

type Decision = BodyOf<'decideTask'>['decision'];
export const decisions: readonly Decision[] = ['again', 'succeeded', 'failed'];
const isDecision = (text: string): text is Decision => (decisions as readonly string[]).includes(text);

const meaning: Record<Decision, string> = {
  again: 'is started again on another worker. If the first one still runs, the work is done twice',
  succeeded: 'counts as succeeded',
  failed: 'counts as failed',
};

export async function decide(context: Context, run: string, task: string, decision: string): Promise<number> {
  if (!isDecision(decision)) throw misused(`"${decision}" is no decision.`, `Decide one of: ${decisions.join(', ')}.`);
  return withNode(context, 'running', async (client) => {
    const decided = await client.ask('decideTask', { params: { run, task }, body: { decision } });
    if (context.json) context.document(decided);
    else context.say(`Task ${plain(task)} of run ${plain(run)} ${meaning[decision]}. The run is ${decided.state}.`);
    return exitCodes.ok.code;
  });
}
