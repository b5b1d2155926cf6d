/**
 * Commands about who leads: switch-over, park, activate.
 *
 * The node decides and says why not; nothing is tried again here, because a
 * second try would mean something else than the first.
 */
import { type Context, withNode } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { plain } from './words.ts';

const told = <T extends { sentence: string }>(context: Context, answer: T): number => {
  if (context.json) context.document(answer);
  else context.say(plain(answer.sentence));
  return exitCodes.ok.code;
};

export const switchOver = (context: Context): Promise<number> =>
  withNode(context, 'running', async (client) => told(context, await client.ask('switchOver')));

export const park = (context: Context, options: { why: string }): Promise<number> =>
  withNode(context, 'running', async (client) => told(context, await client.ask('park', { body: options })));

export const activate = (context: Context): Promise<number> =>
  withNode(context, 'running', async (client) => told(context, await client.ask('activate')));
